// The providers' own lists: which model is taken when a key is there and none is named, and what a list that cannot be
// asked does.
import { describe, expect, test } from 'vitest'
import type { ModelsConfig } from '../../src/providers/choice.ts'
import { ModelLists, preferred } from '../../src/providers/lists.ts'
import { FakeClock, settled } from '../fakes/clock.ts'

const listed = (...ids: readonly (string | readonly [id: string, createdMs: number])[]) =>
  ids.map(one => {
    const [id, createdMs] = typeof one === 'string' ? [one, 0] : one
    return { id, name: id, createdMs }
  })

describe('the rule', () => {
  test.each([
    [
      'anthropic-messages',
      listed(['claude-opus-9', 9], ['claude-sonnet-1', 1], ['claude-sonnet-2', 2]),
      'claude-sonnet-2',
    ],
    ['anthropic-messages', listed(['claude-haiku-9', 9], ['claude-opus-1', 1]), 'claude-opus-1'],
    ['openai-responses', listed(['gpt-7-audio', 9], ['gpt-5', 1], ['gpt-5.1', 2], ['gpt-6-nano', 9]), 'gpt-5.1'],
    ['openai-responses', listed(['gpt-6-mini', 1], ['text-embedding-3', 2]), 'gpt-6-mini'],
    ['google-generative-ai', listed('gemini-2.5-pro', 'gemini-2.0-flash', 'gemini-2.5-flash'), 'gemini-2.5-flash'],
    ['google-generative-ai', listed('gemini-2.5-pro', 'gemini-2.5-flash-image'), 'gemini-2.5-pro'],
    ['openai-completions', listed(['nomic-embed-text', 9], ['llama3.3', 2], ['qwen3', 1]), 'llama3.3'],
    ['openai-completions', listed('whisper-1'), undefined],
  ] as const)('%s: %#', (api, models, id) => {
    expect(preferred(api, models)).toBe(id)
  })
})

type Asked = { readonly url: string; readonly headers: Record<string, string> }

function room(answers: Readonly<Record<string, () => Response | Promise<Response>>>) {
  const clock = new FakeClock()
  const asked: Asked[] = []
  const lists = new ModelLists({
    clock,
    fetch: (input, init) => {
      asked.push({ url: String(input), headers: init?.headers as Record<string, string> })
      const answer = answers[new URL(String(input)).host]
      const aborted = Promise.withResolvers<Response>()
      if (!answer) return Promise.reject(new Error('refused'))
      init?.signal?.addEventListener('abort', () => aborted.reject(new Error('aborted')))
      return Promise.race([answer(), aborted.promise])
    },
  })
  return { clock, asked, lists }
}

const provider = (api: 'anthropic-messages' | 'openai-responses' | 'google-generative-ai', host: string) => ({
  ...{ api, baseUrl: `http://${host}/v1`, apiKey: 'k3y', silenceMsMax: 1 },
})
const config = (providers: ModelsConfig['providers'], primary?: string): ModelsConfig => ({
  ...{ providers, primary, fallbacks: [], keyNames: {}, zone: 'UTC' },
})
const A = { anthropic: provider('anthropic-messages', 'a') }
const O = { openai: provider('openai-responses', 'o') }
const G = { google: provider('google-generative-ai', 'g') }

describe('what is found', () => {
  test('the first provider with a key whose list has a model; each is asked in its own way, once for a while', async () => {
    const { asked, clock, lists } = room({
      a: () =>
        Response.json({ data: [{ id: 'claude-sonnet-4', display_name: 'S', created_at: '2025-05-01T00:00:00Z' }] }),
      o: () => Response.json({ data: [{ id: 'gpt-5', created: 1 }] }),
      g: () =>
        Response.json({
          models: [
            { name: 'models/gemini-3-flash', supportedGenerationMethods: ['embedContent'] },
            { name: 'models/gemini-2.5-flash', displayName: 'Flash', supportedGenerationMethods: ['generateContent'] },
          ],
        }),
    })
    expect(await lists.find(config({ ...A, ...O, ...G }))).toEqual({ ref: 'anthropic/claude-sonnet-4' })
    expect(await lists.find(config({ ...O, ...A }))).toEqual({ ref: 'openai/gpt-5' })
    expect(await lists.find(config(G))).toEqual({ ref: 'google/gemini-2.5-flash' })
    expect(asked.map(({ headers }) => headers)).toEqual([
      { 'x-api-key': 'k3y', 'anthropic-version': '2023-06-01' },
      { authorization: 'Bearer k3y' },
      { 'x-goog-api-key': 'k3y' },
    ])
    await clock.advance(10 * 60_000)
    await lists.find(config(O))
    expect(asked).toHaveLength(4)
  })

  test('nothing is asked where a model is named or no provider has a key', async () => {
    const { asked, lists } = room({})
    expect(await lists.find(config(O, 'openai/gpt-5'))).toBeUndefined()
    expect(
      await lists.find(config({ local: { api: 'openai-completions', baseUrl: 'http://l', silenceMsMax: 1 } })),
    ).toBeUndefined()
    expect(asked).toEqual([])
  })

  test('a list that is refused, unreachable or silent is said in one sentence without the key, within 3 s', async () => {
    const { clock, lists } = room({
      a: () => new Response('no, k3y', { status: 401 }),
      g: () => new Promise<Response>(() => undefined),
    })
    const finding = lists.find(config({ ...A, ...O, ...G }))
    await settled()
    await clock.advance(3_000)
    expect(await finding).toEqual({
      problem:
        'anthropic did not tell its models (401). Check its key. openai did not tell its models (it cannot be reached). ' +
        'google did not tell its models (no answer within 3 s).',
    })
  })

  test('a provider that does not answer is passed over for one that does', async () => {
    const { lists } = room({ o: () => Response.json({ data: [{ id: 'gpt-5' }] }) })
    expect(await lists.find(config({ ...A, ...O }))).toEqual({ ref: 'openai/gpt-5' })
  })

  test('what is no list has no models', async () => {
    const { lists } = room({
      o: () => Response.json(['x']),
      a: () => Response.json({ data: [null, 1, { id: 5 }, {}] }),
    })
    expect(await lists.find(config({ ...A, ...O }))).toEqual({
      problem: 'anthropic lists no model for a conversation. openai lists no model for a conversation.',
    })
  })
})
