// Turns that reach back to what they stand in: a job that runs itself, a session that is written to while it talks,
// sessions that wait for each other. Each once with room for many turns and once with every limit at one (W5).
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { textOf } from './event-log.ts'
import { type GatewayProcess, Scope, type TestClient } from './gateway-process.ts'
import { agentJob, heldJob, jobSession } from './jobs.ts'
import { call, Gate, resultOf, type ScriptedModel, startScriptedModel } from './scripted-model.ts'

describe.each([{ maxConcurrent: 8 }, { maxConcurrent: 1 }])('with $maxConcurrent turns at once', defaults => {
  const scope = new Scope()
  let model: ScriptedModel
  let gateway: GatewayProcess
  let client: TestClient

  beforeAll(async () => {
    model = await startScriptedModel()
    scope.onEnd(() => model.server.close())
    gateway = await scope.gateway({ config: model.config(defaults) })
    client = await gateway.client()
  })
  afterAll(() => scope.end())

  const chat = (sessionKey: string, message: string, idempotencyKey: string) =>
    client.call('chat.send', { sessionKey, message, idempotencyKey })

  const send = (sessionKey: string, more: object = {}) =>
    call('sessions_send', { sessionKey, message: `to ${sessionKey}`, ...more })

  const inputsOf = async (sessionKey: string) => {
    const { messages } = await client.call('chat.history', { sessionKey })
    return messages.filter(({ role }) => role === 'user').map(({ content }) => content[0]?.text)
  }

  test('W1: a job whose own turn lists, adds, looks and runs itself', async () => {
    const add = { action: 'add', job: agentJob(`made by a job, ${defaults.maxConcurrent}`) }
    const self = await heldJob({ client, model }, 'runs itself', [
      ask => {
        const jobId = /\[cron:(\S+) /.exec(ask.user)?.[1]
        const actions = [{ action: 'list' }, add, { action: 'run', jobId, wait: true }, { action: 'runs', jobId }]
        return { calls: actions.map(args => ({ name: 'cron', args })) }
      },
      ask => ({ text: JSON.stringify([0, 1, 2, 3].map(index => resultOf(ask, index))) }),
    ])
    self.gate.open()
    const { status, summary = '' } = await self.ended()
    expect(status).toBe('ok')
    const [list, added, ran, runs] = JSON.parse(summary)
    expect(list.jobs.map((job: { id: string }) => job.id)).toContain(self.job.id)
    expect(added).toMatchObject({ name: add.job.name, madeBy: { kind: 'agent', sessionKey: jobSession(self.job) } })
    expect(ran).toMatchObject({ ok: true, ran: false, reason: 'already-running' })
    expect(runs).toEqual({ entries: [] })
  })

  test('a job for the main session falls due while that session talks: the turn goes on, the event comes next', async () => {
    const key = 'agent:main:main'
    const gate = new Gate()
    model.script(
      key,
      gate.hold({ calls: [{ name: 'cron', args: { action: 'list' } }] }),
      call('cron', { action: 'add', job: agentJob('added while an event waits') }),
      { text: 'talked' },
      ask => ({ text: `heard: ${ask.user}` }),
    )
    await chat('main', 'let us talk', 'talk-1')
    await gate.reached
    const event = await client.call('cron.add', {
      name: 'event',
      schedule: { kind: 'at', atMs: Date.now() },
      payload: { kind: 'systemEvent', text: 'the kettle boils' },
      sessionTarget: 'main',
      wakeMode: 'now',
      enabled: true,
    })
    await client.events.cron(event.id, 'started')
    gate.open()
    expect(textOf(await client.events.ended('talk-1'))).toBe('talked')
    expect(await client.events.cron(event.id, 'finished')).toMatchObject({ status: 'ok' })
    const asks = model.asks(key)
    expect(asks.map(ask => ask.user.includes('the kettle boils'))).toEqual([false, false, false, true])
    expect(asks[3]?.user).toMatch(/^System: \[.*\] the kettle boils$/)
    expect(asks[2]?.results.map(text => 'error' in JSON.parse(text))).toEqual([false, false])
  })

  test('W5: a turn that waits for another session gives its place to it', async () => {
    model.script('agent:main:asks', send('answers'), ask => ({ text: `it said ${resultOf(ask, 0).reply}` }))
    model.script('agent:main:answers', { text: 'forty-two' })
    await chat('asks', 'ask it', 'asks-1')
    expect(textOf(await client.events.ended('asks-1'))).toBe('it said forty-two')
    expect((await client.call('status', {})).runs).toMatchObject({ running: 0, queued: 0, parked: 0 })
  })

  test('W4: A asks B, whose turn asks A: refused at once, by name, and both end', async () => {
    model.script('agent:main:a', send('b'), ask => ({ text: `A: ${resultOf(ask, 0).reply}` }))
    model.script('agent:main:b', send('a'), ask => ({ text: `B: ${ask.results[0]}` }))
    await chat('a', 'begin', 'a-1')
    const end = await client.events.ended('a-1')
    expect(textOf(end)).toMatch(/^A: B: \{/)
    const refusal = JSON.parse(textOf(end).slice('A: B: '.length))
    expect(refusal).toMatchObject({ status: 'error', code: 'WOULD_DEADLOCK', outcome: 'not-started' })
    expect(refusal.error).toContain('the turn of agent:main:b')
    expect(refusal.error).toContain('the turn of agent:main:a')
    expect(refusal.error).toContain('session agent:main:a')
    expect(refusal.cycle).toHaveLength(4)
    expect(await inputsOf('a')).toEqual(['begin'])
    expect((await client.call('status', {})).waits).toEqual([])
  })

  test('W4: a longer way round is refused where it would close', async () => {
    model.script('agent:main:x', send('y'), ask => ({ text: `X: ${resultOf(ask, 0).reply}` }))
    model.script('agent:main:y', send('z'), ask => ({ text: `Y: ${resultOf(ask, 0).reply}` }))
    model.script('agent:main:z', send('x'), ask => ({ text: `Z: ${resultOf(ask, 0).code}` }))
    await chat('x', 'begin', 'x-1')
    expect(textOf(await client.events.ended('x-1'))).toBe('X: Y: Z: WOULD_DEADLOCK')
  })

  test('W4: a session that asks itself is refused', async () => {
    model.script('agent:main:self', send('SELF'), ask => ({ text: String(resultOf(ask, 0).code) }))
    await chat('self', 'begin', 'self-1')
    expect(textOf(await client.events.ended('self-1'))).toBe('WOULD_DEADLOCK')
    expect(await inputsOf('self')).toEqual(['begin'])
  })

  test('W4: a job whose turn asks a session that asks the job is refused there', async () => {
    const job = await client.call('cron.add', agentJob('asks a session'))
    model.script(jobSession(job), send('helper'), ask => ({ text: `job: ${resultOf(ask, 0).reply}` }))
    model.script('agent:main:helper', send(jobSession(job)), ask => ({ text: String(resultOf(ask, 0).code) }))
    const run = await client.call('cron.run', { jobId: job.id, mode: 'force', wait: true })
    expect(run).toMatchObject({ ran: true, status: 'ok' })
    const { entries } = await client.call('cron.runs', { jobId: job.id })
    expect(entries.at(-1)?.summary).toBe('job: WOULD_DEADLOCK')
  })

  test('W4: without waiting, the same message is taken, and is the next input', async () => {
    model.script('agent:main:p', send('q'), ask => ({ text: `P: ${resultOf(ask, 0).reply}` }), { text: 'P again' })
    model.script('agent:main:q', send('p', { timeoutSeconds: 0 }), ask => ({ text: String(resultOf(ask, 0).status) }))
    await chat('p', 'begin', 'p-1')
    expect(textOf(await client.events.ended('p-1'))).toBe('P: accepted')
    await client.events.until(
      'the second turn of P',
      ({ event, payload }) => event === 'chat' && payload.state === 'final' && textOf(payload) === 'P again',
    )
    expect(await inputsOf('p')).toEqual(['begin', 'System: message from session agent:main:q:\nto p'])
  })

  test("W4: those who wait from outside are in nobody's way", async () => {
    const gate = new Gate()
    model.script('agent:main:m', send('n'), ask => ({ text: `M: ${resultOf(ask, 0).reply}` }))
    model.script('agent:main:n', gate.hold(send('m')), ask => ({ text: String(resultOf(ask, 0).code) }))
    const answered = client.call('agent', { sessionKey: 'm', message: 'begin', idempotencyKey: 'm-1' })
    await gate.reached
    const { runs } = await client.call('sessions.status', { key: 'n' })
    const waits = ['m-1', String(runs[0]?.runId)].map(runId => client.call('agent.wait', { runId }))
    gate.open()
    expect(await Promise.all(waits)).toMatchObject([{ status: 'ok' }, { status: 'ok' }])
    expect(await answered).toMatchObject({ runId: 'm-1' })
    expect(textOf(await client.events.ended('m-1'))).toBe('M: WOULD_DEADLOCK')
  })

  test('W4: two sessions that ask each other at the same moment: one is refused, both end', async () => {
    const [left, right] = [new Gate(), new Gate()]
    model.script('agent:main:left', left.hold(send('right')), ask => ({ text: `${ask.results[0]}` }), { text: 'hi' })
    model.script('agent:main:right', right.hold(send('left')), ask => ({ text: `${ask.results[0]}` }), { text: 'hi' })
    await chat('left', 'begin', 'left-1')
    await left.reached
    await chat('right', 'begin', 'right-1')
    if (defaults.maxConcurrent > 1) await right.reached
    left.open()
    right.open()
    const ends = await Promise.all([client.events.ended('left-1'), client.events.ended('right-1')])
    expect(ends.map(end => end.state)).toEqual(['final', 'final'])
    expect(ends.filter(end => textOf(end).includes('WOULD_DEADLOCK'))).toHaveLength(1)
    expect(ends.filter(end => JSON.parse(textOf(end)).reply !== undefined)).toHaveLength(1)
  })

  test('W7: stop and status answer while every slot is taken, and a stopped turn makes way', async () => {
    const { gate, ended } = await heldJob({ client, model }, 'takes a slot')
    const stopped = new Gate()
    model.script('agent:main:stopped', stopped.hold({ text: 'held' }), { text: 'not held' })
    await chat('stopped', 'begin', 'stopped-1')
    await chat('stopped', 'go on', 'stopped-2')
    expect(await client.call('health', {})).toMatchObject({ ok: true })
    expect(await client.call('chat.abort', { sessionKey: 'stopped', runId: 'stopped-1' })).toMatchObject({
      aborted: true,
      runIds: ['stopped-1'],
    })
    expect((await client.events.ended('stopped-1')).state).toBe('aborted')
    gate.open()
    stopped.open()
    await ended()
    expect((await client.events.ended('stopped-2')).state).toBe('final')
  })
})
