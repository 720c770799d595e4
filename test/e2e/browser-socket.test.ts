// A page's WebSocket as the peer: the browser's own API, which names no headers, takes text and closes with a code. Node's
// global one is that API. What it cannot do, and a client of Node can, must not be needed.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { within } from './bound.ts'
import { type GatewayProcess, Scope } from './gateway-process.ts'
import { CONNECT } from './raw-socket.ts'

const scope = new Scope()
let gateway: GatewayProcess
beforeAll(async () => {
  gateway = await scope.gateway()
})
afterAll(() => scope.end())

interface Frame {
  readonly type: string
  readonly id?: string
  readonly ok?: boolean
  readonly event?: string
  readonly payload?: Record<string, unknown>
}

/** All that a page has: `onmessage`, `send`, `onclose`. */
function opened() {
  const socket = new WebSocket(gateway.url)
  scope.onEnd(() => socket.close())
  const frames: Frame[] = []
  const waiting = new Set<() => void>()
  socket.onmessage = ({ data }) => {
    expect(data).toBeTypeOf('string')
    frames.push(JSON.parse(data))
    for (const look of waiting) look()
  }
  const { promise: closed, resolve } = Promise.withResolvers<{ code: number; reason: string; wasClean: boolean }>()
  socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean })
  const seen = (what: string, is: (frame: Frame) => boolean): Promise<Frame> => {
    const { promise, resolve: found } = Promise.withResolvers<Frame>()
    const look = () => {
      const frame = frames.find(is)
      if (frame) found(frame)
    }
    waiting.add(look)
    look()
    return within(promise, what)
  }
  const ask = (method: string, params: object) => {
    socket.send(JSON.stringify({ type: 'req', id: method, method, params }))
    return seen(`the answer to ${method}`, ({ type, id }) => type === 'res' && id === method)
  }
  return { socket, seen, ask, closed: within(closed, 'the close') }
}

test('it connects with a token in its frame alone, talks, hears the reply, and closes cleanly', async () => {
  const page = opened()
  await page.seen('the challenge', ({ event }) => event === 'connect.challenge')
  const client = { id: 'webchat-ui', version: 'dev', platform: 'web', mode: 'webchat', instanceId: 'tab-1' }
  const hello = await page.ask('connect', { ...CONNECT, client, auth: { token: gateway.token } })
  expect(hello).toMatchObject({ ok: true, payload: { type: 'hello-ok', protocol: 3 } })
  await page.ask('chat.send', { sessionKey: 'main', message: 'hello', idempotencyKey: 'from-a-page' })
  const final = await page.seen('the reply', ({ event, payload }) => event === 'chat' && payload?.state === 'final')
  expect(final.payload).toMatchObject({ runId: 'from-a-page', sessionKey: 'main', message: { role: 'assistant' } })
  page.socket.close(1000, 'the tab was closed')
  expect(await page.closed).toEqual({ code: 1000, reason: 'the tab was closed', wasClean: true })
})

test('what it is refused for it reads as code and reason of the close', async () => {
  const page = opened()
  await page.seen('the challenge', ({ event }) => event === 'connect.challenge')
  expect(await page.ask('connect', { ...CONNECT, auth: { token: 'wrong' } })).toMatchObject({ ok: false })
  expect(await page.closed).toEqual({ code: 1008, reason: expect.stringMatching(/^unauthorized: /), wasClean: true })
})

test('a frame over the limit is closed with 1009', async () => {
  const page = opened()
  await page.seen('the challenge', ({ event }) => event === 'connect.challenge')
  await page.ask('connect', { ...CONNECT, auth: { token: gateway.token } })
  page.socket.send('x'.repeat(600_000))
  expect(await page.closed).toMatchObject({ code: 1009 })
})
