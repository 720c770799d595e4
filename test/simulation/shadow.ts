// A second opinion on who waits for whom, made from what is on disk (which runs live, which one of a session runs) and
// from the calls that runners were seen to make; it searches every path, and shares no code with the wait-for graph.
import type { Database } from 'better-sqlite3'
import { ask } from './disk.ts'
import type { TurnCall } from './sightings.ts'

export interface LiveRun {
  readonly id: number
  readonly runId: string
  readonly sessionKey: string
  readonly state: 'queued' | 'running'
  readonly jobId: string | null
  readonly source: string
  readonly parent: string | null
  readonly tells: string | null
  /** It is to be tried again then. */
  readonly retryAtMs: number | null
}

const LIVE = `SELECT id, run_id AS runId, session_key AS sessionKey, state, job_id AS jobId, source,
  parent, tells, retry_at_ms AS retryAtMs FROM runs
  WHERE state IN ('queued', 'running') ORDER BY id`

const MERGED = `SELECT merged.run_id AS runId, merged_into AS "into" FROM runs AS merged
  WHERE merged_into IN (SELECT run_id FROM runs WHERE state IN ('queued', 'running'))`

/** Messages that became part of a turn that lives: who waits for one waits for that. */
function mergedRuns(reader: Database): ReadonlyMap<string, string> {
  const rows = ask(reader, MERGED).all() as { runId: string; into: string }[]
  return new Map(rows.map(({ runId, into }) => [runId, into]))
}

export function liveRuns(reader: Database): LiveRun[] {
  return ask(reader, LIVE).all() as LiveRun[]
}

/** Whether a call makes its turn wait for another one, and for how long at most. */
export function waitMsOf(call: Pick<TurnCall, 'name' | 'args'>): number {
  const { name, args } = call
  if (name === 'sessions_send') return Number(args.timeoutSeconds ?? 30) * 1_000
  if (name === 'sessions_spawn') return Number(args.waitSeconds ?? 0) * 1_000
  if (name === 'sim_wait' || name === 'sim_run') return Number(args.timeoutMs)
  return 0
}

/** Whether a turn may stand and wait in a call: for a turn, a person or a process. */
export function isWait(call: Pick<TurnCall, 'name' | 'args'>): boolean {
  return call.name === 'exec' || waitMsOf(call) > 0
}

export class Shadow {
  readonly #live: ReadonlyMap<string, LiveRun>
  readonly #running: ReadonlyMap<string, LiveRun>
  readonly #calls: readonly TurnCall[]
  readonly #merged: ReadonlyMap<string, string>
  readonly #strict: boolean

  /** `calls`: those that are open. Strict: only what surely waits now; else also what may be about to. */
  constructor(
    reader: Database,
    live: readonly LiveRun[],
    { calls, strict }: { calls: readonly TurnCall[]; strict: boolean },
  ) {
    this.#strict = strict
    this.#merged = mergedRuns(reader)
    this.#live = new Map(live.map(run => [run.runId, run]))
    this.#running = new Map(live.flatMap(run => (run.state === 'running' ? [[run.sessionKey, run]] : [])))
    this.#calls = calls.filter(call => waitMsOf(call) > 0)
  }

  /** Whether `run` would come to wait for itself, if it waited for `target` (`run:<id>` or `lane:<session>`). */
  closes(runId: string, target: string): boolean {
    return this.#reaches(target, runId, new Set())
  }

  /** A turn that waits for itself already, with what it waits for. */
  deadlocked(): string | undefined {
    for (const call of this.#calls) {
      const target = this.#targetOf(call)
      if (target && this.#reaches(target, call.runId, new Set())) return `${call.runId} by ${call.id} for ${target}`
    }
    return undefined
  }

  #reaches(node: string, goal: string, seen: Set<string>): boolean {
    if (node === `run:${goal}`) return true
    if (seen.has(node)) return false
    seen.add(node)
    return this.#next(node).some(next => this.#reaches(next, goal, seen))
  }

  #next(node: string): string[] {
    if (node.startsWith('lane:')) {
      const holder = this.#running.get(node.slice('lane:'.length))
      return holder ? [`run:${holder.runId}`] : []
    }
    const run = this.#live.get(node.slice('run:'.length))
    if (!run) {
      const into = this.#merged.get(node.slice('run:'.length))
      return into === undefined ? [] : [`run:${into}`]
    }
    if (run.state === 'queued') return [`lane:${run.sessionKey}`]
    return this.#calls.filter(call => call.runId === run.runId).flatMap(call => this.#targetOf(call) ?? [])
  }

  #targetOf(call: TurnCall): string | undefined {
    if (call.name === 'sim_wait') return `run:${call.args.runId}`
    if (call.name === 'sim_run') {
      const run = [...this.#live.values()].find(one => one.jobId === call.args.jobId)
      return run && `run:${run.runId}`
    }
    const waited = waitedRunId(call)
    if (this.#live.has(waited)) return `run:${waited}`
    return this.#strict ? undefined : `lane:${call.args.sessionKey}`
  }
}

/** The run that a `sessions_send` or `sessions_spawn` makes: named by its call, so that a repeat finds it. */
export function waitedRunId({ name, sessionKey, id }: Pick<TurnCall, 'name' | 'sessionKey' | 'id'>): string {
  return `${name === 'sessions_spawn' ? 'spawn' : 'send'}:session:${sessionKey}:${id}`
}
