// Which jobs a turn is shown and may touch, where there are several agents: those of its own agent, and of agents that it
// may talk with or hand work to. Who calls from outside a turn is not judged here.
import type { Caller } from '../dispatch/caller.ts'
import type { Job } from '../protocol/job.ts'
import { canonicalSession } from '../sessions/session-key.ts'
import { noFirstJob } from '../store/first-job.ts'
import type { JobFilter } from '../store/job-rows.ts'
import type { OccurrenceRow } from '../store/port.ts'
import { agentNamed, checkHandOn, mayHandOn, mayTalk } from './agents.ts'
import type { MethodParts } from './parts.ts'

/** Jobs, or rows of the ledger, that are read at once. */
export const PAGE_ROWS = 500

export function maySeeJob(parts: MethodParts, { turn }: Caller, job: Pick<Job, 'agentId'>): boolean {
  if (!turn) return true
  const agentId = agentNamed(parts, job.agentId, undefined)
  const settings = parts.settings()
  return mayHandOn(settings, turn.agentId, agentId) || mayTalk(settings, turn.agentId, agentId)
}

/** Whether the jobs of every agent are shown; then nothing has to be looked at one by one. */
export function seesAllJobs(parts: MethodParts, caller: Caller): boolean {
  return parts.settings().agents.every(({ id }) => maySeeJob(parts, caller, { agentId: id }))
}

/** Of a job that is gone, its session tells whose it was; a text had none, and is shown to who knows the job's id. */
export function maySeeRow(
  parts: MethodParts,
  caller: Caller,
  { row, jobId }: { row: OccurrenceRow; jobId: string | undefined },
): boolean {
  const { sessionKey } = row
  const gone = sessionKey === undefined ? undefined : canonicalSession(sessionKey, parts.settings().defaultAgent)
  const job = parts.store.read.job(row.jobId)?.job ?? gone
  return job ? maySeeJob(parts, caller, job) : jobId !== undefined
}

/** Throws where a turn would run or remove a job of an agent that its own may not hand work to. */
export function checkHold(parts: MethodParts, { turn }: Caller, jobId: string): void {
  const job = turn && parts.store.read.job(jobId)?.job
  if (job) checkHandOn(parts, turn, agentNamed(parts, job.agentId, undefined))
}

/** One that is not there is no secret. */
export function seesJob(parts: MethodParts, caller: Caller, jobId: string): boolean {
  const first = parts.store.read.job(jobId)?.job
  return !first || maySeeJob(parts, caller, first)
}

/** Throws where a turn would have a job fire after one that it is not shown, as if that were not there. */
export function checkFirst(
  parts: MethodParts,
  caller: Caller,
  { schedule, enabled }: Pick<Job, 'schedule' | 'enabled'>,
) {
  if (schedule.kind === 'after' && enabled && !seesJob(parts, caller, schedule.job)) throw noFirstJob(schedule.job)
}

/** What a caller is told of the name of a job that it may not see: nothing but its id. */
export function jobNameFor(parts: MethodParts, caller: Caller, jobId: string): string {
  return seesJob(parts, caller, jobId) ? (parts.store.read.job(jobId)?.job.name ?? jobId) : jobId
}

export async function jobCountFor(parts: MethodParts, caller: Caller): Promise<number> {
  const filter = { includeDisabled: true }
  if (seesAllJobs(parts, caller)) return parts.store.read.jobCount(filter)
  return (await jobsSeen(parts, caller, { ...filter, limit: 0 })).total
}

function isNamed({ id, name }: Job, named: string): boolean {
  return name.toLowerCase() === named.toLowerCase() || id.startsWith(named)
}

/** The first jobs that the caller is shown, and how many these are of all: each page is looked through. */
export async function jobsSeen(
  parts: MethodParts,
  caller: Caller,
  { limit, named, ...filter }: JobFilter & { limit: number; named?: string | undefined },
) {
  const seen = { jobs: [] as Job[], total: 0 }
  for (let last: Job | undefined, full = true; full; ) {
    const after = last && { nextRunAtMs: last.state.nextRunAtMs ?? 0, id: last.id }
    const page = await parts.store.readLarge.jobs({ ...filter, limit: PAGE_ROWS, ...(after && { after }) })
    const jobs = page.map(({ job }) => job)
    const own = jobs.filter(job => maySeeJob(parts, caller, job) && (named === undefined || isNamed(job, named)))
    seen.jobs.push(...own.slice(0, limit - seen.jobs.length))
    seen.total += own.length
    last = jobs.at(-1)
    full = jobs.length === PAGE_ROWS
  }
  return seen
}
