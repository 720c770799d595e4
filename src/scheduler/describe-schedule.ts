// A schedule in a few words for people, exact enough that two different intervals never read alike. It refuses to
// predict: occurrences come from next-occurrence.ts, and prose for a cron expression is the CLI's and UI's affair.
import { DAY, HOUR, MINUTE, SECOND } from '../base/durations.ts'
import { formatInstant } from '../base/zoned-time.ts'
import type { Schedule } from '../protocol/job.ts'

/**
 * `at Mon 2026-11-23 09:00 Europe/Berlin (+01:00)`, `every 1h 30m`, `cron 0 9 * * 1-5 @ Europe/Berlin`.
 * `zone` is the one in which an instant is shown, and that of a cron schedule which names none.
 */
export function describeSchedule(schedule: Schedule, zone: string): string {
  switch (schedule.kind) {
    case 'at':
      return `at ${formatInstant(schedule.atMs, zone)}`
    case 'every':
      return `every ${exactDuration(schedule.everyMs)}`
    case 'cron':
      return `cron ${schedule.expr} @ ${schedule.tz ?? zone}`
  }
}

const UNITS = { d: DAY, h: HOUR, m: MINUTE, s: SECOND, ms: 1 }

/** Every unit down to the millisecond: formatDuration rounds to two, and an interval that is rounded is a wrong one. */
function exactDuration(durationMs: number): string {
  const parts: string[] = []
  let restMs = durationMs
  for (const [unit, unitMs] of Object.entries(UNITS)) {
    const count = Math.floor(restMs / unitMs)
    restMs -= count * unitMs
    if (count > 0) parts.push(`${count}${unit}`)
  }
  return parts.join(' ')
}
