// Waiting for a run to end. The one place where anything waits for a turn: the edge is recorded (or refused, W4), the
// waiter's slot and deadline stand still meanwhile (W5, W6), and a wait that times out ends only the wait.
import type { Clock } from '../base/world.ts'
import type { Deadline } from './deadline.ts'
import type { Slot } from './slots.ts'
import type { WaitEdge, WaitGraph, WaitNode } from './wait-graph.ts'

/** A turn as the coordination knows it: what it holds and what stands still while it waits. */
export interface Standing {
  readonly node: WaitNode
  readonly slot: Slot
  readonly deadline: Deadline
}

export interface JoinOptions {
  /** The turn that waits; absent for callers outside any turn, who hold nothing. */
  readonly standing: Standing | undefined
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export class Joins<End> {
  readonly #waiters = new Map<string, Set<(end: End) => void>>()
  readonly #graph: WaitGraph
  readonly #clock: Clock

  constructor(graph: WaitGraph, clock: Clock) {
    this.#graph = graph
    this.#clock = clock
  }

  /**
   * Records that a turn is about to wait for `target`, before the work it will wait for is made; throws WOULD_DEADLOCK.
   * The caller removes the edge with `forget`, whatever happens. Undefined without a turn.
   */
  intend(standing: Standing | undefined, target: WaitNode, timeoutMs?: number): WaitEdge | undefined {
    if (!standing) return undefined
    const sinceMs = this.#clock.now()
    const until = timeoutMs === undefined ? {} : { untilMs: sinceMs + timeoutMs }
    const edge: WaitEdge = { waiter: standing.node, target, sinceMs, ...until }
    this.#graph.add(edge)
    return edge
  }

  forget(edge: WaitEdge | undefined): void {
    if (edge) this.#graph.remove(edge)
  }

  /**
   * Waits for a run that `read` does not show as ended yet. Answers its end, or undefined when `timeoutMs` passed first.
   * Rejects with the signal's reason. Throws WOULD_DEADLOCK before it waits.
   */
  async wait(runId: string, read: () => End | undefined, options: JoinOptions): Promise<End | undefined> {
    const ended = read()
    if (ended !== undefined) return ended
    options.signal.throwIfAborted()
    const edge = this.intend(options.standing, `run:${runId}`, options.timeoutMs)
    options.standing?.slot.park()
    options.standing?.deadline.pause()
    try {
      return await this.#ended(runId, options)
    } finally {
      this.forget(edge)
      await options.standing?.slot.resume(options.standing.deadline.signal)
      options.standing?.deadline.run()
    }
  }

  /** Tells all who wait for a run how it ended. Called after the end is committed. */
  settle(runId: string, end: End): void {
    const waiters = this.#waiters.get(runId)
    this.#waiters.delete(runId)
    for (const tell of waiters ?? []) tell(end)
  }

  get waitingCount(): number {
    return [...this.#waiters.values()].reduce((sum, waiters) => sum + waiters.size, 0)
  }

  #ended(runId: string, options: JoinOptions): Promise<End | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<End | undefined>()
    const waiters = this.#waiters.get(runId) ?? new Set()
    this.#waiters.set(runId, waiters)
    const tell = (end: End) => resolve(end)
    waiters.add(tell)
    const timer = this.#clock.after(options.timeoutMs, () => resolve(undefined))
    const onAbort = () => reject(options.signal.reason)
    options.signal.addEventListener('abort', onAbort, { once: true })
    return promise.finally(() => {
      timer.cancel()
      options.signal.removeEventListener('abort', onAbort)
      waiters.delete(tell)
      if (waiters.size === 0 && this.#waiters.get(runId) === waiters) this.#waiters.delete(runId)
    })
  }
}
