// From what was said to what the scheduler takes: one instant, one interval, or one cron line with its zone. The clock
// and the person's zone come in here and nowhere else in the grammar. Anything in the past, or with two readings, is
// answered with a question and never with the nearest thing that would work.
import { DAY, HOUR, MINUTE, SECOND } from '../base/durations.ts'
import { instantOf, wallTime } from '../base/zoned-time.ts'
import type { Schedule } from '../protocol/job.ts'
import {
  addDays,
  addMonths,
  type CivilDate,
  compareDates,
  dateIn,
  daysInMonth,
  isValidDate,
  WEEKDAY_NAMES,
  weekdayOf,
} from './calendar.ts'
import type { DateSpec } from './dates.ts'
import { nthWeekdays } from './describe.ts'
import type { Interval, RecurSpec } from './recurrence.ts'
import type { Span } from './spans.ts'
import { type ClockTime, type HourOfDay, hourOfDay } from './time-of-day.ts'
import { missingIn, type WhenSpec } from './when.ts'

export interface Here {
  readonly now: number
  /** The person's zone, for everything that names no other. */
  readonly zone: string
}

export type Resolved =
  | { readonly ok: true; readonly schedule: Schedule }
  /** One sentence that says what stands in the way. */
  | { readonly ok: false; readonly problem: string }

/** The shortest delay and interval, and how far ahead a single date may lie. */
export const DELAY_MS_MIN = SECOND
export const AHEAD_MS_MAX = 100 * 365 * DAY

const WHICH_MIDNIGHT =
  'Midnight may be the beginning of that day or its end; say 00:00 for its beginning, or 00:00 of the day after.'

const refuse = (problem: string): Resolved => ({ ok: false, problem })

export function zoneOf(spec: WhenSpec, here: Here): string {
  return spec.zone || here.zone
}

export function resolveWhen(spec: WhenSpec, here: Here): Resolved {
  const missing = missingIn(spec)
  if (missing === 'day') return refuse('It does not say on which day.')
  if (missing === 'time') return refuse('It does not say at what time.')
  if (spec.recur) return resolveRecurrence(spec, spec.recur, here)
  const at = resolveInstant(spec, here)
  if (typeof at === 'string') return refuse(at)
  if (at <= here.now) return refuse('That time is in the past.')
  if (at - here.now > AHEAD_MS_MAX) return refuse('That is more than a hundred years away.')
  return { ok: true, schedule: { kind: 'at', atMs: at } }
}

/** An instant, or a sentence that says why there is none. */
function resolveInstant(spec: WhenSpec, here: Here): number | string {
  const [time, another] = spec.times ?? []
  if (another) return 'It names more than one time; what happens once has one.'
  if (spec.delay && !time) return afterDelay(spec.delay, here)
  if (!time) return 'It does not say at what time.'
  const hour = hourOfDay(time, spec.part)
  if (!hour) return 'The time and the part of the day do not fit together.'
  const zone = zoneOf(spec, here)
  const today = dateIn(here.now, zone)
  const atHour = (date: CivilDate) => instantAt(date, hour, zone)
  const date: DateSpec | undefined = spec.delay ? { kind: 'offset', ...spec.delay } : spec.date
  if (date && time.isMidnight && !spec.part) return WHICH_MIDNIGHT
  if (date) return onDateThere(date, { now: here.now, today, atHour }, { here, zone })
  // Without a day, the hour after midnight is simply the next one of that name.
  const atToday = instantAt(today, { ...hour, nextDay: false }, zone)
  return atToday > here.now ? atToday : instantAt(addDays(today, 1), { ...hour, nextDay: false }, zone)
}

function instantAt(date: CivilDate, { hour, minute, second, nextDay }: HourOfDay, zone: string): number {
  return instantOf({ ...(nextDay ? addDays(date, 1) : date), hour, minute, second }, zone).instantMs
}

/** Days and months keep the local time of day, minutes and seconds are exact. */
function afterDelay({ ms, days, months }: Span, { now, zone }: Here): number | string {
  if (ms < DELAY_MS_MIN && days === 0 && months === 0) return 'That is less than a second from now.'
  if (days * DAY + months * 31 * DAY > AHEAD_MS_MAX) return 'That is more than a hundred years away.'
  if (days === 0 && months === 0) return now + ms
  const wall = wallTime(now, zone)
  const date = addMonths(addDays(wall, days), months)
  const { instantMs } = instantOf({ ...wall, ...date }, zone)
  return instantMs + (now % SECOND) + ms
}

interface Days {
  readonly now: number
  readonly today: CivilDate
  readonly atHour: (date: CivilDate) => number
}

function onDate(date: DateSpec, days: Days): number | string {
  switch (date.kind) {
    case 'offset':
      return onOffset(date, days)
    case 'weekday':
      return onWeekday(date, days)
    case 'day-of-month':
      return onDayOfMonth(date.day, days)
    case 'month-day':
      return onMonthDay(date, days)
  }
}

/** After midnight `tonight at 1` may be in this night or in the next. */
function onOffset(date: DateSpec & { kind: 'offset' }, { now, today, atHour }: Days): number | string {
  const isTonight = date.days === 0 && date.months === 0
  if (isTonight && atHour(addDays(today, -1)) > now)
    return 'It is after midnight, so that may be in this night or in the next; say “today” or “tomorrow” with the time.'
  return atHour(addMonths(addDays(today, date.days), date.months))
}

/** A day that is counted from today may be another one where it is another day. */
function onDateThere(date: DateSpec, days: Days, { here, zone }: { here: Here; zone: string }): number | string {
  const at = onDate(date, days)
  const isCounted = date.kind === 'offset' || date.kind === 'weekday'
  if (!isCounted || at === onDate(date, { ...days, today: dateIn(here.now, here.zone) })) return at
  return `It is another day in ${zone} than here; please name the date.`
}

