// A job's run that failed by what may pass is tried again: the same occurrence, its journal, one row and one delivery,
// through restarts; and what may not be done twice, or would fail again, is not.
import { afterEach, describe, expect, test } from 'vitest'
import { HOUR, MINUTE, SECOND } from '../../src/base/durations.ts'
import { retryAtMs } from '../../src/scheduler/retry-rule.ts'
import { FakeClock } from '../fakes/clock.ts'
import { calls, type House, openHouse, type Play, text } from '../fakes/house.ts'

const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})
async function house(play: Play, options: Parameters<typeof openHouse>[1] = {}): Promise<House> {
  const made = await openHouse(play, options)
  open.push(made)
  return made
}

const daily = {
  name: 'report',
  schedule: { kind: 'every', everyMs: 24 * HOUR },
  payload: { kind: 'agentTurn', message: 'report' },
}
const down: Play = () => ({ type: 'failed', kind: 'unavailable', message: 'the provider is down' })
const all = ['running', 'ok', 'failed', 'timed-out', 'cancelled', 'skipped', 'unknown']
const rows = async (one: House, id: string) => (await one.call('cron.runs', { id, states: all })).entries
const notices = async (one: House) =>
  (await one.call('chat.unread', { sessionKey: 'main' })).notices.map(notice => notice.text)

test('what may pass is tried again in the same row, and delivered once', async () => {
  let asked = 0
  const one = await house(ask => {
    asked += 1
    return asked < 3 ? down(ask) : text('done')
  })
  const job = await one.call('cron.add', daily)
  await one.clock.advance(24 * HOUR)
  const atMs = one.clock.now()
  expect(await rows(one, job.id)).toMatchObject([
    { state: 'running', attempt: 1, error: 'the provider is down', retryAtMs: atMs + MINUTE },
  ])
  expect((await one.call('cron.list')).jobs[0]?.state).toMatchObject({ runningAtMs: atMs, retryAtMs: atMs + MINUTE })
  // It counts as under way, for whoever runs it by hand too.
  expect(await one.call('cron.run', { id: job.id, mode: 'force' })).toMatchObject({ reason: 'already-running' })
  expect(await notices(one)).toEqual([])
  await one.clock.advance(MINUTE)
  expect((await one.call('cron.list')).jobs[0]?.state).toMatchObject({ retryAtMs: one.clock.now() + 5 * MINUTE })
  await one.clock.advance(5 * MINUTE)
  expect(asked).toBe(3)
  expect(await rows(one, job.id)).toMatchObject([{ state: 'ok', attempt: 3, summary: 'done' }])
  const [{ state }] = (await one.call('cron.list')).jobs as [typeof job]
  expect(state).not.toHaveProperty('retryAtMs')
  expect(state).not.toHaveProperty('failures')
  expect(await notices(one)).toEqual(['done'])
})

test('after as many tries as its policy has, it fails once, with the kind of its failure', async () => {
  const one = await house(down)
  const job = await one.call('cron.add', { ...daily, policy: { retry: { max: 1, backoffMs: [10 * SECOND] } } })
  expect(job.policy?.retry).toEqual({ max: 1, backoffMs: [10 * SECOND] })
  await one.clock.advance(24 * HOUR + 10 * SECOND)
  expect(await rows(one, job.id)).toMatchObject([{ state: 'failed', failure: 'transient', attempt: 2 }])
  expect((await one.call('cron.list')).jobs[0]?.state).toMatchObject({ failures: 1 })
  expect(await notices(one)).toEqual(['Job "report" failed: the provider is down'])
})

