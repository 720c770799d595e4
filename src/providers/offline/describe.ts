// Schedules and jobs in words. What the scheduler answered is described, never what was asked for, so that a
// confirmation cannot claim more than is so. A cron line that this page does not know is shown as it stands.
import { DAY, HOUR, MINUTE, SECOND } from '../../base/durations.ts'
import { formatInstant } from '../../base/zoned-time.ts'
import type { Schedule } from '../../protocol/job.ts'
import { MONTH_NAMES, WEEKDAY_NAMES } from './calendar.ts'
import type { JobView } from './jobs.ts'
import { ordinalEnding } from './numbers.ts'

/** `every weekday (Monday to Friday) at 09:00 Europe/Berlin`, `every 90 minutes`; undefined for a single instant. */
export function recurrenceInWords(schedule: Schedule, zone: string): string | undefined {
  if (schedule.kind === 'at') return undefined
  if (schedule.kind === 'every') return `every ${intervalInWords(schedule.everyMs)}`
  const tz = schedule.tz ?? zone
  const words = cronInWords(schedule.expr)
  return words === undefined ? `by the cron line \`${schedule.expr}\` in ${tz}` : `${words} ${tz}`
}

const INTERVAL_UNITS = [
  ['week', 7 * DAY],
  ['day', DAY],
  ['hour', HOUR],
  ['minute', MINUTE],
  ['second', SECOND],
] as const

function intervalInWords(everyMs: number): string {
  for (const [name, unitMs] of INTERVAL_UNITS) {
    if (everyMs % unitMs !== 0) continue
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
  if (day === '*' && month === '*') return weekdaysInWords(weekday)
  if (weekday !== '*' || !day.split(',').every(each => isPlain(each, 31))) return undefined
  const days = day.split(',').map(each => `${each}${ordinalEnding(Number(each))}`)
  if (month === '*') return `on the ${join(days)} of every month`
  return isPlain(month, 12) && days.length === 1
    ? `every year on ${Number(day)} ${MONTH_NAMES[Number(month) - 1]}`
    : undefined
}

function weekdaysInWords(field: string): string | undefined {
  if (field === '*') return 'every day'
  if (field === '1-5') return 'every weekday (Monday to Friday)'
  if (field === '0,6') return 'every weekend (Saturday and Sunday)'
  const days = field.split(',')
  return days.every(each => isPlain(each, 6))
    ? `every ${join(days.map(each => WEEKDAY_NAMES[Number(each)] ?? ''))}`
    : undefined
}

export function join(parts: readonly string[]): string {
  return parts.length < 2 ? (parts[0] ?? '') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`
}

/** The next run: what the scheduler says, else the instant of a single one. */
export function nextRunOf(job: JobView): number | undefined {
  return job.nextRunAtMs ?? (job.schedule?.kind === 'at' && job.enabled ? job.schedule.atMs : undefined)
}

/** The zone in which a job's times are shown: its own, else the person's. */
function zoneOfJob(job: JobView, zone: string): string {
  return job.schedule?.kind === 'cron' ? (job.schedule.tz ?? zone) : zone
}

/** `“stretch”: every day at 08:00 Europe/Berlin; next Tue 2026-11-24 08:00 Europe/Berlin (+01:00)`. */
export function jobInWords(job: JobView, zone: string): string {
  const recurrence = job.schedule && recurrenceInWords(job.schedule, zone)
  const next = nextRunOf(job)
  const shown = next === undefined ? undefined : formatInstant(next, zoneOfJob(job, zone))
  const parts = [
    recurrence,
    shown && (recurrence ? `next ${shown}` : shown),
    !job.enabled && 'paused',
    job.enabled && !shown && 'no next run',
  ]
  return `“${job.name}”: ${parts.filter(Boolean).join('; ')}`
}

/** One line of a numbered list. It does not depend on the clock, so that a later message can be matched with it. */
export function jobLine(place: number, job: JobView, zone: string): string {
  return `${place}. ${jobInWords(job, zone)}`
}

export function jobLines(jobs: readonly JobView[], zone: string): string {
  return jobs.map((job, index) => jobLine(index + 1, job, zone)).join('\n')
}
