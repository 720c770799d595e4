// Reminders reach their person: live, kept unread while nobody is there, across restarts, and once when they were missed.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Job } from '../../src/protocol/job.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { textOf } from './event-log.ts'
import { type GatewayProcess, Scope, type TestClient } from './gateway-process.ts'
import { agentJob, jobSession } from './jobs.ts'
import { call, Gate, resultOf, type ScriptedModel, startScriptedModel } from './scripted-model.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const scope = new Scope()
let model: ScriptedModel

beforeEach(async () => {
  model = await startScriptedModel()
  scope.onEnd(() => model.server.close())
})
afterEach(() => scope.end())

const start = (stateDir = scope.stateDir()) => scope.gateway({ stateDir, config: model.config() })

/** A turn of the session makes a reminder; answers the job, once the turn has ended. */
async function reminded(client: TestClient, session: string, reminder: { text: string; inMs: number }): Promise<Job> {
  const job = {
    name: reminder.text,
    schedule: { kind: 'at', atMs: Date.now() + reminder.inMs },
    payload: { kind: 'message', text: reminder.text },
    deleteAfterRun: true,
  }
  model.script(`agent:main:${session}`, call('cron', { action: 'add', job }), ask => ({ text: String(ask.results[0]) }))
  const runId = `make ${reminder.text}`
  await client.call('chat.send', { sessionKey: session, message: 'remind me', idempotencyKey: runId })
  return JSON.parse(textOf(await client.events.ended(runId)))
}

/** What jobs have told a session; replies wait there as well. */
const unread = async (client: TestClient, sessionKey: string) =>
  (await client.call('chat.unread', { sessionKey })).notices.filter(notice => notice.source === 'job')

/** Awaits a notice that may have been told before we were there. */
async function told(client: TestClient, session: string, text: string): Promise<void> {
  const notices = await unread(client, session)
  if (!notices.some(notice => notice.text === text)) await client.events.notice(text)
}

/** Resolves once all that was due before now has fired, without any client: a later job has reached the model. */
async function laterJobAsked(job: Job): Promise<void> {
  const gate = new Gate()
  model.script(jobSession(job), gate.hold({ text: 'HEARTBEAT_OK' }))
  await gate.reached
  gate.open()
}

