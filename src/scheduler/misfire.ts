// What to do with a job that is due: fire its instant, or first record those that passed while nobody fired them as one
// ledger row (L3). How many are made up is the job's policy. Pure; the timer asks before it claims.
import { formatDuration } from '../base/durations.ts'
import { CATCH_UP_MAX, ON_TIME_MS, type Policy, policyOf } from '../protocol/job-policy.ts'
import { afterRun, delayMs, nextDue, type TimedJob } from './job-times.ts'

export type Due =
  /** `nextMs` once it has fired, `skippedMs` when it turns out that it must be skipped; undefined: never again. */
  | {
      readonly kind: 'fire'
      readonly dueMs: number
      readonly nominalMs: number
      readonly nextMs: number | undefined
      readonly skippedMs: number | undefined
    }
  /** An unbroken run of nominal instants, and the next due one. */
  | {
      readonly kind: 'missed'
      readonly fromMs: number
      readonly toMs: number
      readonly count: number
      readonly reason: string
      readonly nextMs: number | undefined
    }

/** Instants of one job that are walked one by one; of a longer run each part is a row. */
export const MISSED_WALK_MAX = 10_000

interface Passed {
  readonly count: number
  /** The due instant at an index, oldest first. */
  readonly at: (index: number) => number
  /** There are more, which were not looked at. */
  readonly more: boolean
}

/** `dueMs` is the persisted next instant, at or before `nowMs`. */
export function decideDue(job: TimedJob, { dueMs, nowMs }: { dueMs: number; nowMs: number }, zone: string): Due {
  const passed = passedInstants(job, { dueMs, nowMs }, zone)
  const policy = policyOf(job)
  const first = firstToFire(passed, policy, nowMs)
  const delay = delayMs(job)
  if (first === 0) {
    const nextMs = nextDue(afterRun(job), dueMs, zone)
    return { kind: 'fire', dueMs, nominalMs: dueMs - delay, nextMs, skippedMs: nextDue(job, dueMs, zone) }
  }
  const lastMs = passed.at(first - 1)
  return {
    kind: 'missed',
    fromMs: dueMs - delay,
    toMs: lastMs - delay,
    count: first,
    reason: missedReason(policy),
    nextMs: first < passed.count ? passed.at(first) : nextDue(job, lastMs, zone),
  }
}

function missedReason({ catchUp, catchUpWindowMs }: Policy): string {
  const which = { skip: 'none', latest: 'the latest', all: `the latest ${CATCH_UP_MAX}` }[catchUp]
  const late =
    catchUp === 'skip' || catchUpWindowMs === undefined ? '' : `, at most ${formatDuration(catchUpWindowMs)} late`
  return `missed: the gateway did not run; of what it misses this job makes up ${which}${late}`
}

function passedInstants(job: TimedJob, { dueMs, nowMs }: { dueMs: number; nowMs: number }, zone: string): Passed {
  const { schedule } = job
  if (schedule.kind === 'every' && !schedule.between) {
    const { endAtMs = Number.POSITIVE_INFINITY } = policyOf(job)
    const lastMs = Math.min(nowMs, endAtMs + delayMs(job))
    const count = Math.max(0, Math.floor((lastMs - dueMs) / schedule.everyMs)) + 1
    return { count, at: index => dueMs + index * schedule.everyMs, more: false }
  }
  const instants = [dueMs]
  while (instants.length <= MISSED_WALK_MAX) {
    const next = nextDue(job, instants.at(-1) as number, zone)
    if (next === undefined || next > nowMs) return { count: instants.length, at: at(instants), more: false }
    instants.push(next)
  }
  return { count: instants.length, at: at(instants), more: true }
}

const at = (instants: readonly number[]) => (index: number) => instants[index] as number

/** The index of the oldest instant that fires; `count` when none does. What is on time always fires. */
function firstToFire({ count, at: dueAt, more }: Passed, policy: Policy, nowMs: number): number {
  if (more) return count
  const countMax = policy.catchUp === 'all' ? CATCH_UP_MAX : 1
  const windowMs = policy.catchUp === 'skip' ? 0 : (policy.catchUpWindowMs ?? Number.POSITIVE_INFINITY)
  const lateMsMax = Math.max(windowMs, ON_TIME_MS)
  let first = count
  while (first > 0 && count - first < countMax && nowMs - dueAt(first - 1) <= lateMsMax) first -= 1
  return first
}
