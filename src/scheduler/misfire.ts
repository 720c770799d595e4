// What to do with instants that passed while nobody fired them: the latest one is caught up, the run of earlier ones
// becomes one ledger row (L3). Pure; the timer asks before it claims.
import type { Schedule } from '../protocol/job.ts'
import { nextOccurrence, type ScheduleContext } from './next-occurrence.ts'

export interface Misfire {
  /** The latest due instant: the one that fires. */
  readonly fireMs: number
  /** The unbroken run of instants before it. */
  readonly missed?: { readonly fromMs: number; readonly toMs: number; readonly count: number }
  /** The first instant after now. */
  readonly nextMs: number | undefined
}

/** Instants of one cron job that are walked one by one; a longer run is counted as at least so many. */
export const MISSED_WALK_MAX = 10_000

/** `dueMs` is the persisted next instant, at or before `nowMs`. */
export function misfire(schedule: Schedule, due: { dueMs: number; nowMs: number }, context: ScheduleContext): Misfire {
  const { dueMs, nowMs } = due
  const nextMs = nextOccurrence(schedule, nowMs, context)
  if (schedule.kind === 'at') return { fireMs: dueMs, nextMs: undefined }
  if (schedule.kind === 'every') {
    const count = Math.floor((nowMs - dueMs) / schedule.everyMs)
    const fireMs = dueMs + count * schedule.everyMs
    return count === 0
      ? { fireMs, nextMs }
      : { fireMs, nextMs, missed: { fromMs: dueMs, toMs: fireMs - schedule.everyMs, count } }
  }
  let fireMs = dueMs
  let toMs = dueMs
  let count = 0
  for (; count < MISSED_WALK_MAX; count += 1) {
    const after = nextOccurrence(schedule, fireMs, context)
    if (after === undefined || after > nowMs) break
    toMs = fireMs
    fireMs = after
  }
  return count === 0 ? { fireMs, nextMs } : { fireMs, nextMs, missed: { fromMs: dueMs, toMs, count } }
}
