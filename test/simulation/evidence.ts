// What the checkers of the end judge by: the rows of the database file, by SQL of their own, beside what was seen.
import type { Database } from 'better-sqlite3'
import type { Scenario } from './scenario.ts'
import type { Sightings } from './sightings.ts'

export interface RunRecord {
  readonly id: number
  readonly run_id: string
  readonly session_key: string
  readonly source: string
  readonly state: string
  readonly attempt: number
  readonly losses: number
  readonly timeout_ms: number | null
  readonly job_id: string | null
  readonly ended_at_ms: number | null
  readonly created_at_ms: number
  readonly started_at_ms: number | null
  readonly session_id: string
  readonly reply: string | null
  readonly error: string | null
  /** The run whose call asked for this one, and how many led to it. */
  readonly parent: string | null
  readonly hops: number
  /** The session that is owed the reply, and what became of that. */
  readonly tells: string | null
  readonly handover: 'none' | 'open' | 'taken'
  readonly taken_by: string | null
  /** What the message was to do to a turn that runs, and the run that took it. */
  readonly queue_mode: string
  readonly merged_into: string | null
}

export interface EntryRecord {
  readonly id: number
  readonly run_id: string
  readonly session_key: string
  readonly kind: string
  readonly created_at_ms: number
  readonly body: string
}

export interface Evidence {
  readonly reader: Database
  readonly scenario: Scenario
  readonly seen: Sightings
  readonly runs: ReadonlyMap<string, RunRecord>
  readonly entries: ReadonlyMap<string, readonly EntryRecord[]>
}

export function gather(reader: Database, scenario: Scenario, seen: Sightings): Evidence {
  const runs = reader.prepare('SELECT * FROM runs ORDER BY id').all() as RunRecord[]
  const entries = reader.prepare('SELECT * FROM entries WHERE run_id IS NOT NULL ORDER BY id').all() as EntryRecord[]
  return {
    ...{ reader, scenario, seen },
    runs: new Map(runs.map(run => [run.run_id, run])),
    entries: Map.groupBy(entries, entry => entry.run_id),
  }
}

/** The run in which a message has its answer: its own, or the one that took it. */
export function answeringRun(runs: Evidence['runs'], runId: string): RunRecord | undefined {
  const run = runs.get(runId)
  return run && run.merged_into !== null ? runs.get(run.merged_into) : run
}

export function repeated(list: readonly string[]): string[] {
  return [...new Set(list.filter((one, index) => list.indexOf(one) !== index))]
}

/** What a call of a turn was told, as its journal has it. */
export interface ToldResult {
  /** `<entry>:<ordinal>`. */
  readonly callId: string
  readonly name: string
  readonly told: Told
}

export interface Told {
  readonly status?: string
  readonly runId?: string
  readonly reply?: string
  readonly error?: string
  readonly code?: string
  readonly outcome?: string
  readonly exitCode?: number | null
  readonly ran?: boolean
  /** Of work that was done too late: its answer. */
  readonly result?: Told
}

export function resultsOf({ entries }: Evidence, runId: string): ToldResult[] {
  const results = (entries.get(runId) ?? []).filter(entry => entry.kind === 'result')
  return results.map(entry => {
    const { message, ordinal, name, text } = JSON.parse(entry.body)
    return { callId: `${message}:${ordinal}`, name, told: JSON.parse(text) as Told }
  })
}
