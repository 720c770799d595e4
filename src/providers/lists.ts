// The models that a provider itself says it has, and which of them is taken when a key is there and no model is named.
// The rule is written down in docs/guides/models.md. A list that cannot be asked is data; it stops nothing.
import { MINUTE, SECOND } from '../base/durations.ts'
import type { World } from '../base/world.ts'
import type { ModelsConfig, ProviderConfig } from './choice.ts'

/** For all lists that are asked together. */
const ASK_MS_MAX = 3 * SECOND
const KEPT_MS = 10 * MINUTE
const FAILURE_KEPT_MS = MINUTE
const LISTED_MAX = 1_000

export interface ListedModel {
  readonly id: string
  readonly name: string
  /** When it was made; 0 where that is not told. */
  readonly createdMs: number
}

export type ProviderList =
  | { readonly models: readonly ListedModel[] }
  /** Why it is not known: one sentence without a secret. */
  | { readonly problem: string }

interface Wire {
  readonly path: string
  readonly headers: (key: string) => Record<string, string>
  /** Which are preferred: the first expression that any model meets, and of those the newest. */
  readonly ranks: readonly RegExp[]
}

const BEARER = (key: string) => ({ authorization: `Bearer ${key}` })
/** Names of models that hold no conversation in text. */
const NO_CHAT =
  /embed|whisper|tts|transcri|rerank|moderation|dall-e|imagen?|image|audio|realtime|veo|sora|aqa|search|instruct|guard/i

const WIRES: Readonly<Record<ProviderConfig['api'], Wire>> = {
  'anthropic-messages': {
    path: 'models?limit=200',
    headers: key => ({ 'x-api-key': key, 'anthropic-version': '2023-06-01' }),
    ranks: [/^claude-.*sonnet/, /^claude-.*opus/, /^claude-/],
  },
  'openai-responses': { path: 'models', headers: BEARER, ranks: [/^gpt-\d+(\.\d+)?$/, /^gpt-\d/] },
  'google-generative-ai': {
    path: 'models?pageSize=200',
    headers: key => ({ 'x-goog-api-key': key }),
    ranks: [/^gemini-\d+(\.\d+)?-flash$/, /^gemini-\d+(\.\d+)?-pro$/, /^gemini-/],
  },
  'openai-completions': { path: 'models', headers: BEARER, ranks: [/./] },
}

/** The model of a list that is taken; undefined when it has none for a conversation. */
export function preferred(api: ProviderConfig['api'], models: readonly ListedModel[]): string | undefined {
  const chat = models.filter(({ id }) => !NO_CHAT.test(id))
  for (const rank of WIRES[api].ranks) {
    const [first] = chat.filter(({ id }) => rank.test(id)).sort(newestFirst)
    if (first) return first.id
  }
  return undefined
}

/** By when they were made; where nobody says, by the numbers in their names. */
function newestFirst(a: ListedModel, b: ListedModel): number {
  return b.createdMs - a.createdMs || versionOf(b.id) - versionOf(a.id)
}

function versionOf(id: string): number {
  return Number(/\d+(\.\d+)?/.exec(id)?.[0] ?? 0)
}

/** What was found for a config without a model. */
export type Found =
  | { readonly ref: string; readonly problem?: undefined }
  | { readonly ref?: undefined; readonly problem: string }

export class ModelLists {
  readonly #world: Pick<World, 'fetch' | 'clock'>
  readonly #kept = new Map<string, { readonly list: ProviderList; readonly untilMs: number }>()

  constructor(world: Pick<World, 'fetch' | 'clock'>) {
    this.#world = world
  }

