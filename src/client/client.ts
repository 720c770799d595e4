// A connection to a gateway: the handshake, calls typed by the catalogue, events, and the watch for a dead peer. It
// refuses to guess: it never reconnects and never sends anything twice (who holds it knows what was acknowledged).
// Types alone come from the catalogue, so that no schema library is loaded with it.
import { formatDuration, SECOND } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import type { Clock, Timer } from '../base/world.ts'
import type { MethodName, ParamsInput, Result } from '../protocol/catalogue.ts'
import type { ConnectParams, HelloOk } from '../protocol/connect.ts'
import type { AgentEvent, ChatEvent, ConfigEvent, CronEvent } from '../protocol/events.ts'
import type { EventFrame, ResponseFrame } from '../protocol/frames.ts'
import { PROTOCOL_VERSION } from '../protocol/limits.ts'
import { type CallOptions, Calls, type Closed } from './calls.ts'
import type { OpenSocket, Socket } from './socket.ts'

const SCOPES = ['operator.admin', 'operator.approvals', 'operator.pairing']
const CONNECT_TIMEOUT_MS_DEFAULT = 10 * SECOND
const CLOSE_TICK_TIMEOUT = 4000
/** Ticks that may be missed before the peer counts as dead. */
const TICKS_MISSED_MAX = 2

export type GatewayEvent =
  | { readonly event: 'agent'; readonly payload: AgentEvent; readonly seq?: number }
  | { readonly event: 'chat'; readonly payload: ChatEvent; readonly seq?: number }
  | { readonly event: 'cron'; readonly payload: CronEvent; readonly seq?: number }
  | { readonly event: 'config'; readonly payload: ConfigEvent; readonly seq?: number }
  | { readonly event: 'shutdown'; readonly payload: { readonly reason?: string }; readonly seq?: number }

export interface GatewayClient {
  readonly url: string
  readonly hello: HelloOk
  /** Resolves once, however the connection ended; never rejects. */
  readonly closed: Promise<Closed>
  call<M extends MethodName>(method: M, params: ParamsInput<M>, options?: CallOptions): Promise<Result<M>>
  /** A call by a name that the types do not know. */
  callUntyped(method: string, params: unknown, options?: CallOptions): Promise<unknown>
  /** Hears events whose payload is an object; those of unknown names too, so switch on `event`. Answers how to stop. */
  onEvent(listener: (event: GatewayEvent) => void): () => void
  close(): void
}

export interface ConnectOptions {
  readonly url: string
  readonly token?: string
  readonly password?: string
  /** The turn that started this process, as SLUICE_CAUSE names it: calls are then that turn's own. */
  readonly cause?: string
  readonly client: Pick<ConnectParams['client'], 'id' | 'mode' | 'displayName'> & Partial<ConnectParams['client']>
  readonly clock: Clock
  /** Bounds opening and handshake together. */
  readonly timeoutMs?: number
  /** Default: the WebSocket of the platform. */
  readonly openSocket?: OpenSocket
  /** The command that starts a gateway, for the message when none answers. */
  readonly startCommand?: string
}

/** Rejects with UNAVAILABLE when nobody answers, UNAUTHORIZED when the token is wrong, TIMEOUT when nobody speaks. */
export function connectGateway(options: ConnectOptions): Promise<GatewayClient> {
  const openSocket = options.openSocket ?? (url => new WebSocket(url))
  let socket: Socket
  try {
    socket = openSocket(options.url)
  } catch (error) {
    const message = `${options.url} is no WebSocket address; an example that works: ws://127.0.0.1:18789`
    return Promise.reject(new SluiceError('INVALID_REQUEST', message, { cause: error }))
  }
  return new Connection(options, socket).ready
}

class Connection implements GatewayClient {
  readonly url: string
  readonly ready: Promise<GatewayClient>
  readonly closed: Promise<Closed>
  readonly #options: ConnectOptions
  readonly #socket: Socket
  readonly #calls: Calls
  readonly #listeners = new Set<(event: GatewayEvent) => void>()
  readonly #handshake = Promise.withResolvers<GatewayClient>()
  readonly #end = Promise.withResolvers<Closed>()
  #hello: HelloOk | undefined
  #handshakeTimer: Timer | undefined
  #watch: Timer | undefined
  #challenged = false
  #heard = false
  #ended: Closed | undefined

