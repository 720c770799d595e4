// The timer, the ledger and what jobs become, in virtual time on the production rooms.
import { afterEach, describe, expect, test } from 'vitest'
import { HOUR, MINUTE, SECOND } from '../../src/base/durations.ts'
import { FakeClock, settled } from '../fakes/clock.ts'
import { calls, type House, type HouseOptions, openHouse, type Play, text } from '../fakes/house.ts'

const open: House[] = []
async function house(play: Play = () => text('done'), options?: HouseOptions): Promise<House> {
  const made = await openHouse(play, options)
  open.push(made)
  return made
}
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

const agentJob = {
  name: 'report',
  schedule: { kind: 'every', everyMs: HOUR },
  payload: { kind: 'agentTurn', message: 'report' },
}
const reminder = (atMs: number) => ({
  name: 'stretch',
  schedule: { kind: 'at', atMs },
  payload: { kind: 'message', text: 'stretch' },
  deleteAfterRun: true,
})
const runsOf = async (one: House, id: string) => (await one.call('cron.runs', { id })).entries
const cronActions = (one: House) =>
  one.events.flatMap(event => (event.event === 'cron' ? [(event.payload as { action: string }).action] : []))

describe('L3: every due instant is accounted for', () => {
  test('L3: an interval fires at its instants, each once, whatever the runs take', async () => {
    const one = await house()
    const job = await one.call('cron.add', agentJob)
    for (let hour = 0; hour < 5; hour += 1) await one.clock.advance(HOUR)
    const entries = await runsOf(one, job.id)
    expect(entries.map(entry => entry.nominalAtMs)).toEqual([1, 2, 3, 4, 5].map(n => job.createdAtMs + n * HOUR))
    expect(entries.every(entry => entry.state === 'ok' && entry.summary === 'done')).toBe(true)
  })

  test('L3: an instant that falls due while the job still runs is skipped with the reason', async () => {
    const gate = Promise.withResolvers<void>()
    const one = await house(async () => {
      await gate.promise
      return text('late')
    })
    const payload = { ...agentJob.payload, timeoutSeconds: 24 * 3600 }
    const job = await one.call('cron.add', { ...agentJob, payload })
    await one.clock.advance(2 * HOUR + MINUTE)
    expect(await runsOf(one, job.id)).toMatchObject([{ state: 'skipped', nominalAtMs: job.createdAtMs + 2 * HOUR }])
    gate.resolve()
    await one.call('agent.wait', { runId: one.store.read.liveRuns(`agent:main:cron:${job.id}`)[0]?.runId ?? '' })
    expect((await runsOf(one, job.id)).map(entry => entry.state)).toEqual(['ok', 'skipped'])
  })

  test('L3: instants missed while the gateway was off are one row, and the latest is caught up once', async () => {
    const clock = new FakeClock()
    const before = await openHouse(() => text('done'), { clock })
    const job = await before.call('cron.add', agentJob)
    await before.leave()
    await clock.advance(10 * HOUR + MINUTE)
    const after = await house(undefined, { clock, folder: before.folder })
    await clock.advance(MINUTE)
    const entries = await runsOf(after, job.id)
    expect(entries).toMatchObject([
      {
        state: 'skipped',
        count: 9,
        nominalAtMs: job.createdAtMs + HOUR,
        error: expect.stringContaining('did not run'),
      },
      { state: 'ok', nominalAtMs: job.createdAtMs + 10 * HOUR },
    ])
    await clock.advance(HOUR)
    expect(await runsOf(after, job.id)).toHaveLength(3)
  })

  test('a wall clock that jumps ahead is seen within the longest sleep', async () => {
    const one = await house()
    const job = await one.call('cron.add', { ...agentJob, schedule: { kind: 'cron', expr: '0 12 * * *', tz: 'UTC' } })
    await one.clock.advance(4 * HOUR)
    expect(await runsOf(one, job.id)).toHaveLength(1)
  })
})

