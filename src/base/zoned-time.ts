// Local time in IANA zones, over Intl alone: wall clock to instant and back, offsets, and the one form in which an
// instant is shown to people (local time, zone, offset). Pure; takes instants, never reads a clock.
import { DAY, HOUR, MINUTE, SECOND } from './durations.ts'

/** A reading of a wall clock; month is 1-12, weekday 0 (Sunday) to 6. */
export interface WallTime {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
}

const FORMATS = new Map<string, Intl.DateTimeFormat>()
const FORMATS_MAX = 200

function formatFor(zone: string): Intl.DateTimeFormat {
  let format = FORMATS.get(zone)
  if (!format) {
    if (FORMATS.size >= FORMATS_MAX) FORMATS.clear()
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    FORMATS.set(zone, format)
  }
  return format
}

/** Whether this runtime knows the zone (IANA names; also `UTC`). Fixed offsets such as `+02:00` are refused. */
export function isZone(zone: string): boolean {
  if (!/^[A-Za-z]/.test(zone)) return false
  try {
    formatFor(zone)
    return true
  } catch {
    return false
  }
}

/** Offsets that hold for a whole span, by zone and span; a span in which the offset changes is not kept. */
const OFFSETS = new Map<string, number>()
const OFFSETS_MAX = 2_000
/** No zone has changed its offset twice within so short a time. */
const SPAN_MS = 6 * HOUR

/** Intl is asked twice for each zone and span, then known: what remains is arithmetic. */
export function wallTime(instantMs: number, zone: string): WallTime {
  if (zone === 'UTC') return utcReading(instantMs)
  const span = Math.floor(instantMs / SPAN_MS)
  const key = `${zone} ${span}`
  let offset = OFFSETS.get(key)
  if (offset === undefined) {
    const [begin, end] = [span * SPAN_MS, (span + 1) * SPAN_MS]
    if (Math.abs(begin) > INSTANT_MS_MAX || Math.abs(end) > INSTANT_MS_MAX) return formatted(instantMs, zone)
    offset = wallAsUtc(formatted(begin, zone)) - begin
    if (wallAsUtc(formatted(end, zone)) - end !== offset) return formatted(instantMs, zone)
    if (OFFSETS.size >= OFFSETS_MAX) OFFSETS.clear()
    OFFSETS.set(key, offset)
  }
  return utcReading(instantMs + offset)
}

/** The last instant that a Date can hold, in either direction. */
const INSTANT_MS_MAX = 8.64e15

function utcReading(instantMs: number): WallTime {
  // biome-ignore lint/style/noRestrictedGlobals: calendar arithmetic on a given instant; it reads no clock.
  const date = new Date(instantMs)
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
  }
}

function formatted(instantMs: number, zone: string): WallTime {
  const fields: Record<string, number> = {}
  for (const part of formatFor(zone).formatToParts(instantMs)) fields[part.type] = Number(part.value)
  const field = (name: string) => fields[name] ?? 0
  return {
    year: field('year'),
    month: field('month'),
    day: field('day'),
    hour: field('hour'),
    minute: field('minute'),
    second: field('second'),
  }
}

/**
 * The reading as if it were UTC; lets wall times be compared and added as numbers. Days, hours, minutes and seconds out
 * of range carry over. Plain arithmetic, so that it holds for every year and past the end of what a Date can hold.
 */
export function wallAsUtc(wall: WallTime): number {
  return daysSinceEpoch(wall) * DAY + wall.hour * HOUR + wall.minute * MINUTE + wall.second * SECOND
}

/** Days from 1970-01-01 in the proleptic Gregorian calendar; years are counted from March, so that a leap day is last. */
function daysSinceEpoch({ year, month, day }: WallTime): number {
  const marchYear = month <= 2 ? year - 1 : year
  const monthFromMarch = (month + 9) % 12
  const dayOfYear = Math.floor((153 * monthFromMarch + 2) / 5) + day - 1
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400)
  return 365 * marchYear + leapDays + dayOfYear - DAYS_FROM_MARCH_0000_TO_1970
}

