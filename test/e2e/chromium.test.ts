// A real browser as the peer: Chromium opens pages, and its own WebSocket and our client library in it talk to a gateway.
// A page of the gateway's own origin may; one of another origin may not, though it knows the token.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import chromium from '@sparticuz/chromium'
import { type Browser, type Page, chromium as playwright } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type GatewayProcess, Scope } from './gateway-process.ts'

const LIBRARY = fileURLToPath(new URL('../../dist/client.js', import.meta.url))
// bound: the browser is unpacked once, and started.
const START_MS_MAX = 60_000

const scope = new Scope()
let gateway: GatewayProcess
let browser: Browser

beforeAll(async () => {
  gateway = await scope.gateway()
  const executablePath = await chromium.executablePath()
  browser = await playwright.launch({ executablePath, args: chromium.args, headless: true })
}, START_MS_MAX)
afterAll(async () => {
  await browser?.close()
  await scope.end()
})

async function pageAt(url: string): Promise<Page> {
  // What the gateway's own page may load is bounded; the test brings its code with it.
  const page = await browser.newPage({ bypassCSP: true })
  await page.goto(url)
  return page
}

const httpUrl = () => gateway.url.replace('ws:', 'http:')

/** Connects by the page's own WebSocket, asks for the health, and answers what came of it. */
function talk({ url, token }: { url: string; token: string }): Promise<{ ok?: boolean; code?: number }> {
  const socket = new WebSocket(url)
  const client = { id: 'webchat-ui', version: 'dev', platform: 'web', mode: 'webchat' }
  const connect = { minProtocol: 3, maxProtocol: 3, client, auth: { token } }
  const ask = (method: string, params: object) =>
    socket.send(JSON.stringify({ type: 'req', id: method, method, params }))
  return new Promise(resolve => {
    socket.onclose = ({ code }) => resolve({ code })
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data)
      if (frame.event === 'connect.challenge') ask('connect', connect)
      if (frame.id === 'connect') ask('health', {})
      if (frame.id === 'health') resolve({ ok: frame.payload.ok })
    }
  })
}

test('a page of the gateway itself talks to it by its WebSocket', async () => {
  const page = await pageAt(httpUrl())
  expect(await page.evaluate(talk, { url: gateway.url, token: gateway.token })).toEqual({ ok: true })
})

test('a page of another origin is refused, whatever token it has', async () => {
  const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<p>elsewhere</p>'))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  scope.onEnd(() => void server.close())
  const page = await pageAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  expect(await page.evaluate(talk, { url: gateway.url, token: gateway.token })).toEqual({ code: 1006 })
})

test('the client library runs in a page: it calls, and hears the reply', async () => {
  const page = await pageAt(httpUrl())
  const wishes = JSON.stringify({ url: gateway.url, token: gateway.token })
  // As text: what builds the tests would write its own kind of import into a function.
  const told = await page.evaluate(`(async () => {
    const from = URL.createObjectURL(new Blob([${JSON.stringify(readFileSync(LIBRARY, 'utf8'))}], { type: 'text/javascript' }))
    const { openClient } = await import(from)
    const client = openClient(${wishes})
    const reply = new Promise(resolve => {
      client.listen({
        event: ({ event, payload }) => event === 'chat' && payload.state === 'final' && resolve(payload.message.role),
      })
    })
    await client.call('chat.send', { sessionKey: 'main', message: 'help', idempotencyKey: 'from-a-page' })
    const role = await reply
    client.close()
    return role
  })()`)
  expect(told).toBe('assistant')
})
