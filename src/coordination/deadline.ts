// A bound on work: counts from the start, stands still while the worker is parked, and aborts the work by its signal
// (W6). It says nothing about what became of the work; whoever did the work does.
import { SluiceError } from '../base/errors.ts'
import type { Clock, Timer } from '../base/world.ts'

/** How long after its deadline work may still say what became of it, before the answer is `unknown`. */
const LAST_WORD_MS = 2_000

export class Deadline {
  readonly signal: AbortSignal
  readonly #controller = new AbortController()
  readonly #clock: Clock
  #remainingMs: number
  #startedAt: number | undefined
  #timer: Timer | undefined
  #ended = false
  #givenUp = false
  /** Pauses nest: the time runs again when each has ended. */
  #pauses = 1
  /** Waits that the work is in; while there is one, it is known what it does. */
  #waits = 0
  readonly #what: string
  readonly #limitMs: number

  /** `what` completes the sentence "… took longer than 10 s of work". `outer` aborts it too. */
  constructor(clock: Clock, limitMs: number, options: { what: string; outer?: AbortSignal }) {
    this.#clock = clock
    this.#limitMs = limitMs
    this.#remainingMs = limitMs
    this.#what = options.what
    this.signal = options.outer ? AbortSignal.any([this.#controller.signal, options.outer]) : this.#controller.signal
    this.run()
  }

  /** Ends a pause. */
  run(): void {
    this.#pauses -= 1
    if (this.#pauses > 0 || this.#startedAt !== undefined || this.#ended || this.#controller.signal.aborted) return
    this.#startedAt = this.#clock.monotonic()
    this.#timer = this.#clock.after(this.#remainingMs, () => this.#expire())
  }

  pause(): void {
    this.#pauses += 1
    if (this.#startedAt === undefined) return
    this.#remainingMs = Math.max(0, this.#remainingMs - (this.#clock.monotonic() - this.#startedAt))
    this.#startedAt = undefined
    this.#timer?.cancel()
  }

  /** Runs a wait that is not counted as work. */
  async standStill<T>(wait: () => Promise<T>): Promise<T> {
    this.pause()
    this.#waits += 1
    try {
      return await wait()
    } finally {
      this.#waits -= 1
      this.run()
    }
  }

  /** The work was answered for as `unknown`; whatever it still does, nobody hears of it. */
  get givenUp(): boolean {
    return this.#givenUp
  }

  get expired(): boolean {
    return this.#controller.signal.aborted
  }

  /** The work is over: nothing expires any more. */
  end(): void {
    this.pause()
    this.#ended = true
  }

  /** The work's own answer; once the deadline has passed the work has a moment left to give it, then it is `unknown`. */
  async lastWord<T>(work: Promise<T>): Promise<T> {
    const { promise: silence, reject } = Promise.withResolvers<never>()
    let timer: Timer | undefined
    const onAbort = () => {
      timer = this.#clock.after(LAST_WORD_MS, () => {
        // A wait has its own bound, and what was parked for it must come back first.
        if (this.#waits > 0) {
          onAbort()
          return
        }
        this.#givenUp = true
        reject(this.unknown())
      })
    }
    this.#controller.signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await Promise.race([work, silence])
    } finally {
      this.#controller.signal.removeEventListener('abort', onAbort)
      timer?.cancel()
    }
  }

  /** What is answered for work that kept silent. */
  unknown(): SluiceError {
    const message = `${this.#what} did not say within ${this.#limitMs} ms what became of it; ask again with the same key.`
    return new SluiceError('TIMEOUT', message, { outcome: 'unknown' })
  }

  #expire(): void {
    this.#startedAt = undefined
    this.#controller.abort(
      new SluiceError('TIMEOUT', `${this.#what} took longer than ${this.#limitMs} ms of work and was stopped.`, {
        outcome: 'cancelled',
      }),
    )
  }
}
