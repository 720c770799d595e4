// Google's Gemini API. Its cache works by itself; its turns must begin and end with the person.
import { createGoogle } from '@ai-sdk/google'
import type { World } from '../../base/world.ts'
import type { ServedChoice } from '../choice.ts'
import type { Model } from '../model.ts'
import { chatModel } from './chat-model.ts'

export function googleModel(choice: ServedChoice, { fetch, clock }: Pick<World, 'fetch' | 'clock'>): Model {
  const provider = createGoogle({
    baseURL: choice.baseUrl,
    apiKey: choice.apiKey ?? '',
    fetch,
    ...(choice.headers && { headers: { ...choice.headers } }),
  })
  return chatModel({
    choice,
    clock,
    language: provider.languageModel(choice.modelId),
    needs: { personAround: true },
  })
}
