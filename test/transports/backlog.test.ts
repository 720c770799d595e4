// What waits for slow clients is bounded for each and for all together.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BUFFERED_BYTES_ALL_MAX, BUFFERED_BYTES_MAX } from '../../src/protocol/limits.ts'
import { Backlog, UNCOUNTED_BYTES } from '../../src/transports/backlog.ts'

test('one client alone may hold up as much as the protocol says, and no more', () => {
  const backlog = new Backlog<object>()
  const client = {}
  expect(backlog.isTooMuch(client, BUFFERED_BYTES_MAX)).toBe(false)
  expect(backlog.isTooMuch(client, BUFFERED_BYTES_MAX + 1)).toBe(true)
})

test('who adds to what all together hold up is told at the bound, and nobody before it', () => {
  const clients = Array.from({ length: 100 }, (_, name) => ({ name }))
  const step = fc.record({
    client: fc.constantFrom(...clients),
    bytes: fc.oneof(fc.nat(2 * UNCOUNTED_BYTES), fc.integer({ min: 1_000_000, max: BUFFERED_BYTES_MAX })),
    leaves: fc.integer({ min: 0, max: 9 }).map(n => n === 0),
  })
  let bounds = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 200, maxLength: 400 }), steps => {
      const backlog = new Backlog<object>()
      const held = new Map<object, number>()
      for (const { client, bytes, leaves } of steps) {
        held.delete(client)
        if (leaves) backlog.forget(client)
        else {
          if (bytes > UNCOUNTED_BYTES) held.set(client, bytes)
          const all = [...held.values()].reduce((sum, one) => sum + one, 0)
          const isTooMuch = bytes > UNCOUNTED_BYTES && all > BUFFERED_BYTES_ALL_MAX
          if (isTooMuch) bounds += 1
          expect(backlog.isTooMuch(client, bytes)).toBe(isTooMuch)
        }
      }
    }),
  )
  // The property has met the bound.
  expect(bounds).toBeGreaterThan(0)
})
