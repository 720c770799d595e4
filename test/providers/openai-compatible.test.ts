// The adapter for OpenAI-compatible servers against a server that speaks that wire, well and badly.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeClock } from '../../src/base/node/world.ts'
import { openAiCompatibleModel } from '../../src/providers/ai-sdk/openai-compatible.ts'
import { chooseModel, type ModelsConfig } from '../../src/providers/choice.ts'
import type { ModelEvent, ModelMessage } from '../../src/providers/model.ts'
import { withRetries } from '../../src/providers/retry.ts'
import { FakeClock, settled } from '../fakes/clock.ts'
import { type ModelServer, startModelServer } from '../fakes/model-server.ts'

let server: ModelServer
beforeAll(async () => {
  server = await startModelServer()
})
afterAll(() => server.close())

const choice = (baseUrl = server.baseUrl) => {
  const made = chooseModel({
    ...{ primary: 'fake/m1', fallbacks: [], keyNames: {}, zone: 'UTC' },
    providers: { fake: { baseUrl, apiKey: 'k3y', api: 'openai-completions', silenceMsMax: 60_000 } },
  })
  if (made.kind === 'offline') throw new Error('not reached')
  return made
}
const model = (baseUrl?: string) => openAiCompatibleModel(choice(baseUrl), { fetch, clock: nodeClock })

async function ask(messages: ModelMessage[], options: { signal?: AbortSignal; from?: ReturnType<typeof model> } = {}) {
  const events: ModelEvent[] = []
  const request = {
    system: 'be brief',
    zone: 'UTC',
    messages,
    tools: [{ name: 'look', description: 'looks', parameters: { type: 'object', properties: {} } }],
    signal: options.signal ?? new AbortController().signal,
  }
  for await (const event of (options.from ?? model()).stream(request)) events.push(event)
  return events
}
const go: ModelMessage[] = [{ role: 'user', text: 'go' }]

describe('what goes out', () => {
  test('system, tools, pairs of calls and results, and the key as a bearer', async () => {
    server.answer(() => ({ text: 'fine' }))
    await ask([
      ...go,
      { role: 'assistant', text: 'let me look', calls: [{ id: '7:0', name: 'look', args: { a: 1 } }] },
      { role: 'tool', callId: '7:0', name: 'look', text: 'seen', isError: false },
    ])
    const sent = server.asks.at(-1)
    expect(sent).toMatchObject({ model: 'm1', tools: ['look'], authorization: 'Bearer k3y', results: ['seen'] })
    expect(sent?.messages.map(message => message.role)).toEqual(['system', 'user', 'assistant', 'tool'])
    expect(sent?.messages[2]?.tool_calls?.[0]).toMatchObject({
      id: 'call_7_0',
      function: { name: 'look', arguments: '{"a":1}' },
    })
  })
})

describe('what comes in', () => {
  test('text in deltas, then the whole with its usage', async () => {
    server.answer(() => ({ text: 'hello there', chunks: 3 }))
    const events = await ask(go)
    const deltas = events.flatMap(event => (event.type === 'delta' ? [event.text] : []))
    expect(deltas.length).toBeGreaterThan(1)
    expect(deltas.join('')).toBe('hello there')
    expect(events.at(-1)).toEqual({
      type: 'done',
      text: 'hello there',
      calls: [],
      usage: { inputTokens: 7, outputTokens: 3 },
    })
  })

  test('calls with their arguments; what is no JSON stays text for the tool to refuse', async () => {
    server.answer(() => ({
      calls: [
        { name: 'look', args: { a: 1 } },
        { name: 'look', args: '{oops' },
      ],
    }))
    const [done] = (await ask(go)).slice(-1)
    expect(done).toMatchObject({ type: 'done', calls: [{ name: 'look', args: { a: 1 } }, { name: 'look' }] })
  })

  test('an abort in the middle of the stream ends as aborted', async () => {
    const stop = new AbortController()
    const hold = new Promise<void>(() => undefined)
    server.answer(() => ({ text: 'never ending', chunks: 4, hold }))
    const asking = ask(go, { signal: stop.signal })
    await settled()
    stop.abort()
    expect((await asking).at(-1)).toMatchObject({ type: 'failed', kind: 'aborted' })
  })
})

