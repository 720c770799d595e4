// The runner thread of the `link` bench: the real host with a model that thinks for a while, streams words and calls
// the `cron` tool. It notes how long each call takes as the turn sees it, and tells that on a channel of its own.
import { BroadcastChannel, parentPort } from 'node:worker_threads'
import type { Model, ModelEvent } from '../src/providers/model.ts'
import { hostTurns } from '../src/turns/thread-host.ts'
import { type FromRunner, RunnerPort, type ToRunner } from '../src/turns/thread-link.ts'
import { type Report, STEP_MS, STEPS, WORDS_PER_STEP } from './scripted-turn.ts'

const REPORT_EVERY_MS = 250
const channel = new BroadcastChannel('bench-link')
const asked = new Map<number, { key: string; at: number }>()
let samples: Report[] = []

/** The host's port, with a clock on every call that goes out and every answer that comes back. */
class ClockedPort extends RunnerPort {
  override post(frame: FromRunner): void {
    if (frame.type === 'ask' && frame.body.kind === 'invoke') {
      asked.set(frame.ask, { key: `${frame.runId} ${frame.body.call.id}`, at: performance.now() })
    }
    super.post(frame)
  }

  override listen(take: (frame: ToRunner) => void): void {
    super.listen(frame => {
      noteAnswer(frame)
      take(frame)
    })
  }
}

function noteAnswer(frame: ToRunner): void {
  const call = frame.type === 'answer' ? asked.get(frame.ask) : undefined
  if (frame.type !== 'answer' || !call) return
  asked.delete(frame.ask)
  samples.push({ key: call.key, roundTripMs: performance.now() - call.at })
}

function wait(delayMs: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, delayMs))
}

async function* stream(step: number): AsyncGenerator<ModelEvent> {
  // Turns that began together drift apart, as people's do.
  const wordMs = (STEP_MS / WORDS_PER_STEP) * (0.75 + Math.random() / 2)
  let text = ''
  for (let word = 0; word < WORDS_PER_STEP; word += 1) {
    await wait(wordMs)
    text += 'some words '
    yield { type: 'delta', text: 'some words ' }
  }
  // Never the same call twice in a row: the loop would take that for a model gone astray.
  const args = { action: 'list', includeDisabled: step % 2 === 0 }
  const calls = step < STEPS ? [{ id: `call-${step}`, name: 'cron', args }] : []
  yield { type: 'done', text, calls }
}

function makeModel(): Model {
  let step = 0
  return {
    ref: 'bench/scripted',
    stream: () => {
      step += 1
      return stream(step)
    },
  }
}

if (!parentPort) throw new Error('scripted-runner is started by the link bench as a worker thread')
setInterval(() => {
  if (samples.length > 0) channel.postMessage(samples)
  samples = []
}, REPORT_EVERY_MS)
hostTurns(new ClockedPort(parentPort), makeModel, () => undefined)
