// The config's `models` and `agents.defaults.model`: what is allowed there, the providers that need only a key, and what
// each model costs and how much may be used. Keys and prices are the owner's; none is made up here.
import * as z from 'zod'
import { MINUTE, SECOND } from '../base/durations.ts'
import type { Env } from './locate.ts'

const SILENCE_MS_MAX = 5 * MINUTE

const MODEL_WANTED = 'write a model as <provider>/<model id>, e.g. local/llama-3.3'
export const modelRef = z.string({ error: MODEL_WANTED }).regex(/^[^/\s]+\/\S+$/, MODEL_WANTED)

export const defaultModelSchema = z
  .union(
    [
      modelRef,
      z.looseObject({
        primary: modelRef.optional().describe("The same, in the family's longer form."),
        fallbacks: z
          .array(modelRef)
          .max(10)
          .optional()
          .meta({ description: 'Models that are asked, in this order, when the one before fails.', default: [] }),
      }),
    ],
    { error: MODEL_WANTED },
  )
  .describe(
    'The model that answers, as <provider>/<model id>. Without it one of a provider with a key is found, else the built-in offline model answers.',
  )

const APIS = ['openai-completions', 'openai-responses', 'anthropic-messages', 'google-generative-ai'] as const
const URL_WANTED = 'give an http(s) URL, e.g. http://127.0.0.1:11434/v1'

const price = (what: string) =>
  z.number().min(0).max(1_000_000).optional().describe(`US dollars for a million tokens ${what}.`)

const modelSchema = z.looseObject({
  id: z.string().min(1).describe("The provider's name of it."),
  name: z.string().min(1).optional().describe('What people call it.'),
  reasoning: z.boolean().optional().describe('Whether it thinks before it answers; told in lists.'),
  input: z
    .array(z.string())
    .optional()
    .describe('What it takes: "text", "image"; with openai-completions also "pdf". The rest is named to it.'),
  cost: z
    .looseObject({
      input: price('of input'),
      output: price('of output'),
      cacheRead: price("of input from the provider's cache"),
      cacheWrite: price("of input into the provider's cache"),
    })
    .optional(),
  contextWindow: z
    .int()
    .min(1_000)
    .max(100_000_000)
    .optional()
    .describe('How many tokens it takes; long sessions are summarised before that. 100,000 are assumed without it.'),
})

const providerSchema = z.looseObject({
  baseUrl: z
    .url({ protocol: /^https?$/, error: URL_WANTED })
    .optional()
    .describe('Where its API is, up to and with /v1; anthropic, openai and google need none.'),
  apiKey: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'Its key; best taken from the environment or from a file.', secret: true }),
  api: z
    .enum(APIS, { error: `this version speaks ${APIS.join(', ')}` })
    .optional()
    .describe("Which API it speaks: the provider's own for anthropic, openai and google, else openai-completions."),
  headers: z
    .record(z.string(), z.string())
    .optional()
    .meta({ description: 'More headers for its requests.', secret: true }),
  maxConcurrent: z.int().min(1).max(1_000).optional().describe('Requests to it at once; no limit without it.'),
  timeoutSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .optional()
    .meta({ description: 'How long it may say nothing, in seconds.', default: 300 }),
  models: z.array(modelSchema).optional(),
})

/** Generous: what a busy day of work does not reach, and a loop that nobody watches does. */
export const CAPS_DEFAULT: Caps = {
  turn: { tokens: 5_000_000, usd: 10 },
  session: { tokens: 50_000_000, usd: 50 },
  job: { tokens: 20_000_000, usd: 25 },
  day: { tokens: 100_000_000, usd: 100 },
}

const capSchema = (name: keyof Caps, whose: string) => {
  const { tokens, usd } = CAPS_DEFAULT[name]
  const cap = () => z.union([z.number().min(0), z.literal(false)], { error: 'give a number, or false for no cap' })
  return z
    .looseObject({
      tokens: cap()
        .optional()
        .meta({ description: `Tokens that ${whose} may use; false: any number.`, default: tokens }),
      usd: cap()
        .optional()
        .meta({ description: `US dollars that ${whose} may cost, where prices are known; false: any.`, default: usd }),
    })
    .optional()
}

export const modelsSchema = z.looseObject({
  providers: z
    .record(z.string().regex(/^[^/\s]+$/), providerSchema)
    .superRefine((providers, context) => {
      for (const [name, { baseUrl }] of Object.entries(providers)) {
        if (baseUrl === undefined && !isWellKnown(name)) {
          context.addIssue({ code: 'custom', path: [name, 'baseUrl'], message: URL_WANTED })
        }
      }
    })
    .optional(),
  caps: z
    .looseObject({
      turn: capSchema('turn', 'one turn'),
      session: capSchema('session', 'one session in a day'),
      job: capSchema('job', 'one job in a day'),
      day: capSchema('day', 'all turns of a day'),
    })
    .optional(),
})

type Api = (typeof APIS)[number]
type ModelsFile = z.output<typeof modelsSchema>
type DefaultModel = z.output<typeof defaultModelSchema>

interface WellKnown {
  readonly api: Api
  readonly baseUrl: string
  /** Names of its key in the environment; the first that is set counts. */
  readonly keyNames: readonly [string, ...string[]]
}

