// Jobs that fire after other jobs: once for each end that they wait for, over every crash between that end and their own
// claim; never in a circle; and what becomes of them when what they wait for is gone.
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { HOUR, MINUTE } from '../../src/base/durations.ts'
import type { Job } from '../../src/protocol/job.ts'
import { settled } from '../fakes/clock.ts'
import { calls, type House, type HouseOptions, openHouse, type Play, text } from '../fakes/house.ts'

const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})
async function house(play: Play = () => text('done'), options: HouseOptions = {}): Promise<House> {
  const one = await openHouse(play, options)
  open.push(one)
  return one
}

const first = {
  name: 'backup',
  schedule: { kind: 'every', everyMs: HOUR },
  payload: { kind: 'agentTurn', message: 'back it up' },
  policy: { retry: { max: 0 } },
}
const follows = (job: string, on = 'ok', more: object = {}) => ({
  name: `after ${on}`,
  schedule: { kind: 'after', job, on },
  payload: { kind: 'message', text: `it ended: ${on}` },
  ...more,
})
const ledger = async (one: House, id: string, states?: string[]) =>
  (await one.call('cron.runs', { id, ...(states && { states }) })).entries
const jobNamed = async (one: House, name: string) =>
  (await one.call('cron.list', { includeDisabled: true })).jobs.find(job => job.name === name) as Job

/** What ended of a job, and what fired after it, when a house and those after it have gone through these steps. */
async function walked(steps: readonly string[]): Promise<{ ends: string[]; fired: string[] }> {
  let one = await openHouse(() => text('done'))
  const { id } = await one.call('cron.add', first)
  const second = await one.call('cron.add', follows(id, 'any', { policy: { overlap: 'queue-all' } }))
  const crash = async () => {
    await one.leave()
    one = await openHouse(() => text('done'), { folder: one.folder, clock: one.clock })
  }
  for (const step of steps) {
    // The end of the first is on disk then, and the scheduler of this house never hears of it.
    if (step === 'crash at once') one.parts.scheduler.stop()
    if (step === 'tick') await one.clock.advance(HOUR)
    if (step === 'run' || step === 'crash at once') await one.call('cron.run', { id, mode: 'force' })
    if (step === 'crash at once') await settled()
    if (step.startsWith('crash')) await crash()
  }
  await settled()
  await one.clock.advance(MINUTE)
  const ended = (await ledger(one, id)).filter(({ state }) => state !== 'skipped')
  const fired = (await ledger(one, second.id)).map(({ occurrence }) => occurrence)
  await one.close()
  return { ends: ended.map(({ seq }) => `after:${seq}`), fired }
}

