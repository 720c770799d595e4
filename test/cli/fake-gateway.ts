// A gateway of a few lines for tests of client and CLI: real sockets, real frames, no work behind them. It answers what a
// test scripts and remembers what it was asked.
import { randomUUID } from 'node:crypto'
import { type WebSocket, WebSocketServer } from 'ws'
import type { MethodName, ParamsInput } from '../../src/protocol/catalogue.ts'
import { freePort } from '../e2e/free-port.ts'

export interface Asked {
  readonly id: string
  readonly method: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever was sent
  readonly params: any
}

export interface Conversation {
  readonly asked: Asked
  /** Sends an answer with the id of the request. */
  answer(payload: unknown): void
  refuse(error: Record<string, unknown>): void
  event(event: string, payload: unknown): void
  raw(text: string): void
  drop(code?: number, reason?: string): void
}

export type Handler = (conversation: Conversation) => void

export interface FakeGateway {
  readonly url: string
  readonly port: number
  readonly asked: Asked[]
  readonly connects: Asked[]
  on(method: MethodName | 'nonsense', handler: Handler): void
  /** Answers every call of the method with this. */
  answers(method: MethodName, payload: unknown): void
  event(event: string, payload: unknown): void
  paramsOf<M extends MethodName>(method: M): ParamsInput<M>[]
  dropAll(code?: number, reason?: string): void
  close(): Promise<void>
}

export const HELLO = {
  type: 'hello-ok',
  protocol: 3,
  server: { version: 'fake', connId: 'c1' },
  features: { methods: [], events: [] },
  snapshot: {
    presence: [],
    health: {},
    stateVersion: { presence: 0, health: 0 },
    uptimeMs: 1,
    sessionDefaults: {
      defaultAgentId: 'main',
      mainKey: 'main',
      mainSessionKey: 'agent:main:main',
      scope: 'per-sender',
    },
  },
  policy: { maxPayload: 524_288, maxBufferedBytes: 1_572_864, tickIntervalMs: 30_000 },
}

export async function fakeGateway(options: { token?: string; port?: number } = {}): Promise<FakeGateway> {
  const server = new WebSocketServer({ port: options.port ?? (await freePort()), host: '127.0.0.1' })
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const handlers = new Map<string, Handler>()
  const asked: Asked[] = []
  const connects: Asked[] = []
  const send = (socket: WebSocket, frame: object) => socket.send(JSON.stringify(frame))

  const conversationOf = (socket: WebSocket, request: Asked): Conversation => ({
    asked: request,
    answer: payload => send(socket, { type: 'res', id: request.id, ok: true, payload }),
    refuse: error => send(socket, { type: 'res', id: request.id, ok: false, error }),
    event: (event, payload) => send(socket, { type: 'event', event, payload }),
    raw: text => socket.send(text),
    drop: (code, reason) => socket.close(code, reason),
  })

  server.on('connection', socket => {
    send(socket, { type: 'event', event: 'connect.challenge', payload: { nonce: randomUUID(), ts: 1 } })
    socket.on('message', data => {
      const request = JSON.parse(data.toString()) as Asked
      const conversation = conversationOf(socket, request)
      if (request.method === 'connect') {
        connects.push(request)
        if (!options.token || request.params.auth?.token === options.token) return conversation.answer(HELLO)
        conversation.refuse({
          code: 'INVALID_REQUEST',
          message: 'unauthorized: gateway token mismatch (provide gateway auth token)',
        })
        return conversation.drop(1008, 'unauthorized')
      }
      asked.push(request)
      const handler = handlers.get(request.method)
      if (handler) return handler(conversation)
      conversation.refuse({ code: 'INVALID_REQUEST', message: `unknown method: ${request.method}` })
    })
  })

  return {
    url: `ws://127.0.0.1:${port}`,
    port,
    asked,
    connects,
    on: (method, handler) => void handlers.set(method, handler),
    answers: (method, payload) => void handlers.set(method, ({ answer }) => answer(payload)),
    event: (event, payload) => {
      for (const socket of server.clients) send(socket, { type: 'event', event, payload })
    },
    paramsOf: method => asked.filter(each => each.method === method).map(each => each.params),
    dropAll: (code, reason) => {
      for (const socket of server.clients) socket.close(code ?? 1012, reason ?? 'service restart')
    },
    close: () =>
      new Promise(resolve => {
        for (const socket of server.clients) socket.terminate()
        server.close(() => resolve())
      }),
  }
}
