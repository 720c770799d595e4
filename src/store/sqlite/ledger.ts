// What the ledger and a job's row do together: an occurrence ends, an instant is skipped, a job moves on. Both writers of
// runs and of occurrences use it, so that one-shots are settled in one place only: never left due, never fired twice.
import type { OccurrenceState } from '../../protocol/job.ts'
import { policyOf } from '../../protocol/job-policy.ts'
import { outageStep, outageWords, type RunOutcome } from '../job-outage.ts'
import type { Advance, JobRow, NewRun } from '../port.ts'
import type { FailureKind, Route, RunRow } from '../rows.ts'
import { dropTriggers, isAfterSpent, orphanAfter, triggerAfter } from './after-jobs.ts'
import { emitCron } from './events.ts'
import { fromJson } from './failures.ts'
import { JOB_COLUMNS, type JobColumns, type OccurrenceColumns, toJob } from './rows.ts'
import type { Tx } from './tx.ts'
import { agentOf, writeNotice } from './writes-sessions.ts'

/** How much of a reply the ledger and `cron finished` carry, in UTF-16 units. */
const SUMMARY_LENGTH_MAX = 2_000
/** Said of work whose end nobody saw. */
const LOST = 'the gateway stopped before this ended; whether it took effect is unknown'

const FIND_JOB = `SELECT ${JOB_COLUMNS} FROM jobs WHERE id = ?`
const FIND_OCCURRENCE = 'SELECT * FROM occurrences WHERE job_id = ? AND occurrence = ?'
const FINISH = `UPDATE occurrences SET state = :state, error = :error, summary = :summary, failure = :failure, exit_code = :exitCode,
  ended_at_ms = :nowMs
  WHERE id = :id`
const NOTE_ATTEMPT = `UPDATE occurrences SET attempt = :attempt, started_at_ms = :startedAtMs
  WHERE job_id = :jobId AND occurrence = :occurrence AND state = 'running'`
// What the run's row and its usage say is kept with the ledger, which outlives them.
const KEEP_RUN = `UPDATE occurrences SET (started_at_ms, attempt) = (SELECT started_at_ms, attempt FROM runs WHERE run_id = :runId),
  (model, input_tokens, output_tokens, cost_micro_usd) = (SELECT max(model), sum(input_tokens), sum(output_tokens),
    sum(cost_micro_usd) FROM usage WHERE scope = :scope)
  WHERE id = :id`
const LAST_RUN = `UPDATE jobs SET last_run_at_ms = :runAtMs, last_status = :status, last_error = :error,
  last_duration_ms = :durationMs WHERE id = :jobId`
const HAND_ON = `UPDATE occurrences SET run_id = :runId, session_key = :sessionKey, text_id = :runId
  WHERE job_id = :jobId AND occurrence = :occurrence`
const LAST_SKIP = "UPDATE jobs SET last_status = 'skipped', last_error = ? WHERE id = ?"
// Every change of what the scheduler reads moves the revision, so that nobody writes over an instant that has passed.
const ADVANCE = `UPDATE jobs SET next_run_at_ms = CASE WHEN NOT enabled THEN NULL
  WHEN kind = 'after' THEN (SELECT min(at_ms) FROM triggers WHERE job_id = :jobId) ELSE :nextRunAtMs END, revision = revision + 1
  WHERE id = :jobId`
const OUTAGE = 'UPDATE jobs SET failures = :failures, alerted = :alerted WHERE id = :jobId'
const PAUSE = 'UPDATE jobs SET paused_because = ? WHERE id = ?'
const UNDER_WAY = "SELECT 1 FROM occurrences WHERE job_id = ? AND state = 'running' LIMIT 1"
const DISABLE = 'UPDATE jobs SET enabled = 0, next_run_at_ms = NULL, revision = revision + 1 WHERE id = ?'
const DELETE = 'DELETE FROM jobs WHERE id = ?'
const INSERT_SKIP = `INSERT INTO occurrences
  (job_id, occurrence, nominal_at_ms, state, claimed_at_ms, ended_at_ms, error, to_ms, count, epoch)
  VALUES (:jobId, :occurrence, :fromMs, 'skipped', :nowMs, :nowMs, :reason, :toMs, :count, :epoch)`
