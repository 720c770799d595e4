// The edges of time, each by its name, through a whole house: leap days, the end of a year on both sides of the date line,
// dates that never come, waits longer than a timer can, a machine that slept for a day, and a board that boots in 1970.
import { afterEach, describe, expect, test } from 'vitest'
import { DAY, HOUR, MINUTE, SECOND } from '../../src/base/durations.ts'
import { FakeClock } from '../fakes/clock.ts'
import { type House, openHouse, text } from '../fakes/house.ts'
import { SteppingClock } from '../fakes/stepping-clock.ts'

const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})
async function house<C extends FakeClock>(clock: C, folder?: string): Promise<House & { clock: C }> {
  const made = await openHouse(() => text('done'), { clock, ...(folder && { folder }) })
  open.push(made)
  return { ...made, clock }
}

const at = (iso: string) => Date.parse(iso)
const job = (schedule: object, more: object = {}) => ({
  name: JSON.stringify(schedule),
  schedule,
  payload: { kind: 'message', text: 'now' },
  ...more,
})
const cron = (expr: string, tz = 'UTC') => job({ kind: 'cron', expr, tz })
const rows = async (one: House, id: string) => (await one.call('cron.runs', { id })).entries
const fired = async (one: House, id: string) =>
  (await rows(one, id)).filter(({ state }) => state === 'ok').map(({ nominalAtMs = 0 }) => nominalAtMs)
/** Whole days are slept through: the next look at the clock finds them gone. */
const sleepUntil = async (clock: SteppingClock, iso: string) => {
  clock.step(at(iso) - clock.now())
  await clock.advance(20 * SECOND)
}

describe('leap days', () => {
  test('L3: 29 February, yearly and monthly, is one firing in a leap year and none in another', async () => {
    const one = await house(new SteppingClock(at('2027-02-27T12:00Z')))
    const yearly = await one.call('cron.add', cron('0 9 29 2 *'))
    const monthly = await one.call('cron.add', cron('0 9 29 * *'))
    expect([yearly.state.nextRunAtMs, monthly.state.nextRunAtMs]).toEqual([
      at('2028-02-29T09:00Z'),
      at('2027-03-29T09:00Z'),
    ])
    await sleepUntil(one.clock, '2028-02-29T08:58:00Z')
    await one.clock.advance(DAY)
    expect(await fired(one, yearly.id)).toEqual([at('2028-02-29T09:00Z')])
    // The months before it were slept through: the latest of them is made up, and the others are told.
    expect(await fired(one, monthly.id)).toEqual([at('2028-01-29T09:00Z'), at('2028-02-29T09:00Z')])
    expect((await rows(one, monthly.id))[0]).toMatchObject({ state: 'skipped', count: 10 })
  })
})

describe('the end of a year', () => {
  test('L3: its last minute and the first of the next are one firing each, on both sides of the date line', async () => {
    const one = await house(new FakeClock(at('2026-12-31T09:30Z')))
    const ends = [
      ['59 23 31 12 *', 'Pacific/Kiritimati', '2026-12-31T09:59Z'],
      ['0 0 1 1 *', 'Pacific/Kiritimati', '2026-12-31T10:00Z'],
      ['59 23 31 12 *', 'UTC', '2026-12-31T23:59Z'],
      ['0 0 1 1 *', 'UTC', '2027-01-01T00:00Z'],
      ['59 23 31 12 *', 'Pacific/Pago_Pago', '2027-01-01T10:59Z'],
      ['0 0 1 1 *', 'Pacific/Pago_Pago', '2027-01-01T11:00Z'],
    ] as const
    const jobs = await Promise.all(ends.map(([expr, tz]) => one.call('cron.add', cron(expr, tz))))
    await one.clock.advance(26 * HOUR)
    const all = await Promise.all(jobs.map(({ id }) => rows(one, id)))
    expect(all).toMatchObject(ends.map(([, , iso]) => [{ state: 'ok', nominalAtMs: at(iso), lagMs: 0 }]))
  })
})

