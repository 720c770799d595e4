// Times of the clock: `17:30`, `at 9`, `5 pm`, `half past seven`, `noon`, and the part of the day that decides which
// nine is meant. A bare number counts only after `at`; a time that contradicts its part of the day has no meaning.
import { readCardinal } from './numbers.ts'
import { type Read, skipAnyPhrase, skipWords, type Token, wordAt } from './tokens.ts'

export interface ClockTime {
  readonly hour: number
  readonly minute: number
  readonly second: number
  /** Whether the hour is certain; `9` is not, since "in the evening" may still move it. */
  readonly fixed: boolean
  /** Said as `midnight`: without a part of the day it may be where the named day begins, or where it ends. */
  readonly isMidnight?: boolean
}

export type DayPart = 'morning' | 'afternoon' | 'evening' | 'night'

const SHARP = ['sharp', 'exactly', 'precisely', 'on the dot', 'hours']
const MINUTES_BEFORE_OR_AFTER = [5, 10, 20, 25]

/** One or several times: `at 9`, `at 8:00 and 20:00`, `at 9, 13 and 17`. */
export function readTimes(tokens: readonly Token[], at: number): Read<readonly ClockTime[]> {
  const led = isLead(wordAt(tokens, at))
  let read = readClock(tokens, led ? at + 1 : at, led)
  if (!read) return undefined
  const times = [read.value]
  let next = read.next
  for (;;) {
    const follow = followingTime(tokens, next)
    read = follow === undefined ? undefined : readClock(tokens, follow, led)
    if (!read) return { value: times, next }
    times.push(read.value)
    next = read.next
  }
}

function isLead(word: string): boolean {
  return word === 'at' || word === '@'
}

/** Where a further time of a list would start; a comma alone is enough only when the list goes on after it. */
function followingTime(tokens: readonly Token[], at: number): number | undefined {
  const word = wordAt(tokens, at)
  if (word === 'and' || word === '&') return isLead(wordAt(tokens, at + 1)) ? at + 2 : at + 1
  const comma = tokens[at - 1]?.after === ','
  const more = tokens[at]?.after === ',' || wordAt(tokens, at + 1) === 'and'
  return comma && more ? at : undefined
}

/** One time; `led`: after a word such as `at`, where a bare number is one. */
export function readClock(tokens: readonly Token[], at: number, led: boolean): Read<ClockTime> {
  const read =
    readNamed(tokens, at) ??
    readRelativeToHour(tokens, at) ??
    readDigits(tokens, at, led) ??
    readSpoken(tokens, at, led)
  if (!read) return undefined
  return { value: read.value, next: skipAnyPhrase(tokens, read.next, SHARP) ?? read.next }
}

const NAMED: Readonly<Record<string, number>> = { noon: 12, midday: 12, midnight: 0 }

function readNamed(tokens: readonly Token[], at: number): Read<ClockTime> {
  const start = wordAt(tokens, at) === '12' ? at + 1 : at
  const hour = Object.hasOwn(NAMED, wordAt(tokens, start)) ? NAMED[wordAt(tokens, start)] : undefined
  if (hour === undefined) return undefined
  const time = { hour, minute: 0, second: 0, fixed: true }
  return { value: hour === 0 ? { ...time, isMidnight: true } : time, next: start + 1 }
}

/** `half past seven`, `quarter to 8`, `ten past nine pm`. */
function readRelativeToHour(tokens: readonly Token[], at: number): Read<ClockTime> {
  const minutes = readMinutesAround(tokens, at)
  if (!minutes) return undefined
  const direction = wordAt(tokens, minutes.next)
  if (direction !== 'past' && direction !== 'to') return undefined
  if (direction === 'to' && minutes.value === 30) return undefined
  const hour = readCardinal(tokens, minutes.next + 1)
  if (!hour || hour.value < 1 || hour.value > 12) return undefined
  const ofHour = readMeridiem(
    tokens,
    { hour: hour.value, minute: 0, second: 0, fixed: false },
    skipOClock(tokens, hour.next),
  )
  if (!ofHour) return undefined
  const minute = direction === 'past' ? minutes.value : 60 - minutes.value
  const before = ofHour.value.hour === 1 && !ofHour.value.fixed ? 12 : (ofHour.value.hour + 23) % 24
  return {
    value: { ...ofHour.value, minute, hour: direction === 'past' ? ofHour.value.hour : before },
    next: ofHour.next,
  }
}

function readMinutesAround(tokens: readonly Token[], at: number): Read<number> {
  const quarter = skipAnyPhrase(tokens, at, ['a quarter', 'quarter'])
  if (quarter !== undefined) return { value: 15, next: quarter }
  const half = skipWords(tokens, at, 'half')
  if (half !== undefined) return { value: 30, next: half }
  const count = readCardinal(tokens, at)
  if (!count) return undefined
  const named = skipAnyPhrase(tokens, count.next, ['minutes', 'min'])
  const usual = MINUTES_BEFORE_OR_AFTER.includes(count.value)
  return usual || (named !== undefined && count.value >= 1 && count.value < 60)
    ? { value: count.value, next: named ?? count.next }
    : undefined
}

const COLON = /^(\d{1,2}):(\d\d)(?::(\d\d))?(am|pm)?$/
const HOUR_ONLY = /^(\d{1,2})(am|pm)$/
/** Forms that are times only after `at`: `17.30`, `17h30`, `17h`, `1730`. */
const LED_ONLY = /^(?:(\d{1,2})[.h](\d\d)|(\d{1,2})h|(\d\d)(\d\d))(am|pm)?$/

