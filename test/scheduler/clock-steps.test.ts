// A wall clock that is put back or leaps ahead while turns run, jobs wait and keys are kept: spans are measured by a
// clock that never steps, and instants by the wall clock, each of them once.
import { afterEach, expect, test } from 'vitest'
import { DAY, HOUR, MINUTE } from '../../src/base/durations.ts'
import { KEPT } from '../../src/store/sqlite/retention.ts'
import { settled } from '../fakes/clock.ts'
import { type House, openHouse, type Play, text } from '../fakes/house.ts'
import { SteppingClock } from '../fakes/stepping-clock.ts'

const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

async function house(play: Play = () => text('done')) {
  const clock = new SteppingClock()
  const made = await openHouse(play, { clock })
  open.push(made)
  return { ...made, clock }
}

const hourly = {
  name: 'hourly',
  schedule: { kind: 'every', everyMs: HOUR },
  payload: { kind: 'agentTurn', message: 'x' },
}

test('L3: a clock that is put back fires no instant twice and goes on where it was; what was missed by it is nothing', async () => {
  const { call, clock } = await house()
  const job = await call('cron.add', hourly)
  await clock.advance(3 * HOUR)
  clock.step(-150 * MINUTE)
  await clock.advance(2 * HOUR)
  const nominal = async () => (await call('cron.runs', { id: job.id })).entries.map(({ nominalAtMs }) => nominalAtMs)
  expect(await nominal()).toEqual([1, 2, 3].map(n => job.createdAtMs + n * HOUR))
  await clock.advance(2 * HOUR)
  expect(await nominal()).toEqual([1, 2, 3, 4].map(n => job.createdAtMs + n * HOUR))
})

test('L3: a clock that leaps ahead has one instant caught up and the others told, as after a stop', async () => {
  const { call, clock } = await house()
  const job = await call('cron.add', hourly)
  clock.step(5 * HOUR)
  await clock.advance(MINUTE)
  expect((await call('cron.runs', { id: job.id })).entries).toMatchObject([
    { state: 'skipped', count: 4, nominalAtMs: job.createdAtMs + HOUR },
    { state: 'ok', nominalAtMs: job.createdAtMs + 5 * HOUR },
  ])
})

test('L3: a clock behind what has happened fires nothing and is told; a run by hand says that it is right', async () => {
  const { call, clock, logged } = await house()
  await call('cron.add', hourly)
  await clock.advance(HOUR)
  clock.step(-30 * DAY)
  const soon = {
    name: 'soon',
    schedule: { kind: 'at', atMs: clock.now() + MINUTE },
    payload: { kind: 'message', text: 'x' },
  }
  const job = await call('cron.add', soon)
  await clock.advance(10 * MINUTE)
  expect((await call('cron.runs', { id: job.id })).entries).toEqual([])
  const behind = { clockBehindMs: 30 * DAY - 10 * MINUTE }
  for (const method of ['cron.status', 'health', 'status'] as const) expect(await call(method)).toMatchObject(behind)
  expect(logged.filter(line => line.includes('the clock is behind'))).toHaveLength(1)
  const other = await call('cron.add', { ...hourly, name: 'by hand' })
  await call('cron.run', { id: other.id, mode: 'force', wait: true })
  await clock.advance(MINUTE)
  expect((await call('cron.runs', { id: job.id })).entries).toMatchObject([{ state: 'ok' }])
  expect(await call('cron.status')).not.toHaveProperty('clockBehindMs')
})

test('L3: what passed while the gateway did not run stays due when its job is edited before it was decided', async () => {
  const { call, clock } = await house()
  const job = await call('cron.add', hourly)
  clock.step(5 * HOUR)
  for (const patch of [{ description: 'x' }, { policy: { jitterMs: 0 } }, { enabled: true }])
    await call('cron.update', { id: job.id, patch })
  await clock.advance(MINUTE)
  expect((await call('cron.runs', { id: job.id })).entries).toMatchObject([
    { state: 'skipped', count: 4, nominalAtMs: job.createdAtMs + HOUR },
    { state: 'ok', nominalAtMs: job.createdAtMs + 5 * HOUR },
  ])
})

test('L3: what was told before the clock was put back and the job edited is told once, and what came after it too', async () => {
  const { call, clock } = await house()
  const job = await call('cron.add', hourly)
  await clock.advance(3 * HOUR)
  clock.step(-90 * MINUTE)
  await call('cron.update', { id: job.id, patch: { policy: { catchUp: 'latest' } } })
  clock.step(6 * HOUR)
  await clock.advance(MINUTE)
  const at = (hours: number) => job.createdAtMs + hours * HOUR
  expect((await call('cron.runs', { id: job.id })).entries).toMatchObject([
    ...[1, 2, 3].map(hours => ({ state: 'ok', nominalAtMs: at(hours) })),
    { state: 'skipped', count: 3, nominalAtMs: at(4), toMs: at(6) },
    { state: 'ok', nominalAtMs: at(7) },
  ])
})

