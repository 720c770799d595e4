// The link over a WebSocket: one connection for all, made when it is needed and again when it was lost. Events are gone
// on with where they were heard last.
import { SECOND } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import { pause } from '../base/pause.ts'
import type { Clock } from '../base/world.ts'
import { connectGateway, type GatewayClient } from './client.ts'
import type { Link, LinkCall } from './link.ts'
import { Replay, type ReplayListener } from './replay.ts'
import type { OpenSocket } from './socket.ts'

const RECONNECT_MS = 500
const RECONNECT_MS_MAX = 10 * SECOND

export interface WebSocketLinkOptions {
  readonly url: string
  readonly token?: string
  readonly cause?: string
  readonly clock: Clock
  readonly openSocket?: OpenSocket
}

export function webSocketLink(options: WebSocketLinkOptions): Link {
  return new WebSocketLink(options)
}

class WebSocketLink implements Link {
  readonly #options: WebSocketLinkOptions
  readonly #ended = new AbortController()
  #connection: Promise<GatewayClient> | undefined

  constructor(options: WebSocketLinkOptions) {
    this.#options = options
  }

  async call({ method, params, key, signal }: LinkCall): Promise<unknown> {
    const client = await this.#connect()
    const isRecord = typeof params === 'object' && params !== null
    const sent = key === undefined ? params : { ...(isRecord && params), idempotencyKey: key }
    return await client.callUntyped(method, sent, { signal })
  }

  listen(listener: ReplayListener, since: number | undefined): () => void {
    const replay = new Replay(listener, since)
    const stopped = new AbortController()
    const end = AbortSignal.any([stopped.signal, this.#ended.signal])
    void this.#follow(replay, end)
    return () => {
      stopped.abort()
      replay.end()
    }
  }

  close(): void {
    this.#ended.abort()
    this.#connection?.then(
      client => client.close(),
      () => undefined,
    )
    this.#connection = undefined
  }

  /** Stays connected until it is told to end. */
  async #follow(replay: Replay, end: AbortSignal): Promise<void> {
    let delayMs = RECONNECT_MS
    while (!end.aborted) {
      const client = await this.#connect().catch(() => undefined)
      if (client && !end.aborted) {
        replay.follow(client)
        delayMs = RECONNECT_MS
        await client.closed
      } else delayMs = Math.min(RECONNECT_MS_MAX, delayMs * 2)
      if (!end.aborted) await pause(this.#options.clock, delayMs, end)
    }
  }

  #connect(): Promise<GatewayClient> {
    if (this.#ended.signal.aborted) {
      return Promise.reject(new SluiceError('UNAVAILABLE', 'The client was closed.', { outcome: 'cancelled' }))
    }
    const { token, cause, openSocket, url, clock } = this.#options
    this.#connection ??= connectGateway({
      ...{ url, clock, client: { id: 'gateway-client', mode: 'backend' } },
      ...(token !== undefined && { token }),
      ...(cause !== undefined && { cause }),
      ...(openSocket && { openSocket }),
    }).then(
      client => {
        void client.closed.then(() => {
          this.#connection = undefined
        })
        return client
      },
      error => {
        this.#connection = undefined
        throw error
      },
    )
    return this.#connection
  }
}
