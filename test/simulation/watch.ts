// What must hold at every moment when nothing is ready to run: one turn per session, slots neither exceeded nor idle nor
// held by those who wait, no cycle among waits, reads answered at once, stops that stop. Judged from what was seen and
// from the disk. One check stands inside a call: what the wait-for graph refuses is searched for at that very moment.
import { WaitGraph } from '../../src/coordination/wait-graph.ts'
import type { Boot } from './boot.ts'
import type { Scenario } from './scenario.ts'
import { type LiveRun, liveRuns, Shadow, sentRunId, waitMsOf } from './shadow.ts'
import type { Attempt, OutsideCall, Sightings, TurnCall } from './sightings.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface WatchParts {
  readonly scenario: Scenario
  readonly time: VirtualTime
  readonly seen: Sightings
  readonly boot: () => Boot
}

/** The engine lets an aborted runner go after this; a stop is done by then, when the disk is not slow. */
const GRACE_MS = 5_000
const READS = new Set(['status', 'cron.list', 'waits.list', 'sessions.list', 'health'])

export class Watch {
  readonly #parts: WatchParts
  /** Calls of turns that were not over when last looked at. */
  #open: TurnCall[] = []
  #callsSeen = 0
  /** Since when the wait of a call that is still open was seen to be over. */
  readonly #overSince = new Map<TurnCall, number>()
  #attempts: Attempt[] = []
  #attemptsSeen = 0
  #asked: OutsideCall[] = []
  #requestsSeen = 0
  readonly #stops = new Map<string, { readonly byMs: number; readonly boot: number }>()

  constructor(parts: WatchParts) {
    this.#parts = parts
  }

  /** All that is checked when everything that was ready has run. */
  look(): void {
    const { boot, seen } = this.#parts
    const at = boot()
    if (at.dead) return
    this.#catchUp(at)
    this.#readsAnswer()
    this.#waitsAreBounded()
    if (at.diskBusy) return
    const live = liveRuns(at.reader)
    const deadlocked = new Shadow(live, this.#waiting(), true).deadlocked()
    if (deadlocked) seen.violate('no-cycle', `a turn was let wait for itself: ${deadlocked}`)
    this.#slots(at, live)
    this.#returnersFirst(live)
    this.#stopsStop(live)
  }

  /** Nothing is under way: for the end of a simulation. */
  get atRest(): boolean {
    return this.#open.length === 0 && this.#attempts.length === 0 && this.#asked.length === 0
  }

  whatIsOpen(): string {
    const calls = this.#open.map(call => `${call.runId} waits in ${call.name} ${JSON.stringify(call.args)}`)
    const attempts = this.#attempts.map(attempt => `${attempt.runId} is in a runner`)
    const asked = this.#asked.map(call => `${call.method} ${JSON.stringify(call.params)}`)
    const live = liveRuns(this.#parts.boot().reader).map(run => `${run.runId} is ${run.state} in ${run.sessionKey}`)
    return [...live, ...attempts, ...calls, ...asked].join('; ').slice(0, 1_500)
  }

  /** Asked by the wait-for graph of a boot when it refused an edge. */
  refused(edge: { waiter: string; target: string }): void {
    const { boot, seen } = this.#parts
    const at = boot()
    if (at.dead) return
    seen.counts.refusals += 1
    this.#catchUp(at)
    const shadow = new Shadow(liveRuns(at.reader), this.#open, false)
    const runId = edge.waiter.replace(/^run:/, '')
    if (shadow.closes(runId, edge.target)) return
    seen.violate('refusal', `${edge.waiter} was refused to wait for ${edge.target}, but no cycle can be found`)
  }

  #catchUp(at: Boot): void {
    const { seen } = this.#parts
    this.#open = [...this.#open, ...seen.turnCalls.slice(this.#callsSeen)].filter(
      call => call.boot === at.number && call.endedMs === undefined,
    )
    this.#callsSeen = seen.turnCalls.length
    this.#attempts = [...this.#attempts, ...seen.attempts.slice(this.#attemptsSeen)].filter(
      attempt => attempt.boot === at.number && attempt.endedMs === undefined,
    )
    this.#attemptsSeen = seen.attempts.length
    const asked = seen.requests.flatMap(request => request.calls)
    for (const call of asked.slice(this.#requestsSeen)) this.#asked.push(call)
    this.#requestsSeen = asked.length
    for (const call of this.#asked) {
      if (call.state !== 'open' && call.method === 'chat.abort') this.#noteStop(call)
    }
    this.#asked = this.#asked.filter(call => call.state === 'open')
  }

  #noteStop(call: OutsideCall): void {
    const { time, scenario } = this.#parts
    const slack = scenario.faults.slowDisk > 0 ? 6 * scenario.faults.diskDelayMsMax : 0
    for (const runId of (call.answer?.runIds ?? []) as string[]) {
      if (!this.#stops.has(runId))
        this.#stops.set(runId, { byMs: time.nowMs + GRACE_MS + slack + 5_000, boot: call.boot })
    }
  }

  /** Calls that surely stand in a wait now. */
  #waiting(): TurnCall[] {
    const now = this.#parts.time.nowMs
    return this.#open.filter(call => waitMsOf(call) > 0 && now < call.startedMs + waitMsOf(call))
  }

  #readsAnswer(): void {
    const { time, seen } = this.#parts
    for (const call of this.#asked) {
      if (READS.has(call.method) && call.startedMs < time.nowMs) seen.violate('reads', `${call.method} had to wait`)
    }
  }