describe('reminders', () => {
  test('a text is told to the session once, unread until it is shown, and the one-shot is gone', async () => {
    const one = await house()
    await one.call('cron.add', reminder(one.clock.now() + 5 * SECOND))
    await one.clock.advance(4 * SECOND)
    expect((await one.call('chat.unread', { sessionKey: 'main' })).notices).toEqual([])
    await one.clock.advance(2 * SECOND)
    const { notices } = await one.call('chat.unread', { sessionKey: 'main' })
    expect(notices).toMatchObject([{ text: 'stretch', source: 'job', sessionKey: 'agent:main:main' }])
    expect(await one.call('cron.list', { includeDisabled: true })).toEqual({ jobs: [], total: 0 })
    expect(cronActions(one)).toEqual(['added', 'started', 'finished', 'removed'])
    expect(one.events.filter(event => event.event === 'chat')).toMatchObject([
      { payload: { state: 'final', notice: { id: notices[0]?.id } } },
    ])
    await one.call('chat.markRead', { ids: [notices[0]?.id ?? ''] })
    expect((await one.call('chat.unread', { sessionKey: 'main' })).notices).toEqual([])
    await one.clock.advance(HOUR)
    expect(one.events.filter(event => event.event === 'chat')).toHaveLength(1)
  })

  test('one that fell due while the gateway was off is told at the next start, once', async () => {
    const clock = new FakeClock()
    const before = await openHouse(() => text(''), { clock })
    await before.call('cron.add', reminder(clock.now() + HOUR))
    await before.leave()
    await clock.advance(3 * HOUR)
    const after = await house(undefined, { clock, folder: before.folder })
    await clock.advance(SECOND)
    const { notices } = await after.call('chat.unread', { sessionKey: 'main' })
    expect(notices).toMatchObject([{ text: 'stretch', atMs: clock.now() - 2 * HOUR - SECOND }])
  })
})

describe('W2: nothing is held while a job runs', () => {
  test('W2, W3: a job whose own turn lists, adds and runs itself', async () => {
    let jobId = ''
    const inner = { name: 'inner', schedule: { kind: 'every', everyMs: HOUR }, payload: { kind: 'message', text: 'x' } }
    const one = await house(({ messages }) => {
      const done = messages.filter(message => message.role === 'tool').length
      const steps = [
        { name: 'cron', args: { action: 'list' } },
        { name: 'cron', args: { action: 'add', job: inner } },
        { name: 'cron', args: { action: 'run', jobId } },
      ]
      const step = steps[done]
      return step
        ? calls(step)
        : text(messages.map(message => (message.role === 'tool' ? message.text : '')).join('\n'))
    })
    const job = await one.call('cron.add', agentJob)
    jobId = job.id
    const ran = await one.call('cron.run', { id: job.id, mode: 'force', wait: true })
    expect(ran).toMatchObject({ ok: true, ran: true, status: 'ok' })
    const [entry] = await runsOf(one, job.id)
    expect(entry?.summary).toContain('"total":1')
    expect(entry?.summary).toContain('"reason":"already-running"')
    const { jobs } = await one.call('cron.list')
    expect(jobs.map(made => [made.name, made.madeBy?.kind])).toEqual(
      expect.arrayContaining([
        ['report', 'operator'],
        ['inner', 'agent'],
      ]),
    )
  })

  test('T2: inside a turn an equal job is the same job, and says that nothing new was made', async () => {
    const add = (job: object) => ({ name: 'cron', args: { action: 'add', job } })
    const one = await house(({ messages }) => {
      if (messages.at(-1)?.role === 'tool')
        return text(messages.map(message => (message.role === 'tool' ? message.text : '')).join('\n'))
      const soon = reminder(one.clock.now() + MINUTE)
      return calls(
        add(soon),
        add({ ...soon, name: ' STRETCH ', schedule: { kind: 'at', atMs: soon.schedule.atMs + 5_000 } }),
        add({ ...soon, payload: { kind: 'message', text: 'other' } }),
        add({ ...soon, allowDuplicate: true }),
      )
    })
    await one.call('agent', { message: 'plan', sessionKey: 'main', idempotencyKey: 'k' })
    expect((await one.call('cron.list')).jobs).toHaveLength(3)
    const results = one.store.read
      .runEntries('k')
      .flatMap(entry => (entry.body.kind === 'result' ? [entry.body.text] : []))
    expect(results.map(result => result.includes('"deduplicated":true'))).toEqual([false, true, false, false])
  })

  test('an event for the main session is its next input; a failed run is told and never loops', async () => {
    const one = await house(({ messages }) => {
      const last = messages.at(-1)
      return last?.role === 'user' && last.text.startsWith('System:')
        ? { type: 'failed', kind: 'auth', message: 'no key' }
        : text('ok')
    })
    const atMs = one.clock.now() + SECOND
    const job = await one.call('cron.add', {
      name: 'e',
      schedule: { kind: 'at', atMs },
      payload: { kind: 'systemEvent', text: 'the door' },
    })
    await one.clock.advance(MINUTE)
    expect(await runsOf(one, job.id)).toMatchObject([{ state: 'failed', error: 'no key' }])
    expect((await one.call('cron.list', { includeDisabled: true })).jobs).toMatchObject([
      { enabled: false, state: { lastStatus: 'error' } },
    ])
    const history = await one.call('chat.history', { sessionKey: 'main' })
    expect(JSON.stringify(history.messages[0])).toMatch(
      /System: \[Sun 2026-11-22 10:00:01 Europe\/Berlin \(\+01:00\)\] the door/,
    )
  })
})

