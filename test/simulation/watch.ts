// What must hold at every moment when nothing is ready to run: one turn per session, who comes back first in line, no
// cycle among waits, reads and control answered at once, waits and questions bounded, stops that stop all that they should.
// Judged from what was seen and from the disk. One check stands inside a call: what the wait-for graph refuses is searched
// for at that very moment.
import { WaitGraph } from '../../src/coordination/wait-graph.ts'
import type { Boot } from './boot.ts'
import { checkPools, isOver, poolsOf } from './pools.ts'
import type { Scenario } from './scenario.ts'
import { type LiveRun, liveRuns, Shadow, waitMsOf } from './shadow.ts'
import { type Attempt, isStop, type OutsideCall, type Sightings, type TurnCall } from './sightings.ts'
import { Stops } from './stops.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface WatchParts {
  readonly scenario: Scenario
  readonly time: VirtualTime
  readonly seen: Sightings
  readonly boot: () => Boot
}

const READS = new Set(['status', 'cron.list', 'waits.list', 'sessions.list', 'health'])

export class Watch {
  readonly #parts: WatchParts
  /** Calls of turns that were not over when last looked at. */
  #open: TurnCall[] = []
  #callsSeen = 0
  /** Since when the wait of a call that is still open was seen to be over. */
  readonly #overSince = new Map<TurnCall, { readonly sinceMs: number; readonly phase: number }>()
  #attempts: Attempt[] = []
  #attemptsSeen = 0
  #asked: OutsideCall[] = []
  #requestsSeen = 0
  readonly #stops: Stops

  constructor(parts: WatchParts) {
    this.#parts = parts
    this.#stops = new Stops(parts)
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
    const deadlocked = new Shadow(at.reader, live, { calls: this.#waiting(), strict: true }).deadlocked()
    if (deadlocked) seen.violate('no-cycle', `a turn was let wait for itself: ${deadlocked}`)
    this.#turns(at, live)
    this.#returnersFirst(at, live)
    this.#processesEnd(at, live)
    this.#stops.look(live)
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
    const shadow = new Shadow(at.reader, liveRuns(at.reader), { calls: this.#open, strict: false })
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
      if (call.state === 'answered' && isStop(call)) this.#stops.note(call)
    }
    this.#asked = this.#asked.filter(call => call.state === 'open')
  }

  /** Calls that surely stand in a wait now. */
  #waiting(): TurnCall[] {
    const now = this.#parts.time.nowMs
    return this.#open.filter(call => waitMsOf(call) > 0 && now < call.startedMs + waitMsOf(call))
  }

  #readsAnswer(): void {
    const { time, seen, scenario } = this.#parts
    const { slowDisk, leapInCommit } = scenario.faults
    for (const call of this.#asked) {
      if (call.startedMs === time.nowMs) continue
      if (READS.has(call.method)) seen.violate('reads', `${call.method} had to wait`)
      const isControl = isStop(call) || call.method === 'exec.approval.resolve'
      if (isControl && slowDisk === 0 && leapInCommit === 0)
        seen.violate('control', `${call.method} ${JSON.stringify(call.params)} had to wait`)
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

  #turns(at: Boot, live: readonly LiveRun[]): void {
    const { scenario, seen } = this.#parts
    const running = new Set(live.flatMap(run => (run.state === 'running' ? [run.runId] : [])))
    const held = this.#attempts.filter(attempt => running.has(attempt.runId))
    const perSession = new Set(held.map(attempt => attempt.sessionKey))
    if (perSession.size < held.length)
      seen.violate('one-turn', `two turns of one session: ${held.map(attempt => attempt.runId).join(', ')}`)
    checkPools({ at, live, held, open: this.#open }, { scenario, seen })
    checkQueues(live, { scenario, seen })
  }

  /**
   * Who comes back from a wait gets a place before who is new and needs all the same ones. Told apart only while the disk
   * is not slow.
   */
  #returnersFirst(at: Boot, live: readonly LiveRun[]): void {
    const { scenario, seen, time } = this.#parts
    if (scenario.faults.slowDisk > 0) return
    const runs = new Map(live.map(run => [run.runId, run]))
    for (const call of this.#open) {
      const back = runs.get(call.runId)
      if (!back || !isOver(call, { at, live }, { seen, scenario })) {
        this.#overSince.delete(call)
        continue
      }
      // A command's call waits twice: for its yes, and for its process.
      const phase = seen.commands.filter(run => run.callId === call.id).length
      const known = this.#overSince.get(call)
      const sinceMs = known?.phase === phase ? known.sinceMs : time.nowMs
      this.#overSince.set(call, { sinceMs, phase })
      const newer = this.#attempts.find(attempt => {
        const run = runs.get(attempt.runId)
        if (attempt.startedMs <= sinceMs || !attempt.isFirst || attempt.runId === call.runId || !run) return false
        const pools = poolsOf(run)
        return poolsOf(back).every(pool => pools.includes(pool))
      })
      if (newer) seen.violate('first-in-line', `${newer.runId} began while ${call.runId} waited to go on`)
    }
  }

  /** A process does not outlive its turn. */
  #processesEnd(at: Boot, live: readonly LiveRun[]): void {
    const { seen } = this.#parts
    for (const run of seen.commands) {
      if (run.boot !== at.number || run.endedMs !== undefined) continue
      if (!live.some(one => one.runId === run.runId && one.state === 'running'))
        seen.violate('process', `${run.line} runs on, and its turn ${run.runId} does not`)
    }
  }
}

/** What was refused when a queue was full keeps the queue at its bound; jobs and what a session is told always get in. */
function checkQueues(live: readonly LiveRun[], { scenario, seen }: Pick<WatchParts, 'scenario' | 'seen'>): void {
  const { queue, childrenMax } = scenario.allowance
  const asked = live.filter(run => run.source !== 'told' && run.jobId === null)
  if (asked.length > queue.all) seen.violate('queue', `${asked.length} runs are taken, ${queue.all} may be`)
  for (const [session, runs] of Map.groupBy(asked, run => run.sessionKey))
    if (runs.length > queue.ahead) seen.violate('queue', `${session} has ${runs.length} runs, ${queue.ahead} may be`)
  const tasks = asked.filter(run => run.source === 'spawn')
  for (const [session, runs] of Map.groupBy(tasks, run => run.tells ?? ''))
    if (runs.length > childrenMax) seen.violate('queue', `${session} has ${runs.length} tasks, ${childrenMax} may be`)
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
