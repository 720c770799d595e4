// A chain of models: who answers when others fail, what is told of it, and who is passed over for a while.
import { expect, test } from 'vitest'
import { chooseChain, type ModelsConfig, OFFLINE_REF } from '../../src/providers/choice.ts'
import { Rests, withFallbacks } from '../../src/providers/fallback.ts'
import type { Model, ModelEvent, ModelFailureKind } from '../../src/providers/model.ts'
import { FakeClock } from '../fakes/clock.ts'

const failed = (kind: ModelFailureKind, more: { said?: string; retryAfterMs?: number } = {}): ModelEvent => ({
  ...{ type: 'failed', kind, message: `it is ${kind}.` },
  ...more,
})
const says = (text: string): ModelEvent[] => [
  { type: 'delta', text },
  { type: 'done', text, calls: [] },
]

/** A room of models by ref; what each answers can be changed. */
function room(refs: readonly string[]) {
  const clock = new FakeClock()
  const asked: string[] = []
  const answers: Record<string, ModelEvent[]> = {}
  const links = refs.map(
    (ref): Model => ({
      ref,
      async *stream() {
        asked.push(ref)
        yield* answers[ref] ?? says(`I am ${ref}`)
      },
    }),
  )
  const chain = withFallbacks(links, new Rests(clock))
  const ask = async () => {
    asked.length = 0
    const events: ModelEvent[] = []
    const signal = new AbortController().signal
    for await (const event of chain.stream({ system: '', zone: 'UTC', messages: [], tools: [], signal }))
      events.push(event)
    return events
  }
  return { clock, asked, answers, ask }
}

test('the next model is asked before the first word only, and each switch is told', async () => {
  const { answers, ask } = room(['a/1', 'b/1', 'c/1'])
  answers['a/1'] = [failed('auth')]
  answers['b/1'] = [failed('not-found')]
  expect(await ask()).toEqual([
    { type: 'switched', model: 'b/1', because: 'it is auth.' },
    { type: 'switched', model: 'c/1', because: 'it is not-found.' },
    { type: 'delta', text: 'I am c/1' },
    { type: 'done', text: 'I am c/1', calls: [], model: 'c/1' },
  ])
  answers['a/1'] = [{ type: 'delta', text: 'half' }, failed('cut-off', { said: 'half' })]
  expect(await ask()).toEqual([
    { type: 'delta', text: 'half' },
    { ...failed('cut-off', { said: 'half' }), model: 'a/1' },
  ])
})

test.each(['refused', 'aborted'] as const)('what is %s would be so everywhere: no other is asked', async kind => {
  const { answers, asked, ask } = room(['a/1', 'b/1'])
  answers['a/1'] = [failed(kind)]
  expect(await ask()).toMatchObject([{ type: 'failed', kind }])
  expect(asked).toEqual(['a/1'])
})

test('a model that was down rests, longer each time in a row, and the last one is always asked', async () => {
  const { clock, answers, asked, ask } = room(['a/1', 'b/1'])
  answers['a/1'] = [failed('timed-out')]
  await ask()
  expect(asked).toEqual(['a/1', 'b/1'])
  await clock.advance(29_999)
  expect(await ask()).toContainEqual({ type: 'switched', model: 'b/1', because: 'it is timed-out.' })
  expect(asked).toEqual(['b/1'])
  answers['b/1'] = [failed('unavailable')]
  await ask()
  expect(await ask()).toMatchObject([{ type: 'switched' }, { type: 'failed', kind: 'unavailable', model: 'b/1' }])
  expect(asked).toEqual(['b/1'])
  await clock.advance(1)
  await ask()
  expect(asked).toEqual(['a/1', 'b/1'])
  await clock.advance(59_999)
  await ask()
  expect(asked).toEqual(['b/1'])
  delete answers['a/1']
  await clock.advance(1)
  await ask()
  expect(asked).toEqual(['a/1'])
  answers['a/1'] = [failed('rate-limited', { retryAfterMs: 3_600_000 })]
  await ask()
  await clock.advance(5 * 60_000 - 1)
  await ask()
  expect(asked).toEqual(['b/1'])
  await clock.advance(1)
  await ask()
  expect(asked).toEqual(['a/1', 'b/1'])
})

test('what its owner has to put right is no rest: it is asked each time', async () => {
  const { answers, asked, ask } = room(['a/1', 'b/1'])
  answers['a/1'] = [failed('auth')]
  await ask()
  await ask()
  expect(asked).toEqual(['a/1', 'b/1'])
})

test('the built-in model answers for providers that are down, says so first, and hides no wrong key', async () => {
  const { answers, ask } = room(['a/1', OFFLINE_REF])
  answers['a/1'] = [failed('unavailable')]
  const preface = 'it is unavailable. Until then the built-in offline model answers:\n\n'
  expect(await ask()).toEqual([
    { type: 'switched', model: OFFLINE_REF, because: 'it is unavailable.' },
    { type: 'delta', text: `${preface}I am ${OFFLINE_REF}` },
    { type: 'done', text: `${preface}I am ${OFFLINE_REF}`, calls: [], model: OFFLINE_REF },
  ])
  const other = room(['a/1', OFFLINE_REF])
  other.answers['a/1'] = [failed('auth')]
  expect(await other.ask()).toEqual([{ ...failed('auth'), model: 'a/1' }])
})

test('for the built-in model only one that timed out is passed over: any other is asked again at once', async () => {
  const { answers, asked, ask } = room(['a/1', OFFLINE_REF])
  answers['a/1'] = [failed('unavailable')]
  await ask()
  await ask()
  expect(asked).toEqual(['a/1', OFFLINE_REF])
  answers['a/1'] = [failed('timed-out')]
  await ask()
  await ask()
  expect(asked).toEqual([OFFLINE_REF])
})

test('a chain is the primary model and its fallbacks once each; who names a model gets that one', () => {
  const provider = { baseUrl: 'http://x', api: 'openai-completions' as const, silenceMsMax: 1 }
  const config: ModelsConfig = {
    ...{ primary: 'a/1', fallbacks: ['b/1', 'a/1'], keyNames: {}, zone: 'UTC' },
    providers: { a: provider, b: provider },
  }
  const refs = (options: Parameters<typeof chooseChain>[1]) => {
    const choice = chooseChain(config, options)
    return choice.kind === 'chain' ? choice.links.map(link => link.ref) : choice.ref
  }
  expect(refs({ ref: undefined, offlineLast: true })).toEqual(['a/1', 'b/1', OFFLINE_REF])
  expect(refs({ ref: undefined, offlineLast: false })).toEqual(['a/1', 'b/1'])
  expect(refs({ ref: 'b/1', offlineLast: false })).toBe('b/1')
  expect(refs({ ref: 'b/1', offlineLast: true })).toEqual(['b/1', OFFLINE_REF])
  expect(chooseChain({ ...config, primary: undefined }, { ref: undefined, offlineLast: true }).ref).toBe(OFFLINE_REF)
})
