// What one connection hears and for whom it calls: events by scope, and nothing of others for a process of a turn (W1).
// The socket is a list of what was sent.

import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import type { Caller, TurnCaller } from '../../src/dispatch/caller.ts'
import type { Dispatcher } from '../../src/dispatch/dispatcher.ts'
import { EventHub } from '../../src/dispatch/event-hub.ts'
import type { HelloOk } from '../../src/protocol/connect.ts'
import type { Scope } from '../../src/protocol/method.ts'
import { Backlog } from '../../src/transports/backlog.ts'
import { type Admission, Connection } from '../../src/transports/connection.ts'
import { FakeClock, settled } from '../fakes/clock.ts'

const turn = { runId: 'r1', sessionKey: 'agent:main:main' } as TurnCaller
const operator = (...scopes: Scope[]): Caller => ({ principal: 'operator', label: 'test', scopes: new Set(scopes) })
const process: Caller = { principal: 'session:agent:main:main', label: 'the turn', scopes: new Set(), turn }

class FakeSocket extends EventEmitter {
  readonly OPEN = 1
  readonly readyState = 1
  readonly bufferedAmount = 0
  readonly sent: Record<string, unknown>[] = []
  closed: unknown
  send(text: string): void {
    this.sent.push(JSON.parse(text))
  }
  close(code: number, reason: string): void {
    this.closed = [code, reason]
  }
  say(frame: object): void {
    this.emit('message', Buffer.from(JSON.stringify(frame)), false)
  }
}

function connected(admit: () => Admission) {
  const hub = new EventHub()
  const socket = new FakeSocket()
  const callers: Caller[] = []
  const call: Dispatcher['call'] = async (_method, _params, { caller }) => callers.push(caller)
  const connection = new Connection(
    {
      dispatcher: { call } as Dispatcher,
      clock: new FakeClock(),
      random: { uuid: () => 'id', hex: () => '' },
      admit,
      joined: () => () => undefined,
      hello: () => ({ type: 'hello-ok' }) as HelloOk,
      listen: listener => hub.listen(listener),
      log: () => undefined,
    },
    socket as unknown as WebSocket,
    {
      stream: new PassThrough(),
      from: { address: '127.0.0.1', isLocal: true },
      backlog: new Backlog(),
      proven: () => undefined,
    },
  )
  const client = { id: 'test', version: '1', platform: 'linux', mode: 'test' }
  socket.say({ type: 'req', id: '1', method: 'connect', params: { minProtocol: 3, maxProtocol: 3, client } })
  const heard = () =>
    socket.sent.flatMap(({ type, event }) => (type === 'event' && event !== 'connect.challenge' ? [event] : []))
  return { hub, socket, callers, connection, heard }
}

const EVENTS = ['chat', 'health', 'exec.approval.requested', 'cron', 'exec.approval.resolved']
const hears = (caller: Caller) => {
  const { hub, heard } = connected(() => ({ caller }))
  for (const event of EVENTS) hub.publish({ event, payload: {} })
  return heard()
}

describe('events', () => {
  test.each<[Scope[]]>([[['operator.admin']], [['operator.approvals']], [['operator.read', 'operator.approvals']]])(
    '%j hears what waits for a yes or no, and all else',
    scopes => {
      expect(hears(operator(...scopes))).toEqual(EVENTS)
    },
  )

  test.each<[Scope[]]>([[['operator.read']], [['operator.write', 'operator.pairing']], [[]]])(
    '%j hears all else',
    scopes => {
      expect(hears(operator(...scopes))).toEqual(['chat', 'health', 'cron'])
    },
  )

  test('a process of a turn hears nothing of what others do, whatever scopes it holds', () => {
    expect(hears(process)).toEqual([])
    expect(hears({ ...process, scopes: new Set<Scope>(['operator.admin']) })).toEqual([])
  })

  test('that the gateway lives, and ends, a process of a turn hears too', () => {
    const { connection, heard } = connected(() => ({ caller: process }))
    connection.deliver({ event: 'tick', payload: {} }, '{"type":"event","event":"tick"}')
    connection.deliver({ event: 'shutdown', payload: {} }, '{"type":"event","event":"shutdown"}')
    expect(heard()).toEqual(['tick', 'shutdown'])
  })
})

test('W1: a process of a turn calls as that turn, and hears its answer', async () => {
  const { socket, callers } = connected(() => ({ caller: process }))
  socket.say({ type: 'req', id: '2', method: 'health' })
  await settled()
  expect(callers).toEqual([process])
  expect(socket.sent.at(-1)).toEqual({ type: 'res', id: '2', ok: true, payload: 1 })
})
