// The one TCP port, on one address or several: WebSocket connections and the plain pages, in the clear or over TLS. An
// address or port that cannot be had stops the start; it never moves to another one. Each request and upgrade is judged
// before any frame is read, and whoever does not say who he is holds a place only while there is room.
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { SECOND } from '../base/durations.ts'
import { asSluiceError, SluiceError } from '../base/errors.ts'
import type { Clock, Timer } from '../base/world.ts'
import type { Caller } from '../dispatch/caller.ts'
import { CLOSE, FRAME_BYTES_MAX, HANDSHAKE_TIMEOUT_MS, TICK_INTERVAL_MS } from '../protocol/limits.ts'
import { Backlog } from './backlog.ts'
import { Connection, type ConnectionParts, encodeEvent, type From } from './connection.ts'
import type { Origin } from './http/handler.ts'
import type { Page, PageRequest } from './page.ts'
import { Unproven } from './unproven.ts'

/** Connections of those who are known. */
const CONNECTIONS_MAX = 10_000
/** How long clients may take to answer our close at a shutdown. */
const CLOSE_GRACE_MS = 500
/** How long a client may take to answer our close at other times; slow lines included. */
const CLOSE_ANSWER_MS = 5 * SECOND
/** How often it is looked who is too slow with a request. */
const CHECKING_INTERVAL_MS = 5 * SECOND

export interface ServerOptions {
  /** The first must be had; of the others, those that are `wished` alone may be missing. */
  readonly hosts: readonly { readonly host: string; readonly wished?: boolean }[]
  readonly port: number
  /** PEM texts. Undefined: in the clear. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
  readonly connection: ConnectionParts
  readonly judge: (
    request: Pick<IncomingMessage, 'headers'> & {
      readonly url: string
      readonly remoteAddress: string | undefined
      readonly localAddress: string | undefined
    },
  ) => { readonly refused: { readonly status: number; readonly message: string } } | { readonly from: From }
  /** Undefined: there is no such page. It answers at once, while every lane and slot is taken (W7). */
  readonly page: (request: PageRequest) => Page | undefined
  /** Answers all requests that no page is for; never rejects. */
  readonly http: (request: IncomingMessage, response: ServerResponse, origin: Origin) => Promise<void>
  readonly clock: Clock
}

export class GatewayServer {
  readonly #options: ServerOptions
  readonly #servers: Server[] = []
  readonly #sockets: WebSocketServer
  readonly #connections = new Set<Connection>()
  readonly #unproven = new Unproven()
  readonly #backlog = new Backlog<Connection>()
  #tick: Timer | undefined

  constructor(options: ServerOptions) {
    this.#options = options
    const limits = { maxPayload: FRAME_BYTES_MAX, closeTimeout: CLOSE_ANSWER_MS }
    this.#sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, ...limits })
  }

  /** Rejects with CONFLICT when the port is taken, and UNAVAILABLE when the address is none of this machine. */
  async listen(): Promise<number> {
    let { port } = this.#options
    for (const { host, wished } of this.#options.hosts) {
      const server = await this.#made()
      try {
        port = await listenOn(server, host, port)
        this.#servers.push(server)
      } catch (error) {
        if (!wished) throw listenError(error as NodeJS.ErrnoException, host, port)
      }
    }
    this.#scheduleTick()
    return port
  }

  /** Open WebSocket connections, also those that have not yet said who they are. */
  get connectionCount(): number {
    return this.#connections.size
  }

  /** Ends the connections of some callers; who asks for that himself is heard out first. */
  cut(whose: (caller: Caller) => boolean, { reason, asker }: { reason: string; asker: Caller }): void {
    for (const connection of this.#connections) {
      const { caller } = connection
      if (!caller || !whose(caller)) continue
      if (caller === asker) this.#options.clock.after(CLOSE_GRACE_MS, () => connection.close(CLOSE.refused, reason))
      else connection.close(CLOSE.refused, reason)
    }
  }

