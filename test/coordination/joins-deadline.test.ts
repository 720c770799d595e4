// Waits and bounds: what parks, what stands still, and what a time-out says.
import { describe, expect, test } from 'vitest'
import type { SluiceError } from '../../src/base/errors.ts'
import { Deadline } from '../../src/coordination/deadline.ts'
import { Joins, type Standing } from '../../src/coordination/joins.ts'
import { Slots } from '../../src/coordination/slots.ts'
import { WaitGraph } from '../../src/coordination/wait-graph.ts'
import { FakeClock, settled } from '../fakes/clock.ts'

const NEVER = new AbortController().signal
const notYet = () => undefined

async function turn(clock: FakeClock, slots: Slots, id: string): Promise<Standing> {
  return {
    node: `run:${id}`,
    slot: await slots.take(['turns'], NEVER),
    deadline: new Deadline(clock, 1_000, { what: 'The turn' }),
  }
}

describe('joins', () => {
  test('W5, W6: a joining turn gives its slot back and its time stands still; both come back with the end', async () => {
    const clock = new FakeClock()
    const [graph, slots] = [new WaitGraph(), new Slots({ turns: 1 })]
    const joins = new Joins<string>(graph, clock)
    const standing = await turn(clock, slots, '1')
    await clock.advance(600)
    const wait = joins.wait('2', notYet, { standing, timeoutMs: 60_000, signal: NEVER })
    expect([slots.takenCount, slots.parkedCount, graph.list().length]).toEqual([0, 1, 1])
    await clock.advance(30_000)
    expect(standing.deadline.expired).toBe(false)
    joins.settle('2', 'ended')
    await expect(wait).resolves.toBe('ended')
    expect([slots.takenCount, slots.parkedCount, graph.list().length]).toEqual([1, 0, 0])
    await clock.advance(399)
    expect(standing.deadline.expired).toBe(false)
    await clock.advance(2)
    expect(standing.deadline.expired).toBe(true)
  })

  test('W6: a time-out of the wait ends only the wait', async () => {
    const clock = new FakeClock()
    const joins = new Joins<string>(new WaitGraph(), clock)
    const wait = joins.wait('2', notYet, { standing: undefined, timeoutMs: 5_000, signal: NEVER })
    const longer = joins.wait('2', notYet, { standing: undefined, timeoutMs: 50_000, signal: NEVER })
    await clock.advance(5_000)
    await expect(wait).resolves.toBeUndefined()
    joins.settle('2', 'ended')
    await expect(longer).resolves.toBe('ended')
    expect([joins.waitingCount, clock.timers]).toEqual([0, 0])
  })

  test('a run that has ended is not waited for', async () => {
    const joins = new Joins<string>(new WaitGraph(), new FakeClock())
    const options = { standing: undefined, timeoutMs: 1, signal: NEVER }
    await expect(joins.wait('2', () => 'ended', options)).resolves.toBe('ended')
  })

  test('W4: two turns that wait for each other: the second is refused and keeps its slot', async () => {
    const clock = new FakeClock()
    const slots = new Slots({ turns: 2 })
    const joins = new Joins<string>(new WaitGraph(), clock)
    const [one, two] = [await turn(clock, slots, '1'), await turn(clock, slots, '2')]
    const first = joins.wait('2', notYet, { standing: one, timeoutMs: 1_000, signal: NEVER })
    const second = joins.wait('1', notYet, { standing: two, timeoutMs: 1_000, signal: NEVER })
    await expect(second).rejects.toMatchObject({ code: 'WOULD_DEADLOCK' })
    expect(slots.takenCount).toBe(1)
    joins.settle('2', 'ended')
    await first
    expect(slots.takenCount).toBe(2)
  })

  test('an abort of the waiter ends the wait with its reason', async () => {
    const joins = new Joins<string>(new WaitGraph(), new FakeClock())
    const gone = new AbortController()
    const wait = joins.wait('2', notYet, { standing: undefined, timeoutMs: 1_000, signal: gone.signal })
    gone.abort(new Error('closed'))
    await expect(wait).rejects.toThrow('closed')
    expect(joins.waitingCount).toBe(0)
  })
})

describe('W6: deadlines', () => {
  test('W6: work that says what became of it after its deadline is believed', async () => {
    const clock = new FakeClock()
    const deadline = new Deadline(clock, 100, { what: 'cron.add' })
    const work = Promise.withResolvers<string>()
    const answer = deadline.lastWord(work.promise)
    await clock.advance(150)
    expect(deadline.signal.aborted).toBe(true)
    work.resolve('committed')
    await expect(answer).resolves.toBe('committed')
  })

  test('W6: work that stays silent is answered as unknown, not as undone', async () => {
    const clock = new FakeClock()
    const deadline = new Deadline(clock, 100, { what: 'cron.add' })
    const answer = deadline.lastWord(new Promise<never>(() => undefined)).catch((error: SluiceError) => error)
    await clock.advance(10_000)
    expect(await answer).toMatchObject({ code: 'TIMEOUT', outcome: 'unknown' })
  })

  test('W6: waits nest: the time runs again when the last of them has ended', async () => {
    const clock = new FakeClock()
    const deadline = new Deadline(clock, 100, { what: 'The turn' })
    deadline.pause()
    deadline.pause()
    deadline.run()
    await clock.advance(10_000)
    expect(deadline.expired).toBe(false)
    deadline.run()
    await clock.advance(99)
    expect(deadline.expired).toBe(false)
    await clock.advance(1)
    expect(deadline.expired).toBe(true)
  })

  test('a wait inside work is not counted, and an ended deadline never fires', async () => {
    const clock = new FakeClock()
    const deadline = new Deadline(clock, 100, { what: 'agent.wait' })
    const gate = Promise.withResolvers<void>()
    const wait = deadline.standStill(() => gate.promise)
    await clock.advance(10_000)
    expect(deadline.expired).toBe(false)
    gate.resolve()
    await wait
    deadline.end()
    await clock.advance(10_000)
    await settled()
    expect([deadline.expired, clock.timers]).toEqual([false, 0])
  })
})
