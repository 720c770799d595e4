// A whole expression of when: date, time, part of the day, zone, recurrence or delay, in any order. It takes as many
// words as belong together and stops before the first that does not; what contradicts itself is not taken.
import { type DateSpec, readDate, readThisPart } from './dates.ts'
import { type Interval, type RecurSpec, readRecurrence } from './recurrence.ts'
import { readDelay, type Span } from './spans.ts'
import { type ClockTime, type DayPart, dayPartNamed, readDayPart, readTimes } from './time-of-day.ts'
import { phrases, type Read, skipAnyPhrase, type Token, wordAt } from './tokens.ts'
import { readZone } from './zones.ts'

export interface WhenSpec {
  readonly delay?: Span
  readonly date?: DateSpec
  readonly times?: readonly ClockTime[]
  readonly part?: DayPart
  /** Empty: the person's own zone, said in so many words. */
  readonly zone?: string
  readonly recur?: RecurSpec
}

export function readWhen(tokens: readonly Token[], at: number): Read<WhenSpec> {
  let spec: WhenSpec = {}
  let next = at
  for (;;) {
    const piece = readPiece(tokens, next, spec)
    const merged = piece && mergeWhen(spec, piece.value)
    if (!piece || !merged) break
    spec = merged
    next = piece.next
  }
  return next === at ? undefined : { value: spec, next }
}

/** The longest end of the tokens that is wholly an expression of when, not before `from`. */
export function readTrailingWhen(
  tokens: readonly Token[],
  from: number,
): { spec: WhenSpec; start: number } | undefined {
  for (let start = from; start < tokens.length; start++) {
    const read = readWhen(tokens, start)
    if (read?.next === tokens.length) return { spec: read.value, start }
  }
  return undefined
}

function readPiece(tokens: readonly Token[], at: number, before: WhenSpec): Read<WhenSpec> {
  return (
    readRecurrence(tokens, at) ??
    wrap(readDelay(tokens, at), delay => ({ delay })) ??
    readPartOfThisDay(tokens, at) ??
    readDateAndTime(tokens, at) ??
    wrap(readDate(tokens, at), date => ({ date })) ??
    wrap(readDayPart(tokens, at, namesDay(before)), part => ({ part })) ??
    wrap(readTimes(tokens, at), times => ({ times })) ??
    readZonePiece(tokens, at, before)
  )
}

function wrap<T>(read: Read<T>, into: (value: T) => WhenSpec): Read<WhenSpec> {
  return read && { value: into(read.value), next: read.next }
}

function namesDay(spec: WhenSpec): boolean {
  return spec.date !== undefined || spec.recur?.kind === 'weekdays'
}

/** `tonight`, `this evening`. */
function readPartOfThisDay(tokens: readonly Token[], at: number): Read<WhenSpec> {
  const next = readThisPart(tokens, at)
  if (next === undefined) return undefined
  const part = dayPartNamed(wordAt(tokens, next - 1)) ?? 'night'
  return { value: { date: { kind: 'offset', days: 0, months: 0 }, part }, next }
}

/** `2026-12-24T18:00`, also with `Z`. */
function readDateAndTime(tokens: readonly Token[], at: number): Read<WhenSpec> {
  const led = /^(at|on)$/.test(wordAt(tokens, at)) ? at + 1 : at
  const match = /^(\d{4}-\d\d-\d\d)t(\d\d:\d\d(?::\d\d)?)(z?)$/.exec(wordAt(tokens, led))
  if (!match) return undefined
  const asToken = (word = ''): Token => ({ raw: word, bare: word, word, quoted: false, after: '' })
  const date = readDate([asToken(match[1])], 0)
  const times = readTimes([asToken(match[2])], 0)
  if (!date || !times) return undefined
  return { value: { date: date.value, times: times.value, ...(match[3] && { zone: 'UTC' }) }, next: led + 1 }
}

/** A zone says nothing by itself: it follows a day or a time, else "a hotel in Paris tomorrow" would name one. */
function readZonePiece(tokens: readonly Token[], at: number, before: WhenSpec): Read<WhenSpec> {
  const follows = before.times !== undefined || before.date !== undefined || before.recur !== undefined
  return follows ? wrap(readZone(tokens, at), zone => ({ zone })) : undefined
}

