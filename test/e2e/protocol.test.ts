// What stands on the wire around the calls: handshake, frames, errors, closing, and the log line that a closed
// connection leaves. Strings are those that clients and scripts of the family match on.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { CATALOGUE } from '../../src/protocol/catalogue.ts'
import { type GatewayProcess, Scope } from './gateway-process.ts'
import { CONNECT, RawSocket } from './raw-socket.ts'
import { Gate, type ScriptedModel, startScriptedModel } from './scripted-model.ts'

const scope = new Scope()
const perTest = new Scope()
let model: ScriptedModel
let gateway: GatewayProcess

beforeAll(async () => {
  model = await startScriptedModel()
  scope.onEnd(() => model.server.close())
  gateway = await scope.gateway({ config: model.config() })
})
afterAll(() => scope.end())
afterEach(() => perTest.end())

async function challenged(): Promise<RawSocket> {
  const socket = new RawSocket(gateway.url)
  perTest.onEnd(() => socket.terminate())
  await socket.challenged()
  return socket
}

const connected = (params?: object) => RawSocket.connected(gateway, perTest, params)

describe('the handshake', () => {
  test('begins with a challenge that has no seq', async () => {
    const socket = await challenged()
    expect(socket.frames[0]).toEqual({
      type: 'event',
      event: 'connect.challenge',
      payload: { nonce: expect.stringMatching(/^[0-9a-f-]{36}$/), ts: expect.any(Number) },
    })
  })

  test('ends with hello-ok', async () => {
    const socket = await challenged()
    const { ok, payload } = await socket.ask('connect', { ...CONNECT, auth: { token: gateway.token } })
    expect(ok).toBe(true)
    expect(payload).toMatchObject({
      type: 'hello-ok',
      protocol: 3,
      server: { version: expect.any(String), connId: expect.any(String) },
      features: { methods: Object.keys(CATALOGUE), events: expect.arrayContaining(['chat', 'agent', 'cron', 'tick']) },
      snapshot: {
        presence: [
          { reason: 'self', mode: 'gateway', ts: expect.any(Number) },
          { mode: 'test', reason: 'connect' },
        ],
        health: { ok: true },
        stateVersion: { presence: expect.any(Number), health: expect.any(Number) },
        uptimeMs: expect.any(Number),
        stateDir: gateway.stateDir,
        sessionDefaults: {
          defaultAgentId: 'main',
          mainKey: 'main',
          mainSessionKey: 'agent:main:main',
          scope: 'per-sender',
        },
      },
      policy: { maxPayload: 524_288, maxBufferedBytes: 1_572_864, tickIntervalMs: 30_000 },
    })
    // No device was paired, so none is named: clients would prefer its token to the real one.
    expect(payload).not.toHaveProperty('auth')
    await socket.until('the health that follows', frame => frame.event === 'health')
    expect(socket.faults).toEqual([])
  })

  const device = { id: 'd', publicKey: 'p', signature: 's', signedAt: 1 }
  test.each([
    [
      'another method',
      ['health', {}],
      { code: 'INVALID_REQUEST', message: 'invalid handshake: first request must be connect' },
      1008,
    ],
    [
      'a future protocol alone',
      ['connect', { ...CONNECT, minProtocol: 4, maxProtocol: 9 }],
      { code: 'INVALID_REQUEST', message: 'protocol mismatch', details: { expectedProtocol: 3 } },
      1002,
    ],
    [
      'a past protocol alone',
      ['connect', { ...CONNECT, minProtocol: 1, maxProtocol: 2 }],
      { code: 'INVALID_REQUEST', message: 'protocol mismatch' },
      1002,
    ],
    [
      'an unknown role',
      ['connect', { ...CONNECT, role: 'king' }],
      { code: 'INVALID_REQUEST', message: 'invalid role' },
      1008,
    ],
    ['no token', ['connect', CONNECT], { code: 'NOT_PAIRED', message: 'device identity required' }, 1008],
    [
      'an empty token',
      ['connect', { ...CONNECT, auth: { token: '' } }],
      { code: 'NOT_PAIRED', message: 'device identity required' },
      1008,
    ],
    [
      'a device that is none',
      ['connect', { ...CONNECT, device }],
      { code: 'INVALID_REQUEST', message: 'device public key invalid' },
      1008,
    ],
    [
      'a wrong token',
      ['connect', { ...CONNECT, auth: { token: 'wrong' } }],
      { code: 'INVALID_REQUEST', message: 'unauthorized: gateway token mismatch (provide gateway auth token)' },
      1008,
    ],
    [
      'a wrong token of the CLI',
      ['connect', { ...CONNECT, client: { ...CONNECT.client, id: 'cli', mode: 'cli' }, auth: { token: 'wrong' } }],
      {
        code: 'INVALID_REQUEST',
        message: 'unauthorized: gateway token mismatch (set gateway.remote.token to match gateway.auth.token)',
      },
      1008,
    ],
  ] as const)('refuses %s', async (...[, [method, params], error, code]) => {
    const socket = await challenged()
    expect(await socket.ask(method, params)).toMatchObject({ ok: false, error })
    expect(await socket.closed).toEqual({ code, reason: error.message })
    expect(socket.faults).toEqual([])
  })

  test('refuses params outside the schema, with where', async () => {
    const socket = await challenged()
    const { error } = await socket.ask('connect', { ...CONNECT, client: { ...CONNECT.client, id: 'toaster' }, x: 1 })
    expect(error).toMatchObject({ code: 'INVALID_REQUEST' })
    expect(error?.message).toMatch(/^invalid connect params: .*at \/client\/id: /)
    expect(error?.message).toContain("at root: unexpected property 'x'")
    const { code, reason } = await socket.closed
    expect(code).toBe(1008)
    expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(120)
    expect(error?.message.startsWith(reason)).toBe(true)
  })

  test.each([
    ['a frame that is no request', { type: 'hello' }, { code: 1008, reason: 'invalid request frame' }],
    ['text that is no JSON', 'hello?', { code: 1000, reason: '' }],
    ['bytes', Buffer.from([1, 2, 3]), { code: 1000, reason: '' }],
  ])('closes on %s, without an answer', async (_, frame, closed) => {
    const socket = await challenged()
    socket.send(frame)
    expect(await socket.closed).toEqual(closed)
    expect(socket.frames).toHaveLength(1)
  })

  test('grants no more than was asked for, and admin without asking', async () => {
    const reader = await connected({ scopes: ['operator.read'] })
    expect(await reader.ask('cron.list')).toMatchObject({ ok: true })
    const refused = { ok: false, error: { code: 'INVALID_REQUEST' } }
    expect(await reader.ask('cron.add', {})).toMatchObject({
      ...refused,
      error: { message: 'missing scope: operator.admin' },
    })
    expect(await reader.ask('chat.send', {})).toMatchObject({
      ...refused,
      error: { message: 'missing scope: operator.write' },
    })
    // So that names cannot be probed.
    expect(await reader.ask('no.such')).toMatchObject({
      ...refused,
      error: { message: 'missing scope: operator.admin' },
    })
    const admin = await connected()
    expect(await admin.ask('cron.add', {})).toMatchObject({ error: { message: /^invalid cron.add params: / } })
  })

  test('a page of another origin is kept out before any frame', async () => {
    const socket = new RawSocket(gateway.url, { headers: { origin: 'https://evil.example' } })
    expect((await socket.closed).code).toBe(1006)
    expect(socket.faults).toEqual(['Unexpected server response: 403'])
    const own = new RawSocket(gateway.url, { headers: { origin: gateway.url.replace('ws:', 'http:') } })
    await own.challenged()
    own.terminate()
  })
})

