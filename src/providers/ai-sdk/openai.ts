// OpenAI's own API, by its responses wire, which all of its models speak. Nothing is left with the provider: each request
// carries the whole conversation, and none is stored there.
import { createOpenAI } from '@ai-sdk/openai'
import type { World } from '../../base/world.ts'
import type { ServedChoice } from '../choice.ts'
import type { Model } from '../model.ts'
import { chatModel } from './chat-model.ts'

export function openAiModel(choice: ServedChoice, { fetch, clock }: Pick<World, 'fetch' | 'clock'>): Model {
  const provider = createOpenAI({
    baseURL: choice.baseUrl,
    apiKey: choice.apiKey ?? '',
    fetch,
    ...(choice.headers && { headers: { ...choice.headers } }),
  })
  // A schema of ours may have what strict mode refuses.
  const options = { openai: { store: false, strictJsonSchema: false } }
  return chatModel({ choice, clock, language: provider.responses(choice.modelId), options })
}
