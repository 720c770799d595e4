// Jobs and their occurrences in the port to durable state. Part of port.ts, whose contract holds here too.
import type { Job } from '../protocol/job.ts'
import type { EffectKey } from './effect-key.ts'
import type { JobFilter, JobRow, OccurrenceFilter, OccurrenceRow } from './job-rows.ts'
import type { NewNotice, NewRun } from './new-rows.ts'
import type { Route, RunRow } from './rows.ts'

/** What happens to a job's row beside an occurrence: where its next instant is, or that there is none. */
export interface Advance {
  readonly nextRunAtMs: number | undefined
}

export interface JobWrites {
  /**
   * Adds a job. With `equalKey`, a live job with the same equalKey and owner (T2) is answered instead, `deduplicated`;
   * for `equalWithinMs`, only when that job's instant lies at most so far from this one's. Event `cron added`.
   * `agentJobsMax`, here and below: LIMIT where so many jobs that agents made are on already.
   */
  addJob(args: {
    job: Job
    equalKey: string
    dedupe: boolean
    equalWithinMs?: number
    agentJobsMax?: number
    key?: EffectKey
    nowMs: number
  }): { job: Job; deduplicated: boolean }

  /**
   * Replaces a job whose `revision` still is the expected one, else CONFLICT. Event `cron updated`. As with addJob, one that
   * would wait for itself (`after`), or enabled for a job that is not there, is INVALID_REQUEST, with the cycle in words.
   */
  replaceJob(args: {
    job: Job
    expectedRevision: number
    equalKey: string
    agentJobsMax?: number
    key?: EffectKey
    nowMs: number
  }): Job

  /**
   * Removes a job; its ledger rows stay. Event `cron removed` when there was one. `waiting` are the enabled jobs that fire
   * after it: they stay, disabled with the reason, those last that are due or under way.
   */
  removeJob(args: { jobId: string; key?: EffectKey; nowMs: number }): {
    removed: boolean
    waiting?: { id: string; name: string }[]
  }

  /**
   * Claims one occurrence, or answers why not. In one commit: the ledger row (`running`, or ended at once for a
   * `notice`), the job's next instant, and the run or notice that carries it out; events
   * `cron started` (and `finished`). `already-running`: more than `underWayMax` other occurrences of the job are under way
   * or wait; with `skipWhenRunning` the instant is recorded as skipped and the job advanced. `previous` are the runs of
   * those that were under way when it was claimed. `stale`: the job is gone or changed since `expectedRevision`, or
   * this occurrence exists already (the job is then advanced all the same: its instant is accounted for). A refusal
   * keeps no key. The revision moves with every change of what decides the next instant: replace, advance, disable.
   */
  claimOccurrence(args: {
    jobId: string
    expectedRevision: number
    /** `at:<ms>` for a nominal instant, `after:<ledger id>` as `trigger` says it, else `manual:<request id>`. */
    occurrence: string
    nominalAtMs?: number
    /** Absent for a manual run: the job's next instant stays. */
    advance?: Advance
    /** Where the job's next instant is when this one is skipped; default: as in `advance`. */
    skipAdvance?: Advance
    skipWhenRunning: boolean
    /** Default: 0. */
    underWayMax?: number
    /** The session that hears that the job fails or works again; absent: none. */
    listener?: string
    /** The chat that hears it in its place. */
    alertTo?: Route
    run?: NewRun
    notice?: NewNotice
    /** Turns that led to it, which a notice does not say. */
    hops?: number
    epoch: number
    key?: EffectKey
    nowMs: number
  }):
    | { claimed: true; run?: RunRow; previous?: string[] }
    | { claimed: false; reason: 'already-running' | 'stale'; runId?: string }

  /** Records an unbroken run of instants that did not fire as one ledger row, and advances the job (L3). */
  skipOccurrences(args: {
    jobId: string
    expectedRevision: number
    fromMs: number
    toMs: number
    count: number
    reason: string
    advance: Advance
    /** Where the job's next instant is when the first one is in the ledger already; default: as in `advance`. */
    takenAdvance?: Advance
    nowMs: number
  }): { recorded: boolean }
}

export interface JobReads {
  job(jobId: string): JobRow | undefined
  /** Ordered by next instant (missing = 0), then id; starts after the given row. */
  jobs(page: JobFilter & { limit: number; after?: { nextRunAtMs: number; id: string } }): JobRow[]
  jobCount(filter: JobFilter): number
  /** Enabled jobs whose next instant is at or before `nowMs`, oldest first. */
  dueJobs(nowMs: number, limit: number): JobRow[]
  /** The smallest next instant of all enabled jobs. */
  nextDueAtMs(): number | undefined
  /**
   * The newest `limit` occurrences of a job, or of all, that pass the filter, oldest first by their claim; with `before`,
   * those that come before that row in this order.
   */
  occurrences(jobId: string | undefined, limit: number, filter?: OccurrenceFilter): OccurrenceRow[]
  /** Of a job that fires after another one, the oldest end for which it is due, and how many turns led to that. */
  trigger(jobId: string): { occurrence: string; atMs: number; hops: number } | undefined
  /** When the newest row of the ledger was written. */
  newestOccurrenceMs(): number | undefined
}