describe('after another job', () => {
  test('L3: it fires once for each run that ended so; what was skipped did not end', async () => {
    let play: Play = () => text('done')
    const one = await house(ask => play(ask))
    const { id } = await one.call('cron.add', first)
    const [ok, failed, any] = await Promise.all(
      ['ok', 'failed', 'any'].map(on => one.call('cron.add', follows(id, on))),
    )
    const counts = async () =>
      Promise.all([ok, failed, any].map(async job => (await ledger(one, (job as Job).id)).length))
    await one.clock.advance(HOUR)
    expect(await counts()).toEqual([1, 0, 1])
    play = () => ({ type: 'failed', kind: 'auth', message: 'no key' })
    await one.clock.advance(HOUR)
    expect(await counts()).toEqual([1, 1, 2])
    play = () => new Promise<never>(() => undefined)
    await one.clock.advance(HOUR)
    await one.call('chat.abort', { sessionKey: `agent:main:cron:${id}` })
    await one.clock.advance(MINUTE)
    expect(await counts()).toEqual([1, 1, 3])
    const [row] = await ledger(one, ok?.id as string)
    const [cause] = await ledger(one, id)
    expect(row).toMatchObject({ state: 'ok', occurrence: `after:${cause?.seq}`, lagMs: 0 })
    expect((await jobNamed(one, 'after ok')).state).not.toHaveProperty('nextRunAtMs')
  })

  test('L3: over crashes at every step of the first run and its own, each end fires it exactly once', async () => {
    const steps = fc.array(fc.constantFrom('tick', 'crash', 'run', 'crash at once'), { minLength: 2, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(steps, async walk => {
        const { ends, fired } = await walked(walk)
        expect(fired.toSorted()).toEqual(ends.toSorted())
      }),
      { numRuns: 8, examples: [[['crash at once', 'crash at once']]] },
    )
  })

  test('its overlap, its bounds and its own runs hold; what it waits for may be a chain', async () => {
    const hang = Promise.withResolvers<never>()
    const one = await house(({ messages }) => (JSON.stringify(messages).includes('slow') ? hang.promise : text('done')))
    const { id } = await one.call('cron.add', first)
    const slow = await one.call(
      'cron.add',
      follows(id, 'ok', { name: 'slow', payload: { kind: 'agentTurn', message: 'slow', timeoutSeconds: 86_400 } }),
    )
    const twice = await one.call('cron.add', follows(id, 'ok', { name: 'twice', policy: { maxRuns: 2 } }))
    const third = await one.call('cron.add', follows(twice.id, 'ok', { name: 'third' }))
    for (let hour = 0; hour < 3; hour += 1) await one.clock.advance(HOUR)
    const states = async (job: Job) =>
      (await ledger(one, job.id, ['running', 'skipped', 'ok'])).map(({ state }) => state)
    expect((await states(slow)).toSorted()).toEqual(['running', 'skipped', 'skipped'])
    expect(await states(twice)).toEqual(['ok', 'ok'])
    expect(await states(third)).toEqual(['ok', 'ok'])
    expect((await jobNamed(one, 'twice')).enabled).toBe(false)
  })

  test.each([
    ['a turn', { kind: 'agentTurn', message: 'x' }],
    ['a text', { kind: 'message', text: 'x' }],
  ])(
    'W7: two jobs that run each other, one by its turn and one (%s) by its end, come to an end',
    async (_, payload) => {
      let id = ''
      const play: Play = ({ messages }) => {
        const isSecond = JSON.stringify(messages).includes('run the first') && messages.at(-1)?.role !== 'tool'
        return isSecond ? calls({ name: 'cron', args: { action: 'run', jobId: id } }) : text('done')
      }
      const one = await house(play, { config: { session: { agentToAgent: { maxPingPongTurns: 1 } } } })
      ;({ id } = await one.call('cron.add', { ...first, payload }))
      const second = { payload: { kind: 'agentTurn', message: 'run the first' }, policy: { overlap: 'queue-all' } }
      await one.call('cron.add', follows(id, 'any', second))
      await one.clock.advance(HOUR)
      for (let minute = 0; minute < 5; minute += 1) await one.clock.advance(MINUTE)
      expect(await ledger(one, id)).toHaveLength(3)
    },
  )

  test('one that is switched off misses what ends meanwhile, and says in words what it waits for', async () => {
    const one = await house()
    const { id } = await one.call('cron.add', first)
    const second = await one.call('cron.add', follows(id, 'failed'))
    expect(await one.call('cron.next', { id: second.id })).toMatchObject({
      times: [],
      words: 'after job "backup" failed',
    })
    await one.call('cron.update', { id: second.id, patch: { enabled: false, schedule: { kind: 'after', job: id } } })
    await one.clock.advance(HOUR)
    await one.call('cron.update', { id: second.id, patch: { enabled: true } })
    await one.clock.advance(MINUTE)
    expect(await ledger(one, second.id)).toEqual([])
    await one.clock.advance(HOUR)
    expect(await ledger(one, second.id)).toHaveLength(1)
  })
})

describe('refused when it is saved', () => {
  test('a circle, also through several jobs and to itself, is named; nothing is changed', async () => {
    const one = await house()
    const a = await one.call('cron.add', first)
    const b = await one.call('cron.add', follows(a.id, 'ok', { name: 'report' }))
    const c = await one.call('cron.add', follows(b.id, 'ok', { name: 'mail' }))
    const wait = (id: string, job: string) =>
      one.call('cron.update', { id, patch: { schedule: { kind: 'after', job, on: 'any' } } })
    await expect(wait(a.id, c.id)).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringContaining(
        '"backup", which waits for "mail", which waits for "report", which waits for "backup"',
      ),
    })
    await expect(wait(a.id, a.id)).rejects.toThrow('"backup", which waits for "backup"')
    await expect(wait(a.id, 'nobody')).rejects.toThrow('there is no job "nobody"')
    await expect(one.call('cron.add', follows('nobody'))).rejects.toThrow('there is no job "nobody"')
    expect(await jobNamed(one, 'backup')).toMatchObject({ schedule: { kind: 'every' }, state: a.state })
    await wait(c.id, a.id)
  })
})

describe('when what it waits for is gone', () => {
  test('removal names those that wait; they stay, switched off with the reason', async () => {
    const one = await house()
    const { id } = await one.call('cron.add', first)
    const second = await one.call('cron.add', follows(id))
    const waiting = [{ id: second.id, name: 'after ok' }]
    expect(await one.call('cron.remove', { id })).toEqual({ ok: true, removed: true, waiting })
    const why = 'the job "backup" that it waits for is gone'
    expect(await jobNamed(one, 'after ok')).toMatchObject({ enabled: false, state: { pausedBecause: why } })
    await expect(one.call('cron.update', { id: second.id, patch: { enabled: true } })).rejects.toThrow(
      'there is no job',
    )
    // It may still be renamed, and fire by something else.
    await one.call('cron.update', { id: second.id, patch: { name: 'other' } })
    await one.call('cron.update', { id: second.id, patch: { enabled: true, schedule: first.schedule } })
    await one.clock.advance(HOUR)
    expect(await ledger(one, second.id)).toHaveLength(1)
  })

  test('one that still runs for what has ended may be renamed, and is switched off once it has', async () => {
    const hang = Promise.withResolvers<never>()
    const one = await house(({ messages }) => (JSON.stringify(messages).includes('slow') ? hang.promise : text('done')))
    const { id } = await one.call('cron.add', first)
    const slow = { payload: { kind: 'agentTurn', message: 'slow', timeoutSeconds: 600 } }
    const second = await one.call('cron.add', follows(id, 'ok', slow))
    await one.clock.advance(HOUR)
    await one.call('cron.remove', { id })
    await one.call('cron.update', { id: second.id, patch: { name: 'renamed' } })
    expect(await jobNamed(one, 'renamed')).toMatchObject({ enabled: true })
    await one.clock.advance(HOUR)
    expect(await jobNamed(one, 'renamed')).toMatchObject({ enabled: false })
  })

  test('L3: after a one-shot that is removed with its run it still fires once, and is spent then', async () => {
    const one = await house()
    const schedule = { kind: 'at', atMs: one.clock.now() + HOUR }
    const { id } = await one.call('cron.add', { ...first, schedule, deleteAfterRun: true })
    const second = await one.call('cron.add', follows(id))
    await one.clock.advance(HOUR)
    await one.clock.advance(MINUTE)
    expect(await ledger(one, second.id)).toMatchObject([{ state: 'ok' }])
    expect((await one.call('cron.list', { includeDisabled: true })).jobs).toMatchObject([
      { id: second.id, enabled: false },
    ])
  })
})
