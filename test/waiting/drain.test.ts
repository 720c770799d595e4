// The shapes in which a stop waits for what it stops: the turn that asked for it, turns that wait for each other,
// connections that nobody ends; and in which a second scheduler lives on beside the first.
import { connect, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { within } from '../e2e/bound.ts'
import { agentJob, heldJob, jobSession } from '../e2e/jobs.ts'
import { Gate, resultOf } from '../e2e/scripted-model.ts'
import { atEachLimit, type House, send } from './house.ts'
import { socketsOf, tcpTable } from './socket-table.ts'

/** A connection to the gateway's port that says `text` and no more, and reads nothing after the first answer. */
async function stubborn({ gateway, scope }: House, text: string): Promise<Socket> {
  const socket = connect(gateway.port, '127.0.0.1')
  scope.onEnd(() => {
    socket.destroy()
  })
  socket.on('error', () => socket.destroy())
  const { promise: spoken, resolve } = Promise.withResolvers<void>()
  socket.once('connect', () => socket.write(text, () => resolve()))
  await within(spoken, 'a connection')
  return socket
}

const modelPort = ({ model }: House) => Number(new URL(model.server.baseUrl).port)

async function answered(socket: Socket, pattern: RegExp): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  socket.on('data', chunk => pattern.test(chunk.toString('latin1')) && resolve())
  await within(promise, `an answer like ${pattern}`)
  socket.pause()
}

const UPGRADE = [
  'GET / HTTP/1.1',
  'Host: 127.0.0.1',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  '\r\n',
].join('\r\n')

atEachLimit(house => {
  test('WAIT-28 W7: a stop waits for no turn, not for one that waits for another, and all go on at the next start', async () => {
    const { model } = house
    const gate = new Gate()
    model.script('agent:main:asker', send('helper'))
    model.script('agent:main:helper', gate.hold({ text: 'never' }))
    await house.chat('asker', 'begin', 'asker-1')
    await gate.reached
    await house.waits('asker-1', /^run:/)
    await house.chat('asker', 'and then', 'asker-2')
    const outside = house.client.call('agent.wait', { runId: 'asker-1' }).catch(error => error)
    expect(await house.gateway.stop()).toMatchObject({ code: 0 })
    expect(gate.isOpen).toBe(false)
    expect(await outside).toMatchObject({ code: 'UNAVAILABLE' })
    model.script('agent:main:helper', { text: 'helped' })
    model.script('agent:main:asker', ask => ({ text: `it said ${resultOf(ask, 0).reply}` }), { text: 'and then' })
    await house.again()
    for (const runId of ['asker-1', 'asker-2']) {
      expect(await house.client.call('agent.wait', { runId })).toMatchObject({ status: 'ok' })
    }
    const { messages } = await house.client.call('chat.history', { sessionKey: 'asker' })
    expect(messages.map(({ content }) => content[0]?.text)).toContain('it said helped')
    expect(await house.inputsOf('helper')).toHaveLength(1)
    gate.open()
  })

  test('WAIT-29 W7: a stop waits for no connection, however stubborn', async () => {
    const silent = await stubborn(house, '')
    const half = await stubborn(house, 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n')
    const kept = await stubborn(house, 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')
    await answered(kept, /\bok\b/)
    const deaf = await stubborn(house, UPGRADE)
    await answered(deaf, / 101 /)
    const gate = await house.heldTurn('stubborn', 'stubborn-1')
    expect(await house.gateway.stop()).toMatchObject({ code: 0 })
    expect(gate.isOpen).toBe(false)
    for (const socket of [silent, half, kept, deaf]) socket.destroy()
    house.model.script('agent:main:stubborn', { text: 'went on' })
    await house.again()
    expect(await house.client.call('agent.wait', { runId: 'stubborn-1' })).toMatchObject({ status: 'ok' })
    gate.open()
  })

  test('WAIT-30 W2: a second gateway on the same state is refused at once, and each job has one scheduler', async () => {
    const { model, gateway, scope } = house
    const { job, gate, ended } = await heldJob(house, 'held once')
    const second = await scope.refusedStart({ stateDir: gateway.stateDir })
    expect(second.code).not.toBe(0)
    expect(second.stderr).toMatch(/another gateway/i)
    expect((await house.client.call('cron.list', {})).jobs.map(({ id }) => id)).toContain(job.id)
    expect(gate.isOpen).toBe(false)
    gate.open()
    expect(await ended()).toMatchObject({ status: 'ok' })
    const { pid } = await house.client.call('status', {})
    await house.client.call('gateway.restart', { delayMs: 0 })
    await house.restarted()
    expect(await house.client.call('status', {})).toMatchObject({ pid })
    // Nothing of the one before it listens or is connected any longer.
    const own = socketsOf(pid)
    const ports = tcpTable().filter(row => own.has(row.inode) && row.remotePort !== modelPort(house))
    expect(new Set(ports.map(({ localPort, listens }) => `${localPort} ${listens}`))).toEqual(
      new Set([true, false].map(listens => `${gateway.port} ${listens}`)),
    )
    expect(ports.filter(({ listens }) => !listens)).toHaveLength(1)
    const next = await house.client.call('cron.add', {
      ...agentJob('after a restart'),
      schedule: { kind: 'at', atMs: Date.now() },
    })
    model.script(jobSession(next), { text: 'once' }, { text: 'twice' })
    await house.client.events.cron(next.id, 'finished')
    const { entries } = await house.client.call('cron.runs', { jobId: next.id })
    expect(entries.map(({ summary }) => summary)).toEqual(['once'])
    expect(model.asks(jobSession(next))).toHaveLength(1)
  })
})
