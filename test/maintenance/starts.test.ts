// Deaths are told from clean stops, and three of them in five minutes hold work back; by a clock that may jump.
import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { MINUTE, SECOND } from '../../src/base/durations.ts'
import { nodeRandom } from '../../src/base/node/world.ts'
import type { Files } from '../../src/base/world.ts'
import { markStart } from '../../src/maintenance/starts.ts'

const NOON = Date.UTC(2026, 10, 22, 12)
let nowMs = NOON
let kept: string | undefined
let isFull = false

beforeEach(() => {
  nowMs = NOON
  kept = undefined
  isFull = false
})

const files: Files = {
  readText: () => kept,
  writePrivateText: (_path, text) => {
    if (isFull) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
    kept = text
  },
  ensurePrivateFolder: () => undefined,
}
const clock = { now: () => nowMs, monotonic: () => 0, after: () => ({ cancel: () => undefined }) }
const start = () => markStart('/state', { files, clock, random: nodeRandom })

test('L2: a stop that was not clean is seen by the next start, and a clean one is not', () => {
  expect(start().afterDeath).toBe(false)
  const second = start()
  expect(second.afterDeath).toBe(true)
  second.stoppedCleanly()
  expect(start().afterDeath).toBe(false)
})

test('a check that a death made due stays due, over clean stops, until one has found the store whole', () => {
  expect(start().checkDue).toBe(false)
  const afterDeath = start()
  expect(afterDeath.checkDue).toBe(true)
  // Stopped before its check ended, or with damage found.
  afterDeath.stoppedCleanly()
  const next = start()
  expect([next.afterDeath, next.checkDue]).toEqual([false, true])
  next.stoppedCleanly()
  const checked = start()
  expect(checked.checkDue).toBe(true)
  checked.foundWhole()
  checked.stoppedCleanly()
  expect(start().checkDue).toBe(false)
  // A check found it whole, and then it died: that is another one.
  const again = start()
  again.foundWhole()
  const other = start()
  expect([other.afterDeath, other.checkDue]).toEqual([true, true])
  again.foundWhole()
  other.stoppedCleanly()
  expect(start().checkDue).toBe(true)
})

test('L2: three deaths in five minutes hold work back, and say how to go on; a restart then does', () => {
  for (let n = 0; n < 3; n += 1) {
    expect(start().heldBack).toBeUndefined()
    nowMs += MINUTE
  }
  const held = start()
  expect(held.heldBack).toMatch(/died 3 times within 5 minutes.*Nothing is lost.*sluice gateway restart/)
  held.stoppedCleanly()
  const resumed = start()
  expect([resumed.afterDeath, resumed.heldBack]).toEqual([false, undefined])
  // What still kills it is held back at once.
  expect(start().heldBack).toBeDefined()
})

test('L2: the window is five minutes, to the millisecond', () => {
  const heldAfter = (gapsMs: readonly number[]) => {
    kept = undefined
    nowMs = NOON
    start()
    let held: string | undefined
    for (const gapMs of gapsMs) {
      nowMs += gapMs
      held = start().heldBack
    }
    return held !== undefined
  }
  expect(heldAfter([SECOND, 2 * MINUTE, 3 * MINUTE])).toBe(true)
  expect(heldAfter([SECOND, 2 * MINUTE, 3 * MINUTE + 1])).toBe(false)
  expect(heldAfter([SECOND, SECOND])).toBe(false)
})

test('L2: whatever the clock does, work is held back exactly when the third death is near two others', () => {
  const step = fc.record({ byMs: fc.integer({ min: -20 * MINUTE, max: 20 * MINUTE }), isClean: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), steps => {
      kept = undefined
      nowMs = NOON
      let last = start()
      let deaths: number[] = []
      for (const { byMs, isClean } of steps) {
        nowMs += byMs
        if (isClean) last.stoppedCleanly()
        last = start()
        deaths = deaths.filter(atMs => nowMs - 5 * MINUTE <= atMs && atMs <= nowMs + 5 * MINUTE)
        if (!isClean) deaths.push(nowMs)
        expect(last.heldBack !== undefined).toBe(!isClean && deaths.length >= 3)
      }
    }),
  )
})

test('T3: the clean stop of a gateway that was followed by another does not speak for that one', () => {
  const first = start()
  start()
  first.stoppedCleanly()
  expect(start().afterDeath).toBe(true)
})

test('a mark that cannot be understood counts as no clean stop; one that cannot be written stops the start', () => {
  for (const text of ['', '{', '[]', 'null', '{"running":7,"deathsMs":[]}', '{"running":null}']) {
    kept = text
    expect(start().afterDeath, text).toBe(true)
  }
  isFull = true
  expect(start).toThrow(/starts\.json cannot be kept \(no space left\)\. Free space/)
})
