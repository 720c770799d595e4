// Carries accepted runs through their lane, their slot and their runner, and keeps their journal on the way. A run is in
// the store before it comes here and its end is there before anyone hears of it (L1, L2). Control (stop, list) never
// waits for a lane or a slot (W7).
import { asSluiceError, SluiceError } from '../base/errors.ts'
import { pause } from '../base/pause.ts'
import { Deadline } from '../coordination/deadline.ts'
import type { Slot } from '../coordination/slots.ts'
import type { ChatEvent } from '../protocol/events.ts'
import type { LiveRunSnapshot } from '../protocol/methods/events.ts'
import type { DurableEvent, RunEnd } from '../store/port.ts'
import type { RunRow } from '../store/rows.ts'
import { type EngineParts, poolsOf, RETRY_MS, RETRY_MS_MAX } from './engine-parts.ts'
import { LiveRun, type Surroundings } from './live-run.ts'
import { RunEvents, Speaking } from './run-events.ts'
import type { TurnOutcome } from './runner.ts'

/** Attempts of one run that may be lost before it ends as failed: a turn that kills its runner must not do so for ever. */
export const LOSSES_MAX = 3
/** One that begins or is tried again later looks at the clock so often: suspend and clock steps are seen. */
const LOOK_MS = 20_000
/** How long an aborted runner may take to end by itself before the run is ended without it and fenced off (T3). */
const ABORT_GRACE_MS = 5_000

interface Stop {
  readonly reason: NonNullable<ChatEvent['stopReason']>
  /** Nobody is told how it ended: it was stopped with the one that asked for it. */
  readonly silent: boolean
}

interface Carried {
  readonly run: RunRow
  readonly abort: AbortController
  stop: Stop | undefined
  /** The attempt that holds it, once it was claimed. */
  attempt: RunRow | undefined
  live: LiveRun | undefined
  events: RunEvents | undefined
}

/** For who asked, of a turn that did what it was to do and ended without a word. */
const NOTHING_ADDED = 'Done. The model had nothing to add.'

/** Turns that did not end when they were told to, and were let go. */
export interface Released {
  readonly count: number
  readonly last?: { readonly runId: string; readonly atMs: number }
}

export class TurnEngine {
  readonly #parts: EngineParts
  readonly #carried = new Map<string, Carried>()
  readonly #speaking = new Speaking()
  /** Runs whose messages became part of a turn, by that turn's run, while it lives. */
  readonly #merged = new Map<string, Set<string>>()
  #draining = false
  #released: Released = { count: 0 }

  constructor(parts: EngineParts) {
    this.#parts = parts
  }

