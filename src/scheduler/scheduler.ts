// The one timer. It claims what is due, each occurrence as a committed ledger row, hands the runs on and sleeps again.
// Nothing is held while a job runs: a claim is one commit, and the end of a run is another (W2). The truth is in the
// store's index of next instants; this file keeps only the timer.
import { DAY, SECOND } from '../base/durations.ts'
import { asSluiceError, SluiceError } from '../base/errors.ts'
import type { Clock, Random, Timer } from '../base/world.ts'
import type { Job } from '../protocol/job.ts'
import { ON_TIME_MS, policyOf } from '../protocol/job-policy.ts'
import type { EffectKey, JobRow, NewNotice, NewRun, Store } from '../store/port.ts'
import type { Route, RunRow } from '../store/rows.ts'
import { nextDue } from './job-times.ts'
import { type Due, decideDue } from './misfire.ts'
import { overlapRule } from './overlap.ts'
import { Stagger } from './stagger.ts'

/** The timer sleeps at most so long and reads the wall clock again: suspend and clock steps are seen. */
const SLEEP_MS_MAX = 20 * SECOND
/** After a tick that failed (a full disk), so that it does not spin. */
const RETRY_MS = 5 * SECOND
/** Occurrences claimed together; their writes share commits. */
const CLAIMS_MAX = 100

export interface SchedulerParts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly zone: string
  readonly enabled: boolean
  /** How far apart jobs begin that do work and share an instant, where they do not say so themselves. */
  readonly staggerMs: number
  /** Takes a claimed run on. */
  readonly submit: (run: RunRow) => void
  /** What else its timer calls: when next, and what is due then. */
  readonly beats?: { nextAtMs(): number | undefined; fire(nowMs: number): Promise<void> }
  /** Stops runs of a job, which a newer one of it has taken the place of. */
  readonly stopRuns: (runIds: readonly string[]) => void
  readonly plan: (job: Job, occurrence: { atMs: number; runId: string }) => JobPlan
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void
}

/** How a job is carried out: by a run, or by telling a text. The listener hears of failures, or the chat in `alertTo`. */
export type JobPlan = { readonly listener: string; readonly alertTo?: Route } & (
  | { readonly run: NewRun }
  | { readonly notice: NewNotice }
)

export interface RunNow {
  readonly ran: boolean
  readonly reason?: 'not-due' | 'already-running'
  readonly runId?: string
}

export interface RunNowOptions {
  readonly mode: 'due' | 'force'
  readonly key?: EffectKey
  /** What the run is beside its job's plan: the turn that asked for it, and how many led to it. */
  readonly asked?: Pick<NewRun, 'parent' | 'hops'>
}

export class Scheduler {
  readonly #parts: SchedulerParts
  #timer: Timer | undefined
  #ticking = false
  #again = false
  #stopped = true
  #saidBehind = false
  /** After a tick that failed: not before this instant, by the monotonic clock, whoever pokes. */
  #notBefore = Number.NEGATIVE_INFINITY

  constructor(parts: SchedulerParts) {
    this.#parts = parts
  }

  get enabled(): boolean {
    return this.#parts.enabled
  }

  get staggerMs(): number {
    return this.#parts.staggerMs
  }

  start(): void {
    this.#stopped = false
    this.poke()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  /** Looks again at once: a job was added or changed. Never waits. */
  poke(): void {
    this.#timer?.cancel()
    const { enabled, beats } = this.#parts
    if (this.#stopped) return
    if (this.#ticking) {
      this.#again = true
      return
    }
    const dueMs = earlier(enabled ? this.#nextDueMs() : undefined, beats?.nextAtMs())
    if (dueMs === undefined && !enabled) return
    const delayMs = dueMs === undefined ? SLEEP_MS_MAX : Math.min(SLEEP_MS_MAX, dueMs - this.#parts.clock.now())
    const heldMs = this.#saidBehind ? RETRY_MS : this.#notBefore - this.#parts.clock.monotonic()
    this.#timer = this.#parts.clock.after(Math.max(0, delayMs, heldMs), () => void this.#tick())
  }

  /** Whoever pokes has done its own work already: what cannot be read is told, and looked for again. */
  #nextDueMs(): number | undefined {
    try {
      return this.#parts.store.read.nextDueAtMs()
    } catch (error) {
      this.#parts.log('error', 'the scheduler cannot read what is due next; it looks again', {
        error: asSluiceError(error).message,
      })
      return undefined
    }
  }

  /**
   * By how much the wall clock is behind the newest row of the ledger, when that is more than a busy machine explains: a
   * board that starts in 1970, a clock that was set wrongly. Nothing fires until it is right. Whoever runs a job by hand
   * says with that that it is: its row is the newest then.
   */
  clockBehindMs(): number | undefined {
    const behindMs = (this.#parts.store.read.newestOccurrenceMs() ?? 0) - this.#parts.clock.now()
    return behindMs > ON_TIME_MS ? behindMs : undefined
  }

  /** Said once, not at each look. */
  #isClockBehind(): boolean {
    const behindMs = this.clockBehindMs()
    if (behindMs !== undefined && !this.#saidBehind) {
      const message = 'the clock is behind what the ledger says has happened; no job fires until it is right'
      this.#parts.log('error', message, { behindMs })
    }
    this.#saidBehind = behindMs !== undefined
    return this.#saidBehind
  }

  /** The instant the timer waits for; undefined when nothing is due or the scheduler is off. */
  nextWakeAtMs(): number | undefined {
    return this.#parts.enabled ? this.#parts.store.read.nextDueAtMs() : undefined
  }

  /** Runs a job now. Answers once the occurrence is claimed. Throws NOT_FOUND. */
  async runNow(jobId: string, options: RunNowOptions): Promise<RunNow> {
    for (;;) {
      const row = this.#parts.store.read.job(jobId)
      if (!row) throw new SluiceError('NOT_FOUND', `unknown cron job id: ${jobId}`)
      const nowMs = this.#parts.clock.now()
      const due = row.job.state.nextRunAtMs
      if (options.mode === 'due' && (due === undefined || due > nowMs)) return { ran: false, reason: 'not-due' }
      const claim = await this.#claimManual(row, nowMs, options)
      if (claim !== 'stale') return claim
    }
  }

  async #claimManual(row: JobRow, nowMs: number, options: RunNowOptions): Promise<RunNow | 'stale'> {
    const { store } = this.#parts
    const occurrence = `manual:${this.#parts.random.uuid()}`
    const plan = this.#plan(row.job, nowMs)
    const { value } = await store.write.claimOccurrence({
      jobId: row.job.id,
      expectedRevision: row.revision,
      occurrence,
      skipWhenRunning: false,
      ...plan,
      ...('run' in plan ? { run: { ...plan.run, ...options.asked } } : { hops: options.asked?.hops ?? 0 }),
      epoch: store.epoch,
      ...(options.key && { key: options.key }),
      nowMs,
    })
    if (value.claimed) {
      if (value.run) this.#parts.submit(value.run)
      return { ran: true, ...(value.run && { runId: value.run.runId }) }
    }
    if (value.reason === 'already-running') {
      return { ran: false, reason: 'already-running', ...(value.runId && { runId: value.runId }) }
    }
    return 'stale'
  }

