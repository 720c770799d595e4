// Lanes keep order, slots park: the two things that a turn holds, and what is left of them when it ends anyhow.
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
    const slots = new Slots(1)
    const order: string[] = []
    const first = await slots.take(NEVER)
    const second = slots.take(NEVER).then(slot => taken(order, 'second', slot))
    const third = slots.take(NEVER).then(slot => taken(order, 'third', slot))
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
    const slots = new Slots(1)
    const held = await slots.take(NEVER)
    const gone = new AbortController()
    const waiting = slots.take(gone.signal)
    gone.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    const other = slots.take(NEVER)
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

  test('parks nest: the slot is given back by the first and taken again by the last', async () => {
    const slots = new Slots(1)
    const slot = await slots.take(NEVER)
    slot.park()
    slot.park()
    expect([slots.takenCount, slots.parkedCount]).toEqual([0, 1])
    await slot.resume(NEVER)
    expect(slots.takenCount).toBe(0)
    await slot.resume(NEVER)
    expect([slots.takenCount, slots.parkedCount]).toEqual([1, 0])
  })
})

function taken(order: string[], name: string, slot: Slot): Slot {
  order.push(name)
  return slot
}