describe('a reminder made in a turn', () => {
  test('arrives in that session as a notice, is in its transcript, and its job is gone', async () => {
    const client = await (await start()).client()
    const job = await reminded(client, 'chat', { text: 'stretch', inMs: 1_000 })
    expect(job).toMatchObject({
      sessionKey: 'agent:main:chat',
      next: expect.stringMatching(/Europe\/Berlin|[+-]\d\d:\d\d/),
    })
    const event = await client.events.notice('stretch')
    expect(event).toMatchObject({
      sessionKey: 'agent:main:chat',
      state: 'final',
      message: { role: 'assistant', content: [{ type: 'text', text: 'stretch' }] },
      notice: { id: expect.any(String), atMs: job.state.nextRunAtMs, source: 'job', jobId: job.id },
    })
    await client.events.cron(job.id, 'removed')
    expect((await client.call('cron.list', { includeDisabled: true })).jobs).toEqual([])
    expect((await client.call('cron.runs', { jobId: job.id })).entries).toMatchObject([
      { state: 'ok', status: 'ok', nominalAtMs: job.state.nextRunAtMs, summary: 'stretch' },
    ])
    const { messages } = await client.call('chat.history', { sessionKey: 'chat' })
    // On a slow machine it comes before the end of the turn that made it.
    const told = { role: 'assistant', content: [expect.objectContaining({ text: 'stretch' })] }
    expect(messages).toContainEqual(expect.objectContaining(told))
    // No model was asked for it.
    expect(model.asks('agent:main:chat')).toHaveLength(2)
  })

  test('L3: with nobody connected it is kept unread until it is shown', async () => {
    const gateway = await start()
    const before = await gateway.client()
    const job = await reminded(before, 'away', { text: 'call home', inMs: 1_000 })
    const atMs = Number(job.state.nextRunAtMs) + 1
    const later = await before.call('cron.add', { ...agentJob('later'), schedule: { kind: 'at', atMs } })
    before.client.close()
    await laterJobAsked(later)
    const client = await gateway.client()
    const notices = await unread(client, 'away')
    expect(notices).toMatchObject([
      { text: 'call home', sessionKey: 'agent:main:away', jobId: job.id, atMs: job.state.nextRunAtMs },
    ])
    const ids = notices.map(notice => notice.id)
    expect(await client.call('chat.markRead', { ids })).toEqual({ ok: true, marked: 1 })
    expect(await client.call('chat.markRead', { ids })).toEqual({ ok: true, marked: 0 })
    expect(await unread(client, 'away')).toEqual([])
  })

  test('L1: survives SIGKILL right after it was confirmed, and fires once', async () => {
    const gateway = await start()
    const job = await reminded(await gateway.client(), 'kept', { text: 'water the plants', inMs: 1_000 })
    await gateway.kill()
    await gateway.start()
    const client = await gateway.client()
    await told(client, 'kept', 'water the plants')
    expect((await client.call('cron.runs', { jobId: job.id })).entries).toMatchObject([{ state: 'ok' }])
    await gateway.kill()
    await gateway.start()
    const again = await gateway.client()
    expect(await unread(again, 'kept')).toHaveLength(1)
    expect((await again.call('cron.list', { includeDisabled: true })).jobs).toEqual([])
  })

  test('what is told and what the model hears agree: it sees the reminder at its next turn', async () => {
    const client = await (await start()).client()
    await reminded(client, 'seen', { text: 'take the cake out', inMs: 0 })
    await client.events.notice('take the cake out')
    model.script('agent:main:seen', { text: 'well done' })
    await client.call('chat.send', { sessionKey: 'seen', message: 'I did', idempotencyKey: 'seen-2' })
    await client.events.ended('seen-2')
    expect(JSON.stringify(model.asks('agent:main:seen').at(-1)?.messages)).toMatch(/take the cake out.*I did/)
  })
})

describe('what was missed while no gateway ran', () => {
  test('L3: a one-shot fires once at the next start', async () => {
    const stateDir = scope.stateDir()
    const atMs = Date.now() - HOUR_MS
    const job = await leftJob(stateDir, { kind: 'at', atMs }, atMs)
    const gateway = await start(stateDir)
    const client = await gateway.client()
    await told(client, 'main', 'left behind')
    const { entries } = await client.call('cron.runs', { jobId: job.id })
    expect(entries).toMatchObject([{ state: 'ok', occurrence: `at:${atMs}`, nominalAtMs: atMs }])
    await gateway.stop()
    await gateway.start()
    const again = await gateway.client()
    expect(await unread(again, 'main')).toHaveLength(1)
    expect((await again.call('cron.runs', { jobId: job.id })).entries).toEqual(entries)
  })

  // Half an hour from now at either side, so that none falls due on the way.
  const dueMs = Math.floor((Date.now() - HOUR_MS / 2) / MINUTE_MS) * MINUTE_MS - 5 * HOUR_MS
  test.each([
    { kind: 'every', everyMs: HOUR_MS, anchorMs: dueMs },
    { kind: 'cron', expr: `${new Date(dueMs).getUTCMinutes()} * * * *`, tz: 'Europe/Berlin' },
  ] as const)('L3: of a job by $kind, the latest fires once; the earlier ones are one row', async schedule => {
    const stateDir = scope.stateDir()
    const job = await leftJob(stateDir, schedule, dueMs)
    const gateway = await start(stateDir)
    const client = await gateway.client()
    await told(client, 'main', 'left behind')
    const [missed, fired, ...others] = (await client.call('cron.runs', { jobId: job.id })).entries
    const count = missed?.count ?? 0
    expect(count).toBeGreaterThanOrEqual(5)
    expect(missed).toMatchObject({ state: 'skipped', nominalAtMs: dueMs, error: expect.stringMatching(/missed/) })
    // The span says when it ended, too.
    expect(missed).toMatchObject({ toMs: dueMs + (count - 1) * HOUR_MS })
    expect(fired).toMatchObject({ state: 'ok', nominalAtMs: dueMs + count * HOUR_MS })
    expect(others).toEqual([])
    expect(await unread(client, 'main')).toHaveLength(1)
    const [listed] = (await client.call('cron.list', {})).jobs
    expect(listed?.state.nextRunAtMs).toBe(dueMs + (count + 1) * HOUR_MS)
    await expectSameAfterRestart(gateway, job)
  })

  async function expectSameAfterRestart(gateway: GatewayProcess, job: Job): Promise<void> {
    const before = (await (await gateway.client()).call('cron.runs', { jobId: job.id })).entries
    await gateway.kill()
    await gateway.start()
    expect((await (await gateway.client()).call('cron.runs', { jobId: job.id })).entries).toEqual(before)
  }
})

