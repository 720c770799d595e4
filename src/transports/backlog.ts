// What waits for slow clients, all together: one of them may hold up much, thousands of them may not.
import { BUFFERED_BYTES_ALL_MAX, BUFFERED_BYTES_MAX } from '../protocol/limits.ts'

/** Less than this is not counted: it is on its way. */
export const UNCOUNTED_BYTES = 16_384

export class Backlog<C extends object> {
  readonly #bytes = new Map<C, number>()
  #total = 0

  /** Notes what waits for a client now, and answers whether that is too much, for it or for all. */
  isTooMuch(client: C, bytes: number, bytesMax = BUFFERED_BYTES_MAX): boolean {
    this.#total -= this.#bytes.get(client) ?? 0
    if (bytes <= UNCOUNTED_BYTES) {
      this.#bytes.delete(client)
      return false
    }
    this.#bytes.set(client, bytes)
    this.#total += bytes
    return bytes > bytesMax || this.#total > BUFFERED_BYTES_ALL_MAX
  }

  forget(client: C): void {
    this.#total -= this.#bytes.get(client) ?? 0
    this.#bytes.delete(client)
  }
}
