// What of a transcript is summarised: over drawn journals, cut anywhere and stopped between any two entries, the model is
// shown pairs alone, all that the present turn did, and nothing that a summary stands for.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Entry, EntryBody } from '../../src/store/rows.ts'
import { askedPlan, type CompactionPlan, duePlan, planCompaction, triesOf } from '../../src/turns/compaction.ts'
import { buildContext } from '../../src/turns/context.ts'
import { callId } from '../../src/turns/loop.ts'

class Journal {
  readonly entries: Entry[] = []

  add(runId: string | undefined, body: EntryBody): number {
    const id = this.entries.length + 1
    this.entries.push({ id, runId, sessionKey: 's', sessionId: '1', createdAtMs: 0, body })
    return id
  }

  said(runId: string, words: string): number {
    return this.add(runId, { kind: 'input', text: words })
  }

  answer(runId: string, words: string, calls = 0): number {
    const made = Array.from({ length: calls }, (_, ordinal) => ({ ordinal, name: 't', args: {} }))
    return this.add(runId, { kind: 'message', text: words, calls: made, model: 'm' })
  }

  compact(runId: string, { keptFrom, summarised, kept }: CompactionPlan, summary = 'in short'): void {
    this.add(runId, { kind: 'compaction', summary, keptFrom, summarised, kept, model: 'm' })
  }

  get keptFrom(): number {
    return this.entries.reduce((from, { body }) => (body.kind === 'compaction' ? body.keptFrom : from), 0)
  }
}

/** As the store reads it: the newest summary, and what it kept. */
function read(journal: Journal): Entry[] {
  const newest = journal.entries.findLast(({ body }) => body.kind === 'compaction')
  const kept = journal.entries.filter(({ id }) => id >= journal.keptFrom)
  return newest && !kept.includes(newest) ? [newest, ...kept] : kept
}

function expectWhole(journal: Journal, runId: string): void {
  const { messages, pending, said } = buildContext(read(journal), runId)
  // Whoever reads more than he needs sees the same.
  expect(buildContext(journal.entries, runId)).toEqual({ messages, pending, said, answered: expect.any(Boolean) })
  const asked = messages.flatMap(message => (message.role === 'assistant' ? message.calls.map(call => call.id) : []))
  const answered = messages.flatMap(message => (message.role === 'tool' ? [message.callId] : []))
  expect([...answered, ...pending.map(call => call.id)].toSorted()).toEqual(asked.toSorted())
  expect(new Set(answered).size).toBe(answered.length)
  // A result follows its own call before anybody says anything else.
  for (const [index, message] of messages.entries()) {
    if (message.role !== 'tool') continue
    const before = messages.slice(0, index).findLast(({ role }) => role !== 'tool')
    expect(before?.role === 'assistant' && before.calls.map(call => call.id)).toContain(message.callId)
  }
  const own = journal.entries.filter(entry => entry.runId === runId)
  const results = new Set(
    own.flatMap(({ body }) => (body.kind === 'result' ? [callId(body.message, body.ordinal)] : [])),
  )
  const open = own.flatMap(({ id, body }) =>
    body.kind === 'message'
      ? body.calls.map(({ ordinal }) => callId(id, ordinal)).filter(each => !results.has(each))
      : [],
  )
  expect(pending.map(call => call.id)).toEqual(open)
  expect(said).toEqual(own.flatMap(({ body }) => (body.kind === 'message' ? [body.text] : [])))
  const inputs = journal.entries.filter(({ id, body }) => body.kind === 'input' && id >= journal.keptFrom)
  const shown = messages.flatMap(message => (message.role === 'user' && !message.isSummary ? [message.text] : []))
  expect(shown).toEqual(inputs.map(({ body }) => body.kind === 'input' && body.text))
  expect(messages.filter(message => message.role === 'user' && message.isSummary)).toHaveLength(
    journal.keptFrom > 0 ? 1 : 0,
  )
}

const compactAt = fc.option(fc.record({ length: fc.nat(60), entries: fc.integer({ min: 1, max: 20 }) }), {
  freq: 2,
  nil: undefined,
})
const step = fc.record({
  calls: fc.nat(3),
  answered: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
  notice: fc.boolean(),
  steered: fc.boolean(),
  compact: compactAt,
})
const turns = fc.array(fc.record({ compact: compactAt, steps: fc.array(step, { maxLength: 4 }) }), {
  minLength: 1,
  maxLength: 8,
})

type Drawn = typeof turns extends fc.Arbitrary<(infer T)[]> ? T : never
type Keep = Drawn['compact']

/** A life of turns; after each entry, all that is so far is what a crash would leave, and is judged. */
class Life {
  readonly journal = new Journal()
  compactions = 0

