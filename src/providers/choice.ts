// Which model answers: a pure reading of the config's `models` and `agents.defaults.model`. The result is plain data
// that can be sent to a worker thread, where the adapter is made. It refuses a model it cannot reach by name.
import { SluiceError } from '../base/errors.ts'

export const OFFLINE_REF = 'sluice/offline'

/** All that an adapter needs; cloneable. `apiKey` is a secret: never log it. */
export type ModelChoice =
  | { readonly kind: 'offline'; readonly ref: typeof OFFLINE_REF; readonly zone: string }
  | {
      readonly kind: 'openai-completions'
      /** `<provider>/<model>` as in the config. */
      readonly ref: string
      readonly provider: string
      readonly modelId: string
      readonly baseUrl: string
      readonly apiKey?: string
      readonly headers?: Readonly<Record<string, string>>
    }

export interface ProviderConfig {
  readonly baseUrl: string
  readonly apiKey?: string | undefined
  readonly api?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly models?: readonly ModelConfig[] | undefined
}

/** What the config says of one model of a provider. */
export interface ModelConfig {
  readonly id: string
  /** In tokens. */
  readonly contextWindow?: number | undefined
  /** What it takes beside text; absent: not known. */
  readonly input?: readonly string[] | undefined
}

export interface ModelsConfig {
  readonly providers: Readonly<Record<string, ProviderConfig>>
  readonly primary: string | undefined
  readonly zone: string
}

/** The choice for a ref, or for the primary model; the offline model when none is configured. */
export function chooseModel(config: ModelsConfig, ref: string | undefined = config.primary): ModelChoice {
  if (ref === undefined || ref === OFFLINE_REF) return { kind: 'offline', ref: OFFLINE_REF, zone: config.zone }
  const slash = ref.indexOf('/')
  const provider = slash === -1 ? ref : ref.slice(0, slash)
  const modelId = slash === -1 ? '' : ref.slice(slash + 1)
  const found = Object.hasOwn(config.providers, provider) ? config.providers[provider] : undefined
  if (!found || modelId === '') throw unknownModel(config, ref)
  return {
    kind: 'openai-completions',
    ref,
    provider,
    modelId,
    baseUrl: found.baseUrl,
    ...(found.apiKey !== undefined && { apiKey: found.apiKey }),
    ...(found.headers && { headers: found.headers }),
  }
}

function unknownModel(config: ModelsConfig, ref: string): SluiceError {
  const known = Object.keys(config.providers)
  const hint =
    known.length === 0
      ? 'no provider is configured: add models.providers.<name>.baseUrl to the config'
      : `configured providers: ${known.join(', ')}; write the model as <provider>/<model id>`
  return new SluiceError('INVALID_REQUEST', `unknown model: ${ref} (${hint})`)
}