describe('dates that never come', () => {
  test.each([
    ['an expression', { kind: 'cron', expr: '0 9 31 2 *' }, /never fires/],
    ['words', { words: 'on 31 February at 9' }, /31 February/],
    ['an instant', { kind: 'at', atMs: '2027-02-31T09:00:00Z' }, /schedule.atMs/],
  ])('31 February as %s is refused, and nothing is made', async (_, schedule, why) => {
    const one = await house(new FakeClock())
    await expect(one.call('cron.add', job(schedule))).rejects.toThrow(why)
    expect((await one.call('cron.list', { includeDisabled: true })).jobs).toEqual([])
  })
})

describe('waits longer than a timer can', () => {
  /** Keeps what its timers were asked for. */
  class AskedClock extends SteppingClock {
    readonly delaysMs: number[] = []
    override after(delayMs: number, callback: () => void) {
      this.delaysMs.push(delayMs)
      return super.after(delayMs, callback)
    }
  }
  /** Of setTimeout, 24.8 days: what is longer fires at once. */
  const TIMER_MS_MAX = 2 ** 31 - 1

  test('L3: a job due in 60 days fires at its instant, and no timer ever waits so long', async () => {
    const one = await house(new AskedClock())
    const atMs = one.clock.now() + 60 * DAY
    one.clock.delaysMs.length = 0
    const { id } = await one.call('cron.add', job({ kind: 'at', atMs }, { deleteAfterRun: false }))
    // The scheduler's own sleep, which is the one that the job's wait is made of.
    expect(one.clock.delaysMs).toContain(20 * SECOND)
    await one.clock.advance(10 * MINUTE)
    expect(await rows(one, id)).toEqual([])
    one.clock.step(60 * DAY - 15 * MINUTE)
    await one.clock.advance(10 * MINUTE)
    expect(await rows(one, id)).toMatchObject([{ state: 'ok', nominalAtMs: atMs, lagMs: 0 }])
    expect(Math.max(...one.clock.delaysMs)).toBeLessThanOrEqual(TIMER_MS_MAX)
  })
})

describe('a machine that slept', () => {
  test('L3: after a day of it the first look at the clock makes up the latest, and tells the others as one row', async () => {
    const one = await house(new SteppingClock())
    const { id, createdAtMs } = await one.call('cron.add', job({ kind: 'every', everyMs: HOUR }))
    await one.clock.advance(30 * MINUTE)
    one.clock.step(DAY)
    const wokenMs = one.clock.now()
    await one.clock.advance(20 * SECOND)
    const entries = await rows(one, id)
    expect(entries).toMatchObject([
      { state: 'skipped', count: 23, nominalAtMs: createdAtMs + HOUR, toMs: createdAtMs + 23 * HOUR },
      { state: 'ok', nominalAtMs: createdAtMs + 24 * HOUR },
    ])
    for (const { runAtMs = 0 } of entries) expect(runAtMs - wokenMs).toBeLessThanOrEqual(20 * SECOND)
  })
})

describe('a board that boots in 1970', () => {
  test('L3: what it has done keeps it from firing until a leap puts its clock right; then it goes on', async () => {
    const clock = new SteppingClock()
    const before = await openHouse(() => text('done'), { clock })
    const { id, createdAtMs } = await before.call('cron.add', job({ kind: 'every', everyMs: DAY }))
    await clock.advance(DAY)
    await before.leave()
    const rightMs = clock.now()
    clock.step(-rightMs)
    const one = await house(clock, before.folder)
    await clock.advance(10 * MINUTE)
    expect(await fired(one, id)).toEqual([createdAtMs + DAY])
    clock.step(rightMs + DAY)
    await clock.advance(MINUTE)
    expect(await fired(one, id)).toEqual([createdAtMs + DAY, createdAtMs + 2 * DAY])
  })

  test('L3: a new one, whose jobs were made in 1970, tells all the years as missed and fires the latest day', async () => {
    const clock = new SteppingClock(5 * MINUTE)
    const one = await house(clock)
    const { id } = await one.call('cron.add', cron('0 9 * * *'))
    await sleepUntil(clock, '2026-11-22T10:00Z')
    await clock.advance(MINUTE)
    const entries = await rows(one, id)
    const missed = entries.filter(({ state }) => state === 'skipped')
    const days = at('2026-11-22T00:00Z') / DAY
    expect(missed.reduce((sum, { count = 1 }) => sum + count, 0)).toBe(days)
    expect(await fired(one, id)).toEqual([at('2026-11-22T09:00Z')])
    expect(entries).toHaveLength(missed.length + 1)
  })
})
