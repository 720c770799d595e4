// Bad input from people, files and the machine: each is answered in words that say what to do, and loses nothing.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { ModelAsk } from '../fakes/model-server.ts'
import { textOf } from './event-log.ts'
import { type GatewayProcess, Scope, type TestClient } from './gateway-process.ts'
import { agentJob } from './jobs.ts'
import { type ScriptedModel, startScriptedModel } from './scripted-model.ts'

const scope = new Scope()
const perTest = new Scope()
let model: ScriptedModel
let gateway: GatewayProcess
let client: TestClient

beforeAll(async () => {
  model = await startScriptedModel()
  scope.onEnd(() => model.server.close())
  gateway = await scope.gateway({ config: model.config() })
  client = await gateway.client()
})
afterAll(() => scope.end())
afterEach(() => perTest.end())

describe('a config that is wrong stops the start, and nothing is made', () => {
  test.each([
    { what: 'text that is no JSON5', config: '{ gateway: {', says: /not valid JSON5.*Correct it there/ },
    { what: 'a list', config: '[1]', says: /wrong values/ },
    { what: 'a port that is a word', config: { gateway: { port: 'ssh' } }, says: /gateway\.port/ },
    { what: 'a bind that is none', config: { gateway: { bind: 'everywhere' } }, says: /gateway\.bind: give loopback/ },
    {
      what: 'no authentication',
      config: { gateway: { auth: { mode: 'none' } } },
      says: /gateway\.auth\.mode: only "token" and "password"/,
    },
    { what: 'a short token', config: { gateway: { auth: { token: 'short' } } }, says: /at least 16 characters/ },
    {
      what: 'no place at all',
      config: { agents: { defaults: { maxConcurrent: 0 } } },
      says: /agents\.defaults\.maxConcurrent/,
    },
    {
      what: 'a zone that is none',
      config: { agents: { defaults: { userTimezone: 'Mars/Olympus' } } },
      says: /"Mars\/Olympus".*no IANA zone/,
    },
    {
      what: 'a model of nobody',
      config: { agents: { defaults: { model: { primary: 'nobody/m1' } } } },
      says: /agents\.defaults\.model: unknown model: nobody\/m1/,
    },
    {
      what: 'a fallback of nobody, of one agent',
      config: { agents: { list: [{ id: 'work', model: { fallbacks: ['nobody/m2'] } }] } },
      says: /agents\.list\.work\.model\.fallbacks\.0: unknown model: nobody\/m2/,
    },
    {
      what: 'a model of nobody, of heartbeats',
      config: { agents: { defaults: { heartbeat: { every: '1h', model: 'nobody/m3' } } } },
      says: /agents\.\*\.heartbeat\.model: unknown model: nobody\/m3/,
    },
    {
      what: 'a model without a provider',
      config: { agents: { defaults: { model: 'gpt' } } },
      says: /<provider>\/<model id>/,
    },
    {
      what: 'a provider that is no URL',
      config: { models: { providers: { local: { baseUrl: 'localhost' } } } },
      says: /models\.providers\.local\.baseUrl: give an http\(s\) URL/,
    },
    {
      what: 'a variable that is not set',
      config: { gateway: { auth: { token: ['$', '{SLUICE_NO_SUCH_TOKEN}'].join('') } } },
      says: /gateway\.auth\.token.*SLUICE_NO_SUCH_TOKEN.*not set/,
    },
    { what: 'a bound on no method', config: { methods: { 'cron.lst': { timeoutMs: 5 } } }, says: /methods\.cron\.lst/ },
  ])('$what', async ({ config, says }) => {
    const stateDir = perTest.stateDir()
    const ended = await perTest.refusedStart({ stateDir, config })
    expect(ended.code).toBeGreaterThan(0)
    expect(ended.stderr.replaceAll(/\s+/g, ' ')).toMatch(says)
    expect(ended.stderr).not.toMatch(/\n\s+at /)
    expect(readdirSync(stateDir)).toEqual(['sluice.json'])
  })

  test('a key that is not known is said, with what may be meant, and stops nothing', async () => {
    const own = await perTest.gateway({ config: { gateway: { prot: 1 }, agents: { defaults: { timeFormat: '24' } } } })
    expect(own.output).toContain('gateway.prot is not known; did you mean gateway.port?')
    expect(own.output).toContain('not used by this version: agents.defaults.timeFormat')
  })
})

