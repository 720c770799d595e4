// Composition root of the runner thread: what a turn's thread needs, and nothing of the gateway.
import { parentPort } from 'node:worker_threads'
import { nodeWorld } from './base/node/world.ts'
import type { ModelChoice } from './providers/choice.ts'
import type { Model } from './providers/model.ts'
import { withRetries } from './providers/retry.ts'
import { hostTurns } from './turns/thread-host.ts'

/** Adapters are loaded with their first use: the offline model alone costs no SDK. */
async function makeModel(choice: ModelChoice): Promise<Model> {
  if (choice.kind === 'offline') {
    const { createOfflineModel } = await import('./providers/offline/offline-model.ts')
    return createOfflineModel({ now: () => nodeWorld.clock.now(), zone: choice.zone })
  }
  const { openAiCompatibleModel } = await import('./providers/ai-sdk/openai-compatible.ts')
  return withRetries(openAiCompatibleModel(choice, nodeWorld.fetch), nodeWorld.clock)
}

if (!parentPort) throw new Error('runner-entry is started by the gateway as a worker thread')
hostTurns(parentPort, makeModel)
