// The loop and the context it starts from: order of entries, pairing of calls and results, and how turns end.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Model, ModelCall, ModelEvent, ModelMessage } from '../../src/providers/model.ts'
import type { Entry, EntryBody } from '../../src/store/rows.ts'
import { buildContext } from '../../src/turns/context.ts'
import {
  type LoopAnswer,
  type LoopEnd,
  type LoopEvent,
  type LoopInput,
  runLoop,
  type TurnCall,
} from '../../src/turns/loop.ts'

type Answer = Extract<ModelEvent, { type: 'done' | 'failed' }>
const text = (words: string): Answer => ({ type: 'done', text: words, calls: [] })
const calls = (...made: ModelCall[]): Answer => ({ type: 'done', text: '', calls: made })
const call = (name: string, args: unknown = {}): ModelCall => ({ id: 'same-id', name, args })

function scripted(answers: readonly Answer[]): Model & { seen: ModelMessage[][] } {
  const seen: ModelMessage[][] = []
  return {
    ref: 'test/model',
    seen,
    async *stream({ messages }) {
      seen.push([...messages])
      const answer = answers[seen.length - 1] ?? text('done')
      if (answer.type === 'done' && answer.text) yield { type: 'delta', text: answer.text }
      yield answer
    },
  }
}

interface Play extends Partial<LoopInput> {
  readonly model: Model
  /** What people wrote before this event, of which the log says what came before it. */
  readonly merges?: (event: LoopEvent, log: readonly string[]) => ModelMessage[]
}

async function play({ merges = () => [], ...input }: Play): Promise<{ log: string[]; end: LoopEnd }> {
  const log: string[] = []
  const loop = runLoop({
    system: '',
    zone: 'UTC',
    messages: [{ role: 'user', text: 'go' }],
    pending: [],
    said: [],
    answered: false,
    tools: [],
    signal: new AbortController().signal,
    limits: { stepsMax: 10, identicalCallsMax: 3 },
    ...input,
    invoke: async made => {
      log.push(`call ${made.id} ${made.name}`)
      return (await input.invoke?.(made)) ?? { text: `result of ${made.id}`, isError: false }
    },
  })
  let answer: LoopAnswer = { merged: [] }
  let entries = 100
  for (;;) {
    const next = await loop.next(answer)
    if (next.done) return { log, end: next.value }
    log.push(next.value.type)
    if (next.value.type === 'message') entries += 1
    const merged = merges(next.value, log)
    answer = next.value.type === 'message' ? { entry: entries, merged } : { merged }
  }
}

describe('L2: a turn is a journal', () => {
  test('L2: the attempt is handed out before the model is asked, the whole message before any call starts', async () => {
    const model = scripted([calls(call('a'), call('b')), text('bye')])
    const { log, end } = await play({ model })
    expect(log).toEqual(['attempt', 'message', 'call 101:0 a', 'call 101:1 b', 'attempt', 'delta', 'message'])
    expect(end).toEqual({ state: 'ok', reply: 'bye' })
    const second = model.seen[1]?.slice(1)
    expect(second?.map(message => (message.role === 'tool' ? message.callId : message.role))).toEqual([
      'assistant',
      '101:0',
      '101:1',
    ])
  })

  test('T1: two calls that share the provider id are two calls', async () => {
    const { log } = await play({ model: scripted([calls(call('a'), call('a', { n: 1 }))]) })
    expect(log.filter(line => line.startsWith('call'))).toEqual(['call 101:0 a', 'call 101:1 a'])
  })

  test('L2: a resumed turn runs its open calls before it asks again', async () => {
    const pending: TurnCall[] = [{ id: '7:1', entry: 7, ordinal: 1, name: 'b', args: {}, resumed: true }]
    const { log } = await play({ model: scripted([text('bye')]), pending })
    expect(log[0]).toBe('call 7:1 b')
  })
})

