// Time for months: a clock that only goes on, and a wall clock that can be wrong. It leaps from event to event; a look
// that production takes every so many seconds is left out where nothing could have changed since the one before.
import { SECOND } from '../../../src/base/durations.ts'
import type { Clock, Timer } from '../../../src/base/world.ts'

interface Pending {
  readonly delayMs: number
  readonly order: number
  readonly callback: () => void
  atMs: number
}

/** Delays of production's own looks at the clock: as it sleeps, and as it waits for a clock to be right. */
const LOOKS: ReadonlySet<number> = new Set([20 * SECOND, 5 * SECOND])

export class MonthsTime implements Clock {
  /** What has passed since the start, whatever the wall clock says. */
  passedMs = 0
  /** By how much the wall clock is off. */
  wrongMs = 0
  readonly #startMs: number
  readonly #pending = new Set<Pending>()
  #order = 0

  constructor(startMs: number) {
    this.#startMs = startMs
  }

  get wallMs(): number {
    return this.#startMs + this.passedMs + this.wrongMs
  }

  now(): number {
    return this.wallMs
  }

  monotonic(): number {
    return this.passedMs
  }

  after(delayMs: number, callback: () => void): Timer {
    this.#order += 1
    const pending = { delayMs, order: this.#order, callback, atMs: this.passedMs + Math.max(0, delayMs) }
    this.#pending.add(pending)
    return { cancel: () => void this.#pending.delete(pending) }
  }

  /**
   * Fires what falls due, one timer after the other; `between` is awaited after each and ends it with false. `quietMs` is
   * asked before a look of such a delay: for how long it would find nothing.
   */
  async advanceTo(
    untilMs: number,
    { between, quietMs }: { between: () => Promise<boolean>; quietMs: (lookMs: number) => number },
  ) {
    for (let next = this.#earliest(); next && next.atMs <= untilMs; next = this.#earliest()) {
      if (LOOKS.has(next.delayMs) && this.#isLeftOut(next, Math.min(untilMs, this.passedMs + quietMs(next.delayMs))))
        continue
      this.#pending.delete(next)
      this.passedMs = Math.max(this.passedMs, next.atMs)
      next.callback()
      if (!(await between())) return false
    }
    this.passedMs = Math.max(this.passedMs, untilMs)
    return true
  }

  /** The look is taken later, where it would have been taken after others that find nothing. */
  #isLeftOut(look: Pending, quietUntilMs: number): boolean {
    const others = [...this.#pending].filter(({ delayMs }) => !LOOKS.has(delayMs)).map(({ atMs }) => atMs)
    const left = Math.floor((Math.min(quietUntilMs, ...others) - look.atMs) / look.delayMs)
    look.atMs += Math.max(0, left) * look.delayMs
    return left > 0
  }

  #earliest(): Pending | undefined {
    let first: Pending | undefined
    for (const one of this.#pending) {
      if (!first || one.atMs < first.atMs || (one.atMs === first.atMs && one.order < first.order)) first = one
    }
    return first
  }
}
