// W1: a cause is what this gateway signed, to the last character, for as long as it said; nothing else is one.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Cause, Causes } from '../../src/access/cause.ts'
import { CAUSE_LENGTH_MAX } from '../../src/protocol/connect.ts'
import { FakeClock } from '../fakes/clock.ts'

const NOW = 1_800_000_000_000
const clock = new FakeClock(NOW)
const causes = new Causes('a1'.repeat(32), clock)

// Ids of runs come from clients and may hold anything; well-formed text, as all that crosses a wire.
const cause: fc.Arbitrary<Cause> = fc.record({
  runId: fc.string({ unit: 'binary', minLength: 1, maxLength: 150 }),
  attempt: fc.nat(),
  callId: fc.tuple(fc.nat(), fc.nat()).map(([entry, ordinal]) => `${entry}:${ordinal}`),
  expiresAtMs: fc.integer({ min: NOW + 1, max: NOW + 86_400_000 }),
})

describe('W1: causes', () => {
  test('what was signed is read again, and fits where it has to travel', () => {
    fc.assert(
      fc.property(cause, signed => {
        const text = causes.sign(signed)
        expect(causes.verify(text)).toEqual({ cause: signed })
        expect(text).toMatch(/^[\w-]+\.[\w-]+$/)
        expect(text.length).toBeLessThanOrEqual(CAUSE_LENGTH_MAX)
      }),
    )
  })

  test('no altered text is one: a character changed, dropped, added or doubled, anywhere', () => {
    const character = fc.constantFrom(...'ABab019-_.= \n')
    fc.assert(
      fc.property(
        cause,
        fc.tuple(fc.nat(), fc.constantFrom(0, 1)),
        fc.option(character),
        (signed, [place, dropped], added) => {
          const text = causes.sign(signed)
          const at = place % (text.length + 1)
          const altered = text.slice(0, at) + (added ?? '') + text.slice(at + dropped)
          fc.pre(altered !== text)
          expect(causes.verify(altered)).toEqual({ refused: 'not ours' })
          expect(causes.verify(`${text}${added ?? 'x'}`)).toEqual({ refused: 'not ours' })
        },
      ),
    )
  })

  test('the parts of two causes make no third', () => {
    fc.assert(
      fc.property(cause, cause, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other))
        const [said] = causes.sign(one).split('.')
        const [, mac] = causes.sign(other).split('.')
        expect(causes.verify(`${said}.${mac}`)).toEqual({ refused: 'not ours' })
      }),
    )
  })

  test('none of another secret is one', () => {
    const secret = fc.stringMatching(/^[0-9a-f]{64}$/)
    fc.assert(
      fc.property(cause, secret, (signed, other) => {
        fc.pre(other !== 'a1'.repeat(32))
        expect(causes.verify(new Causes(other, clock).sign(signed))).toEqual({ refused: 'not ours' })
      }),
    )
  })

  test('none is one from the instant at which it expires', async () => {
    const moving = new FakeClock(NOW)
    const own = new Causes('b2'.repeat(32), moving)
    const text = own.sign({ runId: 'r', attempt: 1, callId: '4:0', expiresAtMs: NOW + 1_000 })
    await moving.advance(999)
    expect(own.verify(text)).toHaveProperty('cause')
    await moving.advance(1)
    expect(own.verify(text)).toEqual({ refused: 'expired' })
  })

  test('no text at all makes it throw', () => {
    const text = fc.oneof(fc.string(), fc.base64String(), fc.constantFrom('', '.', '..', 'x.', '.x'))
    fc.assert(
      fc.property(text, any => {
        expect(causes.verify(any)).toEqual({ refused: 'not ours' })
      }),
    )
    expect(causes.verify(`${'x'.repeat(CAUSE_LENGTH_MAX)}.`)).toEqual({ refused: 'not ours' })
  })
})
