// The oldest shape: a turn that dials its own gateway. The kernel's table of sockets says who is connected to whom while
// turns call the gateway's tools, and remembers for a while whoever was; it shows our own clients, the processes that
// turns have started, and nobody else.
import { connect, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { within } from '../e2e/bound.ts'
import { freePort } from '../e2e/free-port.ts'
import { agentJob, jobSession } from '../e2e/jobs.ts'
import { Gate, resultOf, type Step } from '../e2e/scripted-model.ts'
import { atEachLimit, cron, exec, type House, send } from './house.ts'
import { processesOfTurns } from './process-table.ts'
import { dialedFrom, selfConnections, socketsOf, tcpTable } from './socket-table.ts'

const EXEC = { config: { tools: { exec: { security: 'full', ask: 'off' } } } }
const SESSIONS = ['one', 'two', 'three', 'four']

test('WAIT-01 W1: the table shows a process that is connected to itself, and that it was', async () => {
  const server = createServer()
  const { promise: listening, resolve: listens } = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', () => listens())
  await within(listening, 'a port')
  expect(selfConnections(process.pid)).toEqual([])
  const { port } = server.address() as { port: number }
  // Another process may have had this port a moment ago.
  const before = dialedFrom(port)
  const dialed = () => [...dialedFrom(port)].filter(from => !before.has(from))
  const { promise: accepted, resolve } = Promise.withResolvers<void>()
  server.once('connection', () => resolve())
  const socket = connect(port, '127.0.0.1')
  await within(accepted, 'a connection')
  const { localPort } = socket
  expect(selfConnections(process.pid).sort()).toEqual([`${localPort}>${port}`, `${port}>${localPort}`].sort())
  expect(dialed()).toEqual([localPort])
  const { promise: closed, resolve: closes } = Promise.withResolvers<void>()
  socket.on('close', () => server.close(() => closes()))
  socket.end()
  socket.resume()
  await within(closed, 'the end of the connection')
  expect(selfConnections(process.pid)).toEqual([])
  expect(dialed()).toEqual([localPort])
})

/** Sessions that each use every tool of the gateway, the last of them while it waits for another session. */
function script({ model }: House, waitedFor: string, seen: Step): void {
  for (const name of SESSIONS) {
    const use: Step = {
      calls: [
        { name: 'cron', args: { action: 'list' } },
        { name: 'cron', args: { action: 'add', job: agentJob(`of ${name}`) } },
        { name: 'sessions_list', args: {} },
        { name: 'sessions_history', args: {} },
        { name: 'session_status', args: {} },
      ],
    }
    model.script(`agent:main:${name}`, use, seen, send(waitedFor), ask => ({
      text: ask.results.map((_, index) => ('error' in resultOf(ask, index) ? 'error' : 'ok')).join(' '),
    }))
  }
}

atEachLimit(house => {
  test('WAIT-01 W1: while turns and jobs call the tools of their gateway, it has no connection to itself', async () => {
    const { client, gateway, model } = house
    const { pid } = await client.call('status', {})
    const before = dialedFrom(gateway.port)
    const looked: string[][] = []
    const look = () => looked.push(selfConnections(pid))
    const gate = new Gate()
    model.script('agent:main:waited', gate.hold({ text: 'yes' }), ...SESSIONS.slice(1).map(() => ({ text: 'yes' })))
    script(house, 'waited', () => {
      look()
      return { calls: [{ name: 'cron', args: { action: 'status' } }] }
    })
    const job = await client.call('cron.add', agentJob('uses tools'))
    model.script(jobSession(job), cron({ action: 'runs', jobId: job.id }), ask => {
      look()
      return { text: `${ask.results[0]}` }
    })
    const ran = client.call('cron.run', { jobId: job.id, mode: 'force', wait: true })
    for (const name of SESSIONS) await house.chat(name, 'begin', `${name}-1`)
    await gate.reached
    look()
    const own = socketsOf(pid)
    const rows = tcpTable().filter(row => own.has(row.inode))
    // Of both families.
    expect(new Set(rows.filter(row => row.listens).map(row => row.localPort))).toEqual(new Set([gateway.port]))
    // What is there to be seen is seen: our client at its port, and its turns at the model's.
    expect(rows.some(row => row.localPort === gateway.port && before.has(row.remotePort))).toBe(true)
    expect(rows.some(row => row.remotePort === Number(new URL(model.server.baseUrl).port))).toBe(true)
    gate.open()
    const replies = await Promise.all(SESSIONS.map(name => house.reply(`${name}-1`)))
    expect(replies).toEqual(SESSIONS.map(() => 'ok ok ok ok ok ok ok'))
    expect(await ran).toMatchObject({ status: 'ok' })
    expect(looked.length).toBe(SESSIONS.length + 2)
    expect(looked.flat()).toEqual([])
    // Nor was there one that has ended: the kernel keeps those in TIME_WAIT for a minute.
    expect([...dialedFrom(gateway.port)].filter(port => !before.has(port))).toEqual([])
  })

  test('WAIT-01 W1: the command line of a turn has a connection of its own, and its gateway none to itself', async () => {
    const { client, gateway, model } = house
    const { pid } = await client.call('status', {})
    const before = dialedFrom(gateway.port)
    const gate = new Gate()
    const job = await client.call('cron.add', agentJob('beside a command'))
    model.script(jobSession(job), cron({ action: 'list' }), { text: 'done' })
    const commands = exec(
      ['cron', 'list'],
      ['cron', 'run', job.id, '--force', '--wait'],
      [...['agent', '--session', 'beside', '--message', 'hold on']],
    )
    model.script('agent:main:commands', commands, ask => ({
      text: ask.results.map((_, index) => resultOf(ask, index).exitCode).join(' '),
    }))
    model.script('agent:main:beside', gate.hold({ text: 'held' }))
    await house.chat('commands', 'begin', 'commands-1')
    await gate.reached
    const [command] = processesOfTurns(gateway.port)
    const [its, own] = [socketsOf(command?.pid as number), socketsOf(pid)]
    const dialed = tcpTable().filter(row => row.remotePort === gateway.port)
    expect(dialed.filter(row => its.has(row.inode))).toHaveLength(1)
    expect(dialed.filter(row => own.has(row.inode))).toEqual([])
    expect(selfConnections(pid)).toEqual([])
    expect(gate.isOpen).toBe(false)
    gate.open()
    expect(await house.reply('commands-1')).toBe('0 0 0')
    // One for each command, those that have ended among them.
    expect([...dialedFrom(gateway.port)].filter(port => !before.has(port))).toHaveLength(3)
  })

  test('WAIT-31 W1: a gateway that is configured as its own model fails its turn and stays free', async () => {
    const port = await freePort()
    const config = {
      models: { providers: { self: { baseUrl: `http://127.0.0.1:${port}/v1` } } },
      agents: { defaults: { model: 'self/m1', maxConcurrent: house.limit } },
    }
    const client = await (await house.scope.gateway({ config, port })).client()
    const runIds = Array.from({ length: house.limit + 1 }, (_, index) => `self-${index}`)
    for (const runId of runIds) {
      await client.call('chat.send', { sessionKey: runId, message: 'begin', idempotencyKey: runId })
    }
    for (const runId of runIds) expect(await client.events.ended(runId)).toMatchObject({ state: 'error' })
    expect((await client.call('status', {})).runs).toMatchObject({ running: 0, queued: 0 })
  })
}, EXEC)