describe('run now', () => {
  test('due only when due, force at once, twice is already running', async () => {
    const gate = Promise.withResolvers<void>()
    const one = await house(async () => {
      await gate.promise
      return text('done')
    })
    const job = await one.call('cron.add', agentJob)
    expect(await one.call('cron.run', { id: job.id })).toEqual({ ok: true, ran: false, reason: 'not-due' })
    const first = await one.call('cron.run', { id: job.id, mode: 'force' })
    expect(await one.call('cron.run', { id: job.id, mode: 'force' })).toEqual({
      ok: true,
      ran: false,
      reason: 'already-running',
      runId: first.runId,
    })
    gate.resolve()
    await one.call('agent.wait', { runId: first.runId ?? '' })
    await expect(one.call('cron.run', { id: 'nope' })).rejects.toThrow('unknown cron job id: nope')
    expect((await one.call('cron.next', { id: job.id, count: 2 })).times).toEqual(
      [1, 2].map(n => job.createdAtMs + n * HOUR),
    )
  })

  test('W2: a scheduler that is switched off while it waits fires nothing, and what it missed is decided when it is on again', async () => {
    const one = await house(undefined)
    const job = await one.call('cron.add', {
      name: 'minute',
      schedule: { kind: 'at', atMs: one.clock.now() + 10_000 },
      payload: { kind: 'message', text: 'now' },
    } as never)
    const patch = async (raw: string) => {
      const { hash } = await one.call('config.get')
      await one.call('config.patch', { raw, baseHash: hash })
    }
    await patch('{ cron: { enabled: false } }')
    await one.clock.advance(120_000)
    expect(one.store.read.occurrences(job.id, 9)).toEqual([])
    await patch('{ cron: { enabled: true } }')
    await one.clock.advance(1_000)
    expect(one.store.read.occurrences(job.id, 9)).toMatchObject([{ state: 'ok' }])
  })

  test('a job that the scheduler does not fire while it is off can still be run', async () => {
    const one = await house(undefined, { config: { cron: { enabled: false } } })
    const job = await one.call('cron.add', agentJob)
    await one.clock.advance(3 * HOUR)
    expect(await runsOf(one, job.id)).toEqual([])
    expect(await one.call('cron.status')).toMatchObject({ enabled: false, nextWakeAtMs: null, jobs: 1 })
    expect(await one.call('cron.run', { id: job.id, mode: 'force', wait: true })).toMatchObject({ status: 'ok' })
  })
})

describe('changes', () => {
  test('what is refused changes nothing', async () => {
    const one = await house()
    const job = await one.call('cron.add', agentJob)
    for (const patch of [
      { schedule: { kind: 'cron', expr: 'nope' } },
      { payload: { kind: 'systemEvent', text: 'x' } },
      { schedule: { kind: 'every', everyMs: 0 } },
    ]) {
      await expect(one.call('cron.update', { id: job.id, patch })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    }
    expect((await one.call('cron.list')).jobs).toEqual([job])
  })

  test('T1: a repeated update is answered as the first one was, however late it comes', async () => {
    const one = await house()
    const job = await one.call('cron.add', agentJob)
    const patch = { schedule: { kind: 'at', atMs: one.clock.now() + MINUTE } }
    const first = await one.call('cron.update', { id: job.id, patch, idempotencyKey: 'k' })
    await one.clock.advance(HOUR)
    expect(await one.call('cron.update', { id: job.id, patch, idempotencyKey: 'k' })).toEqual(first)
    await expect(one.call('cron.update', { id: job.id, patch })).rejects.toThrow('is past')
  })

  test('disabling stops it, enabling starts it from now, removing ends it', async () => {
    const one = await house()
    const job = await one.call('cron.add', agentJob)
    expect((await one.call('cron.update', { id: job.id, patch: { enabled: false } })).state.nextRunAtMs).toBeUndefined()
    await one.clock.advance(3 * HOUR)
    expect(await runsOf(one, job.id)).toEqual([])
    expect((await one.call('cron.list')).total).toBe(0)
    const back = await one.call('cron.update', { id: job.id, patch: { enabled: true } })
    expect(back.state.nextRunAtMs).toBe(one.clock.now() + HOUR)
    expect(await one.call('cron.remove', { id: job.id })).toEqual({ ok: true, removed: true })
    expect(await one.call('cron.remove', { id: job.id })).toEqual({ ok: true, removed: false })
    await settled()
    expect(one.clock.timers).toBeLessThanOrEqual(1)
  })
})
