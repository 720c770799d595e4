// Turns that a dead gateway left behind: the next start goes on from the journal's last entry, and nothing is lost or
// done twice. The moment of death is a gate, an event, or a store that was left just so.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { NewRun, Store } from '../../src/store/port.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { textOf } from './event-log.ts'
import { type GatewayProcess, Scope, type TestClient } from './gateway-process.ts'
import { agentJob, heldJob, jobSession } from './jobs.ts'
import { call, Gate, resultOf, type ScriptedModel, startScriptedModel } from './scripted-model.ts'

const scope = new Scope()
let model: ScriptedModel

beforeEach(async () => {
  model = await startScriptedModel()
  scope.onEnd(() => model.server.close())
})
afterEach(() => scope.end())

const start = (stateDir = scope.stateDir()) => scope.gateway({ stateDir, config: model.config() })

/** What the client says and hears of one session. */
function talk({ call }: TestClient, sessionKey: string) {
  return {
    send: (idempotencyKey: string, message = `message ${idempotencyKey}`) =>
      call('chat.send', { sessionKey, message, idempotencyKey }),
    lines: async () => {
      const { messages } = await call('chat.history', { sessionKey })
      return messages.map(({ role, content }) => `${role}: ${content.map(part => part.text ?? part.type).join('+')}`)
    },
  }
}

async function restarted(gateway: GatewayProcess): Promise<TestClient> {
  await gateway.kill()
  await gateway.start()
  return await gateway.client()
}

describe('killed while a turn is held at the model', () => {
  test('L2: the turn goes on and is answered once, and so is the message that joins it', async () => {
    const gateway = await start()
    const before = talk(await gateway.client(), 'held')
    const gate = new Gate()
    model.script('agent:main:held', gate.hold({ text: 'never' }))
    await before.send('held-1')
    await gate.reached
    expect(await before.send('held-2')).toMatchObject({ status: 'started', ahead: 1 })
    model.script('agent:main:held', { text: 'one answer to both' })
    const client = await restarted(gateway)
    expect(await client.call('agent.wait', { runId: 'held-1' })).toMatchObject({ status: 'ok' })
    expect(await client.call('agent.wait', { runId: 'held-2' })).toMatchObject({ status: 'ok' })
    expect(await talk(client, 'held').lines()).toEqual([
      'user: message held-1',
      'user: message held-2',
      'assistant: one answer to both',
    ])
    expect(model.asks('agent:main:held')).toHaveLength(2)
  })

  test('T1: chat.send with the same key attaches to the run, before and after its end', async () => {
    const gateway = await start()
    const gates = [new Gate(), new Gate()] as const
    model.script('agent:main:same', gates[0].hold({ text: 'never' }), gates[1].hold({ text: 'once' }))
    await talk(await gateway.client(), 'same').send('same-1')
    await gates[0].reached
    const client = await restarted(gateway)
    await gates[1].reached
    expect(await talk(client, 'same').send('same-1')).toMatchObject({ runId: 'same-1', status: 'in_flight' })
    gates[1].open()
    expect(textOf(await client.events.ended('same-1'))).toBe('once')
    expect(await talk(client, 'same').send('same-1')).toEqual({ runId: 'same-1', status: 'ok' })
    const last = await restarted(gateway)
    expect(await talk(last, 'same').send('same-1')).toEqual({ runId: 'same-1', status: 'ok' })
    await expect(talk(last, 'same').send('same-1', 'another')).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(await talk(last, 'same').lines()).toEqual(['user: message same-1', 'assistant: once'])
    expect(model.asks('agent:main:same')).toHaveLength(2)
  })

  test('L2: text that was shown but not committed is not in the answer', async () => {
    const gateway = await start()
    const forever = Promise.withResolvers<void>()
    model.script(
      'agent:main:half',
      { text: 'half an answer', chunks: 2, hold: forever.promise },
      { text: 'a whole one' },
    )
    const before = await gateway.client()
    await talk(before, 'half').send('half-1')
    await before.events.until('a delta', ({ event, payload }) => event === 'chat' && payload.state === 'delta')
    const client = await restarted(gateway)
    expect(await client.call('agent.wait', { runId: 'half-1' })).toMatchObject({ status: 'ok' })
    expect(await talk(client, 'half').lines()).toEqual(['user: message half-1', 'assistant: a whole one'])
  })

  test('L3: the occurrence of a job is recorded once', async () => {
    const gateway = await start()
    const { job } = await heldJob({ client: await gateway.client(), model }, 'outlives its gateway', [
      { text: 'never' },
    ])
    model.script(jobSession(job), { text: 'done after all' })
    const client = await restarted(gateway)
    await client.events.until('the end of the job', isFinishOf(job.id))
    const { entries } = await client.call('cron.runs', { jobId: job.id })
    expect(entries).toMatchObject([{ state: 'ok', summary: 'done after all', occurrence: /^at:\d+$/ }])
    expect(model.asks(jobSession(job))).toHaveLength(2)
    const again = await restarted(gateway)
    expect((await again.call('cron.runs', { jobId: job.id })).entries).toEqual(entries)
  })

  test('T1: a session that waits for another takes up the same run of it', async () => {
    const gateway = await start()
    const gate = new Gate()
    model.script('agent:main:asker', call('sessions_send', { sessionKey: 'helper', message: 'help' }))
    model.script('agent:main:helper', gate.hold({ text: 'never' }))
    await talk(await gateway.client(), 'asker').send('asker-1')
    await gate.reached
    model.script('agent:main:helper', { text: 'helped' })
    model.script('agent:main:asker', ask => ({ text: `it said ${resultOf(ask, 0).reply}` }))
    const client = await restarted(gateway)
    expect(await client.call('agent.wait', { runId: 'asker-1' })).toMatchObject({ status: 'ok' })
    expect((await talk(client, 'asker').lines()).at(-1)).toBe('assistant: it said helped')
    expect(await talk(client, 'helper').lines()).toEqual([
      'user: System: message from session agent:main:asker:\nhelp',
      'assistant: helped',
    ])
  })

  test('a turn that sees two deaths is answered once all the same', async () => {
    const gateway = await start()
    await talk(await gateway.client(), 'often').send('often-1')
    for (let death = 0; death < 2; death += 1) await endWhileHeld(gateway, 'often', () => gateway.kill())
    model.script('agent:main:often', { text: 'at last' })
    const client = await gateway.client()
    expect(await client.call('agent.wait', { runId: 'often-1' })).toMatchObject({ status: 'ok' })
    expect(await talk(client, 'often').lines()).toEqual(['user: message often-1', 'assistant: at last'])
  })

  test('a turn that was there at too many deaths is given up, and says so', async () => {
    const gateway = await start()
    await talk(await gateway.client(), 'deadly').send('deadly-1')
    const die = async () => {
      await gateway.kill()
      // So many deaths at once would hold the turn back instead; these are meant to lie further apart.
      rmSync(join(gateway.stateDir, 'starts.json'))
    }
    for (let death = 0; death < 3; death += 1) await endWhileHeld(gateway, 'deadly', die)
    const client = await gateway.client()
    expect(await client.call('agent.wait', { runId: 'deadly-1' })).toMatchObject({
      status: 'error',
      error: expect.stringMatching(/given up: 3 attempts were lost/),
    })
    // Its person may be away.
    expect(await client.call('chat.unread', { sessionKey: 'deadly' })).toMatchObject({
      notices: [{ id: 'reply:deadly-1', text: expect.stringMatching(/^There is no reply to your message: given up/) }],
    })
  })
})

