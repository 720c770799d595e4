// Days by the calendar of a zone.
import { expect, test } from 'vitest'
import { dayOf, dayStart } from '../../src/base/days.ts'

const at = (iso: string) => Date.parse(iso)

test('a day is named as people there name it', () => {
  expect(dayOf(at('2026-11-22T23:30:00Z'), 'Europe/Berlin')).toBe('2026-11-23')
  expect(dayOf(at('2026-11-22T23:30:00Z'), 'America/New_York')).toBe('2026-11-22')
})

test('it begins at its first instant, across months and changes of the clock', () => {
  expect(dayStart(at('2026-11-30T12:00:00Z'), 'UTC', 1)).toBe(at('2026-12-01T00:00:00Z'))
  expect(dayStart(at('2026-03-01T12:00:00Z'), 'UTC', -1)).toBe(at('2026-02-28T00:00:00Z'))
  // A day of 23 hours, and one that has no midnight.
  expect(dayStart(at('2026-03-29T10:00:00Z'), 'Europe/Berlin', 1)).toBe(at('2026-03-29T22:00:00Z'))
  expect(dayOf(dayStart(at('2026-09-05T12:00:00Z'), 'America/Santiago', 1), 'America/Santiago')).toBe('2026-09-06')
})
