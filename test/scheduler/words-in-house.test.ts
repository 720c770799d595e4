// Schedules in words at the door: read by the gateway's clock and zone as the call is carried out, the same for a repeat of
// it (T1), and refused with nothing made when they are not understood whole.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HOUR, MINUTE } from '../../src/base/durations.ts'
import { formatInstant } from '../../src/base/zoned-time.ts'
import type { Schedule } from '../../src/protocol/job.ts'
import { decideDue } from '../../src/scheduler/misfire.ts'
import { nextOccurrences, validateSchedule } from '../../src/scheduler/next-occurrence.ts'
import { cronTool } from '../../src/tools/cron-tool.ts'
import { type House, openHouse, text } from '../fakes/house.ts'

let house: House
beforeEach(async () => {
  house = await openHouse(() => text('said'))
})
afterEach(() => house.close())

const payload = { kind: 'message', text: 'hi' }
const add = (more: object) => house.call('cron.add', { name: 'a', payload, ...more } as never)
const jobCount = () => house.store.read.jobCount({ includeDisabled: true })

describe('cron.add', () => {
  test.each([
    [{ when: 'in 20 minutes' }],
    [{ schedule: { words: 'in 20 minutes' } }],
    [{ schedule: { kind: 'words', words: 'in 20 minutes' } }],
  ])('%j is 20 minutes from now', async wish => {
    const { schedule, state } = await add(wish)
    expect(schedule).toEqual({ kind: 'at', atMs: house.clock.now() + 20 * MINUTE })
    expect(state.nextRunAtMs).toBe(house.clock.now() + 20 * MINUTE)
  })

  test('T1: a repeat, later, is the first job and is not read anew', async () => {
    const when = formatInstant(Math.ceil(house.clock.now() / MINUTE + 1) * MINUTE, 'UTC')
    const first = await add({ when, idempotencyKey: 'k' })
    await house.clock.advance(5 * MINUTE)
    await expect(add({ when })).rejects.toThrow('in the past')
    expect(await add({ when, idempotencyKey: 'k' })).toEqual(first)
    expect(jobCount()).toBe(1)
  })

  test.each([
    [{ when: 'every other Friday at 9' }, /cannot count weeks/],
    [{ when: 'yesterday at 9' }, /in the past/],
    [{ when: 'in 5 minutes', schedule: { kind: 'every', everyMs: HOUR } }, /when/],
    [{ schedule: { kind: 'words', words: '' } }, /words/],
  ])('%j is refused, and nothing is made', async (wish, message) => {
    await expect(add(wish)).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringMatching(message),
    })
    expect(jobCount()).toBe(0)
  })
})

test('cron.update: words replace the schedule; what is not understood changes nothing', async () => {
  const { id } = await add({ when: 'every weekday at 9 in Tokyo' })
  const update = (when: string) => house.call('cron.update', { id, patch: { when } } as never)
  await expect(update('every day at 9 or 10')).rejects.toThrow('no choices')
  expect(house.store.read.job(id)?.job.schedule).toEqual({ kind: 'cron', expr: '0 9 * * 1-5', tz: 'Asia/Tokyo' })
  expect((await update('every hour')).schedule).toEqual({ kind: 'every', everyMs: HOUR })
})

test('cron.preview gives the words and the next five times, which are those of cron.next; it makes nothing', async () => {
  const preview = await house.call('cron.preview', { when: 'the last Friday of each month at 5pm in Tokyo' } as never)
  expect(preview).toMatchObject({
    schedule: { kind: 'cron', expr: '0 17 * * 5#L', tz: 'Asia/Tokyo' },
    words: 'on the last Friday of every month at 17:00 Asia/Tokyo',
    zone: 'Asia/Tokyo',
  })
  expect(preview.times).toHaveLength(5)
  expect(jobCount()).toBe(0)
  const { id } = await add({ when: preview.words })
  const { times, words, zone } = await house.call('cron.next', { id, count: 5 })
  expect({ times, words, zone }).toEqual({ times: preview.times, words: preview.words, zone: 'Asia/Tokyo' })
})

