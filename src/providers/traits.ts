// What is known of a model before it is asked: how much it takes, and which files it can be shown. A pure reading of the
// config; of a model that the config does not describe, nothing is known, and it is trusted with what most take.
import type { ModelsConfig, ProviderConfig } from './choice.ts'

export interface ModelTraits {
  /** Characters of a conversation that it takes. */
  readonly lengthMax: number
  /** Kinds of files (`kindOfFile`), beside texts. */
  readonly takes: readonly string[]
}

/** Characters of a conversation for a model of which nothing else is known. */
export const CONTEXT_LENGTH_MAX = 300_000
/** Fewer than a token has in most texts, so that what is counted in characters fits. */
const CHARACTERS_PER_TOKEN = 3

export function traitsOf(config: ModelsConfig, ref: string): ModelTraits {
  const slash = ref.indexOf('/')
  const provider = ref.slice(0, slash)
  const known = Object.hasOwn(config.providers, provider) ? config.providers[provider] : undefined
  const model = known?.models?.find(({ id }) => id === ref.slice(slash + 1))
  const tokens = model?.contextWindow
  return {
    lengthMax: tokens === undefined ? CONTEXT_LENGTH_MAX : tokens * CHARACTERS_PER_TOKEN,
    takes: known ? takenOf(known.api, model?.input) : [],
  }
}

/** What its wire carries. Many servers speak `openai-completions` and take less: a PDF has to be named in `input`. */
function takenOf(api: ProviderConfig['api'], input: readonly string[] = ['image']): readonly string[] {
  const carried = api === 'google-generative-ai' ? ['image', 'pdf', 'audio', 'video'] : ['image', 'pdf']
  const isWhole = api !== 'openai-completions' && input.includes('image')
  return isWhole ? carried : carried.filter(kind => input.includes(kind))
}
