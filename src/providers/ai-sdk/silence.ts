// Gives up on a provider that says nothing for too long: a signal that aborts unless it is told again and again that
// something came. It never ends a provider that keeps sending, however slow.
import type { Clock, Timer } from '../../base/world.ts'

export class Silence {
  readonly #clock: Clock
  readonly #msMax: number
  readonly #over = new AbortController()
  #timer: Timer | undefined
  #heardAt: number

  constructor(clock: Clock, msMax: number) {
    this.#clock = clock
    this.#msMax = msMax
    this.#heardAt = clock.monotonic()
    this.#watch(msMax)
  }

  get signal(): AbortSignal {
    return this.#over.signal
  }

  /** Something came. */
  heard(): void {
    this.#heardAt = this.#clock.monotonic()
  }

  close(): void {
    this.#timer?.cancel()
  }

  /** One timer for many parts: when it goes off too early, it is set for the rest. */
  #watch(delayMs: number): void {
    this.#timer = this.#clock.after(delayMs, () => {
      const leftMs = this.#heardAt + this.#msMax - this.#clock.monotonic()
      if (leftMs > 0) this.#watch(leftMs)
      else this.#over.abort(new Error('silence'))
    })
  }
}
