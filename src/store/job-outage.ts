// When a job's chat hears that it fails: once when it begins to, once when it works again, and when it switches itself
// off. Pure, so that each end of a run decides it in its own commit, whoever else ends a run of the same job.
import type { Policy } from '../protocol/job-policy.ts'

export interface Outage {
  /** Failures in a row. */
  readonly failures: number
  /** The chat was told of them. */
  readonly alerted: boolean
}

export interface OutageStep extends Outage {
  readonly tell?: 'failed' | 'paused' | 'recovered'
  /** The job is switched off. */
  readonly pause: boolean
}

export type RunOutcome = 'ok' | 'failed' | 'timed-out' | 'cancelled' | 'unknown'

/** A run that somebody cancelled says nothing of the job. */
export function outageStep(
  before: Outage & { readonly enabled: boolean },
  outcome: RunOutcome,
  policy: Policy,
): OutageStep {
  if (outcome === 'cancelled') return { failures: before.failures, alerted: before.alerted, pause: false }
  if (outcome === 'ok') {
    const told = before.alerted && policy.failureAlert
    return { failures: 0, alerted: false, pause: false, ...(told && { tell: 'recovered' as const }) }
  }
  const failures = before.failures + 1
  // It may have failed more often already than it may since its policy was changed.
  const pause = before.enabled && policy.pauseAfterFailures > 0 && failures >= policy.pauseAfterFailures
  const tell = policy.failureAlert && (pause ? 'paused' : before.alerted ? undefined : 'failed')
  return { failures, alerted: before.alerted || policy.failureAlert, pause, ...(tell && { tell }) }
}

export function outageWords(
  job: { readonly id: string; readonly name: string },
  { tell, failures, error }: { tell: NonNullable<OutageStep['tell']>; failures: number; error: string },
): string {
  const again = failures > 1 ? ` It has failed ${failures} times in a row.` : ''
  switch (tell) {
    case 'failed':
      return `Job "${job.name}" failed: ${error}`
    case 'paused':
      return `Job "${job.name}" failed and is switched off: ${error}${again} To switch it on again: sluice cron enable ${job.id}`
    case 'recovered':
      return `Job "${job.name}" works again after ${failures} ${failures === 1 ? 'failure' : 'failures'}.`
  }
}