test('a job that is off, or removed, says nothing when its time comes', async () => {
  const client = await (await start()).client()
  // However slow the machine is, none is due before it was changed.
  const setFiring = async (enabled: boolean) => {
    const { hash } = await client.call('config.get', {})
    await client.call('config.patch', { raw: JSON.stringify({ cron: { enabled } }), baseHash: hash })
  }
  await setFiring(false)
  const reminder = (text: string) => reminded(client, 'off', { text, inMs: 0 })
  await client.call('cron.remove', { id: (await reminder('removed')).id })
  await client.call('cron.update', { id: (await reminder('disabled')).id, patch: { enabled: false } })
  const kept = await reminder('kept')
  await setFiring(true)
  await client.events.notice('kept')
  const later = await client.call('cron.add', { ...agentJob('later'), schedule: { kind: 'at', atMs: Date.now() } })
  await laterJobAsked(later)
  expect((await unread(client, 'off')).map(notice => notice.text)).toEqual(['kept'])
  expect((await client.call('cron.runs', { jobId: kept.id })).entries).toHaveLength(1)
})

test('a job whose turn ends tells the session that made it, unless it has nothing to say', async () => {
  const client = await (await start()).client()
  const make = (name: string) =>
    call('cron', { action: 'add', job: { ...agentJob(name), schedule: { kind: 'at', atMs: Date.now() } } })
  model.script('agent:main:maker', make('speaks'), make('is silent'), ask => ({
    text: [0, 1].map(index => resultOf(ask, index).id).join(' '),
  }))
  await client.call('chat.send', { sessionKey: 'maker', message: 'make two', idempotencyKey: 'maker-1' })
  const [speaks = '', silent = ''] = textOf(await client.events.ended('maker-1')).split(' ')
  model.script(jobSession({ id: speaks }), { text: 'the report is ready' })
  model.script(jobSession({ id: silent }), { text: 'HEARTBEAT_OK' })
  await client.events.notice('the report is ready')
  await client.events.cron(silent, 'finished')
  expect(await unread(client, 'maker')).toMatchObject([{ text: 'the report is ready', jobId: speaks }])
})

/** Leaves a store with a job of the main session that was due at `dueMs`, when no gateway ran. */
async function leftJob(stateDir: string, schedule: Job['schedule'], dueMs: number): Promise<Job> {
  const store = await openSqliteStore({ folder: stateDir, thread: false })
  const createdAtMs = dueMs - HOUR_MS
  const job: Job = {
    id: 'left-job',
    name: 'left',
    enabled: true,
    schedule,
    payload: { kind: 'message', text: 'left behind' },
    sessionTarget: 'main',
    wakeMode: 'now',
    createdAtMs,
    updatedAtMs: createdAtMs,
    state: { nextRunAtMs: dueMs },
  }
  const { value } = await store.write.addJob({ job, equalKey: 'left', dedupe: false, nowMs: createdAtMs })
  await store.close()
  return value.job
}
