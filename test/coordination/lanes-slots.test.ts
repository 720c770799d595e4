// Lanes keep order, slots park: the two things that a turn holds, and what is left of them when it ends anyhow.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Lanes } from '../../src/coordination/lanes.ts'
import { type Slot, Slots } from '../../src/coordination/slots.ts'
import { WaitGraph } from '../../src/coordination/wait-graph.ts'
import { settled } from '../fakes/clock.ts'

const NEVER = new AbortController().signal

describe('lanes', () => {
  function lanesWithLog() {
    const graph = new WaitGraph()
    const lanes = new Lanes(graph)
    const entered: string[] = []
    const queue = (key: string, id: string) => lanes.queue(key, id, { nowMs: 0, enter: () => entered.push(id) })
    return { graph, lanes, entered, queue }
  }

  test('one run at a time per session, in order; other sessions are not behind it', () => {
    const { lanes, entered, queue } = lanesWithLog()
    queue('a', '1')
    queue('a', '2')
    queue('b', '3')
    queue('a', '4')
    expect(entered).toEqual(['1', '3'])
    lanes.leave('a', '1')
    expect(entered).toEqual(['1', '3', '2'])
    expect(lanes.waiting('a')).toEqual(['4'])
  })

  test('W7: a run that leaves the queue is never entered, and nothing is left of any', () => {
    const { graph, lanes, entered, queue } = lanesWithLog()
    queue('a', '1')
    queue('a', '2')
    lanes.leave('a', '2')
    lanes.leave('a', '1')
    expect(entered).toEqual(['1'])
    expect([lanes.heldCount, lanes.waitingCount, graph.list().length]).toEqual([0, 0, 0])
  })
})

describe('W5: slots', () => {
  test('W5: with a limit of 1, a holder that parks lets another finish and comes back before newcomers', async () => {
    const slots = new Slots({ turns: 1 })
    const order: string[] = []
    const first = await slots.take(['turns'], NEVER)
    const second = slots.take(['turns'], NEVER).then(slot => taken(order, 'second', slot))
    const third = slots.take(['turns'], NEVER).then(slot => taken(order, 'third', slot))
    first.park()
    const other = await second
    const back = first.resume(NEVER).then(() => order.push('first again'))
    await settled()
    other.release()
    await back
    expect(order).toEqual(['second', 'first again'])
    first.release()
    ;(await third).release()
    expect(order).toEqual(['second', 'first again', 'third'])
    expect([slots.takenCount, slots.parkedCount, slots.waitingCount]).toEqual([0, 0, 0])
  })

  test('W5: an abort while waiting takes nothing, also for one that wants to come back', async () => {
    const slots = new Slots({ turns: 1 })
    const held = await slots.take(['turns'], NEVER)
    const gone = new AbortController()
    const waiting = slots.take(['turns'], gone.signal)
    gone.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    const other = slots.take(['turns'], NEVER)
    held.park()
    const otherSlot = await other
    const back = new AbortController()
    const resuming = held.resume(back.signal)
    back.abort(new Error('stopped'))
    await expect(resuming).rejects.toThrow('stopped')
    held.release()
    otherSlot.release()
    expect([slots.takenCount, slots.parkedCount, slots.waitingCount]).toEqual([0, 0, 0])
  })

  test('W5: a wait inside another parks nothing, and the slot is taken again by the outer, whichever ends first', async () => {
    const slots = new Slots({ turns: 1 })
    const slot = await slots.take(['turns'], NEVER)
    expect([slot.park(), slot.park()]).toEqual([true, false])
    expect([slots.takenCount, slots.parkedCount]).toEqual([0, 1])
    await slot.resume(NEVER)
    expect([slots.takenCount, slots.parkedCount]).toEqual([1, 0])
    await slot.resume(NEVER)
    expect([slots.takenCount, slots.parkedCount]).toEqual([1, 0])
  })

  test('W2: one that waits for a full pool holds no place in another, and keeps nobody else waiting', async () => {
    const slots = new Slots({ turns: 2, jobs: 1 })
    const job = await slots.take(['turns', 'jobs'], NEVER)
    const second = slots.take(['turns', 'jobs'], NEVER)
    const chat = await slots.take(['turns'], NEVER)
    expect(slots.pools()).toEqual([
      { name: 'turns', limit: 2, taken: 2, waiting: 1 },
      { name: 'jobs', limit: 1, taken: 1, waiting: 1 },
    ])
    job.release()
    ;(await second).release()
    chat.release()
    expect(slots.pools().map(pool => pool.taken)).toEqual([0, 0])
  })

  test('W5: a slot widened by a provider holds nothing while it waits for it, and gives back just that', async () => {
    const slots = new Slots({ turns: 2, 'provider:p': 1 })
    const [one, two] = [await slots.take(['turns'], NEVER), await slots.take(['turns'], NEVER)]
    await one.widen('provider:p', NEVER)
    const asked = two.widen('provider:p', NEVER)
    await settled()
    expect([slots.takenCount, slots.parkedCount, slots.waitingCount]).toEqual([1, 1, 1])
    const other = await slots.take(['turns'], NEVER)
    other.release()
    one.narrow('provider:p')
    await asked
    two.release()
    one.release()
    expect([slots.takenCount, slots.parkedCount, slots.pools().map(pool => pool.taken)]).toEqual([0, 0, [0, 0]])
  })

  test('limits are replaced while slots are held: more room is used at once, less as places come back', async () => {
    const slots = new Slots({ turns: 1 })
    const one = await slots.take(['turns'], NEVER)
    const second = slots.take(['turns'], NEVER)
    slots.limit({ turns: 2 })
    const two = await second
    slots.limit({ turns: 1 })
    const third = slots.take(['turns'], NEVER)
    one.release()
    await settled()
    expect(slots.waitingCount).toBe(1)
    two.release()
    ;(await third).release()
    expect(slots.takenCount).toBe(0)
  })

  test('W5: whatever turns do with their slots, no pool is ever over its limit and all comes back', async () => {
    const act = fc.record({
      who: fc.nat(2),
      what: fc.constantFrom('take', 'park', 'resume', 'widen', 'narrow', 'release', 'abort'),
      pools: fc.subarray(['turns', 'jobs', 'agent:a'], { minLength: 1 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 30, maxLength: 90 }), async acts => {
        const slots = new Slots({ turns: 2, jobs: 1, 'provider:p': 1 })
        const people = Array.from({ length: 3 }, () => new Person(slots))
        for (const { who, what, pools } of acts) {
          people[who]?.do(what, pools)
          await settled()
          for (const pool of slots.pools()) expect(pool.taken).toBeLessThanOrEqual(pool.limit)
        }
        for (const person of people) await person.leave()
        expect([slots.takenCount, slots.parkedCount, slots.waitingCount]).toEqual([0, 0, 0])
        expect(slots.pools().map(pool => pool.taken + pool.waiting)).toEqual([0, 0, 0])
      }),
      { numRuns: 200 },
    )
  })
})

