// Telegram's Bot API over HTTP on loopback: the wire, updates by polling and by webhook, and what goes wrong on the way,
// all as a test says. No real time passes in it but what its clock is given; whoever waits is woken by events.
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { Update } from 'grammy/types'
import { nodeClock } from '../../../src/base/node/world.ts'
import type { Clock } from '../../../src/base/world.ts'
import { within } from '../../e2e/bound.ts'
import { freePort } from '../../e2e/free-port.ts'
import { Chats, type Group, type Person, Refusal, type Shown } from './chats.ts'
import { type Doings, METHODS } from './methods.ts'
import { type Asked, type Params, readParams } from './params.ts'

/** What becomes of a request; without `method`, of the next one whatever it is. */
export type Fault = { readonly method?: string /** 1 when absent. */; readonly times?: number } & (
  | { readonly kind: 'refuse'; readonly code: number; readonly description: string; readonly parameters?: object }
  /** The connection is cut before or after the request had its effect. */
  | { readonly kind: 'cut'; readonly when: 'before' | 'after' }
  /** No answer comes, before or after the effect. */
  | { readonly kind: 'hang'; readonly when: 'before' | 'after' }
  /** Something in between answers, with what is no JSON. */
  | { readonly kind: 'page'; readonly status: number }
)
export const tooMany = (seconds: number, method?: string): Fault => ({
  ...{ kind: 'refuse', code: 429, parameters: { retry_after: seconds } },
  ...{ description: `Too Many Requests: retry after ${seconds}`, ...(method && { method }) },
})

interface Call {
  readonly method: string
  readonly params: Params
}
interface Hook {
  readonly url: string
  readonly secret: string | undefined
}
interface Poll {
  readonly limit: number
  readonly answer: (updates: readonly Update[]) => void
  readonly end: () => void
}

const CONFLICT = 'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running'
const HOOKED =
  "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
const POST_AGAIN_MS = 1_000

export class BotApi implements Doings {
  readonly token: string
  readonly chats: Chats
  readonly typed: Doings['typed'] = []
  readonly calls: Call[] = []
  /** Status of each post to the webhook, 0 where none came. */
  readonly posts: { readonly updateId: number; readonly status: number }[] = []
  commands: Doings['commands'] = []
  hook: Hook | undefined
  /** Where a public address leads to, as a proxy before a gateway does: that gateway, asked by its public name. */
  proxied: ((url: URL) => URL) | undefined
  #updates: Update[] = []
  #poll: Poll | undefined
  #allowed: readonly string[] | undefined
  #faults: Fault[] = []
  #server: Server | undefined
  #port = 0
  /** Kept when a later post is taken, as the service does. */
  #hookError: object | undefined
  readonly #clock: Clock
  readonly #watchers = new Set<() => void>()

