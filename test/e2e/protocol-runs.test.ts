// Runs on the wire: the two answers of agent, the acknowledgement and events of chat.send, repeats, waits and stops.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type GatewayProcess, Scope } from './gateway-process.ts'
import { RawSocket, type WireFrame } from './raw-socket.ts'
import { Gate, type ScriptedModel, startScriptedModel } from './scripted-model.ts'

const scope = new Scope()
let model: ScriptedModel
let gateway: GatewayProcess
let socket: RawSocket

beforeAll(async () => {
  model = await startScriptedModel()
  scope.onEnd(() => model.server.close())
  gateway = await scope.gateway({ config: model.config() })
  socket = await RawSocket.connected(gateway, scope)
})
afterEach(() => expect(socket.faults).toEqual([]))
afterAll(() => scope.end())

function agent(id: string, params: object): void {
  socket.send({ type: 'req', id, method: 'agent', params })
}

const chatSend = (sessionKey: string, message: string, idempotencyKey: string) =>
  socket.ask('chat.send', { sessionKey, message, idempotencyKey })

interface ChatPayload {
  readonly runId: string
  readonly sessionKey: string
  readonly session: string
  readonly seq: number
  readonly state: string
  readonly message?: { readonly role: string; readonly content: readonly { readonly text: string }[] }
  readonly errorMessage?: string
  readonly stopReason?: string
}

function chatsOf(runId: string): ChatPayload[] {
  const payloads = socket.frames.flatMap(({ event, payload }) => (event === 'chat' && payload ? [payload] : []))
  return (payloads as unknown as ChatPayload[]).filter(payload => payload.runId === runId)
}

async function endOf(runId: string): Promise<ChatPayload> {
  const isEnd = ({ event, payload }: WireFrame) =>
    event === 'chat' && payload?.runId === runId && payload.state !== 'delta'
  return (await socket.until(`the end of ${runId}`, isEnd)).payload as unknown as ChatPayload
}

const textOf = (payload: ChatPayload) => payload.message?.content.map(part => part.text).join('')

describe('agent', () => {
  test('answers twice under one id: accepted, then the end', async () => {
    model.script('agent:main:two', { text: 'the answer' })
    agent('two', { message: 'hi', sessionKey: 'two', idempotencyKey: 'two-1' })
    const [accepted, final] = await socket.answersUntil('two', 2)
    expect(accepted).toMatchObject({
      ok: true,
      payload: { runId: 'two-1', status: 'accepted', acceptedAt: expect.any(Number) },
    })
    expect(final).toMatchObject({
      ok: true,
      payload: {
        runId: 'two-1',
        status: 'ok',
        summary: 'completed',
        result: {
          payloads: [{ text: 'the answer', mediaUrl: null }],
          meta: { durationMs: expect.any(Number), agentMeta: { sessionId: expect.any(String) }, aborted: false },
        },
      },
    })
  })

  test('L1: the acceptance comes while the turn is held', async () => {
    const gate = new Gate()
    model.script('agent:main:early', gate.hold({ text: 'late' }))
    agent('early', { message: 'hi', sessionKey: 'early', idempotencyKey: 'early-1' })
    await gate.reached
    expect(await socket.answer('early')).toMatchObject({ payload: { status: 'accepted' } })
    expect(socket.answers('early')).toHaveLength(1)
    gate.open()
    await socket.answersUntil('early', 2)
  })

  test('a turn that fails is the second answer, with an error and the run', async () => {
    model.script('agent:main:fails', { status: 401 })
    agent('fails', { message: 'hi', sessionKey: 'fails', idempotencyKey: 'fails-1' })
    const [accepted, final] = await socket.answersUntil('fails', 2)
    expect(accepted).toMatchObject({ ok: true, payload: { status: 'accepted' } })
    expect(final).toMatchObject({
      ok: false,
      payload: { runId: 'fails-1', status: 'error' },
      error: { code: 'UNAVAILABLE', message: expect.stringContaining('apiKey') },
    })
  })

  test('T1: the same key while it runs and after its end is the same run', async () => {
    const gate = new Gate()
    model.script('agent:main:same', gate.hold({ text: 'once' }))
    const params = { message: 'hi', sessionKey: 'same', idempotencyKey: 'same-1' }
    agent('same', params)
    await gate.reached
    agent('same again', params)
    await socket.answer('same again')
    gate.open()
    const finals = await Promise.all(['same', 'same again'].map(id => socket.answersUntil(id, 2)))
    agent('same later', params)
    finals.push(await socket.answersUntil('same later', 2))
    for (const [first, second] of finals) {
      expect(first).toMatchObject({ payload: { runId: 'same-1', status: 'accepted' } })
      expect(second).toMatchObject({ payload: { status: 'ok', result: { payloads: [{ text: 'once' }] } } })
    }
    expect(model.asks('agent:main:same')).toHaveLength(1)
  })

  test('T1: the same key with other params is refused', async () => {
    agent('other', { message: 'another', sessionKey: 'same', idempotencyKey: 'same-1' })
    expect(await socket.answer('other')).toMatchObject({
      ok: false,
      error: { code: 'INVALID_REQUEST', message: expect.stringContaining('same-1'), details: { code: 'CONFLICT' } },
    })
  })

  test("an agent that is not the session's is refused", async () => {
    agent('foreign', { message: 'hi', sessionKey: 'agent:main:x', agentId: 'ops', idempotencyKey: 'foreign-1' })
    expect(await socket.answer('foreign')).toMatchObject({
      ok: false,
      error: { code: 'INVALID_REQUEST', message: expect.stringMatching(/^invalid agent params: agent "ops"/) },
    })
  })

  test.each(['o p s', ' ', 'a:b', 'a\u0000b'])('an agent id that is none is refused: %j', async agentId => {
    const idempotencyKey = `agent ${JSON.stringify(agentId)}`
    const answer = await socket.ask('agent', { message: 'hi', agentId, idempotencyKey })
    expect(answer).toMatchObject({ ok: false, error: { code: 'INVALID_REQUEST' } })
  })
})

