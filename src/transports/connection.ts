// One WebSocket connection: the handshake, then requests handled side by side and answered as they end. It translates
// frames to calls and back and decides nothing else. When it closes, one line says with what, and which requests it
// left unanswered; their waits end, their work goes on (W6).
import type { Duplex } from 'node:stream'
import type { RawData, WebSocket } from 'ws'
import { SluiceError } from '../base/errors.ts'
import type { Clock, Random, Timer } from '../base/world.ts'
import type { Caller } from '../dispatch/caller.ts'
import type { Dispatcher } from '../dispatch/dispatcher.ts'
import type { GatewayEvent } from '../dispatch/event-hub.ts'
import { type ConnectParams, connectParamsSchema, type HelloOk } from '../protocol/connect.ts'
import { paramsError, toWireError } from '../protocol/error-codes.ts'
import { mayHearEvent } from '../protocol/events.ts'
import { type Frame, type RequestFrame, requestFrameSchema, type WireError } from '../protocol/frames.ts'
import {
  CLOSE,
  CLOSE_REASON_BYTES_MAX,
  HANDSHAKE_TIMEOUT_MS,
  PROTOCOL_VERSION,
  UNPROVEN_BYTES_MAX,
  UNREAD_ANSWERS_BYTES_MAX,
} from '../protocol/limits.ts'
import type { Backlog } from './backlog.ts'

/** Requests of one connection that may be open at once; one more is refused at once. */
const OPEN_REQUESTS_MAX = 1_000

/** Messages that may follow the handshake's while it is decided about; one more ends the connection. */
const EARLY_MESSAGES_MAX = 16

export type Admission =
  | { readonly caller: Caller; readonly auth?: NonNullable<HelloOk['auth']> }
  | { readonly refused: WireError }

/** Where a connection comes from, as its upgrade was judged. */
export interface From {
  readonly address: string
  /** On this machine, and through no proxy. */
  readonly isLocal: boolean
}

export interface ConnectionParts {
  readonly dispatcher: Dispatcher
  readonly clock: Clock
  readonly random: Random
  /** Answers at once, or once what it decided is on disk. Fails where the store cannot be read. */
  readonly admit: (params: ConnectParams, peer: From & { nonce: string }) => Admission | Promise<Admission>
  readonly hello: (connId: string) => HelloOk
  readonly listen: (listener: (event: GatewayEvent) => void) => () => void
  /** Told who is connected; answers what to call when that has ended. */
  readonly joined: (connId: string, who: { params: ConnectParams; caller: Caller; from: From }) => () => void
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void
}

export interface ConnectionEnds {
  /** What the socket's frames are written to. */
  readonly stream: Duplex
  readonly from: From
  readonly backlog: Backlog<Connection>
  /** Called once it is known who this is. */
  readonly proven: () => void
}

export class Connection {
  readonly #parts: ConnectionParts
  readonly #socket: WebSocket
  readonly #ends: ConnectionEnds
  readonly #nonce: string
  readonly #openedAt: number
  readonly #gone = new AbortController()
  /** Open requests; a client may use an id twice. */
  readonly #open = new Set<{ readonly method: string }>()
  #caller: Caller | undefined
  #handshake: 'pending' | 'deciding' | 'connected' | 'failed' = 'pending'
  /** What came while it was decided about the handshake. */
  readonly #early: (readonly [RawData, boolean])[] = []
  #unprovenBytes = 0
  #handshakeTimer: Timer | undefined
  #unlisten: (() => void) | undefined
  #left: (() => void) | undefined
  #gathering = false
  #lastFrameType: string | undefined
  #lastFrameMethod: string | undefined
  /** What was wrong with the socket or with what came over it. */
  #fault: string | undefined

