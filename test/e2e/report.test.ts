// The report that this gateway answers, row by row, against a real gateway process. That a call does not wait is proved
// by a gate: the model holds the job's turn until the call has answered, so a call that waits can never pass.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Job } from '../../src/protocol/job.ts'
import { textOf } from './event-log.ts'
import { type GatewayProcess, Scope, type TestClient } from './gateway-process.ts'
import { agentJob, heldJob, jobSession } from './jobs.ts'
import { call, Gate, resultOf, type ScriptedModel, type Step, startScriptedModel } from './scripted-model.ts'

const scope = new Scope()
let model: ScriptedModel
let gateway: GatewayProcess
let client: TestClient

beforeAll(async () => {
  model = await startScriptedModel()
  scope.onEnd(() => model.server.close())
  gateway = await scope.gateway({ config: model.config({ maxConcurrent: 16 }) })
  client = await gateway.client()
})
afterAll(() => scope.end())

const chat = (sessionKey: string, message: string, idempotencyKey: string) =>
  client.call('chat.send', { sessionKey, message, idempotencyKey })

async function jobsNamed(name: RegExp): Promise<Job[]> {
  const { jobs } = await client.call('cron.list', { includeDisabled: true })
  return jobs.filter(job => name.test(job.name))
}

describe('while the turn of a job is held', () => {
  test('W3: cron.list, cron.status, cron.runs, status and health answer from outside', async () => {
    const { job, gate, ended } = await heldJob({ client, model }, 'slow outside')
    const { jobs } = await client.call('cron.list', {})
    expect(jobs.find(({ id }) => id === job.id)?.state.runningAtMs).toEqual(expect.any(Number))
    expect(await client.call('cron.status', {})).toMatchObject({ enabled: true })
    expect(await client.call('cron.runs', { jobId: job.id })).toEqual({ entries: [] })
    expect((await client.call('status', {})).runs.running).toBeGreaterThan(0)
    expect(await client.call('health', {})).toMatchObject({ ok: true })
    gate.open()
    expect(await ended()).toMatchObject({ status: 'ok', summary: 'done' })
  })

  test('W3: the job is changed, run and removed from outside', async () => {
    const { job, gate, ended } = await heldJob({ client, model }, 'slow changes')
    const updated = await client.call('cron.update', { jobId: job.id, patch: { name: 'slow changed' } })
    expect(updated.name).toBe('slow changed')
    expect(await client.call('cron.run', { jobId: job.id, mode: 'force' })).toMatchObject({
      ran: false,
      reason: 'already-running',
    })
    expect(await client.call('cron.remove', { jobId: job.id })).toEqual({ ok: true, removed: true })
    gate.open()
    expect(await ended()).toMatchObject({ status: 'ok' })
  })

  test('W3: the CLI lists jobs', async () => {
    const { job, gate, ended } = await heldJob({ client, model }, 'slow for the command line')
    const listed = await gateway.cli(['cron', 'list'])
    expect(listed).toMatchObject({ code: 0, stderr: '' })
    expect(listed.stdout).toContain(job.id)
    expect(listed.stdout).toMatch(/slow for the command line.*running/)
    gate.open()
    await ended()
  })

  test('the CLI adds a job as the report does', async () => {
    const { gate, ended } = await heldJob({ client, model }, 'slow for an addition')
    const args = ['cron', 'add', '--name', 'my-job', '--schedule', '0 */6 * * *', '--message', 'hi']
    expect(await gateway.cli(args)).toMatchObject({ code: 0, stderr: '' })
    expect(await jobsNamed(/^my-job$/)).toHaveLength(1)
    gate.open()
    await ended()
  })

  test('T2: a model that adds a job inside a turn, and tries again on an error, makes one', async () => {
    const { gate, ended } = await heldJob({ client, model }, 'slow for a retry')
    const add = call('cron', { action: 'add', job: agentJob('added once') })
    const retryOnError: Step = ask => ('error' in resultOf(ask, -1) ? (add as never) : { text: 'it is made' })
    model.script('agent:main:retry', add, retryOnError)
    await chat('retry', 'add it', 'retry-1')
    expect(textOf(await client.events.ended('retry-1'))).toBe('it is made')
    expect(gate.isOpen).toBe(false)
    expect(await jobsNamed(/^added once$/)).toHaveLength(1)
    gate.open()
    await ended()
  })

  test('ten sessions that add a job each make ten', async () => {
    const { gate, ended } = await heldJob({ client, model }, 'slow for ten')
    const sessions = Array.from({ length: 10 }, (_, index) => `ten-${index}`)
    for (const name of sessions) {
      const add = call('cron', { action: 'add', job: agentJob(`of ${name}`) })
      model.script(`agent:main:${name}`, add, ask => ({ text: String(resultOf(ask, 0).name) }))
    }
    await Promise.all(sessions.map(name => chat(name, 'add yours', `run-${name}`)))
    const ends = await Promise.all(sessions.map(name => client.events.ended(`run-${name}`)))
    expect(ends.map(textOf)).toEqual(sessions.map(name => `of ${name}`))
    expect(gate.isOpen).toBe(false)
    expect((await jobsNamed(/^of ten-\d$/)).map(job => job.name).sort()).toEqual(ends.map(textOf))
    gate.open()
    await ended()
  })
})

