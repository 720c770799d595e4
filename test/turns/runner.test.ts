// One contract for every runner: in this thread, and in a worker thread with its link.
import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import type { Model, ModelCall } from '../../src/providers/model.ts'
import { inlineRunner } from '../../src/turns/perform.ts'
import type { Runner, TurnLink, TurnMessage, TurnTask } from '../../src/turns/runner.ts'
import { ThreadRunner } from '../../src/turns/thread-runner.ts'
import { FakeClock } from '../fakes/clock.ts'
import { scriptedModel } from '../fakes/scripted-model.ts'

const THREAD = new URL('../fakes/runner-thread.ts', import.meta.url)
const runners: readonly [string, Runner][] = [
  ['inline', inlineRunner(choice => scriptedModel(choice.ref) as Model)],
  ['thread', new ThreadRunner(THREAD, new FakeClock())],
]
afterAll(() => Promise.all(runners.map(([, runner]) => runner.close())))

/** The script is the ref of the model: see scripted-model.ts. */
function task(script: string): TurnTask {
  return {
    runId: `run ${script} ${Math.random()}`,
    model: { kind: 'offline', ref: script as 'sluice/offline', zone: 'UTC' },
    system: '',
    zone: 'UTC',
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
    attempt: async model => {
      log.push(`attempt ${model}`)
      return { merged: [] }
    },
    message: async (message: TurnMessage) => {
      log.push(`message ${message.text}${message.calls.map((made: ModelCall) => ` ${made.name}`).join('')}`)
      return { entry: 7, merged: [] }
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

describe('a thread and its turns', () => {
  const never = new AbortController().signal
  let clock: FakeClock
  let runner: ThreadRunner
  const threads: Worker[] = []
  const began = (thread: Worker) => void threads.push(thread)
  beforeEach(() => {
    clock = new FakeClock()
    runner = new ThreadRunner(THREAD, clock)
    process.on('worker', began)
  })
  afterEach(async () => {
    process.off('worker', began)
    threads.length = 0
    await runner.close()
  })

  /** Begins a turn and answers once its model has spoken, so that it is known to run. */
  async function speaking(script: string, signal = never) {
    const spoke = Promise.withResolvers<void>()
    const { log, link } = recording({ delta: () => spoke.resolve() })
    const begun = task(script)
    const outcome = runner.run(begun, link, signal)
    outcome.catch(() => undefined)
    await spoke.promise
    return { runId: begun.runId, outcome, log }
  }

  test('W7: what the gateway says is taken between two words, however many wait', async () => {
    const stop = new AbortController()
    const attempt = async () => {
      setImmediate(() => stop.abort())
      return { merged: [] }
    }
    const outcome = runner.run(task('no-pause'), recording({ attempt }).link, stop.signal)
    await expect(outcome).resolves.toMatchObject({ state: 'aborted' })
  })

  test('T3: when the thread dies its turns are reported lost, and the next turn has a new thread', async () => {
    await expect(runner.run(task('die'), recording().link, never)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(runner.run(task('call-then-text'), recording().link, never)).resolves.toMatchObject({ state: 'ok' })
  })

  test('T3 W2: a thread that does not answer when a turn is let go is ended; its other turns are lost, the next runs', async () => {
    const other = await speaking('until-aborted')
    const stop = new AbortController()
    const spinning = await speaking('spin', stop.signal)
    stop.abort()
    runner.abandon(spinning.runId)
    await expect(spinning.outcome).rejects.toMatchObject({ code: 'STALE' })
    const ended = once(threads[0] as Worker, 'exit')
    let lost: unknown
    other.outcome.catch(error => (lost = error))
    await clock.advance(1_999)
    expect(lost).toBeUndefined()
    await clock.advance(1)
    expect(lost).toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('did not answer within 2s') })
    await expect(runner.run(task('call-then-text'), recording().link, never)).resolves.toMatchObject({ state: 'ok' })
    expect(threads).toHaveLength(2)
    await ended
  })

  test('W2: a thread that ends while it owes a sign of life owes nothing any more; the next is asked anew', async () => {
    runner.abandon((await speaking('spin')).runId)
    await (threads[0] as Worker).terminate()
    const next = await speaking('spin')
    expect(clock.timers).toBe(0)
    runner.abandon(next.runId)
    expect(clock.timers).toBe(1)
    await runner.close()
    expect(clock.timers).toBe(0)
  })

  test('W2: a thread that only has a turn which ignores its abort stays, and so do its other turns', async () => {
    const [stopOne, stopOther] = [new AbortController(), new AbortController()]
    const deaf = [await speaking('ignores-abort', stopOne.signal), await speaking('ignores-abort', stopOne.signal)]
    const other = await speaking('until-aborted', stopOther.signal)
    stopOne.abort()
    for (const { runId } of deaf) runner.abandon(runId)
    expect(clock.timers).toBe(1)
    // Its frames come in their order: the sign of life is here before anything of this turn.
    await expect(runner.run(task('call-then-text'), recording().link, never)).resolves.toMatchObject({ state: 'ok' })
    expect(clock.timers).toBe(0)
    await clock.advance(60_000)
    stopOther.abort()
    await expect(other.outcome).resolves.toMatchObject({ state: 'aborted' })
    for (const { outcome } of deaf) await expect(outcome).rejects.toMatchObject({ code: 'STALE' })
  })

  test('a turn that is let go after it has ended troubles nobody', async () => {
    const ended = task('call-then-text')
    await runner.run(ended, recording().link, never)
    runner.abandon(ended.runId)
    expect(clock.timers).toBe(0)
  })
})

test('T3: the asks of a turn that was let go are answered STALE, each once, and reach its link no more', async () => {
  // A thread that asks for whatever it was begun with, asks again when it is told to stop, and shows what it is told.
  const echo = `import { parentPort as port } from 'node:worker_threads'
    let asks = 0
    const ask = runId => port.postMessage({ type: 'ask', runId, ask: (asks += 1), body: { kind: 'attempt' } })
    port.on('message', frame => {
      if (frame.type === 'start') ask(frame.task.runId)
      if (frame.type === 'ping') ask('asker')
      port.postMessage({ type: 'deltas', deltas: [{ runId: 'witness', text: JSON.stringify(frame) }] })
    })`
  const runner = new ThreadRunner(new URL(`data:text/javascript,${encodeURIComponent(echo)}`), new FakeClock())
  const never = new AbortController().signal
  const told: { ask: number; error?: { code: string } }[] = []
  const [asked, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const commit = Promise.withResolvers<undefined>()
  let attempts = 0
  const witness = recording({
    attempt: () => commit.promise.then(() => ({ merged: [] })),
    delta: text => {
      const frame = JSON.parse(text)
      if (frame.type === 'answer') told.push(frame)
      if (told.length === 3) answered.resolve()
    },
  })
  const asker = recording({
    attempt: () => {
      attempts += 1
      asked.resolve()
      return commit.promise.then(() => ({ merged: [] }))
    },
  })
  const watched = runner.run({ ...task('x'), runId: 'witness' }, witness.link, never)
  const outcome = runner.run({ ...task('x'), runId: 'asker' }, asker.link, never)
  await asked.promise
  runner.abandon('asker')
  await expect(outcome).rejects.toMatchObject({ code: 'STALE' })
  // What was under way is committed after all; that is no answer any more.
  commit.resolve(undefined)
  await answered.promise
  expect(told.map(({ ask, error }) => [ask, error?.code]).sort()).toEqual([
    [1, undefined],
    [2, 'STALE'],
    [3, 'STALE'],
  ])
  expect(attempts).toBe(1)
  await Promise.all([expect(watched).rejects.toMatchObject({ code: 'UNAVAILABLE' }), runner.close()])
})
