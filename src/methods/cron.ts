// Handlers of the scheduler's methods. A job is validated whole before anything is written; a refused change changes
// nothing; reads take no lock, because there is none (W3).
import { createHash } from 'node:crypto'
import { MINUTE } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import { laneNode } from '../coordination/lanes.ts'
import type { Caller, TurnCaller } from '../dispatch/caller.ts'
import type { Call, CallKey, Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import { refusedAt } from '../protocol/error-codes.ts'
import type { Job, JobInput } from '../protocol/job.ts'
import { applyJobPatch, checkPairing } from '../protocol/job-leniency.ts'
import { policyOf } from '../protocol/job-policy.ts'
import { type CRON_METHODS, JOBS_LISTED_MAX } from '../protocol/methods/cron.ts'
import { nextRunId } from '../scheduler/commands.ts'
import { refuseFasterJob } from '../scheduler/job-pace.ts'
import { delayMs, nextDue, nextDues } from '../scheduler/job-times.ts'
import { validateSchedule } from '../scheduler/next-occurrence.ts'
import type { RunNow } from '../scheduler/scheduler.ts'
import { staggerOf } from '../scheduler/stagger.ts'
import { jobSession, MAIN_KEY } from '../sessions/session-key.ts'
import type { JobFilter } from '../store/job-rows.ts'
import type { JobRow, WriteValue } from '../store/port.ts'
import { scheduleInWords, zoneOfSchedule } from '../words/describe.ts'
import { agentNamed, checkHandOn, isAgent, sessionNamed, unknownAgent } from './agents.ts'
import { clockBehind } from './gateway.ts'
import { checkCommands, deliveryOf, warningsOf, withToolsOf } from './job-checks.ts'
import { ledgerPage } from './job-ledger.ts'
import {
  checkFirst,
  checkHold,
  jobCountFor,
  jobNameFor,
  jobsSeen,
  maySeeJob,
  PAGE_ROWS,
  seesAllJobs,
  seesJob,
} from './job-reach.ts'
import type { MethodParts } from './parts.ts'
import { hopAfter, waitForRun } from './runs.ts'
import { plainPatch, plainSchedule, previewSchedule } from './spoken-schedule.ts'

/** Relative one-shots with equal text this close are one (T2). */
const EQUAL_WITHIN_MS = MINUTE
/** Jobs that turns made and that are on, of the whole gateway. */
export const AGENT_JOBS_MAX = 500
const RUN_WAIT_MS = 10 * MINUTE

export function cronHandlers(parts: MethodParts): Pick<Handlers, keyof typeof CRON_METHODS> {
  return {
    'cron.list': call => listJobs(parts, call),
    'cron.status': async ({ caller }) => ({
      enabled: parts.scheduler.enabled,
      storePath: `${parts.facts.stateDir}/sluice.db`,
      jobs: await jobCountFor(parts, caller),
      nextWakeAtMs: parts.scheduler.nextWakeAtMs() ?? null,
      zone: parts.facts.zone,
      ...clockBehind(parts),
    }),
    'cron.next': call => {
      const { job } = foundJob(parts, jobIdOf(call.params))
      if (!maySeeJob(parts, call.caller, job)) throw unknownJob(job.id)
      const wanted = { zone: parts.facts.zone, count: call.params.count ?? 3 }
      const times = job.enabled ? nextDues(job, parts.clock.now(), wanted) : []
      const zone = zoneOfSchedule(job.schedule, parts.facts.zone)
      const words = scheduleInWords(job.schedule, zone, jobId => jobNameFor(parts, call.caller, jobId))
      return { delivery: deliveryOf(parts, job), ...warningsOf(parts, job), times, zone, words }
    },
    'cron.preview': call => previewSchedule(parts, call.params),
    'cron.add': call => addJob(parts, call),
    'cron.update': call => updateJob(parts, call),
    'cron.remove': async call => {
      checkHold(parts, call.caller, jobIdOf(call.params))
      const { value } = await parts.store.write.removeJob(
        { jobId: jobIdOf(call.params), ...keyed(call.key), nowMs: parts.clock.now() },
        { signal: call.signal },
      )
      parts.scheduler.poke()
      const { waiting, ...removed } = value
      const named = waiting?.filter(({ id }) => seesJob(parts, call.caller, id))
      return { ok: true, ...removed, ...(named?.length && { waiting: named }) }
    },
    'cron.run': call => runJob(parts, call),
    'cron.runs': call => ledgerPage(parts, jobIdOf(call.params), call),
    'cron.history': call => ledgerPage(parts, undefined, call),
  }
}

type JobList = Result<'cron.list'>
type JobPage = readonly JobRow[]
/** The answer made of a first page, for as long as the store answers with that same page. */
const listed = new WeakMap<JobPage, { readonly limit: number; readonly staggerMs: number; readonly list: JobList }>()

/** Most lists are asked for again and again, and are the same: they are answered in place. */
function listJobs(parts: MethodParts, { params, caller }: Call<'cron.list'>): JobList | Promise<JobList> {
  if (params.id !== undefined) {
    const job = parts.store.read.job(params.id)?.job
    const jobs = job && maySeeJob(parts, caller, job) ? [shown(parts, job)] : []
    return { jobs, total: jobs.length }
  }
  const filter = { includeDisabled: params.includeDisabled ?? false, madeBy: params.madeBy }
  const limit = params.limit ?? JOBS_LISTED_MAX
  if (params.named !== undefined || !seesAllJobs(parts, caller)) {
    return jobsSeen(parts, caller, { ...filter, named: params.named, limit }).then(({ jobs, total }) => ({
      jobs: jobs.map(job => shown(parts, job)),
      total,
    }))
  }
  const first = parts.store.readLarge.jobs({ ...filter, limit: Math.min(PAGE_ROWS, limit) })
  const known = first instanceof Promise ? undefined : listed.get(first)
  const isSame = known?.limit === limit && known.staggerMs === parts.scheduler.staggerMs
  return isSame ? known.list : listAnew(parts, { filter, limit, page: first })
}

async function listAnew(
  parts: MethodParts,
  { filter, limit, page }: { filter: JobFilter; limit: number; page: JobPage | Promise<JobPage> },
): Promise<JobList> {
  const first = await page
  const list = {
    jobs: await allJobs(parts, { filter, limit, first }),
    total: parts.store.read.jobCount(filter),
  }
  listed.set(first, { limit, staggerMs: parts.scheduler.staggerMs, list })
  return list
}

/** A job as it is shown: with all of its policy that holds. */
function shown<J extends Job>({ scheduler }: MethodParts, job: J): J {
  const staggerMs = staggerOf(job, scheduler.staggerMs)
  return { ...job, policy: { ...policyOf(job), ...(staggerMs !== undefined && { staggerMs }) } }
}

async function allJobs(
  parts: MethodParts,
  wanted: { filter: JobFilter; limit: number; first: JobPage },
): Promise<Job[]> {
  const { filter, limit, first } = wanted
  const jobs = first.map(row => shown(parts, row.job))
  for (let page = first; page.length === PAGE_ROWS && jobs.length < limit; ) {
    const last = jobs.at(-1) as Job
    const after = { nextRunAtMs: last.state.nextRunAtMs ?? 0, id: last.id }
    page = await parts.store.readLarge.jobs({ ...filter, limit: Math.min(PAGE_ROWS, limit - jobs.length), after })
    jobs.push(...page.map(row => shown(parts, row.job)))
  }
  return jobs
}

/** What the first call under this key was answered (T1): a repeat is not judged again, by a later clock or without its job. */
function firstAnswer<T>(parts: MethodParts, key: CallKey | undefined): T | undefined {
  return key && (parts.store.read.firstAnswer(key)?.kept as T | undefined)
}

async function addJob(parts: MethodParts, call: Call<'cron.add'>): Promise<Result<'cron.add'>> {
  const added = firstAnswer<WriteValue<'addJob'>>(parts, call.key) ?? (await addNewJob(parts, call))
  return {
    ...shown(parts, added.job),
    ...warningsOf(parts, added.job),
    ...(added.deduplicated && { deduplicated: true }),
  }
}

async function addNewJob(parts: MethodParts, call: Call<'cron.add'>): Promise<WriteValue<'addJob'>> {
  const { dedupe, allowDuplicate, idempotencyKey: _, schedule, ...rest } = call.params
  const { turn } = call.caller
  const nowMs = parts.clock.now()
  const input = { ...rest, schedule: plainSchedule(schedule, nowMs, parts.facts.zone) }
  checkJob(parts, input, { turn, nowMs })
  const job = withToolsOf(parts, newJob(parts, { input, caller: call.caller, nowMs }), call)
  checkFirst(parts, call.caller, job)
  checkCommands(parts, [job], call.caller)
  refuseIdleJob(job)
  if (turn?.jobId !== undefined) refuseFasterJob(job, nowMs, parts.facts.zone)
  const { value } = await parts.store.write.addJob(
    {
      job,
      equalKey: equalKey(job),
      dedupe: !allowDuplicate && (dedupe ?? turn !== undefined),
      ...(job.schedule.kind === 'at' && { equalWithinMs: EQUAL_WITHIN_MS }),
      ...(turn && { agentJobsMax: AGENT_JOBS_MAX }),
      ...keyed(call.key),
      nowMs,
    },
    { signal: call.signal },
  )
  parts.scheduler.poke()
  return value
}

function newJob(parts: MethodParts, from: { input: JobInput; caller: Caller; nowMs: number }): Job {
  const { input, caller, nowMs } = from
  const { turn } = caller
  const { agentId: rawAgent, sessionKey: rawSession, ...rest } = input
  const agentId = rawAgent ?? turn?.agentId
  const sessionKey =
    rawSession === undefined ? makerSession(parts, turn) : sessionNamed(parts, rawSession, { agentId, caller }).key
  const job: Job = {
    ...rest,
    id: parts.random.uuid(),
    ...(agentId !== undefined && { agentId }),
    ...(sessionKey !== undefined && { sessionKey }),
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    state: {},
    madeBy: turn ? { kind: 'agent', sessionKey: turn.sessionKey, runId: turn.runId } : { kind: 'operator' },
  }
  return withNextRun(parts, job, nowMs)
}

/** The session that hears of a job: the turn's own; a job made by a job's turn reports where that job does. */
function makerSession(parts: MethodParts, turn: TurnCaller | undefined): string | undefined {
  if (turn?.jobId === undefined) return turn?.sessionKey
  const parent = parts.store.read.job(turn.jobId)?.job
  return parent ? parent.sessionKey : turn.sessionKey
}

async function updateJob(parts: MethodParts, call: Call<'cron.update'>): Promise<Result<'cron.update'>> {
  const first = firstAnswer<Job>(parts, call.key)
  const updated = first ?? (await replaceJob(parts, call))
  return { ...shown(parts, updated), ...warningsOf(parts, updated) }
}

async function replaceJob(parts: MethodParts, call: Call<'cron.update'>): Promise<Job> {
  const patch = plainPatch(call.params.patch, parts.clock.now(), parts.facts.zone)
  for (;;) {
    const row = foundJob(parts, jobIdOf(call.params))
    const nowMs = parts.clock.now()
    const job = updatedJob(parts, { patch, caller: call.caller }, { before: row.job, nowMs })
    try {
      const { value } = await parts.store.write.replaceJob(
        {
          ...{ job, expectedRevision: row.revision, equalKey: equalKey(job) },
          // To switch one on is to have one more.
          ...(call.caller.turn && !row.job.enabled && { agentJobsMax: AGENT_JOBS_MAX }),
          ...{ ...keyed(call.key), nowMs },
        },
        { signal: call.signal },
      )
      parts.scheduler.poke()
      return value
    } catch (error) {
      // Somebody else changed the job meanwhile: look again. Each round another writer has succeeded, so this ends.
      const changed = parts.store.read.job(row.job.id)?.revision !== row.revision
      if (!(error instanceof SluiceError && error.code === 'CONFLICT' && changed)) throw error
    }
  }
}

interface Wish {
  readonly patch: ReturnType<typeof plainPatch>
  readonly caller: Caller
}

/** The job as the call wants it; throws where it may not be so. */
function updatedJob(parts: MethodParts, wish: Wish, { before, nowMs }: { before: Job; nowMs: number }): Job {
  const { turn } = wish.caller
  const { schedule, enabled, policy } = wish.patch
  const isTimed = schedule !== undefined || enabled === true || policy !== undefined
  const isOther = enabled === true || wish.patch.payload !== undefined || wish.patch.when !== undefined
  const patched = patchedJob(parts, wish, before)
  if (isOther || turn) checkCommands(parts, [before, patched], wish.caller)
  checkUpdate(parts, { before, after: patched, turn, timedAtMs: isTimed ? nowMs : undefined })
  const begun = before.enabled ? patched : { ...patched, state: begunAnew(patched.state) }
  const changed = { ...begun, updatedAtMs: nowMs }
  const next = isTimed ? keepingDue(before, withNextRun(parts, changed, nowMs), parts.facts.zone) : changed
  const job = withToolsOf(parts, next, wish)
  if (schedule !== undefined || enabled === true) checkFirst(parts, wish.caller, job)
  if (isTimed) refuseIdleJob(job)
  if (isTimed && turn?.jobId !== undefined) refuseFasterJob(job, nowMs, parts.facts.zone)
  return job
}

function patchedJob(parts: MethodParts, { patch: whole, caller }: Wish, job: Job): Job {
  const { sessionKey, ...patch } = whole
  if (sessionKey === undefined) return applyJobPatch(job, patch)
  const { key } = sessionNamed(parts, sessionKey, { agentId: job.agentId, caller })
  return applyJobPatch(job, { ...patch, sessionKey: key })
}

interface Update {
  readonly before: Job
  readonly after: Job
  readonly turn: TurnCaller | undefined
  /** Where when it fires, or whether, is changed. */
  readonly timedAtMs: number | undefined
}

/** A job whose agent is gone can still be renamed or switched off; a turn changes only what its agent may hand on. */
function checkUpdate(parts: MethodParts, { before, after, turn, timedAtMs }: Update): void {
  if (timedAtMs === undefined) checkPairing(after.sessionTarget, after.payload)
  else checkJob(parts, after, { turn, nowMs: timedAtMs })
  const changed = after.agentId === before.agentId ? [] : [after]
  for (const { agentId } of turn ? [before, after] : changed) {
    checkHandOn(parts, turn, agentNamed(parts, agentId, undefined))
  }
}

async function runJob(parts: MethodParts, call: Call<'cron.run'>) {
  const first = firstAnswer<{ runId?: string }>(parts, call.key)
  const ran: RunNow = first ? { ran: true, ...first } : await runIntended(parts, call, jobIdOf(call.params))
  // A turn that finds the job running is told so; to wait for that run is not what it asked for.
  const toldOnly = !ran.ran && call.caller.turn !== undefined
  if (!call.params.wait || toldOnly || ran.runId === undefined) return { ok: true as const, ...ran }
  const end = await waitForOccurrence(parts, call, ran.runId)
  return {
    ok: true as const,
    ...ran,
    status: end?.state ?? 'timeout',
    ...(end?.error !== undefined && { error: end.error }),
  }
}

/** Waits for a run, and where its command decided that the job goes on, for the run that does. */
async function waitForOccurrence(parts: MethodParts, call: Call<'cron.run'>, runId: string) {
  const { timeoutMs = RUN_WAIT_MS } = call.params
  const sinceMs = parts.clock.monotonic()
  const first = await waitForRun(parts, call, { runId, timeoutMs })
  const next = nextRunId(runId)
  if (first?.state !== 'ok' || !parts.store.read.run(next)) return first
  const leftMs = Math.max(0, timeoutMs - (parts.clock.monotonic() - sinceMs))
  return await waitForRun(parts, call, { runId: next, timeoutMs: leftMs })
}

/** A wait that would close a cycle is refused before the run exists: a refusal leaves nothing behind (W4). */
async function runIntended(parts: MethodParts, call: Call<'cron.run'>, jobId: string): Promise<RunNow> {
  const { mode = 'due', wait, timeoutMs = RUN_WAIT_MS } = call.params
  const { turn } = call.caller
  checkHold(parts, call.caller, jobId)
  const { job } = foundJob(parts, jobId)
  // Jobs that run each other come to an end.
  const asked = turn && { parent: turn.runId, hops: hopAfter(parts, turn) }
  const waits =
    wait === true &&
    turn !== undefined &&
    job.state.runningAtMs === undefined &&
    (job.payload.kind !== 'message' || job.when !== undefined)
  const intent = waits ? parts.joins.intend(turn.standing, laneNode(sessionOf(parts, job)), timeoutMs) : undefined
  try {
    return await parts.scheduler.runNow(jobId, { mode, ...keyed(call.key), ...(asked && { asked }) })
  } finally {
    parts.joins.forget(intent)
  }
}

/** Where a job's run will be. */
function sessionOf(parts: MethodParts, job: Job): string {
  const agentId = agentNamed(parts, job.agentId, undefined)
  const { kind } = job.payload
  if (kind === 'agentTurn' || kind === 'command' || job.when) return jobSession(agentId, job.id).key
  return job.sessionKey ?? sessionNamed(parts, MAIN_KEY, { agentId }).key
}

function checkJob(
  parts: MethodParts,
  job: JobInput,
  { turn, nowMs }: { turn: TurnCaller | undefined; nowMs: number },
): void {
  // Refused here, or its runs would have nobody to be carried out by.
  const agentId = agentNamed(parts, job.agentId, turn)
  const settings = parts.settings()
  if (!isAgent(settings, agentId))
    throw refusedAt('/agentId', unknownAgent(settings, agentId).message, settings.defaultAgent)
  checkHandOn(parts, turn, agentId)
  checkPairing(job.sessionTarget, job.payload)
  validateSchedule(job.schedule, parts.facts.zone, nowMs)
}

/** The next instant from now; an `at` that has just passed is due at once. */
function withNextRun(parts: MethodParts, job: Job, nowMs: number): Job {
  const { nextRunAtMs: _, ...state } = job.state
  if (!job.enabled) return { ...job, state }
  const next = nextDue({ ...job, state }, nowMs, parts.facts.zone) ?? justPassed(job)
  return { ...job, state: next === undefined ? state : { ...state, nextRunAtMs: next } }
}

/**
 * As long as the job still has that instant, what was due already stays due, or no row would say what became of it; and what
 * has been told already stays told: a clock that was put back takes a job back only where its times are others.
 */
function keepingDue(before: Job, after: Job, zone: string): Job {
  const dueMs = before.state.nextRunAtMs
  if (!before.enabled || !after.enabled || dueMs === undefined || nextDue(after, dueMs - 1, zone) !== dueMs)
    return after
  const { nextRunAtMs = dueMs } = after.state
  const isBack = nextRunAtMs < dueMs && timesOf(before) === timesOf(after)
  return dueMs <= after.updatedAtMs || isBack ? { ...after, state: { ...after.state, nextRunAtMs: dueMs } } : after
}

function timesOf({ schedule, policy }: Job): string {
  const { startAtMs, jitterMs } = policyOf({ policy })
  return JSON.stringify([schedule, startAtMs, jitterMs])
}

function refuseIdleJob({ enabled, schedule, state }: Job): void {
  if (!enabled || state.nextRunAtMs !== undefined || schedule.kind === 'after') return
  const why =
    'this job never fires: its policy leaves none of the times of its schedule; look at startAtMs, endAtMs and maxRuns in /policy, or add it switched off'
  throw refusedAt('/enabled', why, false)
}

function justPassed({ id, schedule, policy }: Job): number | undefined {
  if (schedule.kind !== 'at') return undefined
  const { startAtMs = 0, endAtMs = schedule.atMs } = policyOf({ policy })
  return schedule.atMs < startAtMs || schedule.atMs > endAtMs ? undefined : schedule.atMs + delayMs({ id, policy })
}

/** What is switched on begins anew; the store does the same to its columns. */
function begunAnew({ runs: _, failures: __, pausedBecause: ___, ...state }: Job['state']): Job['state'] {
  return state
}

/** What makes two jobs equal (T2): everything but what the clock or the gateway supplied. */
function equalKey(job: Job): string {
  const schedule = job.schedule.kind === 'at' ? { kind: 'at' } : withoutAnchor(job.schedule)
  const name = job.name.trim().toLowerCase().replaceAll(/\s+/g, ' ')
  const parts = [
    schedule,
    job.payload,
    job.when ?? null,
    job.sessionTarget,
    job.agentId ?? null,
    job.sessionKey ?? null,
    name,
  ]
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
}

function withoutAnchor(schedule: Exclude<Job['schedule'], { kind: 'at' }>) {
  if (schedule.kind !== 'every') return schedule
  const { anchorMs: _, ...rest } = schedule
  return rest
}

function foundJob(parts: MethodParts, jobId: string): JobRow {
  const row = parts.store.read.job(jobId)
  if (!row) throw unknownJob(jobId)
  return row
}

function unknownJob(jobId: string): SluiceError {
  return new SluiceError('NOT_FOUND', `unknown cron job id: ${jobId}`)
}

function jobIdOf(params: { id?: string | undefined; jobId?: string | undefined }): string {
  return (params.id ?? params.jobId) as string
}

function keyed(key: CallKey | undefined): { key?: CallKey } {
  return key ? { key } : {}
}
