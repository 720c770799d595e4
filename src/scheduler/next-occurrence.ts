// When a schedule fires next, as pure arithmetic from instant to instant, with daylight saving decided for cron: a
// fixed hour fires once a day whatever the clocks do, and what names no hour follows elapsed time. It refuses to read a
// clock and knows nothing of jobs, runs or missed occurrences.
import { DAY, HOUR, MINUTE, SECOND } from '../base/durations.ts'
import {
  formatInstant,
  instantOf,
  isZone,
  nextOffsetChange,
  offsetMs,
  type WallTime,
  wallAsUtc,
  wallTime,
} from '../base/zoned-time.ts'
import { refusedAt } from '../protocol/error-codes.ts'
import type { Schedule } from '../protocol/job.ts'
import { type CronExpression, compileCron, EXPRESSION_EXAMPLE, SEARCH_SPAN } from './cron-expression.ts'

export interface ScheduleContext {
  /** The zone of a cron schedule that names none. */
  readonly zone: string
  /** When the job was made; an interval without an anchor is counted from here. */
  readonly createdAtMs: number
}

/** How late an `at` may be when it arrives: the way from "now" to the gateway takes a moment. */
export const PAST_AT_TOLERANCE = MINUTE

/** The last instant that a Date can hold. */
const INSTANT_MS_MAX = 8.64e15

/**
 * The first instant strictly later than `afterMs` at which the schedule fires; undefined when there is none (for cron:
 * none within eight years).
 *
 * - `at`: its instant, once.
 * - `every`: anchor + k * everyMs; an anchor still to come is itself the first. With `between`: on each of its days
 *   from + k * everyMs up to and including `to`, read on the local clock by the rules of fixed hours.
 * - `cron` with fixed hours (numbers, lists, ranges, steps): a local time that does not exist fires at the first instant
 *   after the gap; all missing times of one gap, and a matching time at its end, are that one firing. A local time that
 *   exists twice fires once, at the first.
 * - `cron` with `*` as hour: every instant whose local reading matches. Clocks that change by an hour do not disturb it;
 *   a reading skipped by the clocks is left out, and one that is repeated fires both times.
 *
 * Throws INVALID_REQUEST for an expression that cannot be read; schedules that passed validateSchedule cannot fail.
 */
export function nextOccurrence(schedule: Schedule, afterMs: number, context: ScheduleContext): number | undefined {
  switch (schedule.kind) {
    case 'at':
      return schedule.atMs > afterMs ? schedule.atMs : undefined
    case 'every':
      return schedule.between
        ? nextBetween(schedule.everyMs, schedule.between, { afterMs, zone: schedule.tz ?? context.zone })
        : nextOfInterval(schedule.everyMs, schedule.anchorMs ?? context.createdAtMs, afterMs)
    case 'after':
      // The end of another job's run is no instant that could be known before.
      return undefined
    case 'cron': {
      const expression = compileCron(schedule.expr)
      const zone = schedule.tz ?? context.zone
      return expression.namesHours
        ? nextOfFixedHours(expression, afterMs, zone)
        : nextOfElapsedTime(expression, afterMs, zone)
    }
  }
}

/** The next occurrences in order, at most `count`; fewer when the schedule ends. */
export function* nextOccurrences(
  schedule: Schedule,
  afterMs: number,
  { count, ...context }: ScheduleContext & { readonly count: number },
): Generator<number, void> {
  let after = afterMs
  for (let i = 0; i < count; i++) {
    const next = nextOccurrence(schedule, after, context)
    if (next === undefined) return
    yield next
    after = next
  }
}

function nextOfInterval(everyMs: number, anchorMs: number, afterMs: number): number | undefined {
  if (anchorMs > afterMs) return anchorMs
  const next = anchorMs + (Math.floor((afterMs - anchorMs) / everyMs) + 1) * everyMs
  return next <= INSTANT_MS_MAX ? next : undefined
}

type Between = NonNullable<Extract<Schedule, { kind: 'every' }>['between']>

function nextBetween(
  everyMs: number,
  { from, to, weekdays }: Between,
  { afterMs, zone }: { afterMs: number; zone: string },
): number | undefined {
  const today = Math.floor((afterMs + offsetMs(afterMs, zone)) / DAY)
  // A week on it is the same day again, whose times may all have passed or be at the end of one gap.
  for (let day = today; day <= today + 8; day++) {
    if (weekdays && !weekdays.includes((((day + 4) % 7) + 7) % 7)) continue
    for (let ofDayMs = minuteOf(from) * MINUTE; ofDayMs <= minuteOf(to) * MINUTE; ofDayMs += everyMs) {
      const instantMs = instantOf(wallTime(day * DAY + ofDayMs, 'UTC'), zone).instantMs
      if (instantMs > afterMs) return instantMs
    }
  }
  return undefined
}

