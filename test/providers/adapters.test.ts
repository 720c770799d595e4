// The four adapters against a server that speaks their wires, through one suite: what goes out, what comes in, and how
// each way to fail is told. Where that server cannot send what is to be tested, a plain one sends it byte by byte.
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { LanguageModelV4 } from '@ai-sdk/provider'
import { LLMock } from '@copilotkit/aimock'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { nodeClock } from '../../src/base/node/world.ts'
import type { World } from '../../src/base/world.ts'
import { anthropicModel } from '../../src/providers/ai-sdk/anthropic.ts'
import { chatModel } from '../../src/providers/ai-sdk/chat-model.ts'
import { googleModel } from '../../src/providers/ai-sdk/google.ts'
import { openAiModel } from '../../src/providers/ai-sdk/openai.ts'
import { openAiCompatibleModel } from '../../src/providers/ai-sdk/openai-compatible.ts'
import type { ServedChoice } from '../../src/providers/choice.ts'
import type { Model, ModelEvent, ModelMessage } from '../../src/providers/model.ts'
import { FakeClock, settled } from '../fakes/clock.ts'

type Adapter = (choice: ServedChoice, world: Pick<World, 'fetch' | 'clock'>) => Model

const ADAPTERS: readonly (readonly [ServedChoice['kind'], Adapter, string])[] = [
  ['openai-completions', openAiCompatibleModel, '/v1'],
  ['openai-responses', openAiModel, '/v1'],
  ['anthropic-messages', anthropicModel, '/v1'],
  ['google-generative-ai', googleModel, '/v1beta'],
]
const KEY = 'k3y-of-mine'
const PNG = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0xd, 0xa, 0x1a, 0xa, 7])

let mock: LLMock
beforeAll(async () => {
  mock = new LLMock({ host: '127.0.0.1', port: 0, chunkSize: 4 })
  await mock.start()
})
afterEach(() => mock.reset())
afterAll(() => mock.stop())

function choiceOf(kind: ServedChoice['kind'], baseUrl: string): ServedChoice {
  return { kind, ref: 'mine/m1', provider: 'mine', modelId: 'm1', baseUrl, apiKey: KEY, silenceMsMax: 60_000 }
}

const go: ModelMessage[] = [{ role: 'user', text: 'go' }]
const looked: ModelMessage[] = [
  ...go,
  { role: 'assistant', text: 'let me look', calls: [{ id: '7:0', name: 'look', args: { a: 1 } }] },
  { role: 'tool', callId: '7:0', name: 'look', text: 'seen it', isError: false },
]

interface Ask {
  readonly messages?: readonly ModelMessage[]
  readonly signal?: AbortSignal
  /** Called with each event as it comes. */
  readonly on?: (event: ModelEvent) => void
}

async function ask(model: Model, { messages = go, signal, on }: Ask = {}): Promise<ModelEvent[]> {
  const events: ModelEvent[] = []
  const request = {
    system: 'be brief',
    zone: 'UTC',
    messages,
    tools: [
      { name: 'look', description: 'looks', parameters: { type: 'object', properties: { a: { type: 'number' } } } },
    ],
    signal: signal ?? new AbortController().signal,
  }
  for await (const event of model.stream(request)) {
    events.push(event)
    on?.(event)
  }
  return events
}

const deltas = (events: readonly ModelEvent[]) => events.flatMap(event => (event.type === 'delta' ? [event.text] : []))

