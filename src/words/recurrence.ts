// What comes again: `every weekday`, `every Monday and Thursday`, `every 90 minutes between 8 and 18`, `on the 1st of every
// month`, `the last Friday of each month`, `every 24 December`. Rules that one cron line or one interval cannot say truly
// (every other Monday, every two months) are not understood, rather than rounded to something near.
import { DAY } from '../base/durations.ts'
import { readMonthDay, weekdayNamed } from './dates.ts'
import { readOrdinal } from './numbers.ts'
import { readSpan, readUnit } from './spans.ts'
import { type ClockTime, type DayPart, dayPartNamed, readClock } from './time-of-day.ts'
import { phrases, type Read, skipAnyPhrase, skipWords, type Token, wordAt } from './tokens.ts'

/** A place in a month, counted from its first day, or its last. */
export type Place = number | 'L'

export interface Interval {
  readonly kind: 'interval'
  readonly everyMs: number
  /** Only between these times of the day, and only on these days. */
  readonly between?: readonly [ClockTime, ClockTime]
  readonly weekdays?: readonly number[]
}

export type RecurSpec =
  | Interval
  /** Empty: every week, on a day that is still to be named. */
  | { readonly kind: 'weekdays'; readonly weekdays: readonly number[] }
  /** Empty: every month, on a day that is still to be named. */
  | { readonly kind: 'monthly'; readonly days: readonly Place[] }
  /** The first Monday of each month. */
  | { readonly kind: 'nth-weekday'; readonly places: readonly Place[]; readonly weekdays: readonly number[] }
  | { readonly kind: 'yearly'; readonly month?: number; readonly day?: number }

interface Recurrence {
  readonly recur: RecurSpec
  /** `every evening` says the part of the day as well. */
  readonly part?: DayPart
}

export const EVERY_DAY = [0, 1, 2, 3, 4, 5, 6]
const WORKDAYS = [1, 2, 3, 4, 5]
const WEEKEND = [0, 6]

const onDays = (weekdays: readonly number[]): Recurrence => ({ recur: { kind: 'weekdays', weekdays } })
const onMonthDays = (days: readonly Place[]): Recurrence => ({ recur: { kind: 'monthly', days } })
const interval = (everyMs: number): Recurrence => ({ recur: { kind: 'interval', everyMs } })

const ADVERBS: Readonly<Record<string, Recurrence>> = {
  daily: onDays(EVERY_DAY),
  nightly: { ...onDays(EVERY_DAY), part: 'night' },
  hourly: interval(DAY / 24),
  weekly: onDays([]),
  monthly: onMonthDays([]),
  yearly: { recur: { kind: 'yearly' } },
  annually: { recur: { kind: 'yearly' } },
  weekdays: onDays(WORKDAYS),
  workdays: onDays(WORKDAYS),
  weekends: onDays(WEEKEND),
}

const EVERY_NAMED: readonly (readonly [readonly string[], Recurrence])[] = [
  [['single day', 'day of the week', 'day'], onDays(EVERY_DAY)],
  [['weekday', 'workday', 'work day', 'working day', 'business day', 'week day'], onDays(WORKDAYS)],
  [['weekend', 'weekend day'], onDays(WEEKEND)],
  [['week'], onDays([])],
  [['month'], onMonthDays([])],
  [['year'], { recur: { kind: 'yearly' } }],
]

export function readRecurrence(tokens: readonly Token[], at: number): Read<Recurrence> {
  const on = skipWords(tokens, at, 'on') ?? at
  const adverb = Object.hasOwn(ADVERBS, wordAt(tokens, on)) ? ADVERBS[wordAt(tokens, on)] : undefined
  const read = adverb
    ? { value: adverb, next: on + 1 }
    : (readPluralDays(tokens, on) ??
      readNthWeekdays(tokens, on, OF_EVERY_MONTH) ??
      readDaysOfEveryMonth(tokens, on) ??
      readEvery(tokens, on))
  const interval = read?.value.recur
  return (interval?.kind === 'interval' && readInterval(tokens, read?.next ?? at, interval)) || read
}

/** `between 8 and 18` after an interval, also with its days before: `every hour on weekdays between 8 and 18`. */
function readInterval(tokens: readonly Token[], at: number, interval: Interval): Read<Recurrence> {
  const between = readBetween(tokens, at)
  if (between) return { value: { recur: { ...interval, between: between.value } }, next: between.next }
  const days = readRecurrence(tokens, at)
  const later = days && readBetween(tokens, days.next)
  if (days?.value.recur.kind !== 'weekdays' || days.value.part || !later) return undefined
  const { weekdays } = days.value.recur
  if (weekdays.length === 0) return undefined
  return { value: { recur: { ...interval, between: later.value, weekdays } }, next: later.next }
}

/** `between 8 and 18`, `from 9:00 to 17:30`. */
export function readBetween(tokens: readonly Token[], at: number): Read<readonly [ClockTime, ClockTime]> {
  const lead = wordAt(tokens, at)
  const from = lead === 'between' || lead === 'from' ? readClock(tokens, at + 1, true) : undefined
  const joint = from && skipAnyPhrase(tokens, from.next, lead === 'between' ? ['and'] : ['to', 'until', 'till'])
  const to = joint === undefined ? undefined : readClock(tokens, joint, true)
  return from && to && { value: [from.value, to.value], next: to.next }
}

