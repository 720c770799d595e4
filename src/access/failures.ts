// How often an address may present what is wrong before it has to wait: guessing must not be free. Only for others than
// this machine, where a wrong process must not lock its owner out and every secret is long. Bounded in memory. What may be
// asked without a secret is counted the same way, with a limit of its own.
import { familyOf } from '../base/addresses.ts'
import { MINUTE } from '../base/durations.ts'
import type { Clock } from '../base/world.ts'

/** Wrong attempts of one address within the window; after them it waits for the window's end. */
export const FAILURES_MAX = 10
export const WINDOW_MS = MINUTE
/** Addresses that are remembered; beyond it the oldest window is forgotten. */
const ADDRESSES_MAX = 10_000
const GROUPS_OF_NETWORK = 4

interface Window {
  readonly endsAtMs: number
  count: number
}

export class Failures {
  readonly #clock: Pick<Clock, 'monotonic'>
  readonly #max: number
  /** In the order in which the windows began. */
  readonly #windows = new Map<string, Window>()

  constructor(clock: Pick<Clock, 'monotonic'>, max = FAILURES_MAX) {
    this.#clock = clock
    this.#max = max
  }

  /** How long this address must still wait; undefined: it may try. */
  waitMs(address: string): number | undefined {
    const found = this.#window(address)
    if (!found || found.count < this.#max) return undefined
    return Math.max(1, Math.ceil(found.endsAtMs - this.#clock.monotonic()))
  }

  note(address: string): void {
    const found = this.#window(address)
    if (found) found.count += 1
    else {
      this.#windows.set(networkOf(address), { endsAtMs: this.#clock.monotonic() + WINDOW_MS, count: 1 })
      const [oldest] = this.#windows.keys()
      if (this.#windows.size > ADDRESSES_MAX && oldest !== undefined) this.#windows.delete(oldest)
    }
  }

  #window(address: string): Window | undefined {
    const network = networkOf(address)
    const found = this.#windows.get(network)
    if (!found || found.endsAtMs > this.#clock.monotonic()) return found
    this.#windows.delete(network)
    return undefined
  }
}

/** Whoever has one IPv6 address has its whole /64. */
export function networkOf(address: string): string {
  if (familyOf(address) !== 6) return address
  const [head = '', tail] = address.split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const known = groups(head)
  const filled =
    tail === undefined ? known : [...known, ...Array(8 - known.length - groups(tail).length).fill('0'), ...groups(tail)]
  return filled.slice(0, GROUPS_OF_NETWORK).join(':')
}
