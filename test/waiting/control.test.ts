// The shapes in which a person waits for what he wants to stop, and in which a wait outlives the one who waited: queues
// on one connection, cleared queues whose waiters are never told, callers who are gone, a command line beside a turn.
import { expect, test } from 'vitest'
import { agentJob, heldJob } from '../e2e/jobs.ts'
import { RawSocket } from '../e2e/raw-socket.ts'
import { Gate } from '../e2e/scripted-model.ts'
import { atEachLimit, send } from './house.ts'

const WAITS_OPEN = 100

atEachLimit(house => {
  test('WAIT-19 W7: stop, status and a new connection are answered while all lanes, slots and waits are full', async () => {
    const { client, limit } = house
    const gate = await house.heldTurn('stop', 'stop-1')
    const names = Array.from({ length: limit - 1 }, (_, index) => `full-${index}`)
    const others = await Promise.all(names.map(name => house.heldTurn(name, name)))
    for (const runId of ['stop-2', 'stop-3']) await house.chat('stop', 'go on', runId)
    const waits = Array.from({ length: WAITS_OPEN }, () => client.call('agent.wait', { runId: 'stop-2' }))
    const fresh = await house.gateway.client()
    expect(await fresh.call('health', {})).toMatchObject({ ok: true })
    expect((await fresh.call('status', {})).runs).toMatchObject({ running: limit, queued: 2 })
    expect((await client.call('waits.list', {})).waits.map(({ waiter }) => waiter)).toEqual([
      'run:stop-2',
      'run:stop-3',
    ])
    expect((await client.call('sessions.list', {})).sessions.map(({ key }) => key)).toContain('agent:main:stop')
    const stopped = await house.chat('stop', '/stop', 'stop-now')
    expect(stopped).toEqual({ ok: true, aborted: true, runIds: ['stop-1', 'stop-2', 'stop-3'] })
    expect((await client.events.ended('stop-1')).state).toBe('aborted')
    expect(new Set((await Promise.all(waits)).map(({ status }) => status))).toEqual(new Set(['error']))
    for (const held of [gate, ...others]) expect(held.isOpen).toBe(false)
    for (const held of [gate, ...others]) held.open()
    expect(await Promise.all(names.map(name => house.reply(name)))).toEqual(names.map(() => 'held'))
    fresh.client.close()
  })

  test('WAIT-20 W7: who waits for a queued turn that is stopped is told at once, and the turn before it goes on', async () => {
    const { client } = house
    const gate = await house.heldTurn('queue', 'queue-1')
    await house.chat('queue', 'stopped before it began', 'queue-2')
    const wait = client.call('agent.wait', { runId: 'queue-2' })
    expect(await client.call('chat.abort', { sessionKey: 'queue', runId: 'queue-2' })).toMatchObject({
      runIds: ['queue-2'],
    })
    expect(await wait).toMatchObject({ status: 'error', error: 'stopped before it began' })
    expect((await client.call('waits.list', {})).waits).toEqual([])
    expect(gate.isOpen).toBe(false)
    gate.open()
    expect(await house.reply('queue-1')).toBe('held')
    expect(house.asksOf('queue')).toBe(1)
    expect(await house.inputsOf('queue')).toEqual(['begin'])
  })

  test('WAIT-21 W6: a connection that drops ends its waits; the work it began goes on and is found again by its key', async () => {
    const { client, gateway, model } = house
    const gate = new Gate()
    model.script('agent:main:dropped', gate.hold({ text: 'done all the same' }))
    const job = await client.call('cron.add', agentJob('waited for by one who leaves'))
    const gone = await RawSocket.connected(gateway, house.scope)
    const params = { sessionKey: 'dropped', message: 'begin', idempotencyKey: 'dropped-1' }
    gone.send({ type: 'req', id: 'run', method: 'agent', params })
    gone.send({ type: 'req', id: 'wait', method: 'agent.wait', params: { runId: 'dropped-1' } })
    await gate.reached
    gone.terminate()
    await gone.closed
    expect(await client.call('cron.remove', { jobId: job.id })).toMatchObject({ removed: true })
    const again = await RawSocket.connected(gateway, house.scope)
    again.send({ type: 'req', id: 'run', method: 'agent', params })
    expect(await again.answer('run')).toMatchObject({ payload: { runId: 'dropped-1', status: 'accepted' } })
    expect(gate.isOpen).toBe(false)
    gate.open()
    expect(await house.reply('dropped-1')).toBe('done all the same')
    const [, final] = await again.answersUntil('run', 2)
    expect(final).toMatchObject({ ok: true, payload: { result: { payloads: [{ text: 'done all the same' }] } } })
    expect(house.asksOf('dropped')).toBe(1)
    again.terminate()
  })

  test('WAIT-22 W5 W7: a turn that waits for another is stopped at once, and the other goes on', async () => {
    const { client, model } = house
    const gate = new Gate()
    model.script('agent:main:waiting', send('working'), { text: 'never asked' })
    model.script('agent:main:working', gate.hold({ text: 'worked' }))
    await house.chat('waiting', 'begin', 'waiting-1')
    await gate.reached
    await house.waits('waiting-1', /^run:/)
    expect((await client.call('status', {})).runs).toMatchObject({ running: 2, queued: 0, parked: 1 })
    expect(await client.call('chat.abort', { sessionKey: 'waiting' })).toMatchObject({ runIds: ['waiting-1'] })
    expect((await client.events.ended('waiting-1')).state).toBe('aborted')
    expect((await client.call('waits.list', {})).waits).toEqual([])
    const [run] = (await client.call('sessions.status', { key: 'working' })).runs
    expect(run?.status).toBe('running')
    expect(gate.isOpen).toBe(false)
    gate.open()
    expect(await house.reply(String(run?.runId))).toBe('worked')
    // Nor is it told later: who stopped it does not want to hear of what it had asked for.
    expect(await house.liveRuns('waiting')).toEqual([])
    expect(await house.inputsOf('waiting')).toEqual(['begin'])
    expect(house.asksOf('waiting')).toBe(1)
  })

  test('WAIT-24 W1 W3: the command line beside a held turn reads and writes at once', async () => {
    const { gateway, client } = house
    const { job, gate, ended } = await heldJob(house, 'slow beside the command line')
    const listed = await gateway.cli(['cron', 'list'])
    expect(listed).toMatchObject({ code: 0, stderr: '' })
    expect(listed.stdout).toContain(job.id)
    const name = `by the command line, ${house.limit}`
    const add = ['cron', 'add', '--name', name, '--every', '6h', '--message', 'hi']
    expect(await gateway.cli(add)).toMatchObject({ code: 0, stderr: '' })
    expect((await client.call('cron.list', {})).jobs.filter(other => other.name === name)).toHaveLength(1)
    const ran = await gateway.cli(['cron', 'run', job.id, '--force', '--json'])
    expect(ran.stdout).toContain('already-running')
    expect(gate.isOpen).toBe(false)
    gate.open()
    expect(await ended()).toMatchObject({ status: 'ok' })
  })

  test('WAIT-24 W6: a message by the command line to a session that talks waits outside, and holds nothing up', async () => {
    const { gateway } = house
    const gate = await house.heldTurn('cli', 'cli-1', [{ text: 'first' }, { text: 'for the command line' }])
    const asked = gateway.cli(['agent', '--session', 'cli', '--message', 'and me'])
    await house.client.events.until('the second message to wait', ({ event, payload }) =>
      JSON.stringify([event, payload]).includes('"target":"lane:agent:main:cli"'),
    )
    expect((await gateway.cli(['waits'])).stdout).toContain('agent:main:cli')
    expect([gate.isOpen, house.asksOf('cli')]).toEqual([false, 1])
    gate.open()
    expect(await house.reply('cli-1')).toBe('first')
    expect(await asked).toMatchObject({ code: 0, stdout: 'for the command line\n' })
  })

  test('WAIT-24 W1: with no gateway, the command line runs no turn by itself', async () => {
    await house.gateway.stop()
    const asks = house.model.server.asks.length
    const asked = await house.gateway.cli(['agent', '--session', 'alone', '--message', 'hello'])
    expect(asked.code).not.toBe(0)
    expect(asked.stderr).toContain(String(house.gateway.port))
    expect(house.model.server.asks).toHaveLength(asks)
    await house.again()
    expect((await house.client.call('chat.history', { sessionKey: 'alone' })).messages).toEqual([])
  })
})
