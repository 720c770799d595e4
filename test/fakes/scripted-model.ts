// Models for the runner's contract, by the name of their script: they must be made anew inside a worker thread.
import type { Model, ModelEvent } from '../../src/providers/model.ts'

const TALKERS = ['until-aborted', 'ignores-abort', 'spin', 'no-pause']

/** Speaks, and then says nothing more until it is stopped, or never again. */
async function* talking(script: string, signal: AbortSignal): AsyncGenerator<ModelEvent, void> {
  // The thread's loop never comes round while it speaks.
  while (script === 'no-pause' && !signal.aborted) yield { type: 'delta', text: 'on' }
  yield { type: 'delta', text: 'going' }
  // What it said goes out at the end of the thread's present pass.
  await new Promise(resolve => setImmediate(resolve))
  while (script === 'spin') Math.random()
  if (script === 'ignores-abort') await new Promise(() => undefined)
  if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
  yield { type: 'failed', kind: 'aborted', message: 'stopped' }
}

export function scriptedModel(script: string): Model {
  return {
    ref: script,
    async *stream({ messages, signal }) {
      if (script === 'die') process.exit(1)
      if (TALKERS.includes(script)) return yield* talking(script, signal)
      if (messages.at(-1)?.role === 'user') {
        yield { type: 'done', text: '', calls: [{ id: 'x', name: 'look', args: { n: 1 } }] }
        return
      }
      yield { type: 'delta', text: 'bye' }
      yield { type: 'done', text: 'bye', calls: [] }
    },
  }
}
