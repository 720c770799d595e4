// A WebSocket that shows every frame as it came, for what a client library would hide. It judges each frame by the
// closed shapes of the protocol as it arrives; `faults` must stay empty.
import { WebSocket } from 'ws'
import { within } from './bound.ts'
import type { GatewayProcess, Scope } from './gateway-process.ts'

export interface WireFrame {
  readonly type: 'res' | 'event'
  readonly id?: string
  readonly ok?: boolean
  readonly event?: string
  readonly payload?: Readonly<Record<string, unknown>>
  readonly error?: {
    readonly code: string
    readonly message: string
    readonly details?: Readonly<Record<string, unknown>>
  }
  readonly seq?: number
}

const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  res: ['type', 'id', 'ok', 'payload', 'error'],
  event: ['type', 'event', 'payload', 'seq', 'stateVersion'],
}
const ERROR_KEYS = ['code', 'message', 'details', 'retryable', 'retryAfterMs']
const ERROR_CODES = ['NOT_LINKED', 'NOT_PAIRED', 'AGENT_TIMEOUT', 'INVALID_REQUEST', 'UNAVAILABLE']

export const CONNECT = {
  minProtocol: 3,
  maxProtocol: 3,
  client: { id: 'test', version: 'dev', platform: 'linux', mode: 'test' },
}

export class RawSocket {
  readonly frames: WireFrame[] = []
  /** What broke the closed shapes. */
  readonly faults: string[] = []
  readonly #socket: WebSocket
  readonly #closed = Promise.withResolvers<{ code: number; reason: string }>()
  readonly #waiting = new Set<() => void>()
  #lastId = 0
  #lastSeq = 0

  constructor(url: string, options: { headers?: Record<string, string> } = {}) {
    this.#socket = new WebSocket(url, { perMessageDeflate: false, ...options })
    this.#socket.on('message', data => this.#take(JSON.parse(data.toString())))
    this.#socket.on('error', error => this.faults.push(error.message))
    this.#socket.on('close', (code, reason) => this.#closed.resolve({ code, reason: reason.toString() }))
  }

  /** One that has been welcomed. */
  static async connected(gateway: GatewayProcess, scope: Scope, params: object = {}): Promise<RawSocket> {
    const socket = new RawSocket(gateway.url)
    scope.onEnd(() => socket.terminate())
    await socket.challenged()
    const answer = await socket.ask('connect', { ...CONNECT, auth: { token: gateway.token }, ...params })
    if (!answer.ok) throw new Error(`refused: ${answer.error?.message}`)
    return socket
  }

  challenged(): Promise<WireFrame> {
    return this.until('the challenge', frame => frame.event === 'connect.challenge')
  }

  get closed(): Promise<{ code: number; reason: string }> {
    return within(this.#closed.promise, 'the end of the connection')
  }

  /** A text or bytes as they are, anything else as JSON. */
  send(frame: unknown): void {
    this.#socket.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame))
  }

  /** The first answer to a request. */
  async ask(method: string, params?: unknown): Promise<WireFrame> {
    this.#lastId += 1
    const id = `ask-${this.#lastId}`
    this.send({ type: 'req', id, method, params })
    return await this.answer(id)
  }

  answer(id: string): Promise<WireFrame> {
    return this.until(`the answer to ${id}`, frame => frame.type === 'res' && frame.id === id)
  }

  answers(id: string): WireFrame[] {
    return this.frames.filter(frame => frame.type === 'res' && frame.id === id)
  }

  /** Resolves once `count` answers to a request have come. */
  async answersUntil(id: string, count: number): Promise<WireFrame[]> {
    let come = 0
    const counts = (frame: WireFrame) => frame.type === 'res' && frame.id === id && ++come >= count
    await this.until(`${count} answers to ${id}`, counts)
    return this.answers(id)
  }

  /** The first frame that fits, come already or still to come; rejects when the connection ends without it. */
  async until(what: string, fits: (frame: WireFrame) => boolean): Promise<WireFrame> {
    const { promise, resolve, reject } = Promise.withResolvers<WireFrame>()
    let next = 0
    const look = () => {
      const found = this.frames.slice(next).find(fits)
      next = this.frames.length
      if (found) resolve(found)
    }
    this.#waiting.add(look)
    look()
    const cut = ({ code }: { code: number }) => reject(new Error(`closed with ${code} before: ${what}`))
    this.#closed.promise.then(cut)
    try {
      return await within(promise, what)
    } finally {
      this.#waiting.delete(look)
    }
  }

  terminate(): void {
    this.#socket.terminate()
  }

  #take(frame: WireFrame): void {
    this.frames.push(frame)
    this.#judge(frame)
    for (const look of this.#waiting) look()
  }

  #judge(frame: WireFrame): void {
    const fault = (what: string) => this.faults.push(`${what}: ${JSON.stringify(frame).slice(0, 300)}`)
    const unknown = (value: object, allowed: readonly string[]) =>
      Object.keys(value).filter(key => !allowed.includes(key))
    if (unknown(frame, ALLOWED[frame.type] ?? []).length > 0) fault('a key that is not in the protocol')
    if (frame.type === 'res' && (typeof frame.id !== 'string' || typeof frame.ok !== 'boolean')) fault('no answer')
    if (frame.error) {
      if (unknown(frame.error, ERROR_KEYS).length > 0) fault('an error key that is not in the protocol')
      if (!ERROR_CODES.includes(frame.error.code)) fault('an error code that is not in the protocol')
      if (frame.error.details?.code === 'INTERNAL') fault('a defect')
    }
    if (frame.seq === undefined) return
    if (frame.seq <= this.#lastSeq) fault(`seq after ${this.#lastSeq}`)
    this.#lastSeq = frame.seq
  }
}
