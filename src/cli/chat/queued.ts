// Messages of ours that wait for their turn: they stand below the reply that comes just now, and are written for good when
// their own turn begins. Pure.
import { sanitizeLine } from '../text/sanitize.ts'

interface Waiting {
  readonly shown: string
  /** What becomes of it; undefined until the gateway has taken the message. */
  fate?: string
}

export class Queued {
  readonly #waiting = new Map<string, Waiting>()

  add(key: string, shown: string): void {
    this.#waiting.set(key, { shown })
  }

  /** `steers`: it becomes part of the turn that runs. */
  setAhead(key: string, { ahead, steers }: { ahead: number; steers: boolean }): void {
    const waiting = this.#waiting.get(key)
    if (waiting) waiting.fate = steers ? 'is read at the next step' : `queued, ${ahead} ahead`
  }

  take(key: string): string | undefined {
    const waiting = this.#waiting.get(key)
    this.#waiting.delete(key)
    return waiting?.shown
  }

  notes(): string[] {
    return [...this.#waiting.values()].map(({ shown, fate = 'not taken yet' }) => sanitizeLine(`> ${shown} (${fate})`))
  }
}