  #plan(job: Job, atMs: number): JobPlan {
    return this.#parts.plan(job, { atMs, runId: this.#parts.random.uuid() })
  }

  async #tick(): Promise<void> {
    this.#ticking = true
    const stagger = new Stagger(this.staggerMs)
    try {
      do {
        this.#again = false
        if (this.#isClockBehind()) break
        const nowMs = this.#parts.clock.now()
        const { enabled, beats, store } = this.#parts
        const due = enabled ? store.read.dueJobs(nowMs, CLAIMS_MAX) : []
        // Of an instant the oldest job is the first.
        const inOrder = due.toSorted((a, b) => a.job.createdAtMs - b.job.createdAtMs)
        await Promise.all([beats?.fire(nowMs), ...inOrder.map(row => this.#fire(row, nowMs, stagger))])
        this.#again ||= due.length === CLAIMS_MAX
      } while (this.#again && !this.#stopped)
    } catch (error) {
      this.#parts.log('error', 'the scheduler could not claim what is due; trying again', {
        error: asSluiceError(error).message,
      })
      this.#again = false
      this.#notBefore = this.#parts.clock.monotonic() + RETRY_MS
    } finally {
      this.#ticking = false
    }
    this.poke()
  }

  async #fire(row: JobRow, nowMs: number, stagger: Stagger): Promise<void> {
    const { store, zone } = this.#parts
    const { job } = row
    const dueMs = job.state.nextRunAtMs
    if (dueMs === undefined) return
    const trigger = job.schedule.kind === 'after' ? store.read.trigger(job.id) : undefined
    // Whatever it is that such a job fires after, it is never too late for it.
    const due: Due = trigger
      ? { kind: 'fire', dueMs, nominalMs: trigger.atMs, nextMs: undefined, skippedMs: undefined }
      : decideDue(job, { dueMs, nowMs }, zone)
    const claims = { jobId: job.id, expectedRevision: row.revision, advance: { nextRunAtMs: due.nextMs }, nowMs }
    if (due.kind === 'missed') {
      const { fromMs, toMs, count, reason } = due
      // The first may have been told before the clock was put back; of the others nothing is known yet.
      const takenAdvance = { nextRunAtMs: nextDue(job, dueMs, zone) }
      await store.write.skipOccurrences({ ...claims, fromMs, toMs, count, reason, takenAdvance })
      this.#again = true
      return
    }
    const rule = overlapRule(policyOf(job).overlap)
    // The end of another job is no instant that others share.
    const startAtMs = trigger ? undefined : stagger.startAtMs(job, { dueMs, nowMs, nextMs: due.nextMs })
    const { value } = await store.write.claimOccurrence({
      ...claims,
      occurrence: trigger?.occurrence ?? `at:${due.nominalMs}`,
      nominalAtMs: due.nominalMs,
      skipAdvance: { nextRunAtMs: due.skippedMs },
      skipWhenRunning: true,
      underWayMax: rule.underWayMax,
      ...carriedOut(this.#plan(job, due.nominalMs), { hops: trigger?.hops ?? 0, startAtMs }),
      epoch: store.epoch,
    })
    // Of several instants that are made up, or ends that it fires after, the next is due already.
    if (trigger || (due.nextMs !== undefined && due.nextMs <= nowMs)) this.#again = true
    if (!value.claimed) return
    if (value.run) this.#parts.submit(value.run)
    if (rule.cancelsPrevious && value.previous) this.#parts.stopRuns(value.previous)
    if (nowMs - dueMs > DAY) this.#parts.log('warn', `job ${job.id} fired late`, { dueMs, nowMs })
  }
}

/** Jobs that run each other by their ends come to an end too: what led to the first led to this one. */
function carriedOut(plan: JobPlan, how: { hops: number; startAtMs: number | undefined }) {
  return 'run' in plan ? { ...plan, run: { ...plan.run, ...how } } : { ...plan, hops: how.hops }
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)
}
