// What the store's reads answer of jobs and their ledger. Part of the port, which names them too.

import type { Job, JobMaker, OccurrenceState } from '../protocol/job.ts'
import type { FailureKind } from './rows.ts'

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
  /** Of one that failed: of which kind; and of one whose run is tried again, when. */
  readonly failure: FailureKind | undefined
  readonly retryAtMs: number | undefined
  readonly summary: string | undefined
  /** For a range of instants: the last one and how many. */
  readonly toMs: number | undefined
  readonly count: number
  /** Its number in the ledger; later rows have higher ones. */
  readonly seq: number
  /** Of the rest: undefined where there was no run, or it has not ended. When its first attempt began. */
  readonly startedAtMs: number | undefined
  readonly attempt: number | undefined
  readonly sessionKey: string | undefined
  /** The model that answered last. */
  readonly model: string | undefined
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
  /** Millionths of a US dollar, as far as its answers had a price. */
  readonly costMicroUsd: number | undefined
  /** Of a command, or of the one that decided that it was skipped. */
  readonly exitCode: number | undefined
  /** By how much its beginning was put off when it was claimed, because others were due at its instant. */
  readonly staggeredMs: number | undefined
  /** What became of the text that it told: the states of its sends, or whether it was shown; undefined: nothing was told. */
  readonly delivery: string | undefined
}

export interface JobFilter {
  readonly includeDisabled: boolean
  readonly madeBy?: JobMaker['kind'] | undefined
}

export interface OccurrenceFilter {
  /** Only what was claimed before the row of this number. */
  readonly before?: number | undefined
  /** By the instant of the claim: from, and before. */
  readonly sinceMs?: number | undefined
  readonly untilMs?: number | undefined
  readonly states?: readonly OccurrenceState[] | undefined
}