const LOST_OCCURRENCES = "SELECT * FROM occurrences WHERE state = 'running' AND run_id IS NULL AND epoch < ?"

export function findJob(tx: Tx, jobId: string): JobRow | undefined {
  const row = tx.get<JobColumns>(FIND_JOB, [jobId])
  return row && toJob(row)
}

export function findOccurrence(tx: Tx, jobId: string, occurrence: string): OccurrenceColumns | undefined {
  return tx.get<OccurrenceColumns>(FIND_OCCURRENCE, [jobId, occurrence])
}

/** Answers the jobs that waited for it; undefined when there was none. */
export function deleteJob(tx: Tx, jobId: string): ReturnType<typeof orphanAfter> | undefined {
  const found = findJob(tx, jobId)
  if (!found) return undefined
  tx.run(DELETE, [jobId])
  dropTriggers(tx, jobId)
  emitCron(tx, { jobId, action: 'removed' })
  return orphanAfter(tx, found.job)
}

export function advanceJob(tx: Tx, jobId: string, { nextRunAtMs }: Advance): void {
  tx.run(ADVANCE, { jobId, nextRunAtMs: nextRunAtMs ?? null })
}

/** A job that will never fall due again, and of which nothing is under way. */
function isSpent(tx: Tx, { job }: JobRow): boolean {
  if (!job.enabled || job.state.nextRunAtMs !== undefined || tx.get(UNDER_WAY, [job.id])) return false
  return job.schedule.kind !== 'after' || isAfterSpent(tx, job, first => findJob(tx, first) !== undefined)
}

function failureOf({ state, failure = 'permanent' }: Finish): FailureKind | null {
  return state === 'failed' ? failure : null
}

export interface Finish {
  readonly jobId: string | undefined
  readonly occurrence: string | undefined
  /** `skipped`: a command decided so; `error` is the reason. */
  readonly state: Exclude<OccurrenceState, 'running'>
  readonly error?: string | undefined
  /** Of a failed one; absent: `permanent`. */
  readonly failure?: FailureKind | undefined
  readonly summary?: string | undefined
  readonly exitCode?: number | undefined
  /** Turns that led to it; absent: none. */
  readonly hops?: number | undefined
  readonly nowMs: number
}

/**
 * Ends a running occurrence, if the given run or claim has one: ledger row, the job's last-run fields, what its chat hears
 * of an outage, `cron finished`. A spent job is then removed (went ok, deleteAfterRun) or disabled, whatever its end: it
 * must not fire again.
 */
export function finishOccurrence(tx: Tx, finish: Finish): void {
  const { jobId, occurrence, state, nowMs } = finish
  if (jobId === undefined || occurrence === undefined) return
  const row = findOccurrence(tx, jobId, occurrence)
  if (row?.state !== 'running') return
  const ended = writeEnd(tx, row, finish)
  if (state !== 'skipped') {
    noteOutage(tx, row, { state, error: ended.error, nowMs })
    triggerAfter(tx, row, { state, nowMs, hops: finish.hops })
  }
  const found = findJob(tx, jobId)
  emitCron(tx, { jobId, action: 'finished', ...ended, nextRunAtMs: found?.job.state.nextRunAtMs })
  if (!found || !isSpent(tx, found)) return
  if (ended.status === 'ok' && found.job.deleteAfterRun) deleteJob(tx, jobId)
  else tx.run(DISABLE, [jobId])
}

/** The ledger row and the job's last-run fields. */
function writeEnd(tx: Tx, row: OccurrenceColumns, finish: Finish) {
  const { state, exitCode = null, nowMs } = finish
  const status = state === 'ok' || state === 'skipped' ? state : 'error'
  const error = status === 'ok' ? undefined : (finish.error ?? state)
  const summary = finish.summary?.slice(0, SUMMARY_LENGTH_MAX)
  const runAtMs = row.claimed_at_ms
  const durationMs = Math.max(0, nowMs - runAtMs)
  const said = { error: error ?? null, summary: summary ?? null, failure: failureOf(finish), exitCode }
  tx.run(FINISH, { id: row.id, state, nowMs, ...said })
  if (row.run_id !== null) tx.run(KEEP_RUN, { id: row.id, runId: row.run_id, scope: `run:${row.run_id}` })
  tx.run(LAST_RUN, { jobId: row.job_id, runAtMs, status, durationMs, error: error ?? null })
  return { runAtMs, durationMs, status, error, summary } as const
}