describe('who may not or cannot connect', () => {
  test('a client with a wrong token', async () => {
    await expect(gateway.client({ token: 'wrong' })).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringMatching(/refused the token.*SLUICE_GATEWAY_TOKEN.*"token" in the state folder/),
    })
  })

  test('the CLI with a wrong token', async () => {
    const { code, stdout, stderr } = await gateway.cli(['cron', 'list'], { env: { SLUICE_GATEWAY_TOKEN: 'wrong' } })
    expect(code).toBeGreaterThan(0)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/refused the token.*SLUICE_GATEWAY_TOKEN/s)
  })

  test('the CLI where no gateway is', async () => {
    const { code, stderr } = await gateway.cli(['cron', 'list'], { env: { SLUICE_GATEWAY_PORT: '1' } })
    expect(code).toBeGreaterThan(0)
    expect(stderr).toMatch(/No gateway answers at ws:\/\/127\.0\.0\.1:1\. Start one with: .*sluice gateway/)
  })
})

describe('a second gateway', () => {
  test('on a port that is in use says which, and what to do', async () => {
    const ended = await perTest.refusedStart({ port: gateway.port })
    expect(ended.code).toBeGreaterThan(0)
    expect(ended.stderr).toMatch(
      new RegExp(`Port ${gateway.port} on 127\\.0\\.0\\.1 is in use.*--port ${gateway.port + 1}`),
    )
    expect(await client.call('health', {})).toMatchObject({ ok: true })
  })

  test('T3: on a state folder that is in use is refused, and the first goes on', async () => {
    const ended = await perTest.refusedStart({ stateDir: gateway.stateDir })
    expect(ended.code).toBeGreaterThan(0)
    expect(ended.stderr).toContain(`Another gateway is using the state folder ${gateway.stateDir}`)
    const job = await client.call('cron.add', agentJob('after the second'))
    expect(await client.call('cron.remove', { id: job.id })).toMatchObject({ removed: true })
  })

  test('T3: after SIGKILL of the first the next one starts, with all that was acknowledged', async () => {
    const own = await perTest.gateway()
    const before = await own.client()
    const { epoch } = await before.call('status', {})
    const job = await before.call('cron.add', agentJob('kept'))
    await own.kill()
    await own.start()
    const after = await own.client()
    expect((await after.call('cron.list', {})).jobs).toEqual([job])
    expect((await after.call('status', {})).epoch).toBeGreaterThan(epoch)
  })
})

