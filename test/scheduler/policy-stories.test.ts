// Every pair of catch-up and overlap, told by the naive model and lived by the production rooms: a job whose runs take
// their time, a gateway that is lost in the middle of it and comes back, and the ledger that both must have.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MINUTE, SECOND } from '../../src/base/durations.ts'
import { FakeClock } from '../fakes/clock.ts'
import { openHouse, type Play, text } from '../fakes/house.ts'
import { type Story, tell } from './naive-model.ts'

const stories: fc.Arbitrary<Story & { readonly every: number }> = fc
  .record({
    catchUp: fc.constantFrom('skip' as const, 'latest' as const, 'all' as const),
    window: fc.option(fc.integer({ min: 0, max: 60 }), { nil: undefined }),
    overlap: fc.constantFrom('skip' as const, 'queue-one' as const, 'queue-all' as const, 'cancel-previous' as const),
    every: fc.integer({ min: 4, max: 15 }),
    takes: fc.integer({ min: 1, max: 30 }),
    downAt: fc.integer({ min: 1, max: 60 }),
    downFor: fc.integer({ min: 1, max: 90 }),
  })
  .map(({ downAt, downFor, ...story }) => {
    const until = 160
    const due = Array.from({ length: Math.floor(until / story.every) }, (_, index) => (index + 1) * story.every)
    return { ...story, due, until, down: [downAt, downAt + downFor] as const }
  })

/** A minute of the model takes place half a second before the clock's, so that what ends in it has ended. */
const AFTER_MS = 500

async function live({ catchUp, window, overlap, every, takes, down, until }: Story & { every: number }) {
  const clock = new FakeClock()
  const startMs = clock.now()
  const model =
    (lost: { is: boolean }): Play =>
    async ({ signal }) => {
      await new Promise<void>(resolve => {
        clock.after(takes * MINUTE - SECOND, () => lost.is || resolve())
        signal.addEventListener('abort', () => lost.is || resolve())
      })
      return signal.aborted ? { type: 'failed', kind: 'aborted', message: 'stopped' } : text('done')
    }
  const first = { is: false }
  const before = await openHouse(model(first), { clock })
  const job = await before.call('cron.add', {
    name: 'story',
    schedule: { kind: 'every', everyMs: every * MINUTE, anchorMs: startMs },
    payload: { kind: 'agentTurn', message: 'x', timeoutSeconds: 86_400 },
    // The model knows no gap between those that are made up for at once; that has tests of its own.
    policy: { catchUp, overlap, staggerMs: 0, ...(window !== undefined && { catchUpWindowMs: window * MINUTE }) },
  })
  await clock.advance(down[0] * MINUTE - AFTER_MS)
  first.is = true
  await before.leave()
  await clock.advance((down[1] - down[0]) * MINUTE + AFTER_MS)
  const after = await openHouse(model({ is: false }), { clock, folder: before.folder })
  await clock.advance((until - down[1]) * MINUTE + AFTER_MS)
  const states = ['running', 'ok', 'failed', 'timed-out', 'cancelled', 'skipped', 'unknown'] as const
  const { entries } = await after.call('cron.runs', { id: job.id, states: [...states], limit: 500 })
  await after.close()
  const lived = new Map<number, string>()
  for (const { nominalAtMs = 0, toMs = nominalAtMs, state, error } of entries) {
    for (let atMs = nominalAtMs; atMs <= toMs; atMs += every * MINUTE) {
      const word = state === 'running' ? 'open' : error?.startsWith('missed') ? 'missed' : state
      lived.set((atMs - startMs) / MINUTE, word)
    }
  }
  return lived
}

const sorted = (told: ReadonlyMap<number, string>) => [...told].sort(([a], [b]) => a - b)

// bound: about 10 s on an idle core.
test('L3: catch-up and overlap are as the model tells, through a crash', { timeout: 180_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(stories, async story => {
      expect(sorted(await live(story))).toEqual(sorted(tell(story)))
    }),
    { numRuns: 25 },
  )
})
