// The rules of a job's policy, each as pure arithmetic: what is made up, what bounds a job, who is told that it fails.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DAY, HOUR, MINUTE, SECOND } from '../../src/base/durations.ts'
import { CATCH_UP_MAX, CATCH_UPS, type PolicyInput, patchedPolicy, policyOf } from '../../src/protocol/job-policy.ts'
import { policyPatchSchema, policySchema } from '../../src/protocol/job-policy-schema.ts'
import { delayMs, nextDue, nextDues, type TimedJob } from '../../src/scheduler/job-times.ts'
import { decideDue } from '../../src/scheduler/misfire.ts'
import { supersededRuns } from '../../src/scheduler/overlap.ts'
import { type Outage, outageStep } from '../../src/store/job-outage.ts'

const T0 = Date.UTC(2026, 10, 22)
const ZONE = 'Europe/Berlin'
const job = (policy: PolicyInput, more: Partial<TimedJob> = {}): TimedJob => ({
  id: 'j',
  schedule: { kind: 'every', everyMs: HOUR, anchorMs: T0 },
  createdAtMs: T0,
  state: {},
  policy,
  ...more,
})

describe('what is made up', () => {
  test.each([
    ['skip', 0, 'fire'],
    ['skip', MINUTE, 'fire'],
    ['skip', MINUTE + 1, 'missed'],
    ['latest', 365 * DAY, 'fire'],
  ] as const)('L3: %s, %i ms late: %s', (catchUp, lateMs, kind) => {
    const once = job({ catchUp }, { schedule: { kind: 'at', atMs: T0 } })
    expect(decideDue(once, { dueMs: T0, nowMs: T0 + lateMs }, ZONE).kind).toBe(kind)
  })

  test('L3: of more than may be made up the oldest are one row, and the rest fire in order', () => {
    const minutely = job({ catchUp: 'all' }, { schedule: { kind: 'every', everyMs: MINUTE, anchorMs: T0 } })
    const nowMs = T0 + 1_000 * MINUTE
    const first = decideDue(minutely, { dueMs: T0, nowMs }, ZONE)
    const count = 1_001 - CATCH_UP_MAX
    expect(first).toMatchObject({ kind: 'missed', fromMs: T0, toMs: T0 + (count - 1) * MINUTE, count })
    expect(decideDue(minutely, { dueMs: first.nextMs as number, nowMs }, ZONE)).toMatchObject({
      kind: 'fire',
      dueMs: T0 + count * MINUTE,
      nextMs: T0 + (count + 1) * MINUTE,
    })
  })

  const policies = fc.record(
    {
      catchUp: fc.constantFrom(...CATCH_UPS),
      catchUpWindowMs: fc.integer({ min: 0, max: 2 * DAY }),
      jitterMs: fc.integer({ min: 0, max: HOUR }),
      maxRuns: fc.integer({ min: 1, max: 50 }),
      endAtMs: fc.integer({ min: T0 + 3 * DAY, max: T0 + 9 * DAY }),
    },
    { requiredKeys: [] },
  )
  const schedules = fc.oneof(
    fc.record({
      kind: fc.constant('every' as const),
      everyMs: fc.integer({ min: MINUTE, max: DAY }),
      anchorMs: fc.constant(T0),
    }),
    fc.constantFrom('0 9 * * *', '*/20 * * * *', '30 2 * * 1-5').map(expr => ({ kind: 'cron' as const, expr })),
  )

  /** Decides all that is due, as the timer would. */
  const decideAll = (first: TimedJob, dues: readonly number[], nowMs: number) => {
    const delay = delayMs(first)
    const decided: number[] = []
    let runs = 0
    let dueMs = dues[0]
    while (dueMs !== undefined && dueMs <= nowMs) {
      const due = decideDue({ ...first, state: { runs } }, { dueMs, nowMs }, ZONE)
      const [from, to] = due.kind === 'fire' ? [due.nominalMs, due.nominalMs] : [due.fromMs, due.toMs]
      const part = dues.filter(each => each - delay >= from && each - delay <= to)
      expect(part).toHaveLength(due.kind === 'fire' ? 1 : due.count)
      if (due.kind === 'fire') runs += 1
      decided.push(...part)
      dueMs = due.nextMs
    }
    return { decided, runs }
  }

  test('L3: whatever the policy, each instant is decided once, in order, until the next lies ahead', () => {
    fc.assert(
      fc.property(policies, schedules, fc.integer({ min: 0, max: 2 * DAY }), (policy, schedule, gapMs) => {
        const one = job(policy, { schedule, id: `j${gapMs}` })
        const dues = nextDues({ ...one, policy: { ...policy, maxRuns: undefined } }, T0, { zone: ZONE, count: 3_000 })
        const nowMs = (dues[0] ?? T0) + gapMs
        const { decided, runs } = decideAll(one, dues, nowMs)
        const left = runs === policy.maxRuns ? decided.length : Number.POSITIVE_INFINITY
        expect(decided).toEqual(dues.filter(each => each <= nowMs).slice(0, left))
      }),
      { numRuns: 150 },
    )
  })
})

