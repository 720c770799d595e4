// Occurrences that a person can check with a calendar: both changes of 2026 in four zones, the edges of the calendar,
// intervals, and what is refused.
import { describe, expect, it } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import type { Schedule } from '../../src/protocol/job.ts'
import { COMPILED_MAX, compileCron } from '../../src/scheduler/cron-expression.ts'
import {
  nextOccurrence,
  nextOccurrences,
  PAST_AT_TOLERANCE,
  validateSchedule,
} from '../../src/scheduler/next-occurrence.ts'

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/** The next firings after an instant, as ISO text to the minute (seconds and milliseconds only where there are any). */
function firings(schedule: Schedule, after: string, { zone = 'UTC', count = 4 } = {}): string[] {
  const next = nextOccurrences(schedule, Date.parse(after), { zone, createdAtMs: 0, count })
  return [...next].map(atMs => new Date(atMs).toISOString().replace(/(:00)?\.000Z$/, 'Z'))
}

const cron = (expr: string, tz?: string): Schedule => ({ kind: 'cron', expr, ...(tz && { tz }) })

describe('fixed hours at the changes of 2026', () => {
  it.each([
    // A missing time fires at the first instant after the gap.
    ['America/New_York', '30 2 * * *', '2026-03-07T12:00Z', ['2026-03-08T07:00Z', '2026-03-09T06:30Z']],
    ['Europe/Berlin', '30 2 * * *', '2026-03-28T12:00Z', ['2026-03-29T01:00Z', '2026-03-30T00:30Z']],
    ['Australia/Sydney', '30 2 * * *', '2026-10-03T00:00Z', ['2026-10-03T16:00Z', '2026-10-04T15:30Z']],
    ['Australia/Lord_Howe', '15 2 * * *', '2026-10-03T00:00Z', ['2026-10-03T15:30Z', '2026-10-04T15:15Z']],
    // The gap's first reading is missing, its end exists.
    ['America/New_York', '0 2 * * *', '2026-03-07T12:00Z', ['2026-03-08T07:00Z', '2026-03-09T06:00Z']],
    ['America/New_York', '0 3 * * *', '2026-03-07T12:00Z', ['2026-03-08T07:00Z', '2026-03-09T07:00Z']],
    ['Australia/Lord_Howe', '30 2 * * *', '2026-10-03T00:00Z', ['2026-10-03T15:30Z', '2026-10-04T15:30Z']],
    // A repeated time fires at the first of its two instants.
    ['America/New_York', '30 1 * * *', '2026-10-31T12:00Z', ['2026-11-01T05:30Z', '2026-11-02T06:30Z']],
    ['Europe/Berlin', '30 2 * * *', '2026-10-24T12:00Z', ['2026-10-25T00:30Z', '2026-10-26T01:30Z']],
    ['Australia/Sydney', '30 2 * * *', '2026-04-04T00:00Z', ['2026-04-04T15:30Z', '2026-04-05T16:30Z']],
    ['Australia/Lord_Howe', '45 1 * * *', '2026-04-04T00:00Z', ['2026-04-04T14:45Z', '2026-04-05T15:15Z']],
    // Also when asked from within the second pass.
    ['Europe/Berlin', '30 2 * * *', '2026-10-25T01:10Z', ['2026-10-26T01:30Z', '2026-10-27T01:30Z']],
    // The reading at which the clock is put back comes only after the repeated hour.
    ['America/New_York', '0 2 * * *', '2026-10-31T12:00Z', ['2026-11-01T07:00Z', '2026-11-02T07:00Z']],
  ])('%s %s', (zone, expr, ...[after, expected]) => {
    expect(firings(cron(expr), after, { zone, count: 2 })).toEqual(expected)
    expect(firings(cron(expr, zone), after, { zone: 'Asia/Tokyo', count: 2 })).toEqual(expected)
  })

  it('makes one firing of all missing times of a gap, and of a time at its end', () => {
    const after = '2026-03-28T23:00Z'
    const once = ['2026-03-29T01:00Z', '2026-03-30T00:00Z', '2026-03-30T00:30Z', '2026-03-31T00:00Z']
    expect(firings(cron('0,30 2 * * *'), after, { zone: 'Europe/Berlin' })).toEqual(once)
    const around = ['2026-03-29T00:00Z', '2026-03-29T01:00Z', '2026-03-29T02:00Z', '2026-03-29T23:00Z']
    expect(firings(cron('0 1-4 * * *'), after, { zone: 'Europe/Berlin' })).toEqual(around)
    expect(firings(cron('*/10 2 * * *'), after, { zone: 'Europe/Berlin', count: 2 })).toEqual([
      '2026-03-29T01:00Z',
      '2026-03-30T00:00Z',
    ])
  })

  it.each(['0 1,2,3 * * *', '0 1-3 * * *', '0 */1 * * *', '0 0-23 * * *'])('once in the repeated hour: %s', expr => {
    const expected = ['2026-10-25T00:00Z', '2026-10-25T02:00Z']
    expect(firings(cron(expr), '2026-10-24T23:59Z', { zone: 'Europe/Berlin', count: 2 })).toEqual(expected)
  })

  it('keeps to the day of a gap at midnight', () => {
    // Cairo skips 00:00 to 01:00 on Friday 24 April 2026.
    expect(firings(cron('0 0 * * 5'), '2026-04-22T00:00Z', { zone: 'Africa/Cairo', count: 2 })).toEqual([
      '2026-04-23T22:00Z',
      '2026-04-30T21:00Z',
    ])
  })

  it('fires once at the end of a day that a zone left out', () => {
    // Samoa had no 30 December 2011.
    expect(firings(cron('0 9 * * *'), '2011-12-29T19:00Z', { zone: 'Pacific/Apia', count: 2 })).toEqual([
      '2011-12-30T10:00Z',
      '2011-12-30T19:00Z',
    ])
  })
})

