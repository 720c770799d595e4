// What is known of a model before it is asked: how much it takes, and whether it sees images. A pure reading of the
// config; of a model that the config does not describe, nothing is known, and it is trusted with what most take.
import { type ModelsConfig, OFFLINE_REF } from './choice.ts'

export interface ModelTraits {
  /** Characters of a conversation that it takes. */
  readonly lengthMax: number
  readonly takesImages: boolean
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
    takesImages: ref !== OFFLINE_REF && (model?.input === undefined || model.input.includes('image')),
  }
}