/** Providers that need nothing but a key, in the order in which one is chosen when no model is named. */
const WELL_KNOWN: Readonly<Record<string, WellKnown>> = {
  anthropic: {
    api: 'anthropic-messages',
    baseUrl: 'https://api.anthropic.com/v1',
    keyNames: ['ANTHROPIC_API_KEY'],
  },
  openai: {
    api: 'openai-responses',
    baseUrl: 'https://api.openai.com/v1',
    keyNames: ['OPENAI_API_KEY'],
  },
  google: {
    api: 'google-generative-ai',
    baseUrl: 'https://generativelanguage.googleapis.com/v1beta',
    keyNames: ['GEMINI_API_KEY', 'GOOGLE_GENERATIVE_AI_API_KEY'],
  },
}

function isWellKnown(name: string): boolean {
  return Object.hasOwn(WELL_KNOWN, name)
}

/** A model as the config describes it; prices in US dollars for a million tokens. */
export interface ModelInfo {
  readonly id: string
  readonly name?: string | undefined
  readonly reasoning?: boolean | undefined
  readonly input?: readonly string[] | undefined
  readonly cost?: ModelPrice | undefined
  readonly contextWindow?: number | undefined
}

export interface ModelPrice {
  readonly input?: number | undefined
  readonly output?: number | undefined
  readonly cacheRead?: number | undefined
  readonly cacheWrite?: number | undefined
}

export interface ProviderSettings {
  readonly api: Api
  readonly baseUrl: string
  readonly apiKey?: string
  /** The environment's name for the key, where it came from there. */
  readonly keyFrom?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly silenceMsMax: number
  readonly models: readonly ModelInfo[]
}

/** Undefined: no cap. */
export interface Cap {
  readonly tokens: number | undefined
  readonly usd: number | undefined
}

export interface Caps {
  readonly turn: Cap
  readonly session: Cap
  readonly job: Cap
  readonly day: Cap
}

export interface ModelsSettings {
  readonly providers: Readonly<Record<string, ProviderSettings>>
  readonly primary: string | undefined
  readonly fallbacks: readonly string[]
  /** Names in the environment whose keys would add a provider, by the provider's name. */
  readonly keyNames: Readonly<Record<string, string>>
  readonly caps: Caps
  readonly zone: string
}

export interface ModelsSource {
  readonly models: ModelsFile | undefined
  readonly model: DefaultModel | undefined
  readonly env: Env
  readonly zone: string
}

export function modelsSettings({ models, model, env, zone }: ModelsSource): ModelsSettings {
  const { primary, fallbacks } = typeof model === 'string' ? { primary: model } : (model ?? {})
  return {
    providers: providersOf(models?.providers ?? {}, env),
    primary,
    fallbacks: fallbacks ?? [],
    keyNames: Object.fromEntries(Object.entries(WELL_KNOWN).map(([name, { keyNames }]) => [name, keyNames[0]])),
    caps: capsOf(models?.caps),
    zone,
  }
}

type ProvidersFile = NonNullable<ModelsFile['providers']>

/** The config's, in its order, then those of which the environment has a key. */
function providersOf(configured: ProvidersFile, env: Env): Record<string, ProviderSettings> {
  const keyed = Object.keys(WELL_KNOWN).filter(name => !Object.hasOwn(configured, name) && keyIn(env, name))
  const all = [...Object.entries(configured), ...keyed.map(name => [name, {} as ProvidersFile[string]] as const)]
  return Object.fromEntries(all.map(([name, provider]) => [name, providerOf(name, provider, env)]))
}

function providerOf(name: string, provider: ProvidersFile[string], env: Env): ProviderSettings {
  const known = isWellKnown(name) ? WELL_KNOWN[name] : undefined
  const fromEnv = provider.apiKey === undefined ? keyIn(env, name) : undefined
  const { headers, timeoutSeconds } = provider
  const apiKey = provider.apiKey ?? fromEnv?.key
  return {
    api: provider.api ?? apiOf(known, provider.baseUrl),
    baseUrl: provider.baseUrl ?? known?.baseUrl ?? '',
    ...(apiKey !== undefined && { apiKey }),
    ...(fromEnv && { keyFrom: fromEnv.name }),
    ...(headers && { headers }),
    silenceMsMax: timeoutSeconds === undefined ? SILENCE_MS_MAX : timeoutSeconds * SECOND,
    models: provider.models ?? [],
  }
}

/** Who gives `openai` another address means a server that speaks as most do. */
function apiOf(known: WellKnown | undefined, baseUrl: string | undefined): Api {
  if (!known || (known.api === 'openai-responses' && baseUrl !== undefined)) return 'openai-completions'
  return known.api
}

function keyIn(env: Env, provider: string): { readonly name: string; readonly key: string } | undefined {
  const names = isWellKnown(provider) ? (WELL_KNOWN[provider]?.keyNames ?? []) : []
  for (const name of names) {
    const key = env[name]?.trim()
    if (key) return { name, key }
  }
  return undefined
}

function capsOf(caps: ModelsFile['caps']): Caps {
  const one = (name: keyof Caps): Cap => ({
    tokens: capOr(caps?.[name]?.tokens, CAPS_DEFAULT[name].tokens),
    usd: capOr(caps?.[name]?.usd, CAPS_DEFAULT[name].usd),
  })
  return { turn: one('turn'), session: one('session'), job: one('job'), day: one('day') }
}

function capOr(given: number | false | undefined, fallback: number | undefined): number | undefined {
  return given === false ? undefined : (given ?? fallback)
}
