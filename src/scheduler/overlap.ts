// What an instant does that falls due while its job runs, by the job's policy; and after a restart, which runs a newer
// one has taken the place of. Pure: how many are under way is read where the claim is written.
import { type Policy, UNDER_WAY_MAX } from '../protocol/job-policy.ts'

export interface OverlapRule {
  /** With so many occurrences of the job under way or waiting one more may be claimed; with more it is skipped. */
  readonly underWayMax: number
  /** Those under way are stopped for the new one. */
  readonly cancelsPrevious: boolean
  /** Runs have sessions of their own, so that they need not wait for each other. */
  readonly apart: boolean
}

export function overlapRule(overlap: Policy['overlap']): OverlapRule {
  const waits = { cancelsPrevious: false, apart: false }
  switch (overlap) {
    case 'skip':
      return { ...waits, underWayMax: 0 }
    case 'queue-one':
      return { ...waits, underWayMax: 1 }
    case 'queue-all':
      return { ...waits, underWayMax: UNDER_WAY_MAX }
    case 'cancel-previous':
      return { underWayMax: UNDER_WAY_MAX, cancelsPrevious: true, apart: false }
    case 'allow':
      return { underWayMax: UNDER_WAY_MAX, cancelsPrevious: false, apart: true }
  }
}

/** Of the unfinished runs of jobs, oldest first, those that a newer run of a job which cancels was to stop. */
export function supersededRuns<R extends { readonly jobId: string | undefined }>(
  runs: readonly R[],
  overlapOf: (jobId: string) => Policy['overlap'] | undefined,
): R[] {
  const newest = new Map(runs.map(run => [run.jobId, run]))
  return runs.filter(({ jobId }, index) => {
    if (jobId === undefined || newest.get(jobId) === runs[index]) return false
    const overlap = overlapOf(jobId)
    return overlap !== undefined && overlapRule(overlap).cancelsPrevious
  })
}