const OF_EVERY_MONTH = phrases('of every month, of each month, in every month, in each month, every month, each month')

/** `the first Monday of each month`, `the first and third Tuesday of every month`, `the last Friday of every month`. */
function readNthWeekdays(tokens: readonly Token[], at: number, ends: readonly string[]): Read<Recurrence> {
  const places = readPlaces(tokens, at, 5)
  const days = places && readWeekdays(tokens, places.next)
  const next = days && (ends.length === 0 ? days.next : skipAnyPhrase(tokens, days.next, ends))
  if (!days || next === undefined) return undefined
  return { value: { recur: { kind: 'nth-weekday', places: places.value, weekdays: days.value } }, next }
}

function skipEvery(tokens: readonly Token[], at: number): number | undefined {
  return skipAnyPhrase(tokens, at, [
    'every',
    'each',
    'every single',
    'each and every',
    'once a',
    'once an',
    'once every',
  ])
}

function readEvery(tokens: readonly Token[], at: number): Read<Recurrence> {
  const start = skipEvery(tokens, at)
  if (start === undefined) return undefined
  const part = dayPartNamed(wordAt(tokens, start))
  if (part) return { value: { ...onDays(EVERY_DAY), part }, next: start + 1 }
  const weekdays = readWeekdays(tokens, start)
  if (weekdays) return { value: onDays(weekdays.value), next: weekdays.next }
  return readEveryDate(tokens, start) ?? readEveryNamed(tokens, start) ?? readEveryInterval(tokens, start)
}

function readEveryNamed(tokens: readonly Token[], start: number): Read<Recurrence> {
  for (const [phrases, recurrence] of EVERY_NAMED) {
    const next = skipAnyPhrase(tokens, start, phrases)
    if (next === undefined) continue
    if (recurrence.recur.kind !== 'monthly') return { value: recurrence, next }
    // "every month on the 15th and 30th": the days may follow at once.
    const on = skipWords(tokens, next, 'on') ?? next
    const days = readNthWeekdays(tokens, on, []) ?? readDaysOfMonth(tokens, on)
    return days ?? { value: recurrence, next }
  }
  return undefined
}

/** `90 minutes`, `hour`, `half hour`, `hour and a half`, `other hour`, `2 days`. */
function readEveryInterval(tokens: readonly Token[], start: number): Read<Recurrence> {
  const other = skipWords(tokens, start, 'other')
  const single = readUnit(tokens, other ?? start)
  if (!single) {
    const span = other === undefined ? readSpan(tokens, start) : undefined
    return span && span.value.months === 0
      ? { value: interval(span.value.ms + span.value.days * DAY), next: span.next }
      : undefined
  }
  const { field, amount } = single.value
  // "every minutes" says no number; it may have lost one.
  if (field === 'months' || /.s$/.test(wordAt(tokens, other ?? start))) return undefined
  const unitMs = field === 'ms' ? amount : amount * DAY
  if (other !== undefined) return { value: interval(2 * unitMs), next: single.next }
  const half = skipWords(tokens, single.next, 'and a half')
  return { value: interval(half === undefined ? unitMs : unitMs * 1.5), next: half ?? single.next }
}

/** `every 24 December`, `every 1st of the month`, `every 15th`. */
function readEveryDate(tokens: readonly Token[], start: number): Read<Recurrence> {
  const yearly = readMonthDay(tokens, start)
  if (yearly?.value.kind === 'month-day' && yearly.value.year === undefined) {
    return { value: { recur: { kind: 'yearly', month: yearly.value.month, day: yearly.value.day } }, next: yearly.next }
  }
  const nth = readNthWeekdays(tokens, start, ['of the month', ...OF_EVERY_MONTH])
  if (nth) return nth
  const days = readMonthDays(tokens, start)
  if (!days) return undefined
  const end = skipAnyPhrase(tokens, days.next, ['of the month', 'day of the month', 'of each month', 'of every month'])
  if (end !== undefined) return { value: onMonthDays(days.value), next: end }
  // "every second hour", "every third Monday": an ordinal before anything but the end of the phrase counts, not dates.
  const written = /\d/.test(wordAt(tokens, start))
  const counts = readUnit(tokens, days.next) || weekdayNamed(wordAt(tokens, days.next)) !== undefined
  return written && !counts ? { value: onMonthDays(days.value), next: days.next } : undefined
}

/** `the 1st of every month`, `the 1st and 15th of each month`, `the first day of every month`. */
function readDaysOfEveryMonth(tokens: readonly Token[], at: number): Read<Recurrence> {
  const days = readMonthDays(tokens, at)
  const of =
    days &&
    skipAnyPhrase(tokens, days.next, ['of every month', 'of each month', 'day of every month', 'day of each month'])
  if (days && of !== undefined) return { value: onMonthDays(days.value), next: of }
  const yearly = readMonthDay(tokens, skipWords(tokens, at, 'the') ?? at)
  const everyYear = yearly && skipAnyPhrase(tokens, yearly.next, ['every year', 'each year'])
  if (yearly?.value.kind !== 'month-day' || everyYear === undefined || yearly.value.year !== undefined) return undefined
  return { value: { recur: { kind: 'yearly', month: yearly.value.month, day: yearly.value.day } }, next: everyYear }
}