/** A clock that is five hours ahead has told four hours as missed and fired the fifth; then it is put right again. */
async function wrongByFiveHours() {
  const { call, clock } = await house()
  const job = await call('cron.add', hourly)
  clock.step(5 * HOUR)
  await clock.advance(MINUTE)
  clock.step(-5 * HOUR)
  const edit = (patch: object) => call('cron.update', { id: job.id, patch })
  const rows = async () => (await call('cron.runs', { id: job.id })).entries
  return { edit, rows, clock, at: (hours: number) => job.createdAtMs + hours * HOUR }
}

test('L3: a job whose policy is changed by a clock that was put back is due when it was: told is told', async () => {
  const { edit, rows, clock, at } = await wrongByFiveHours()
  const edited = await edit({ policy: { catchUp: 'all' } })
  expect(edited.state.nextRunAtMs).toBe(at(6))
  await clock.advance(6 * HOUR)
  expect(await rows()).toMatchObject([
    { state: 'skipped', count: 4, nominalAtMs: at(1), toMs: at(4) },
    ...[5, 6].map(hours => ({ state: 'ok', nominalAtMs: at(hours) })),
  ])
})

test('L3: one that gets other times by it has them anew: what was only told is made up by its policy, what fired is not', async () => {
  const { edit, rows, clock, at } = await wrongByFiveHours()
  const edited = await edit({ schedule: { kind: 'every', everyMs: 2 * HOUR, anchorMs: at(1) } })
  expect(edited.state.nextRunAtMs).toBe(at(1))
  await clock.advance(4 * HOUR)
  // Behind what has happened it fires nothing, whatever it is due for.
  expect(await rows()).toHaveLength(2)
  await clock.advance(3 * HOUR)
  expect(await rows()).toMatchObject([
    { state: 'ok', nominalAtMs: at(3), runAtMs: expect.closeTo(at(5), -6) },
    { state: 'skipped', count: 4, nominalAtMs: at(1), toMs: at(4) },
    { state: 'ok', nominalAtMs: at(5) },
    { state: 'ok', nominalAtMs: at(7) },
  ])
})

test('L3: a job that is renamed while the clock is wrong is due when it was', async () => {
  const { call, clock } = await house()
  const daily = { ...hourly, schedule: { kind: 'cron', expr: '0 12 * * *', tz: 'UTC' } }
  const job = await call('cron.add', daily)
  clock.step(-20_000 * DAY)
  const renamed = await call('cron.update', { id: job.id, patch: { name: 'other' } })
  expect(renamed.state.nextRunAtMs).toBe(job.state.nextRunAtMs)
})

test.each([DAY, -DAY])(
  'W6: a turn under way is bounded by what it took, whatever the wall clock did (%i ms)',
  async byMs => {
    const gate = Promise.withResolvers<void>()
    const { call, clock, store } = await house(async ({ signal }) => {
      await Promise.race([gate.promise, new Promise(resolve => signal.addEventListener('abort', resolve))])
      return signal.aborted ? { type: 'failed', kind: 'aborted', message: 'stopped' } : text('in time')
    })
    const begin = (runId: string) =>
      call('chat.send', { sessionKey: runId, message: 'hi', idempotencyKey: runId, timeoutMs: 10 * MINUTE })
    await begin('a')
    await settled()
    clock.step(byMs)
    await clock.advance(9 * MINUTE)
    expect(store.read.run('a')?.state).toBe('running')
    await begin('b')
    await clock.advance(MINUTE)
    await call('agent.wait', { runId: 'a' })
    expect(store.read.run('a')?.state).toBe('timed-out')
    gate.resolve()
    await call('agent.wait', { runId: 'b' })
    expect(store.read.run('b')).toMatchObject({ state: 'ok', reply: 'in time' })
  },
)

test('T1: keys go by age: put back, the clock removes none early, and a leap within their week removes none', async () => {
  const { call, clock, store } = await house()
  const add = () => call('cron.add', { ...hourly, idempotencyKey: 'once' })
  const first = await add()
  const pass = () => store.write.removeOld({ table: 'keys', afterId: 0, sliceMs: 1_000, nowMs: clock.now() })
  for (const byMs of [-30 * DAY, 30 * DAY, KEPT.keys.ms - MINUTE]) {
    clock.step(byMs)
    expect((await pass()).value).toEqual({ removed: 0 })
    expect((await add()).id).toBe(first.id)
  }
  clock.step(2 * MINUTE)
  expect((await pass()).value).toEqual({ removed: 1 })
})
