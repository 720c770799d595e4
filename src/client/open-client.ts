// The client library: one interface to a gateway over HTTP, a WebSocket or in the same process. Calls are typed by the
// catalogue; with a key they are repeated until it is known what became of them, and done once all the same. It loads
// nothing of Node, so that a browser can have it.
import { SECOND } from '../base/durations.ts'
import { asSluiceError, SluiceError } from '../base/errors.ts'
import { pause } from '../base/pause.ts'
import type { Clock, Fetch } from '../base/world.ts'
import type { MethodName, ParamsInput, Result } from '../protocol/catalogue.ts'
import { httpLink } from './http.ts'
import type { Link, LinkCall } from './link.ts'
import { platformClock, platformFetch } from './platform.ts'
import type { ReplayListener } from './replay.ts'
import type { OpenSocket } from './socket.ts'
import { webSocketLink } from './web-socket.ts'

/** How often a call is sent at most. */
export const TRIES_MAX = 5
const RETRY_MS = 250
const RETRY_MS_MAX = 5 * SECOND

export interface ClientCallOptions {
  /**
   * For methods that change something: what was asked under it is done once. The same key with the same params may be
   * sent again at any time within seven days, also by another process.
   */
  readonly key?: string
  /** Bounds the wait of all tries together, not the work. None: as long as the gateway takes. */
  readonly timeoutMs?: number
  /** Ends the wait, not the work. */
  readonly signal?: AbortSignal
}

export interface Client {
  call<M extends MethodName>(method: M, params: ParamsInput<M>, options?: ClientCallOptions): Promise<Result<M>>
  /**
   * Hears what happens, over lost connections and restarts: durable events once and in order, others while they last.
   * `since` is the `seq` of the last event that was heard earlier. Answers how to stop.
   */
  listen(listener: Partial<ReplayListener>, options?: { readonly since?: number }): () => void
  close(): void
}

export interface ClientOptions {
  /** `http(s)://` or `ws(s)://`, as the gateway says at its start. */
  readonly url: string
  readonly token?: string
  /** What a turn's process finds as SLUICE_CAUSE. */
  readonly cause?: string
  readonly clock?: Clock
  readonly fetch?: Fetch
  readonly openSocket?: OpenSocket
}

/** Connects when it is first used. Throws INVALID_REQUEST for an address of another kind. */
export function openClient(options: ClientOptions): Client {
  const clock = options.clock ?? platformClock
  const { url, token, cause } = options
  const common = { url, clock, ...(token !== undefined && { token }), ...(cause !== undefined && { cause }) }
  if (/^https?:\/\//.test(url)) return clientOver(httpLink({ ...common, fetch: options.fetch ?? platformFetch }), clock)
  if (/^wss?:\/\//.test(url)) {
    return clientOver(
      webSocketLink({ ...common, ...(options.openSocket && { openSocket: options.openSocket }) }),
      clock,
    )
  }
  throw new SluiceError('INVALID_REQUEST', `${url} is no address of a gateway; an example: http://127.0.0.1:18789`)
}

export function clientOver(link: Link, clock: Clock): Client {
  const closed = new AbortController()
  return {
    call: (method, params, options = {}) =>
      repeated(link, clock, {
        ...{ method, params, ...options },
        signal: AbortSignal.any([closed.signal, ...(options.signal ? [options.signal] : [])]),
      }) as never,
    listen: (listener, { since } = {}) => {
      const { event = ignore, caughtUp = ignore, tooOld = ignore } = listener
      return link.listen({ event, caughtUp, tooOld }, since)
    },
    close: () => {
      closed.abort()
      link.close()
    },
  }
}

const ignore = () => undefined

interface Repeated extends ClientCallOptions {
  readonly method: string
  readonly params: unknown
  readonly signal: AbortSignal
}

async function repeated(link: Link, clock: Clock, wanted: Repeated): Promise<unknown> {
  const { method, params, key, timeoutMs, signal } = wanted
  if (signal.aborted) throw new SluiceError('CANCELLED', 'Stopped before it was sent.', { outcome: 'not-started' })
  const ended = new AbortController()
  // A link that is still being made hears of no end.
  const { promise: over, reject } = Promise.withResolvers<never>()
  const end = (code: 'CANCELLED' | 'TIMEOUT', how: string) => {
    const message = `${how} Only the wait ended: the gateway may still do it.`
    const error = new SluiceError(code, message, { outcome: 'unknown' })
    ended.abort(error)
    reject(error)
  }
  const stop = () => end('CANCELLED', `Stopped waiting for ${method}.`)
  signal.addEventListener('abort', stop, { once: true })
  const timer =
    timeoutMs === undefined
      ? undefined
      : clock.after(timeoutMs, () => end('TIMEOUT', `${method} was not answered within ${timeoutMs} ms.`))
  try {
    return await Promise.race([tried(link, clock, { method, params, key, signal: ended.signal }), over])
  } finally {
    timer?.cancel()
    signal.removeEventListener('abort', stop)
  }
}

async function tried(link: Link, clock: Clock, call: LinkCall): Promise<unknown> {
  const { signal, key } = call
  for (let tries = 1; ; tries += 1) {
    try {
      return await link.call(call)
    } catch (thrown) {
      const error = asSluiceError(signal.aborted ? signal.reason : thrown)
      if (tries >= TRIES_MAX || signal.aborted || !mayRepeat(error, key !== undefined)) throw error
      await pause(clock, error.retryAfterMs ?? Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** (tries - 1)), signal)
      if (signal.aborted) throw signal.reason
    }
  }
}

/** Without a key only what certainly was not begun is sent again. */
function mayRepeat({ code, outcome }: SluiceError, hasKey: boolean): boolean {
  if (!['UNAVAILABLE', 'BUSY', 'STORE_FAILED', 'TIMEOUT'].includes(code)) return false
  return outcome === 'not-started' || (hasKey && (outcome === undefined || outcome === 'unknown'))
}
