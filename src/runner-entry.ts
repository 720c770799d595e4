// Composition root of the runner thread: what a turn's thread needs, and nothing of the gateway.
import { parentPort } from 'node:worker_threads'
import { letOthersGoFirst } from './base/node/thread-priority.ts'
import { nodeWorld } from './base/node/world.ts'
import type { LinkChoice, ModelChoice, ServedChoice } from './providers/choice.ts'
import { Rests, withFallbacks } from './providers/fallback.ts'
import { keptLinks } from './providers/kept-links.ts'
import type { Model } from './providers/model.ts'
import { withRetries } from './providers/retry.ts'
import { hostTurns } from './turns/thread-host.ts'
import { RunnerPort } from './turns/thread-link.ts'

const rests = new Rests(nodeWorld.clock)
const linkOf = keptLinks(makeLink)

async function makeModel(choice: ModelChoice): Promise<Model> {
  if (choice.kind !== 'chain') return await linkOf(choice)
  return withFallbacks(choice.links.map(onFirstUse), rests)
}

/** A link is loaded when it is asked: a fallback that is not needed costs nothing. */
function onFirstUse(choice: LinkChoice): Model {
  return {
    ref: choice.ref,
    async *stream(request) {
      yield* (await linkOf(choice)).stream(request)
    },
  }
}

/** Adapters are loaded with their first use: the offline model alone costs no SDK, and no provider that of another. */
async function makeLink(choice: LinkChoice): Promise<Model> {
  if (choice.kind === 'offline') {
    const { createOfflineModel } = await import('./providers/offline/offline-model.ts')
    return createOfflineModel({ now: () => nodeWorld.clock.now(), zone: choice.zone })
  }
  return withRetries(await servedModel(choice), nodeWorld.clock)
}

async function servedModel(choice: ServedChoice): Promise<Model> {
  switch (choice.kind) {
    case 'anthropic-messages':
      return (await import('./providers/ai-sdk/anthropic.ts')).anthropicModel(choice, nodeWorld)
    case 'openai-responses':
      return (await import('./providers/ai-sdk/openai.ts')).openAiModel(choice, nodeWorld)
    case 'google-generative-ai':
      return (await import('./providers/ai-sdk/google.ts')).googleModel(choice, nodeWorld)
    case 'openai-completions':
      return (await import('./providers/ai-sdk/openai-compatible.ts')).openAiCompatibleModel(choice, nodeWorld)
  }
}

if (!parentPort) throw new Error('runner-entry is started by the gateway as a worker thread')
letOthersGoFirst()
hostTurns(new RunnerPort(parentPort), makeModel, nodeWorld.files.readText)
