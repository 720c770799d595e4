// Days as people have them: by the calendar of a zone, 23 to 25 hours long. Pure; takes instants, never reads a clock.
import { instantOf, wallTime } from './zoned-time.ts'

/** `2026-11-22`, which sorts as the days do. */
export function dayOf(instantMs: number, zone: string): string {
  const { year, month, day } = wallTime(instantMs, zone)
  return [String(year).padStart(4, '0'), pad(month), pad(day)].join('-')
}

/** The first instant of the day that is `days` after the one of an instant; of an earlier one when it is negative. */
export function dayStart(instantMs: number, zone: string, days: number): number {
  const wall = wallTime(instantMs, zone)
  const match = instantOf({ ...wall, day: wall.day + days, hour: 0, minute: 0, second: 0 }, zone)
  return match.instantMs
}

function pad(value: number): string {
  return String(value).padStart(2, '0')
}
