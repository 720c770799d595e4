// Jobs: added, replaced, removed, with equal jobs made one (T2). It computes no instants: where a job's next one lies
// is the scheduler's to say, and comes in with the job.
import { isDeepStrictEqual } from 'node:util'
import { SluiceError } from '../../base/errors.ts'
import type { Job } from '../../protocol/job.ts'
import type { JobRow } from '../port.ts'
import { checkAfter, dropTriggers } from './after-jobs.ts'
import { emitCron } from './events.ts'
import { onceSame } from './keys.ts'
import { deleteJob, findJob } from './ledger.ts'
import { JOB_COLUMNS, type JobColumns, jobBody, ownerOf, toJob } from './rows.ts'
import type { Tx, WriteFunctions } from './tx.ts'

const INSERT = `INSERT INTO jobs (id, body, enabled, kind, at_ms, equal_key, owner, next_run_at_ms,
    last_run_at_ms, last_status, last_error, last_duration_ms)
  VALUES (:id, :body, :enabled, :kind, :atMs, :equalKey, :owner, :nextRunAtMs,
    :lastRunAtMs, :lastStatus, :lastError, :lastDurationMs)`
// What is switched on begins anew: its runs and failures are counted from there.
const BEGINS = 'enabled = 0 AND :enabled = 1'
const REPLACE = `UPDATE jobs SET body = :body, enabled = :enabled, kind = :kind, at_ms = :atMs, equal_key = :equalKey,
  owner = :owner, revision = revision + 1,
  runs = CASE WHEN ${BEGINS} THEN 0 ELSE runs END, failures = CASE WHEN ${BEGINS} THEN 0 ELSE failures END,
  alerted = CASE WHEN ${BEGINS} THEN 0 ELSE alerted END,
  paused_because = CASE WHEN ${BEGINS} THEN NULL ELSE paused_because END,
  next_run_at_ms = CASE WHEN :enabled AND :kind = 'after' THEN (SELECT min(at_ms) FROM triggers WHERE job_id = :id)
    ELSE :nextRunAtMs END
  WHERE id = :id`
// A one-shot without a next instant has fired: the same request again asks for another firing.
const EQUALS = `SELECT ${JOB_COLUMNS}, at_ms FROM jobs
  WHERE enabled = 1 AND equal_key = ? AND owner = ? AND (kind <> 'at' OR next_run_at_ms IS NOT NULL)
  ORDER BY rowid`

const AGENT_JOBS = "SELECT count(*) AS n FROM jobs WHERE maker = 'agent' AND enabled = 1"

function columnsOf(job: Job, equalKey: string) {
  return {
    id: job.id,
    body: jobBody(job),
    enabled: job.enabled ? 1 : 0,
    kind: job.schedule.kind,
    atMs: job.schedule.kind === 'at' ? job.schedule.atMs : null,
    equalKey,
    owner: ownerOf(job),
    // A disabled job has no next instant, whatever its maker computed.
    nextRunAtMs: job.enabled ? (job.state.nextRunAtMs ?? null) : null,
  }
}

function requireJob(tx: Tx, jobId: string): JobRow {
  const found = findJob(tx, jobId)
  if (!found) throw new SluiceError('NOT_FOUND', `There is no job ${jobId}.`, { details: { jobId } })
  return found
}

/** The oldest live job of the same owner that the new one would repeat. */
function findEqual(tx: Tx, wanted: { job: Job; equalKey: string; equalWithinMs?: number }): Job | undefined {
  const { job, equalKey, equalWithinMs } = wanted
  const rows = tx.all<JobColumns & { at_ms: number | null }>(EQUALS, [equalKey, ownerOf(job)])
  const near = (atMs: number | null) => {
    if (equalWithinMs === undefined) return true
    return atMs !== null && job.schedule.kind === 'at' && Math.abs(atMs - job.schedule.atMs) <= equalWithinMs
  }
  const row = rows.find(candidate => near(candidate.at_ms))
  return row && toJob(row).job
}

function insertJob(tx: Tx, job: Job, equalKey: string): Job {
  if (findJob(tx, job.id)) {
    throw new SluiceError('CONFLICT', `The job id ${job.id} is taken. Use a new one for a new job.`, {
      details: { jobId: job.id },
      outcome: 'not-started',
    })
  }
  const { lastRunAtMs, lastStatus, lastError, lastDurationMs } = job.state
  checkAfter(tx, job)
  tx.run(INSERT, {
    ...columnsOf(job, equalKey),
    lastRunAtMs: lastRunAtMs ?? null,
    lastStatus: lastStatus ?? null,
    lastError: lastError ?? null,
    lastDurationMs: lastDurationMs ?? null,
  })
  const added = requireJob(tx, job.id).job
  emitCron(tx, { jobId: job.id, action: 'added', nextRunAtMs: added.state.nextRunAtMs })
  return added
}

function checkRoom(tx: Tx, { job, agentJobsMax }: { job: Job; agentJobsMax?: number }): void {
  if (agentJobsMax === undefined || !job.enabled || job.madeBy?.kind !== 'agent') return
  const { n = 0 } = tx.all<{ n: number }>(AGENT_JOBS, [])[0] ?? {}
  if (n < agentJobsMax) return
  const message = `${n} jobs that agents made are on, and no more may be. Nothing was changed. Remove or switch off some of them (cron list with madeBy "agent" shows them), or have the person add this one.`
  throw new SluiceError('LIMIT', message, { outcome: 'not-started', details: { agentJobsMax } })
}

const addJob: WriteFunctions['addJob'] = (tx, args) =>
  onceSame(tx, args, () => {
    const equal = args.dedupe ? findEqual(tx, args) : undefined
    if (equal) return { job: equal, deduplicated: true }
    checkRoom(tx, args)
    return { job: insertJob(tx, args.job, args.equalKey), deduplicated: false }
  })

const replaceJob: WriteFunctions['replaceJob'] = (tx, args) =>
  onceSame(tx, args, () => {
    const { job, expectedRevision, equalKey } = args
    const { revision, job: before } = requireJob(tx, job.id)
    if (revision !== expectedRevision) {
      throw new SluiceError(
        'CONFLICT',
        `Job ${job.id} was changed by someone else. Read it again and repeat the change.`,
        {
          details: { jobId: job.id, expectedRevision, revision },
          outcome: 'not-started',
        },
      )
    }
    checkRoom(tx, args)
    // What still runs for one that is gone may be renamed meanwhile.
    if (!before.enabled || !isDeepStrictEqual(before.schedule, job.schedule)) checkAfter(tx, job)
    // What is switched on begins anew; what fires by a time waits for no job.
    if (!before.enabled || !job.enabled || job.schedule.kind !== 'after') dropTriggers(tx, job.id)
    tx.run(REPLACE, columnsOf(job, equalKey))
    const replaced = requireJob(tx, job.id).job
    emitCron(tx, { jobId: job.id, action: 'updated', nextRunAtMs: replaced.state.nextRunAtMs })
    return replaced
  })

const removeJob: WriteFunctions['removeJob'] = (tx, args) =>
  onceSame(tx, args, () => {
    const waiting = deleteJob(tx, args.jobId)
    return { removed: waiting !== undefined, ...(waiting?.length && { waiting }) }
  })

export const jobWrites = { addJob, replaceJob, removeJob }
