// Thousands of connections that do nothing, or almost nothing: memory stays bounded, and others do not notice. As many as
// this process may have files open; 5,000 where it may have 6,000, as on most machines (the number is printed).
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { UNPROVEN_OF_ADDRESS_MAX } from '../../src/transports/unproven.ts'
import { within } from './bound.ts'
import { type GatewayProcess, Scope } from './gateway-process.ts'
import { CONNECT } from './raw-socket.ts'

const WISHED = 5_000
const FILES_KEPT = 1_000
const BATCH = 100
/** Of the memory that a connection costs, kept buffers of its socket included. */
const KB_OF_CONNECTION_MAX = 24
/** What thousands of greetings leave behind that is not collected yet: mostly nothing, but about one run in eight 60 MB. */
const MB_UNCOLLECTED_MAX = 60
const MB_OF_FLOOD_MAX = 30

const scope = new Scope()
let gateway: GatewayProcess
beforeAll(async () => {
  gateway = await scope.gateway()
})
afterAll(() => scope.end())

function countPossible(): number {
  const limits = readFileSync('/proc/self/limits', 'utf8')
  const open = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? FILES_KEPT)
  return Math.max(FILES_KEPT / 2, Math.min(WISHED, open - FILES_KEPT))
}

/** An idle client that is known. */
async function idle(): Promise<void> {
  const socket = new WebSocket(gateway.url, { perMessageDeflate: false })
  scope.onEnd(() => socket.terminate())
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.on('error', reject)
  socket.on('message', data => {
    const frame = JSON.parse(data.toString())
    const params = { ...CONNECT, auth: { token: gateway.token } }
    if (frame.event === 'connect.challenge')
      socket.send(JSON.stringify({ type: 'req', id: 'c', method: 'connect', params }))
    if (frame.id === 'c') resolve()
  })
  await promise
}

/** One that says a little and then nothing: half a request, or an upgrade without a handshake. */
async function slow(index: number): Promise<Socket> {
  const socket = connect(gateway.port, '127.0.0.1')
  scope.onEnd(() => void socket.destroy())
  // Losing its place is what it is here for.
  socket.on('error', () => undefined)
  socket.resume()
  await new Promise(resolve => socket.once('connect', resolve))
  const key = Buffer.alloc(16).toString('base64')
  const upgrade = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`
  socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${gateway.port}\r\n${index % 2 === 0 ? upgrade : 'X-Slow: '}`)
  return socket
}

async function inBatches<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  const made: T[] = []
  for (let from = 0; from < count; from += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, count - from) }, (_, at) => make(from + at))
    made.push(...(await within(Promise.all(batch), 'a batch of connections')))
  }
  return made
}

test('connections that are idle or slow cost little, hold few places, and keep nobody waiting', async () => {
  const count = countPossible()
  process.stderr.write(`crowd: ${count} connections\n`)
  const { call } = await gateway.client()
  const memoryMb = async () => (await call('status', {})).memoryBytes / 1e6
  const before = await memoryMb()
  const known = Math.floor(count / 2)
  await inBatches(known, idle)
  const withKnown = await memoryMb()
  expect(withKnown - before).toBeLessThan((known * KB_OF_CONNECTION_MAX) / 1e3 + MB_UNCOLLECTED_MAX)
  const others = await inBatches(count - known, slow)
  const added = await call('cron.add', {
    name: 'n',
    schedule: { kind: 'every', everyMs: 60_000 },
    payload: { kind: 'message', text: 't' },
  } as never)
  expect(await call('cron.list', {})).toMatchObject({ jobs: [{ id: (added as { id: string }).id }] })
  expect((await gateway.cli(['cron', 'list'])).code).toBe(0)
  // Which of them keep a place is the kernel's to say: a connection that finds the queue of the listener full comes a
  // second later, behind younger ones. How many keep one is ours.
  await ended(others, others.length - UNPROVEN_OF_ADDRESS_MAX)
  const withAll = await memoryMb()
  expect(withAll - withKnown).toBeLessThan(MB_OF_FLOOD_MAX)
}, 120_000)

/** Once so many of them have lost their connection. */
async function ended(sockets: readonly Socket[], count: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const open = () => sockets.filter(socket => !socket.destroyed)
  const look = () => sockets.length - open().length >= count && resolve()
  for (const socket of open()) socket.once('close', look)
  look()
  const ports = () => open().map(socket => socket.localPort)
  await within(
    promise,
    () => `the end of ${count} slow ones of ${sockets.length}; open are those at ${ports().join(' ')}`,
  )
}
