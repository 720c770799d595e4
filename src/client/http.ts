// The link over HTTP: a request for each call, and one stream of Server-Sent Events that is taken up again, by the id of
// the last event, whenever it ends.
import { SECOND } from '../base/durations.ts'
import { asSluiceError, ERROR_CODES, type ErrorData, errorFromData, SluiceError } from '../base/errors.ts'
import { pause } from '../base/pause.ts'
import type { Clock, Fetch } from '../base/world.ts'
import type { GatewayEvent } from './client.ts'
import { eventsOf, type ServerSentEvent } from './event-source.ts'
import type { Link, LinkCall } from './link.ts'
import type { ReplayListener } from './replay.ts'

const RECONNECT_MS = 500
const RECONNECT_MS_MAX = 10 * SECOND

export interface HttpLinkOptions {
  readonly url: string
  readonly token?: string
  readonly cause?: string
  readonly clock: Clock
  readonly fetch: Fetch
}

export function httpLink(options: HttpLinkOptions): Link {
  return new HttpLink(options)
}

class HttpLink implements Link {
  readonly #options: HttpLinkOptions
  readonly #base: string
  readonly #ended = new AbortController()

  constructor(options: HttpLinkOptions) {
    this.#options = options
    this.#base = options.url.replace(/\/+$/, '')
  }

  async call({ method, params, key, signal }: LinkCall): Promise<unknown> {
    const response = await this.#fetch(`/rpc/${encodeURIComponent(method)}`, {
      method: 'POST',
      body: JSON.stringify(params ?? {}),
      headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }) },
      signal: AbortSignal.any([signal, this.#ended.signal]),
    })
    const answer = await response.json().catch(error => {
      throw lost(error, 'unknown')
    })
    if (!response.ok) throw refusalOf(response.status, answer)
    return answer
  }

  listen(listener: ReplayListener, since: number | undefined): () => void {
    const stopped = new AbortController()
    const end = AbortSignal.any([stopped.signal, this.#ended.signal])
    void this.#follow(new Told(listener, since), end)
    return () => stopped.abort()
  }

  close(): void {
    this.#ended.abort()
  }

  async #follow(told: Told, end: AbortSignal): Promise<void> {
    let delayMs = RECONNECT_MS
    while (!end.aborted) {
      try {
        const last = told.seq === undefined ? {} : { 'last-event-id': String(told.seq) }
        const response = await this.#fetch('/events', {
          headers: { accept: 'text/event-stream', ...last },
          signal: end,
        })
        if (response.ok && response.body) {
          delayMs = RECONNECT_MS
          for await (const event of eventsOf(response.body, this.#options.clock)) if (!end.aborted) told.take(event)
        } else await response.body?.cancel()
      } catch {
        // Lost or not there: it is asked again, from where it was.
      }
      await pause(this.#options.clock, delayMs, end)
      delayMs = Math.min(RECONNECT_MS_MAX, delayMs * 2)
    }
  }

  async #fetch(path: string, init: RequestInit & { headers: Record<string, string> }): Promise<Response> {
    const { fetch, token, cause } = this.#options
    const headers = {
      ...init.headers,
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(cause !== undefined && { 'x-sluice-cause': cause }),
    }
    try {
      return await fetch(`${this.#base}${path}`, { ...init, headers })
    } catch (error) {
      const { cause: reason } = error as { cause?: { code?: string } }
      throw lost(error, reason?.code === 'ECONNREFUSED' ? 'not-started' : 'unknown')
    }
  }
}

/** What one listener was told, over all its streams. */
class Told {
  readonly #listener: ReplayListener
  seq: number | undefined

  constructor(listener: ReplayListener, since: number | undefined) {
    this.#listener = listener
    this.seq = since
  }

  take({ id, event, data }: ServerSentEvent): void {
    const payload = JSON.parse(data)
    const seq = id === undefined ? undefined : Number(id)
    if (seq !== undefined) this.seq = seq
    if (event === 'caught-up') this.#listener.caughtUp(payload.live)
    else if (event === 'too-old') this.#listener.tooOld([])
    else if (event !== 'dropped') {
      this.#listener.event({ event, payload, ...(seq !== undefined && { seq }) } as GatewayEvent)
    }
  }
}

function lost(error: unknown, outcome: 'unknown' | 'not-started'): SluiceError {
  const message = `The gateway was not reached: ${asSluiceError(error).message}`
  return new SluiceError('UNAVAILABLE', message, { outcome, cause: error })
}

function refusalOf(status: number, answer: unknown): SluiceError {
  const { error } = (answer ?? {}) as { error?: Partial<ErrorData> }
  if (error?.code !== undefined && error.code in ERROR_CODES) {
    return errorFromData({ ...error, code: error.code, message: String(error.message) })
  }
  return new SluiceError(
    'UNAVAILABLE',
    `The gateway answered ${status}: ${String(error?.message ?? 'without a reason')}`,
  )
}
