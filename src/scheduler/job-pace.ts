// What a job's own turn may not do to jobs: make them fire ever faster. People and clients may have any schedule; a turn
// that a job began could otherwise feed itself, with nobody there to see it.
import { MINUTE } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import { formatInstant } from '../base/zoned-time.ts'
import type { Job } from '../protocol/job.ts'
import { nextOccurrence } from './next-occurrence.ts'

/** Between two firings of a job that a job's turn made or changed, and from now to the first. */
const JOB_MADE_PACE_MS = MINUTE
/** Throws LIMIT for a job that would fire too soon or too often; `job` knows its next instant. */
export function refuseFasterJob(job: Job, nowMs: number, zone: string): void {
  const first = job.state.nextRunAtMs
  if (first === undefined) return
  const context = { zone, createdAtMs: job.createdAtMs }
  const after = (atMs: number) => nextOccurrence(job.schedule, atMs, context) ?? Number.POSITIVE_INFINITY
  const second = after(first)
  // The grid of a cron expression stays where it is however often the job is saved, so that its next instant is near is no
  // matter; but of instants within one minute we may see only the last, so the next minute's are looked at as well.
  const gapsMs =
    job.schedule.kind === 'cron' ? [second - first, after(second) - second] : [first - nowMs, second - first]
  // NaN: after the last instant there is no gap.
  if (!gapsMs.some(gapMs => gapMs < JOB_MADE_PACE_MS)) return
  const earliestMs = nowMs + JOB_MADE_PACE_MS
  const shown = formatInstant(Math.ceil(earliestMs / 1000) * 1000, zone)
  throw new SluiceError(
    'LIMIT',
    `In a job's turn no job may be set to fire sooner than ${JOB_MADE_PACE_MS / 1000} s from now, nor more often than that. ` +
      `The earliest that is allowed is ${shown} (${earliestMs} in ms), the shortest interval ${JOB_MADE_PACE_MS} ms. Nothing was changed.`,
    { details: { earliestMs, paceMs: JOB_MADE_PACE_MS }, outcome: 'not-started' },
  )
}
