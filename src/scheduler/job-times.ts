// When a job falls due: its schedule within the bounds and the delay of its policy. A due instant is its nominal one plus
// that delay, which is fixed by the job's id, so that neither has to be kept beside the other. Pure.
import type { Job } from '../protocol/job.ts'
import { policyOf } from '../protocol/job-policy.ts'
import { nextOccurrence } from './next-occurrence.ts'

export type TimedJob = Pick<Job, 'id' | 'schedule' | 'createdAtMs' | 'policy' | 'state'>

/** FNV-1a: spreads ids, and is the same on every machine. */
function hash(text: string): number {
  let value = 0x81_1c_9d_c5
  for (const char of text) value = Math.imul(value ^ (char.codePointAt(0) ?? 0), 0x01_00_01_93) >>> 0
  return value
}

/** How much later than its schedule says a job fires: from 0 to its jitter. */
export function delayMs({ id, policy }: Pick<TimedJob, 'id' | 'policy'>): number {
  const { jitterMs } = policyOf({ policy })
  return jitterMs === 0 ? 0 : hash(id) % (jitterMs + 1)
}

/** The first due instant strictly later than `afterMs`; undefined when the job's bounds leave none. */
export function nextDue(job: TimedJob, afterMs: number, zone: string): number | undefined {
  const { startAtMs = Number.NEGATIVE_INFINITY, endAtMs = Number.POSITIVE_INFINITY, maxRuns } = policyOf(job)
  if (maxRuns !== undefined && (job.state.runs ?? 0) >= maxRuns) return undefined
  const delay = delayMs(job)
  const after = Math.max(afterMs - delay, startAtMs - 1)
  const nominal = nextOccurrence(job.schedule, after, { zone, createdAtMs: job.createdAtMs })
  return nominal === undefined || nominal > endAtMs ? undefined : nominal + delay
}

/** The next due instants in order, at most `count`, and no more than the job may still run. */
export function nextDues(job: TimedJob, afterMs: number, { zone, count }: { zone: string; count: number }): number[] {
  const { maxRuns = Number.POSITIVE_INFINITY } = policyOf(job)
  const left = Math.min(count, maxRuns - (job.state.runs ?? 0))
  const dues: number[] = []
  for (let due = nextDue(job, afterMs, zone); due !== undefined && dues.length < left; due = nextDue(job, due, zone)) {
    dues.push(due)
  }
  return dues
}

/** The job as it will be once one more run by its schedule has begun. */
export function afterRun<J extends TimedJob>(job: J): J {
  return { ...job, state: { ...job.state, runs: (job.state.runs ?? 0) + 1 } }
}
