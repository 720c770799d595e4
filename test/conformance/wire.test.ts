// The facts that only a wire shows, on a real gateway whose model is scripted.
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { CATALOGUE } from '../../src/protocol/catalogue.ts'
import { CLIENT, TestDevice } from '../access/test-device.ts'
import { type GatewayProcess, Scope } from '../e2e/gateway-process.ts'
import { CONNECT, RawSocket, type WireFrame } from '../e2e/raw-socket.ts'
import { Gate, type ScriptedModel, startScriptedModel } from '../e2e/scripted-model.ts'
import { conformance } from './conformance.ts'

const scope = new Scope()
const perTest = new Scope()
const sockets: RawSocket[] = []
let model: ScriptedModel
let gateway: GatewayProcess

beforeAll(async () => {
  model = await startScriptedModel()
  scope.onEnd(() => model.server.close())
  gateway = await scope.gateway({ config: model.config({ maxConcurrent: 1 }) })
})
afterEach(async () => {
  expect(sockets.splice(0).flatMap(({ faults }) => faults)).toEqual([])
  await perTest.end()
})
afterAll(() => scope.end())

async function opened(): Promise<{ socket: RawSocket; challenge: WireFrame }> {
  const socket = new RawSocket(gateway.url)
  sockets.push(socket)
  perTest.onEnd(() => socket.terminate())
  return { socket, challenge: await socket.challenged() }
}

async function connected(params: object = {}): Promise<{ socket: RawSocket; hello: WireFrame }> {
  const { socket } = await opened()
  const hello = await socket.ask('connect', { ...CONNECT, auth: { token: gateway.token }, ...params })
  return { socket, hello }
}

/** A client of this machine that signs; with the nonce (v2) or in the older form without it. */
async function signed(device: TestDevice, more: object = {}, withNonce = true) {
  const { socket, challenge } = await opened()
  const nonce = withNonce ? { nonce: String(challenge.payload?.nonce) } : {}
  const params = { client: CLIENT, auth: { token: gateway.token }, ...more }
  const answer = await socket.ask('connect', device.connect(params, { signedAt: Date.now(), ...nonce }))
  return { socket, answer }
}

const chatsOf = (socket: RawSocket, runId: string) =>
  socket.frames.flatMap(({ event, payload }) => (event === 'chat' && payload?.runId === runId ? [payload] : []))
const finalOf = (socket: RawSocket, runId: string) =>
  socket.until(
    `the end of ${runId}`,
    ({ event, payload }) => event === 'chat' && payload?.runId === runId && payload.state !== 'delta',
  )
const messageOf = (frame: WireFrame) => frame.error?.message
const aJob = (name: string) => ({
  ...{ name, schedule: { kind: 'every', everyMs: 3_600_000 }, sessionTarget: 'isolated', wakeMode: 'now' },
  payload: { kind: 'agentTurn', message: 'hi' },
})

conformance('C-1', async () => {
  const { challenge } = await opened()
  expect(challenge).toMatchObject({
    event: 'connect.challenge',
    payload: { nonce: expect.any(String), ts: expect.any(Number) },
  })
  expect(challenge).not.toHaveProperty('seq')
  expect((await signed(new TestDevice())).answer.ok).toBe(true)
  expect((await signed(new TestDevice(), {}, false)).answer.ok).toBe(true)
})

conformance('C-2', async () => {
  // What is not closed is a fault, which fails each test of this file; here are the kinds of frames.
  const { socket } = await connected()
  const asked = [
    socket.ask('status', {}),
    socket.ask('nope', {}),
    socket.ask('cron.add', {}),
    socket.ask('chat.send', 1),
  ]
  await Promise.all(asked)
  expect(new Set(socket.frames.map(({ type, ok }) => `${type} ${ok}`))).toEqual(
    new Set(['event undefined', 'res true', 'res false']),
  )
  expect(socket.faults).toEqual([])
})

conformance('C-3', async () => {
  const { hello } = await connected()
  expect(hello.payload).toMatchObject({
    policy: { tickIntervalMs: 30_000 },
    features: { events: expect.arrayContaining(['tick']) },
  })
})

conformance('C-4', async () => {
  const device = new TestDevice()
  const first = (await signed(device)).answer.payload as { auth?: { deviceToken: string } }
  const again = (await signed(device)).answer.payload as { auth?: { deviceToken: string } }
  expect(first.auth?.deviceToken).toMatch(/\S{32}/)
  expect(again.auth?.deviceToken).toBe(first.auth?.deviceToken)
  expect((await connected()).hello.payload).not.toHaveProperty('auth')
})