describe.each(ADAPTERS)('%s', (kind, adapter, path) => {
  const sent: string[] = []
  const watched: typeof fetch = (input, init) => {
    sent.push(String(init?.body))
    return fetch(input, init)
  }
  const model = () => adapter(choiceOf(kind, `${mock.url}${path}`), { fetch: watched, clock: nodeClock })

  test('text comes in deltas, then whole, with its usage', async () => {
    mock.onMessage('go', { content: 'hello there, you' })
    const events = await ask(model())
    expect(deltas(events).length).toBeGreaterThan(1)
    expect(deltas(events).join('')).toBe('hello there, you')
    expect(events.at(-1)).toMatchObject({ type: 'done', text: 'hello there, you', calls: [] })
    const { usage } = events.at(-1) as Extract<ModelEvent, { type: 'done' }>
    expect(usage?.inputTokens).toEqual(expect.any(Number))
    expect(usage?.outputTokens).toEqual(expect.any(Number))
    expect(mock.getLastRequest()?.path).toContain(path)
  })

  test('a tool call is handed back and never run; its result goes out under an id that every provider takes', async () => {
    mock.on({ userMessage: 'go', hasToolResult: false }, { toolCalls: [{ name: 'look', arguments: '{"a":1}' }] })
    mock.on({ hasToolResult: true, toolResultContains: 'seen it' }, { content: 'I have seen it' })
    const [called] = (await ask(model())).slice(-1)
    expect(called).toMatchObject({ type: 'done', calls: [{ name: 'look', args: { a: 1 } }] })
    const [told] = (await ask(model(), { messages: looked })).slice(-1)
    expect(told).toMatchObject({ type: 'done', text: 'I have seen it' })
    expect(JSON.stringify(mock.getLastRequest()?.body)).not.toContain('7:0')
  })

  test('an image goes as its bytes, and a file of text as text', async () => {
    mock.on({ predicate: () => true }, { content: 'a cat' })
    const cat = { name: 'cat.png', mime: 'image/png', bytes: 9, content: PNG }
    const notes = { name: 'notes.md', mime: 'text/markdown', bytes: 5, content: new TextEncoder().encode('# Tea') }
    const asked = [{ role: 'user', text: 'go', attachments: [cat, notes] }] as const
    expect((await ask(model(), { messages: asked })).at(-1)).toMatchObject({ type: 'done', text: 'a cat' })
    expect(sent.at(-1)).toContain(`${Buffer.from(PNG).toString('base64')}"`)
    expect(sent.at(-1)).toContain('image/png')
    expect(sent.at(-1)).toContain('# Tea')
  })

  test('what providers refuse to be shown again is shown in another form', async () => {
    mock.on({ predicate: () => true }, { content: 'fine' })
    const result = (callId: string) =>
      ({ role: 'tool', callId, name: 'look', text: `of ${callId}`, isError: false }) as const
    const messages: ModelMessage[] = [
      ...go,
      { role: 'assistant', text: 'Reminder: tea', calls: [] },
      { role: 'assistant', text: 'Rain at 9', calls: [] },
      {
        ...{ role: 'assistant', text: '\n\n' },
        calls: [
          { id: '7:0', name: 'look', args: 'no { json' },
          { id: '7:1', name: 'look', args: { a: 1 } },
        ],
      },
      ...[result('7:0'), result('7:1')],
      { role: 'assistant', text: '', calls: [] },
      { role: 'user', text: ' ', attachments: [{ name: 'cat.png', mime: 'image/png', bytes: 9, content: PNG }] },
    ]
    expect((await ask(model(), { messages })).at(-1)).toMatchObject({ type: 'done', text: 'fine' })
    const body = sent.at(-1) as string
    expect(body).not.toMatch(/"(text|content)":"(\\n|\s)*"/)
    expect(body.replaceAll('\\', '')).toContain('{"arguments":"no { json"}')
    // Words that stand side by side never run into each other.
    expect(body).not.toContain('teaRain')
    if (kind !== 'google-generative-ai') return
    // Gemini: all results of an answer's calls together, and its calls with the words before them.
    const { contents } = JSON.parse(body) as { contents: { role: string; parts: object[] }[] }
    expect(contents.map(({ role, parts }) => [role, ...parts.map(part => Object.keys(part)[0])])).toEqual([
      ['user', 'text'],
      ['model', 'text', 'text', 'functionCall', 'functionCall'],
      ['user', 'functionResponse', 'functionResponse'],
      ['user', 'inlineData'],
    ])
  })

  test('after results an answer may be empty; else it is not understood', async () => {
    mock.on({ predicate: () => true }, { content: '' })
    expect((await ask(model(), { messages: looked })).at(-1)).toMatchObject({ type: 'done', text: '', calls: [] })
    expect((await ask(model())).at(-1)).toMatchObject({ type: 'failed', kind: 'garbled' })
  })

  test('a notice first and last: the provider is shown a conversation that it takes', async () => {
    mock.on({ predicate: () => true }, { content: 'fine' })
    const notice: ModelMessage = { role: 'assistant', text: 'Reminder: tea', calls: [] }
    expect((await ask(model(), { messages: [notice, ...go, notice] })).at(-1)).toMatchObject({
      type: 'done',
      text: 'fine',
    })
    const roles = JSON.stringify(mock.getLastRequest()?.body)
    expect(roles).toContain('Reminder: tea')
  })

  test('an abort in the middle ends as aborted', async () => {
    mock.on(
      { userMessage: 'go' },
      { content: 'never ending '.repeat(50) },
      { chunkSize: 5, streamingProfile: { tps: 20 } },
    )
    const stop = new AbortController()
    const events = await ask(model(), { signal: stop.signal, on: event => event.type === 'delta' && stop.abort() })
    expect(events.at(-1)).toMatchObject({ type: 'failed', kind: 'aborted' })
  })

  test.each(['breaks off', 'just ends'] as const)('a stream that %s in the middle keeps what was said', async how => {
    mock.on({ userMessage: 'go' }, { content: 'half a sentence and then no more of it' }, { chunkSize: 5 })
    const cut = adapter(choiceOf(kind, `${mock.url}${path}`), { fetch: cutShort(how), clock: nodeClock })
    const events = await ask(cut)
    const said = deltas(events).join('')
    expect(said.length).toBeGreaterThan(0)
    const message = expect.stringContaining('stopped in the middle')
    expect(events.at(-1)).toEqual({ type: 'failed', kind: 'cut-off', said, message })
  })

  test.each([
    [402, 'auth', /mine\/m1 has no credit left\. Add credit/],
    [401, 'auth', /mine\/m1 refused the key \(401\)\. Set models\.providers\.mine\.apiKey/],
    [404, 'not-found', /does not exist there \(404\)\. Check the model's name/],
    [429, 'rate-limited', /is rate limited \(429\)/],
    [500, 'unavailable', /is failing \(500\)/],
    [503, 'unavailable', /is failing \(503\)/],
    [504, 'timed-out', /took too long/],
    [400, 'refused', /refused the request \(400\)/],
  ])('%i is one sentence with the fix, and no secret', async (status, failed, message) => {
    mock.on({ userMessage: 'go' }, { error: { message: `no, with ${KEY}`, type: 'scripted' }, status, retryAfter: 3 })
    const [event, ...more] = await ask(model())
    expect(more).toEqual([])
    expect(event).toMatchObject({ type: 'failed', kind: failed, message: expect.stringMatching(message) })
    expect(JSON.stringify(event)).not.toContain(KEY)
    if (status === 429) expect(event).toMatchObject({ retryAfterMs: 3_000 })
  })

  test.each([
    [429, { message: 'You exceeded your current quota', code: 'insufficient_quota', type: 'insufficient_quota' }],
    [400, { message: 'Your credit balance is too low to access the API.', type: 'invalid_request_error' }],
  ])('no credit left, told as %i, is told as what it is', async (status, error) => {
    mock.on({ userMessage: 'go' }, { error, status })
    const message = expect.stringContaining('no credit left')
    expect(await ask(model())).toMatchObject([{ type: 'failed', kind: 'auth', message }])
  })

  test('one that says nothing is given up, told as a time-out', async () => {
    const asked = Promise.withResolvers<void>()
    await serving(
      () => asked.resolve(),
      async url => {
        const clock = new FakeClock()
        const silent = adapter({ ...choiceOf(kind, `${url}${path}`), silenceMsMax: 90_000 }, { fetch, clock })
        const asking = ask(silent)
        await asked.promise
        await clock.advance(90_000)
        const [event] = await asking
        expect(event).toMatchObject({
          ...{ type: 'failed', kind: 'timed-out' },
          message: expect.stringContaining('said nothing for 1m 30s'),
        })
      },
    )
  })

  test('garbage and nobody there', async () => {
    await serving(
      (_, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).end('data: {nope\n\n'),
      async url => {
        const [event] = (await ask(adapter(choiceOf(kind, `${url}${path}`), { fetch, clock: nodeClock }))).slice(-1)
        expect(event).toMatchObject({ type: 'failed', kind: expect.stringMatching(/garbled|cut-off/) })
      },
    )
    const nobody = adapter(choiceOf(kind, `http://127.0.0.1:9${path}`), { fetch, clock: nodeClock })
    expect(await ask(nobody)).toMatchObject([
      { type: 'failed', kind: 'unavailable', message: expect.stringContaining('cannot be reached') },
    ])
  })
})

test.each([
  ['length', 'mine/m1 reached the limit of one answer. Ask it to go on, ask for less, or lower its thinking level.'],
  ['content-filter', 'mine/m1 was stopped by its content filter. Ask in other words, or choose another model.'],
] as const)('an answer that ends by %s says so after its words; one without words failed', async (unified, words) => {
  const finish = {
    type: 'finish',
    finishReason: { unified, raw: undefined },
    usage: { inputTokens: {}, outputTokens: {} },
  }
  const ended = (...parts: object[]) => {
    const language = { doStream: async () => ({ stream: ReadableStream.from([...parts, finish]) }) }
    const choice = choiceOf('openai-responses', '')
    return ask(chatModel({ choice, language: language as unknown as LanguageModelV4, clock: new FakeClock() }))
  }
  const events = await ended({ type: 'text-delta', id: '0', delta: 'and so' })
  const text = `and so\n\n(${words})`
  expect(deltas(events).join('')).toBe(text)
  expect(events.at(-1)).toMatchObject({ type: 'done', text })
  expect(await ended()).toEqual([{ type: 'failed', kind: 'refused', message: words }])
})

describe('anthropic', () => {
  const usage = { input_tokens: 5, output_tokens: 1, cache_read_input_tokens: 70, cache_creation_input_tokens: 25 }
  const SAID = [
    { type: 'message_start', message: { id: 'm', model: 'm1', role: 'assistant', content: [], usage } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'hi' } },
  ]
  const ENDED = [
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 9 } },
    { type: 'message_stop' },
  ]

  /** Asks a server that sends just these events; answers with what it was sent. */
  async function exchange(events: readonly { type: string }[], messages: readonly ModelMessage[] = go) {
    let sent = ''
    let told: ModelEvent[] = []
    await serving(
      (request, response) => {
        request.on('data', chunk => {
          sent += String(chunk)
        })
        request.on('end', () => {
          response.writeHead(200, { 'content-type': 'text/event-stream' })
          response.end(events.map(event => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''))
        })
      },
      async url => {
        const choice = choiceOf('anthropic-messages', `${url}/v1`)
        told = await ask(anthropicModel(choice, { fetch, clock: nodeClock }), { messages })
      },
    )
    return { told, body: JSON.parse(sent) }
  }

  test('the prompt is cached after the tools, the system prompt and the newest message, and nowhere else', async () => {
    const { told, body } = await exchange([...SAID, ...ENDED], looked)
    const mark = { cache_control: { type: 'ephemeral' } }
    expect(body.tools.at(-1)).toMatchObject(mark)
    expect(body.system.at(-1)).toMatchObject(mark)
    expect(body.messages.at(-1).content.at(-1)).toMatchObject({ type: 'tool_result', ...mark })
    expect(JSON.stringify(body).split('cache_control')).toHaveLength(4)
    expect(told.at(-1)).toMatchObject({
      usage: { inputTokens: 100, outputTokens: 9, cacheReadTokens: 70, cacheWriteTokens: 25 },
    })
  })

  test('an error inside the stream is told as the same error outside it would be', async () => {
    const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }
    expect((await exchange([overloaded])).told).toMatchObject([{ type: 'failed', kind: 'unavailable' }])
    const { told } = await exchange([...SAID, overloaded])
    expect(told.at(-1)).toMatchObject({ type: 'failed', kind: 'unavailable', said: 'hi' })
  })
})

async function serving(listener: RequestListener, run: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
}

/** A fetch whose answers stop in the middle, as those of a server that goes away. */
function cutShort(how: 'breaks off' | 'just ends'): World['fetch'] {
  return async (input, init) => {
    const response = await fetch(input, init)
    const text = await response.text()
    const half = new TextEncoder().encode(text.slice(0, text.indexOf('tence')))
    const body = new ReadableStream({
      start: controller => controller.enqueue(half),
      pull: async controller => {
        // What came before is read first.
        await settled()
        if (how === 'just ends') controller.close()
        else controller.error(new TypeError('terminated'))
      },
    })
    return new Response(body, { status: response.status, headers: response.headers })
  }
}
