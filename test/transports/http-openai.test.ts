// The endpoints of other APIs, with the official client as the peer: whole and streamed, one turn each, errors in their
// shape, and what becomes of a turn whose client is gone.
import OpenAI from 'openai'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { within } from '../e2e/bound.ts'
import { settled } from '../fakes/clock.ts'
import { type Play, text } from '../fakes/house.ts'
import { HOOK_TOKEN, type HttpHouse, openHttpHouse, TOKEN } from './http-house.ts'

let house: HttpHouse
let client: OpenAI
beforeEach(async () => {
  house = await openHttpHouse(() => text('said'))
  client = new OpenAI({ baseURL: `${house.url}/v1`, apiKey: TOKEN, maxRetries: 0 })
})
afterEach(() => house.close())

const user = (content: string) => ({ role: 'user', content }) as const
const sessions = () => house.store.read.sessions({ limit: 100 }).map(({ key }) => key)

describe('chat completions', () => {
  test('a request is a turn of a session of its own, and answers as that API does', async () => {
    const made = await client.chat.completions.create({ model: 'gpt-x', messages: [user('hello')] })
    expect(made).toMatchObject({
      id: expect.stringMatching(/^chatcmpl_/),
      object: 'chat.completion',
      model: 'gpt-x',
      created: Math.floor(house.clock.now() / 1_000),
      choices: [{ index: 0, message: { role: 'assistant', content: 'said' }, finish_reason: 'stop' }],
      usage: { total_tokens: 0 },
    })
    await client.chat.completions.create({ model: 'gpt-x', messages: [user('hello')] })
    expect(sessions()).toHaveLength(2)
    for (const key of sessions()) expect(key).toMatch(/^agent:main:openai:/)
  })

  test('streamed, all messages of the turn come in order and make up the whole reply', async () => {
    let asked = 0
    house.play(() => {
      asked += 1
      const look = { id: 'c', name: 'session_status', args: {} }
      return asked === 1 ? { type: 'done', text: 'I look.', calls: [look] } : text('It is well.')
    })
    const stream = await client.chat.completions.create({
      model: 'sluice:work',
      messages: [user('look')],
      stream: true,
      stream_options: { include_usage: true },
    })
    const chunks = []
    for await (const chunk of stream) chunks.push(chunk)
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' })
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe('I look.\n\nIt is well.')
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason).filter(Boolean)).toEqual(['stop'])
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 0 } })
    expect(sessions()[0]).toMatch(/^agent:work:openai:/)
  })

  test('usage is what the whole turn took, its steps together; whole, streamed and as a response', async () => {
    const usage = { inputTokens: 30, outputTokens: 2, cacheReadTokens: 10, cacheWriteTokens: 5 }
    const look = { id: 'c', name: 'session_status', args: {} }
    house.play(({ messages }) =>
      JSON.stringify(messages.at(-1)).includes('"look"')
        ? { type: 'done', text: '', calls: [look], usage }
        : { ...text('well'), usage },
    )
    const ask = { model: 'x', messages: [user('look')] }
    const took = {
      prompt_tokens: 60,
      completion_tokens: 4,
      total_tokens: 64,
      prompt_tokens_details: { cached_tokens: 20 },
    }
    expect((await client.chat.completions.create(ask)).usage).toEqual(took)
    const told = []
    const asked = { ...ask, stream: true, stream_options: { include_usage: true } } as const
    for await (const chunk of await client.chat.completions.create(asked)) told.push(chunk.usage)
    expect(told.filter(Boolean)).toEqual([took])
    expect((await client.responses.create({ model: 'x', input: 'look' })).usage).toMatchObject({
      ...{ input_tokens: 60, input_tokens_details: { cached_tokens: 20 }, output_tokens: 4, total_tokens: 64 },
    })
  })

  test('what the system says and what was said before reach the model; a user has one session', async () => {
    let heard: Parameters<Play>[0] | undefined
    house.play(ask => {
      heard = ask
      return text('Anna')
    })
    const messages = [
      { role: 'system', content: 'Be brief.' } as const,
      user('I am Anna.'),
      { role: 'assistant', content: 'Hello.' } as const,
      {
        role: 'user',
        content: [{ type: 'text' as const, text: 'Who am I?' }],
      } satisfies OpenAI.ChatCompletionMessageParam,
    ]
    await client.chat.completions.create({ model: 'x', messages, user: 'Anna' })
    await client.chat.completions.create({ model: 'x', messages: [user('again')], user: 'Anna' })
    expect(sessions()).toEqual(['agent:main:openai-user:anna'])
    expect(JSON.stringify(heard?.messages)).toContain('User: I am Anna.\\nAssistant: Hello.\\n\\n[Now]\\nWho am I?')
    await client.chat.completions.create({ model: 'x', messages }, { headers: { 'x-clawdbot-session-key': 'main' } })
    expect(heard?.system).toContain('Be brief.')
    expect(sessions()).toContain('agent:main:main')
  })

  test.each([
    {
      what: 'no user message',
      body: { messages: [{ role: 'system', content: 'x' }] },
      says: 'Missing user message in `messages`.',
    },
    { what: 'no messages', body: {}, says: /^messages: / },
    {
      what: 'tools of the client',
      body: { messages: [user('x')], tools: [{ type: 'function' }] },
      says: /agent uses its own/,
    },
    {
      what: 'an image',
      body: { messages: [{ role: 'user', content: [{ type: 'image_url' }] }] },
      says: /image_url is not supported/,
    },
  ])('$what is refused in the shape of that API, and no turn runs', async ({ body, says }) => {
    const { status, json } = await house.ask('/v1/chat/completions', { body })
    expect(status).toBe(400)
    expect(json.error).toMatchObject({ type: 'invalid_request_error', message: expect.stringMatching(says) })
    expect(sessions()).toEqual([])
  })

  test('what a client writes as null it leaves out', async () => {
    const body = {
      model: null,
      user: null,
      stream: null,
      stream_options: { include_usage: null },
      messages: [user('x')],
    }
    expect((await house.ask('/v1/chat/completions', { body })).status).toBe(200)
    expect((await house.ask('/v1/responses', { body: { model: 'x', input: 'x', user: null } })).status).toBe(200)
    expect(sessions().filter(key => /^agent:main:open(ai|responses):/.test(key))).toHaveLength(2)
  })

  test('an agent that is none is a 404 that names those there are', async () => {
    const asking = client.chat.completions.create({ model: 'sluice:nobody', messages: [user('x')] })
    await expect(asking).rejects.toMatchObject({ status: 404, message: expect.stringContaining('sluice:work') })
    const models = await client.models.list()
    expect(models.data.map(({ id }) => id)).toEqual(['sluice:main', 'sluice:work'])
  })

  test('a turn that fails is an error, and the client is told not to make another of it', async () => {
    house.play(() => ({ type: 'failed', kind: 'refused', message: 'the model is gone' }))
    const retrying = new OpenAI({ baseURL: `${house.url}/v1`, apiKey: TOKEN, maxRetries: 3 })
    const messages = [user('x')]
    await expect(retrying.chat.completions.create({ model: 'x', messages })).rejects.toMatchObject({ status: 502 })
    expect(sessions()).toHaveLength(1)
    const stream = await retrying.chat.completions.create({ model: 'x', messages, stream: true })
    const reading = (async () => {
      for await (const _ of stream);
    })()
    await expect(reading).rejects.toThrow(/the model is gone/)
  })

  test('T1: a repeat with its key is the same turn, whole or streamed', async () => {
    const headers = { 'idempotency-key': 'k1' }
    const ask = { model: 'x', messages: [user('hello')] }
    await client.chat.completions.create(ask, { headers })
    house.play(() => text('something else'))
    const again = await client.chat.completions.create(ask, { headers })
    expect(again.choices[0]?.message.content).toBe('said')
    const stream = await client.chat.completions.create({ ...ask, stream: true }, { headers })
    let streamed = ''
    for await (const { choices } of stream) streamed += choices[0]?.delta.content ?? ''
    expect(streamed).toBe('said')
    const other = client.chat.completions.create({ ...ask, messages: [user('other')] }, { headers })
    await expect(other).rejects.toMatchObject({ status: 409 })
    expect(sessions()).toHaveLength(1)
  })
})