test('the cron tool takes words, and tells the model what they were read as', async () => {
  const job = { name: 'a', payload, schedule: { words: 'every 90 minutes between 8 and 18 in Tokyo' } }
  const context = { call: house.call, zone: 'UTC' } as unknown as Parameters<typeof cronTool.run>[1]
  expect(await cronTool.run({ action: 'add', job }, context)).toMatchObject({
    schedule: { kind: 'every', everyMs: 90 * MINUTE, between: { from: '08:00', to: '18:00' }, tz: 'Asia/Tokyo' },
    when: 'every 90 minutes between 08:00 and 18:00 Asia/Tokyo',
    next: expect.stringContaining('Asia/Tokyo (+09:00)'),
  })
})

test('the cron tool names the job after which another one fires', async () => {
  const { id } = await house.call('cron.add', { name: 'backup', payload, schedule: { everyMs: HOUR } })
  const context = { call: house.call, zone: 'UTC' } as unknown as Parameters<typeof cronTool.run>[1]
  const job = { name: 'report', payload, schedule: { kind: 'after', job: id } }
  const when = 'after job "backup" went well'
  expect(await cronTool.run({ action: 'add', job }, context)).toMatchObject({ when })
  const { jobs } = (await cronTool.run({ action: 'list' }, context)) as { jobs: object[] }
  expect(jobs).toContainEqual(expect.objectContaining({ name: 'report', when }))
})

describe('an interval between two times of the day', () => {
  const working = { kind: 'every', everyMs: 90 * MINUTE, between: { from: '08:00', to: '18:00' } } as const

  test('counts from the first time each day, and includes the second', () => {
    const fromMs = Date.parse('2026-11-23T16:00:00Z')
    const fires = (between: Extract<Schedule, { kind: 'every' }>['between'], count: number) => [
      ...nextOccurrences({ ...working, between }, fromMs, { zone: 'UTC', createdAtMs: 0, count }),
    ]
    expect(fires({ from: '08:00', to: '17:00' }, 3).map(atMs => new Date(atMs).toISOString())).toEqual([
      '2026-11-23T17:00:00.000Z',
      '2026-11-24T08:00:00.000Z',
      '2026-11-24T09:30:00.000Z',
    ])
    // A Monday after its last time: the next one is a week away.
    expect(fires({ from: '08:00', to: '09:30', weekdays: [1] }, 1)).toEqual([Date.parse('2026-11-30T08:00:00Z')])
  })

  test.each([
    [{ ...working, between: { from: '18:00', to: '08:00' } }, /later on the same day/],
    [{ ...working, everyMs: 11 * HOUR }, /fit between/],
    [{ ...working, everyMs: MINUTE - 1 }, /at least 60000/],
    [{ ...working, anchorMs: 5 }, /leave out anchorMs/],
    [{ ...working, tz: 'Mars/Base' }, /Invalid time zone/],
    [{ kind: 'every' as const, everyMs: HOUR, tz: 'UTC' }, /goes with schedule.between/],
  ])('%j is refused', (schedule, message) => {
    expect(() => validateSchedule(schedule, 'UTC', 0)).toThrow(message)
  })

  test('L3: missed times are those between, and not the ones of a bare interval', () => {
    const job = {
      id: 'a',
      schedule: { ...working, tz: 'UTC' },
      createdAtMs: 0,
      policy: { catchUp: 'skip' as const },
      state: {},
    }
    const dueMs = Date.parse('2026-11-23T08:00:00Z')
    expect(decideDue(job, { dueMs, nowMs: dueMs + 47 * HOUR }, 'UTC')).toMatchObject({
      kind: 'missed',
      fromMs: dueMs,
      toMs: Date.parse('2026-11-24T17:00:00Z'),
      count: 14,
      nextMs: Date.parse('2026-11-25T08:00:00Z'),
    })
  })
})
