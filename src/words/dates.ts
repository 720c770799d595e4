// Days in words: `tomorrow`, `on Friday`, `next week on Monday`, `24 December`, `the 24th`, `2026-12-24`. Meaning is
// kept apart from any clock; a date that no calendar has (31 February) or that can be read two ways is not a date.
import { type CivilDate, daysInMonth, isValidDate, MONTH_NAMES, WEEKDAY_NAMES } from './calendar.ts'
import { readCardinal, readOrdinal } from './numbers.ts'
import { dayPartNamed } from './time-of-day.ts'
import { type Read, skipAnyPhrase, skipWords, type Token, wordAt } from './tokens.ts'

export type DateSpec =
  /** Days from today; negative is the past. */
  | { readonly kind: 'offset'; readonly days: number; readonly months: number }
  | { readonly kind: 'weekday'; readonly weekday: number; readonly which: 'coming' | 'this' | 'next' | 'next-week' }
  | {
      readonly kind: 'month-day'
      readonly month: number
      readonly day: number
      readonly year?: number
      readonly weekday?: number
    }
  | { readonly kind: 'day-of-month'; readonly day: number }

const WEEKDAYS = shortNames(WEEKDAY_NAMES, { tues: 2, weds: 3, thur: 4, thurs: 4 })
const MONTHS = shortNames(['', ...MONTH_NAMES], { sept: 9 })

function shortNames(names: readonly string[], more: Readonly<Record<string, number>>): ReadonlyMap<string, number> {
  const table = new Map(Object.entries(more))
  for (const [index, name] of names.entries()) {
    if (name === '') continue
    table.set(name.toLowerCase(), index)
    table.set(name.slice(0, 3).toLowerCase(), index)
  }
  return table
}

export function weekdayNamed(word: string): number | undefined {
  return WEEKDAYS.get(word)
}

export function monthNamed(word: string): number | undefined {
  return MONTHS.get(word)
}

const TOMORROW = ['tomorrow', 'tomorow', 'tommorow', 'tommorrow', 'tmrw']
const DAYS_AWAY: readonly (readonly [readonly string[], number])[] = [
  [['today'], 0],
  [TOMORROW, 1],
  [['the day after tomorrow', 'day after tomorrow', 'overmorrow'], 2],
  [['yesterday'], -1],
  [['the day before yesterday'], -2],
]

export function readDate(tokens: readonly Token[], at: number): Read<DateSpec> {
  for (const [phrases, days] of DAYS_AWAY) {
    const next = skipAnyPhrase(tokens, at, phrases)
    if (next !== undefined) return { value: { kind: 'offset', days, months: 0 }, next }
  }
  return readWeekdayDate(tokens, at) ?? readCalendarDate(tokens, at)
}

/** `tonight` and `this evening` name a day and a part of it; the caller reads the part at `next - 1`. */
export function readThisPart(tokens: readonly Token[], at: number): number | undefined {
  const tonight = skipWords(tokens, at, 'tonight')
  if (tonight !== undefined) return tonight
  return wordAt(tokens, at) === 'this' && dayPartNamed(wordAt(tokens, at + 1)) ? at + 2 : undefined
}

/** `on Friday`, `this Friday`, `next Friday`, `next week on Monday`, `Monday next week`, `Thursday, 24 December`. */
function readWeekdayDate(tokens: readonly Token[], at: number): Read<DateSpec> {
  const nextWeek = skipWords(tokens, at, 'next week')
  const start = skipWords(tokens, nextWeek ?? at, 'on') ?? nextWeek ?? at
  const which = WHICH.get(wordAt(tokens, start))
  const nameAt = which === undefined ? start : start + 1
  const weekday = weekdayNamed(wordAt(tokens, nameAt))
  if (weekday === undefined) return undefined
  if (nextWeek !== undefined) {
    return which ? undefined : { value: { kind: 'weekday', weekday, which: 'next-week' }, next: nameAt + 1 }
  }
  if (which) return { value: { kind: 'weekday', weekday, which }, next: nameAt + 1 }
  return start === at && !standsAlone(tokens[nameAt]) ? undefined : readPlainWeekday(tokens, nameAt + 1, weekday)
}

/** What may follow the name of a day: its date, or `next week`. */
function readPlainWeekday(tokens: readonly Token[], after: number, weekday: number): Read<DateSpec> {
  const dated = readMonthDay(tokens, skipWords(tokens, after, 'the') ?? after)
  if (dated?.value.kind === 'month-day') return { value: { ...dated.value, weekday }, next: dated.next }
  const nextWeek = skipWords(tokens, after, 'next week')
  const which = nextWeek === undefined ? 'coming' : 'next-week'
  return { value: { kind: 'weekday', weekday, which }, next: nextWeek ?? after }
}