const DAYS_FROM_MARCH_0000_TO_1970 = 719_468

/** Offset from UTC at an instant, in milliseconds; positive east of Greenwich. */
export function offsetMs(instantMs: number, zone: string): number {
  const wholeSecondMs = Math.floor(instantMs / SECOND) * SECOND
  return wallAsUtc(wallTime(wholeSecondMs, zone)) - wholeSecondMs
}

/** No zone has changed its offset and changed back within this span; a longer step could jump over such a pair. */
const CHANGE_STEP = 7 * DAY

/** The first instant later than `fromMs` and not later than `untilMs` at which the zone's offset changes. */
export function nextOffsetChange(fromMs: number, untilMs: number, zone: string): number | undefined {
  const before = offsetMs(fromMs, zone)
  const until = Math.floor(untilMs / SECOND) * SECOND
  let low = Math.floor(fromMs / SECOND) * SECOND
  while (low < until) {
    let high = Math.min(low + CHANGE_STEP, until)
    if (offsetMs(high, zone) === before) {
      low = high
      continue
    }
    while (high - low > SECOND) {
      const middle = Math.floor((low + high) / (2 * SECOND)) * SECOND
      if (offsetMs(middle, zone) === before) low = middle
      else high = middle
    }
    return high
  }
  return undefined
}

/** How a wall time maps to instants: once, never (spring gap), or twice (autumn). */
export type WallMatch =
  | { readonly kind: 'once'; readonly instantMs: number }
  | { readonly kind: 'gap'; readonly instantMs: number }
  | { readonly kind: 'twice'; readonly instantMs: number; readonly secondMs: number }

/**
 * The instant of a wall time in a zone. A reading that exists twice answers the first (and the second beside it); one
 * that does not exist answers the first instant after the gap.
 */
export function instantOf(wall: WallTime, zone: string): WallMatch {
  const asUtc = wallAsUtc(wall)
  const offsetEarlier = offsetMs(asUtc - DAY, zone)
  const offsetLater = offsetMs(asUtc + DAY, zone)
  if (offsetEarlier === offsetLater) return { kind: 'once', instantMs: asUtc - offsetEarlier }
  const [first, second] = [offsetEarlier, offsetLater]
    .map(offset => asUtc - offset)
    .filter(instantMs => instantMs + offsetMs(instantMs, zone) === asUtc)
    .sort((a, b) => a - b)
  if (first !== undefined && second !== undefined) return { kind: 'twice', instantMs: first, secondMs: second }
  if (first !== undefined) return { kind: 'once', instantMs: first }
  const endOfGapMs = nextOffsetChange(asUtc - DAY, asUtc + DAY, zone)
  // A reading without an instant is in a gap, and a gap is a change within a day of it.
  if (endOfGapMs === undefined) throw new Error(`no change of offset around ${asUtc} in ${zone}`)
  return { kind: 'gap', instantMs: endOfGapMs }
}

/** `+02:00`, `-09:30`, `+00:00`. */
export function formatOffset(offset: number): string {
  const minutes = Math.round(Math.abs(offset) / MINUTE)
  const pad = (value: number) => String(value).padStart(2, '0')
  return `${offset < 0 ? '-' : '+'}${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}`
}

const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

/** `Mon 2026-11-23 09:00 Europe/Berlin (+01:00)`; seconds only when there are any. The one form people see. */
export function formatInstant(instantMs: number, zone: string): string {
  const wall = wallTime(instantMs, zone)
  const pad = (value: number) => String(value).padStart(2, '0')
  // 1970-01-01 was a Thursday; the second remainder is for days before it.
  const weekday = WEEKDAYS[(((daysSinceEpoch(wall) + 4) % 7) + 7) % 7]
  const seconds = wall.second === 0 ? '' : `:${pad(wall.second)}`
  const date = `${String(wall.year).padStart(4, '0')}-${pad(wall.month)}-${pad(wall.day)}`
  const offset = formatOffset(offsetMs(instantMs, zone))
  return `${weekday} ${date} ${pad(wall.hour)}:${pad(wall.minute)}${seconds} ${zone} (${offset})`
}
