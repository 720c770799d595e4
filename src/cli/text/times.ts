// Instants, spans and schedules in the short forms of tables. Longer forms, with zone and offset, are formatInstant's.
import { DAY, HOUR, MINUTE, SECOND } from '../../base/durations.ts'
import { formatInstant, formatOffset, offsetMs, wallTime } from '../../base/zoned-time.ts'
import type { Job } from '../../protocol/job.ts'

/** `<1m`, `5m`, `3h`, `2d`: one unit. */
function roughly(durationMs: number): string {
  if (durationMs < MINUTE) return '<1m'
  if (durationMs < HOUR - MINUTE / 2) return `${Math.round(durationMs / MINUTE)}m`
  return durationMs < DAY ? `${Math.round(durationMs / HOUR)}h` : `${Math.round(durationMs / DAY)}d`
}

/** `in 5m`, `<1m ago`; what is due within a second is `now`. */
export function relative(instantMs: number | undefined, nowMs: number): string {
  if (instantMs === undefined) return '-'
  const distanceMs = instantMs - nowMs
  if (Math.abs(distanceMs) < SECOND) return 'now'
  return distanceMs > 0 ? `in ${roughly(distanceMs)}` : `${roughly(-distanceMs)} ago`
}

const pad = (value: number) => String(value).padStart(2, '0')

/** `2026-11-23 09:00 +01:00` */
export function shortInstant(instantMs: number, zone: string): string {
  const { year, month, day, hour, minute, second } = wallTime(instantMs, zone)
  const seconds = second === 0 ? '' : `:${pad(second)}`
  return `${year}-${pad(month)}-${pad(day)} ${pad(hour)}:${pad(minute)}${seconds} ${formatOffset(offsetMs(instantMs, zone))}`
}

/** `14:03` */
export function clockTime(instantMs: number, zone: string): string {
  const { hour, minute } = wallTime(instantMs, zone)
  return `${pad(hour)}:${pad(minute)}`
}

/** `Mon 09:00`; with its date when it is not of the last six days. */
export function recentTime(instantMs: number, nowMs: number, zone: string): string {
  const [weekday, date] = formatInstant(instantMs, zone).split(' ')
  const isRecent = Math.abs(nowMs - instantMs) < 6 * DAY
  return `${weekday} ${isRecent ? '' : `${date} `}${clockTime(instantMs, zone)}`
}

export function shortSchedule(schedule: Job['schedule'], zone: string): string {
  switch (schedule.kind) {
    case 'at':
      return `at ${shortInstant(schedule.atMs, zone)}`
    case 'every':
      return `every ${exactly(schedule.everyMs)}${betweenWords(schedule, zone)}`
    case 'after':
      return `after ${schedule.job.slice(0, 8)}${schedule.on === 'ok' ? '' : ` (${schedule.on})`}`
    case 'cron':
      return `cron ${schedule.expr} @ ${schedule.tz ?? zone}`
  }
}

/** ` 08:00-18:00 @ Europe/Berlin`, with ` on 1,2,3` where it is not for all days. */
function betweenWords({ between, tz }: Extract<Job['schedule'], { kind: 'every' }>, zone: string): string {
  if (!between) return ''
  const days = between.weekdays ? ` on ${between.weekdays.join()}` : ''
  return ` ${between.from}-${between.to}${days} @ ${tz ?? zone}`
}

const UNITS = { d: DAY, h: HOUR, m: MINUTE, s: SECOND, ms: 1 }

/** Every unit, not two as formatDuration: an interval that is rounded is a wrong one. */
function exactly(durationMs: number): string {
  let restMs = durationMs
  const parts = Object.entries(UNITS).map(([unit, unitMs]) => {
    const count = Math.floor(restMs / unitMs)
    restMs -= count * unitMs
    return count > 0 ? `${count}${unit}` : ''
  })
  return parts.filter(part => part !== '').join(' ')
}
