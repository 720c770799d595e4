// The one TCP port: WebSocket connections and the plain pages. A port that cannot be had stops the start; it never moves
// to another one. Browsers from elsewhere are kept out by the Origin check before any frame is read.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { SluiceError } from '../base/errors.ts'
import type { Clock, Timer } from '../base/world.ts'
import { CLOSE, FRAME_BYTES_MAX, TICK_INTERVAL_MS } from '../protocol/limits.ts'
import { Connection, type ConnectionParts, encodeEvent } from './connection.ts'
import type { Page, PageRequest } from './page.ts'

const CONNECTIONS_MAX = 2_000
/** How long clients may take to answer our close at a shutdown. */
const CLOSE_GRACE_MS = 500

export interface ServerOptions {
  readonly host: string
  readonly port: number
  readonly connection: ConnectionParts
  /** Undefined: there is no such page. It answers at once, while every lane and slot is taken (W7). */
  readonly page: (request: PageRequest) => Page | undefined
  readonly clock: Clock
}

export class GatewayServer {
  readonly #options: ServerOptions
  readonly #http: Server
  readonly #sockets: WebSocketServer
  readonly #connections = new Set<Connection>()
  #tick: Timer | undefined

  constructor(options: ServerOptions) {
    this.#options = options
    this.#http = createServer((request, response) => this.#serve(request, response))
    this.#sockets = new WebSocketServer({ noServer: true, maxPayload: FRAME_BYTES_MAX, perMessageDeflate: false })
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
  }

  /** Rejects with CONFLICT when the port is taken. */
  async listen(): Promise<number> {
    const { host, port } = this.#options
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#http.once('error', error => reject(listenError(error as NodeJS.ErrnoException, host, port)))
    this.#http.listen({ host, port }, resolve)
    await promise
    this.#scheduleTick()
    return (this.#http.address() as AddressInfo).port
  }

  /** Open WebSocket connections, also those that have not yet said who they are. */
  get connectionCount(): number {
    return this.#connections.size
  }

  /** Tells clients, closes with 1012 and stops listening. Waits for no request. */
  async close(shutdown: { reason: string; restartExpectedMs: number | null }): Promise<void> {
    this.#tick?.cancel()
    const event = { event: 'shutdown', payload: shutdown }
    for (const connection of this.#connections) {
      connection.deliver(event, encodeEvent(event))
      connection.close(CLOSE.serviceRestart, 'service restart')
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#http.close(() => resolve())
    const force = this.#options.clock.after(CLOSE_GRACE_MS, () => {
      for (const connection of this.#connections) connection.terminate()
      this.#http.closeAllConnections()
    })
    if (this.#connections.size === 0) this.#http.closeAllConnections()
    await promise
    force.cancel()
  }

  #scheduleTick(): void {
    const { clock } = this.#options
    this.#tick = clock.after(TICK_INTERVAL_MS, () => {
      const event = { event: 'tick', payload: { ts: clock.now() }, droppable: true }
      for (const connection of this.#connections) connection.deliver(event, encodeEvent(event))
      this.#scheduleTick()
    })
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!sameOrigin(request) || this.#connections.size >= CONNECTIONS_MAX) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
      return
    }
    this.#sockets.handleUpgrade(request, socket, head, webSocket => {
      const connection = new Connection(this.#options.connection, webSocket, {
        stream: socket,
        remoteAddress: request.socket.remoteAddress,
      })
      this.#connections.add(connection)
      webSocket.on('close', () => this.#connections.delete(connection))
    })
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '/').split('?')[0] as string
    const reading = request.method === 'GET' || request.method === 'HEAD'
    const page = reading
      ? this.#options.page({ path, authorization: request.headers.authorization })
      : { status: 405, type: 'text/plain', body: 'Method Not Allowed' }
    const { status, type, body } = page ?? { status: 404, type: 'text/plain', body: 'Not Found' }
    response.writeHead(status, {
      'content-type': `${type}; charset=utf-8`,
      ...(status === 401 && { 'www-authenticate': 'Bearer' }),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
}

/**
 * No Origin: not a browser. With one, it must be the very host that was asked, and a name of this machine: a page whose
 * own name was pointed at this address is kept out.
 */
function sameOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers
  if (origin === undefined) return true
  if (!URL.canParse(origin)) return false
  const { host: originHost, hostname } = new URL(origin)
  return originHost === host && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname)
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): SluiceError {
  if (error.code === 'EADDRINUSE') {
    return new SluiceError(
      'CONFLICT',
      `Port ${port} on ${host} is in use. Stop what uses it (perhaps another gateway), or start with: sluice gateway --port ${port + 1}`,
    )
  }
  return new SluiceError('UNAVAILABLE', `The gateway cannot listen on ${host}:${port}: ${error.message}`, {
    cause: error,
  })
}
