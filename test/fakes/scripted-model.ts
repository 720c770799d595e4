// Models for the runner's contract, by the name of their script: they must be made anew inside a worker thread.
import type { Model } from '../../src/providers/model.ts'

export function scriptedModel(script: string): Model {
  return {
    ref: script,
    async *stream({ messages, signal }) {
      if (script === 'die') process.exit(1)
      if (script === 'until-aborted') {
        yield { type: 'delta', text: 'going' }
        if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
        yield { type: 'failed', kind: 'aborted', message: 'stopped' }
        return
      }
      if (messages.at(-1)?.role === 'user') {
        yield { type: 'done', text: '', calls: [{ id: 'x', name: 'look', args: { n: 1 } }] }
        return
      }
      yield { type: 'delta', text: 'bye' }
      yield { type: 'done', text: 'bye', calls: [] }
    },
  }
}
