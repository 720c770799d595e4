// One contract for every runner: in this thread, and in a worker thread with its link.
import { afterAll, describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import type { Model, ModelCall } from '../../src/providers/model.ts'
import { inlineRunner } from '../../src/turns/perform.ts'
import type { Runner, TurnLink, TurnMessage, TurnTask } from '../../src/turns/runner.ts'
import { ThreadRunner } from '../../src/turns/thread-runner.ts'
import { scriptedModel } from '../fakes/scripted-model.ts'

const runners: readonly [string, Runner][] = [
  ['inline', inlineRunner(choice => scriptedModel(choice.ref) as Model)],
  ['thread', new ThreadRunner(new URL('../fakes/runner-thread.ts', import.meta.url))],
]
afterAll(() => Promise.all(runners.map(([, runner]) => runner.close())))

/** The script is the ref of the model: see scripted-model.ts. */
function task(script: string): TurnTask {
  return {
    runId: `run ${script} ${Math.random()}`,
    model: { kind: 'offline', ref: script as 'sluice/offline', zone: 'UTC' },
    system: '',
    messages: [{ role: 'user', text: 'go' }],
    pending: [],
    said: [],
    answered: false,
    tools: [],
    limits: { stepsMax: 5, identicalCallsMax: 5 },
  }
}

function recording(overrides: Partial<TurnLink> = {}) {
  const log: string[] = []
  const link: TurnLink = {
    attempt: async model => void log.push(`attempt ${model}`),
    message: async (message: TurnMessage) => {
      log.push(`message ${message.text}${message.calls.map((made: ModelCall) => ` ${made.name}`).join('')}`)
      return 7
    },
    invoke: async made => {
      log.push(`invoke ${made.id} ${JSON.stringify(made.args)}`)
      return { text: 'result', isError: false }
    },
    delta: text => void log.push(`delta ${text}`),
    ...overrides,
  }
  return { log, link }
}

describe.each(runners)('runner %s', (_, runner) => {
  const never = new AbortController().signal

  test('L2: each entry is answered before the next step begins', async () => {
    const { log, link } = recording()
    const outcome = await runner.run(task('call-then-text'), link, never)
    expect(log).toEqual([
      'attempt call-then-text',
      'message  look',
      'invoke 7:0 {"n":1}',
      'attempt call-then-text',
      'delta bye',
      'message bye',
    ])
    expect(outcome).toEqual({ state: 'ok', reply: 'bye' })
  })

  test('L2: an entry that is refused ends the turn with that error, and nothing more is asked of the model', async () => {
    const { log, link } = recording({ message: () => Promise.reject(new SluiceError('STALE', 'fenced off')) })
    await expect(runner.run(task('call-then-text'), link, never)).rejects.toMatchObject({ code: 'STALE' })
    expect(log).toEqual(['attempt call-then-text'])
  })

  test('an abort reaches the model', async () => {
    const stop = new AbortController()
    const { link } = recording({ delta: () => stop.abort() })
    await expect(runner.run(task('until-aborted'), link, stop.signal)).resolves.toMatchObject({ state: 'aborted' })
  })

  test('an abort before the start is an abort', async () => {
    const { link } = recording()
    await expect(runner.run(task('until-aborted'), link, AbortSignal.abort())).resolves.toMatchObject({
      state: 'aborted',
    })
  })

  test('turns run side by side: one that waits for its tool holds up no other', async () => {
    const gate = Promise.withResolvers<void>()
    const held = recording({
      invoke: async () => {
        await gate.promise
        return { text: 'late', isError: false }
      },
    })
    const first = runner.run(task('call-then-text'), held.link, never)
    await expect(runner.run(task('call-then-text'), recording().link, never)).resolves.toMatchObject({ state: 'ok' })
    gate.resolve()
    await expect(first).resolves.toMatchObject({ state: 'ok' })
  })
})

test('T3: when the thread dies its turns are reported lost, and the next turn has a new thread', async () => {
  const runner = new ThreadRunner(new URL('../fakes/runner-thread.ts', import.meta.url))
  const { link } = recording()
  const never = new AbortController().signal
  await expect(runner.run(task('die'), link, never)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  await expect(runner.run(task('call-then-text'), link, never)).resolves.toMatchObject({ state: 'ok' })
  await runner.close()
})