  #compact(runId: string, keep: Keep): void {
    const before = this.journal.keptFrom
    const plan = keep && planCompaction(read(this.journal), runId, { lengthMax: 1_000, keep, gain: 0 })
    if (!plan) return
    this.journal.compact(runId, plan)
    this.compactions += 1
    expect(this.journal.keptFrom).toBeGreaterThan(before)
    expect(plan.summarised).toBeGreaterThan(0)
    expectWhole(this.journal, runId)
  }

  turn(runId: string, { compact, steps }: Drawn, isLast: boolean): void {
    this.journal.said(runId, `said in ${runId}`)
    expectWhole(this.journal, runId)
    this.#compact(runId, compact)
    for (const [at, step] of steps.entries()) this.#step(runId, step, isLast && at === steps.length - 1)
    this.journal.add(runId, { kind: 'end', state: 'ok' })
    expectWhole(this.journal, 'another')
  }

  /** Only the last step of all may be left open; an input that joins the turn comes after its calls. */
  #step(runId: string, { calls, answered, notice, steered, compact }: Drawn['steps'][number], isLast: boolean): void {
    const { journal } = this
    journal.add(runId, { kind: 'attempt', model: 'm' })
    const message = journal.answer(runId, `${runId}: ${journal.entries.length}`, calls)
    expectWhole(journal, runId)
    if (notice) journal.add(undefined, { kind: 'notice', id: `n${message}`, text: 'note', atMs: 0 })
    if (isLast) this.#compact(runId, compact)
    for (let ordinal = 0; ordinal < calls; ordinal += 1) {
      if (isLast && !answered[ordinal]) continue
      journal.add(runId, { kind: 'result', message, ordinal, name: 't', text: 'so', isError: false })
      expectWhole(journal, runId)
    }
    if (steered && !isLast) journal.said(runId, `steered ${message}`)
    this.#compact(runId, compact)
  }
}

describe('L2: whatever is summarised, and wherever it is stopped', () => {
  test('L2: no call is without its result, the present turn is whole, and nothing is shown twice', () => {
    let compactions = 0
    const property = fc.property(turns, drawn => {
      const life = new Life()
      for (const [index, turn] of drawn.entries()) life.turn(`r${index}`, turn, index === drawn.length - 1)
      compactions += life.compactions
    })
    fc.assert(property, { numRuns: 300 })
    expect(compactions).toBeGreaterThan(100)
  })
})

describe('when and what', () => {
  const long = (turnCount: number, length: number) => {
    const journal = new Journal()
    for (let turn = 1; turn <= turnCount; turn += 1) {
      journal.said(`r${turn}`, `question ${turn}`)
      journal.answer(`r${turn}`, 'x'.repeat(length))
    }
    journal.said('now', 'and now?')
    return journal
  }

  test('nothing is due while there is room', () => {
    expect(duePlan(long(6, 1_100).entries, 'now', 10_000)).toBeUndefined()
  })

  test('what is due keeps the newest third of the room and summarises what is older, calls and results too', () => {
    const plan = duePlan(long(7, 1_000).entries, 'now', 10_000)
    expect(plan).toMatchObject({ keptFrom: 11, summarised: 10, kept: 5 })
    expect(plan?.material.split('\n')[0]).toBe('User: question 1')
    expect(plan?.material).toContain('question 5')
    expect(plan?.material).not.toContain('question 6')
  })

  test('many short entries are due too, before a turn reads fewer than there are', () => {
    const plan = duePlan(long(200, 1).entries, 'now', 1_000_000)
    expect(plan?.kept).toBeLessThanOrEqual(150)
    expect(plan?.summarised).toBeGreaterThan(250)
  })

  test('a present turn that is long by itself is no reason to summarise a little', () => {
    const journal = long(1, 100)
    journal.answer('now', 'y'.repeat(9_000), 1)
    expect(duePlan(journal.entries, 'now', 10_000)).toBeUndefined()
  })

  test('the material has room beside the last summary; what is missing is said', () => {
    const journal = long(40, 1_000)
    const plan = duePlan(journal.entries, 'now', 10_000) as CompactionPlan
    expect(plan.material.length).toBeLessThanOrEqual(8_100)
    expect(plan.material).toMatch(/^\(\d+ older lines are missing\.\)\n/)
    journal.compact('now', plan, 'the story so far')
    for (let turn = 50; turn < 60; turn += 1) journal.answer('later', 'z'.repeat(1_000))
    journal.said('next', 'next')
    expect(duePlan(journal.entries, 'next', 10_000)?.material).toMatch(
      /^Summary of what came before:\nthe story so far\n/,
    )
  })

  test('who asks for it says how many entries are kept; a short conversation stays as it is', () => {
    const journal = long(4, 10)
    const lengthMax = 100_000
    expect(askedPlan(journal.entries, 'now', { lengthMax, entriesMax: undefined })).toBeUndefined()
    expect(askedPlan(journal.entries, 'now', { lengthMax, entriesMax: 4 })).toMatchObject({ keptFrom: 7, kept: 3 })
    expect(askedPlan(journal.entries, 'now', { lengthMax, entriesMax: 9 })).toBeUndefined()
  })

  test('requests for a summary are counted until one was written', () => {
    const journal = long(1, 1)
    const ask = () => journal.add('now', { kind: 'attempt', model: 'm', summary: true })
    ask()
    journal.add('now', { kind: 'attempt', model: 'm' })
    ask()
    expect(triesOf(journal.entries, 'now')).toBe(2)
    journal.compact('now', { keptFrom: 3, summarised: 2, kept: 1, length: 0, material: '' })
    ask()
    expect(triesOf(journal.entries, 'now')).toBe(1)
  })
})
