// The times of a world in which its gateway was up and its clock was right: what fell due in them was surely decided.
import { SECOND } from '../../../src/base/durations.ts'
import { type Calm, sureOf } from './books.ts'

export interface CalmsWorld {
  readonly wallMs: () => number
  /** How long until the clock is believed again. */
  readonly behindMs: () => number
  readonly newestRow: () => number
}

export class Calms {
  readonly #world: CalmsWorld
  readonly #calms: Calm[] = []
  #since: { fromMs: number; afterRow: number } | undefined

  constructor(world: CalmsWorld) {
    this.#world = world
  }

  get all(): readonly Calm[] {
    return this.#calms
  }

  begin(): void {
    const fromMs = this.#world.wallMs() + Math.max(0, this.#world.behindMs()) + SECOND
    this.#since = { fromMs, afterRow: this.#world.newestRow() }
  }

  disturb(): void {
    const since = this.#since
    const wallMs = this.#world.wallMs()
    this.#since = undefined
    if (!since || wallMs <= since.fromMs) return
    this.#calms.push({ ...since, toMs: wallMs })
  }

  /** Up to where everything that was due is surely decided, by the calm times from this one on. */
  sureMs(calmsBefore: number): number {
    const calms = this.#calms.slice(calmsBefore)
    if (this.#since) calms.push({ ...this.#since, toMs: this.#world.wallMs() })
    return sureOf(calms)
  }
}
