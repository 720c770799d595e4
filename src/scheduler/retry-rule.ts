// When a job's run that failed is tried again, by the job's policy: only what may pass by itself, so many times, each
// after its pause. Pure. What the run had done by then, and whether it may be done again, is for the turn to know.
import type { Job } from '../protocol/job.ts'
import { policyOf } from '../protocol/job-policy.ts'
import type { RunEnd } from '../store/port.ts'
import type { RunRow } from '../store/rows.ts'

/** Undefined: not again. A job that was switched off meanwhile tries nothing again. */
export function retryAtMs(
  job: Pick<Job, 'enabled' | 'policy'>,
  { retries }: Pick<RunRow, 'retries'>,
  { end, nowMs }: { end: Pick<RunEnd, 'failure'>; nowMs: number },
): number | undefined {
  const { max, backoffMs } = policyOf(job).retry
  if (!job.enabled || end.failure !== 'transient' || retries >= max) return undefined
  return nowMs + (backoffMs[Math.min(retries, backoffMs.length - 1)] as number)
}
