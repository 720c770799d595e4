// Messages of ours that wait for their turn: they stand below the reply that comes just now, and are written for good when
// their own turn begins. Pure.
import { sanitizeLine } from '../text/sanitize.ts'

interface Waiting {
  readonly shown: string
  /** Turns before this one; undefined until the gateway has taken the message. */
  ahead?: number
}

export class Queued {
  readonly #waiting = new Map<string, Waiting>()

  add(key: string, shown: string): void {
    this.#waiting.set(key, { shown })
  }

  setAhead(key: string, ahead: number): void {
    const waiting = this.#waiting.get(key)
    if (waiting) waiting.ahead = ahead
  }

  take(key: string): string | undefined {
    const waiting = this.#waiting.get(key)
    this.#waiting.delete(key)
    return waiting?.shown
  }

  notes(): string[] {
    return [...this.#waiting.values()].map(({ shown, ahead }) =>
      sanitizeLine(`> ${shown} (${ahead === undefined ? 'not taken yet' : `queued, ${ahead} ahead`})`),
    )
  }
}