  /** A wait from outside holds nothing, so it ends on time. */
  #waitsAreBounded(): void {
    const { time, seen } = this.#parts
    for (const call of this.#asked) {
      if (call.method !== 'agent.wait') continue
      if (time.nowMs > call.startedMs + Number(call.params.timeoutMs))
        seen.violate('bounded-wait', `agent.wait for ${call.params.runId} outlived its time-out`)
    }
  }

  #slots(at: Boot, live: readonly LiveRun[]): void {
    const { scenario, seen } = this.#parts
    const running = new Map(live.flatMap(run => (run.state === 'running' ? [[run.runId, run]] : [])))
    const waiting = new Set(this.#open.filter(call => waitMsOf(call) > 0).map(call => call.attempt))
    const held = this.#attempts.filter(attempt => running.has(attempt.runId))
    const perSession = new Set(held.map(attempt => attempt.sessionKey))
    if (perSession.size < held.length)
      seen.violate('one-turn', `two turns of one session: ${held.map(attempt => attempt.runId).join(', ')}`)
    const working = held.filter(attempt => !waiting.has(attempt)).length
    if (working > scenario.slots) seen.violate('slots', `${working} turns work on ${scenario.slots} slots`)
    const { takenCount, parkedCount } = at.house.parts.slots
    if (takenCount > scenario.slots || parkedCount < 0)
      seen.violate('slots', `counters say ${takenCount} taken, ${parkedCount} parked, of ${scenario.slots}`)
    const busy = new Set(live.filter(run => run.state === 'running').map(run => run.sessionKey))
    const eager = live.find(run => run.state === 'queued' && !busy.has(run.sessionKey))
    if (eager && working < scenario.slots)
      seen.violate('work-conserved', `${eager.runId} could run: ${working} of ${scenario.slots} slots are in use`)
  }

  /** Who comes back from a wait gets a slot before who is new. Told apart only while the disk is not slow. */
  #returnersFirst(live: readonly LiveRun[]): void {
    const { scenario, seen, time } = this.#parts
    if (scenario.faults.slowDisk > 0) return
    const over = this.#open.filter(call => call.name === 'sessions_send' && waitMsOf(call) > 0)
    for (const call of over) {
      if (live.some(run => run.runId === sentRunId(call))) continue
      const sinceMs = this.#overSince.get(call) ?? time.nowMs
      this.#overSince.set(call, sinceMs)
      const newer = this.#attempts.find(
        attempt => attempt.startedMs > sinceMs && attempt.isFirst && attempt.runId !== call.runId,
      )
      if (newer) seen.violate('first-in-line', `${newer.runId} began while ${call.runId} waited to go on`)
    }
  }

  #stopsStop(live: readonly LiveRun[]): void {
    const { time, seen, boot } = this.#parts
    for (const [runId, stop] of this.#stops) {
      if (stop.boot !== boot().number || !live.some(run => run.runId === runId)) this.#stops.delete(runId)
      else if (time.nowMs > stop.byMs) {
        seen.violate('stop', `${runId} was said to be stopped and still lives`)
        this.#stops.delete(runId)
      }
    }
  }
}

/** Tells `listener` what any wait-for graph refuses; answers the function that ends it. */
export function watchRefusals(
  listener: (graph: WaitGraph, edge: { waiter: string; target: string }) => void,
): () => void {
  const add = WaitGraph.prototype.add
  WaitGraph.prototype.add = function (edge) {
    try {
      add.call(this, edge)
    } catch (error) {
      listener(this, edge)
      throw error
    }
  }
  return () => {
    WaitGraph.prototype.add = add
  }
}