describe('each failure is one sentence with the fix, and no secret', () => {
  test.each([
    [401, 'auth', /refused the key \(401\)\. Set models\.providers\.fake\.apiKey/],
    [404, 'not-found', /does not exist there \(404\)/],
    [429, 'rate-limited', /rate limited \(429\)/],
    [500, 'unavailable', /is failing \(500\)/],
    [400, 'refused', /refused the request \(400\)/],
  ])('%i', async (status, kind, message) => {
    server.answer(() => ({ status, headers: status === 429 ? { 'retry-after': '3' } : {} }))
    const [event] = await ask(go)
    expect(event).toMatchObject({ type: 'failed', kind, message: expect.stringMatching(message) })
    expect(JSON.stringify(event)).not.toContain('k3y')
    if (status === 429) expect(event).toMatchObject({ retryAfterMs: 3_000 })
  })

  test.each([
    ['garbage', { garbage: 'data: {nope\n\ndata: [DONE]\n\n' }],
    ['an empty stream', { garbage: '' }],
    ['an empty answer', { text: '' }],
  ])('%s', async (_, reply) => {
    server.answer(() => reply)
    expect((await ask(go)).at(-1)).toMatchObject({ type: 'failed', kind: expect.stringMatching(/garbled|cut-off/) })
  })

  test('a stream that stops in the middle', async () => {
    server.answer(() => ({ cutAfter: 'half a sen' }))
    expect((await ask(go)).at(-1)).toMatchObject({ type: 'failed', kind: 'cut-off' })
  })

  test('nobody there', async () => {
    const [event] = await ask(go, { from: model('http://127.0.0.1:9/v1') })
    expect(event).toMatchObject({
      type: 'failed',
      kind: 'unavailable',
      message: expect.stringContaining('cannot be reached'),
    })
  })
})

describe('retries', () => {
  test('before the first token a failure that may pass is asked again, after it never', async () => {
    const clock = new FakeClock()
    let asked = 0
    server.answer(() => {
      asked += 1
      return asked < 3 ? { status: 500 } : { text: 'at last' }
    })
    const from = withRetries(model(), clock)
    const asking = ask(go, { from })
    for (let round = 0; round < 400 && asked < 3; round += 1) await clock.advance(500)
    expect((await asking).at(-1)).toMatchObject({ type: 'done', text: 'at last' })
    asked = 10
    server.answer(() => {
      asked += 1
      return { cutAfter: 'half' }
    })
    expect((await ask(go, { from })).at(-1)).toMatchObject({ type: 'failed' })
    expect(asked).toBe(11)
  })

  test('a refused key is not asked again', async () => {
    let asked = 0
    server.answer(() => {
      asked += 1
      return { status: 401 }
    })
    await ask(go, { from: withRetries(model(), new FakeClock()) })
    expect(asked).toBe(1)
  })
})

test('a model that the config does not name is refused with what it names', () => {
  const config: ModelsConfig = {
    ...{ primary: undefined, fallbacks: [], keyNames: { openai: 'OPENAI_API_KEY' }, zone: 'UTC' },
    providers: { fake: { baseUrl: 'http://x', api: 'openai-completions', silenceMsMax: 1 } },
  }
  expect(chooseModel(config)).toMatchObject({ kind: 'offline', ref: 'sluice/offline' })
  expect(() => chooseModel(config, 'other/m')).toThrow('unknown model: other/m (configured providers: fake')
  expect(() => chooseModel(config, 'toString/m')).toThrow('unknown model')
  expect(() => chooseModel(config, 'openai/gpt-5')).toThrow('set OPENAI_API_KEY in the environment')
  expect(() => chooseModel({ ...config, providers: {} }, 'a/b')).toThrow('no provider is configured')
})