function readDigits(tokens: readonly Token[], at: number, led: boolean): Read<ClockTime> {
  const word = wordAt(tokens, at).replace(/^@(?=\d)/, '')
  const colon = COLON.exec(word)
  if (colon) return digitsOf(tokens, at, { hour: colon[1], minute: colon[2], second: colon[3], meridiem: colon[4] })
  const hourOnly = HOUR_ONLY.exec(word)
  if (hourOnly) return digitsOf(tokens, at, { hour: hourOnly[1], meridiem: hourOnly[2] })
  const ledOnly = led ? LED_ONLY.exec(word) : null
  if (!ledOnly) return undefined
  const [, dotHour, dotMinute, bareHour, militaryHour, militaryMinute, meridiem] = ledOnly
  return digitsOf(tokens, at, {
    hour: dotHour ?? bareHour ?? militaryHour,
    minute: dotMinute ?? militaryMinute,
    meridiem,
  })
}

interface Digits {
  readonly hour: string | undefined
  readonly minute?: string | undefined
  readonly second?: string | undefined
  readonly meridiem?: string | undefined
}

function digitsOf(tokens: readonly Token[], at: number, digits: Digits): Read<ClockTime> {
  const hour = Number(digits.hour)
  const [minute, second] = [Number(digits.minute ?? 0), Number(digits.second ?? 0)]
  if (hour > 23 || minute > 59 || second > 59) return undefined
  const certain = hour === 0 || hour > 12 || (digits.hour?.startsWith('0') ?? false)
  const time = { hour, minute, second, fixed: certain }
  if (!digits.meridiem) return readMeridiem(tokens, time, skipOClock(tokens, at + 1))
  const value = withMeridiem(time, digits.meridiem)
  return value && { value, next: at + 1 }
}

/** `9`, `nine`, `nine thirty` after `at`; anywhere with `o'clock` or `am`, `pm`. */
function readSpoken(tokens: readonly Token[], at: number, led: boolean): Read<ClockTime> {
  const hour = readCardinal(tokens, at)
  if (!hour || hour.value > 23) return undefined
  const digits = /^\d/.test(wordAt(tokens, at))
  if (digits && wordAt(tokens, at).length > 2) return undefined
  const spokenMinute = led && !digits ? readCardinal(tokens, hour.next) : undefined
  const minute = spokenMinute && spokenMinute.value >= 10 && spokenMinute.value < 60 ? spokenMinute : undefined
  const end = minute?.next ?? hour.next
  const clock = skipOClock(tokens, end)
  const certain = hour.value === 0 || hour.value > 12 || wordAt(tokens, at).startsWith('0')
  const time = { hour: hour.value, minute: minute?.value ?? 0, second: 0, fixed: certain }
  if (!led && clock === end && !isMeridiem(wordAt(tokens, clock))) return undefined
  return readMeridiem(tokens, time, clock)
}

function skipOClock(tokens: readonly Token[], at: number): number {
  return skipAnyPhrase(tokens, at, ["o'clock", 'oclock', "o' clock"]) ?? at
}

function isMeridiem(word: string): boolean {
  return word === 'am' || word === 'pm'
}

/** Takes a following `am` or `pm`; undefined when the two contradict each other. */
function readMeridiem(tokens: readonly Token[], time: ClockTime, at: number): Read<ClockTime> {
  const word = wordAt(tokens, at)
  if (!isMeridiem(word)) return { value: time, next: at }
  const value = withMeridiem(time, word)
  return value && { value, next: at + 1 }
}

function withMeridiem(time: ClockTime, meridiem: string): ClockTime | undefined {
  if (time.hour < 1 || time.hour > 12) return undefined
  return { ...time, hour: (time.hour % 12) + (meridiem === 'pm' ? 12 : 0), fixed: true }
}

const PARTS = new Set<string>(['morning', 'afternoon', 'evening', 'night'])

export function dayPartNamed(word: string): DayPart | undefined {
  return PARTS.has(word) ? (word as DayPart) : undefined
}

/** `in the morning`, `at night`; and the bare word where a day was just named (`tomorrow morning`). */
export function readDayPart(tokens: readonly Token[], at: number, afterDay: boolean): Read<DayPart> {
  const led = skipWords(tokens, at, 'in the') ?? (skipWords(tokens, at, 'at night') === undefined ? undefined : at + 1)
  if (led === undefined && !afterDay) return undefined
  const value = dayPartNamed(wordAt(tokens, led ?? at))
  return value && { value, next: (led ?? at) + 1 }
}

/** The time in 24 hours; `nextDay` when the hour after midnight belongs to the night of the day before. */
export interface HourOfDay {
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly nextDay: boolean
}

const PART_HOURS: Readonly<Record<DayPart, readonly [number, number]>> = {
  morning: [1, 11],
  afternoon: [12, 18],
  evening: [17, 23],
  night: [18, 23],
}

/** Undefined when time and part contradict each other (`17:00 in the morning`) or leave two readings. */
export function hourOfDay(time: ClockTime, part: DayPart | undefined): HourOfDay | undefined {
  const exact = { hour: time.hour, minute: time.minute, second: time.second, nextDay: false }
  if (!part) return exact
  const [first, last] = PART_HOURS[part]
  const readings = time.fixed ? [time.hour] : [time.hour % 12, (time.hour % 12) + 12]
  const inside = readings.filter(hour => hour >= first && hour <= last)
  if (inside[0] !== undefined) return { ...exact, hour: inside[0] }
  const afterMidnight = readings.find(hour => hour <= 4)
  const late = part === 'night' || (part === 'evening' && afterMidnight === 0)
  return late && afterMidnight !== undefined ? { ...exact, hour: afterMidnight, nextDay: true } : undefined
}