  constructor(options: ConnectOptions, socket: Socket) {
    this.url = options.url
    this.ready = this.#handshake.promise
    this.closed = this.#end.promise
    this.#options = options
    this.#socket = socket
    this.#calls = new Calls(options.clock)
    const timeoutMs = options.timeoutMs ?? CONNECT_TIMEOUT_MS_DEFAULT
    this.#handshakeTimer = options.clock.after(timeoutMs, () => {
      const message = `${this.url} did not complete a gateway's handshake within ${formatDuration(timeoutMs)}. Is it a gateway?`
      this.#fail(new SluiceError('TIMEOUT', message, { outcome: 'not-started' }))
    })
    socket.addEventListener('message', event => this.#receive(event.data))
    // The close event that follows says all there is to say; without a listener the `ws` package would throw.
    socket.addEventListener('error', () => undefined)
    socket.addEventListener('close', ({ code, reason }) => this.#finish({ code, reason }))
  }

  get hello(): HelloOk {
    // Nobody is handed this object before the handshake is done.
    return this.#hello as HelloOk
  }

  call<M extends MethodName>(method: M, params: ParamsInput<M>, options: CallOptions = {}): Promise<Result<M>> {
    return this.callUntyped(method, params, options) as Promise<Result<M>>
  }

  callUntyped(method: string, params: unknown, options: CallOptions = {}): Promise<unknown> {
    if (this.#ended) {
      const message = `The connection is closed; ${method} was not sent.`
      const details = { method, closeCode: this.#ended.code }
      return Promise.reject(new SluiceError('UNAVAILABLE', message, { outcome: 'not-started', details }))
    }
    return this.#calls.begin(method, options, id => {
      this.#socket.send(JSON.stringify({ type: 'req', id, method, ...(params !== undefined && { params }) }))
    })
  }

  onEvent(listener: (event: GatewayEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#socket.close(1000)
    this.#finish({ code: 1000, reason: '' })
  }

  #receive(data: unknown): void {
    if (this.#ended) return
    const frame = parseFrame(data)
    if (!frame) return
    this.#heard = true
    // Any frame proves that the peer lives, not ticks alone: under load the gateway may leave ticks out.
    if (this.#hello) this.#keepWatch(this.#hello.policy?.tickIntervalMs)
    if (frame.type === 'res') this.#calls.settle(frame)
    else if (frame.event === 'connect.challenge') this.#introduce()
    else this.#announce(frame)
  }

  #announce(frame: EventFrame): void {
    if (typeof frame.payload !== 'object' || frame.payload === null) return
    for (const listener of [...this.#listeners]) listener(frame as GatewayEvent)
  }

  #introduce(): void {
    if (this.#challenged) return
    this.#challenged = true
    const { client, token, password, cause } = this.#options
    const auth = { ...(token && { token }), ...(password && { password }), ...(cause && { cause }) }
    const params: ConnectParams = {
      minProtocol: PROTOCOL_VERSION,
      maxProtocol: PROTOCOL_VERSION,
      client: { version: 'dev', platform: 'node', ...client },
      caps: [],
      role: 'operator',
      scopes: SCOPES,
      ...(Object.keys(auth).length > 0 && { auth }),
    }
    this.callUntyped('connect', params).then(
      hello => this.#welcome(hello),
      (error: SluiceError) => this.#fail(refusal(error, cause !== undefined)),
    )
  }

  #welcome(hello: unknown): void {
    if ((hello as HelloOk | undefined)?.type !== 'hello-ok') {
      this.#fail(new SluiceError('UNAVAILABLE', `What answers at ${this.url} does not speak the gateway's protocol.`))
      return
    }
    this.#hello = hello as HelloOk
    this.#handshakeTimer?.cancel()
    this.#keepWatch(this.#hello.policy?.tickIntervalMs)
    this.#handshake.resolve(this)
  }

  #keepWatch(tickIntervalMs: unknown): void {
    this.#watch?.cancel()
    if (typeof tickIntervalMs !== 'number' || !(tickIntervalMs > 0)) return
    this.#watch = this.#options.clock.after(TICKS_MISSED_MAX * tickIntervalMs, () => {
      const closed = { code: CLOSE_TICK_TIMEOUT, reason: 'tick timeout' }
      this.#socket.close(closed.code, closed.reason)
      // A dead peer never confirms the close.
      this.#finish(closed)
    })
  }

  #fail(error: SluiceError): void {
    this.#handshake.reject(error)
    this.close()
  }

  #finish(closed: Closed): void {
    if (this.#ended) return
    this.#ended = closed
    this.#handshakeTimer?.cancel()
    this.#watch?.cancel()
    this.#handshake.reject(this.#unreachable(closed))
    this.#calls.endAll(closed)
    this.#end.resolve(closed)
  }

  #unreachable({ code, reason }: Closed): SluiceError {
    const { url, startCommand } = this.#options
    if (this.#heard) {
      const how = reason ? `${code} ${reason}` : String(code)
      const message = `The gateway at ${url} closed the connection during the handshake (${how}).`
      return new SluiceError('UNAVAILABLE', message, { outcome: 'not-started' })
    }
    const advice = startCommand ? ` Start one with: ${startCommand}` : ''
    const details = { isListening: false }
    return new SluiceError('UNAVAILABLE', `No gateway answers at ${url}.${advice}`, { details, outcome: 'not-started' })
  }
}

function refusal(error: SluiceError, asTurn: boolean): SluiceError {
  if (error.outcome === 'unknown') return new SluiceError('UNAVAILABLE', error.message, { outcome: 'not-started' })
  if (!/unauthorized|device identity required/i.test(error.message)) return error
  if (asTurn) return new SluiceError('UNAUTHORIZED', `${error.message}.`, { outcome: 'not-started', cause: error })
  const advice =
    'Check SLUICE_GATEWAY_TOKEN or --token if you set one; else the token is the file "token" in the state folder of that gateway (SLUICE_STATE_DIR).'
  const message = `The gateway refused the token: ${error.message.replace(/\.?$/, '.')} ${advice}`
  return new SluiceError('UNAUTHORIZED', message, { outcome: 'not-started', cause: error })
}

/** The frame, or undefined for whatever is none; what a newer gateway adds is ignored, never fatal. */
function parseFrame(data: unknown): ResponseFrame | EventFrame | undefined {
  if (typeof data !== 'string') return undefined
  let frame: Record<string, unknown> | null
  try {
    frame = JSON.parse(data)
  } catch {
    return undefined
  }
  if (typeof frame !== 'object' || frame === null) return undefined
  if (frame.type === 'res' && typeof frame.id === 'string') return frame as unknown as ResponseFrame
  if (frame.type === 'event' && typeof frame.event === 'string') return frame as unknown as EventFrame
  return undefined
}