  constructor(parts: ConnectionParts, socket: WebSocket, ends: ConnectionEnds) {
    this.#parts = parts
    this.#socket = socket
    this.#ends = ends
    this.#nonce = parts.random.uuid()
    this.#openedAt = parts.clock.monotonic()
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary))
    socket.on('close', (code, reason) => this.#closed(code, reason.toString()))
    // `ws` closes by itself, with the code that says why (1009 for a frame too large); ending it here would lose that.
    socket.on('error', error => {
      this.#fault = error.message
    })
    ends.stream.on('data', this.#countUnproven)
    this.#handshakeTimer = parts.clock.after(HANDSHAKE_TIMEOUT_MS, () => this.#close(CLOSE.normal, ''))
    this.#send({ type: 'event', event: 'connect.challenge', payload: { nonce: this.#nonce, ts: parts.clock.now() } })
  }

  /** Who is connected; undefined while that is not known. */
  get caller(): Caller | undefined {
    return this.#handshake === 'connected' ? this.#caller : undefined
  }

  /** Bytes of frames that are not whole yet count as well, which `ws` would gather. */
  readonly #countUnproven = (chunk: Buffer) => {
    this.#unprovenBytes += chunk.length
    if (this.#unprovenBytes <= UNPROVEN_BYTES_MAX) return
    this.#fault = 'too much before the handshake'
    this.#ends.stream.off('data', this.#countUnproven)
    this.terminate()
  }

  /** Ends the connection from our side; open requests are left unanswered. */
  close(code: number, reason: string): void {
    this.#close(code, reason)
  }

  /** Drops what does not answer a close. */
  terminate(): void {
    this.#socket.terminate()
  }

  deliver(event: GatewayEvent, encoded: string): void {
    if (this.#handshake !== 'connected') return
    if (this.#ends.backlog.isTooMuch(this, this.#socket.bufferedAmount)) {
      if (!event.droppable) this.#close(CLOSE.refused, 'slow consumer')
      return
    }
    this.#gather()
    this.#socket.send(encoded)
  }

  /** With many turns streaming, a system call for each event would cost more than the event: those of one moment share one. */
  #gather(): void {
    if (this.#gathering) return
    this.#gathering = true
    this.#ends.stream.cork()
    setImmediate(() => {
      this.#gathering = false
      this.#ends.stream.uncork()
    })
  }

  #receive(data: RawData, isBinary: boolean): void {
    // Who is being let go, or was shut out, may still send until he has answered our close: nothing of it counts.
    if (this.#socket.readyState !== this.#socket.OPEN) return
    if (this.#handshake === 'deciding') {
      if (this.#early.push([data, isBinary]) > EARLY_MESSAGES_MAX) this.#close(CLOSE.refused, 'too much at once')
      return
    }
    const frame = isBinary ? undefined : parseJson(data)
    if (frame === undefined) {
      if (this.#handshake === 'pending') this.#close(CLOSE.normal, '')
      return
    }
    const parsed = requestFrameSchema.safeParse(frame)
    this.#lastFrameType = parsed.success ? 'req' : 'invalid'
    if (parsed.success) this.#lastFrameMethod = parsed.data.method.slice(0, 100)
    if (this.#handshake === 'failed') return
    if (!parsed.success) this.#refuseFrame(frame, parsed.error)
    else if (this.#handshake === 'pending') this.#connect(parsed.data)
    else void this.#handle(parsed.data)
  }

  #refuseFrame(frame: unknown, error: FrameError): void {
    if (this.#handshake === 'pending') this.#close(CLOSE.refused, 'invalid request frame')
    else
      this.#answerError(idOf(frame), new SluiceError('INVALID_REQUEST', `invalid request frame: ${firstIssue(error)}`))
  }

  #connect(frame: RequestFrame): void {
    const checked = this.#checked(frame)
    if ('refused' in checked) {
      this.#refuse(frame.id, checked.refused, checked.close)
      return
    }
    const peer = { ...this.#ends.from, nonce: this.#nonce }
    // Where the store cannot be read nobody can be let in, and that ends nothing but this connection.
    const decided = (admission: Admission) => {
      if (!this.#gone.signal.aborted) this.#admitted(frame.id, checked.params, admission)
    }
    const failed = (error: unknown) => this.#refuse(frame.id, toWireError(error))
    try {
      const admission = this.#parts.admit(checked.params, peer)
      if (admission instanceof Promise) {
        this.#handshake = 'deciding'
        admission.then(decided).catch(failed)
      } else decided(admission)
    } catch (error) {
      failed(error)
    }
  }

  #refuse(id: string, error: WireError, close: number = CLOSE.refused): void {
    this.#handshake = 'failed'
    this.#send({ type: 'res', id, ok: false, error })
    this.#close(close, error.message)
  }

  #admitted(id: string, params: ConnectParams, admission: Admission): void {
    if ('refused' in admission) {
      this.#refuse(id, admission.refused)
      return
    }
    const { caller, auth } = admission
    this.#caller = caller
    this.#handshake = 'connected'
    this.#handshakeTimer?.cancel()
    this.#ends.stream.off('data', this.#countUnproven)
    this.#ends.proven()
    const connId = this.#parts.random.uuid()
    this.#left = this.#parts.joined(connId, { params, caller, from: this.#ends.from })
    const hello = this.#parts.hello(connId)
    this.#send({ type: 'res', id, ok: true, payload: { ...hello, ...(auth && { auth }) } })
    // A process of a turn hears what it asked for and that the gateway lives, and nothing of what others do.
    if (!caller.turn) {
      this.#unlisten = this.#parts.listen(event => {
        if (mayHearEvent(caller.scopes, event.event)) this.deliver(event, encodeEvent(event))
      })
    }
    for (const [data, isBinary] of this.#early.splice(0)) this.#receive(data, isBinary)
  }

  /** The checks of the handshake that need no secret, in the order that clients know. */
  #checked(frame: RequestFrame): { params: ConnectParams } | { refused: WireError; close?: number } {
    const refuse = (message: string) => ({ refused: { code: 'INVALID_REQUEST' as const, message } })
    if (frame.method !== 'connect') return refuse('invalid handshake: first request must be connect')
    const params = connectParamsSchema.safeParse(frame.params)
    if (!params.success) return refuse(paramsError('connect', params.error).message)
    if (params.data.minProtocol > PROTOCOL_VERSION || params.data.maxProtocol < PROTOCOL_VERSION) {
      const { refused } = refuse('protocol mismatch')
      const details = { expectedProtocol: PROTOCOL_VERSION }
      return { refused: { ...refused, details }, close: CLOSE.protocolMismatch }
    }
    return { params: params.data }
  }

  async #handle(frame: RequestFrame): Promise<void> {
    const { id, method } = frame
    if (method === 'connect') {
      this.#answerError(id, new SluiceError('INVALID_REQUEST', 'connect is only valid as the first request'))
      return
    }
    if (this.#open.size >= OPEN_REQUESTS_MAX) {
      const message = `too many open requests on this connection (${OPEN_REQUESTS_MAX})`
      this.#answerError(id, new SluiceError('BUSY', message, { outcome: 'not-started', retryAfterMs: 1_000 }))
      return
    }
    const open = { method }
    this.#open.add(open)
    try {
      const payload = await this.#parts.dispatcher.call(method, frame.params, {
        caller: this.#caller as Caller,
        signal: this.#gone.signal,
        ...(method === 'agent' && {
          early: (early: unknown) => this.#send({ type: 'res', id, ok: true, payload: early }),
        }),
      })
      this.#answer(id, payload)
    } catch (error) {
      this.#answerError(id, error)
    } finally {
      this.#open.delete(open)
    }
  }

  #answer(id: string, payload: unknown): void {
    if (!this.#mayAnswer()) return
    this.#socket.send(`{"type":"res","id":${JSON.stringify(id)},"ok":true,"payload":${encodePayload(payload)}}`)
    // One answer may be long, and many may ask for one each: what is too much for all is not kept until a close is read.
    if (!this.#isOver(Number.POSITIVE_INFINITY)) return
    this.#fault = 'slow consumer'
    this.terminate()
  }

  #answerError(id: string, thrown: unknown): void {
    const error = toWireError(thrown)
    if ((error.details as { code?: string }).code === 'INTERNAL') {
      this.#parts.log('error', 'a request failed by our fault', {
        error: thrown instanceof Error ? thrown.stack : String(thrown),
      })
    }
    const { runId, state } = (error.details ?? {}) as { runId?: string; state?: string }
    const payload = runId === undefined ? {} : { payload: { runId, status: 'error', summary: error.message, state } }
    this.#send({ type: 'res', id, ok: false, ...payload, error })
  }

  #send(frame: Frame): void {
    if (this.#mayAnswer()) this.#socket.send(JSON.stringify(frame))
  }

  /** Who asks and asks and reads nothing is let go: what it asked for goes on, and its key says later what became of it. */
  #mayAnswer(): boolean {
    if (this.#socket.readyState !== this.#socket.OPEN) return false
    if (!this.#isOver(UNREAD_ANSWERS_BYTES_MAX)) return true
    this.#close(CLOSE.refused, 'slow consumer')
    return false
  }

  #isOver(bytesMax: number): boolean {
    return this.#ends.backlog.isTooMuch(this, this.#socket.bufferedAmount, bytesMax)
  }

  #close(code: number, reason: string): void {
    this.#socket.close(code, cutToBytes(reason, CLOSE_REASON_BYTES_MAX))
  }

  #closed(code: number, reason: string): void {
    this.#handshakeTimer?.cancel()
    this.#ends.backlog.forget(this)
    this.#unlisten?.()
    this.#left?.()
    // The requests' waits end here; what they started is in the store and goes on.
    this.#gone.abort(new SluiceError('CANCELLED', 'The connection closed.', { outcome: 'continues' }))
    const unanswered = [...this.#open].map(open => open.method)
    this.#parts.log(unanswered.length > 0 ? 'warn' : 'info', 'connection closed', {
      code,
      reason: reason || this.#fault || 'n/a',
      durationMs: Math.round(this.#parts.clock.monotonic() - this.#openedAt),
      handshake: this.#handshake,
      lastFrameType: this.#lastFrameType,
      lastFrameMethod: this.#lastFrameMethod,
      ...(unanswered.length > 0 && { unanswered }),
    })
  }
}