describe('a store that cannot be read stops the start and is left as it is', () => {
  test('text in the place of the database', async () => {
    const stateDir = perTest.stateDir()
    const file = join(stateDir, 'sluice.db')
    writeFileSync(file, 'this is not a database, it is a poem\n'.repeat(200))
    const before = readFileSync(file)
    const ended = await perTest.refusedStart({ stateDir })
    expect(ended.code).toBeGreaterThan(0)
    expect(ended.stderr).toContain(file)
    expect(ended.stderr).toMatch(/not a database.*Nothing was changed/)
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  test('a folder in the place of the database', async () => {
    const stateDir = perTest.stateDir()
    mkdirSync(join(stateDir, 'sluice.db'))
    const ended = await perTest.refusedStart({ stateDir })
    expect(ended.code).toBeGreaterThan(0)
    expect(ended.stderr).toContain(join(stateDir, 'sluice.db'))
    expect(ended.stderr).not.toMatch(/\n\s+at /)
  })
})

describe('a job that cannot be is refused, and none is made', () => {
  const job = (schedule: object) => ({ ...agentJob('refused'), schedule }) as never

  test.each([
    { what: 'every 0 ms', schedule: { kind: 'every', everyMs: 0 }, says: /at \/schedule\/everyMs: .*1000/ },
    { what: 'every -1 ms', schedule: { kind: 'every', everyMs: -1 }, says: /at \/schedule\/everyMs: .*1000/ },
    {
      what: 'a past date',
      schedule: { kind: 'at', atMs: 1_000_000_000_000 },
      says: /is past, it is now .*give a later/,
    },
    {
      what: 'a day that is none',
      schedule: { kind: 'at', at: '2026-02-30T10:00' },
      says: /^invalid cron\.add params: /,
    },
    {
      what: 'an unknown zone',
      schedule: { kind: 'cron', expr: '0 9 * * *', tz: 'Mars/Olympus' },
      says: /Invalid time zone specified: Mars\/Olympus/,
    },
    { what: 'a bad expression', schedule: { kind: 'cron', expr: '0 25 * * *' }, says: /CronPattern/ },
    { what: 'a day that never comes', schedule: { kind: 'cron', expr: '0 0 30 2 *' }, says: /never fires/ },
  ])('$what', async ({ schedule, says }) => {
    await expect(client.call('cron.add', job(schedule))).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringMatching(says),
    })
    expect((await client.call('cron.list', { includeDisabled: true })).total).toBe(0)
  })

  test.each([
    { flags: ['--every', '0s'], says: /every/ },
    { flags: ['--at', '2001-01-01T09:00'], says: /past/ },
    { flags: ['--schedule', '0 9 * * *', '--tz', 'Mars/Olympus'], says: /Mars\/Olympus/ },
    { flags: ['--schedule', 'whenever'], says: /whenever|CronPattern/ },
  ])('by the CLI with $flags', async ({ flags, says }) => {
    const { code, stdout, stderr } = await gateway.cli(['cron', 'add', '--name', 'bad', '--message', 'hi', ...flags])
    expect(code).toBeGreaterThan(0)
    expect(stdout).toBe('')
    expect(stderr).toMatch(says)
    expect((await client.call('cron.list', { includeDisabled: true })).total).toBe(0)
  })

  test('a change that is refused changes nothing', async () => {
    const made = await client.call('cron.add', agentJob('stays'))
    const patch = { name: 'changed', schedule: { kind: 'cron', expr: 'nonsense' } } as const
    await expect(client.call('cron.update', { id: made.id, patch })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    expect((await client.call('cron.list', {})).jobs).toEqual([made])
    await client.call('cron.remove', { id: made.id })
  })
})

test('an unknown method is named, by the CLI too', async () => {
  await expect(client.client.callUntyped('cron.lst', {})).rejects.toMatchObject({ message: 'unknown method: cron.lst' })
  const { code, stderr } = await gateway.cli(['gateway', 'call', 'cron.lst'])
  expect(code).toBeGreaterThan(0)
  expect(stderr).toContain('unknown method: cron.lst')
})

describe('a long message', () => {
  const send = (sessionKey: string, message: string) =>
    client.call('chat.send', { sessionKey, message, idempotencyKey: `${sessionKey}-${message.length}` })

  test('of 100,000 characters is taken whole and answered', async () => {
    const message = `begin ${'x'.repeat(100_000 - 10)} end`
    model.script('agent:main:long', { text: 'read' })
    await send('long', message)
    expect(textOf(await client.events.ended(`long-${message.length}`))).toBe('read')
    expect(model.asks('agent:main:long')[0]?.user).toBe(message)
  })

  test('of 300,000 characters is refused whole, and the session goes on', async () => {
    await expect(send('too-long', 'x'.repeat(300_000))).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringMatching(/longer than 200000 characters; shorten it or split it/),
    })
    model.script('agent:main:too-long', { text: 'fine' })
    await send('too-long', 'short')
    expect(textOf(await client.events.ended('too-long-5'))).toBe('fine')
    expect(model.asks('agent:main:too-long')[0]?.messages.filter(({ role }) => role === 'user')).toHaveLength(1)
  })
})