describe('elapsed time at the changes of 2026', () => {
  const quarters = (first: string, count: number) =>
    Array.from({ length: count }, (_, i) =>
      new Date(Date.parse(first) + i * 15 * MINUTE).toISOString().replace(':00.000Z', 'Z'),
    )

  it.each([
    ['America/New_York', '2026-03-08T07:00Z'],
    ['America/New_York', '2026-11-01T06:00Z'],
    ['Europe/Berlin', '2026-03-29T01:00Z'],
    ['Europe/Berlin', '2026-10-25T01:00Z'],
    ['Australia/Sydney', '2026-04-04T16:00Z'],
    ['Australia/Sydney', '2026-10-03T16:00Z'],
    ['Australia/Lord_Howe', '2026-04-04T15:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
  ])('*/15 fires every fifteen real minutes: %s %s', (zone, change) => {
    const after = new Date(Date.parse(change) - 121 * MINUTE).toISOString()
    const first = new Date(Date.parse(change) - 120 * MINUTE).toISOString()
    expect(firings(cron('*/15 * * * *'), after, { zone, count: 24 })).toEqual(quarters(first, 24))
    expect(firings(cron('0 */15 ? * * *'), after, { zone, count: 24 })).toEqual(quarters(first, 24))
  })

  it('fires hourly in both passes of the repeated hour', () => {
    const expected = ['2026-10-24T23:30Z', '2026-10-25T00:30Z', '2026-10-25T01:30Z', '2026-10-25T02:30Z']
    expect(firings(cron('30 * * * *'), '2026-10-24T23:00Z', { zone: 'Europe/Berlin' })).toEqual(expected)
    expect(firings(cron('@hourly'), '2026-10-25T00:01Z', { zone: 'Europe/Berlin', count: 2 })).toEqual([
      '2026-10-25T01:00Z',
      '2026-10-25T02:00Z',
    ])
  })

  it('leaves out a reading that half-hour clocks skip, and fires both times that they repeat', () => {
    // 02:00 becomes 02:30 on 4 October.
    const skipped = ['2026-10-03T14:30Z', '2026-10-03T16:00Z', '2026-10-03T17:00Z']
    expect(firings(cron('0 * * * *'), '2026-10-03T14:00Z', { zone: 'Australia/Lord_Howe', count: 3 })).toEqual(skipped)
    // 02:00 becomes 01:30 on 5 April.
    const repeated = ['2026-04-04T14:45Z', '2026-04-04T15:15Z', '2026-04-04T16:15Z']
    expect(firings(cron('45 * * * *'), '2026-04-04T14:00Z', { zone: 'Australia/Lord_Howe', count: 3 })).toEqual(
      repeated,
    )
  })

  it('follows the local clock of a zone off the hour', () => {
    expect(firings(cron('0 * * * *'), '2026-06-01T00:00Z', { zone: 'Asia/Kathmandu', count: 2 })).toEqual([
      '2026-06-01T00:15Z',
      '2026-06-01T01:15Z',
    ])
  })

  it('finds a day months away, past a change', () => {
    expect(firings(cron('0 * 1 12 *'), '2026-09-01T00:00Z', { zone: 'Europe/Berlin', count: 1 })).toEqual([
      '2026-11-30T23:00Z',
    ])
    expect(firings(cron('0 * 1 7 *'), '2026-01-01T00:00Z', { zone: 'Europe/Berlin', count: 1 })).toEqual([
      '2026-06-30T22:00Z',
    ])
  })
})

describe('the calendar', () => {
  it.each([
    ['0 0 29 2 *', '2026-01-01T00:00Z', ['2028-02-29T00:00Z', '2032-02-29T00:00Z']],
    ['0 0 29 2 *', '2096-02-29T00:00Z', ['2104-02-29T00:00Z', '2108-02-29T00:00Z']],
    ['* * 29 2 *', '2096-02-29T23:59Z', ['2104-02-29T00:00Z', '2104-02-29T00:01Z']],
    ['0 0 1 1 *', '2026-12-31T23:59:59.999Z', ['2027-01-01T00:00Z', '2028-01-01T00:00Z']],
    ['59 23 31 12 *', '2026-12-31T23:58Z', ['2026-12-31T23:59Z', '2027-12-31T23:59Z']],
    ['0 12 L * *', '2026-01-31T12:00Z', ['2026-02-28T12:00Z', '2026-03-31T12:00Z']],
    ['0 9 * * MON#1', '2026-02-01T00:00Z', ['2026-02-02T09:00Z', '2026-03-02T09:00Z']],
    ['0 9 ? JAN,JUL FRI', '2026-01-30T09:00Z', ['2026-07-03T09:00Z', '2026-07-10T09:00Z']],
    ['30 0 9 * * 1-5', '2026-01-02T10:00Z', ['2026-01-05T09:00:30Z', '2026-01-06T09:00:30Z']],
    ['@daily', '2026-02-28T00:00Z', ['2026-03-01T00:00Z', '2026-03-02T00:00Z']],
    // A day of the month and a day of the week: either will do.
    ['0 0 13 * 5', '2026-02-01T00:00Z', ['2026-02-06T00:00Z', '2026-02-13T00:00Z']],
  ])('%s after %s', (expr, after, expected) => {
    expect(firings(cron(expr), after, { zone: 'UTC', count: 2 })).toEqual(expected)
  })

  it('is strict to the millisecond', () => {
    expect(firings(cron('0 9 * * *'), '2026-01-01T08:59:59.999Z', { zone: 'UTC', count: 1 })).toEqual([
      '2026-01-01T09:00Z',
    ])
    expect(firings(cron('0 9 * * *'), '2026-01-01T09:00Z', { zone: 'UTC', count: 1 })).toEqual(['2026-01-02T09:00Z'])
    expect(firings(cron('0 9 * * *'), '2026-01-01T09:00:00.001Z', { zone: 'UTC', count: 1 })).toEqual([
      '2026-01-02T09:00Z',
    ])
  })

  it.each(['0 0 31 2 *', '* * 30 2 *', '0 0 31 4,6,9,11 *'])('never: %s', expr => {
    expect(firings(cron(expr), '2026-01-01T00:00Z', { zone: 'Europe/Berlin' })).toEqual([])
  })

  it('is not looked for beyond eight years', () => {
    // A Monday, 29 February: 2044.
    expect(firings(cron('0 0 29 2 +1'), '2026-01-01T00:00Z')).toEqual([])
    expect(firings(cron('0 0 29 2 +1'), '2036-06-01T00:00Z')).toEqual(['2044-02-29T00:00Z'])
  })

  it('ends with the years that can be searched', () => {
    expect(firings(cron('0 0 1 1 *'), '2999-06-01T00:00Z')).toEqual([])
    expect(nextOccurrence(cron('* * * * *'), 8.64e15, { zone: 'Asia/Tokyo', createdAtMs: 0 })).toBeUndefined()
  })
})

describe('instants and intervals', () => {
  it('fires at an instant once', () => {
    const schedule = { kind: 'at', atMs: Date.parse('2026-11-23T08:00Z') } as const
    expect(firings(schedule, '2026-11-23T07:59:59.999Z')).toEqual(['2026-11-23T08:00Z'])
    expect(firings(schedule, '2026-11-23T08:00Z')).toEqual([])
  })

  it('counts an interval from when the job was made, or from its anchor', () => {
    const next = (schedule: Schedule, afterMs: number) =>
      nextOccurrence(schedule, afterMs, { zone: 'UTC', createdAtMs: 500 })
    expect(next({ kind: 'every', everyMs: 1000 }, 500)).toBe(1500)
    expect(next({ kind: 'every', everyMs: 1000 }, 1499)).toBe(1500)
    expect(next({ kind: 'every', everyMs: 1000 }, 1500)).toBe(2500)
    expect(next({ kind: 'every', everyMs: 1000, anchorMs: 0 }, 500)).toBe(1000)
    expect(next({ kind: 'every', everyMs: 1000, anchorMs: 9_999_300 }, 9_999_299)).toBe(9_999_300)
    expect(next({ kind: 'every', everyMs: 1000, anchorMs: 9_999_300 }, 9_999_300)).toBe(10_000_300)
  })

  it('fires first at an anchor still to come', () => {
    const schedule = { kind: 'every', everyMs: DAY, anchorMs: Date.parse('2030-01-01T00:00Z') } as const
    expect(firings(schedule, '2026-01-01T00:00Z', { zone: 'UTC', count: 2 })).toEqual([
      '2030-01-01T00:00Z',
      '2030-01-02T00:00Z',
    ])
  })

  it('ends an interval at the end of time', () => {
    const context = { zone: 'UTC', createdAtMs: 0 }
    expect(nextOccurrence({ kind: 'every', everyMs: 8.64e15 }, 0, context)).toBe(8.64e15)
    expect(nextOccurrence({ kind: 'every', everyMs: 8.64e15 + 1 }, 0, context)).toBeUndefined()
  })

  it('gives as many occurrences as asked for', () => {
    const schedule = { kind: 'every', everyMs: 1000 } as const
    const next = (count: number) => [...nextOccurrences(schedule, 0, { zone: 'UTC', createdAtMs: 0, count })]
    expect(next(3)).toEqual([1000, 2000, 3000])
    expect(next(0)).toEqual([])
  })
})

describe('validateSchedule', () => {
  const nowMs = Date.parse('2026-11-23T08:00Z')

  function refusal(schedule: Schedule, zone = 'Europe/Berlin'): string | undefined {
    try {
      validateSchedule(schedule, zone, nowMs)
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'INVALID_REQUEST') return error.message
      throw error
    }
  }

  it.each<Schedule>([
    { kind: 'at', atMs: nowMs + 1 },
    { kind: 'at', atMs: nowMs - PAST_AT_TOLERANCE },
    { kind: 'every', everyMs: 1000 },
    { kind: 'every', everyMs: 1000, anchorMs: nowMs + DAY },
    cron('0 9 * * 1-5'),
    cron('*/10 * * * * *', 'America/New_York'),
    cron('0 0 29 2 *', 'UTC'),
  ])('accepts %j', schedule => {
    expect(refusal(schedule)).toBeUndefined()
  })

  it.each([
    ['nonsense', 'TypeError: CronPattern: invalid configuration format'],
    ['* * * *', 'TypeError: CronPattern: invalid configuration format'],
    ['0 0 9 * * 1 2027', "TypeError: CronPattern: mode '5-or-6-parts' requires exactly 5 or 6 parts"],
    ['61 * * * *', 'TypeError: CronPattern: Invalid value for minute: 61'],
    ['0 24 * * *', 'TypeError: CronPattern: Invalid value for hour: 24'],
    ['0 0 * * MOON', 'TypeError: CronPattern: '],
    ['0 0 L/2 * *', 'TypeError: CronPattern: '],
    ['2026-01-01 12:00 * * *', 'TypeError: CronPattern: '],
    ['@reboot', 'TypeError: CronPattern: @reboot is not supported'],
  ])('refuses the expression %s in words of croner', (expr, message) => {
    expect(refusal(cron(expr))?.slice(0, message.length)).toBe(message)
    expect(() => nextOccurrence(cron(expr), nowMs, { zone: 'UTC', createdAtMs: 0 })).toThrow(message)
  })

  it.each(['Mars/Phobos', '+02:00', 'Europe'])('refuses the zone %s', zone => {
    expect(refusal(cron('0 9 * * *', zone))).toBe(
      `RangeError: Invalid time zone specified: ${zone} (at /schedule/tz; for example "Europe/Berlin")`,
    )
    expect(refusal(cron('0 9 * * *'), zone)).toBe(
      `RangeError: Invalid time zone specified: ${zone} (at /schedule/tz; for example "Europe/Berlin")`,
    )
  })

  it('refuses what never fires', () => {
    expect(refusal(cron('0 0 31 2 *'))).toBe(
      'this schedule never fires: no date within eight years matches "0 0 31 2 *"; check its day and month fields (at /schedule/expr; for example "0 9 * * 1-5")',
    )
    expect(refusal({ kind: 'every', everyMs: Number.MAX_SAFE_INTEGER })).toMatch(/^this schedule never fires: /)
  })

  it('refuses a time more than a minute past, and shows it with the present one', () => {
    expect(refusal({ kind: 'at', atMs: nowMs - PAST_AT_TOLERANCE - 1000 })).toBe(
      'the time Mon 2026-11-23 08:58:59 Europe/Berlin (+01:00) is past, it is now Mon 2026-11-23 09:00 Europe/Berlin ' +
        '(+01:00); give a later time, or the present one to run at once (at /schedule/atMs; for example ' +
        `${nowMs + 3_600_000})`,
    )
    expect(refusal({ kind: 'at', atMs: nowMs - PAST_AT_TOLERANCE - 1 })).toBeDefined()
  })
})

describe('compiled expressions', () => {
  it('are kept up to a limit, those used last longest', () => {
    const [first, second] = [compileCron('1 1 1 1 *'), compileCron('2 1 1 1 *')]
    const others = Array.from({ length: COMPILED_MAX - 1 }, (_, i) => `${i % 60} ${Math.floor(i / 60)} 2 * *`)
    for (const expr of others.slice(1)) compileCron(expr)
    expect(compileCron('1 1 1 1 *')).toBe(first)
    compileCron(others[0] ?? '')
    expect(compileCron('1 1 1 1 *')).toBe(first)
    expect(compileCron('2 1 1 1 *')).not.toBe(second)
  })
})
