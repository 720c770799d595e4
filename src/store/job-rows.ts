// What the store's reads answer of jobs and their ledger. Part of the port, which names them too.
import type { Job, JobMaker, OccurrenceState } from '../protocol/job.ts'

export interface JobRow {
  readonly job: Job
  readonly revision: number
  readonly owner: JobMaker | undefined
}

export interface OccurrenceRow {
  readonly jobId: string
  readonly occurrence: string
  readonly nominalAtMs: number | undefined
  readonly state: OccurrenceState
  readonly claimedAtMs: number
  readonly endedAtMs: number | undefined
  readonly runId: string | undefined
  readonly error: string | undefined
  readonly summary: string | undefined
  /** For a range of instants: the last one and how many. */
  readonly toMs: number | undefined
  readonly count: number
}