/** Two halves of one expression as one; undefined when they say the same thing twice or contradict each other. */
export function mergeWhen(a: WhenSpec, b: WhenSpec): WhenSpec | undefined {
  const completed = completeRecurrence(a, b) ?? completeRecurrence(b, a)
  if (completed) return completed
  // "every weekday (Monday to Friday)" says one thing in two ways.
  if (a.recur && JSON.stringify(a.recur) === JSON.stringify(b.recur)) {
    const { recur: _, ...rest } = b
    return mergeWhen(a, rest)
  }
  const keys = ['delay', 'times', 'part', 'zone', 'recur'] as const
  if (keys.some(key => a[key] !== undefined && b[key] !== undefined)) return undefined
  const date = a.date && b.date ? mergeDates(a.date, b.date) : (a.date ?? b.date)
  if (a.date && b.date && !date) return undefined
  const merged: WhenSpec = { ...a, ...b, ...(date && { date }) }
  return isConsistent(merged) ? merged : undefined
}

/** `every month at noon` + `on the 15th`; `weekly` + `on Mondays`. */
function completeRecurrence(open: WhenSpec, more: WhenSpec): WhenSpec | undefined {
  const recur = open.recur && completed(open.recur, more)
  if (!recur) return undefined
  const { recur: _openRecur, ...openRest } = open
  const { recur: _recur, date: _date, ...moreRest } = more
  const rest = mergeWhen(openRest, moreRest)
  return rest && { ...rest, recur }
}

/** `every 30 minutes between 9 and 17` + `on weekdays`. */
function onDays(interval: Interval, { recur, times, part }: WhenSpec): Interval | undefined {
  const isOpen = interval.between && !interval.weekdays && !times && !part
  const weekdays = recur?.kind === 'weekdays' ? recur.weekdays : []
  return isOpen && weekdays.length > 0 ? { ...interval, weekdays } : undefined
}

function completed(recur: RecurSpec, said: WhenSpec): RecurSpec | undefined {
  if (recur.kind === 'interval') return onDays(recur, said)
  const { recur: more, date } = said
  if (recur.kind === 'weekdays' && recur.weekdays.length === 0) {
    if (more?.kind === 'weekdays' && more.weekdays.length > 0) return more
    return date?.kind === 'weekday' && date.which === 'coming'
      ? { kind: 'weekdays', weekdays: [date.weekday] }
      : undefined
  }
  if (recur.kind === 'monthly' && recur.days.length === 0 && date?.kind === 'day-of-month') {
    return { kind: 'monthly', days: [date.day] }
  }
  const dated = date?.kind === 'month-day' && date.year === undefined && date.weekday === undefined
  return recur.kind === 'yearly' && recur.month === undefined && dated
    ? { kind: 'yearly', month: date.month, day: date.day }
    : undefined
}

function mergeDates(a: DateSpec, b: DateSpec): DateSpec | undefined {
  const [day, date] = a.kind === 'weekday' ? [a, b] : [b, a]
  const fits =
    day.kind === 'weekday' && day.which === 'coming' && date.kind === 'month-day' && date.weekday === undefined
  return fits ? { ...date, weekday: day.weekday } : undefined
}

function isConsistent({ delay, date, times, part, zone, recur }: WhenSpec): boolean {
  if (recur?.kind === 'interval') return !(delay || date || times || part || (zone !== undefined && !recur.between))
  if (recur) return !delay && !date
  if (!delay) return true
  if (date || part) return false
  return delay.ms === 0 || (!times && zone === undefined)
}

/** What is still to be said before the expression means anything; undefined when it is whole. */
export function missingIn({ delay, times, recur }: WhenSpec): 'time' | 'day' | undefined {
  if (recur?.kind === 'interval') return undefined
  if (recur?.kind === 'weekdays' && recur.weekdays.length === 0) return 'day'
  if (recur?.kind === 'monthly' && recur.days.length === 0) return 'day'
  if (recur?.kind === 'yearly' && recur.month === undefined) return 'day'
  return times || delay ? undefined : 'time'
}

/** Only a time of day: today or tomorrow is still open, so a day named elsewhere in the sentence may belong to it. */
export function isTimeOnly({ delay, date, recur }: WhenSpec): boolean {
  return !delay && !date && !recur
}

/** Position after polite words that may follow an expression of when. */
export function skipPoliteEnd(tokens: readonly Token[], at: number): number {
  const next = skipAnyPhrase(tokens, at, POLITE_END)
  return next === undefined ? at : skipPoliteEnd(tokens, next)
}

const POLITE_END = phrases(
  'please, pls, plz, thanks, thank you, thx, ty, cheers, thanks a lot, thank you very much, for me, ' +
    'ok, okay, would you, could you, can you',
)
