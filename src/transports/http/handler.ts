// All of HTTP but the plain pages: one table of routes, and what each request goes through before its route sees it: who
// asks, the verb, and a body of bounded size and depth. A request that its client drops ends only the wait for it (W6).
import type { IncomingMessage, ServerResponse } from 'node:http'
import { asSluiceError, SluiceError } from '../../base/errors.ts'
import type { Clock, Random } from '../../base/world.ts'
import type { Caller } from '../../dispatch/caller.ts'
import type { Dispatcher } from '../../dispatch/dispatcher.ts'
import type { GatewayEvent } from '../../dispatch/event-hub.ts'
import type { Result } from '../../protocol/catalogue.ts'
import { FRAME_BYTES_MAX } from '../../protocol/limits.ts'
import type { From } from '../connection.ts'
import { readJson, TooLarge } from './body.ts'
import { apiError, chatCompletions } from './chat-completions.ts'
import { EventStreams } from './event-stream.ts'
import { HOOK_CALLER, hookAgent, hookError, hookToken, hookWake } from './hooks.ts'
import { methodPaths, openApi } from './openapi.ts'
import { type Ask, type ErrorShape, errorReply, header, notFound, ownHeader, plainError, type Reply } from './reply.ts'
import { responses } from './responses.ts'
import { RPC_PREFIX, rpc } from './rpc.ts'
import { toolError, toolsInvoke } from './tools-invoke.ts'

/** Requests that may be open at once, streams not counted. */
const OPEN_MAX = 1_000
const MIB = 1_048_576
const HOOKS_KEY = 'hooks.enabled'
/** Keys of the config without which nothing is at these paths. */
const SWITCHES = new Map([
  ['/v1/chat/completions', 'gateway.http.endpoints.chatCompletions.enabled'],
  ['/v1/models', 'gateway.http.endpoints.chatCompletions.enabled'],
  ['/v1/responses', 'gateway.http.endpoints.responses.enabled'],
  ['/hooks/wake', HOOKS_KEY],
  ['/hooks/agent', HOOKS_KEY],
])

export interface HttpParts {
  readonly dispatcher: Pick<Dispatcher, 'call'>
  readonly clock: Clock
  readonly random: Random
  readonly version: string
  readonly listen: (listener: (event: GatewayEvent) => void) => () => void
  readonly lastSeq: () => number
  /** Asked anew for each request. */
  readonly settings: () => {
    readonly chatCompletions: boolean
    readonly responses: boolean
    readonly hooks: { readonly token: string; readonly path: string; readonly bodyBytesMax: number } | undefined
  }
  /** What a WebSocket with the same credential would be; `waitMs` where an address has guessed too often. */
  readonly admit: (shown: Shown, from: From) => { readonly caller: Caller } | { readonly waitMs: number | undefined }
  /** Where services that channels stand on hand in what is new. */
  readonly webhooks: readonly Webhook[]
  /** Whether this is the token of hooks. */
  readonly admitHook: (presented: string | undefined, from: From) => boolean
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void
}

/** A path of a channel's service, which shows a secret of its own. */
export interface Webhook {
  readonly path: string
  /** The header that has the secret. */
  readonly header: string
  readonly admits: (secret: string | undefined, from: From) => boolean
  readonly take: (request: {
    readonly secret: string | undefined
    readonly update: unknown
  }) => Promise<{ readonly status: number }>
}

export interface Shown {
  readonly bearer: string | undefined
  /** What a process of a turn was given (W1). */
  readonly cause: string | undefined
}

export interface Origin {
  readonly from: From
  /** Called once it is known who asks. */
  readonly proven: () => void
}

interface Route {
  readonly path: string
  readonly verb: 'GET' | 'POST'
  readonly summary: string
  readonly bytesMax?: number
  readonly shape?: ErrorShape
  /** For who shows another secret than the gateway's. */
  readonly admits?: (headers: Ask['headers'], from: From) => boolean
  /** Undefined: the route has answered by itself. */
  readonly run: (ask: Ask) => Promise<Reply | undefined>
}

export class HttpHandler {
  readonly #parts: HttpParts
  readonly #streams: EventStreams
  #open = 0
  #methods: ReturnType<typeof methodPaths> | undefined

