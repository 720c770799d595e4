// Time as the simulator makes it. Each boot of a gateway has a clock of its own over it: when the boot dies, its timers
// die with it and it can set no new ones, as in a process that was killed.
import type { Clock, Timer } from '../../src/base/world.ts'

interface Pending {
  readonly atMs: number
  readonly order: number
  readonly callback: () => void
  cancelled: boolean
}

export const START_MS = Date.UTC(2026, 10, 22, 9)

export class VirtualTime implements Clock {
  nowMs = START_MS
  #order = 0
  /** A binary heap, the earliest first. */
  readonly #heap: Pending[] = []

  now(): number {
    return this.nowMs
  }

  monotonic(): number {
    return this.nowMs
  }

  after(delayMs: number, callback: () => void): Timer {
    this.#order += 1
    const pending = { atMs: this.nowMs + Math.max(0, delayMs), order: this.#order, callback, cancelled: false }
    this.#push(pending)
    return {
      cancel: () => {
        pending.cancelled = true
      },
    }
  }

  /** Fires what falls due up to an instant, one after the other; `between` is awaited after each. */
  async advanceTo(untilMs: number, between: () => Promise<boolean>): Promise<boolean> {
    for (let next = this.#peek(); next && next.atMs <= untilMs; next = this.#peek()) {
      this.#pop()
      if (next.cancelled) continue
      this.nowMs = Math.max(this.nowMs, next.atMs)
      next.callback()
      if (!(await between())) return false
    }
    this.nowMs = Math.max(this.nowMs, untilMs)
    return true
  }

  /** Time passes within a call that cannot be left: what falls due fires, nothing settles in between. */
  leap(spanMs: number): void {
    const untilMs = this.nowMs + spanMs
    for (let next = this.#peek(); next && next.atMs <= untilMs; next = this.#peek()) {
      this.#pop()
      if (next.cancelled) continue
      this.nowMs = Math.max(this.nowMs, next.atMs)
      next.callback()
    }
    this.nowMs = untilMs
  }

  #peek(): Pending | undefined {
    return this.#heap[0]
  }

  #push(pending: Pending): void {
    const heap = this.#heap
    let index = heap.push(pending) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(pending, heap[parent] as Pending)) break
      heap[index] = heap[parent] as Pending
      index = parent
    }
    heap[index] = pending
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (!last || heap.length === 0) return
    let index = 0
    for (let child = 1; child < heap.length; child = 2 * index + 1) {
      const right = heap[child + 1]
      if (right && isBefore(right, heap[child] as Pending)) child += 1
      if (!isBefore(heap[child] as Pending, last)) break
      heap[index] = heap[child] as Pending
      index = child
    }
    heap[index] = last
  }
}

function isBefore(one: Pending, other: Pending): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order)
}

/** The clock of one boot over the time of its world: its timers end with it. */
export class BootClock implements Clock {
  readonly #time: Clock
  #dead = false

  constructor(time: Clock) {
    this.#time = time
  }

  now(): number {
    return this.#time.now()
  }

  monotonic(): number {
    return this.#time.monotonic()
  }

  after(delayMs: number, callback: () => void): Timer {
    if (this.#dead) return { cancel: () => undefined }
    return this.#time.after(delayMs, () => {
      if (!this.#dead) callback()
    })
  }

  kill(): void {
    this.#dead = true
  }
}

/** Lets everything that is ready run. Nothing in a simulated gateway needs more than promise jobs. */
export function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