/** `the 15th and 30th`, `the last day`. */
function readDaysOfMonth(tokens: readonly Token[], at: number): Read<Recurrence> {
  const days = readMonthDays(tokens, at)
  if (!days) return undefined
  const day = skipWords(tokens, days.next, 'day')
  return days.value.includes('L') && day === undefined
    ? undefined
    : { value: onMonthDays(days.value), next: day ?? days.next }
}

const readMonthDays = (tokens: readonly Token[], at: number) => readPlaces(tokens, at, 31)

/** `the 1st`, `the 1st and the 15th`, `1st, 10th and 20th`, `the first and last`. */
function readPlaces(tokens: readonly Token[], at: number, placeMax: number): Read<readonly Place[]> {
  let read = readPlace(tokens, at, placeMax)
  if (!read) return undefined
  const days = [read.value]
  let next = read.next
  while (read) {
    const and = skipAnyPhrase(tokens, next, ['and', '&', 'and on'])
    const more = and ?? (tokens[next - 1]?.after === ',' ? next : undefined)
    read = more === undefined ? undefined : readPlace(tokens, more, placeMax)
    if (!read) break
    days.push(read.value)
    next = read.next
  }
  const order = (place: Place) => (place === 'L' ? placeMax + 1 : place)
  return { value: [...new Set(days)].sort((a, b) => order(a) - order(b)), next }
}

function readPlace(tokens: readonly Token[], at: number, placeMax: number): Read<Place> {
  const start = skipWords(tokens, at, 'the') ?? at
  if (wordAt(tokens, start) === 'last') return { value: 'L', next: start + 1 }
  const ordinal = readOrdinal(tokens, start)
  return ordinal && ordinal.value >= 1 && ordinal.value <= placeMax ? ordinal : undefined
}

/** `Mondays`, `Mondays and Thursdays`, `Monday to Friday`, `Mon-Fri`: days that come again without `every`. */
function readPluralDays(tokens: readonly Token[], at: number): Read<Recurrence> {
  const plural = /^(.+day)s$/.exec(wordAt(tokens, at))?.[1]
  const range = readWeekdayRange(tokens, at)
  if (range) return { value: onDays(range.value), next: range.next }
  if (!plural || weekdayNamed(plural) === undefined) return undefined
  const days = readWeekdays(tokens, at)
  return days && { value: onDays(days.value), next: days.next }
}

/** A list of weekdays, singular or plural: `Monday`, `Monday, Wednesday and Friday`, `Tue/Thu`, `Mon-Fri`. */
function readWeekdays(tokens: readonly Token[], at: number): Read<readonly number[]> {
  const range = readWeekdayRange(tokens, at)
  if (range) return range
  let read = readWeekdayNames(tokens, at)
  if (!read) return undefined
  const days = [...read.value]
  let next = read.next
  while (read) {
    const and = skipAnyPhrase(tokens, next, ['and', '&', 'and every', 'and on', 'and each'])
    const more = and ?? (tokens[next - 1]?.after === ',' ? next : undefined)
    read = more === undefined ? undefined : readWeekdayNames(tokens, more)
    if (!read) break
    days.push(...read.value)
    next = read.next
  }
  return { value: [...new Set(days)].sort((a, b) => a - b), next }
}

function singular(word: string): number | undefined {
  return weekdayNamed(word) ?? weekdayNamed(word.replace(/s$/, ''))
}

function readWeekdayNames(tokens: readonly Token[], at: number): Read<readonly number[]> {
  const days = wordAt(tokens, at).split('/').map(singular)
  return days.every(day => day !== undefined) ? { value: days, next: at + 1 } : undefined
}

function readWeekdayRange(tokens: readonly Token[], at: number): Read<readonly number[]> {
  const joined = /^([a-z]+)[-–]([a-z]+)$/.exec(wordAt(tokens, at))
  if (joined) return rangeOf(singular(joined[1] ?? ''), singular(joined[2] ?? ''), at + 1)
  const from = singular(wordAt(tokens, at))
  const dash = /^\s*[-–]$/.test(tokens[at]?.after ?? '') ? at + 1 : undefined
  const to = dash ?? skipAnyPhrase(tokens, at + 1, ['to', 'through', 'thru', 'till', 'until'])
  return to === undefined ? undefined : rangeOf(from, singular(wordAt(tokens, to)), to + 1)
}

function rangeOf(from: number | undefined, to: number | undefined, next: number): Read<readonly number[]> {
  if (from === undefined || to === undefined || from === to) return undefined
  const count = ((to - from + 7) % 7) + 1
  const days = Array.from({ length: count }, (_, offset) => (from + offset) % 7)
  return { value: days.sort((a, b) => a - b), next }
}
