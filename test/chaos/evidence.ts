// What is on the disk of a chaos run's gateway, read by a connection of the parent's own while that gateway lives: the
// checks judge by rows and files, never by what the gateway says of itself. The connection is closed before each kill,
// so that the next start recovers the log alone, as after a power cut.
import { existsSync, readFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { type ChannelId, readSeen, type Seen } from './file-channel.ts'
import { seenFile, stateDirOf } from './signs.ts'

export interface RunEvidence {
  readonly run_id: string
  readonly state: string
  readonly losses: number
  readonly reply: string | null
  readonly error: string | null
  /** The run whose turn took this one's message. */
  readonly merged_into: string | null
}

export interface SendEvidence {
  readonly id: string
  readonly channel_id: ChannelId
  readonly source: string
  readonly state: string
  readonly attempt: number
}

export interface LedgerEvidence {
  readonly job_id: string
  readonly occurrence: string
  readonly nominal_at_ms: number | null
  readonly state: string
  readonly run_id: string | null
  readonly to_ms: number | null
  readonly count: number
}

const QUIET = `SELECT
  (SELECT count(*) FROM runs WHERE state IN ('queued', 'running'))
  + (SELECT count(*) FROM sends WHERE state IN ('queued', 'sending'))
  + (SELECT count(*) FROM occurrences WHERE state = 'running')
  + (SELECT count(*) FROM jobs WHERE kind = 'at' AND next_run_at_ms IS NOT NULL)`

export class Evidence {
  readonly #db: Database.Database
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    this.#db = new Database(`${stateDirOf(folder)}/sluice.db`, { readonly: true, fileMustExist: true })
  }

  close(): void {
    this.#db.close()
  }

  /** No turn, send, occurrence or one-shot is left to be carried out. */
  quiet(): boolean {
    return this.#db.prepare(QUIET).pluck().get() === 0
  }

  all<R>(sql: string, ...params: readonly unknown[]): R[] {
    return this.#db.prepare(sql).all(...params) as R[]
  }

  /** Names that a query answers and that should not be there. */
  names(sql: string): string[] {
    return this.#db.prepare(sql).pluck().all().map(String)
  }

  number(sql: string, ...params: readonly unknown[]): number {
    return Number(
      this.#db
        .prepare(sql)
        .pluck()
        .get(...params),
    )
  }

  run(runId: string): RunEvidence | undefined {
    return this.all<RunEvidence>(
      'SELECT run_id, state, losses, reply, error, merged_into FROM runs WHERE run_id = ?',
      runId,
    )[0]
  }

  /** The run that answers another's message: that one, or the one whose turn took it. */
  answering(runId: string): RunEvidence | undefined {
    const run = this.run(runId)
    return run && run.merged_into !== null ? this.run(run.merged_into) : run
  }

  /** How the calls that name an effect's line ended; a call without a result has none. */
  callsOf(line: string): { failed: number | null }[] {
    return this.all(
      `SELECT json_extract(x.body, '$.isError') AS failed FROM entries m, json_each(m.body, '$.calls') c
        LEFT JOIN entries x ON x.answers_entry = m.id AND x.answers_ordinal = c.key
        WHERE m.kind = 'message' AND instr(c.value, ?) > 0`,
      `"${line}"`,
    )
  }

  sends(): SendEvidence[] {
    return this.all('SELECT id, channel_id, source, state, attempt FROM sends ORDER BY seq')
  }

  ledger(jobId: string): LedgerEvidence[] {
    return this.all('SELECT * FROM occurrences WHERE job_id = ? ORDER BY nominal_at_ms, id', jobId)
  }

  seen(channel: ChannelId): Seen[] {
    return readSeen(seenFile(this.#folder, channel))
  }

  /** The lines that effects have left, in order. */
  effects(): string[] {
    const file = effectsFile(this.#folder)
    return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : []
  }

  sound(): string {
    return String(this.#db.pragma('quick_check(1)', { simple: true }))
  }
}

export const effectsFile = (folder: string) => `${folder}/effects`

export function repeated(names: readonly string[]): string[] {
  const known = new Set<string>()
  return names.filter(name => known.size === known.add(name).size)
}