describe('chat.send', () => {
  test.each([
    { form: 'main', key: 'form-1' },
    { form: 'agent:main:main', key: 'form-2' },
    { form: 'Main', key: 'form-3' },
  ])('is acknowledged at once; its events name the session as $form', async ({ form, key }) => {
    const middle = Promise.withResolvers<void>()
    model.script('agent:main:main', { text: 'one, two, three', chunks: 3, hold: middle.promise })
    expect(await chatSend(form, 'count', key)).toMatchObject({
      ok: true,
      payload: { runId: key, status: 'started', ahead: 0 },
    })
    await socket.until('a delta', ({ event, payload }) => event === 'chat' && payload?.runId === key)
    middle.resolve()
    const end = await endOf(key)
    const chats = chatsOf(key)
    expect(chats.map(({ state }) => state).slice(0, -1)).not.toContain('final')
    expect(chats.length).toBeGreaterThan(1)
    expect(end).toMatchObject({ state: 'final', message: { role: 'assistant' } })
    expect(textOf(end)).toBe('one, two, three')
    const texts = chats.map(textOf)
    // Text is cumulative: each event has all of the one before.
    const shrinks = texts.slice(1).filter((text, index) => !text?.startsWith(texts[index] as string))
    expect(shrinks).toEqual([])
    expect(new Set(chats.map(chat => chat.sessionKey))).toEqual(new Set([form]))
    expect(new Set(chats.map(chat => chat.session))).toEqual(new Set(['agent:main:main']))
    const seqs = chats.map(({ seq }) => seq)
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b))
  })

  test('two spellings of a session are one: what is written in the other joins the turn that runs', async () => {
    const gate = new Gate()
    model.script('agent:main:lane', gate.hold({ text: 'first' }), { text: 'second' })
    await chatSend('lane', 'a', 'lane-1')
    await gate.reached
    expect(await chatSend('AGENT:main:Lane', 'b', 'lane-2')).toMatchObject({
      payload: { status: 'started', ahead: 1, queueMode: 'steer' },
    })
    expect(await socket.ask('sessions.status', { key: 'LANE' })).toMatchObject({
      payload: {
        state: 'running',
        runs: [
          { runId: 'lane-1', status: 'running' },
          { runId: 'lane-2', status: 'queued' },
        ],
      },
    })
    expect(model.asks('agent:main:lane')).toHaveLength(1)
    gate.open()
    // The client that waits for its own run hears that it is part of the other's, whose end says it all.
    expect(await endOf('lane-2')).toMatchObject({ state: 'final', mergedInto: 'lane-1' })
    expect(await endOf('lane-1')).toMatchObject({ message: { content: [{ text: 'first\n\nsecond' }] } })
    expect(await socket.ask('agent.wait', { runId: 'lane-2' })).toMatchObject({ payload: { status: 'ok' } })
  })

  test('T1: a repeat of the same key is in flight, then ok; nothing runs twice', async () => {
    const gate = new Gate()
    model.script('agent:main:repeat', gate.hold({ text: 'once' }))
    await chatSend('repeat', 'hi', 'repeat-1')
    await gate.reached
    expect(await chatSend('repeat', 'hi', 'repeat-1')).toMatchObject({
      payload: { runId: 'repeat-1', status: 'in_flight' },
    })
    gate.open()
    await endOf('repeat-1')
    expect(await chatSend('repeat', 'hi', 'repeat-1')).toMatchObject({ payload: { runId: 'repeat-1', status: 'ok' } })
    expect(model.asks('agent:main:repeat')).toHaveLength(1)
    expect(await chatSend('repeat', 'other', 'repeat-1')).toMatchObject({
      ok: false,
      error: { code: 'INVALID_REQUEST' },
    })
  })

  test('T1: ten repeats sent at once make one run', async () => {
    model.script('agent:main:burst', { text: 'once' })
    const answers = await Promise.all(Array.from({ length: 10 }, () => chatSend('burst', 'hi', 'burst-1')))
    expect(answers.map(({ payload }) => payload?.status).filter(status => status === 'started')).toHaveLength(1)
    await endOf('burst-1')
    expect(model.asks('agent:main:burst')).toHaveLength(1)
  })

  test('a repeat of a run that failed says so', async () => {
    model.script('agent:main:broken', { status: 401 })
    await chatSend('broken', 'hi', 'broken-1')
    expect(await endOf('broken-1')).toMatchObject({ state: 'error', errorMessage: expect.stringContaining('401') })
    expect(await chatSend('broken', 'hi', 'broken-1')).toMatchObject({
      payload: { runId: 'broken-1', status: 'error', summary: expect.stringContaining('401') },
    })
  })
})

