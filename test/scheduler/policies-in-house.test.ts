// Policies as their users meet them: alerts and recoveries in the job's chat, jobs that end or switch themselves off,
// the ledger's pages, and refusals that leave nothing behind.
import { afterEach, expect, test } from 'vitest'
import { HOUR, MINUTE } from '../../src/base/durations.ts'
import { loopback } from '../../src/channels/loopback/loopback.ts'
import { settled } from '../fakes/clock.ts'
import { calls, type House, openHouse, type Play, text } from '../fakes/house.ts'

const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})
async function house(play: Play = () => text('done')): Promise<House> {
  const made = await openHouse(play)
  open.push(made)
  return made
}

const hourly = {
  name: 'report',
  schedule: { kind: 'every', everyMs: HOUR },
  payload: { kind: 'agentTurn', message: 'report' },
}
const broken: Play = () => ({ type: 'failed', kind: 'auth', message: 'no key' })
const notices = async (one: House) =>
  (await one.call('chat.unread', { sessionKey: 'main' })).notices.map(notice => notice.text)

test('an outage is told once, with the recovery; the replies between are told as ever', async () => {
  const one = await house(broken)
  await one.call('cron.add', hourly)
  for (let hour = 0; hour < 3; hour += 1) await one.clock.advance(HOUR)
  expect(await notices(one)).toEqual(['Job "report" failed: no key'])
  one.play(() => text('done'))
  for (let hour = 0; hour < 2; hour += 1) await one.clock.advance(HOUR)
  expect((await notices(one)).toSorted()).toEqual(
    ['Job "report" failed: no key', 'Job "report" works again after 3 failures.', 'done', 'done'].toSorted(),
  )
})

test('the chat in which a job was made hears once that it fails, and that it works again', async () => {
  let fails = false
  const channel = loopback({ dedupesSends: false })
  const play: Play = ({ messages }) => {
    const words = JSON.stringify(messages.at(-1))
    if (words.includes('make it')) return calls({ name: 'cron', args: { action: 'add', job: hourly } })
    return fails && words.includes('Current time') ? broken({} as never) : text('well')
  }
  const one = await openHouse(play, { channels: [channel] })
  open.push(one)
  await channel.say({ messageId: 'm', chatId: '7', from: { id: '7' }, text: 'make it', atMs: 0 })
  await settled()
  fails = true
  for (let hour = 0; hour < 3; hour += 1) await one.clock.advance(HOUR)
  fails = false
  await one.clock.advance(HOUR)
  await settled()
  const told = channel.seen.filter(({ text: words }) => words.startsWith('Job '))
  expect(told.map(({ chatId, text: words }) => [chatId, words])).toEqual([
    ['7', 'Job "report" failed: no key'],
    ['7', 'Job "report" works again after 3 failures.'],
  ])
})

test('of a job that no chat made, the chat of its results hears that it fails', async () => {
  const channel = loopback({ dedupesSends: false })
  const one = await openHouse(broken, { channels: [channel] })
  open.push(one)
  const payload = { ...hourly.payload, channel: channel.id, to: '9' }
  await one.call('cron.add', { ...hourly, payload })
  for (let hour = 0; hour < 3; hour += 1) await one.clock.advance(HOUR)
  await settled()
  expect(channel.seen.map(({ chatId, text: words }) => [chatId, words])).toEqual([['9', 'Job "report" failed: no key']])
  expect(await notices(one)).toEqual([])
})

test('a job is silent about failures when it was told to be, and off after as many as it may have', async () => {
  const one = await house(broken)
  const job = await one.call('cron.add', { ...hourly, policy: { failureAlert: false, pauseAfterFailures: 2 } })
  for (let hour = 0; hour < 5; hour += 1) await one.clock.advance(HOUR)
  expect(await notices(one)).toEqual([])
  const [paused] = (await one.call('cron.list', { includeDisabled: true })).jobs
  expect(paused).toMatchObject({ enabled: false, state: { failures: 2, pausedBecause: 'it failed 2 times in a row' } })
  expect((await one.call('cron.runs', { id: job.id })).entries).toHaveLength(2)
  const back = await one.call('cron.update', { id: job.id, patch: { enabled: true } })
  expect(back.state).toMatchObject({ nextRunAtMs: one.clock.now() + HOUR })
  expect(back.state).not.toHaveProperty('failures')
  await one.clock.advance(HOUR)
  expect((await one.call('cron.list')).jobs).toMatchObject([{ enabled: true, state: { failures: 1 } }])
})

