// A clock that a test owns: time passes only when `advance` says so, and timers fire in order of their instants.
import type { Clock } from '../../src/base/world.ts'

interface Pending {
  readonly atMs: number
  readonly order: number
  readonly callback: () => void
}

/** When a test begins, unless it says otherwise. */
export const BEGIN_MS = Date.UTC(2026, 10, 22, 9)

export class FakeClock implements Clock {
  #nowMs: number
  #order = 0
  readonly #pending = new Set<Pending>()

  constructor(nowMs = BEGIN_MS) {
    this.#nowMs = nowMs
  }

  now(): number {
    return this.#nowMs
  }

  monotonic(): number {
    return this.#nowMs
  }

  after(delayMs: number, callback: () => void) {
    this.#order += 1
    const pending: Pending = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order, callback }
    this.#pending.add(pending)
    return { cancel: () => void this.#pending.delete(pending) }
  }

  get timers(): number {
    return this.#pending.size
  }

  /** Lets time pass, firing what falls due, and lets promises settle in between. */
  async advance(spanMs: number): Promise<void> {
    const untilMs = this.#nowMs + spanMs
    for (let next = this.#next(untilMs); next; next = this.#next(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      this.#pending.delete(next)
      next.callback()
      await settled()
    }
    this.#nowMs = untilMs
    await settled()
  }

  /** Lets time pass in one leap, within a call that cannot be left: what falls due fires, nothing settles in between. */
  leap(spanMs: number): void {
    const untilMs = this.#nowMs + spanMs
    for (let next = this.#next(untilMs); next; next = this.#next(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      this.#pending.delete(next)
      next.callback()
    }
    this.#nowMs = untilMs
  }

  #next(untilMs: number): Pending | undefined {
    return [...this.#pending]
      .filter(pending => pending.atMs <= untilMs)
      .sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0]
  }
}

/** Lets everything that is ready run: promise jobs and immediates, a few rounds deep. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 5; round += 1) await new Promise(resolve => setImmediate(resolve))
}
