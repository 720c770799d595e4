// Arithmetic on dates of the civil calendar, with no zone and no clock: length of months, weekday, adding days and
// months. It rests on the wall-time functions of base and never makes an instant that means anything by itself.

import { DAY } from '../base/durations.ts'
import { wallAsUtc, wallTime } from '../base/zoned-time.ts'
import { phrases } from './tokens.ts'

export interface CivilDate {
  readonly year: number
  /** 1-12. */
  readonly month: number
  readonly day: number
}

export const WEEKDAY_NAMES = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
export const MONTH_NAMES = phrases(
  'January, February, March, April, May, June, July, August, September, October, November, December',
)

function isLeapYear(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
}

/** Without a year, February has 29 days: the longest that it can have. */
export function daysInMonth(month: number, year?: number): number {
  if (month === 2) return year === undefined || isLeapYear(year) ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}

export function isValidDate(date: CivilDate): boolean {
  return date.month >= 1 && date.month <= 12 && date.day >= 1 && date.day <= daysInMonth(date.month, date.year)
}

function dayNumber({ year, month, day }: CivilDate): number {
  return wallAsUtc({ year, month, day, hour: 0, minute: 0, second: 0 }) / DAY
}

/** 0 (Sunday) to 6. */
export function weekdayOf(date: CivilDate): number {
  return (((dayNumber(date) + 4) % 7) + 7) % 7
}

export function addDays(date: CivilDate, days: number): CivilDate {
  const { year, month, day } = wallTime((dayNumber(date) + days) * DAY, 'UTC')
  return { year, month, day }
}

/** Keeps the day of the month, or takes the last one where the month is shorter. */
export function addMonths(date: CivilDate, months: number): CivilDate {
  const index = date.year * 12 + date.month - 1 + months
  const [year, month] = [Math.floor(index / 12), (index % 12) + 1]
  return { year, month, day: Math.min(date.day, daysInMonth(month, year)) }
}

export function compareDates(a: CivilDate, b: CivilDate): number {
  return dayNumber(a) - dayNumber(b)
}

export function dateIn(instantMs: number, zone: string): CivilDate {
  const { year, month, day } = wallTime(instantMs, zone)
  return { year, month, day }
}
