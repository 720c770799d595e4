// What comes again: `every weekday`, `every Monday and Thursday`, `every 90 minutes`, `on the 1st of every month`,
// `every 24 December`. Rules that one cron line or one interval cannot say truly (every other Monday, the last day of
// the month, every two months) are not understood, rather than rounded to something near.
import { DAY } from '../../base/durations.ts'
import { readMonthDay, weekdayNamed } from './dates.ts'
import { readOrdinal } from './numbers.ts'
import { readSpan, readUnit } from './spans.ts'
import { type DayPart, dayPartNamed } from './time-of-day.ts'
import { type Read, skipAnyPhrase, skipWords, type Token, wordAt } from './tokens.ts'

export type RecurSpec =
  | { readonly kind: 'interval'; readonly everyMs: number }
  /** Empty: every week, on a day that is still to be named. */
  | { readonly kind: 'weekdays'; readonly weekdays: readonly number[] }
  /** Empty: every month, on a day that is still to be named. */
  | { readonly kind: 'monthly'; readonly days: readonly number[] }
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
const onMonthDays = (days: readonly number[]): Recurrence => ({ recur: { kind: 'monthly', days } })
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
  if (adverb) return { value: adverb, next: on + 1 }
  return readPluralDays(tokens, on) ?? readDaysOfEveryMonth(tokens, on) ?? readEvery(tokens, on)
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
    // "every month on the 15th and 30th": the days may follow at once.
    const days =
      recurrence.recur.kind === 'monthly' ? readMonthDays(tokens, skipWords(tokens, next, 'on') ?? next) : undefined
    return days ? { value: onMonthDays(days.value), next: days.next } : { value: recurrence, next }
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

/** `the 1st`, `the 1st and the 15th`, `1st, 10th and 20th`. */
function readMonthDays(tokens: readonly Token[], at: number): Read<readonly number[]> {
  let read = readMonthDayNumber(tokens, at)
  if (!read) return undefined
  const days = [read.value]
  let next = read.next
  while (read) {
    const and = skipAnyPhrase(tokens, next, ['and', '&', 'and on'])
    const more = and ?? (tokens[next - 1]?.after === ',' ? next : undefined)
    read = more === undefined ? undefined : readMonthDayNumber(tokens, more)
    if (!read) break
    days.push(read.value)
    next = read.next
  }
  return { value: [...new Set(days)].sort((a, b) => a - b), next }
}

function readMonthDayNumber(tokens: readonly Token[], at: number): Read<number> {
  const ordinal = readOrdinal(tokens, skipWords(tokens, at, 'the') ?? at)
  return ordinal && ordinal.value >= 1 && ordinal.value <= 31 ? ordinal : undefined
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
