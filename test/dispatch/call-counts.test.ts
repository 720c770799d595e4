// What the one door counts: every call that passes it, by method, with its error and the time it worked, by a clock that
// the test owns.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ErrorCode, SluiceError } from '../../src/base/errors.ts'
import { CallCounts } from '../../src/dispatch/call-counts.ts'
import type { Caller } from '../../src/dispatch/caller.ts'
import { type Call, Dispatcher, type Handlers } from '../../src/dispatch/dispatcher.ts'
import { CATALOGUE, type MethodName } from '../../src/protocol/catalogue.ts'
import { FakeClock } from '../fakes/clock.ts'

const admin: Caller = { principal: 'operator', label: 'test', scopes: new Set(['operator.admin']) }
const nobody: Caller = { ...admin, scopes: new Set() }
/** A bucket is an eighth of a doubling wide. */
const OVER_MAX = 2 ** (1 / 8) + 1e-9

function doorWith(handle: (call: Call<MethodName>, clock: FakeClock) => unknown) {
  const clock = new FakeClock()
  const handler = (call: Call<MethodName>) => handle(call, clock)
  const handlers = Object.fromEntries(Object.keys(CATALOGUE).map(name => [name, handler])) as unknown as Handlers
  const dispatcher = new Dispatcher(handlers, clock)
  const call = (name: string, params: unknown = {}, caller = admin) => dispatcher.call(name, params, { caller })
  return { clock, counts: dispatcher.counts, call }
}

const summary = (counts: CallCounts) =>
  Object.fromEntries(
    counts.list().map(({ method, calls, errors }) => [method, { calls, ...Object.fromEntries(errors) }]),
  )

describe('what is counted', () => {
  test('every call is, by method: those that answer, that fail, that are refused and that nobody knows', async () => {
    const failures: ErrorCode[] = ['BUSY', 'LIMIT', 'BUSY']
    const { counts, call } = doorWith(({ method }) => {
      if (method === 'cron.remove') throw new SluiceError(failures.shift() as ErrorCode, 'no')
      if (method === 'status') throw new TypeError('a defect')
      return method === 'health' ? Promise.reject(new SluiceError('STALE', 'no')) : 'done'
    })
    const asked = [
      ...[call('cron.list'), call('cron.list'), call('cron.list', { limit: 'x' }), call('cron.list', {}, nobody)],
      ...[call('cron.remove', { id: 'x' }), call('cron.remove', { id: 'x' }), call('cron.remove', { id: 'x' })],
      ...[call('health'), call('status'), call('no.such'), call('__proto__'), call('x', {}, nobody)],
    ]
    await Promise.allSettled(asked)
    expect(summary(counts)).toEqual({
      'cron.list': { calls: 4, INVALID_REQUEST: 1, FORBIDDEN: 1 },
      'cron.remove': { calls: 3, BUSY: 2, LIMIT: 1 },
      health: { calls: 1, STALE: 1 },
      status: { calls: 1, INTERNAL: 1 },
      unknown: { calls: 3, INVALID_REQUEST: 2, FORBIDDEN: 1 },
    })
    expect([counts.errorCount('BUSY'), counts.errorCount('INVALID_REQUEST')]).toEqual([2, 3])
  })

  test('counting makes no call wait: what a handler answers in place is there one microtask later', async () => {
    const { call } = doorWith(() => 'in place')
    const answers: unknown[] = []
    void call('cron.list').then(answer => answers.push(answer))
    await undefined
    expect(answers).toEqual(['in place'])
  })
})

describe('how long they worked', () => {
  test('a quantile is the true one or at most a bucket more, for calls answered in place', async () => {
    const spans = fc.array(fc.integer({ min: 1, max: 3_600_000 }), { minLength: 1, maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(spans, fc.constantFrom(0.5, 0.9, 0.99, 1), async (spansMs, share) => {
        const left = [...spansMs]
        const { counts, call } = doorWith((_, clock) => clock.leap(left.shift() as number))
        for (const _ of spansMs) await call('cron.list')
        const [found] = counts.list()
        const sorted = [...spansMs].sort((a, b) => a - b)
        const trueMs = sorted[Math.ceil(share * sorted.length) - 1] as number
        const shownMs = found?.quantileMs(share) as number
        expect(shownMs).toBeGreaterThanOrEqual(trueMs * (1 - 1e-9))
        expect(shownMs).toBeLessThanOrEqual(trueMs * OVER_MAX)
        expect(found?.workMs).toBe(spansMs.reduce((sum, span) => sum + span, 0))
      }),
    )
  })

  test('work is timed to its end, and a wait that the call asked for is no work', async () => {
    const { clock, counts, call } = doorWith(async ({ wait }, { after }) => {
      const pass = (ms: number) => new Promise<void>(resolve => void after.call(clock, ms, resolve))
      await pass(100)
      await wait(() => pass(60_000))
      await pass(20)
    })
    const answer = call('agent.wait', { runId: 'r' })
    await clock.advance(100)
    await clock.advance(60_000)
    await clock.advance(20)
    await answer
    expect(counts.list()).toMatchObject([{ method: 'agent.wait', calls: 1, workMs: 120 }])
  })

  test('a wait that fails is no work either, and the call counts with its error', async () => {
    const { clock, counts, call } = doorWith(({ wait }) =>
      wait(
        () => new Promise((_, reject) => void clock.after(5_000, () => reject(new SluiceError('CANCELLED', 'gone')))),
      ),
    )
    const answer = call('agent.wait', { runId: 'r' }).catch(error => error.code)
    await clock.advance(5_000)
    expect(await answer).toBe('CANCELLED')
    expect(counts.list()).toMatchObject([{ calls: 1, workMs: 0, errors: new Map([['CANCELLED', 1]]) }])
  })

  test('at the edges: no time at all, and longer than the last bucket', () => {
    const counts = new CallCounts()
    counts.add('health', 0, undefined)
    counts.add('status', 365 * 86_400_000, undefined)
    const [health, status] = counts.list()
    expect(health?.quantileMs(0.99)).toBe(0.001)
    expect(status?.quantileMs(0.99)).toBeGreaterThan(3_600_000)
  })
})