  /** The lists of these providers, by name; kept for a while. Takes at most 3 s, however many there are. */
  async of(providers: Readonly<Record<string, ProviderConfig>>): Promise<Map<string, ProviderList>> {
    const over = new AbortController()
    const timer = this.#world.clock.after(ASK_MS_MAX, () => over.abort())
    try {
      const asked = Object.entries(providers).map(
        async ([name, provider]) => [name, await this.#one(name, provider, over.signal)] as const,
      )
      return new Map(await Promise.all(asked))
    } finally {
      timer.cancel()
    }
  }

  /**
   * A model for a config that names none: of the first provider with a key whose list has one. Undefined where there is
   * nothing to find.
   */
  async find({ providers, primary }: ModelsConfig): Promise<Found | undefined> {
    const keyed = Object.entries(providers).filter(([, { apiKey }]) => apiKey !== undefined)
    if (primary !== undefined || keyed.length === 0) return undefined
    const lists = await this.of(Object.fromEntries(keyed))
    const problems: string[] = []
    for (const [name, { api }] of keyed) {
      const list = lists.get(name) as ProviderList
      const id = 'models' in list ? preferred(api, list.models) : undefined
      if (id !== undefined) return { ref: `${name}/${id}` }
      problems.push('problem' in list ? list.problem : `${name} lists no model for a conversation.`)
    }
    return { problem: problems.join(' ') }
  }

  async #one(name: string, provider: ProviderConfig, signal: AbortSignal): Promise<ProviderList> {
    const { clock } = this.#world
    const key = JSON.stringify([name, provider.baseUrl, provider.apiKey])
    const kept = this.#kept.get(key)
    if (kept && kept.untilMs > clock.monotonic()) return kept.list
    const list = await this.#ask(name, provider, signal)
    this.#kept.set(key, { list, untilMs: clock.monotonic() + ('problem' in list ? FAILURE_KEPT_MS : KEPT_MS) })
    return list
  }

  async #ask(name: string, provider: ProviderConfig, signal: AbortSignal): Promise<ProviderList> {
    const { path, headers } = WIRES[provider.api]
    const url = `${provider.baseUrl.replace(/\/+$/, '')}/${path}`
    try {
      const sent = { ...(provider.apiKey === undefined ? {} : headers(provider.apiKey)), ...provider.headers }
      const response = await this.#world.fetch(url, { headers: sent, signal, redirect: 'error' })
      if (!response.ok) {
        await response.body?.cancel()
        const fix = response.status === 401 || response.status === 403 ? ' Check its key.' : ''
        return { problem: `${name} did not tell its models (${response.status}).${fix}` }
      }
      return { models: read(await response.json()) }
    } catch {
      const why = signal.aborted ? `no answer within ${ASK_MS_MAX / SECOND} s` : 'it cannot be reached'
      return { problem: `${name} did not tell its models (${why}).` }
    }
  }
}

/** All shapes at once; what is no list is an empty one. */
function read(body: unknown): ListedModel[] {
  const { data, models } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  const rows = [data, models].find(list => Array.isArray(list)) as unknown[] | undefined
  return (rows ?? []).slice(0, LISTED_MAX).flatMap(row => {
    if (typeof row !== 'object' || row === null) return []
    const { id, name, display_name, displayName, created, created_at, supportedGenerationMethods } = row as Record<
      string,
      unknown
    >
    const found = typeof id === 'string' ? id : typeof name === 'string' ? name.replace(/^models\//, '') : ''
    const canAnswer =
      !Array.isArray(supportedGenerationMethods) || supportedGenerationMethods.includes('generateContent')
    if (found === '' || !canAnswer) return []
    const shown = [display_name, displayName, found].find(word => typeof word === 'string') as string
    return [{ id: found, name: shown, createdMs: createdOf(created, created_at) }]
  })
}

/** Seconds since 1970, or an ISO time, whose digits sort as it does. */
function createdOf(seconds: unknown, iso: unknown): number {
  if (typeof seconds === 'number' && Number.isFinite(seconds)) return seconds * SECOND
  return typeof iso === 'string' ? Number(iso.replaceAll(/\D/g, '').slice(0, 14)) : 0
}
