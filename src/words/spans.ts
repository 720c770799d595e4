// Lengths of time in words: `20 minutes`, `an hour and a half`, `half an hour`, `1h30m`, `two weeks`. Days and longer
// are kept apart from milliseconds, since a day of the calendar is not always 24 hours. Vague amounts are refused.
import { DAY, HOUR, MINUTE, parseDuration, SECOND } from '../base/durations.ts'
import { readCardinal, readCount } from './numbers.ts'
import { type Read, skipAnyPhrase, skipWords, type Token, wordAt } from './tokens.ts'

export interface Span {
  readonly ms: number
  readonly days: number
  readonly months: number
}

type Unit = Readonly<{ size: number; field: keyof Span; amount: number }>

const unit = (amount: number): Unit => ({ size: amount, field: 'ms', amount })
const days = (amount: number): Unit => ({ size: amount * DAY, field: 'days', amount })
const months = (amount: number): Unit => ({ size: amount * 30 * DAY, field: 'months', amount })

const UNITS: Readonly<Record<string, Unit>> = {
  second: unit(SECOND),
  seconds: unit(SECOND),
  sec: unit(SECOND),
  secs: unit(SECOND),
  s: unit(SECOND),
  minute: unit(MINUTE),
  minutes: unit(MINUTE),
  min: unit(MINUTE),
  mins: unit(MINUTE),
  hour: unit(HOUR),
  hours: unit(HOUR),
  hr: unit(HOUR),
  hrs: unit(HOUR),
  h: unit(HOUR),
  day: days(1),
  days: days(1),
  week: days(7),
  weeks: days(7),
  fortnight: days(14),
  month: months(1),
  months: months(1),
  year: months(12),
  years: months(12),
}

export function readUnit(tokens: readonly Token[], at: number): Read<Unit> {
  const value = Object.hasOwn(UNITS, wordAt(tokens, at)) ? UNITS[wordAt(tokens, at)] : undefined
  return value && { value, next: at + 1 }
}

/** Several parts add up when each is smaller than the one before: `1 hour and 15 minutes`. */
export function readSpan(tokens: readonly Token[], at: number): Read<Span> {
  let part = readPart(tokens, at)
  if (!part) return undefined
  let total = part.value.span
  let next = part.next
  for (;;) {
    const joined = wordAt(tokens, next) === 'and' ? next + 1 : next
    const { smallest } = part.value
    part = readPart(tokens, joined)
    if (!part || part.value.largest >= smallest) return { value: total, next }
    total = add(total, part.value.span)
    next = part.next
  }
}

type Part = Readonly<{ span: Span; largest: number; smallest: number }>

function readPart(tokens: readonly Token[], at: number): Read<Part> {
  return readCompact(tokens, at) ?? readFraction(tokens, at) ?? readCounted(tokens, at)
}

/** `90s`, `20min`, `1h30m`, `2d`. */
function readCompact(tokens: readonly Token[], at: number): Read<Part> {
  const word = wordAt(tokens, at)
  if (!/^(\d+(\.\d+)?(s|secs?|m|mins?|h|hrs?|d))+$/.test(word)) return undefined
  const wholeDays = /^(\d+)d$/.exec(word)?.[1]
  if (wholeDays) return { value: partOf(Number(wholeDays), days(1), DAY), next: at + 1 }
  const ms = parseDuration(word.replaceAll(/(sec|min|hr)s?/g, name => name[0] ?? ''))
  return ms === undefined
    ? undefined
    : { value: { span: { ms, days: 0, months: 0 }, largest: ms, smallest: 1 }, next: at + 1 }
}

const QUARTER = ['a quarter of an', 'quarter of an', 'a quarter', 'quarter']
const THREE_QUARTERS = ['three quarters of an', 'three-quarters of an']
const HALF = ['half a', 'half an', 'half', 'a half', 'half of an']

function readFraction(tokens: readonly Token[], at: number): Read<Part> {
  const fractions: readonly (readonly [number, readonly string[]])[] = [
    [0.25, QUARTER],
    [0.75, THREE_QUARTERS],
    [0.5, HALF],
  ]
  for (const [share, phrases] of fractions) {
    const after = skipAnyPhrase(tokens, at, phrases)
    const found = after === undefined ? undefined : readUnit(tokens, after)
    if (!found || found.value.field === 'months') continue
    if (share !== 0.5 && found.value.amount !== HOUR) continue
    return { value: partOf(share, found.value, found.value.size * share), next: found.next }
  }
  return undefined
}

/** `5 minutes`, `an hour and a half`, `one and a half hours`, `a couple of days`. */
function readCounted(tokens: readonly Token[], at: number): Read<Part> {
  const couple = skipAnyPhrase(tokens, at, ['a couple of', 'a couple'])
  const count = couple === undefined ? readCount(tokens, at) : { value: 2, next: couple }
  if (!count) return undefined
  const halfBefore = skipWords(tokens, count.next, 'and a half')
  const found = readUnit(tokens, halfBefore ?? count.next)
  if (!found) return undefined
  const halfAfter = halfBefore === undefined ? skipWords(tokens, found.next, 'and a half') : undefined
  // "and a half hour" belongs to the next part, not to this one.
  const half = halfBefore ?? (halfAfter !== undefined && !readUnit(tokens, halfAfter) ? halfAfter : undefined)
  const amount = count.value + (half === undefined ? 0 : 0.5)
  if (found.value.field === 'months' && !Number.isInteger(amount)) return undefined
  return {
    value: partOf(amount, found.value, half === undefined ? found.value.size : found.value.size / 2),
    next: halfAfter !== undefined && half === halfAfter ? halfAfter : found.next,
  }
}

function partOf(count: number, of: Unit, smallest: number): Part {
  const amount = count * of.amount
  const none: Span = { ms: 0, days: 0, months: 0 }
  const largest = of.size
  if (of.field !== 'days' || Number.isInteger(amount)) {
    const exact = of.field === 'ms' ? Math.round(amount) : amount
    return { span: { ...none, [of.field]: exact }, largest, smallest }
  }
  return { span: { ...none, ms: Math.round(amount * DAY) }, largest, smallest }
}

function add(a: Span, b: Span): Span {
  return { ms: a.ms + b.ms, days: a.days + b.days, months: a.months + b.months }
}

/** `in 20 minutes`, `after an hour`, `20 minutes from now`. */
export function readDelay(tokens: readonly Token[], at: number): Read<Span> {
  const word = wordAt(tokens, at)
  if (word === 'in' || word === 'after') {
    const exact = wordAt(tokens, at + 1) === 'exactly' ? at + 2 : at + 1
    return readSpan(tokens, exact)
  }
  if (!readCardinal(tokens, at) && !/^(\d|a$|an$|half|quarter|three-quarters)/.test(word)) return undefined
  const span = readSpan(tokens, at)
  const next = span && skipWords(tokens, span.next, 'from now')
  return span && next !== undefined ? { value: span.value, next } : undefined
}