describe('W6: a client that is gone', () => {
  async function leave(key?: string): Promise<{ runId: string; aborted: boolean }> {
    const asked = Promise.withResolvers<void>()
    const speak = Promise.withResolvers<void>()
    let aborted = false
    house.play(async ({ signal }) => {
      signal.addEventListener('abort', () => {
        aborted = true
        speak.reject(signal.reason)
      })
      asked.resolve()
      await speak.promise
      return text('late')
    })
    const gone = new AbortController()
    const headers = key === undefined ? {} : { 'idempotency-key': key }
    const answered = await client.chat.completions.create(
      { model: 'x', messages: [user('x')], stream: true },
      { signal: gone.signal, headers },
    )
    await within(asked.promise, 'the model')
    const started = house.events.find(({ event }) => event === 'agent')?.payload as { runId: string }
    const calls: string[] = []
    const call = house.dispatcher.call.bind(house.dispatcher)
    house.dispatcher.call = (name, params, options) => {
      calls.push(name)
      return call(name, params, options)
    }
    gone.abort()
    expect(answered.controller.signal.aborted).toBe(true)
    await within(
      until(() => house.hub.listenerCount === 1),
      'the end of the request',
    )
    if (key !== undefined) expect(calls).toEqual([])
    const stopped = aborted
    speak.resolve()
    await settled()
    return { runId: started.runId, aborted: stopped }
  }

  test('without a key has its turn stopped: nobody can ask for its end', async () => {
    const { runId, aborted } = await leave()
    expect(aborted).toBe(true)
    expect(await house.call('agent.wait', { runId })).toMatchObject({ status: 'error' })
  })

  test('with a key does not: the same key tells how the turn ended', async () => {
    const { runId, aborted } = await leave('k1')
    expect([runId, aborted]).toEqual(['k1', false])
    expect(await house.call('agent.wait', { runId })).toMatchObject({ status: 'ok' })
  })

  async function until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise(resolve => setImmediate(resolve))
  }
})