/** Ends the gateway while the session's turn is held at the model, and starts it again. */
async function endWhileHeld(gateway: GatewayProcess, session: string, end: () => Promise<unknown>): Promise<void> {
  const gate = new Gate()
  model.script(`agent:main:${session}`, gate.hold({ text: 'never' }))
  await gate.reached
  await end()
  await gateway.start()
}

test('W7: a clean stop waits for no turn; the turn goes on at the next start', async () => {
  const gateway = await start()
  const gate = new Gate()
  model.script('agent:main:stopped', gate.hold({ text: 'never' }), { text: 'went on' })
  await talk(await gateway.client(), 'stopped').send('stopped-1')
  await gate.reached
  await gateway.stop()
  await gateway.start()
  const client = await gateway.client()
  expect(await client.call('agent.wait', { runId: 'stopped-1' })).toMatchObject({ status: 'ok' })
  expect(await talk(client, 'stopped').lines()).toEqual(['user: message stopped-1', 'assistant: went on'])
})

test('W7: clean stops are no deaths: a turn that sees many of them is answered', async () => {
  const gateway = await start()
  await talk(await gateway.client(), 'patient').send('patient-1')
  for (let stop = 0; stop < 4; stop += 1) await endWhileHeld(gateway, 'patient', () => gateway.stop())
  model.script('agent:main:patient', { text: 'at last' })
  const client = await gateway.client()
  expect(await client.call('agent.wait', { runId: 'patient-1' })).toMatchObject({ status: 'ok' })
  expect(await talk(client, 'patient').lines()).toEqual(['user: message patient-1', 'assistant: at last'])
})

