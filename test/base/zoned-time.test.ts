// Wall clock and instant against Date and against known changes: gaps, repeated hours, and the ends of the calendar.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatInstant,
  formatOffset,
  instantOf,
  isZone,
  nextOffsetChange,
  offsetMs,
  wallAsUtc,
  wallTime,
} from '../../src/base/zoned-time.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const at = (text: string) => Date.parse(text)

/** `2026-03-29 02:30:15` as a reading. */
function wall(text: string) {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = text.split(/[- :]/).map(Number)
  return { year, month, day, hour, minute, second }
}

const ZONES = ['America/New_York', 'Europe/Berlin', 'Australia/Sydney', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC']
const zones = fc.constantFrom(...ZONES)
const wholeSeconds = fc.integer({ min: 0, max: at('2100-01-01T00:00Z') / 1000 }).map(second => second * 1000)

describe('isZone', () => {
  it.each(['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires'])('knows %s', zone => {
    expect(isZone(zone)).toBe(true)
  })
  it.each(['', '+02:00', 'Mars/Phobos', 'Europe', ' UTC'])('refuses "%s"', zone => {
    expect(isZone(zone)).toBe(false)
  })
})

describe('wallAsUtc', () => {
  it('counts days as Date does', () => {
    const days = fc.integer({ min: -700_000, max: 3_000_000 })
    fc.assert(
      fc.property(days, day => {
        const date = new Date(day * DAY)
        const reading = { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() }
        expect(wallAsUtc({ ...reading, hour: 0, minute: 0, second: 0 })).toBe(day * DAY)
      }),
    )
  })

  it('carries what is out of range', () => {
    expect(wallAsUtc(wall('2026-02-30 25:61:61'))).toBe(at('2026-03-03T02:02:01Z'))
    expect(wallAsUtc({ ...wall('2026-01-01 00:00:00'), day: 0 })).toBe(at('2025-12-31T00:00Z'))
  })

  it('takes the first hundred years for what they are', () => {
    expect(wallAsUtc(wall('0050-01-01 00:00:00'))).toBe(at('0050-01-01T00:00Z'))
  })
})

describe('wallTime and instantOf', () => {
  it('reads a local clock', () => {
    expect(wallTime(at('2026-03-29T00:59:59Z'), 'Europe/Berlin')).toEqual(wall('2026-03-29 01:59:59'))
    expect(wallTime(at('2026-03-29T01:00Z'), 'Europe/Berlin')).toEqual(wall('2026-03-29 03:00:00'))
    expect(wallTime(at('2026-01-01T00:00Z'), 'Asia/Kathmandu')).toEqual(wall('2026-01-01 05:45:00'))
    expect(wallTime(at('2026-01-01T00:00Z'), 'UTC')).toEqual(wall('2026-01-01 00:00:00'))
  })

  it('are inverse: every instant is one of those of its reading', () => {
    fc.assert(
      fc.property(wholeSeconds, zones, (instantMs, zone) => {
        const match = instantOf(wallTime(instantMs, zone), zone)
        expect([match.instantMs, match.kind === 'twice' && match.secondMs]).toContain(instantMs)
        expect(match.kind).not.toBe('gap')
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    ['America/New_York', '2026-03-08 01:59:59', { kind: 'once', instantMs: at('2026-03-08T06:59:59Z') }],
    ['America/New_York', '2026-03-08 02:00:00', { kind: 'gap', instantMs: at('2026-03-08T07:00Z') }],
    ['America/New_York', '2026-03-08 02:59:59', { kind: 'gap', instantMs: at('2026-03-08T07:00Z') }],
    ['America/New_York', '2026-03-08 03:00:00', { kind: 'once', instantMs: at('2026-03-08T07:00Z') }],
    ['Australia/Lord_Howe', '2026-10-04 02:15:00', { kind: 'gap', instantMs: at('2026-10-03T15:30Z') }],
    ['Pacific/Apia', '2011-12-30 00:00:00', { kind: 'gap', instantMs: at('2011-12-30T10:00Z') }],
    ['Pacific/Apia', '2011-12-30 23:59:59', { kind: 'gap', instantMs: at('2011-12-30T10:00Z') }],
  ])('%s %s', (zone, text, expected) => {
    expect(instantOf(wall(text), zone)).toEqual(expected)
  })

  it.each([
    ['Europe/Berlin', '2026-10-25 02:00:00', '2026-10-25T00:00Z', '2026-10-25T01:00Z'],
    ['Europe/Berlin', '2026-10-25 02:59:59', '2026-10-25T00:59:59Z', '2026-10-25T01:59:59Z'],
    ['Australia/Lord_Howe', '2026-04-05 01:30:00', '2026-04-04T14:30Z', '2026-04-04T15:00Z'],
  ])('%s %s is there twice', (zone, text, ...[first, second]) => {
    expect(instantOf(wall(text), zone)).toEqual({ kind: 'twice', instantMs: at(first), secondMs: at(second) })
  })

  it('once just before and after a repeated hour', () => {
    expect(instantOf(wall('2026-10-25 01:59:59'), 'Europe/Berlin').kind).toBe('once')
    expect(instantOf(wall('2026-10-25 03:00:00'), 'Europe/Berlin').kind).toBe('once')
  })
})

describe('offsetMs', () => {
  it('is exact within a second, before and after 1970', () => {
    expect(offsetMs(at('2026-07-01T00:00:00.999Z'), 'Europe/Berlin')).toBe(2 * HOUR)
    expect(offsetMs(-1, 'Europe/Berlin')).toBe(HOUR)
    expect(offsetMs(at('2026-07-01T00:00Z'), 'Pacific/Marquesas')).toBe(-9.5 * HOUR)
  })
})

describe('nextOffsetChange', () => {
  const change = at('2026-03-29T01:00Z')

  it('finds the first change, later than the start and not later than the end', () => {
    expect(nextOffsetChange(at('2026-01-01T00:00Z'), at('2027-01-01T00:00Z'), 'Europe/Berlin')).toBe(change)
    expect(nextOffsetChange(change - 1, change, 'Europe/Berlin')).toBe(change)
    expect(nextOffsetChange(change - 1, change - 1, 'Europe/Berlin')).toBeUndefined()
    expect(nextOffsetChange(change - DAY, change - 1, 'Europe/Berlin')).toBeUndefined()
    expect(nextOffsetChange(change, at('2027-01-01T00:00Z'), 'Europe/Berlin')).toBe(at('2026-10-25T01:00Z'))
    expect(nextOffsetChange(0, at('2100-01-01T00:00Z'), 'UTC')).toBeUndefined()
  })

  it('does not jump over a pair of changes a month apart', () => {
    // Morocco puts its clocks back for Ramadan.
    expect(nextOffsetChange(at('2026-02-10T00:00Z'), at('2026-06-01T00:00Z'), 'Africa/Casablanca')).toBe(
      at('2026-02-15T02:00Z'),
    )
  })
})

describe('formatting', () => {
  it.each([
    [2 * HOUR, '+02:00'],
    [-9.5 * HOUR, '-09:30'],
    [0, '+00:00'],
    [5.75 * HOUR, '+05:45'],
  ])('offset %d', (offset, expected) => {
    expect(formatOffset(offset)).toBe(expected)
  })

  it.each([
    ['2026-11-23T08:00Z', 'Europe/Berlin', 'Mon 2026-11-23 09:00 Europe/Berlin (+01:00)'],
    ['2026-11-23T08:00:05.900Z', 'America/New_York', 'Mon 2026-11-23 03:00:05 America/New_York (-05:00)'],
    ['1969-12-31T00:00Z', 'UTC', 'Wed 1969-12-31 00:00 UTC (+00:00)'],
    ['0050-01-01T12:00Z', 'UTC', 'Sat 0050-01-01 12:00 UTC (+00:00)'],
  ])('%s in %s', (instant, zone, expected) => {
    expect(formatInstant(at(instant), zone)).toBe(expected)
  })

  it('holds at the last instant there is', () => {
    expect(formatInstant(8.64e15, 'Asia/Tokyo')).toBe('Sat 275760-09-13 09:00 Asia/Tokyo (+09:00)')
  })

  it('names the weekday that Date does', () => {
    fc.assert(
      fc.property(fc.integer({ min: -30_000, max: 100_000 }), day => {
        const date = new Date(day * DAY)
        expect(formatInstant(day * DAY, 'UTC').slice(0, 3)).toBe(date.toUTCString().slice(0, 3))
      }),
    )
  })
})