describe('responses', () => {
  test('a request is a turn, and answers as that API does', async () => {
    const made = await client.responses.create({ model: 'sluice', input: 'hello', instructions: 'Be brief.' })
    expect(made).toMatchObject({ id: expect.stringMatching(/^resp_/), status: 'completed', output_text: 'said' })
    expect(made.output).toMatchObject([{ type: 'message', role: 'assistant', status: 'completed' }])
    expect(sessions()[0]).toMatch(/^agent:main:openresponses:/)
  })

  test('streamed, its events come in the order of that API', async () => {
    const types: string[] = []
    const stream = client.responses.stream({ model: 'sluice', input: [{ role: 'user', content: 'hello' }] })
    for await (const { type, sequence_number } of stream) {
      expect(sequence_number).toBe(types.length)
      types.push(type)
    }
    expect(types.filter((type, at) => type !== types[at - 1])).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
    expect((await stream.finalResponse()).output_text).toBe('said')
  })

  test('a turn that fails ends the stream as failed', async () => {
    house.play(() => ({ type: 'failed', kind: 'refused', message: 'the model is gone' }))
    const stream = await client.responses.create({ model: 'sluice', input: 'x', stream: true })
    let last: { type: string } | undefined
    for await (const event of stream) last = event
    expect(last).toMatchObject({
      type: 'response.failed',
      response: { error: { message: expect.stringContaining('gone') } },
    })
  })

  test.each([
    { body: { input: 'x' }, says: /^model: / },
    { body: { model: 'x', input: 3 }, says: /^input: give a text/ },
    { body: { model: 'x', input: [{ type: 'item_reference' }] }, says: /item_reference is not supported/ },
    { body: { model: 'x', input: 'x', previous_response_id: 'r' }, says: /previous_response_id is not supported/ },
  ])('$says', async ({ body, says }) => {
    const { status, json } = await house.ask('/v1/responses', { body })
    expect([status, json.error.message]).toEqual([400, expect.stringMatching(says)])
  })
})

test('none of these endpoints is there unless the config switches it on', async () => {
  const off = await openHttpHouse(() => text('said'), { config: {} })
  try {
    for (const [path, key] of [
      ['/v1/chat/completions', 'gateway.http.endpoints.chatCompletions.enabled'],
      ['/v1/models', 'gateway.http.endpoints.chatCompletions.enabled'],
      ['/v1/responses', 'gateway.http.endpoints.responses.enabled'],
      ['/hooks/wake', 'hooks.enabled'],
      ['/hooks/agent', 'hooks.enabled'],
    ]) {
      const { status, json } = await off.ask(path as string, { body: {} })
      expect([status, json.error.message], path).toEqual([404, expect.stringContaining(`Set ${key} to true`)])
    }
  } finally {
    await off.close()
  }
})

test('what is switched on and stands elsewhere is not said to be off', async () => {
  const moved = await openHttpHouse(() => text('said'), {
    config: { hooks: { enabled: true, token: HOOK_TOKEN, path: '/inward' } },
  })
  try {
    const { status, json } = await moved.ask('/hooks/wake', { body: {} })
    expect([status, json.error.message]).toEqual([404, expect.not.stringContaining('hooks.enabled')])
  } finally {
    await moved.close()
  }
})