describe('bounds and delays', () => {
  test('a job fires from its start to its end, both included, and no oftener than it may', () => {
    const bounded = job({ startAtMs: T0 + 3 * HOUR, endAtMs: T0 + 6 * HOUR })
    const next = (one: TimedJob) => nextDues(one, T0, { zone: ZONE, count: 9 }).map(each => (each - T0) / HOUR)
    expect(next(bounded)).toEqual([3, 4, 5, 6])
    expect(next(job({ maxRuns: 5 }, { state: { runs: 3 } }))).toEqual([1, 2])
    expect(nextDue(job({ maxRuns: 3 }, { state: { runs: 3 } }), T0, ZONE)).toBeUndefined()
  })

  test('jitter delays by the same span each time, another job by another one, and never beyond its bound', () => {
    const ids = Array.from({ length: 200 }, (_, n) => `id-${n}`)
    const delays = ids.map(id => delayMs({ id, policy: { jitterMs: 10 * SECOND } }))
    expect(Math.max(...delays)).toBeLessThanOrEqual(10 * SECOND)
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0)
    expect(new Set(delays).size).toBeGreaterThan(150)
    const one = job({ jitterMs: HOUR })
    const dues = nextDues(one, T0, { zone: ZONE, count: 5 })
    expect(new Set(dues.map(each => (each - T0) % HOUR))).toEqual(new Set([delayMs(one) % HOUR]))
  })
})

test('of a job that cancels, only the newest unfinished run goes on after a restart', () => {
  const runs = ['a', 'b', 'b', 'b', undefined, 'a'].map((jobId, n) => ({ jobId, n }))
  const stopped = supersededRuns(runs, jobId => (jobId === 'b' ? 'cancel-previous' : 'queue-all'))
  expect(stopped.map(({ n }) => n)).toEqual([1, 2])
})

describe('outages', () => {
  const outcomes = fc.array(fc.constantFrom('ok', 'failed', 'timed-out', 'cancelled', 'unknown'), { maxLength: 40 })

  const toldOf = (ends: readonly Parameters<typeof outageStep>[1][], policy: PolicyInput) => {
    let outage: Outage = { failures: 0, alerted: false }
    return ends.map(end => {
      const step = outageStep({ ...outage, enabled: true }, end, policyOf({ policy }))
      outage = step
      return `${step.tell ?? ''}${step.pause ? '!' : ''}`
    })
  }

  test('a chat hears of the first failure and of the recovery, once each, and of nothing else', () => {
    fc.assert(
      fc.property(outcomes, ends => {
        // One letter for each end; those that were cancelled say nothing.
        const letters = ends.map(end => ({ ok: 'g', cancelled: '' })[end as string] ?? 'b').join('')
        const changes = [...letters].filter((letter, index, all) => letter !== (all[index - 1] ?? 'g'))
        const told = toldOf(ends, {}).filter(word => word !== '')
        expect(told).toEqual(changes.map(letter => (letter === 'g' ? 'recovered' : 'failed')))
        expect(toldOf(ends, { failureAlert: false }).join('')).toBe('')
      }),
    )
  })

  test('after so many failures in a row a job is off, which is told', () => {
    const bad = ['failed', 'cancelled', 'unknown', 'ok', 'failed', 'failed', 'timed-out'] as const
    expect(toldOf(bad, { pauseAfterFailures: 3 })).toEqual(['failed', '', '', 'recovered', 'failed', '', 'paused!'])
    expect(toldOf(bad, { pauseAfterFailures: 3, failureAlert: false }).at(-1)).toBe('!')
  })
})

test('null takes a member back to its default, what is not named stays, and what is unknown is refused', () => {
  const patch = policyPatchSchema.parse({ catchUp: null, maxRuns: 4 })
  expect(patchedPolicy({ catchUp: 'all', jitterMs: 5 }, patch)).toEqual({ maxRuns: 4, jitterMs: 5 })
  expect(policySchema.safeParse({ catchup: 'all' }).success).toBe(false)
  expect(policyOf({ policy: { catchUp: 'all' } }).overlap).toBe('queue-all')
})
