// The config's models: which providers there are by keys and addresses, what is refused, and the caps that hold.
import { describe, expect, test } from 'vitest'
import { CAPS_DEFAULT, modelsSchema, modelsSettings } from '../../src/config/models.ts'

type Models = NonNullable<Parameters<typeof modelsSettings>[0]['models']>
const load = (models: unknown, env: Record<string, string> = {}, model?: string) =>
  modelsSettings({ models: modelsSchema.parse(models) as Models, model, env, zone: 'UTC' })

describe('providers', () => {
  test('a key in the environment adds one; the config comes first in order and in what it says', () => {
    const env = {
      GOOGLE_GENERATIVE_AI_API_KEY: 'g2',
      GEMINI_API_KEY: ' g1 ',
      OPENAI_API_KEY: 'o',
      ANTHROPIC_API_KEY: '',
    }
    const { providers } = load({ providers: { local: { baseUrl: 'http://l/v1' } } }, env)
    expect(Object.keys(providers)).toEqual(['local', 'openai', 'google'])
    expect(providers.local).toMatchObject({ api: 'openai-completions', baseUrl: 'http://l/v1' })
    expect(providers.openai).toMatchObject({ api: 'openai-responses', apiKey: 'o', keyFrom: 'OPENAI_API_KEY' })
    expect(providers.google).toMatchObject({ api: 'google-generative-ai', apiKey: 'g1', keyFrom: 'GEMINI_API_KEY' })
    const own = load({ providers: { openai: { apiKey: 'mine' } } }, env).providers
    expect(own.openai).toMatchObject({ apiKey: 'mine', baseUrl: 'https://api.openai.com/v1' })
    expect(own.openai).not.toHaveProperty('keyFrom')
  })

  test('each of the well-known speaks its own wire; openai at another address speaks what most servers do', () => {
    const providers = { anthropic: {}, google: {}, openai: { baseUrl: 'http://o/v1' } }
    const apis = Object.values(load({ providers }).providers).map(({ api }) => api)
    expect(apis).toEqual(['anthropic-messages', 'google-generative-ai', 'openai-completions'])
    expect(
      load({ providers: { openai: { baseUrl: 'http://o/v1', api: 'openai-responses' } } }).providers.openai?.api,
    ).toBe('openai-responses')
  })

  test('one that is not known needs an address; a name of the language itself is none of ours', () => {
    const refused = modelsSchema.safeParse({ providers: { mine: { apiKey: 'k' }, toString: {} } })
    expect(refused.error?.issues.map(({ path }) => path.join('.'))).toEqual([
      'providers.mine.baseUrl',
      'providers.toString.baseUrl',
    ])
  })
})

describe('caps', () => {
  test('each holds by default; one value changes, false is none', () => {
    expect(load({}).caps).toEqual(CAPS_DEFAULT)
    expect(load({ caps: { day: { usd: 3 }, turn: { tokens: false } } }).caps).toEqual({
      ...CAPS_DEFAULT,
      day: { ...CAPS_DEFAULT.day, usd: 3 },
      turn: { ...CAPS_DEFAULT.turn, tokens: undefined },
    })
    expect(modelsSchema.safeParse({ caps: { day: { usd: 'much' } } }).error?.issues[0]?.message).toContain(
      'false for no cap',
    )
  })
})
