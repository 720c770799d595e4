// A client that asks and reads nothing: what waits for it is bounded, on a socket whose buffer the test fills. And one
// that goes on asking after it was shut out.
import { EventEmitter } from 'node:events'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { SluiceError } from '../../src/base/errors.ts'
import type { Caller } from '../../src/dispatch/caller.ts'
import { BUFFERED_BYTES_ALL_MAX, UNREAD_ANSWERS_BYTES_MAX } from '../../src/protocol/limits.ts'
import { Backlog } from '../../src/transports/backlog.ts'
import { Connection, type ConnectionParts } from '../../src/transports/connection.ts'
import { FakeClock, settled } from '../fakes/clock.ts'

class FakeSocket extends EventEmitter {
  readonly OPEN = 1
  readyState = 1
  bufferedAmount = 0
  readonly sent: string[] = []
  closed: readonly [number, string] | undefined

  send(text: string): void {
    this.sent.push(text)
  }

  close(code: number, reason: string): void {
    this.readyState = 2
    this.closed = [code, reason]
  }

  terminate(): void {
    this.readyState = 3
    this.emit('close', 1006, Buffer.from(''))
  }

  says(frame: object): void {
    this.emit('message', Buffer.from(JSON.stringify(frame)), false)
  }
}

const ADA: Caller = { principal: 'ada', label: 'ada', scopes: new Set(['operator.read']) }

function connected(backlog = new Backlog<Connection>(), admit: ConnectionParts['admit'] = () => ({ caller: ADA })) {
  const socket = new FakeSocket()
  const answered: string[] = []
  const parts = {
    dispatcher: {
      call: async (method: string) => {
        answered.push(method)
        return { ok: true }
      },
    },
    ...{ clock: new FakeClock(), random: { uuid: () => 'id', hex: () => 'ab' }, log: () => undefined },
    admit,
    hello: () => ({}) as never,
    listen: () => () => undefined,
    joined: () => () => undefined,
  } as unknown as ConnectionParts
  const ends = { stream: new PassThrough(), from: { address: '127.0.0.1', isLocal: true }, proven: () => undefined }
  const connection = new Connection(parts, socket as unknown as WebSocket, { ...ends, backlog })
  const client = { id: 'cli', version: '1', platform: 'test', mode: 'cli' }
  socket.says({
    ...{ type: 'req', id: '1', method: 'connect' },
    params: { minProtocol: 3, maxProtocol: 3, client, auth: { token: 'x' } },
  })
  const handshake = socket.sent.splice(0)
  const ask = async () => {
    socket.says({ type: 'req', id: '2', method: 'health', params: {} })
    await Promise.resolve()
    await Promise.resolve()
  }
  return { connection, socket, ask, answered, handshake }
}

test('W6: who reads nothing is answered up to the limit, and then let go as a slow consumer', async () => {
  const { socket, ask, answered } = connected()
  socket.bufferedAmount = UNREAD_ANSWERS_BYTES_MAX
  await ask()
  expect(socket.sent).toHaveLength(1)
  expect(socket.closed).toBeUndefined()
  socket.bufferedAmount += 1
  await ask()
  expect(socket.closed).toEqual([1008, 'slow consumer'])
  expect(socket.sent).toHaveLength(1)
  // It was carried out all the same.
  expect(answered).toEqual(['health', 'health'])
})

test('many who read nothing are answered up to the limit of all, and the next is let go', async () => {
  const backlog = new Backlog<Connection>()
  const room = BUFFERED_BYTES_ALL_MAX / UNREAD_ANSWERS_BYTES_MAX
  const clients = Array.from({ length: room + 2 }, () => connected(backlog))
  for (const { socket, ask } of clients) {
    // What it asked for waits whole: nothing of it is read.
    socket.send = text => {
      socket.sent.push(text)
      socket.bufferedAmount = UNREAD_ANSWERS_BYTES_MAX
    }
    await ask()
  }
  // Whoever is cut off holds up nothing, so that each next one is, too.
  expect(clients.map(({ socket }) => socket.readyState)).toEqual([...Array(room).fill(1), 3, 3])
  clients[0]?.connection.terminate()
  const after = connected(backlog)
  after.socket.bufferedAmount = UNREAD_ANSWERS_BYTES_MAX
  await after.ask()
  expect(after.socket.readyState).toBe(1)
})

test('who was shut out and does not answer the close is obeyed no more', async () => {
  const { connection, ask, answered } = connected()
  await ask()
  connection.close(1008, 'device token revoked')
  await ask()
  expect(answered).toEqual(['health'])
})

const UNREADABLE = new SluiceError('STORE_FAILED', 'The store is damaged.', { outcome: 'not-started' })

test('whom a store that cannot be read would have to judge is refused with the reason; nobody else is hurt', async () => {
  const atOnce = connected(undefined, () => {
    throw UNREADABLE
  })
  expect(JSON.parse(atOnce.handshake.at(-1) ?? '')).toMatchObject({ ok: false, error: { message: UNREADABLE.message } })
  const later = connected(undefined, () => Promise.reject(UNREADABLE))
  await settled()
  expect(JSON.parse(later.socket.sent.at(-1) ?? '')).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE' } })
  for (const { socket } of [atOnce, later]) expect(socket.closed).toEqual([1008, UNREADABLE.message])
})
