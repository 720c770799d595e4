// Shapes that cannot exist yet, because what they are made of does not: each test shows that it is not there. One that
// fails says that it has come: then docs/internals/waiting.md needs to say what Sluice does, and a trap goes here.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { within } from '../e2e/bound.ts'
import { resultOf } from '../e2e/scripted-model.ts'
import { House } from './house.ts'

/** Keys of the family's config that would bring such a feature. */
const CONFIG = {
  tools: { exec: { security: 'full' }, subagents: { tools: {} } },
  approvals: { exec: { enabled: true } },
  channels: { telegram: { enabled: true } },
  hooks: { enabled: true },
  plugins: { enabled: true },
  gateway: { reload: { mode: 'hot' } },
}
const DEFAULTS = { heartbeat: { every: '30m' }, compaction: { mode: 'default' }, cliBackends: {}, subagents: {} }

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

/** That the model is offered no such tool, and that a call of it in a turn is answered with an error at once. */
async function expectNoTool(name: string, args: object): Promise<void> {
  turns += 1
  const [key, runId] = [`no-tool-${turns}`, `no-tool-run-${turns}`]
  house.model.script(`agent:main:${key}`, { calls: [{ name, args }] }, ask => ({
    text: String(resultOf(ask, 0).error),
  }))
  await house.chat(key, 'begin', runId)
  expect(await house.reply(runId)).toContain(`there is no tool named ${name}`)
  const [first] = house.model.asks(`agent:main:${key}`)
  expect(first?.tools.length).toBeGreaterThan(0)
  expect(first?.tools).not.toContain(name)
}

async function post(path: string): Promise<number> {
  const url = house.gateway.url.replace('ws:', 'http:')
  const headers = { authorization: `Bearer ${house.gateway.token}`, 'content-type': 'application/json' }
  const response = await within(fetch(`${url}${path}`, { method: 'POST', headers, body: '{}' }), `POST ${path}`)
  await response.text()
  return response.status
}

test('WAIT-32 W1: there is no exec, so no turn starts a process that could call its gateway', async () => {
  for (const name of ['exec', 'process']) await expectNoTool(name, { command: 'sluice cron list' })
  expectUnused('tools.exec')
})

test('WAIT-33 W5: there are no sub-agents that announce themselves to a parent that waits', async () => {
  await expectNoTool('sessions_spawn', { task: 'help' })
  expectUnused('agents.defaults.subagents', 'tools.subagents')
})

test('WAIT-34 W7: there are no approvals for which a turn could wait', () => {
  expectNoMethod(/approval/)
  expectUnused('approvals')
})

test('WAIT-35 W7: there are no channels whose messages could queue behind the turn they are meant for', async () => {
  expect(await house.client.call('health', {})).toMatchObject({ channels: {} })
  expectNoMethod(/^(channels\.|send$|poll$)/)
  expectUnused('channels')
})

test('WAIT-36 W2: there are no webhooks that could run turns beside the scheduler', async () => {
  for (const path of ['/hooks/wake', '/hooks/agent']) expect(await post(path)).toBe(405)
  expectNoMethod(/^wake$/)
  expectUnused('hooks')
})

test('WAIT-37 W2: a changed config is taken up by the next start alone, so there is no second scheduler', async () => {
  const path = join(house.gateway.stateDir, 'sluice.json')
  const config = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...config, cron: { enabled: false } }))
  expect(await house.client.call('cron.status', {})).toMatchObject({ enabled: true })
  await house.gateway.stop()
  await house.again()
  expect(await house.client.call('cron.status', {})).toMatchObject({ enabled: false })
  expectNoMethod(/^config\./)
  expectUnused('gateway.reload')
})

test('WAIT-38 W7: a turn cannot restart, reconfigure or update its gateway', async () => {
  await expectNoTool('gateway', { action: 'restart' })
  expectNoMethod(/^(update\.|config\.)|restart/)
})

test('WAIT-39 W2: there are no heartbeats that could wait for a free moment', () => {
  expectNoMethod(/heartbeat|^wake$/)
  expectUnused('agents.defaults.heartbeat')
})

test('WAIT-40 W2: nothing but its model and its tools runs inside a turn, and /compact is a plain message', async () => {
  await expectNoTool('llm-task', { prompt: 'think' })
  expectNoMethod(/compact|^sessions\.delete$/)
  expectUnused('plugins', 'agents.defaults.compaction')
  house.model.script('agent:main:words', ask => ({ text: `asked: ${ask.user}` }))
  await house.chat('words', '/compact', 'words-1')
  expect(await house.reply('words-1')).toBe('asked: /compact')
})

test('WAIT-41 W5: there are no command-line backends with queues of their own', () => {
  expectUnused('agents.defaults.cliBackends')
})

test('WAIT-42 W5: no HTTP request runs a tool or a turn', async () => {
  for (const path of ['/tools/invoke', '/v1/chat/completions', '/v1/responses']) expect(await post(path)).toBe(405)
})

test('WAIT-43 W7: there is no pairing whose lock a connection could wait for', async () => {
  expectNoMethod(/^(device|node)\./)
  const clients = await Promise.all(Array.from({ length: 20 }, () => house.gateway.client()))
  for (const { client } of clients) client.close()
})
