// Which model answers: a pure reading of the config's `models` and `agents.defaults.model`. The result is plain data
// that can be sent to a worker thread, where the adapter is made. It refuses a model it cannot reach by name.
import { asSluiceError, SluiceError } from '../base/errors.ts'

export const OFFLINE_REF = 'sluice/offline'

/** The wires that are spoken. */
type Api = 'openai-completions' | 'openai-responses' | 'anthropic-messages' | 'google-generative-ai'

interface OfflineChoice {
  readonly kind: 'offline'
  readonly ref: typeof OFFLINE_REF
  readonly zone: string
}

/** A model behind an API; all that an adapter needs. `apiKey` is a secret: never log it. */
export interface ServedChoice {
  readonly kind: Api
  /** `<provider>/<model>` as in the config. */
  readonly ref: string
  readonly provider: string
  readonly modelId: string
  readonly baseUrl: string
  readonly apiKey?: string
  /** The environment's name for the key, where it came from there. */
  readonly keyFrom?: string
  readonly headers?: Readonly<Record<string, string>>
  /** How long it may say nothing. */
  readonly silenceMsMax: number
}

export type LinkChoice = OfflineChoice | ServedChoice

/** Cloneable. `chain`: the next link is asked when the one before it fails before its first word. */
export type ModelChoice = LinkChoice | { readonly kind: 'chain'; readonly ref: string; readonly links: LinkChoice[] }

export interface ProviderConfig {
  readonly baseUrl: string
  readonly api: Api
  readonly apiKey?: string | undefined
  readonly keyFrom?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly silenceMsMax: number
  readonly models?: readonly ModelConfig[] | undefined
}

/** What the config says of one model of a provider. */
interface ModelConfig {
  readonly id: string
  /** In tokens. */
  readonly contextWindow?: number | undefined
  /** What it takes beside text; absent: not known. */
  readonly input?: readonly string[] | undefined
}

export interface ModelsConfig {
  readonly providers: Readonly<Record<string, ProviderConfig>>
  readonly primary: string | undefined
  readonly fallbacks: readonly string[]
  /** Names in the environment whose keys would add a provider, by the provider's name. */
  readonly keyNames: Readonly<Record<string, string>>
  readonly zone: string
}

/** The choice for a ref, or for the primary model; the offline model when none is configured. */
export function chooseModel(config: ModelsConfig, ref: string | undefined = config.primary): LinkChoice {
  if (ref === undefined || ref === OFFLINE_REF) return { kind: 'offline', ref: OFFLINE_REF, zone: config.zone }
  const slash = ref.indexOf('/')
  const provider = slash === -1 ? ref : ref.slice(0, slash)
  const modelId = slash === -1 ? '' : ref.slice(slash + 1)
  const found = Object.hasOwn(config.providers, provider) ? config.providers[provider] : undefined
  if (!found || modelId === '') throw unknownModel(config, ref, provider)
  const { api, baseUrl, apiKey, keyFrom, headers, silenceMsMax } = found
  return {
    ...{ kind: api, ref, provider, modelId, baseUrl, silenceMsMax },
    ...(apiKey !== undefined && { apiKey }),
    ...(keyFrom !== undefined && { keyFrom }),
    ...(headers && { headers }),
  }
}

/**
 * The primary model with its fallbacks, or the one that is asked for, alone unless fallbacks come with it: who names a
 * model wants just that one. With
 * `offlineLast` the built-in model answers when nobody else can be reached.
 */
export function chooseChain(
  config: ModelsConfig,
  {
    ref,
    offlineLast,
    fallbacks = ref === undefined ? config.fallbacks : [],
  }: {
    readonly ref: string | undefined
    readonly offlineLast: boolean
    readonly fallbacks?: readonly string[] | undefined
  },
): ModelChoice {
  const first = chooseModel(config, ref)
  const more = fallbacks.map(fallback => chooseModel(config, fallback))
  const last = offlineLast ? [chooseModel(config, OFFLINE_REF)] : []
  const all = [first, ...more, ...last]
  const links = all.filter((link, index) => all.findIndex(other => other.ref === link.ref) === index)
  return links.length === 1 || first.kind === 'offline' ? first : { kind: 'chain', ref: first.ref, links }
}

/** Throws for a primary model or a fallback that cannot be reached by name, with the key of the config that names it. */
export function checkModels(config: ModelsConfig, keys: Readonly<Record<'primary' | 'fallbacks', string>>): void {
  const fallbacks = config.fallbacks.map((ref, index) => [`${keys.fallbacks}.fallbacks.${index}`, ref] as const)
  for (const [path, ref] of [[keys.primary, config.primary] as const, ...fallbacks]) {
    try {
      chooseModel(config, ref)
    } catch (error) {
      const { code, message } = asSluiceError(error)
      throw new SluiceError(code, `The config's ${path}: ${message}`, { details: { issues: [{ path, message }] } })
    }
  }
}

function unknownModel(config: ModelsConfig, ref: string, provider: string): SluiceError {
  const known = Object.keys(config.providers)
  const keyName = Object.hasOwn(config.keyNames, provider) ? config.keyNames[provider] : undefined
  return new SluiceError('INVALID_REQUEST', `unknown model: ${ref} (${hintFor(known, provider, keyName)})`)
}

function hintFor(known: readonly string[], provider: string, keyName: string | undefined): string {
  if (known.includes(provider)) return 'write the model as <provider>/<model id>'
  if (keyName !== undefined) return `set ${keyName} in the environment, or models.providers.${provider}.apiKey`
  return known.length === 0
    ? 'no provider is configured: add models.providers.<name>.baseUrl to the config'
    : `configured providers: ${known.join(', ')}; write the model as <provider>/<model id>`
}
