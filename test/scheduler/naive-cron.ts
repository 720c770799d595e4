// An independent, deliberately naive model of cron with daylight saving: it walks the instants of a window one by one,
// reads the local time of each from the offset that Intl prints, and keeps a list of the readings it has seen. It shares
// no code with the scheduler and no parser: generated fields carry their own meaning.
import fc from 'fast-check'

const DAY = 86_400_000

/** One field of an expression: its text, and what the text means. */
export interface Field {
  readonly text: string
  readonly allows: (value: number) => boolean
}

export interface DayField {
  readonly text: string
  readonly allows: (midnightMs: number) => boolean
}

export interface ModelSchedule {
  readonly second?: Field
  readonly minute: Field
  readonly hour: Field
  readonly day: DayField
  readonly month: Field
  readonly weekday: DayField
}

export function expressionOf({ second, minute, hour, day, month, weekday }: ModelSchedule): string {
  return [...(second ? [second] : []), minute, hour, day, month, weekday].map(field => field.text).join(' ')
}

const isBare = (field: { readonly text: string }) => field.text === '*' || field.text === '?'

function dateMatches({ day, weekday, month }: ModelSchedule, reading: Reading): boolean {
  if (!month.allows(reading.month)) return false
  if (isBare(day)) return isBare(weekday) || weekday.allows(reading.midnightMs)
  if (isBare(weekday)) return day.allows(reading.midnightMs)
  return day.allows(reading.midnightMs) || weekday.allows(reading.midnightMs)
}

function readingMatches(schedule: ModelSchedule, reading: Reading): boolean {
  const second = schedule.second ? schedule.second.allows(reading.second) : reading.second === 0
  if (!second || !schedule.minute.allows(reading.minute) || !schedule.hour.allows(reading.hour)) return false
  return dateMatches(schedule, reading)
}

interface Reading {
  readonly wallMs: number
  readonly midnightMs: number
  readonly month: number
  readonly hour: number
  readonly minute: number
  readonly second: number
}

function reading(wallMs: number): Reading {
  const wall = new Date(wallMs)
  return {
    wallMs,
    midnightMs: Math.floor(wallMs / DAY) * DAY,
    month: wall.getUTCMonth() + 1,
    hour: wall.getUTCHours(),
    minute: wall.getUTCMinutes(),
    second: wall.getUTCSeconds(),
  }
}

export interface Window {
  readonly stepMs: number
  /** The instants of the window with their local readings (as if UTC), in order. */
  readonly readings: readonly (Reading & { readonly atMs: number })[]
}

/** `fromMs` and `stepMs` must fall on the steps of every local clock: whole minutes, or seconds. */
export function walk(zone: string, [fromMs, toMs]: readonly [number, number], stepMs: number): Window {
  const format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, timeZoneName: 'longOffset' })
  const readings: (Reading & { atMs: number })[] = []
  for (let atMs = fromMs; atMs < toMs; atMs += stepMs) {
    const [, sign, hours, minutes] = /GMT(?:([+-])(\d\d):(\d\d))?$/.exec(format.format(atMs)) ?? []
    const offset = (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * 60_000 * (sign === '-' ? -1 : 1)
    readings.push({ atMs, ...reading(atMs + offset) })
  }
  return { stepMs, readings }
}

/** Every firing of the window. A reading repeated from before the window is not known to be one. */
export function firings(schedule: ModelSchedule, { readings, stepMs }: Window): number[] {
  if (isBare(schedule.hour)) return readings.filter(each => readingMatches(schedule, each)).map(({ atMs }) => atMs)
  const fired = new Set<number>()
  const seen = new Set<number>()
  let expectedMs: number | undefined
  for (const each of readings) {
    const { atMs, wallMs } = each
    for (let skippedMs = expectedMs ?? wallMs; skippedMs < wallMs; skippedMs += stepMs) {
      if (readingMatches(schedule, reading(skippedMs))) fired.add(atMs)
    }
    if (!seen.has(wallMs) && readingMatches(schedule, each)) fired.add(atMs)
    seen.add(wallMs)
    expectedMs = wallMs + stepMs
  }
  return [...fired]
}

/** Bare, single, list, range, steps and stepped ranges over `min`..`max`; `maxStep` bounds what croner calls a step. */
function fields(min: number, max: number): fc.Arbitrary<Field> {
  const value = fc.integer({ min, max })
  const range = fc.tuple(value, value).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
  const step = fc.integer({ min: 1, max: max - min + 1 })
  return fc.oneof(
    fc.constantFrom('*', '?').map(text => ({ text, allows: () => true })),
    value.map(only => ({ text: String(only), allows: (n: number) => n === only })),
    fc
      .uniqueArray(value, { minLength: 2, maxLength: 4 })
      .map(list => ({ text: list.join(','), allows: (n: number) => list.includes(n) })),
    range.map(([low, high]) => ({ text: `${low}-${high}`, allows: (n: number) => n >= low && n <= high })),
    step.map(by => ({ text: `*/${by}`, allows: (n: number) => (n - min) % by === 0 })),
    fc.tuple(range, step).map(([[low, high], by]) => ({
      text: `${low}-${high}/${by}`,
      allows: (n: number) => n >= low && n <= high && (n - low) % by === 0,
    })),
  )
}

const dateOf = (midnightMs: number) => new Date(midnightMs).getUTCDate()
const weekdayOf = (midnightMs: number) => new Date(midnightMs).getUTCDay()
const isLastOfMonth = (midnightMs: number) => dateOf(midnightMs + DAY) === 1

const bareDay: DayField = { text: '*', allows: () => true }
const lastDay: DayField = { text: 'L', allows: isLastOfMonth }
const workdays: DayField = { text: 'MON-FRI', allows: midnight => weekdayOf(midnight) % 6 !== 0 }

const monthDays = fc.oneof(
  { weight: 4, arbitrary: fc.constant(bareDay) },
  fc.constant(lastDay),
  fields(1, 31).map(({ text, allows }) => ({ text, allows: (midnight: number) => allows(dateOf(midnight)) })),
)

const weekday = fc.integer({ min: 0, max: 6 })
const weekdays = fc.oneof(
  { weight: 4, arbitrary: fc.constant(bareDay) },
  fc.constant(workdays),
  weekday.map(only => ({ text: String(only), allows: (midnight: number) => weekdayOf(midnight) === only })),
  fc.tuple(weekday, fc.integer({ min: 1, max: 5 })).map(([day, nth]) => ({
    text: `${day}#${nth}`,
    allows: (midnight: number) => weekdayOf(midnight) === day && Math.ceil(dateOf(midnight) / 7) === nth,
  })),
  weekday.map(day => ({
    text: `${day}L`,
    allows: (midnight: number) => weekdayOf(midnight) === day && dateOf(midnight + 7 * DAY) <= 7,
  })),
)

const bareMonth: Field = { text: '*', allows: () => true }
const months = fc.oneof({ weight: 4, arbitrary: fc.constant(bareMonth) }, fields(1, 12))

/** Hours lean to the night, where clocks change. */
const hours = fc.oneof({ weight: 2, arbitrary: fields(0, 3) }, fields(0, 23))

const date = { day: monthDays, month: months, weekday: weekdays }
export const minuteSchedules: fc.Arbitrary<ModelSchedule> = fc.record({ minute: fields(0, 59), hour: hours, ...date })
export const secondSchedules: fc.Arbitrary<ModelSchedule> = fc.record({
  second: fields(0, 59),
  minute: fields(0, 59),
  hour: hours,
  day: fc.constant(bareDay),
  month: fc.constant(bareMonth),
  weekday: fc.constant(bareDay),
})