  /** Takes a queued run on. Once per process and run; a repeat is ignored. */
  submit(run: RunRow): void {
    if (this.#draining || this.#carried.has(run.runId) || run.state !== 'queued') return
    const begun = { stop: undefined, attempt: undefined, live: undefined, events: undefined }
    const carried: Carried = { run, abort: new AbortController(), ...begun }
    this.#carried.set(run.runId, carried)
    const { graph, lanes, clock } = this.#parts
    graph.name(`run:${run.runId}`, `the turn of ${run.sessionKey}`)
    lanes.queue(run.sessionKey, run.runId, { nowMs: clock.now(), enter: () => void this.#carry(carried) })
  }

  /**
   * Stops runs, and `children` and all that these and they are having done by turns of their own (W7); of children nobody
   * is told. A running turn is aborted, a queued one is cancelled. Answers the ids it stopped.
   */
  async stop(
    { runs, children = [] }: { runs: readonly RunRow[]; children?: readonly RunRow[] },
    reason: Stop['reason'],
  ): Promise<string[]> {
    const asked = new Set(runs.map(run => run.runId))
    const stopped = this.#tree([...runs, ...children])
      .map(run => this.#carried.get(run.runId))
      .filter(carried => carried !== undefined)
    for (const carried of stopped) {
      carried.stop ??= { reason, silent: !asked.has(carried.run.runId) }
      carried.abort.abort(new SluiceError('CANCELLED', 'The turn was stopped.', { outcome: 'cancelled' }))
    }
    // One that waits in its lane has no code running that could end it.
    await Promise.all(stopped.filter(carried => !carried.attempt).map(carried => this.#cancelQueued(carried)))
    return stopped.map(carried => carried.run.runId)
  }

  /** Stops what has begun in the session of this run, and what people wrote there before it and waits still. */
  async interrupt({ runId, sessionKey }: RunRow): Promise<void> {
    const live = this.#parts.store.read.liveRuns(sessionKey)
    const at = live.findIndex(run => run.runId === runId)
    const before = live.slice(0, Math.max(0, at))
    await this.stop({ runs: before.filter(run => run.attempt > 0 || run.source === 'chat') }, 'stop')
  }

  /** The live attempt of a run, while this very call of it is under way. */
  during(call: { runId: string; attempt: number; callId: string }): Surroundings | undefined {
    const carried = this.#carried.get(call.runId)
    return carried?.attempt?.attempt === call.attempt ? carried.live?.during(call.callId) : undefined
  }

  /** The runs that are carried out now; one whose end is just being written may still be among them. */
  live(): LiveRunSnapshot[] {
    return [...this.#carried.values()].flatMap(({ attempt, events }) => (attempt && events ? [events.snapshot()] : []))
  }

  get released(): Released {
    return this.#released
  }

  get runningCount(): number {
    return [...this.#carried.values()].filter(carried => carried.attempt !== undefined).length
  }

  /** The runs and their unfinished children, down to the last. */
  #tree(runs: readonly RunRow[]): RunRow[] {
    const found = new Map(runs.map(run => [run.runId, run]))
    // A map is walked to what is added on the way.
    for (const { runId, sessionKey } of found.values()) {
      for (const child of this.#parts.store.read.liveChildren(sessionKey)) {
        if (child.source === 'spawn' && child.parent === runId) found.set(child.runId, child)
      }
    }
    return [...found.values()]
  }

  /**
   * Stops taking work and gives the running turns back to the queue, from where the next start goes on with them. Waits
   * for the disk, and for no turn and no person (W7): what a turn still writes is refused.
   */
  async drain(): Promise<void> {
    this.#draining = true
    const { store, clock } = this.#parts
    const held = [...this.#carried.values()].flatMap(carried => carried.attempt ?? [])
    await Promise.allSettled(
      held.map(({ runId, attempt }) =>
        store.write.requeueRun({ fence: { runId, epoch: store.epoch, attempt }, lost: false, nowMs: clock.now() }),
      ),
    )
    // Their journals are closed to them; processes that their tools started must not outlive us.
    for (const { abort } of this.#carried.values()) abort.abort(new SluiceError('UNAVAILABLE', 'The gateway stops.'))
  }

  async #carry(carried: Carried): Promise<void> {
    const { lanes, log } = this.#parts
    const { runId, sessionKey } = carried.run
    try {
      await this.#untilClaimed(carried)
    } catch (error) {
      if (!carried.stop && !this.#draining)
        log('error', `turn ${runId} could not be carried out`, { error: asSluiceError(error).message })
      // Only a stop cancels; what cannot be carried now stays queued in the store, for the next start.
      if (carried.stop && !carried.attempt) await this.#cancelQueued(carried).catch(() => undefined)
    } finally {
      this.#carried.delete(runId)
      if (!this.#draining) lanes.leave(sessionKey, runId)
      this.#parts.graph.name(`run:${runId}`, undefined)
    }
  }

  /** An accepted run waits for a disk that refuses to claim it: it is not given up, and holds no slot meanwhile. */
  async #untilClaimed(carried: Carried): Promise<void> {
    const { slots, clock, log } = this.#parts
    const pools = poolsOf(carried.run)
    let { retryAtMs } = carried.run
    for (let delayMs = RETRY_MS; ; delayMs = Math.min(delayMs * 2, RETRY_MS_MAX)) {
      if (retryAtMs !== undefined) await this.#untilDue(carried, retryAtMs)
      const slot = await slots.take(pools, carried.abort.signal)
      try {
        const again = await this.#claimed(carried, slot)
        if (!again || this.#draining) return
        ;({ retryAtMs } = again)
        // The next attempt takes a slot of its own: the lost one's may still be parked by a wait that is just ending.
        carried.attempt = undefined
        continue
      } catch (thrown) {
        const error = asSluiceError(thrown)
        if (carried.attempt || error.code !== 'STORE_FAILED') throw error
        log('error', `turn ${carried.run.runId} cannot begin; trying again`, { error: error.message })
      } finally {
        slot.release()
      }
      await pause(clock, delayMs, carried.abort.signal)
      carried.abort.signal.throwIfAborted()
      if (this.#draining) return
    }
  }

  /** A turn that begins or is tried again later holds its lane meanwhile, and nothing else. Throws when it is not to be any more. */
  async #untilDue(carried: Carried, atMs: number): Promise<void> {
    const { clock, isWanted } = this.#parts
    const { signal } = carried.abort
    while (clock.now() < atMs && !signal.aborted) {
      await pause(clock, Math.min(atMs - clock.now(), LOOK_MS), signal)
    }
    signal.throwIfAborted()
    if (isWanted(carried.run)) return
    carried.stop = { reason: 'rpc', silent: false }
    throw new SluiceError('CANCELLED', 'Its job is gone or switched off.', { outcome: 'cancelled' })
  }

  #eventsOf(run: RunRow): RunEvents {
    const { clock, publish } = this.#parts
    return new RunEvents(run, { clock, publish, speaking: this.#speaking })
  }

  /** The run as it is queued again, when another attempt is to go on with it. */
  async #claimed(carried: Carried, slot: Slot): Promise<RunRow | undefined> {
    const { clock, store } = this.#parts
    const { attempt } = store.read.run(carried.run.runId) ?? carried.run
    const events = this.#eventsOf({ ...carried.run, attempt: attempt + 1 })
    const nowMs = clock.now()
    const run = await this.#claim(carried.run.runId, nowMs, events.started(nowMs))
    if (!run) return undefined
    carried.attempt = run
    carried.events = events
    // Taken with the claim, or by an earlier attempt that did not hear that it was.
    this.#merge(run, store.read.mergedInto(run.runId))
    return await this.#attempt(carried, { run, events, slot })
  }

  /** Undefined when the run is no longer queued. A claim whose commit failed may have taken effect all the same. */
  async #claim(runId: string, nowMs: number, events: DurableEvent[]): Promise<RunRow | undefined> {
    const { store } = this.#parts
    try {
      return (await store.write.claimRun({ runId, epoch: store.epoch, nowMs, events })).value
    } catch (error) {
      const run = store.read.run(runId)
      if (run?.state === 'running' && run.epoch === store.epoch) return run
      throw error
    }
  }

  /** One attempt; answers the run when it goes on with another: its runner was lost, or its job has it tried again. */
  async #attempt(
    carried: Carried,
    attempt: { run: RunRow; events: RunEvents; slot: Slot },
  ): Promise<RunRow | undefined> {
    const { run, events, slot } = attempt
    const timeoutMs = run.timeoutMs ?? this.#parts.settings().timeoutMs
    // Whatever the attempt still waits for when it is over, it waits for no more.
    const over = new AbortController()
    const outer = AbortSignal.any([carried.abort.signal, over.signal])
    const deadline = new Deadline(this.#parts.clock, timeoutMs, { what: 'The turn', outer })
    const standing = { node: `run:${run.runId}`, slot, deadline } as const
    const live = new LiveRun(this.#parts, { run, events, standing, merged: ids => this.#merge(run, ids) })
    carried.live = live
    let outcome: TurnOutcome
    try {
      // Counted over restarts too: a turn that brings the gateway down must not do so for ever.
      outcome = run.losses >= LOSSES_MAX ? givenUp(run) : await this.#bounded(run, live.perform(), deadline)
    } catch (thrown) {
      const error = asSluiceError(thrown)
      if (error.code === 'STALE' || this.#draining) return undefined
      this.#parts.log('warn', `turn ${run.runId} lost its runner`, { error: error.message, attempt: run.attempt })
      if (error.code === 'UNAVAILABLE') return await this.#requeue(run, { lost: true })
      // Stopped while it waited for a place at its provider: the loop had no chance to say so.
      outcome = deadline.signal.aborted
        ? { state: 'aborted', reply: '' }
        : { state: 'failed', reply: '', error: error.message }
    } finally {
      carried.live = undefined
      deadline.end()
      over.abort(new SluiceError('CANCELLED', 'The attempt is over.', { outcome: 'cancelled' }))
    }
    if (this.#draining) return undefined
    // The turn's code has run; its end only waits for the disk.
    slot.release()
    const end = await this.#parts.endFor(run, this.#endOf(carried, deadline, outcome))
    const retry = this.#retryOf(run, end, live)
    if (retry) {
      events.flush()
      return await this.#requeue(run, { lost: false, retry })
    }
    await this.#end(run, events, { ...end, silent: carried.stop?.silent === true })
    return undefined
  }

  #retryOf(run: RunRow, end: RunEnd, live: LiveRun): { atMs: number; error: string } | undefined {
    const atMs = this.#parts.retryAt(run, end)
    if (atMs === undefined || !live.mayBeTriedAgain()) return undefined
    const { error = end.state } = end
    this.#parts.log('warn', `turn ${run.runId} failed and is tried again`, { error, atMs })
    return { atMs, error }
  }

  /** A runner that does not end after an abort is let go: the end that follows fences it off (T3). */
  #bounded(run: RunRow, work: Promise<TurnOutcome>, deadline: Deadline): Promise<TurnOutcome> {
    const { promise: silence, resolve } = Promise.withResolvers<TurnOutcome>()
    const { clock, runner, log } = this.#parts
    const release = () => {
      this.#released = { count: this.#released.count + 1, last: { runId: run.runId, atMs: clock.now() } }
      log('warn', `turn ${run.runId} did not end when it was told to; it was let go and its lane is free`)
      resolve({ state: 'aborted', reply: '', error: `it did not end within ${ABORT_GRACE_MS} ms and was let go` })
      runner.abandon(run.runId)
    }
    const onAbort = () => void clock.after(ABORT_GRACE_MS, () => !this.#draining && !settled && release())
    let settled = false
    if (deadline.signal.aborted) onAbort()
    deadline.signal.addEventListener('abort', onAbort, { once: true })
    return Promise.race([work, silence]).finally(() => {
      settled = true
      deadline.signal.removeEventListener('abort', onAbort)
    })
  }

  #endOf(carried: Carried, deadline: Deadline, outcome: TurnOutcome): RunEnd & { stopReason?: Stop['reason'] } {
    const reply = outcome.reply === '' ? {} : { reply: outcome.reply }
    if (outcome.state === 'ok' && outcome.reply === '' && carried.run.source === 'chat') {
      return { ...outcome, reply: NOTHING_ADDED }
    }
    if (outcome.state !== 'aborted') return { ...outcome, ...reply }
    const why = (what: string) => (outcome.error === undefined ? what : `${what}; ${outcome.error}`)
    if (carried.stop) return { state: 'aborted', ...reply, stopReason: carried.stop.reason, error: why('stopped') }
    const reason: unknown = deadline.signal.reason
    if (!(reason instanceof Error)) return { state: 'failed', ...reply, error: 'the model broke its own answer off' }
    return { state: 'timed-out', ...reply, stopReason: 'timeout', error: why(reason.message) }
  }

  /** Ends a run on disk, then tells. While the disk refuses, it keeps trying: the run is not ended until that is true. */
  async #end(
    run: RunRow,
    events: RunEvents,
    end: RunEnd & { stopReason?: Stop['reason']; silent: boolean },
  ): Promise<void> {
    const { store, clock, log } = this.#parts
    const { stopReason, silent, ...runEnd } = end
    const state = end.state === 'timed-out' ? 'aborted' : end.state
    const told = events.ended({
      state,
      reply: end.reply ?? '',
      ...(end.error && { error: end.error }),
      ...(stopReason && { stopReason }),
    })
    const notice = this.#parts.noticeFor(run, runEnd)
    const fence = { runId: run.runId, epoch: store.epoch, attempt: run.attempt }
    for (let delayMs = RETRY_MS; !this.#draining; delayMs = Math.min(delayMs * 2, RETRY_MS_MAX)) {
      try {
        const { value } = await store.write.endRun({
          fence,
          end: runEnd,
          ...(notice && { notice }),
          awaited: this.#isAwaited(run),
          silent,
          nowMs: clock.now(),
          events: told,
        })
        this.#ended(value)
        return
      } catch (thrown) {
        const error = asSluiceError(thrown)
        if (error.code === 'STALE') return this.#foundEnded(run, runEnd.next)
        log('error', `the end of turn ${run.runId} cannot be written; trying again`, { error: error.message })
        await pause(clock, delayMs)
      }
    }
  }

  /** The end was refused: an earlier try had written it after all, or another attempt holds the run. */
  #foundEnded({ runId, sessionKey, tells }: RunRow, next: RunEnd['next']): void {
    const { read } = this.#parts.store
    const run = read.run(runId)
    if (!run || run.state === 'queued' || run.state === 'running') return
    const told = [sessionKey, tells ?? sessionKey]
      .flatMap(key => read.liveRuns(key))
      .filter(({ source }) => source === 'told')
    this.#ended({ run, told: [...told, ...[next].flatMap(end => (end && read.run(end.runId)) ?? [])] })
  }

  /** Who waits for one of these waits for the turn from now on. */
  #merge({ runId, sessionKey }: RunRow, runIds: readonly string[]): void {
    const { graph, lanes } = this.#parts
    for (const merged of runIds) {
      this.#carried.delete(merged)
      graph.hold(`run:${merged}`, `run:${runId}`)
      lanes.leave(sessionKey, merged)
    }
    this.#merged.set(runId, new Set([...(this.#merged.get(runId) ?? []), ...runIds]))
  }

  /** Whether the turn that asked for it stands waiting for it. */
  #isAwaited(run: RunRow): boolean {
    return run.parent !== undefined && this.#parts.graph.has(`run:${run.parent}`, `run:${run.runId}`)
  }

  #ended({ run, told }: { run: RunRow; told: readonly RunRow[] }): void {
    const { graph, joins } = this.#parts
    for (const merged of this.#merged.get(run.runId) ?? []) {
      graph.hold(`run:${merged}`, undefined)
      graph.name(`run:${merged}`, undefined)
      joins.settle(merged, run)
    }
    this.#merged.delete(run.runId)
    joins.settle(run.runId, run)
    for (const next of told) this.submit(next)
  }

  /** Back to `queued` under the same journal, so that the next attempt goes on from its last entry. */
  async #requeue(
    run: RunRow,
    why: { lost: boolean; retry?: { atMs: number; error: string } },
  ): Promise<RunRow | undefined> {
    const { store, clock, log } = this.#parts
    const fence = { runId: run.runId, epoch: store.epoch, attempt: run.attempt }
    for (let delayMs = RETRY_MS; !this.#draining; delayMs = Math.min(delayMs * 2, RETRY_MS_MAX)) {
      try {
        return (await store.write.requeueRun({ fence, ...why, nowMs: clock.now() })).value
      } catch (thrown) {
        const error = asSluiceError(thrown)
        if (error.code === 'STALE') return undefined
        log('error', `turn ${run.runId} cannot be queued again; trying again`, { error: error.message })
        await pause(clock, delayMs)
      }
    }
    return undefined
  }

  async #cancelQueued(carried: Carried): Promise<void> {
    const { store, clock, lanes } = this.#parts
    // Attempts may have been lost since it was taken on: the stream of the last one is the one that ends.
    const run = store.read.run(carried.run.runId) ?? carried.run
    const events = this.#eventsOf(run)
    const told = events.ended({ state: 'aborted', reply: '', stopReason: carried.stop?.reason ?? 'rpc' })
    const { value } = await store.write.cancelQueuedRun({
      runId: carried.run.runId,
      reason: `stopped before it ${run.attempt > 0 && run.retryAtMs !== undefined ? 'was tried again' : 'began'}`,
      awaited: this.#isAwaited(carried.run),
      silent: carried.stop?.silent === true,
      nowMs: clock.now(),
      events: told,
    })
    if (!value) return
    this.#carried.delete(carried.run.runId)
    this.#parts.graph.name(`run:${carried.run.runId}`, undefined)
    lanes.leave(carried.run.sessionKey, carried.run.runId)
    this.#ended(value)
  }
}

function givenUp(run: RunRow): TurnOutcome {
  const error = `given up: ${run.losses} attempts were lost with the thread or the gateway that ran them`
  return { state: 'failed', reply: '', error }
}