/** Somebody with at most one slot, who waits for one thing at a time. */
class Person {
  readonly #slots: Slots
  #slot: Slot | undefined
  #parks = 0
  #wait: Promise<unknown> | undefined
  #gone = new AbortController()

  constructor(slots: Slots) {
    this.#slots = slots
  }

  do(what: string, pools: readonly string[]): void {
    if (what === 'abort') this.#gone.abort(new Error('gone'))
    if (what === 'take' && !this.#slot && !this.#wait)
      this.#waitFor(this.#slots.take(pools, this.#gone.signal).then(slot => (this.#slot = slot)))
    if (!this.#slot || this.#wait) return
    if (what === 'park') {
      this.#slot.park()
      this.#parks += 1
    }
    if (what === 'resume' && this.#parks > 0) {
      this.#parks -= 1
      this.#waitFor(this.#slot.resume(this.#gone.signal))
    }
    if (what === 'widen') this.#waitFor(this.#slot.widen('provider:p', this.#gone.signal))
    if (what === 'narrow') this.#slot.narrow('provider:p')
    if (what === 'release' && this.#parks === 0) this.#end()
  }

  async leave(): Promise<void> {
    this.#gone.abort(new Error('gone'))
    await this.#wait
    while (this.#slot && this.#parks > 0) {
      this.#parks -= 1
      await this.#slot.resume(this.#gone.signal).catch(() => undefined)
    }
    this.#end()
  }

  #waitFor(wait: Promise<unknown>): void {
    this.#wait = wait.catch(() => undefined).finally(() => (this.#wait = undefined))
  }

  #end(): void {
    this.#slot?.release()
    this.#slot = undefined
    this.#gone = new AbortController()
  }
}

function taken(order: string[], name: string, slot: Slot): Slot {
  order.push(name)
  return slot
}
