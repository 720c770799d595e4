// Any server that speaks the OpenAI chat completions wire: Ollama, vLLM, OpenRouter, a gateway of one's own.
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import type { World } from '../../base/world.ts'
import type { ServedChoice } from '../choice.ts'
import type { Model } from '../model.ts'
import { chatModel } from './chat-model.ts'

export function openAiCompatibleModel(choice: ServedChoice, { fetch, clock }: Pick<World, 'fetch' | 'clock'>): Model {
  const provider = createOpenAICompatible({
    name: choice.provider,
    baseURL: choice.baseUrl,
    includeUsage: true,
    fetch,
    ...(choice.apiKey !== undefined && { apiKey: choice.apiKey }),
    ...(choice.headers && { headers: { ...choice.headers } }),
  })
  return chatModel({ choice, clock, language: provider.chatModel(choice.modelId) })
}