  constructor(parts: HttpParts) {
    this.#parts = parts
    this.#streams = new EventStreams(parts)
  }

  /** Answers; never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse, origin: Origin): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] as string
    const route = this.#routes().find(({ path: own }) => path === own || (own.endsWith('/') && path.startsWith(own)))
    const shape = route?.shape ?? plainError
    let reply: Reply | undefined
    try {
      const refused = this.#admission(request, route, origin)
      reply = 'reply' in refused ? refused.reply : await this.#run(request, response, { ...refused, path })
    } catch (error) {
      this.#tellOwnFault(error, path)
      reply = error instanceof TooLarge ? { status: 413, json: shape(error, 413) } : errorReply(error, shape)
    }
    if (reply) send(response, reply, request)
  }

  /** Ends the streams; other requests are answered or cut off with their sockets. */
  close(shutdown: object): void {
    this.#streams.endAll({ event: 'shutdown', payload: shutdown })
  }

  #admission(
    request: IncomingMessage,
    route: Route | undefined,
    { from, proven }: Origin,
  ): { readonly reply: Reply } | { readonly caller: Caller; readonly route: Route } {
    const { headers } = request
    if (route?.admits) {
      if (!route.admits(headers, from)) return { reply: { status: 401, text: 'Unauthorized' } }
      proven()
      return request.method === route.verb ? { caller: HOOK_CALLER, route } : { reply: wrongVerb(route) }
    }
    const bearer = /^Bearer +(\S.*)$/i.exec(header(headers, 'authorization') ?? '')?.[1]
    const admitted = this.#parts.admit({ bearer, cause: ownHeader(headers, 'cause') }, from)
    if (!('caller' in admitted)) {
      // On this machine it is no secret what paths there are.
      if (!route && from.isLocal) throw this.#nothingAt(request.url ?? '/')
      return { reply: unauthorized(admitted.waitMs) }
    }
    proven()
    if (!route) throw this.#nothingAt(request.url ?? '/')
    return request.method === route.verb ? { caller: admitted.caller, route } : { reply: wrongVerb(route) }
  }

  async #run(
    request: IncomingMessage,
    response: ServerResponse,
    { caller, route, path }: { caller: Caller; route: Route; path: string },
  ): Promise<Reply | undefined> {
    if (this.#open >= OPEN_MAX) {
      const message = `There are ${OPEN_MAX} requests open already.`
      throw new SluiceError('BUSY', message, { outcome: 'not-started', retryAfterMs: 1_000 })
    }
    const gone = new AbortController()
    response.once('close', () =>
      gone.abort(new SluiceError('CANCELLED', 'The client is gone.', { outcome: 'continues' })),
    )
    this.#open += 1
    try {
      const body = route.verb === 'GET' ? {} : await readJson(request, route.bytesMax ?? MIB)
      return await route.run({ path, caller, body, response, headers: request.headers, signal: gone.signal })
    } finally {
      this.#open -= 1
    }
  }

  #nothingAt(path: string): SluiceError {
    const key = SWITCHES.get(path)
    // Hooks that are on may be at another path.
    return notFound(path, key === HOOKS_KEY && this.#parts.settings().hooks ? undefined : key)
  }

  #routes(): Route[] {
    const { dispatcher, settings } = this.#parts
    const { chatCompletions: hasChat, responses: hasResponses, hooks } = settings()
    const routes: (Route | false)[] = [
      {
        path: RPC_PREFIX,
        verb: 'POST',
        summary: 'Call a method.',
        // A WebSocket takes no more either.
        bytesMax: FRAME_BYTES_MAX,
        run: ask => rpc(dispatcher, ask),
      },
      { path: '/events', verb: 'GET', summary: 'Hear events.', run: ask => this.#streams.open(ask) },
      { path: '/openapi.json', verb: 'GET', summary: 'This description.', run: async () => this.#describe() },
      {
        path: '/tools/invoke',
        verb: 'POST',
        summary: 'Call a tool.',
        bytesMax: 2 * MIB,
        shape: toolError,
        run: ask => toolsInvoke(dispatcher, ask),
      },
      hasChat && {
        path: '/v1/chat/completions',
        verb: 'POST',
        summary: 'Have an agent answer.',
        bytesMax: MIB,
        shape: apiError,
        run: ask => chatCompletions(this.#parts, ask),
      },
      hasResponses && {
        path: '/v1/responses',
        verb: 'POST',
        summary: 'Have an agent answer.',
        bytesMax: 20 * MIB,
        shape: apiError,
        run: ask => responses(this.#parts, ask),
      },
      (hasChat || hasResponses) && {
        path: '/v1/models',
        verb: 'GET',
        summary: 'The agents, as models.',
        shape: apiError,
        run: ask => this.#models(ask),
      },
      ...this.#hookRoutes(hooks),
      ...this.#parts.webhooks.map(webhookRoute),
    ]
    return routes.filter(route => route !== false)
  }

  #hookRoutes(hooks: ReturnType<HttpParts['settings']>['hooks']): Route[] {
    if (!hooks) return []
    const { dispatcher, admitHook } = this.#parts
    const { path, bodyBytesMax: bytesMax } = hooks
    const admits: Route['admits'] = (headers, from) => admitHook(hookToken(headers), from)
    const common = { verb: 'POST', bytesMax, shape: hookError, admits } as const
    return [
      { ...common, path: `${path}/wake`, summary: 'Wake the main session.', run: ask => hookWake(dispatcher, ask) },
      { ...common, path: `${path}/agent`, summary: 'Have a turn run.', run: ask => hookAgent(dispatcher, ask) },
    ]
  }

  #describe(): Reply {
    const others = this.#routes().filter(({ path }) => path !== RPC_PREFIX)
    this.#methods ??= methodPaths()
    return { status: 200, json: openApi(this.#parts.version, this.#methods, others) }
  }

  async #models({ caller, signal }: Ask): Promise<Reply> {
    const { dispatcher, clock } = this.#parts
    const { agents } = (await dispatcher.call('agents.list', {}, { caller, signal })) as Result<'agents.list'>
    const created = Math.floor(clock.now() / 1_000)
    const data = agents.map(({ id }) => ({ id: `sluice:${id}`, object: 'model', created, owned_by: 'sluice' }))
    return { status: 200, json: { object: 'list', data } }
  }

  #tellOwnFault(thrown: unknown, path: string): void {
    if (asSluiceError(thrown).code !== 'INTERNAL') return
    const error = thrown instanceof Error ? thrown.stack : String(thrown)
    this.#parts.log('error', 'a request failed by our fault', { path, error })
  }
}