describe('how turns end', () => {
  test('a model that fails is data', async () => {
    const { end } = await play({ model: scripted([{ type: 'failed', kind: 'auth', message: 'no key' }]) })
    expect(end).toEqual({ state: 'failed', reply: '', error: 'no key', failure: 'permanent' })
  })

  test('text before a failure is kept in the reply', async () => {
    const first: Answer = { type: 'done', text: 'let me look', calls: [call('a')] }
    const { end } = await play({ model: scripted([first, { type: 'failed', kind: 'unavailable', message: 'gone' }]) })
    expect(end).toEqual({ state: 'failed', reply: 'let me look', error: 'gone', failure: 'transient' })
  })

  test('an abort ends it as aborted and starts no further call', async () => {
    const stop = new AbortController()
    const invoke = async () => {
      stop.abort()
      return { text: '', isError: false }
    }
    const { log, end } = await play({ model: scripted([calls(call('a'), call('b'))]), signal: stop.signal, invoke })
    expect(log).not.toContain('call 101:1 b')
    expect(end.state).toBe('aborted')
  })

  test('identical calls in a row are broken off, different ones are not', async () => {
    const same = await play({ model: scripted(Array.from({ length: 9 }, () => calls(call('a', { x: 1 })))) })
    expect(same.log.filter(line => line.startsWith('call'))).toHaveLength(3)
    expect(same.end).toMatchObject({ state: 'failed', error: expect.stringContaining('a more than 3 times in a row') })
    const different = await play({ model: scripted([0, 1, 2, 3, 4].map(x => calls(call('a', { x })))) })
    expect(different.end.state).toBe('ok')
  })

  test('the limit of steps pauses the turn and says so', async () => {
    const model = scripted(Array.from({ length: 20 }, (_, x) => calls(call('a', { x }))))
    const { end } = await play({ model })
    expect(end).toMatchObject({ state: 'failed', error: expect.stringContaining('10 steps') })
  })
})

describe('L2: what the model sees', () => {
  let id = 0
  const entry = (runId: string, body: EntryBody): Entry => {
    id += 1
    return { id, runId, sessionKey: 's', sessionId: '1', createdAtMs: 0, body }
  }

  test('L2: calls and results are paired whatever the journal holds', () => {
    const step = fc.record({
      calls: fc.nat({ max: 3 }),
      answered: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
      run: fc.nat({ max: 3 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), steps => {
        const entries: Entry[] = []
        for (const one of steps.toSorted((a, b) => a.run - b.run)) {
          const runId = `r${one.run}`
          entries.push(entry(runId, { kind: 'input', text: 'hello' }))
          const made = Array.from({ length: one.calls }, (_, ordinal) => ({ ordinal, name: 't', args: {} }))
          const message = entry(runId, { kind: 'message', text: 'x', calls: made, model: 'm' })
          entries.push(message)
          for (const { ordinal } of made) {
            if (!one.answered[ordinal]) continue
            entries.push(
              entry(runId, { kind: 'result', message: message.id, ordinal, name: 't', text: 'ok', isError: false }),
            )
          }
        }
        const present = 'r3'
        const { messages, pending } = buildContext(entries, present)
        const asked = messages.flatMap(message =>
          message.role === 'assistant' ? message.calls.map(made => made.id) : [],
        )
        const answered = messages.flatMap(message => (message.role === 'tool' ? [message.callId] : []))
        expect([...answered, ...pending.map(made => made.id)].toSorted()).toEqual(asked.toSorted())
        expect(new Set(answered).size).toBe(answered.length)
      }),
      { numRuns: 300 },
    )
  })

  test('a long transcript loses whole turns from its beginning', () => {
    const long = 'x'.repeat(120_000)
    const entries = [1, 2, 3, 4].flatMap(n => [
      entry(`r${n}`, { kind: 'input', text: `${n}` }),
      entry(`r${n}`, { kind: 'message', text: long, calls: [], model: 'm' }),
    ])
    const { messages } = buildContext([...entries, entry('r5', { kind: 'input', text: 'now' })], 'r5')
    expect(messages[0]).toMatchObject({ role: 'user', text: '3' })
    expect(messages.at(-1)).toMatchObject({ role: 'user', text: 'now' })
  })

  test('a notice is seen as said, and the next input stands alone', () => {
    const entries = [
      entry('', { kind: 'notice', id: 'n', text: 'stretch', atMs: 0 }),
      entry('r', { kind: 'input', text: 'hi' }),
    ]
    expect(buildContext(entries, 'r').messages).toEqual([
      { role: 'assistant', text: 'stretch', calls: [] },
      { role: 'user', text: 'hi' },
    ])
  })
})
