// Anthropic's messages API. It caches a prompt only where it is told to: after the tools, after the system prompt and
// after the newest message, so that each step of a turn, and the next turn, pays for what is new.
import { createAnthropic } from '@ai-sdk/anthropic'
import type { World } from '../../base/world.ts'
import type { ServedChoice } from '../choice.ts'
import type { Model } from '../model.ts'
import { chatModel } from './chat-model.ts'

const NEEDS = {
  wantsThoughtsBack: true,
  personAround: true,
  cacheMark: { anthropic: { cacheControl: { type: 'ephemeral' } } },
}

export function anthropicModel(choice: ServedChoice, { fetch, clock }: Pick<World, 'fetch' | 'clock'>): Model {
  const provider = createAnthropic({
    baseURL: choice.baseUrl,
    apiKey: choice.apiKey ?? '',
    fetch,
    ...(choice.headers && { headers: { ...choice.headers } }),
  })
  return chatModel({ choice, clock, language: provider.languageModel(choice.modelId), needs: NEEDS })
}
