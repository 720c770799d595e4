// What a turn may do to jobs, and what a repeat of it is answered: the handlers themselves, on a real store and a clock of
// the test, without the rest of the house.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { DAY, HOUR, MINUTE, SECOND } from '../../src/base/durations.ts'
import { Dispatcher, type Handlers } from '../../src/dispatch/dispatcher.ts'
import { AGENT_JOBS_MAX, cronHandlers } from '../../src/methods/cron.ts'
import type { MethodParts } from '../../src/methods/parts.ts'
import type { MethodName, Result } from '../../src/protocol/catalogue.ts'
import type { Job, Schedule } from '../../src/protocol/job.ts'
import { refuseFasterJob } from '../../src/scheduler/job-pace.ts'
import { nextOccurrence, nextOccurrences } from '../../src/scheduler/next-occurrence.ts'
import { planJob } from '../../src/scheduler/plan.ts'
import { Scheduler } from '../../src/scheduler/scheduler.ts'
import type { Store } from '../../src/store/port.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { Toolbox } from '../../src/tools/toolbox.ts'
import { FakeClock } from '../fakes/clock.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

const HOPS_MAX = 10

async function openDesk() {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-desk-'))
  const store = await openSqliteStore({ folder, thread: false })
  const clock = new FakeClock()
  let made = 0
  const uuid = () => {
    made += 1
    return `id-${made}`
  }
  const random = { uuid, hex: () => '' }
  const scheduler = new Scheduler({
    store,
    clock,
    random,
    zone: 'UTC',
    staggerMs: 0,
    enabled: true,
    submit: () => undefined,
    stopRuns: () => undefined,
    plan: (job, occurrence) =>
      planJob(job, occurrence, {
        zone: 'UTC',
        defaultAgentId: 'main',
        isAgent: () => true,
        agentOf: () => 'main',
        mainSession: agentId => `agent:${agentId}:main`,
        jobSession: (agentId, jobId) => `agent:${agentId}:cron:${jobId}`,
        targetOf: () => ({ kind: 'none' }),
      }),
    log: () => undefined,
  })
  const facts = { zone: 'UTC', stateDir: folder }
  const settings = () => ({ hopsMax: HOPS_MAX, agents: [{ id: 'main', allowAgents: [] }], defaultAgent: 'main' })
  const outside = { toolboxOf: () => new Toolbox([], { allow: undefined, deny: [] }) }
  const rooms = { store, clock, random, scheduler, facts, settings, outside, channels: [] }
  const parts = { ...rooms, joins: { forget: () => undefined } }
  const dispatcher = new Dispatcher(cronHandlers(parts as unknown as MethodParts) as Handlers, clock)
  closers.push(async () => {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const call =
    (turn: { jobId?: string; hops?: number } | undefined) =>
    async <M extends MethodName>(method: M, params: unknown, key?: string) => {
      const asTurn = turn && { runId: 'r', sessionKey: 'agent:main:x', agentId: 'main', hops: 0, ...turn }
      const caller = { principal: 'p', label: 'test', scopes: new Set(['operator.admin']), turn: asTurn }
      return (await dispatcher.call(method, params, { caller: caller as never, ...(key && { key }) })) as Result<M>
    }
  return { store, clock, call }
}

const hourly = {
  name: 'report',
  schedule: { kind: 'every', everyMs: HOUR },
  payload: { kind: 'agentTurn', message: 'report' },
}
const limit = { code: 'LIMIT', outcome: 'not-started' }

/** Ends the only live run of a job. */
async function endRunOf(store: Store, jobId: string): Promise<void> {
  const [run] = store.read.liveRuns(`agent:main:cron:${jobId}`)
  if (!run) throw new Error('the job has no run')
  const claimed = (await store.write.claimRun({ runId: run.runId, epoch: store.epoch, nowMs: 0, events: [] })).value
  const fence = { runId: run.runId, epoch: store.epoch, attempt: claimed?.attempt ?? 0 }
  await store.write.endRun({ fence, end: { state: 'ok' }, nowMs: 0, events: [] })
}

describe('T1: a repeat is answered first, whatever became of the job', () => {
  test('T1: add, update, run and remove give their first answers when the job is gone', async () => {
    const { store, clock, call } = await openDesk()
    const ask = call(undefined)
    const schedule = { kind: 'at', atMs: clock.now() + HOUR }
    const steps = [
      ['cron.add', { ...hourly, schedule }],
      ['cron.update', { id: 'id-1', patch: { name: 'other', schedule } }],
      ['cron.run', { id: 'id-1', mode: 'force' }],
      ['cron.remove', { id: 'id-1' }],
    ] as const
    const first: unknown[] = []
    for (const [method, params] of steps) first.push(await ask(method, params, `k ${method}`))
    expect(first).toMatchObject([{ id: 'id-1' }, { name: 'other' }, { ok: true, ran: true }, { removed: true }])
    const { runId } = first[2] as { runId: string }
    await endRunOf(store, 'id-1')
    // So late that no clock would accept its instant any more.
    await clock.advance(DAY)
    for (const [n, [method, params]] of steps.entries()) {
      expect(await ask(method, params, `k ${method}`), method).toEqual(first[n])
      if (method === 'cron.add') continue
      const others = ask(method, { ...params, id: 'id-2' }, `k ${method}`)
      await expect(others, method).rejects.toMatchObject({ code: 'CONFLICT' })
    }
    expect(store.read.jobCount({ includeDisabled: true })).toBe(0)
    expect(store.read.occurrences('id-1', 9)).toMatchObject([{ runId, state: 'ok' }])
    await expect(ask('cron.run', { id: 'id-1', mode: 'force' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('T1: a repeated run is answered also where its turn may run no more', async () => {
    const { store, call } = await openDesk()
    const job = await call(undefined)('cron.add', hourly)
    const params = { id: job.id, mode: 'force' }
    const ran = await call({ hops: 0 })('cron.run', params, 'k')
    await endRunOf(store, job.id)
    expect(await call({ hops: HOPS_MAX })('cron.run', params, 'k')).toEqual(ran)
  })
})

describe('jobs that feed themselves come to an end', () => {
  test('W7: turns make, and switch on, so many jobs and no more; an operator still may', async () => {
    const { store, call } = await openDesk()
    const ask = call({})
    const spare = await ask('cron.add', { ...hourly, name: 'spare', enabled: false })
    const first = await ask('cron.add', hourly)
    const more = Array.from({ length: AGENT_JOBS_MAX - 2 }, (_, n) => ({ ...first, id: `more-${n}` }))
    const added = { equalKey: 'e', dedupe: false, nowMs: 0 }
    await Promise.all(more.map(job => store.write.addJob({ job, ...added })))
    await ask('cron.add', { ...hourly, name: 'the last' })
    await expect(ask('cron.add', { ...hourly, name: 'one more' })).rejects.toMatchObject(limit)
    await expect(ask('cron.update', { id: spare.id, patch: { enabled: true } })).rejects.toMatchObject(limit)
    await ask('cron.update', { id: first.id, patch: { name: 'renamed' } })
    await call(undefined)('cron.add', { ...hourly, name: 'of the person' })
    await call(undefined)('cron.update', { id: spare.id, patch: { enabled: true } })
    expect(store.read.jobCount({ includeDisabled: false })).toBe(AGENT_JOBS_MAX + 2)
  })

  test('W7: a run that a turn asks for counts its hops and names that turn; the last may ask for none', async () => {
    const { store, call } = await openDesk()
    const job = await call(undefined)('cron.add', hourly)
    const run = (hops: number) => call({ hops })('cron.run', { id: job.id, mode: 'force' })
    const { runId = '' } = await run(HOPS_MAX - 1)
    expect(store.read.run(runId)).toMatchObject({ parent: 'r', hops: HOPS_MAX, handover: 'none' })
    await endRunOf(store, job.id)
    await expect(run(HOPS_MAX)).rejects.toMatchObject({ ...limit, message: expect.stringMatching(/the 10th in a row/) })
    expect(store.read.occurrences(job.id, 9)).toHaveLength(1)
    // A person's request is the beginning of a chain.
    const other = await call(undefined)('cron.run', { id: job.id, mode: 'force' })
    expect(store.read.run(other.runId ?? '')).toMatchObject({ parent: undefined, hops: 0 })
  })

  test('W7: in a job’s turn no job is made or changed to fire within a minute, and nothing is left of it', async () => {
    const { store, clock, call } = await openDesk()
    const job = await call(undefined)('cron.add', { ...hourly, schedule: { kind: 'every', everyMs: SECOND } })
    const inside = call({ jobId: job.id })
    const soon = { kind: 'at', atMs: clock.now() + MINUTE - 1 }
    const earliest = { ...limit, message: expect.stringContaining('2026-11-22 09:01 UTC') }
    await expect(inside('cron.add', { ...hourly, schedule: soon })).rejects.toMatchObject(earliest)
    const fast = { kind: 'every', everyMs: 59_000, anchorMs: clock.now() + HOUR }
    for (const patch of [{ schedule: soon }, { schedule: fast }, { enabled: true }]) {
      await expect(inside('cron.update', { id: job.id, patch }), JSON.stringify(patch)).rejects.toMatchObject(earliest)
    }
    expect(store.read.job(job.id)?.job).toEqual({ ...job, policy: undefined })
    expect(store.read.jobCount({ includeDisabled: true })).toBe(1)
    // Just a minute is slow enough; so is what does not touch when it fires, and stopping it.
    await inside('cron.add', { ...hourly, schedule: { kind: 'at', atMs: clock.now() + MINUTE } })
    await inside('cron.update', { id: job.id, patch: { name: 'still fast' } })
    await inside('cron.update', { id: job.id, patch: { enabled: false, schedule: soon } })
    // A turn that no job began may do what a person may.
    await call({})('cron.add', { ...hourly, schedule: soon })
  })

  test('W7: the pace of a schedule is seen wherever in it we begin', () => {
    const nowMs = Date.UTC(2026, 10, 22, 9)
    const field = (max: number) => fc.uniqueArray(fc.integer({ min: 0, max }), { minLength: 1, maxLength: 3 })
    const cron = fc
      .record({ seconds: field(59), minutes: fc.option(field(59)), hours: fc.option(field(23)) })
      .map(({ seconds, minutes, hours }) => `${seconds} ${minutes ?? '*'} ${hours ?? '*'} * * *`)
    const every = fc.integer({ min: 1, max: 3 * MINUTE }).map(everyMs => ({ kind: 'every' as const, everyMs }))
    const schedules: fc.Arbitrary<Schedule> = fc.oneof(
      cron.map(expr => ({ kind: 'cron' as const, expr })),
      every,
    )
    fc.assert(
      fc.property(schedules, fc.integer({ min: 0, max: DAY }), (schedule, laterMs) => {
        const fromMs = nowMs + laterMs
        const context = { zone: 'UTC', createdAtMs: nowMs }
        const instants = [fromMs, ...nextOccurrences(schedule, fromMs, { ...context, count: 300 })]
        // A cron expression's grid does not move; that its next instant is near makes it no faster.
        const begin = schedule.kind === 'cron' ? 1 : 0
        const isFast = instants.some((instant, n) => n > begin && instant - (instants[n - 1] ?? 0) < MINUTE)
        const state = { nextRunAtMs: nextOccurrence(schedule, fromMs, context) }
        const judge = () => refuseFasterJob({ schedule, state, createdAtMs: nowMs } as Job, fromMs, 'UTC')
        if (isFast) expect(judge).toThrow(/no job may be set to fire sooner/)
        else expect(judge).not.toThrow()
      }),
    )
  })
})