describe('requests and answers', () => {
  test('a second connect is refused and the connection stays', async () => {
    const socket = await connected()
    expect(await socket.ask('connect', CONNECT)).toMatchObject({
      ok: false,
      error: { code: 'INVALID_REQUEST', message: 'connect is only valid as the first request' },
    })
    expect(await socket.ask('health')).toMatchObject({ ok: true })
  })

  test('an unknown method is named', async () => {
    const socket = await connected()
    const error = { code: 'INVALID_REQUEST', message: 'unknown method: cron.lst' }
    expect(await socket.ask('cron.lst')).toMatchObject({ ok: false, error })
    for (const name of ['constructor', '__proto__', 'toString']) {
      expect(await socket.ask(name)).toMatchObject({ ok: false, error: { message: `unknown method: ${name}` } })
    }
  })

  test.each([
    ['an unknown key', 'cron.list', { x: 1 }, "invalid cron.list params: at root: unexpected property 'x'"],
    ['both id and jobId', 'cron.run', { id: 'a', jobId: 'a' }, /^invalid cron.run params: /],
    ['neither id nor jobId', 'cron.runs', {}, /^invalid cron.runs params: /],
    ['params that are no object', 'cron.status', [1], /^invalid cron.status params: /],
    [
      'a state',
      'cron.add',
      { name: 'n', state: {} },
      /^invalid cron.add params: .*at root: unexpected property 'state'/,
    ],
    ['an empty message', 'chat.send', { sessionKey: 'main', message: ' ', idempotencyKey: 'k' }, /message is empty/],
  ])('%s is refused with its place', async (...[, method, params, message]) => {
    const socket = await connected()
    const matched = typeof message === 'string' ? message : expect.stringMatching(message)
    const expected = { ok: false, error: { code: 'INVALID_REQUEST', message: matched } }
    expect(await socket.ask(method, params)).toMatchObject(expected)
  })

  test('an unknown job is named as scripts expect it', async () => {
    const socket = await connected()
    const error = { code: 'UNAVAILABLE', message: 'Error: unknown cron job id: zzz' }
    expect(await socket.ask('cron.run', { id: 'zzz' })).toMatchObject({ error })
    expect(await socket.ask('cron.update', { id: 'zzz', patch: {} })).toMatchObject({ error })
    expect(await socket.ask('cron.remove', { id: 'zzz' })).toMatchObject({ payload: { ok: true, removed: false } })
    expect(await socket.ask('cron.runs', { id: 'zzz' })).toMatchObject({ payload: { entries: [] } })
  })

  test('requests on one connection are handled side by side', async () => {
    const gate = new Gate()
    model.script('agent:main:side', gate.hold({ text: 'held' }))
    const socket = await connected()
    socket.send({
      type: 'req',
      id: 'slow',
      method: 'agent',
      params: { message: 'hi', sessionKey: 'side', idempotencyKey: 'side-1' },
    })
    await gate.reached
    socket.send({ type: 'req', id: 'wait', method: 'agent.wait', params: { runId: 'side-1' } })
    expect(await socket.ask('cron.list')).toMatchObject({ ok: true })
    expect([socket.answers('slow').length, socket.answers('wait').length]).toEqual([1, 0])
    gate.open()
    expect((await socket.answersUntil('slow', 2))[1]).toMatchObject({ ok: true, payload: { status: 'ok' } })
    expect(await socket.answer('wait')).toMatchObject({ ok: true, payload: { status: 'ok' } })
    expect(socket.faults).toEqual([])
  })
})

