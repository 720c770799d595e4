// Jobs that do work (a turn of their own, a command) and share one due instant begin one after the other, so that a machine
// does not start fifty things at nine. Only the beginning of a run is put off: it is claimed at its instant and its row of
// the ledger is there, so that catch-up, overlap and a restart never meet a job that waits. What a person is told is never
// put off. Pure; the store keeps when a claimed run begins.
import type { Job } from '../protocol/job.ts'
import { doesWork, ON_TIME_MS, STAGGER_SPREAD_MS } from '../protocol/job-policy.ts'
import type { RunRow } from '../store/rows.ts'

type StaggeredJob = Pick<Job, 'payload' | 'policy' | 'when'>

interface Instants {
  readonly dueMs: number
  readonly nowMs: number
  readonly nextMs: number | undefined
}

/** How far apart from the one before it a job begins; undefined for what tells a person something: that has its time. */
export function staggerOf(job: StaggeredJob, defaultMs: number): number | undefined {
  return doesWork(job) ? (job.policy?.staggerMs ?? defaultMs) : undefined
}

/** Says of what is claimed in one go when each of it begins. */
export class Stagger {
  readonly #defaultMs: number
  /** Of each instant, how long after its claim the last one begins; what is late shares the instant at which it is made up. */
  readonly #lastMs = new Map<number | 'late', number>()

  constructor(defaultMs: number) {
    this.#defaultMs = defaultMs
  }

  /** Undefined: at once. `nextMs` is the job's next instant, by which it is to have begun long ago. */
  startAtMs(job: StaggeredJob, { dueMs, nowMs, nextMs }: Instants): number | undefined {
    const gapMs = staggerOf(job, this.#defaultMs)
    if (!gapMs) return undefined
    const afterMs = this.#next(nowMs - dueMs > ON_TIME_MS ? 'late' : dueMs, gapMs)
    // Half the time to its next instant at most, or its own beginning would be in the way of that one.
    const roomMs = nextMs === undefined || nextMs <= nowMs ? Number.POSITIVE_INFINITY : (nextMs - nowMs) / 2
    const latestMs = dueMs + Math.max(ON_TIME_MS, job.policy?.catchUpWindowMs ?? Number.POSITIVE_INFINITY)
    const startAtMs = Math.floor(Math.min(nowMs + Math.min(afterMs, roomMs), latestMs))
    return startAtMs > nowMs ? startAtMs : undefined
  }

  /** Those for whom there is no room within the spread begin with the first ones again. */
  #next(instant: number | 'late', gapMs: number): number {
    const lastMs = this.#lastMs.get(instant)
    const afterMs = lastMs === undefined || lastMs + gapMs > STAGGER_SPREAD_MS ? 0 : lastMs + gapMs
    this.#lastMs.set(instant, afterMs)
    return afterMs
  }
}

/** At a start: those whose beginning passed meanwhile begin one after the other now. */
export function staggeredAgain(
  runs: readonly RunRow[],
  { nowMs, defaultMs, jobOf }: { nowMs: number; defaultMs: number; jobOf: (id: string) => StaggeredJob | undefined },
): RunRow[] {
  const stagger = new Stagger(defaultMs)
  return runs.map(run => {
    const { attempt, jobId, retryAtMs = nowMs + 1 } = run
    const job = attempt === 0 && retryAtMs <= nowMs && jobId !== undefined ? jobOf(jobId) : undefined
    return job ? { ...run, retryAtMs: stagger.startAtMs(job, { dueMs: nowMs, nowMs, nextMs: undefined }) } : run
  })
}