/** A run that has ended was only the first step of its occurrence: the next one carries it on. */
export function handOn(tx: Tx, { jobId, occurrence }: RunRow, { runId, sessionKey }: NewRun): void {
  tx.run(HAND_ON, { jobId: jobId ?? null, occurrence: occurrence ?? null, runId, sessionKey })
}

/** Of an occurrence that is tried again: the attempt that failed, or that is under way. */
export function noteAttempt(tx: Tx, { jobId, occurrence, attempt, startedAtMs = 0 }: RunRow): void {
  if (jobId === undefined || occurrence === undefined) return
  tx.run(NOTE_ATTEMPT, { jobId, occurrence, attempt, startedAtMs })
}

/** Counts failures in a row, tells the job's chat of the first and of the recovery, and switches the job off. */
function noteOutage(
  tx: Tx,
  row: OccurrenceColumns,
  { state, error, nowMs }: Pick<Finish, 'error' | 'nowMs'> & { state: RunOutcome },
): void {
  const columns = tx.get<JobColumns>(FIND_JOB, [row.job_id])
  if (!columns) return
  const { job } = toJob(columns)
  const before = { enabled: job.enabled, failures: columns.failures, alerted: columns.alerted === 1 }
  const step = outageStep(before, state, policyOf(job))
  if (step.failures !== before.failures || step.alerted !== before.alerted) {
    tx.run(OUTAGE, { jobId: job.id, failures: step.failures, alerted: step.alerted ? 1 : 0 })
  }
  if (step.pause) {
    tx.run(DISABLE, [job.id])
    tx.run(PAUSE, [`it failed ${step.failures} times in a row`, job.id])
  }
  if (step.tell === undefined || row.listener === null) return
  const [sessionKey, agentId] = [row.listener, agentOf(row.listener)]
  const failures = step.tell === 'recovered' ? before.failures : step.failures
  const text = outageWords(job, { tell: step.tell, failures, error: error ?? state })
  const id = `outage:${job.id}:${row.occurrence}`
  const to = row.alert_to === null ? {} : { to: fromJson(row.alert_to) as Route }
  writeNotice(tx, { id, ...to, sessionKey, agentId, text, source: 'job', jobId: job.id, atMs: nowMs }, nowMs)
}

export interface Skip {
  readonly jobId: string
  readonly occurrence: string
  readonly fromMs: number | undefined
  /** Absent for a single instant. */
  readonly toMs?: number
  readonly count: number
  readonly reason: string
  readonly advance?: Advance | undefined
  readonly nowMs: number
}

/** Records instants that did not fire as one row, moves the job on, and says so. A spent one-shot is disabled. */
export function recordSkip(tx: Tx, skip: Skip): void {
  const { jobId, occurrence, count, reason, nowMs } = skip
  const span = { fromMs: skip.fromMs ?? null, toMs: skip.toMs ?? null }
  tx.run(INSERT_SKIP, { jobId, occurrence, ...span, count, reason, nowMs, epoch: tx.epoch })
  tx.run(LAST_SKIP, [reason, jobId])
  if (skip.advance) advanceJob(tx, jobId, skip.advance)
  const found = findJob(tx, jobId)
  const nextRunAtMs = found?.job.state.nextRunAtMs
  emitCron(tx, {
    jobId,
    action: 'finished',
    runAtMs: nowMs,
    durationMs: 0,
    status: 'skipped',
    error: reason,
    nextRunAtMs,
  })
  if (found && skip.advance && isSpent(tx, found)) tx.run(DISABLE, [jobId])
}

/** Ends what an earlier boot left running without a run to take it up: nobody can say how it went. */
export function loseOccurrences(tx: Tx, { epoch, nowMs }: { epoch: number; nowMs: number }): void {
  for (const row of tx.all<OccurrenceColumns>(LOST_OCCURRENCES, [epoch])) {
    finishOccurrence(tx, { jobId: row.job_id, occurrence: row.occurrence, state: 'unknown', error: LOST, nowMs })
  }
}