conformance('C-5', async () => {
  const scopes = ['operator.admin', 'operator.approvals', 'operator.pairing']
  const client = { id: 'cli', version: 'dev', platform: 'linux', mode: 'cli' }
  const { answer, socket } = await signed(new TestDevice(), { client, role: 'operator', scopes })
  expect(answer.payload).toMatchObject({ type: 'hello-ok', auth: { role: 'operator', scopes } })
  expect((await socket.ask('sessions.patch', { key: 'five', label: 'five' })).ok).toBe(true)
})

conformance('C-6', async () => {
  const { hello } = await connected()
  const { server, features } = hello.payload as { server: { version: string }; features: { methods: string[] } }
  expect(server.version).not.toBe('')
  expect(features.methods.toSorted()).toEqual(Object.keys(CATALOGUE).sort())
})

conformance('C-7', async () => {
  const gate = new Gate()
  model.script('agent:main:seven', gate.hold({ text: 'late' }))
  const { socket } = await connected()
  await socket.ask('chat.send', { sessionKey: 'seven', message: 'hi', idempotencyKey: 'seven' })
  await gate.reached
  const { payload } = await socket.ask('health', {})
  expect(payload).toMatchObject({
    ok: true,
    durationMs: expect.any(Number),
    heartbeatSeconds: 0,
    agents: [{ isDefault: true }],
  })
  expect(gate.isOpen).toBe(false)
  gate.open()
  await finalOf(socket, 'seven')
})

conformance('C-8', async () => {
  model.script('agent:main:eight', { text: 'the answer' }, { text: 'another answer' })
  const { socket } = await connected()
  socket.send({
    type: 'req',
    id: 'two',
    method: 'agent',
    params: { message: 'hi', sessionKey: 'eight', idempotencyKey: 'two' },
  })
  const [accepted, final] = await socket.answersUntil('two', 2)
  expect(accepted?.payload).toMatchObject({ runId: 'two', status: 'accepted', acceptedAt: expect.any(Number) })
  expect(final?.payload).toMatchObject({ status: 'ok', result: { payloads: [{ text: 'the answer', mediaUrl: null }] } })
  const ack = await socket.ask('chat.send', { sessionKey: 'eight', message: 'hi', idempotencyKey: 'sent' })
  expect(ack.payload).toMatchObject({ runId: 'sent', status: 'started' })
  await finalOf(socket, 'sent')
  const texts = chatsOf(socket, 'sent').map(
    ({ message }) => (message as { content: { text: string }[] }).content[0]?.text ?? '',
  )
  for (const [index, text] of texts.entries()) expect(text.startsWith(texts[index - 1] ?? '')).toBe(true)
  expect(texts.at(-1)).toBe('another answer')
})

conformance('C-9', async () => {
  const { socket } = await connected()
  await socket.ask('cron.add', { ...aJob('nine'), enabled: false })
  const { payload } = await socket.ask('cron.list', { includeDisabled: true })
  const jobs = (payload as { jobs: object[] }).jobs
  expect(jobs.length).toBeGreaterThan(0)
  for (const job of jobs) {
    expect(job).toMatchObject({
      ...{ id: expect.any(String), name: expect.any(String), enabled: expect.any(Boolean), state: expect.any(Object) },
      ...{ schedule: { kind: expect.any(String) }, payload: { kind: expect.any(String) } },
      ...{ sessionTarget: expect.any(String), wakeMode: expect.any(String) },
    })
  }
})

conformance('C-10', async () => {
  const { socket } = await connected()
  expect(messageOf(await socket.ask('no.such', {}))).toBe('unknown method: no.such')
  expect(messageOf(await socket.ask('cron.add', { name: 'x' }))).toMatch(/^invalid cron\.add params: /)
  expect(messageOf(await socket.ask('chat.history', {}))).toMatch(/^invalid chat\.history params: at \/sessionKey: /)
})

conformance('C-12', async () => {
  const { socket } = await opened()
  const answer = await socket.ask('connect', { ...CONNECT, auth: { token: 'wrong' } })
  expect(answer).toMatchObject({ ok: false, error: { code: 'INVALID_REQUEST' } })
  const { code, reason } = await socket.closed
  expect([code, Buffer.byteLength(reason) <= 120]).toEqual([1008, true])
  expect(messageOf(answer)?.startsWith(reason)).toBe(true)
})

conformance('C-14', async () => {
  model.script('agent:main:fourteen', { text: 'one' })
  const { socket } = await connected()
  await socket.ask('chat.send', { sessionKey: 'fourteen', message: 'hi', idempotencyKey: 'fourteen' })
  await finalOf(socket, 'fourteen')
  const seqs = socket.frames.flatMap(({ seq }) => seq ?? [])
  expect(seqs.length).toBeGreaterThan(1)
  expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b))
})