describe('equal jobs', () => {
  const add = (job: object) => ({ name: 'cron', args: { action: 'add', job } })

  test('T2: the same call made twice in one message and once more later makes one job, and says so', async () => {
    const job = agentJob('made by a model')
    model.script(
      'agent:main:twice',
      { calls: [add(job), add({ ...job, name: ' Made by a  MODEL ' })] },
      { calls: [add(job)] },
      ask => ({ text: JSON.stringify([0, 1, 2].map(index => resultOf(ask, index))) }),
    )
    await chat('twice', 'add it', 'twice-1')
    const [first, second, third] = JSON.parse(textOf(await client.events.ended('twice-1')))
    expect(first.deduplicated).toBeUndefined()
    expect([second, third]).toMatchObject([
      { id: first.id, deduplicated: true },
      { id: first.id, deduplicated: true },
    ])
    expect(await jobsNamed(/^made by a model$/i)).toHaveLength(1)
  })

  test('T2: two different reminders at one time stay two', async () => {
    const at = Date.now() + 3_600_000
    const reminder = (text: string) => ({
      name: 'reminder',
      schedule: { kind: 'at', atMs: at },
      payload: { kind: 'message', text },
    })
    model.script('agent:main:reminders', { calls: [add(reminder('tea')), add(reminder('milk'))] }, { text: 'two' })
    await chat('reminders', 'tea and milk in an hour', 'reminders-1')
    await client.events.ended('reminders-1')
    const texts = (await jobsNamed(/^reminder$/)).map(job => job.payload.kind === 'message' && job.payload.text)
    expect(texts.sort()).toEqual(['milk', 'tea'])
  })

  test('T2: from outside a turn an equal job is a second one, unless asked', async () => {
    const job = agentJob('from outside')
    const first = await client.call('cron.add', job)
    const asked = await client.call('cron.add', { ...job, dedupe: true })
    expect(asked).toMatchObject({ id: first.id, deduplicated: true })
    await client.call('cron.add', job)
    expect(await jobsNamed(/^from outside$/)).toHaveLength(2)
  })
})

describe('a job that is run', () => {
  test('answers once it is claimed; with wait, at its end', async () => {
    const job = await client.call('cron.add', agentJob('run now'))
    const gate = new Gate()
    model.script(jobSession(job), gate.hold({ text: 'first' }), { text: 'second' })
    const claimed = await client.call('cron.run', { jobId: job.id, mode: 'force' })
    expect(claimed).toMatchObject({ ok: true, ran: true, runId: expect.any(String) })
    await gate.reached
    gate.open()
    await client.events.ended(String(claimed.runId))
    const waited = await client.call('cron.run', { jobId: job.id, mode: 'force', wait: true })
    expect(waited).toMatchObject({ ok: true, ran: true, status: 'ok' })
    const { entries } = await client.call('cron.runs', { jobId: job.id })
    expect(entries.map(entry => entry.summary)).toEqual(['first', 'second'])
  })

  test('with wait, when it runs already, waits for the run that goes on', async () => {
    const { job, gate } = await heldJob({ client, model }, 'slow and joined')
    const joined = client.call('cron.run', { jobId: job.id, mode: 'force', wait: true })
    await client.events.cron(job.id, 'started')
    gate.open()
    expect(await joined).toMatchObject({ ran: false, reason: 'already-running', status: 'ok' })
  })

  test('W6: a wait that ends at its bound names the run that goes on', async () => {
    const job = await client.call('cron.add', agentJob('waited for in vain'))
    const gate = new Gate()
    model.script(jobSession(job), gate.hold({ text: 'late' }))
    const waited = await client.call('cron.run', { jobId: job.id, mode: 'force', wait: true, timeoutMs: 1 })
    expect(waited).toMatchObject({ ran: true, status: 'timeout', runId: expect.any(String) })
    gate.open()
    expect(textOf(await client.events.ended(String(waited.runId)))).toBe('late')
  })
})

test('a whole turn with two tool calls: both run, their results are shown, the answer comes', async () => {
  model.script(
    'agent:main:whole',
    {
      calls: [
        { name: 'cron', args: { action: 'list' } },
        { name: 'session_status', args: {} },
      ],
      text: 'Let me look.',
    },
    ask => ({ text: `jobs: ${resultOf(ask, 0).total !== undefined}, zone: ${resultOf(ask, 1).zone}` }),
  )
  await chat('whole', 'what is there?', 'whole-1')
  const end = await client.events.ended('whole-1')
  expect(end.state).toBe('final')
  expect(textOf(end)).toBe('Let me look.\n\njobs: true, zone: Europe/Berlin')
  const streams = client.events.all.flatMap(({ event, payload }) =>
    event === 'agent' && payload.runId === 'whole-1' && payload.stream !== 'assistant' ? [payload.data] : [],
  )
  expect(streams).toMatchObject([
    { phase: 'start', startedAt: expect.any(Number) },
    { phase: 'start', name: 'cron', args: { action: 'list' } },
    { phase: 'result', name: 'cron', isError: false },
    { phase: 'start', name: 'session_status' },
    { phase: 'result', name: 'session_status', isError: false },
    { phase: 'end' },
  ])
})
