// Schedules in words that the grammar of this folder reads back as the same schedule. A cron line that these words cannot
// say is shown as it stands; nothing is rounded.
import { DAY, HOUR, MINUTE, SECOND } from '../base/durations.ts'
import { formatInstant } from '../base/zoned-time.ts'
import type { Schedule } from '../protocol/job.ts'
import { MONTH_NAMES, WEEKDAY_NAMES } from './calendar.ts'
import { ordinalEnding } from './numbers.ts'

/** The zone in which a schedule's times are shown: its own, else the person's. */
export function zoneOfSchedule(schedule: Schedule | undefined, zone: string): string {
  return (schedule?.kind === 'every' || schedule?.kind === 'cron' ? schedule.tz : undefined) ?? zone
}

const AFTER_WORDS = { ok: 'went well', failed: 'failed', any: 'ended' }

/** `every weekday (Monday to Friday) at 09:00 Europe/Berlin`, `on Tue 2026-11-24 08:00 Europe/Berlin (+01:00)`. */
export function scheduleInWords(schedule: Schedule, zone: string, nameOf: NameOf = jobId => jobId): string {
  if (schedule.kind === 'after') return `after job "${nameOf(schedule.job)}" ${AFTER_WORDS[schedule.on]}`
  return schedule.kind === 'at' ? `on ${formatInstant(schedule.atMs, zone)}` : recurringInWords(schedule, zone)
}

type NameOf = (jobId: string) => string

/** The same of what comes again; undefined for a single instant. */
export function recurrenceInWords(schedule: Schedule, zone: string): string | undefined {
  return schedule.kind === 'at' ? undefined : scheduleInWords(schedule, zone)
}

function recurringInWords(schedule: Exclude<Schedule, { kind: 'at' | 'after' }>, zone: string): string {
  if (schedule.kind === 'every') {
    const { everyMs, between, tz = zone } = schedule
    const interval = `every ${intervalInWords(everyMs)}`
    if (!between) return interval
    const days = between.weekdays ? ` ${weekdaysInWords(between.weekdays)}` : ''
    return `${interval} between ${between.from} and ${between.to}${days} ${tz}`
  }
  const tz = schedule.tz ?? zone
  const words = cronInWords(schedule.expr)
  return words === undefined ? `by the cron line \`${schedule.expr}\` in ${tz}` : `${words} ${tz}`
}

/** A week and a day alone are said in the smaller unit: "every day" asks for a time of day, which an interval has not. */
const INTERVAL_UNITS = [
  ['week', 7 * DAY],
  ['day', DAY],
  ['hour', HOUR],
  ['minute', MINUTE],
  ['second', SECOND],
] as const

function intervalInWords(everyMs: number): string {
  for (const [name, unitMs] of INTERVAL_UNITS) {
    if (everyMs % unitMs !== 0 || (everyMs === unitMs && unitMs >= DAY)) continue
    const count = everyMs / unitMs
    return count === 1 ? name : `${count} ${name}s`
  }
  return `${everyMs} milliseconds`
}

function cronInWords(expr: string): string | undefined {
  const [minute, hour, day, month, weekday, ...more] = expr.trim().split(/\s+/)
  if (more.length > 0 || !isPlain(minute, 59) || !hour?.split(',').every(each => isPlain(each, 23))) return undefined
  const pad = (value = '') => value.padStart(2, '0')
  const times = join(hour.split(',').map(each => `${pad(each)}:${pad(minute)}`))
  const days = daysInWords({ day: day ?? '', month: month ?? '', weekday: weekday ?? '' })
  return days && `${days} at ${times}`
}

function isPlain(field: string | undefined, max: number): boolean {
  return field !== undefined && /^\d{1,2}$/.test(field) && Number(field) <= max
}

function daysInWords({ day, month, weekday }: { day: string; month: string; weekday: string }): string | undefined {
  if (day === '*' && month === '*') return weekday.includes('#') ? nthInWords(weekday) : everyInWords(weekday)
  const days = day.split(',')
  if (weekday !== '*' || !days.every(each => each === 'L' || isPlain(each, 31))) return undefined
  if (month === '*') return `on the ${join(days.map(placeInWords))}${days.includes('L') ? ' day' : ''} of every month`
  return isPlain(month, 12) && days.length === 1 && day !== 'L'
    ? `every year on ${Number(day)} ${MONTH_NAMES[Number(month) - 1]}`
    : undefined
}

function placeInWords(place: string): string {
  return place === 'L' ? 'last' : `${Number(place)}${ordinalEnding(Number(place))}`
}

/** `1#1,1#3`: the weekday field of a cron line for each of the days at each of the places. */
export function nthWeekdays(weekdays: readonly number[], places: readonly (number | string)[]): string {
  return weekdays.flatMap(day => places.map(place => `${day}#${place}`)).join(',')
}

function nthInWords(field: string): string | undefined {
  const pairs = field.split(',').map(each => each.split('#'))
  const [days, places] = [0, 1].map(index => [...new Set(pairs.map(pair => pair[index] ?? ''))])
  const weekdays = days?.map(Number) ?? []
  const isPlainField = weekdays.every(day => day in WEEKDAY_NAMES) && places?.every(each => /^[1-5L]$/.test(each))
  if (!places || !isPlainField || nthWeekdays(weekdays, places) !== field) return undefined
  return `on the ${join(places.map(placeInWords))} ${namesOf(weekdays, '')} of every month`
}

function everyInWords(field: string): string | undefined {
  if (field === '*') return 'every day'
  if (field === '1-5') return 'every weekday (Monday to Friday)'
  const days = field.split(',')
  return days.every(each => isPlain(each, 6)) ? `every ${namesOf(days.map(Number), '')}` : undefined
}

function weekdaysInWords(weekdays: readonly number[]): string {
  return weekdays.join() === '1,2,3,4,5' ? 'on weekdays' : `on ${namesOf(weekdays, 's')}`
}

function namesOf(weekdays: readonly number[], ending: string): string {
  return join(weekdays.map(day => `${WEEKDAY_NAMES[day]}${ending}`))
}

function join(parts: readonly string[]): string {
  return parts.length < 2 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`
}