function webhookRoute({ path, header: name, admits, take }: Webhook): Route {
  return {
    ...{ path, verb: 'POST', summary: 'Take what is new in a channel.', bytesMax: MIB },
    admits: (headers, from) => admits(header(headers, name), from),
    run: async ({ headers, body: update }) => {
      const { status } = await take({ secret: header(headers, name), update })
      return { status, text: '' }
    },
  }
}

function unauthorized(waitMs: number | undefined): Reply {
  if (waitMs !== undefined) {
    const message = 'Too many failed attempts from this address; try again later.'
    const error = { message, type: 'unauthorized', code: 'BUSY', retryAfterMs: waitMs }
    return { status: 429, headers: { 'retry-after': String(Math.ceil(waitMs / 1_000)) }, json: { error } }
  }
  const error = { message: 'Unauthorized', type: 'unauthorized', code: 'UNAUTHORIZED' }
  return { status: 401, headers: { 'www-authenticate': 'Bearer' }, json: { error } }
}

function wrongVerb({ verb }: Route): Reply {
  return { status: 405, headers: { allow: verb }, text: 'Method Not Allowed' }
}

function send(response: ServerResponse, { status, headers, json, text }: Reply, request: IncomingMessage): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const body = text ?? JSON.stringify(json)
  response.writeHead(status, {
    'content-type': `${text === undefined ? 'application/json' : 'text/plain'}; charset=utf-8`,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // What was not read of a body is not waited for.
    ...(!request.complete && { connection: 'close' }),
    ...headers,
  })
  response.end(request.method === 'HEAD' ? undefined : body)
}