const WHICH = new Map<string, 'coming' | 'this' | 'next'>([
  ['this', 'this'],
  ['next', 'next'],
  ['coming', 'coming'],
])

/** A short name without `on` must be written as a name: "Sat", since "where we sat at 9" names no day. */
function standsAlone(token: Token | undefined): boolean {
  if (!token) return false
  const full = WEEKDAY_NAMES.some(name => name.toLowerCase() === token.word)
  return full || /^[A-Z]/.test(token.bare)
}

function readCalendarDate(tokens: readonly Token[], at: number): Read<DateSpec> {
  const on = skipWords(tokens, at, 'on') ?? at
  const numeric = readNumericDate(tokens, isoFollows(tokens, at) ? at + 1 : on)
  if (numeric) return numeric
  const start = skipWords(tokens, on, 'the') ?? on
  const monthDay = readMonthDay(tokens, start)
  if (monthDay) return monthDay
  const ordinal = start === at ? undefined : readOrdinal(tokens, start)
  if (!ordinal || ordinal.value < 1 || ordinal.value > 31) return undefined
  return { value: { kind: 'day-of-month', day: ordinal.value }, next: ordinal.next }
}

/** `at 2026-12-24 18:00`; before other dates `at` would make them a time. */
function isoFollows(tokens: readonly Token[], at: number): boolean {
  return wordAt(tokens, at) === 'at' && /^\d{4}-/.test(wordAt(tokens, at + 1))
}

/** `24 December`, `24th of December 2026`, `December 24th, 2026`. */
export function readMonthDay(tokens: readonly Token[], at: number): Read<DateSpec> {
  const leading = monthNamed(wordAt(tokens, at))
  if (leading !== undefined) {
    const day = readDayNumber(tokens, skipWords(tokens, at + 1, 'the') ?? at + 1)
    return day && dateWithYear(tokens, day.next, { month: leading, day: day.value })
  }
  const day = readDayNumber(tokens, at)
  if (!day) return undefined
  const nameAt = skipWords(tokens, day.next, 'of') ?? day.next
  const month = monthNamed(wordAt(tokens, nameAt))
  return month === undefined ? undefined : dateWithYear(tokens, nameAt + 1, { month, day: day.value })
}

function readDayNumber(tokens: readonly Token[], at: number): Read<number> {
  return readOrdinal(tokens, at) ?? readCardinal(tokens, at)
}

function dateWithYear(tokens: readonly Token[], at: number, date: { month: number; day: number }): Read<DateSpec> {
  const written = /^(19|20|21)\d\d$/.test(wordAt(tokens, at)) ? Number(wordAt(tokens, at)) : undefined
  if (date.day < 1 || date.day > daysInMonth(date.month, written)) return undefined
  const value = { kind: 'month-day' as const, ...date, ...(written !== undefined && { year: written }) }
  return { value, next: written === undefined ? at : at + 1 }
}

/** `2026-12-24`, `24.12.2026`, `24.12.`, and `24/12/2026` only where day and month cannot be confused. */
function readNumericDate(tokens: readonly Token[], at: number): Read<DateSpec> {
  const token = tokens[at]
  const iso = /^(\d{4})-(\d\d)-(\d\d)$/.exec(token?.word ?? '')
  if (iso) return validDate({ year: Number(iso[1]), month: Number(iso[2]), day: Number(iso[3]) }, at)
  const dotted = /^(\d{1,2})\.(\d{1,2})\.(\d{4})$/.exec(token?.word ?? '')
  if (dotted) return validDate({ year: Number(dotted[3]), month: Number(dotted[2]), day: Number(dotted[1]) }, at)
  const short = /^(\d{1,2})\.(\d{1,2})$/.exec(token?.word ?? '')
  if (short && token?.after.startsWith('.')) {
    return validMonthDay({ month: Number(short[2]), day: Number(short[1]) }, at)
  }
  const slashed = /^(\d{1,2})\/(\d{1,2})\/(\d{4})$/.exec(token?.word ?? '')
  if (!slashed) return undefined
  const [first, second, year] = [Number(slashed[1]), Number(slashed[2]), Number(slashed[3])]
  if (first <= 12 && second <= 12 && first !== second) return undefined
  return first > 12
    ? validDate({ year, month: second, day: first }, at)
    : validDate({ year, month: first, day: second }, at)
}

function validDate(date: CivilDate, at: number): Read<DateSpec> {
  return isValidDate(date) ? { value: { kind: 'month-day', ...date }, next: at + 1 } : undefined
}

function validMonthDay(date: { month: number; day: number }, at: number): Read<DateSpec> {
  const valid = date.month >= 1 && date.month <= 12 && date.day >= 1 && date.day <= daysInMonth(date.month)
  return valid ? { value: { kind: 'month-day', ...date }, next: at + 1 } : undefined
}
