// The words in which people see a schedule.
import { describe, expect, it } from 'vitest'
import type { Schedule } from '../../src/protocol/job.ts'
import { describeSchedule } from '../../src/scheduler/describe-schedule.ts'

const SECOND = 1000
const HOUR = 3_600_000

describe('describeSchedule', () => {
  it.each<[Schedule, string]>([
    [{ kind: 'at', atMs: Date.parse('2026-11-23T08:00Z') }, 'at Mon 2026-11-23 09:00 Europe/Berlin (+01:00)'],
    [{ kind: 'every', everyMs: 1.5 * HOUR }, 'every 1h 30m'],
    [{ kind: 'every', everyMs: 48 * HOUR }, 'every 2d'],
    [{ kind: 'every', everyMs: SECOND }, 'every 1s'],
    [{ kind: 'every', everyMs: 25 * HOUR + 61 * SECOND + 1 }, 'every 1d 1h 1m 1s 1ms'],
    [{ kind: 'every', everyMs: 1500 }, 'every 1s 500ms'],
    [{ kind: 'cron', expr: '0 9 * * 1-5' }, 'cron 0 9 * * 1-5 @ Europe/Berlin'],
    [{ kind: 'cron', expr: '0 9 * * 1-5', tz: 'Asia/Tokyo' }, 'cron 0 9 * * 1-5 @ Asia/Tokyo'],
  ])('%j', (schedule, expected) => {
    expect(describeSchedule(schedule, 'Europe/Berlin')).toBe(expected)
  })
})
