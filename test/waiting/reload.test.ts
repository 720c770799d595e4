// The shape in which a changed config waits for the job that runs, or leaves two schedulers behind. Settings are changed
// while turns are held, by a client and by a turn; they hold at once, for everybody, and nothing begins twice.
import { expect, test } from 'vitest'
import { agentJob, heldJob, jobSession } from '../e2e/jobs.ts'
import { call, resultOf } from '../e2e/scripted-model.ts'
import { atEachLimit, cron, type House } from './house.ts'

/** For how long a job that is due is shown not to fire. */
const SILENT_MS = 1_000

async function patch({ client }: House, change: object) {
  const { hash } = await client.call('config.get', {})
  return await client.call('config.patch', { raw: JSON.stringify(change), baseHash: hash })
}

const enabled = (isEnabled: boolean) => ({ cron: { enabled: isEnabled } })
const room = (maxConcurrent: number) => ({ agents: { defaults: { maxConcurrent } } })

atEachLimit(house => {
  test('WAIT-37 W5: where there is more room, a turn that waits for it begins at once', async () => {
    const { client, limit } = house
    const names = Array.from({ length: limit }, (_, index) => `full-${index}`)
    const gates = await Promise.all(names.map(name => house.heldTurn(name, name)))
    await house.chat('waits', 'begin', 'waits-1')
    expect((await client.call('status', {})).runs).toMatchObject({ running: limit, queued: 1, slots: limit })
    await patch(house, room(limit + 1))
    house.model.script('agent:main:waits', { text: 'had room' })
    expect(await house.reply('waits-1')).toBe('had room')
    expect((await client.call('status', {})).runs).toMatchObject({ running: limit, slots: limit + 1 })
    // Where there is less, who has a place keeps it.
    await patch(house, room(limit))
    expect(gates.map(gate => gate.isOpen)).toEqual(gates.map(() => false))
    for (const gate of gates) gate.open()
    expect(await Promise.all(names.map(name => house.reply(name)))).toEqual(names.map(() => 'held'))
  })

  test('WAIT-37 W1: a turn changes the config it runs under, goes on, and cannot give itself more than it has', async () => {
    const { client, model } = house
    const change = (raw: object) => call('gateway', { action: 'config.patch', raw: JSON.stringify(raw) })
    model.script(
      'agent:main:changes',
      change(enabled(false)),
      cron({ action: 'status' }),
      change({ tools: { exec: { security: 'full', ask: 'off' } } }),
      cron({ action: 'list' }),
      change(enabled(true)),
      ask => ({ text: JSON.stringify([0, 1, 2, 3, 4].map(index => resultOf(ask, index))) }),
    )
    await house.chat('changes', 'begin', 'changes-1')
    const [off, status, refused, list, on] = JSON.parse(await house.reply('changes-1'))
    expect(off).toMatchObject({ applied: ['cron.enabled'], restart: null, message: 'It holds from now on.' })
    expect(status).toMatchObject({ enabled: false })
    expect(refused).toMatchObject({ code: 'FORBIDDEN', outcome: 'not-started' })
    expect(list).toMatchObject({ total: expect.any(Number) })
    expect(on).toMatchObject({ applied: ['cron.enabled'], restart: null })
    expect(model.asks('agent:main:changes').at(-1)?.tools).not.toContain('exec')
    expect(await client.call('cron.status', {})).toMatchObject({ enabled: true })
  })

  test('WAIT-37 W2: while a job runs, jobs are switched off and on at once, for everybody, by one scheduler', async () => {
    const { client, gateway, model } = house
    const { job, gate, ended } = await heldJob(house, 'runs on')
    expect(await patch(house, enabled(false))).toMatchObject({ applied: ['cron.enabled'], restart: null })
    const other = await gateway.client()
    for (const one of [client, other]) expect(await one.call('cron.status', {})).toMatchObject({ enabled: false })
    // What is due in the meantime does not fire: the gateway's own clock passes it. It is made while they are off, since
    // a slow machine may take longer to switch them off than any job is away.
    const due = await client.call('cron.add', {
      ...agentJob('due while they are off'),
      schedule: { kind: 'at', atMs: Date.now() },
    })
    const { runs } = await client.call('sessions.status', { key: jobSession(job) })
    const wait = { runId: String(runs[0]?.runId), timeoutMs: SILENT_MS }
    expect(await client.call('agent.wait', wait)).toMatchObject({ status: 'timeout' })
    expect((await client.call('cron.runs', { jobId: due.id })).entries).toEqual([])
    expect((await client.call('status', {})).runs).toMatchObject({ running: 1, queued: 0 })
    expect(gate.isOpen).toBe(false)
    expect(await patch(house, enabled(true))).toMatchObject({ applied: ['cron.enabled'], restart: null })
    await other.events.cron(due.id, 'started')
    model.script(jobSession(due), { text: 'once' }, { text: 'twice' })
    gate.open()
    expect(await ended()).toMatchObject({ status: 'ok', summary: 'done' })
    expect(await client.events.cron(due.id, 'finished')).toMatchObject({ summary: 'once' })
    expect((await client.call('cron.runs', { jobId: due.id })).entries).toHaveLength(1)
    expect(model.asks(jobSession(due))).toHaveLength(1)
    other.client.close()
  })
})