/** Payloads that handlers answer again, the same object, are encoded once. */
const encodedPayloads = new WeakMap<object, string>()

function encodePayload(payload: unknown): string {
  if (typeof payload !== 'object' || payload === null) return JSON.stringify(payload ?? null)
  let encoded = encodedPayloads.get(payload)
  if (encoded === undefined) {
    encoded = JSON.stringify(payload)
    encodedPayloads.set(payload, encoded)
  }
  return encoded
}

/** Encoded once for all connections of a broadcast; the last event is remembered. */
let lastEvent: GatewayEvent | undefined
let lastEncoded = ''
export function encodeEvent(event: GatewayEvent): string {
  if (event === lastEvent) return lastEncoded
  const { droppable: _, ...rest } = event
  lastEvent = event
  lastEncoded = JSON.stringify({ type: 'event', ...rest })
  return lastEncoded
}

function parseJson(data: RawData): unknown {
  try {
    return JSON.parse(data.toString())
  } catch {
    return undefined
  }
}

function idOf(frame: unknown): string {
  const id = typeof frame === 'object' && frame !== null ? (frame as { id?: unknown }).id : undefined
  return typeof id === 'string' && id !== '' ? id : 'invalid'
}

interface FrameError {
  readonly issues: readonly { path: PropertyKey[]; message: string }[]
}

function firstIssue(error: FrameError): string {
  const [issue] = error.issues
  return issue ? `at /${issue.path.map(String).join('/')}: ${issue.message}` : 'not a request'
}

function cutToBytes(text: string, bytesMax: number): string {
  let cut = text
  while (Buffer.byteLength(cut) > bytesMax) cut = cut.slice(0, -1)
  return cut
}
