// Waiting for a run to end, or for a person to decide. The one place where anything waits for a turn or a person: the
// edge is recorded (or refused, W4), the waiter's slot and deadline stand still meanwhile (W5, W6), and a wait that times
// out ends only the wait.
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

/** Runs a wait for something outside: the turn's slot is given back and its time stands still meanwhile (W5, W6). */
export async function parked<T>(standing: Standing | undefined, wait: () => Promise<T>): Promise<T> {
  // What is parked already is so by a wait around this one, which takes the slot again.
  if (!standing?.slot.park()) return await wait()
  standing.deadline.pause()
  try {
    return await wait()
  } finally {
    try {
      await standing.slot.resume(standing.deadline.signal)
    } finally {
      standing.deadline.run()
    }
  }
}

export class Joins<End> {
  readonly #waiters = new Map<string, Set<(end: End) => void>>()
  readonly #graph: WaitGraph
  readonly #clock: Clock
  readonly #kind: 'run' | 'approval'

  /** `kind` is what is waited for; ids of one kind are unique. */
  constructor(graph: WaitGraph, clock: Clock, kind: 'run' | 'approval' = 'run') {
    this.#graph = graph
    this.#clock = clock
    this.#kind = kind
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
   * Waits for what `read` does not show as ended yet. Answers its end, or undefined when `timeoutMs` passed first.
   * Rejects with the signal's reason. Throws WOULD_DEADLOCK before it waits.
   */
  async wait(id: string, read: () => End | undefined, options: JoinOptions): Promise<End | undefined> {
    const ended = read()
    if (ended !== undefined) return ended
    options.signal.throwIfAborted()
    const edge = this.intend(options.standing, `${this.#kind}:${id}`, options.timeoutMs)
    return await parked(options.standing, () => this.#ended(id, options).finally(() => this.forget(edge)))
  }

  /** Tells all who wait for it how it ended. Called after the end is committed. */
  settle(id: string, end: End): void {
    const waiters = this.#waiters.get(id)
    this.#waiters.delete(id)
    for (const tell of waiters ?? []) tell(end)
  }

  get waitingCount(): number {
    return [...this.#waiters.values()].reduce((sum, waiters) => sum + waiters.size, 0)
  }

  #ended(id: string, options: JoinOptions): Promise<End | undefined> {
    const { promise, resolve, reject } = Promise.withResolvers<End | undefined>()
    const waiters = this.#waiters.get(id) ?? new Set()
    this.#waiters.set(id, waiters)
    const tell = (end: End) => resolve(end)
    waiters.add(tell)
    const timer = this.#clock.after(options.timeoutMs, () => resolve(undefined))
    const onAbort = () => reject(options.signal.reason)
    options.signal.addEventListener('abort', onAbort, { once: true })
    return promise.finally(() => {
      timer.cancel()
      options.signal.removeEventListener('abort', onAbort)
      waiters.delete(tell)
      if (waiters.size === 0 && this.#waiters.get(id) === waiters) this.#waiters.delete(id)
    })
  }
}