conformance('C-15', async () => {
  const root = new URL('/', gateway.url.replace('ws:', 'http:'))
  const page = await fetch(root)
  expect([page.status, page.headers.get('content-type')]).toEqual([200, expect.stringContaining('text/html')])
  expect((await fetch(root, { method: 'DELETE' })).status).toBe(405)
})

conformance('FRAME-1', async () => {
  const { socket } = await connected()
  socket.send('no json')
  expect((await socket.ask('health', {})).ok).toBe(true)
  const { socket: early } = await opened()
  early.send('no json')
  expect(await early.closed).toEqual({ code: 1000, reason: '' })
})

conformance('FRAME-2', async () => {
  const { socket } = await connected()
  socket.send({ type: 'req', id: 'half' })
  expect(messageOf(await socket.answer('half'))).toMatch(/^invalid request frame: /)
  socket.send({ type: 'wrong' })
  expect(messageOf(await socket.answer('invalid'))).toMatch(/^invalid request frame: /)
  expect((await socket.ask('health', {})).ok).toBe(true)
})

conformance('FRAME-3', async () => {
  const { socket } = await connected()
  socket.send(`"${'x'.repeat(600_000)}"`)
  expect(await socket.closed).toMatchObject({ code: 1009 })
})

conformance('FRAME-4', async () => {
  const { socket } = await connected()
  const gate = new Gate()
  model.script('agent:main:beside', gate.hold({ text: 'said' }))
  await socket.ask('chat.send', { sessionKey: 'beside', message: 'hi', idempotencyKey: 'beside-1' })
  socket.send({ type: 'req', id: 'wait', method: 'agent.wait', params: { runId: 'beside-1' } })
  await socket.ask('health', {})
  expect(socket.answers('wait')).toEqual([])
  gate.open()
  expect((await socket.answer('wait')).payload).toMatchObject({ status: 'ok' })
})

conformance('FRAME-5', async () => {
  const { socket } = await connected()
  expect(messageOf(await socket.ask('connect', CONNECT))).toBe('connect is only valid as the first request')
  expect((await socket.ask('health', {})).ok).toBe(true)
})

conformance('ERR-3', async () => {
  const { socket } = await connected({ scopes: ['operator.read'] })
  const refused = await socket.ask('cron.remove', { id: 'x' })
  expect(refused.error).toMatchObject({ code: 'INVALID_REQUEST', message: 'missing scope: operator.admin' })
})

conformance('HELLO-1', async () => {
  const { hello } = await connected()
  expect(hello.payload).toMatchObject({
    ...{ type: 'hello-ok', protocol: 3, server: { connId: expect.any(String) } },
    policy: { maxPayload: 524_288, maxBufferedBytes: 1_572_864 },
    snapshot: {
      ...{ health: { ok: true }, stateVersion: { presence: expect.any(Number), health: expect.any(Number) } },
      ...{ uptimeMs: expect.any(Number), stateDir: gateway.stateDir },
      sessionDefaults: {
        defaultAgentId: 'main',
        mainKey: 'main',
        mainSessionKey: 'agent:main:main',
        scope: 'per-sender',
      },
    },
  })
})

conformance('HELLO-2', async () => {
  const { socket } = await opened()
  const { error } = await socket.ask('connect', { ...CONNECT, minProtocol: 4, maxProtocol: 5 })
  expect(error).toMatchObject({
    code: 'INVALID_REQUEST',
    message: 'protocol mismatch',
    details: { expectedProtocol: 3 },
  })
  expect(await socket.closed).toEqual({ code: 1002, reason: 'protocol mismatch' })
})

conformance('HELLO-3', async () => {
  const { socket } = await opened()
  expect((await socket.ask('connect', { ...CONNECT, role: 'king' })).error).toMatchObject({
    code: 'INVALID_REQUEST',
    message: 'invalid role',
  })
})

conformance('HELLO-4', async () => {
  const { socket } = await opened()
  expect((await socket.ask('connect', CONNECT)).error).toMatchObject({
    code: 'NOT_PAIRED',
    message: 'device identity required',
  })
})

conformance('SYS-1', async () => {
  const client = { ...CONNECT.client, instanceId: 'window' }
  const { socket } = await connected()
  const { socket: other, hello } = await connected({ client })
  const { presence } = (hello.payload as { snapshot: { presence: object[] } }).snapshot
  expect(presence[0]).toMatchObject({ reason: 'self', mode: 'gateway' })
  expect(presence).toContainEqual(expect.objectContaining({ instanceId: 'window', reason: 'connect', mode: 'test' }))
  other.terminate()
  const left = await socket.until('that it left', ({ event }) => event === 'presence')
  expect(left.payload?.presence).toContainEqual(expect.objectContaining({ instanceId: 'window', reason: 'disconnect' }))
  expect(left).toMatchObject({ stateVersion: { presence: expect.any(Number) } })
})

