// Jobs that fire after another one (`after`). What they wait for is a row, made in the commit that ends the occurrence of
// the first, and gone with the commit that claims or skips their own: so it is neither lost nor used twice (L3). It
// starts nothing; the scheduler finds such a job due like any other.
import type { Job, OccurrenceState, Schedule } from '../../protocol/job.ts'
import { policyOf } from '../../protocol/job-policy.ts'
import { noFirstJob, waitRefused } from '../first-job.ts'
import { emitCron } from './events.ts'
import { JOB_COLUMNS, type JobColumns, type OccurrenceColumns, toJob } from './rows.ts'
import type { Tx } from './tx.ts'

const WAITING = `SELECT ${JOB_COLUMNS} FROM jobs
  WHERE kind = 'after' AND json_extract(body, '$.schedule.job') = ? AND enabled = 1 ORDER BY rowid`
const FIND_SCHEDULE = `SELECT json_extract(body, '$.name') AS name, json_extract(body, '$.agentId') AS agent,
    json_extract(body, '$.schedule.job') AS first FROM jobs WHERE id = ?`
const INSERT = 'INSERT OR IGNORE INTO triggers (job_id, occurrence, at_ms, hops) VALUES (?, ?, ?, ?)'
const COUNT = 'SELECT count(*) AS n FROM triggers WHERE job_id = ?'
const TAKE = 'DELETE FROM triggers WHERE job_id = ? AND occurrence = ?'
const DROP = 'DELETE FROM triggers WHERE job_id = ?'
const IS_DUE = `UPDATE jobs SET next_run_at_ms = ifnull(next_run_at_ms, :nowMs), revision = revision + 1
  WHERE id = :id`
const ORPHAN = `UPDATE jobs SET enabled = 0, next_run_at_ms = NULL, revision = revision + 1, paused_because = :why
  WHERE id = :id`

type AfterSchedule = Extract<Schedule, { kind: 'after' }>

const ENDS = {
  ok: ['ok'],
  failed: ['failed', 'timed-out', 'unknown'],
  any: ['ok', 'failed', 'timed-out', 'unknown', 'cancelled'],
} as const satisfies Record<AfterSchedule['on'], readonly OccurrenceState[]>

interface Link {
  readonly name: string
  readonly agent: string | null
  readonly first: string | null
}

/** Refuses a job that waits, also through others, for itself, or for one that is not there. */
export function checkAfter(tx: Tx, job: Job): void {
  if (job.schedule.kind !== 'after') return
  const agent = job.agentId ?? null
  const path = [job.name]
  for (let id: string | null = job.schedule.job; id !== null; ) {
    const isSelf: boolean = id === job.id
    const link: Link | undefined = isSelf ? { name: job.name, agent, first: null } : tx.get<Link>(FIND_SCHEDULE, [id])
    if (!link && path.length === 1 && job.enabled) throw noFirstJob(id)
    if (!link) return
    // Who sees a job is told of no other agent's by its name.
    path.push(link.agent === agent ? link.name : id)
    if (isSelf) {
      const cycle = path.map(name => `"${name}"`).join(', which waits for ')
      throw waitRefused(`this job would wait for itself and never fire: ${cycle}. Let one of them fire by a time`, id)
    }
    id = link.first
  }
}

function waitingFor(tx: Tx, jobId: string): Job[] {
  return tx.all<JobColumns>(WAITING, [jobId]).map(row => toJob(row).job)
}

function pendingCount(tx: Tx, jobId: string): number {
  return tx.get<{ n: number }>(COUNT, [jobId])?.n ?? 0
}

/** To be called in the commit that ends an occurrence: the jobs that wait for such an end are due. */
export function triggerAfter(
  tx: Tx,
  ended: Pick<OccurrenceColumns, 'id' | 'job_id'>,
  { state, nowMs, hops = 0 }: { state: OccurrenceState; nowMs: number; hops: number | undefined },
): void {
  for (const job of waitingFor(tx, ended.job_id)) {
    const { on } = job.schedule as AfterSchedule
    const { startAtMs = nowMs, endAtMs = nowMs, maxRuns = Number.POSITIVE_INFINITY } = policyOf(job)
    const hasRoom = (job.state.runs ?? 0) + pendingCount(tx, job.id) < maxRuns
    if (!ENDS[on].some(end => end === state) || startAtMs > nowMs || endAtMs < nowMs || !hasRoom) continue
    tx.run(INSERT, [job.id, `after:${ended.id}`, nowMs, hops])
    tx.run(IS_DUE, { id: job.id, nowMs })
    emitCron(tx, { jobId: job.id, action: 'updated', nextRunAtMs: job.state.nextRunAtMs ?? nowMs })
  }
}

/** The occurrence is accounted for by its own row now. */
export function takeTrigger(tx: Tx, jobId: string, occurrence: string): void {
  tx.run(TAKE, [jobId, occurrence])
}

export function dropTriggers(tx: Tx, jobId: string): void {
  tx.run(DROP, [jobId])
}

/** Nothing fires such a job any more, but for what has fired already. */
export function isAfterSpent(tx: Tx, job: Job, isThere: (jobId: string) => boolean): boolean {
  const { maxRuns = Number.POSITIVE_INFINITY } = policyOf(job)
  const isOver = (job.state.runs ?? 0) >= maxRuns || !isThere((job.schedule as AfterSchedule).job)
  return isOver && pendingCount(tx, job.id) === 0
}

/** The first is gone: those that wait for it stay, switched off; what is due of them already is still carried out. */
export function orphanAfter(tx: Tx, first: Pick<Job, 'id' | 'name' | 'agentId'>): { id: string; name: string }[] {
  const waiting = waitingFor(tx, first.id)
  for (const { id, state, agentId } of waiting) {
    if (state.nextRunAtMs !== undefined || state.runningAtMs !== undefined) continue
    const name = agentId === first.agentId ? ` "${first.name}"` : ''
    tx.run(ORPHAN, { id, why: `the job${name} that it waits for is gone` })
    emitCron(tx, { jobId: id, action: 'updated' })
  }
  return waiting.map(({ id, name }) => ({ id, name }))
}