describe('stopping', () => {
  test.each(['/stop', 'stop', ' STOP ', 'esc', 'abort', 'wait', 'exit', 'interrupt'])('W7: %j stops', async word => {
    const name = `stop-${word.trim().replace('/', 'slash-')}-${word.length}`
    const gate = new Gate()
    model.script(`agent:main:${name}`.toLowerCase(), gate.hold({ text: 'never seen' }))
    await chatSend(name, 'begin', `${name}-1`)
    await gate.reached
    await chatSend(name, 'and then', `${name}-2`)
    expect(await chatSend(name, word, `${name}-3`)).toMatchObject({
      ok: true,
      payload: { ok: true, aborted: true, runIds: [`${name}-1`, `${name}-2`] },
    })
    for (const runId of [`${name}-1`, `${name}-2`]) {
      expect(await endOf(runId)).toMatchObject({ state: 'aborted', stopReason: 'rpc' })
    }
    expect(await socket.ask('sessions.status', { key: name })).toMatchObject({ payload: { state: 'idle', runs: [] } })
    expect(await chatSend(name, word, `${name}-4`)).toMatchObject({ payload: { ok: true, aborted: false, runIds: [] } })
    gate.open()
  })

  test('W7: chat.abort ends a held turn, keeps what was said, and the session goes on', async () => {
    const middle = Promise.withResolvers<void>()
    model.script('agent:main:abort', { text: 'half of it', chunks: 2, hold: middle.promise }, { text: 'anew' })
    await chatSend('abort', 'begin', 'abort-1')
    await socket.until('a delta', ({ event, payload }) => event === 'chat' && payload?.runId === 'abort-1')
    expect(await socket.ask('chat.abort', { sessionKey: 'abort', runId: 'abort-1' })).toMatchObject({
      payload: { ok: true, aborted: true, runIds: ['abort-1'] },
    })
    expect(await endOf('abort-1')).toMatchObject({ state: 'aborted', stopReason: 'rpc' })
    middle.resolve()
    expect(await socket.ask('agent.wait', { runId: 'abort-1' })).toMatchObject({ payload: { status: 'error' } })
    await chatSend('abort', 'again', 'abort-2')
    expect(textOf(await endOf('abort-2'))).toBe('anew')
    expect(chatsOf('abort-1').filter(({ state }) => state !== 'delta')).toHaveLength(1)
  })

  test("chat.abort of another session's run is refused, of an ended one says that nothing ran", async () => {
    expect(await socket.ask('chat.abort', { sessionKey: 'main', runId: 'abort-1' })).toMatchObject({
      ok: false,
      error: { message: 'runId does not match sessionKey' },
    })
    expect(await socket.ask('chat.abort', { sessionKey: 'abort', runId: 'abort-1' })).toMatchObject({
      payload: { ok: true, aborted: false, runIds: [] },
    })
  })
})

describe('agent.wait', () => {
  test('W6: ends at its time-out while the run goes on', async () => {
    const gate = new Gate()
    model.script('agent:main:waited', gate.hold({ text: 'at last' }))
    await chatSend('waited', 'hi', 'waited-1')
    await gate.reached
    expect(await socket.ask('agent.wait', { runId: 'waited-1', timeoutMs: 1 })).toMatchObject({
      ok: true,
      payload: { runId: 'waited-1', status: 'timeout' },
    })
    gate.open()
    expect(await socket.ask('agent.wait', { runId: 'waited-1' })).toMatchObject({
      payload: { runId: 'waited-1', status: 'ok', startedAt: expect.any(Number), endedAt: expect.any(Number) },
    })
  })

  test('of a run that nobody knows times out', async () => {
    expect(await socket.ask('agent.wait', { runId: 'nobody', timeoutMs: 1 })).toMatchObject({
      payload: { status: 'timeout' },
    })
  })
})

test('chat.history shows the messages of both sides, and the calls with their results', async () => {
  model.script(
    'agent:main:shown',
    { calls: [{ name: 'session_status', args: {} }], text: 'I look.' },
    { text: 'Done.' },
  )
  await chatSend('shown', 'look', 'shown-1')
  await endOf('shown-1')
  const { payload } = await socket.ask('chat.history', { sessionKey: 'shown' })
  expect(payload).toMatchObject({
    sessionKey: 'shown',
    sessionId: expect.any(String),
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'look' }] },
      { role: 'assistant', content: [{ text: 'I look.' }, { type: 'toolCall', name: 'session_status' }], model: 'm1' },
      { role: 'toolResult', toolName: 'session_status', isError: false },
      { role: 'assistant', content: [{ text: 'Done.' }] },
    ],
  })
})
