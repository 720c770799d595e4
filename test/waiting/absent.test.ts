// Shapes that cannot exist yet, because what they are made of does not: each test shows that it is not there. One that
// fails says that it has come: then docs/internals/waiting.md needs to say what Sluice does, and a trap goes here.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { within } from '../e2e/bound.ts'
import { call, resultOf } from '../e2e/scripted-model.ts'
import { House } from './house.ts'

/** Keys of the family's config that would bring such a feature. */
const CONFIG = {
  tools: { web: { fetch: { enabled: true } } },
  channels: { telegram: { enabled: true } },
  hooks: { enabled: true },
  plugins: { enabled: true },
}
const DEFAULTS = { heartbeat: { every: '30m' }, cliBackends: {} }

const house = new House(8)
beforeAll(() => house.open(DEFAULTS, CONFIG))
afterAll(() => house.close())

/** What this version says at start of the keys that it does not use. */
function expectUnused(...keys: string[]): void {
  const unused = /not used by this version: (.+)/.exec(house.gateway.output)?.[1]?.split(', ')
  expect(unused).toEqual(expect.arrayContaining(keys))
}

function expectNoMethod(pattern: RegExp): void {
  expect(house.methods.length).toBeGreaterThan(0)
  expect(house.methods.filter(name => pattern.test(name))).toEqual([])
}

let turns = 0

/** What a turn of a new session is answered when it calls a tool, and the tools that its model was offered. */
async function called(name: string, args: object): Promise<{ error: string; tools: readonly string[] }> {
  turns += 1
  const [key, runId] = [`absent-${turns}`, `absent-run-${turns}`]
  house.model.script(`agent:main:${key}`, call(name, args), ask => ({ text: String(resultOf(ask, 0).error) }))
  await house.chat(key, 'begin', runId)
  const error = await house.reply(runId)
  return { error, tools: house.model.asks(`agent:main:${key}`)[0]?.tools ?? [] }
}

async function post(path: string): Promise<number> {
  const url = house.gateway.url.replace('ws:', 'http:')
  const headers = { authorization: `Bearer ${house.gateway.token}`, 'content-type': 'application/json' }
  const response = await within(fetch(`${url}${path}`, { method: 'POST', headers, body: '{}' }), `POST ${path}`)
  await response.text()
  return response.status
}

test('WAIT-35 W7: there are no channels whose messages could queue behind the turn they are meant for', async () => {
  expect(await house.client.call('health', {})).toMatchObject({ channels: {} })
  expectNoMethod(/^(channels\.|send$|poll$)/)
  expectUnused('channels')
})

test('WAIT-36 W2: there are no webhooks that could run turns beside the scheduler', async () => {
  for (const path of ['/hooks/wake', '/hooks/agent']) expect(await post(path)).toBe(405)
  expectNoMethod(/^hooks\./)
  expectUnused('hooks')
})

test('WAIT-39 W2: there are no heartbeats that could wait for a free moment', () => {
  expectNoMethod(/heartbeat/)
  expectUnused('agents.defaults.heartbeat')
})

test('WAIT-41 W5: there are no command-line backends with queues of their own', () => {
  expectUnused('agents.defaults.cliBackends')
})

test('WAIT-42 W5: no HTTP request runs a tool or a turn', async () => {
  for (const path of ['/tools/invoke', '/v1/chat/completions', '/v1/responses']) expect(await post(path)).toBe(405)
})

test('WAIT-42 W1: a turn that fetches an address of its own gateway is refused by name', async () => {
  const { port } = house.gateway
  for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
    const { error, tools } = await called('web_fetch', { url: `http://${host}:${port}/v1/chat/completions` })
    expect(error).toContain('that is this gateway; use its tools')
    expect(tools).toContain('web_fetch')
  }
})