describe('frames that are none', () => {
  test.each([
    ['an unknown key', { type: 'req', id: 'extra', method: 'health', traceId: 1 }, 'extra'],
    ['an empty id', { type: 'req', id: '', method: 'health' }, 'invalid'],
    ['a number as id', { type: 'req', id: 7, method: 'health' }, 'invalid'],
    ['no method', { type: 'req', id: 'none' }, 'none'],
    ['another type', { type: 'res', id: 'turned', ok: true }, 'turned'],
    ['null', null, 'invalid'],
    ['a list', [1, 2], 'invalid'],
  ])('%s is answered as invalid, and the connection stays', async (_, frame, id) => {
    const socket = await connected()
    socket.send(frame)
    expect(await socket.answer(id)).toMatchObject({
      ok: false,
      error: { code: 'INVALID_REQUEST', message: expect.stringMatching(/^invalid request frame: /) },
    })
    expect(await socket.ask('health')).toMatchObject({ ok: true })
    expect(socket.faults).toEqual([])
  })

  test.each([
    ['text that is no JSON', '{"type":"req",'],
    ['an empty text', ''],
    ['bytes', Buffer.from('{"type":"req","id":"b","method":"health"}')],
  ])('%s is ignored', async (_, frame) => {
    const socket = await connected()
    const before = socket.frames.filter(({ type }) => type === 'res').length
    socket.send(frame)
    expect(await socket.ask('health')).toMatchObject({ ok: true })
    expect(socket.frames.filter(({ type }) => type === 'res')).toHaveLength(before + 1)
  })

  test('one of 600 KB ends its connection with 1009, and no other', async () => {
    const other = await connected()
    // Several, because a close that is sent and then cut short gets through now and then.
    for (let index = 0; index < 10; index += 1) {
      const large = await connected()
      large.send({ type: 'req', id: 'large', method: 'health', params: { text: 'x'.repeat(600_000) } })
      expect(await large.closed).toMatchObject({ code: 1009 })
    }
    expect(await other.ask('health')).toMatchObject({ ok: true })
  })

  test('one just below the limit is taken', async () => {
    const socket = await connected()
    const frame = { type: 'req', id: 'just', method: 'health', params: { text: '' } }
    const fill = 524_288 - JSON.stringify(frame).length
    socket.send({ ...frame, params: { text: 'x'.repeat(fill) } })
    expect(await socket.answer('just')).toMatchObject({ ok: true })
  })
})