conformance('SYS-4', async () => {
  const { socket } = await connected()
  const { payload } = await socket.ask('logs.tail', {})
  const tail = payload as { file: string; cursor: number; lines: string[] }
  expect(tail.lines.map(line => JSON.parse(line).msg)).toContain('started')
  const { socket: other } = await connected({ client: { ...CONNECT.client, instanceId: 'brief' } })
  other.terminate()
  await socket.until('that it left', ({ event }) => event === 'presence')
  // The line is written as the connection is found closed, and reaches the file a moment later.
  let next: { lines: string[] } = { lines: [] }
  while (next.lines.length === 0) {
    next = (await socket.ask('logs.tail', { cursor: tail.cursor })).payload as typeof next
  }
  expect(next.lines.map(line => JSON.parse(line).msg)).toContain('connection closed')
  expect(next.lines.filter(line => tail.lines.includes(line))).toEqual([])
})

conformance('CHAT-1', async () => {
  for (const sessionKey of ['main', 'agent:main:main', 'MAIN']) {
    model.script('agent:main:main', { text: 'here' })
    const { socket } = await connected()
    const runId = `form-${sessionKey}`
    await socket.ask('chat.send', { sessionKey, message: 'hi', idempotencyKey: runId })
    expect((await finalOf(socket, runId)).payload).toMatchObject({ sessionKey, session: 'agent:main:main' })
  }
})

conformance('CHAT-3', async () => {
  const gate = new Gate()
  model.script('agent:main:again', gate.hold({ text: 'late' }))
  const { socket } = await connected()
  const sent = { sessionKey: 'again', message: 'hi', idempotencyKey: 'again' }
  await socket.ask('chat.send', sent)
  await gate.reached
  expect((await socket.ask('chat.send', sent)).payload).toMatchObject({ runId: 'again', status: 'in_flight' })
  gate.open()
  await finalOf(socket, 'again')
  expect((await socket.ask('chat.send', sent)).payload).toMatchObject({ runId: 'again', status: 'ok' })
})

conformance('EVT-1', async () => {
  model.script('agent:main:evt', { text: 'one two three' })
  const { socket } = await connected()
  await socket.ask('chat.send', { sessionKey: 'evt', message: 'hi', idempotencyKey: 'evt' })
  const final = await finalOf(socket, 'evt')
  expect(final.payload).toMatchObject({
    ...{ state: 'final', sessionKey: 'evt', seq: expect.any(Number) },
    message: { role: 'assistant', content: [{ type: 'text', text: 'one two three' }], timestamp: expect.any(Number) },
  })
  const events = socket.frames.flatMap(({ event, payload }) =>
    event === 'agent' && payload?.runId === 'evt' ? [payload as { seq: number; stream: string; data: object }] : [],
  )
  const seqs = events.map(({ seq }) => seq)
  expect([seqs[0], ...seqs]).toEqual([1, ...new Set(seqs.toSorted((a, b) => a - b))])
  expect(events[0]).toMatchObject({ stream: 'lifecycle', data: { phase: 'start', startedAt: expect.any(Number) } })
  expect(events.at(-1)).toMatchObject({ stream: 'lifecycle', data: { phase: 'end', endedAt: expect.any(Number) } })
  const heard = events.filter(({ stream }) => stream === 'assistant').map(({ data }) => data as { delta: string })
  expect(heard.at(-1)).toMatchObject({ text: 'one two three' })
  expect(heard.map(({ delta }) => delta).join('')).toBe('one two three')
})

conformance('EVT-3', async () => {
  const stopped = await perTest.gateway()
  const socket = new RawSocket(stopped.url)
  sockets.push(socket)
  await socket.challenged()
  await socket.ask('connect', { ...CONNECT, auth: { token: stopped.token } })
  await stopped.stop()
  const told = await socket.until('the stop', ({ event }) => event === 'shutdown')
  expect(told.payload).toEqual({ reason: expect.any(String), restartExpectedMs: null })
  expect(await socket.closed).toEqual({ code: 1012, reason: 'service restart' })
})

conformance('SYS-10', async () => {
  const { socket } = await connected()
  const { payload } = await socket.ask('logs.tail', { limit: 500 })
  const lines = (payload as { lines: string[] }).lines.map(line => JSON.parse(line))
  expect(lines.find(line => line['0'] === 'started')).toMatchObject({
    ...{ _meta: { logLevelName: 'INFO' }, time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/), msg: 'started' },
  })
  expect((await socket.ask('logs.tail', { limit: 1 })).payload).not.toHaveProperty('truncated')
})