const fromMonday = (weekday: number) => (weekday + 6) % 7

function onWeekday({ weekday, which }: DateSpec & { kind: 'weekday' }, { now, today, atHour }: Days): number | string {
  const place = fromMonday(weekdayOf(today))
  const away = (weekday - weekdayOf(today) + 7) % 7
  const name = WEEKDAY_NAMES[weekday]
  if (which === 'next-week') return atHour(addDays(today, 7 - place + fromMonday(weekday)))
  if (which === 'this') return atHour(addDays(today, fromMonday(weekday) - place))
  if (which === 'next') {
    const stillThisWeek = away > 0 && fromMonday(weekday) > place
    if (stillThisWeek)
      return `“Next ${name}” may mean this week's or next week's; say “this ${name}” or “${name} next week”.`
    return atHour(addDays(today, away === 0 ? 7 : away))
  }
  // After midnight it may still be the night of the day before.
  const coming = [away - 7, away].map(days => atHour(addDays(today, days))).find(instant => instant > now)
  return coming ?? atHour(addDays(today, away + 7))
}

function onDayOfMonth(day: number, { now, today, atHour }: Days): number | string {
  for (let months = 0; months <= 12; months++) {
    const { year, month } = addMonths({ ...today, day: 1 }, months)
    if (day > daysInMonth(month, year)) continue
    const instant = atHour({ year, month, day })
    if (instant > now) return instant
  }
  return 'No month has that day.'
}

/** Leap days come at least every eight years. */
const YEARS_AHEAD_MAX = 8

function onMonthDay(date: DateSpec & { kind: 'month-day' }, { now, today, atHour }: Days): number | string {
  const fits = (candidate: CivilDate) => date.weekday === undefined || weekdayOf(candidate) === date.weekday
  const wrongDay = 'The day of the week and the date do not fit together.'
  if (date.year !== undefined) {
    const exact = { year: date.year, month: date.month, day: date.day }
    return fits(exact) ? atHour(exact) : wrongDay
  }
  for (let year = today.year; year <= today.year + YEARS_AHEAD_MAX; year++) {
    const candidate = { year, month: date.month, day: date.day }
    if (!isValidDate(candidate) || compareDates(candidate, today) < 0) continue
    const instant = atHour(candidate)
    if (instant > now) return fits(candidate) ? instant : wrongDay
  }
  return 'There is no such date.'
}

function resolveRecurrence(spec: WhenSpec, recur: RecurSpec, here: Here): Resolved {
  if (recur.kind === 'interval') return resolveInterval(recur, zoneOf(spec, here))
  const hours = (spec.times ?? []).map((time: ClockTime) => hourOfDay(time, spec.part))
  const known = hours.filter(hour => hour !== undefined)
  const [first] = known
  if (!first || known.length < hours.length) return refuse('The time and the part of the day do not fit together.')
  if (known.some(hour => hour.second !== 0)) return refuse('What comes again is set to the minute, not to the second.')
  if (known.some(hour => hour.minute !== first.minute)) {
    return refuse('One job can have several hours only with the same minute; please ask for two.')
  }
  const everyDay = recur.kind === 'weekdays' && recur.weekdays.length === 7
  if (!everyDay && !spec.part && spec.times?.some(({ isMidnight }) => isMidnight)) return refuse(WHICH_MIDNIGHT)
  if (!everyDay && known.some(hour => hour.nextDay))
    return refuse('That hour is after midnight, so the day is not certain.')
  const hourField = [...new Set(known.map(hour => hour.hour))].sort((a, b) => a - b).join(',')
  const expr = `${first.minute} ${hourField} ${dayFields(recur)}`
  return { ok: true, schedule: { kind: 'cron', expr, tz: zoneOf(spec, here) } }
}

function resolveInterval({ everyMs, between, weekdays }: Interval, tz: string): Resolved {
  if (!Number.isSafeInteger(everyMs) || everyMs < DELAY_MS_MIN || everyMs > AHEAD_MS_MAX)
    return refuse('An interval is at least a second and at most a hundred years.')
  if (!between) return { ok: true, schedule: { kind: 'every', everyMs } }
  const [from, to] = between.map(({ hour, minute, second }) => hour * HOUR + minute * MINUTE + second * SECOND)
  if (from === undefined || to === undefined || from % MINUTE !== 0 || to % MINUTE !== 0)
    return refuse('The times between which it comes are set to the minute.')
  if (from >= to) return refuse('The second time is not after the first; say for example “between 9 and 17”.')
  if (everyMs < MINUTE || everyMs > to - from)
    return refuse('The interval is at least a minute, and fits between the two times.')
  const times = { from: clockText(from), to: clockText(to) }
  return {
    ok: true,
    schedule: {
      kind: 'every',
      everyMs,
      between: { ...times, ...(weekdays && weekdays.length < 7 && { weekdays: [...weekdays] }) },
      tz,
    },
  }
}

function clockText(ofDayMs: number): string {
  return [ofDayMs / HOUR, (ofDayMs % HOUR) / MINUTE].map(part => String(Math.floor(part)).padStart(2, '0')).join(':')
}

/** The day, month and weekday fields of the cron line. */
function dayFields(recur: Exclude<RecurSpec, Interval>): string {
  if (recur.kind === 'nth-weekday') return `* * ${nthWeekdays(recur.weekdays, recur.places)}`
  if (recur.kind === 'monthly') return `${recur.days.join(',')} * *`
  if (recur.kind === 'yearly') return `${recur.day} ${recur.month} *`
  const days = recur.weekdays.join(',')
  if (recur.weekdays.length === 7) return '* * *'
  return `* * ${days === '1,2,3,4,5' ? '1-5' : days}`
}
