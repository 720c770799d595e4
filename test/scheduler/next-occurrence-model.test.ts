// The scheduler against the naive model: random schedules in windows around every change of clocks of 2026 in four
// zones, and in ordinary windows of zones with odd offsets.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Schedule, scheduleSchema } from '../../src/protocol/job.ts'
import { nextOccurrence, nextOccurrences } from '../../src/scheduler/next-occurrence.ts'
import { expressionOf, firings, minuteSchedules, secondSchedules, walk } from './naive-cron.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const WINDOWS = [
  ['America/New_York', '2026-03-08T07:00Z'],
  ['America/New_York', '2026-11-01T06:00Z'],
  ['Europe/Berlin', '2026-03-29T01:00Z'],
  ['Europe/Berlin', '2026-10-25T01:00Z'],
  ['Australia/Sydney', '2026-04-04T16:00Z'],
  ['Australia/Sydney', '2026-10-03T16:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T15:00Z'],
  ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
  ['Asia/Kolkata', '2026-02-28T18:30Z'],
  ['Asia/Kathmandu', '2026-06-30T18:15Z'],
  ['UTC', '2026-12-31T23:00Z'],
] as const

/** Far enough before the window for a repeated hour of its start to have been seen. */
const LEAD = 6 * HOUR

describe.each(WINDOWS)('%s around %s', (zone, middle) => {
  const middleMs = Date.parse(middle)
  const [fromMs, toMs] = [middleMs - 1.5 * DAY, middleMs + 1.5 * DAY]
  const minutes = walk(zone, [fromMs - LEAD, toMs], MINUTE)
  const context = { zone, createdAtMs: 0 }

  const near = fc.integer({ min: middleMs - 3 * HOUR, max: middleMs + 3 * HOUR })
  const afters = fc.oneof(near, fc.integer({ min: fromMs, max: toMs - 1 }))

  it('fires next when the model does, from any instant', () => {
    fc.assert(
      fc.property(minuteSchedules, afters, (model, afterMs) => {
        const next = nextOccurrence({ kind: 'cron', expr: expressionOf(model) }, afterMs, context)
        const expected = firings(model, minutes).find(atMs => atMs > afterMs)
        expect(next !== undefined && next < toMs ? next : undefined).toBe(expected)
      }),
      { numRuns: 300 },
    )
  })

  it('fires at all the instants of the model and no others', () => {
    const COUNT_MAX = 300
    fc.assert(
      fc.property(minuteSchedules, model => {
        // Half of the firings compared lie after the change.
        const startMs = middleMs - 2 * HOUR
        const next = nextOccurrences({ kind: 'cron', expr: expressionOf(model) }, startMs, {
          ...context,
          count: COUNT_MAX,
        })
        const expected = firings(model, minutes).filter(atMs => atMs > startMs)
        expect([...next].filter(atMs => atMs < toMs)).toEqual(expected.slice(0, COUNT_MAX))
      }),
      { numRuns: 40 },
    )
  })

  it('agrees with the model to the second', () => {
    const [startMs, endMs] = [middleMs - 1.5 * HOUR, middleMs + 1.5 * HOUR]
    const seconds = walk(zone, [startMs - HOUR, endMs], 1000)
    fc.assert(
      fc.property(secondSchedules, fc.integer({ min: startMs, max: endMs - 1 }), (model, afterMs) => {
        const next = nextOccurrence({ kind: 'cron', expr: expressionOf(model) }, afterMs, context)
        const expected = firings(model, seconds).find(atMs => atMs > afterMs)
        expect(next !== undefined && next < endMs ? next : undefined).toBe(expected)
      }),
      { numRuns: 40 },
    )
  })
})

const instants = fc.integer({ min: 0, max: Date.UTC(2100, 0) })
const zones = fc.constantFrom('America/New_York', 'Europe/Berlin', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC')
const schedules: fc.Arbitrary<Schedule> = fc.oneof(
  instants.map(atMs => ({ kind: 'at' as const, atMs })),
  fc.record({
    kind: fc.constant('every' as const),
    everyMs: fc.integer({ min: 1000, max: 400 * DAY }),
    anchorMs: instants,
  }),
  fc.record({ kind: fc.constant('every' as const), everyMs: fc.integer({ min: 1000, max: 400 * DAY }) }),
  fc.record({ kind: fc.constant('cron' as const), expr: minuteSchedules.map(expressionOf), tz: zones }),
)

describe('every schedule', () => {
  const cases = fc.tuple(schedules, instants, fc.record({ zone: zones, createdAtMs: instants }))

  it('is one that the schema accepts, and fires strictly later than asked', () => {
    fc.assert(
      fc.property(cases, ([schedule, afterMs, context]) => {
        expect(scheduleSchema.safeParse(schedule).success).toBe(true)
        const next = nextOccurrence(schedule, afterMs, context)
        if (next !== undefined) expect(next).toBeGreaterThan(afterMs)
      }),
      { numRuns: 2000 },
    )
  })

  it('has nothing between an instant and its next occurrence', () => {
    fc.assert(
      fc.property(cases, fc.double({ min: 0, max: 1, noNaN: true }), ([schedule, afterMs, context], part) => {
        const next = nextOccurrence(schedule, afterMs, context)
        if (next === undefined) return
        const between = afterMs + Math.floor((next - 1 - afterMs) * part)
        expect(nextOccurrence(schedule, between, context)).toBe(next)
      }),
      { numRuns: 1000 },
    )
  })
})