test('a job that has failed more often than it may since an edit is switched off by its next failure', async () => {
  const one = await house(broken)
  const { id } = await one.call('cron.add', hourly)
  for (let hour = 0; hour < 3; hour += 1) await one.clock.advance(HOUR)
  await one.call('cron.update', { id, patch: { policy: { pauseAfterFailures: 2 } } })
  await one.clock.advance(HOUR)
  const paused = { enabled: false, state: { failures: 4, pausedBecause: 'it failed 4 times in a row' } }
  expect((await one.call('cron.list', { id })).jobs).toMatchObject([paused])
  // Run by hand it fails once more, but is not switched off again.
  const told = (await notices(one)).length
  await one.call('cron.run', { id, mode: 'force', wait: true })
  expect([await notices(one), (await one.call('cron.list', { id })).jobs]).toMatchObject([
    { length: told },
    [{ state: { failures: 5, pausedBecause: 'it failed 4 times in a row' } }],
  ])
})

test('L3: a job ends with its last run, and one that is deleted after it is gone', async () => {
  const one = await house()
  const ends = await one.call('cron.add', { ...hourly, policy: { maxRuns: 2 } })
  const goes = await one.call('cron.add', {
    ...hourly,
    name: 'goes',
    deleteAfterRun: true,
    policy: { endAtMs: one.clock.now() + 3 * HOUR },
  })
  for (let hour = 0; hour < 6; hour += 1) await one.clock.advance(HOUR)
  expect((await one.call('cron.list', { includeDisabled: true })).jobs).toMatchObject([{ id: ends.id, enabled: false }])
  expect((await one.call('cron.runs', { id: ends.id })).entries).toHaveLength(2)
  expect((await one.call('cron.runs', { id: goes.id })).entries).toHaveLength(3)
})

test('runs that may overlap have sessions of their own', async () => {
  const gate = Promise.withResolvers<void>()
  const one = await house(async () => {
    await gate.promise
    return text('done')
  })
  const payload = { ...hourly.payload, timeoutSeconds: 86_400 }
  const job = await one.call('cron.add', { ...hourly, payload, policy: { overlap: 'allow' } })
  for (let hour = 0; hour < 3; hour += 1) await one.clock.advance(HOUR)
  expect((await one.call('status')).runs.running).toBeGreaterThan(1)
  gate.resolve()
  await one.clock.advance(MINUTE)
  const { entries } = await one.call('cron.runs', { id: job.id })
  expect(entries.map(({ state }) => state)).toEqual(['ok', 'ok', 'ok'])
  expect(new Set(entries.map(({ sessionKey }) => sessionKey)).size).toBe(3)
})

test('L3: the ledger says what a run took and what was told of it, and is read in pages and by state', async () => {
  const one = await house()
  const job = await one.call('cron.add', hourly)
  for (let hour = 0; hour < 4; hour += 1) await one.clock.advance(HOUR)
  one.play(broken)
  await one.clock.advance(HOUR)
  const { entries } = await one.call('cron.runs', { id: job.id, limit: 2 })
  expect(entries).toMatchObject([
    {
      state: 'ok',
      lagMs: 0,
      attempt: 1,
      sessionKey: `agent:main:cron:${job.id}`,
      delivery: 'unread',
      startedAtMs: one.clock.now() - HOUR,
    },
    { state: 'failed', error: 'no key' },
  ])
  const before = entries[0]?.seq as number
  const older = await one.call('cron.history', { before, limit: 9 })
  expect(older.entries.map(({ nominalAtMs }) => nominalAtMs)).toEqual([1, 2, 3].map(n => job.createdAtMs + n * HOUR))
  const failed = await one.call('cron.history', { states: ['failed'], sinceMs: one.clock.now() - MINUTE })
  expect(failed.entries).toMatchObject([{ jobId: job.id, state: 'failed' }])
  expect((await one.call('cron.history', { untilMs: job.createdAtMs })).entries).toEqual([])
})

test('a policy that leaves no time to fire is refused, and changes nothing', async () => {
  const one = await house()
  const job = await one.call('cron.add', hourly)
  expect(job.policy).toEqual({
    catchUp: 'latest',
    overlap: 'skip',
    failureAlert: true,
    pauseAfterFailures: 0,
    jitterMs: 0,
    staggerMs: 1_000,
    retry: { max: 2, backoffMs: [MINUTE, 5 * MINUTE] },
  })
  const endAtMs = one.clock.now() + MINUTE
  await expect(one.call('cron.add', { ...hourly, policy: { endAtMs } })).rejects.toThrow('this job never fires')
  await expect(one.call('cron.update', { id: job.id, patch: { policy: { endAtMs } } })).rejects.toThrow('never fires')
  await expect(one.call('cron.update', { id: job.id, patch: { policy: { overlap: 'x' } } })).rejects.toThrow('overlap')
  expect((await one.call('cron.list')).jobs).toEqual([job])
  const patched = await one.call('cron.update', { id: job.id, patch: { policy: { catchUp: 'all' } } })
  expect(patched.policy).toMatchObject({ catchUp: 'all', overlap: 'queue-all' })
})