describe('killed around a tool call', () => {
  const add = (name: string) => call('cron', { action: 'add', job: agentJob(name) })
  const jobsNamed = async ({ call }: TestClient, name: string) =>
    (await call('cron.list', {})).jobs.filter(job => job.name === name)

  test('T1: between its result and the next answer of the model, its effect is there once', async () => {
    const gateway = await start()
    const gate = new Gate()
    model.script('agent:main:after', add('made once'), gate.hold({ text: 'never' }))
    await talk(await gateway.client(), 'after').send('after-1')
    await gate.reached
    model.script('agent:main:after', ask => ({ text: `made ${resultOf(ask, 0).id}` }))
    const client = await restarted(gateway)
    expect(await client.call('agent.wait', { runId: 'after-1' })).toMatchObject({ status: 'ok' })
    const jobs = await jobsNamed(client, 'made once')
    expect(jobs).toHaveLength(1)
    const lines = await talk(client, 'after').lines()
    expect(lines.map(line => line.split(':')[0])).toEqual(['user', 'assistant', 'toolResult', 'assistant'])
    expect(lines.at(-1)).toBe(`assistant: made ${jobs[0]?.id}`)
  })

  test('T1: at the moment of its effect, its effect is there once and the turn hears of it', async () => {
    const gateway = await start()
    const before = await gateway.client()
    // The first answer of each gateway; a later one only where the result was committed before the death.
    model.script('agent:main:at', add('made at once'))
    await talk(before, 'at').send('at-1')
    await before.events.until('the job', ({ event, payload }) => event === 'cron' && payload.action === 'added')
    await gateway.kill()
    await gateway.start()
    model.script('agent:main:at', ...Array.from({ length: 3 }, () => ({ text: 'made' })))
    const client = await gateway.client()
    expect(await client.call('agent.wait', { runId: 'at-1' })).toMatchObject({ status: 'ok' })
    const [job, ...others] = await jobsNamed(client, 'made at once')
    expect(others).toEqual([])
    const results = model.asks('agent:main:at').at(-1)?.results ?? []
    expect(results.map(text => JSON.parse(text).id)).toEqual([job?.id])
  })

  test('L2: between the message that asks for it and its run, it runs once', async () => {
    const stateDir = scope.stateDir()
    await left(stateDir, 'agent:main:asked', async journal => {
      await journal([{ kind: 'attempt', model: 'fake/m1' }])
      const args = { action: 'add', job: agentJob('asked for') }
      await journal([{ kind: 'message', text: '', calls: [{ ordinal: 0, name: 'cron', args }], model: 'fake/m1' }])
    })
    model.script('agent:main:asked', ask => ({ text: `made ${resultOf(ask, 0).name}` }))
    const client = await (await start(stateDir)).client()
    expect(await client.call('agent.wait', { runId: 'left' })).toMatchObject({ status: 'ok' })
    expect(await jobsNamed(client, 'asked for')).toHaveLength(1)
    expect((await talk(client, 'asked').lines()).at(-1)).toBe('assistant: made asked for')
  })
})

test('L2: killed between the last message and the end of the turn: that message is the answer', async () => {
  const stateDir = scope.stateDir()
  await left(stateDir, 'agent:main:told', async journal => {
    await journal([{ kind: 'attempt', model: 'fake/m1' }])
    await journal([{ kind: 'message', text: 'the answer', calls: [], model: 'fake/m1' }])
  })
  // A model that is asked once more would answer once more.
  model.script('agent:main:told', { text: 'the answer, again' })
  const client = await (await start(stateDir)).client()
  expect(await client.call('agent.wait', { runId: 'left' })).toMatchObject({ status: 'ok' })
  expect(await talk(client, 'told').lines()).toEqual(['user: hi', 'assistant: the answer'])
  expect(model.asks('agent:main:told')).toEqual([])
})

type Journal = Parameters<Store['write']['appendEntries']>[0]['entries']

/** Leaves a store as a gateway would that died in the turn `left`, after the entries that `write` puts in its journal. */
async function left(
  stateDir: string,
  sessionKey: string,
  write: (journal: (entries: Journal) => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const store = await openSqliteStore({ folder: stateDir, thread: false })
  const nowMs = Date.now()
  const run: NewRun = { runId: 'left', sessionKey, echoKey: sessionKey, agentId: 'main', text: 'hi', source: 'chat' }
  await store.write.acceptMessage({ run, nowMs })
  await store.write.claimRun({ runId: 'left', epoch: store.epoch, nowMs, events: [] })
  const fence = { runId: 'left', epoch: store.epoch, attempt: 1 }
  await write(entries => store.write.appendEntries({ fence, entries, nowMs, events: [] }))
  await store.close()
}

function isFinishOf(jobId: string) {
  return ({ event, payload }: { event: string; payload: object }) =>
    event === 'cron' && 'jobId' in payload && payload.jobId === jobId && 'status' in payload
}
