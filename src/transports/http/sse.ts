// Writes Server-Sent Events to one response and keeps the way open with comments. It buffers nothing itself; how much
// waits for a slow reader is asked of the response.
import type { ServerResponse } from 'node:http'
import { SECOND } from '../../base/durations.ts'
import type { Clock, Timer } from '../../base/world.ts'

/** Proxies and clients end what is silent for longer. */
export const COMMENT_INTERVAL_MS = 15 * SECOND
/** What a reader that is dropped may take to read why. */
const END_GRACE_MS = 5 * SECOND

export interface SseEvent {
  readonly id?: number
  readonly event?: string
  /** Sent as JSON unless it is a text. */
  readonly data: unknown
}

export class Sse {
  readonly #response: ServerResponse
  readonly #clock: Clock
  #timer: Timer | undefined

  /** Begins the answer. */
  constructor(response: ServerResponse, clock: Clock, headers: Readonly<Record<string, string>> = {}) {
    this.#response = response
    this.#clock = clock
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // Proxies that gather answers are told not to.
      'x-accel-buffering': 'no',
      ...headers,
    })
    response.flushHeaders()
    response.once('close', () => this.#timer?.cancel())
    this.#keepOpen()
  }

  /** Bytes that wait for the reader. */
  get waitingBytes(): number {
    return this.#response.writableLength
  }

  /** Whether it is time to wait for `drain`. */
  get isFull(): boolean {
    return this.#response.writableNeedDrain
  }

  send({ id, event, data }: SseEvent): void {
    if (this.#response.writableEnded) return
    const text = typeof data === 'string' ? data : JSON.stringify(data)
    const head = `${id === undefined ? '' : `id: ${id}\n`}${event === undefined ? '' : `event: ${event}\n`}`
    this.#response.write(`${head}data: ${text}\n\n`)
  }

  /** Whoever does not read what is left within a grace is cut off. */
  end(): void {
    if (this.#response.writableEnded) return
    this.#timer?.cancel()
    const force = this.#clock.after(END_GRACE_MS, () => this.#response.destroy())
    this.#response.once('close', () => force.cancel())
    this.#response.end()
  }

  #keepOpen(): void {
    this.#timer = this.#clock.after(COMMENT_INTERVAL_MS, () => {
      this.#response.write(': open\n\n')
      this.#keepOpen()
    })
  }
}
