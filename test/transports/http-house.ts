// A house with its HTTP in front of it, on a port of the loopback: the production handler and door, a clock that the test
// owns, and models that the test scripts.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Door } from '../../src/access/door.ts'
import type { Caller } from '../../src/dispatch/caller.ts'
import { HttpHandler } from '../../src/transports/http/handler.ts'
import { within } from '../e2e/bound.ts'
import { type HouseOptions, openHouse, type Play } from '../fakes/house.ts'

export const TOKEN = 'the-token-of-this-gateway'
export const HOOK_TOKEN = 'the-token-of-hooks'
export const HTTP_CONFIG = {
  gateway: { http: { endpoints: { chatCompletions: { enabled: true }, responses: { enabled: true } } } },
  hooks: { enabled: true, token: HOOK_TOKEN },
  agents: { list: [{ id: 'work', name: 'Work' }] },
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look at what they expect
  readonly json: any
}

export interface Asking {
  readonly method?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export async function openHttpHouse(play: Play, options: HouseOptions & { isLocal?: () => boolean } = {}) {
  const house = await openHouse(play, { config: HTTP_CONFIG, ...options })
  const { parts, clock } = house
  const door = new Door<Caller>({
    ...{ store: house.store, clock, random: parts.random, secrets: { token: TOKEN, password: undefined } },
    tokens: parts.deviceTokens,
    turnOf: cause => house.reach.callerOf(cause),
    log: () => undefined,
  })
  const logged: string[] = []
  const http = new HttpHandler({
    ...{ dispatcher: house.dispatcher, clock, random: parts.random, version: '1.2.3' },
    listen: listener => house.hub.listen(listener),
    lastSeq: () => house.store.read.lastSeq(),
    settings: () => parts.settings().http,
    admit: (shown, from) => {
      const entry = door.present(shown, from)
      if ('waitMs' in entry) return entry
      if ('turn' in entry) return { caller: entry.turn }
      return { caller: { principal: entry.grant.principal, label: 'http', scopes: entry.grant.scopes } }
    },
    webhooks: [],
    admitHook: (presented, from) => door.knows(HOOK_TOKEN, presented, from),
    log: (level, message, fields) => void logged.push(`${level} ${message} ${JSON.stringify(fields)}`),
  })
  let isProven = 0
  const origin = () => ({
    from: { address: '127.0.0.1', isLocal: options.isLocal?.() ?? true },
    proven: () => {
      isProven += 1
    },
  })
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    void http.handle(request, response, origin())
  })
  const listening = Promise.withResolvers<void>()
  server.listen({ host: '127.0.0.1', port: 0 }, listening.resolve)
  await listening.promise
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const authorized = { authorization: `Bearer ${TOKEN}` }
  const request = (path: string, { method = 'POST', body, headers = {}, signal }: Asking = {}) =>
    within(
      fetch(`${url}${path}`, {
        method,
        headers: { ...authorized, ...headers },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        ...(signal && { signal }),
      }),
      `${method} ${path}`,
    )
  return {
    ...house,
    http,
    url,
    httpLogged: logged,
    proven: () => isProven,
    /** The answer without waiting for its body. */
    request,
    ask: async (path: string, asking: Asking = {}): Promise<Answer> => {
      const response = await request(path, asking)
      const text = await within(response.text(), `the body of ${path}`)
      const isJson = response.headers.get('content-type')?.includes('json')
      return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : undefined }
    },
    rpc: async (method: string, params: unknown = {}, headers: Readonly<Record<string, string>> = {}) => {
      const response = await request(`/rpc/${method}`, { body: params, headers })
      return { status: response.status, json: JSON.parse(await response.text()) }
    },
    close: async () => {
      http.close({ reason: 'test' })
      server.closeAllConnections()
      server.close()
      await house.close()
    },
  }
}
export type HttpHouse = Awaited<ReturnType<typeof openHttpHouse>>