test('L3: a try that waits is on disk, and happens at its time after a restart', async () => {
  const clock = new FakeClock()
  const before = await openHouse(down, { clock })
  const job = await before.call('cron.add', { ...daily, schedule: { kind: 'at', atMs: clock.now() + HOUR } })
  await clock.advance(HOUR)
  await before.leave()
  let asked = 0
  const after = await house(
    () => {
      asked += 1
      return text('done')
    },
    { clock, folder: before.folder },
  )
  await clock.advance(MINUTE - 1)
  expect(asked).toBe(0)
  await clock.advance(1)
  expect(await rows(after, job.id)).toMatchObject([{ state: 'ok', attempt: 2 }])
  expect(await notices(after)).toEqual(['done'])
  // The one-shot is spent.
  expect((await after.call('cron.list', { includeDisabled: true })).jobs).toMatchObject([{ enabled: false }])
})

test.each([
  ['exec', { command: 'true' }, 'failed', 1],
  ['cron', { action: 'status' }, 'ok', 2],
])('T1: after a call of %s, which may not or may be made twice', async (...[name, args, state, times]) => {
  let asked = 0
  const results: number[] = []
  const one = await house(ask => {
    asked += 1
    if (asked === 1) return calls({ name, args })
    results.push(ask.messages.filter(({ role }) => role === 'tool').length)
    return asked === 2 ? down(ask) : text('done')
  })
  const job = await one.call('cron.add', daily)
  await one.clock.advance(24 * HOUR + MINUTE)
  expect(await rows(one, job.id)).toMatchObject([{ state }])
  // What the journal has is not done again.
  expect(results).toEqual(Array.from({ length: times }, () => 1))
})

test('an answer that broke off is begun anew', async () => {
  let asked = 0
  const one = await house(ask => {
    asked += 1
    if (asked === 1) return { type: 'failed', kind: 'cut-off', message: 'cut', said: 'The wea' }
    expect(ask.messages.map(({ role }) => role)).toEqual(['user'])
    return text('The weather is fine.')
  })
  await one.call('cron.add', daily)
  await one.clock.advance(24 * HOUR + MINUTE)
  expect(await notices(one)).toEqual(['The weather is fine.'])
})

test.each([
  ['removed', (one: House, id: string) => one.call('cron.remove', { id })],
  ['disabled', (one: House, id: string) => one.call('cron.update', { id, patch: { enabled: false } })],
])('a job that was %s meanwhile is not tried again', async (_word, change) => {
  let asked = 0
  const one = await house(ask => {
    asked += 1
    return down(ask)
  })
  const job = await one.call('cron.add', daily)
  await one.clock.advance(24 * HOUR)
  await change(one, job.id)
  await one.clock.advance(HOUR)
  expect(asked).toBe(1)
  expect(await rows(one, job.id)).toMatchObject([{ state: 'cancelled', error: 'stopped before it was tried again' }])
})

test('W7: a run that waits for its next try is stopped at once', async () => {
  const one = await house(down)
  const job = await one.call('cron.add', daily)
  await one.clock.advance(24 * HOUR)
  await one.call('chat.abort', { sessionKey: `agent:main:cron:${job.id}` })
  expect(await rows(one, job.id)).toMatchObject([{ state: 'cancelled' }])
  await one.clock.advance(HOUR)
  expect((await one.call('status')).runs.running).toBe(0)
})

describe('the rule', () => {
  const job = { enabled: true, policy: { retry: { max: 3, backoffMs: [SECOND, MINUTE] } } }
  const at = (retries: number, failure?: 'transient' | 'permanent' | 'refused', of = job) =>
    retryAtMs(of, { retries }, { end: failure ? { failure } : {}, nowMs: 0 })
  test('is of failures that may pass, so many times, each after its pause', () => {
    expect([0, 1, 2, 3].map(retries => at(retries, 'transient'))).toEqual([SECOND, MINUTE, MINUTE, undefined])
    // A time-out of work, a stop, and an end without a kind have none.
    expect([at(0), at(0, 'permanent'), at(0, 'refused')]).toEqual([undefined, undefined, undefined])
    expect(at(0, 'transient', { ...job, enabled: false })).toBeUndefined()
  })
})