describe('a model that fails ends the turn with what to do, and the session goes on', () => {
  /** Of one request, where trying again may help. */
  const TRIES_MAX = 3
  const recovered = { text: 'well again' }
  test.each([
    { what: '401', reply: { status: 401 }, says: /fake\/m1 refused the key \(401\)\. Set .*apiKey/ },
    { what: '404', reply: { status: 404 }, says: /does not exist there \(404\)\. Check .*baseUrl/ },
    { what: 'garbage', reply: { garbage: '<html>It works!</html>' }, says: /not understood.*baseUrl/ },
    { what: 'garbled-events', reply: { garbage: 'data: {"no":\n\n' }, says: /not understood[\s\S]*(baseUrl|again)/ },
    { what: 'an-empty-stream', reply: { garbage: 'data: [DONE]\n\n' }, says: /baseUrl|again/ },
    { what: 'a-cut-stream', reply: { cutAfter: 'I was about to' }, says: /stopped in the middle.*again/ },
  ])('$what', async ({ what, reply, says }) => {
    const key = `agent:main:${what}`
    const fails = (ask: ModelAsk) => (ask.user.includes('second') ? recovered : reply)
    model.script(key, ...Array.from({ length: TRIES_MAX + 1 }, () => fails))
    await client.call('chat.send', { sessionKey: what, message: 'first', idempotencyKey: `${what}-1` })
    const end = await client.events.ended(`${what}-1`)
    expect(end).toMatchObject({ state: 'error', errorMessage: expect.stringMatching(says) })
    // One sentence or two for a person, without what the provider sent: it may hold secrets.
    expect(end.errorMessage).not.toMatch(/\n|It works|"no"/)
    expect(await client.call('agent.wait', { runId: `${what}-1` })).toMatchObject({
      status: 'error',
      error: end.errorMessage,
    })
    await client.call('chat.send', { sessionKey: what, message: 'second', idempotencyKey: `${what}-2` })
    expect(textOf(await client.events.ended(`${what}-2`))).toBe(recovered.text)
    // The message whose turn failed is not lost to the next one.
    const said = model
      .asks(key)
      .at(-1)
      ?.messages.filter(({ role }) => role === 'user')
    expect(JSON.stringify(said)).toMatch(/first.*second/)
  })

  test.each([
    { what: '429', reply: { status: 429 }, says: /rate limited \(429\)\. Wait a moment/ },
    { what: '500', reply: { status: 500 }, says: /is failing \(500\)\. Try again later/ },
  ])('$what: the built-in model says so and answers in its place', async ({ what, reply, says }) => {
    model.script(`agent:main:${what}`, ...Array.from({ length: TRIES_MAX }, () => reply), recovered)
    await client.call('chat.send', { sessionKey: what, message: 'first', idempotencyKey: `${what}-1` })
    const told = textOf(await client.events.ended(`${what}-1`))
    expect(told).toMatch(says)
    expect(told).toContain('the built-in offline model answers')
    await client.call('chat.send', { sessionKey: what, message: 'second', idempotencyKey: `${what}-2` })
    expect(textOf(await client.events.ended(`${what}-2`))).toBe(recovered.text)
  })

  test('a server that is not there', async () => {
    const config = { ...model.config(), models: { providers: { fake: { baseUrl: 'http://127.0.0.1:1/v1' } } } }
    const own = await perTest.gateway({ config })
    const { call, events } = await own.client()
    await call('chat.send', { sessionKey: 'main', message: 'hi', idempotencyKey: 'nobody-1' })
    expect(textOf(await events.ended('nobody-1'))).toMatch(/cannot be reached.*baseUrl.*the built-in offline model/)
    // Who is no person in a chat is told that it failed.
    await expect(call('agent', { message: 'hi', idempotencyKey: 'nobody-2' })).resolves.toBeDefined()
    expect(await call('agent.wait', { runId: 'nobody-2' })).toMatchObject({
      ...{ status: 'error', error: expect.stringMatching(/cannot be reached.*baseUrl/) },
    })
  })
})
