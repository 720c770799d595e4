// Jobs in words. What the scheduler answered is described, never what was asked for, so that a confirmation cannot claim
// more than is so.
import { formatInstant } from '../../base/zoned-time.ts'
import { recurrenceInWords, zoneOfSchedule } from '../../words/describe.ts'
import type { JobView } from './jobs.ts'

/** The next run: what the scheduler says, else the instant of a single one. */
export function nextRunOf(job: JobView): number | undefined {
  return job.nextRunAtMs ?? (job.schedule?.kind === 'at' && job.enabled ? job.schedule.atMs : undefined)
}

/** `“stretch”: every day at 08:00 Europe/Berlin; next Tue 2026-11-24 08:00 Europe/Berlin (+01:00)`. */
export function jobInWords(job: JobView, zone: string): string {
  const recurrence = job.schedule && recurrenceInWords(job.schedule, zone)
  const next = nextRunOf(job)
  const shown = next === undefined ? undefined : formatInstant(next, zoneOfSchedule(job.schedule, zone))
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