  constructor({ token = '4242:AAfake-token_of-a-bot-0123456789abcdef', clock = nodeClock } = {}) {
    this.token = token
    this.#clock = clock
    const me = { id: Number(token.split(':')[0]), is_bot: true, first_name: 'Slu', username: 'slu_bot' }
    this.chats = new Chats(me, clock, update => this.#arrive(update))
  }

  get apiRoot(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** Listens, always at the same place. */
  async up(): Promise<void> {
    if (this.#server) return
    const server = createServer((asked, response) => {
      this.#serve(asked, response).catch(() => response.destroy())
    })
    this.#server = server
    this.#port ||= await freePort()
    await new Promise<void>(resolve => server.listen(this.#port, '127.0.0.1', resolve))
  }

  /** The network is away: nobody listens there, and who was connected is cut off. */
  async down(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    this.#poll = undefined
    if (!server) return
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
    // Node keeps connections for later. Once one of ours is refused, none of them is left to be found dead on the way.
    while (!(await isRefused(this.apiRoot))) await new Promise(resolve => setImmediate(resolve))
  }

  person(name: string, username?: string): Person {
    return this.chats.person(name, username)
  }
  group(title: string, topics?: readonly number[]): Group {
    return this.chats.group(title, topics)
  }

  /** What the people of a chat see of the bot, in order. */
  seen(chatId: number): readonly Shown[] {
    return this.chats.rooms.get(chatId)?.shown ?? []
  }

  /** Requests meet these, each once or as often as it says. */
  meets(...faults: readonly Fault[]): void {
    this.#faults.push(...faults)
  }
  /** All goes well again. */
  mended(): void {
    this.#faults = []
  }

  /** The updates that the bot has not confirmed. */
  get unconfirmed(): readonly number[] {
    return this.#updates.map(({ update_id: id }) => id)
  }

  count(method: string): number {
    return this.calls.filter(call => call.method === method.toLowerCase()).length
  }

  /** Resolves once this holds; looked at after each event here. */
  async until(holds: () => boolean, what: string): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = () => {
      if (holds()) resolve()
    }
    this.#watchers.add(look)
    look()
    await within(promise, what).finally(() => this.#watchers.delete(look))
  }

  /** Looks whether something that is waited for holds now. */
  look(): void {
    for (const look of this.#watchers) look()
  }

  /** Posts an update that was not taken once more, at once. */
  async postAgain(updateId: number): Promise<void> {
    const update = this.#updates.find(({ update_id: id }) => id === updateId)
    if (update && this.hook) await this.#post(update, this.hook)
  }

  #arrive(update: Update): void {
    const [kind = ''] = Object.keys(update).filter(key => key !== 'update_id')
    if (this.#allowed && !this.#allowed.includes(kind)) return
    this.#updates.push(update)
    if (this.hook) void this.#post(update, this.hook)
    else this.#feed()
    this.look()
  }

  #feed(): void {
    const poll = this.#poll
    if (!poll || this.#updates.length === 0) return
    this.#poll = undefined
    poll.answer(this.#updates.slice(0, poll.limit))
  }

  async #post(update: Update, hook: Hook): Promise<void> {
    const publicUrl = new URL(hook.url)
    const headers = {
      ...{ host: publicUrl.host, 'content-type': 'application/json' },
      ...(hook.secret && { [SECRET_HEADER]: hook.secret }),
    }
    const status = await post(this.proxied?.(publicUrl) ?? publicUrl, headers, JSON.stringify(update))
    if (status === 200) this.#updates = this.#updates.filter(one => one !== update)
    else this.#hookError = { last_error_date: seconds(this.#clock), last_error_message: wordsOf(status) }
    if (status !== 200) this.#clock.after(POST_AGAIN_MS, () => this.hook === hook && void this.#post(update, hook))
    this.posts.push({ updateId: update.update_id, status })
    this.look()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.apiRoot)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const [, isFile, token = '', rest = ''] = /^\/(file\/)?bot([^/]+)\/(.+)$/.exec(url.pathname) ?? []
    if (isFile !== undefined) return this.#serveFile(response, { token, path: rest })
    const method = rest.toLowerCase()
    const asked = readParams(Buffer.concat(chunks), request.headers['content-type'] ?? '', url.searchParams)
    this.calls.push({ method, params: asked.params })
    const fault = this.#faultOf(method)
    const answer = async () => await this.#answer({ token, method }, asked, response)
    if (fault) await this.#stumble(fault, response, answer)
    else reply(response, await answer())
    this.look()
  }

  #serveFile(response: ServerResponse, { token, path }: { token: string; path: string }): void {
    const fault = this.#faultOf('file')
    const file = [...this.chats.files.values()].find(one => one.path === path)
    this.calls.push({ method: 'file', params: { path } })
    if (fault?.kind === 'cut') response.destroy()
    else if (token !== this.token || !file) response.writeHead(404).end()
    else response.writeHead(200).end(file.bytes)
  }

  #faultOf(method: string): Fault | undefined {
    const at = this.#faults.findIndex(fault => (fault.method ?? method).toLowerCase() === method)
    const fault = this.#faults[at]
    if (!fault) return undefined
    const { times = 1 } = fault
    this.#faults.splice(at, 1, ...(times > 1 ? [{ ...fault, times: times - 1 }] : []))
    return fault
  }

  async #stumble(fault: Fault, response: ServerResponse, answer: () => Promise<object>): Promise<void> {
    switch (fault.kind) {
      case 'refuse': {
        const { code, description, parameters } = fault
        return reply(response, failed(new Refusal(code, description, parameters)))
      }
      case 'page':
        return void response.writeHead(fault.status, { 'content-type': 'text/html' }).end('<h1>Bad Gateway</h1>')
      case 'cut':
        if (fault.when === 'after') await answer()
        return void response.destroy()
      case 'hang':
        if (fault.when === 'after') await answer()
    }
  }

  async #answer(to: { token: string; method: string }, asked: Asked, response: ServerResponse): Promise<object> {
    try {
      if (!/^\d+:[\w-]{20,}$/.test(to.token)) throw new Refusal(404, 'Not Found')
      if (to.token !== this.token) throw new Refusal(401, 'Unauthorized')
      return { ok: true, result: await this.#run(to.method, asked, response) }
    } catch (error) {
      if (error instanceof Refusal) return failed(error)
      throw error
    }
  }

  async #run(method: string, asked: Asked, response: ServerResponse): Promise<unknown> {
    const { params } = asked
    switch (method) {
      case 'getupdates':
        return await this.#getUpdates(params, response)
      case 'setwebhook':
        this.#allow(params)
        this.hook = params.url
          ? { url: String(params.url), secret: params.secret_token as string | undefined }
          : undefined
        if (this.hook) for (const update of this.#updates) void this.#post(update, this.hook)
        return true
      case 'deletewebhook':
        this.hook = undefined
        return true
      case 'getwebhookinfo':
        return { url: this.hook?.url ?? '', pending_update_count: this.#updates.length, ...this.#hookError }
    }
    const run = METHODS[method]
    if (!run) throw new Refusal(404, 'Not Found: method not found')
    return run(this, asked)
  }

  #allow({ allowed_updates: allowed }: Params): void {
    if (allowed) this.#allowed = allowed as readonly string[]
  }

  async #getUpdates(params: Params, response: ServerResponse): Promise<readonly Update[]> {
    if (this.hook) throw new Refusal(409, HOOKED)
    this.#poll?.end()
    this.#allow(params)
    const { offset = 0, limit = 100, timeout = 0 } = params as { offset?: number; limit?: number; timeout?: number }
    if (offset > 0) this.#updates = this.#updates.filter(({ update_id: id }) => id >= offset)
    if (offset < 0) this.#updates = this.#updates.slice(offset)
    if (this.#updates.length > 0 || timeout === 0) return this.#updates.slice(0, limit)
    const { promise, resolve, reject } = Promise.withResolvers<readonly Update[]>()
    const poll = { limit, answer: resolve, end: () => reject(new Refusal(409, CONFLICT)) }
    this.#poll = poll
    const leave = () => {
      if (this.#poll === poll) this.#poll = undefined
      resolve([])
    }
    const timer = this.#clock.after(timeout * 1_000, leave)
    response.once('close', leave)
    this.look()
    return await promise.finally(() => timer.cancel())
  }

  /** Whether somebody waits for updates now. */
  get isPolled(): boolean {
    return this.#poll !== undefined
  }
}

export const SECRET_HEADER = 'x-telegram-bot-api-secret-token'

function seconds(clock: Clock): number {
  return Math.floor(clock.now() / 1_000)
}

function wordsOf(status: number): string {
  return status === 0 ? 'Connection refused' : `Wrong response from the webhook: ${status}`
}

/** Answers the status; 0 where none came. */
async function post(url: URL, headers: OutgoingHttpHeaders, body: string): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  const asking = request(url, { method: 'POST', headers, agent: false }, response => {
    response.resume().on('end', () => resolve(response.statusCode ?? 0))
  })
  asking.on('error', () => resolve(0)).end(body)
  return await promise
}

async function isRefused(url: string): Promise<boolean> {
  const error: unknown = await fetch(url).catch((thrown: unknown) => thrown)
  return error instanceof Error && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED'
}

function failed({ code, message, parameters }: Refusal): object {
  return { ok: false, error_code: code, description: message, ...(parameters && { parameters }) }
}

function reply(response: ServerResponse, body: object): void {
  if (response.destroyed) return
  const status = (body as { error_code?: number }).error_code ?? 200
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