/** `08:30` is 510. */
function minuteOf(time: string): number {
  const [hour = 0, minute = 0] = time.split(':').map(Number)
  return hour * 60 + minute
}

function nextOfFixedHours(expression: CronExpression, afterMs: number, zone: string): number | undefined {
  const nextMs = firstInstantOf(expression.nextWall(afterMs + offsetMs(afterMs, zone)), zone)
  if (nextMs === undefined || nextMs > afterMs) return nextMs
  // We are in the second pass of a repeated hour, whose readings have all been: go on from where the first pass ended.
  const changeMs = nextOffsetChange(afterMs - DAY, afterMs, zone)
  if (changeMs === undefined) throw new Error(`a reading repeats at ${afterMs} in ${zone} without a change of offset`)
  const endOfPassMs = changeMs - SECOND
  return firstInstantOf(expression.nextWall(endOfPassMs + offsetMs(endOfPassMs, zone)), zone)
}

function firstInstantOf(wall: WallTime | undefined, zone: string): number | undefined {
  return wall && instantOf(wall, zone).instantMs
}

/** Searches one stretch of constant offset after the other; within one, readings and instants run alike. */
function nextOfElapsedTime(expression: CronExpression, afterMs: number, zone: string): number | undefined {
  let stretchMs = afterMs
  let wallMs = afterMs + offsetMs(afterMs, zone)
  while (stretchMs - afterMs <= SEARCH_SPAN) {
    const wall = expression.nextWall(wallMs)
    if (!wall) return undefined
    const offset = offsetMs(stretchMs, zone)
    const instantMs = wallAsUtc(wall) - offset
    const changeMs = nextOffsetChange(stretchMs, instantMs, zone)
    if (changeMs === undefined) return instantMs
    stretchMs = changeMs
    // One second early, because the instant of the change itself may match.
    wallMs = changeMs + offsetMs(changeMs, zone) - SECOND
  }
  return undefined
}

/**
 * Refuses, with INVALID_REQUEST, a schedule that would never do what its maker expects: an expression or zone that
 * cannot be read, one that never fires, a one-shot in the past.
 */
export function validateSchedule(schedule: Schedule, zone: string, nowMs: number): void {
  if (schedule.kind === 'after') return
  if (schedule.kind === 'cron') compileCron(schedule.expr)
  if (schedule.kind === 'every') checkBetween(schedule)
  const ownZone = (schedule.kind === 'at' ? undefined : schedule.tz) ?? zone
  if (!isZone(ownZone)) {
    throw refusedAt('/schedule/tz', `RangeError: Invalid time zone specified: ${ownZone}`, 'Europe/Berlin')
  }
  if (schedule.kind === 'at') {
    if (schedule.atMs >= nowMs - PAST_AT_TOLERANCE) return
    const [at, now] = [formatInstant(schedule.atMs, zone), formatInstant(nowMs, zone)]
    const why = `the time ${at} is past, it is now ${now}; give a later time, or the present one to run at once`
    throw refusedAt('/schedule/atMs', why, nowMs + HOUR)
  }
  if (nextOccurrence(schedule, nowMs, { zone, createdAtMs: nowMs }) !== undefined) return
  if (schedule.kind === 'cron') {
    const why = `this schedule never fires: no date within eight years matches "${schedule.expr}"; check its day and month fields`
    throw refusedAt('/schedule/expr', why, EXPRESSION_EXAMPLE)
  }
  const why = `this schedule never fires: ${schedule.everyMs} ms from its start is past the end of time; give a shorter everyMs`
  throw refusedAt('/schedule/everyMs', why, HOUR)
}

const BETWEEN_EXAMPLE = { kind: 'every', everyMs: 90 * MINUTE, between: { from: '08:00', to: '18:00' } }

function checkBetween({ everyMs, between, tz, anchorMs }: Extract<Schedule, { kind: 'every' }>): void {
  const refused = (why: string) => refusedAt('/schedule', why, BETWEEN_EXAMPLE)
  if (!between) {
    if (tz === undefined) return
    throw refused('schedule.tz of an interval goes with schedule.between; leave it out, or name both')
  }
  if (anchorMs !== undefined)
    throw refused('an interval with schedule.between is counted from its first time of the day; leave out anchorMs')
  const fits = everyMs >= MINUTE && everyMs <= (minuteOf(between.to) - minuteOf(between.from)) * MINUTE
  if (fits) return
  throw refused(
    `schedule.everyMs must be at least ${MINUTE} and fit between schedule.between.from and .to, which is later on the same day`,
  )
}