  /** Tells clients, closes with 1012 and stops listening. Waits for no request. */
  async close(shutdown: { reason: string; restartExpectedMs: number | null }): Promise<void> {
    this.#tick?.cancel()
    const event = { event: 'shutdown', payload: shutdown }
    for (const connection of this.#connections) {
      connection.deliver(event, encodeEvent(event))
      connection.close(CLOSE.serviceRestart, 'service restart')
    }
    const closed = this.#servers.map(closeOf)
    const endAll = () => {
      for (const connection of this.#connections) connection.terminate()
      for (const server of this.#servers) server.closeAllConnections()
    }
    const force = this.#options.clock.after(CLOSE_GRACE_MS, endAll)
    if (this.#connections.size === 0) endAll()
    await Promise.all(closed)
    force.cancel()
  }

  async #made(): Promise<Server> {
    const { tls } = this.#options
    const limits = {
      headersTimeout: HANDSHAKE_TIMEOUT_MS,
      requestTimeout: HANDSHAKE_TIMEOUT_MS,
      connectionsCheckingInterval: CHECKING_INTERVAL_MS,
    }
    const server = tls
      ? ((await import('node:https')).createServer({
          ...limits,
          ...tls,
          handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
        }) as Server)
      : createServer(limits)
    server.on('connection', socket => this.#unproven.add(socket))
    server.on('request', (request, response) => this.#serve(request, response))
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    return server
  }

  #scheduleTick(): void {
    const { clock } = this.#options
    this.#tick = clock.after(TICK_INTERVAL_MS, () => {
      const event = { event: 'tick', payload: { ts: clock.now() }, droppable: true }
      for (const connection of this.#connections) connection.deliver(event, encodeEvent(event))
      this.#scheduleTick()
    })
  }

  #judge(request: IncomingMessage) {
    const { headers, url = '/', socket } = request
    const { remoteAddress, localAddress } = socket
    return this.#options.judge({ headers, url, remoteAddress, localAddress })
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const judged = this.#judge(request)
    if ('refused' in judged) {
      refuseUpgrade(socket, judged.refused)
      return
    }
    if (this.#connections.size >= CONNECTIONS_MAX) {
      refuseUpgrade(socket, { status: 503, message: `This gateway has ${CONNECTIONS_MAX} connections, its limit.` })
      return
    }
    this.#sockets.handleUpgrade(request, socket, head, webSocket => {
      const connection = new Connection(this.#options.connection, webSocket, {
        stream: socket,
        from: judged.from,
        backlog: this.#backlog,
        proven: () => this.#unproven.prove(socket as Socket),
      })
      this.#connections.add(connection)
      webSocket.on('close', () => this.#connections.delete(connection))
    })
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const judged = this.#judge(request)
    const page = 'refused' in judged ? refusalPage(judged.refused) : this.#pageFor(request, judged.from)
    if (!page && 'from' in judged) {
      const proven = () => this.#unproven.prove(request.socket)
      void this.#options.http(request, response, { from: judged.from, proven })
      return
    }
    const { status, type, body } = page as Page
    response.writeHead(status, {
      'content-type': `${type}; charset=utf-8`,
      ...(status === 401 && { 'www-authenticate': 'Bearer' }),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  #pageFor(request: IncomingMessage, from: From): Page | undefined {
    const path = (request.url ?? '/').split('?')[0] as string
    let page: Page | undefined
    try {
      page = this.#options.page({ path, authorization: request.headers.authorization, from })
    } catch (error) {
      page = plain(503, `${asSluiceError(error).message}\n`)
    }
    const isRead = request.method === 'GET' || request.method === 'HEAD'
    return page && !isRead && page.status !== 401 ? plain(405, 'Method Not Allowed') : page
  }
}

function refusalPage({ status, message }: { status: number; message: string }): Page {
  return plain(status, `${message}\n`)
}

function plain(status: number, body: string): Page {
  return { status, type: 'text/plain', body }
}

function refuseUpgrade(socket: Duplex, { status, message }: { status: number; message: string }): void {
  const body = `${message}\n`
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8`
  // Nobody else listens to it any more: one that is reset meanwhile must not end the process, nor stay half open.
  socket.on('error', () => socket.destroy())
  socket.once('finish', () => socket.destroy())
  socket.end(`${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

/** Answers the port. */
async function listenOn(server: Server, host: string, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ host, port }, resolve)
  await promise
  server.off('error', reject)
  return (server.address() as AddressInfo).port
}

function closeOf(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  server.close(() => resolve())
  return promise
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): SluiceError {
  if (error.code === 'EADDRINUSE') {
    return new SluiceError(
      'CONFLICT',
      `Port ${port} on ${host} is in use. Stop what uses it (perhaps another gateway), or start with: sluice gateway --port ${port + 1}`,
    )
  }
  if (error.code === 'EADDRNOTAVAIL') {
    const message = `This machine has no address ${host}, so the gateway cannot be reached there. Set gateway.bind to loopback, lan, tailnet or an address of this machine.`
    return new SluiceError('UNAVAILABLE', message, { cause: error })
  }
  return new SluiceError('UNAVAILABLE', `The gateway cannot listen on ${host}:${port}: ${error.message}`, {
    cause: error,
  })
}