describe('the end', () => {
  test('a stop tells every client, then closes with 1012', async () => {
    const own = await perTest.gateway({ config: model.config() })
    const sockets = await Promise.all([1, 2].map(() => RawSocket.connected(own, perTest)))
    await own.stop()
    for (const socket of sockets) {
      expect(await socket.closed).toEqual({ code: 1012, reason: 'service restart' })
      const shutdown = socket.frames.at(-1)
      expect(shutdown).toMatchObject({ event: 'shutdown', payload: { restartExpectedMs: null } })
      expect(socket.faults).toEqual([])
    }
  })

  test('W7: a stop waits for no turn and no request', async () => {
    const own = await perTest.gateway({ config: model.config() })
    const gate = new Gate()
    model.script('agent:main:endless', gate.hold({ text: 'too late' }))
    const socket = await RawSocket.connected(own, perTest)
    socket.send({
      type: 'req',
      id: 'open',
      method: 'agent',
      params: { message: 'hi', sessionKey: 'endless', idempotencyKey: 'endless-1' },
    })
    await gate.reached
    await own.stop()
    expect(await socket.closed).toMatchObject({ code: 1012 })
    gate.open()
  })

  test('every closed connection leaves a line that says how, and what it left unanswered', async () => {
    const own = await perTest.gateway({ config: model.config() })
    const closings = () => own.log().filter(({ msg }) => msg === 'connection closed')
    const polite = await RawSocket.connected(own, perTest)
    await polite.ask('cron.list')
    polite.terminate()
    await polite.closed
    const silent = new RawSocket(own.url)
    await silent.challenged()
    silent.send({ type: 'req', id: '1', method: 'cron.add', params: {} })
    await silent.closed
    const waiting = await RawSocket.connected(own, perTest)
    waiting.send({ type: 'req', id: 'w', method: 'agent.wait', params: { runId: 'nobody', timeoutMs: 3_600_000 } })
    await waiting.ask('health')
    waiting.terminate()
    await waiting.closed
    const large = await RawSocket.connected(own, perTest)
    large.send({ type: 'req', id: 'l', method: 'health', params: { text: 'x'.repeat(600_000) } })
    await large.closed
    await own.stop()
    const duration = { durationMs: expect.any(Number), lastFrameType: 'req', level: expect.any(Number) }
    expect(closings()).toMatchObject([
      { ...duration, code: 1006, reason: 'n/a', handshake: 'connected', lastFrameMethod: 'cron.list' },
      { ...duration, code: 1008, handshake: 'failed', lastFrameMethod: 'cron.add' },
      { ...duration, code: 1006, handshake: 'connected', lastFrameMethod: 'health', unanswered: ['agent.wait'] },
      {
        ...duration,
        reason: expect.stringMatching(/payload size/i),
        handshake: 'connected',
        lastFrameMethod: 'connect',
      },
    ])
    expect(closings()[0]).not.toHaveProperty('unanswered')
  })
})

describe('HTTP on the same port', () => {
  const get = (path: string, init?: RequestInit) => fetch(gateway.url.replace('ws:', 'http:') + path, init)

  test('one plain page, a health word, and nothing else', async () => {
    const page = await get('/')
    expect(page.status).toBe(200)
    expect(await page.text()).toMatch(/<h1>Sluice<\/h1>[\s\S]*sluice chat/)
    expect(await (await get('/healthz')).text()).toBe('ok\n')
    expect((await get('/other')).status).toBe(404)
    expect((await get('/', { method: 'POST' })).status).toBe(405)
  })

  test('shows no secret', async () => {
    expect(await (await get('/')).text()).not.toContain(gateway.token)
  })
})
