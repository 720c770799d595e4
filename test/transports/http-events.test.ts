// Events over HTTP: told once and in order, gone on with after a break, and never at the cost of the gateway's memory.
import { connect } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nodeClock } from '../../src/base/node/world.ts'
import { eventsOf, type ServerSentEvent } from '../../src/client/event-source.ts'
import { BUFFERED_BYTES_MAX } from '../../src/protocol/limits.ts'
import { COMMENT_INTERVAL_MS } from '../../src/transports/http/sse.ts'
import { within } from '../e2e/bound.ts'
import { settled } from '../fakes/clock.ts'
import { text } from '../fakes/house.ts'
import { type HttpHouse, openHttpHouse, TOKEN } from './http-house.ts'

let house: HttpHouse
beforeEach(async () => {
  house = await openHttpHouse(() => text('said'))
})
afterEach(() => house.close())

class Reader {
  readonly #events: AsyncGenerator<ServerSentEvent>
  readonly #gone: AbortController

  private constructor(stream: ReadableStream<Uint8Array>, gone: AbortController) {
    this.#events = eventsOf(stream, nodeClock)
    this.#gone = gone
  }

  static async open(last?: number): Promise<Reader> {
    const gone = new AbortController()
    const headers = last === undefined ? {} : { 'last-event-id': String(last) }
    const response = await house.request('/events', { method: 'GET', headers, signal: gone.signal })
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
    return new Reader(response.body as ReadableStream<Uint8Array>, gone)
  }

  /** All events up to and with the first of this name. */
  async until(name: string): Promise<ServerSentEvent[]> {
    const found: ServerSentEvent[] = []
    while (found.at(-1)?.event !== name) {
      const { done, value } = await within(this.#events.next(), `the event ${name}`)
      if (done) throw new Error(`the stream ended after ${JSON.stringify(found)}`)
      found.push(value)
    }
    return found
  }

  leave(): void {
    this.#gone.abort()
  }
}

let jobs = 0
async function addJobs(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    jobs += 1
    const payload = { kind: 'message', text: 'x' }
    await house.call('cron.add', { name: `job ${jobs}`, schedule: { kind: 'every', everyMs: 3_600_000 }, payload })
  }
}
const names = (events: readonly ServerSentEvent[]) => events.map(({ event }) => event)
const ids = (events: readonly ServerSentEvent[]) => events.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]))

test('L5: a reader hears what happens from now on, with the numbers of what is durable', async () => {
  await addJobs(2)
  const stand = house.store.read.lastSeq()
  const reader = await Reader.open()
  expect(ids(await reader.until('caught-up'))).toEqual([stand])
  await addJobs(1)
  house.parts.publish({ event: 'health', payload: { ok: true } })
  const heard = await reader.until('health')
  expect(names(heard)).toEqual(['cron', 'health'])
  expect(heard[0]).toMatchObject({ id: String(stand + 1) })
  expect(JSON.parse(heard[0]?.data ?? '')).toMatchObject({ action: 'added' })
  expect(heard[1]).not.toHaveProperty('id')
})

test('L5: who comes back is told what it missed, once and in order, also over many pages and while more happens', async () => {
  const first = await Reader.open()
  await first.until('caught-up')
  await addJobs(1)
  const [last] = ids(await first.until('cron'))
  first.leave()
  await addJobs(560)
  const second = await Reader.open(last)
  const during = addJobs(50)
  const missed = await second.until('caught-up')
  await during
  house.parts.publish({ event: 'health', payload: {} })
  const told = ids([...missed.filter(({ event }) => event === 'cron'), ...(await second.until('health'))])
  const start = (last as number) + 1
  expect(told).toEqual(Array.from({ length: 610 }, (_, n) => start + n))
})

test.each([
  { before: 1, during: 1 },
  { before: 501, during: 3 },
])('L5: what is committed while one of $during pages is on its way comes after it', async ({ before, during }) => {
  await addJobs(before)
  const call = house.dispatcher.call.bind(house.dispatcher)
  let pages = 0
  house.dispatcher.call = async (name, params, options) => {
    const answer = await call(name, params, options)
    pages += 1
    // After the page was read: before the stream listens, between two pages, and after the last one.
    if (name === 'events.since' && pages <= during) await addJobs(1)
    return answer
  }
  const jobsOf = (events: readonly ServerSentEvent[]) => ids(events.filter(({ event }) => event === 'cron'))
  house.call = (method, params) =>
    call(method, params, { caller: { principal: 'o', label: 'o', scopes: new Set(['operator.admin']) } }) as never
  const reader = await Reader.open(0)
  const told = jobsOf(await reader.until('caught-up'))
  expect(told).toEqual(Array.from({ length: before + during }, (_, n) => n + 1))
})

test('L5: who was away too long, or knows another store, is told so and goes on from now', async () => {
  await addJobs(1)
  const reader = await Reader.open(9_999)
  const [tooOld, caughtUp] = await reader.until('caught-up')
  expect(tooOld).toMatchObject({ event: 'too-old', id: String(house.store.read.lastSeq()) })
  expect(JSON.parse(caughtUp?.data ?? '')).toEqual({ seq: house.store.read.lastSeq(), live: [] })
  await addJobs(1)
  expect(ids(await reader.until('cron'))).toEqual([house.store.read.lastSeq()])
})

test('turns hear no events, and a last id must be one', async () => {
  const asking = (headers: Record<string, string>) => house.ask('/events', { method: 'GET', headers })
  expect(await asking({ 'last-event-id': 'x' })).toMatchObject({ status: 400 })
  expect(await asking({ authorization: '' })).toMatchObject({ status: 401 })
})

test('a stream that is silent is kept open by comments', async () => {
  const reader = await house.request('/events', { method: 'GET' })
  const chunks = (reader.body as ReadableStream<Uint8Array>).getReader()
  await within(chunks.read(), 'the beginning')
  await house.clock.advance(COMMENT_INTERVAL_MS)
  const { value } = await within(chunks.read(), 'a comment')
  expect(new TextDecoder().decode(value)).toBe(': open\n\n')
  await chunks.cancel()
})

test('a reader that does not read is dropped when so much waits for it, and others hear on', async () => {
  const slow = connect({ port: Number(new URL(house.url).port), host: '127.0.0.1' })
  const closed = Promise.withResolvers<void>()
  slow.on('close', () => closed.resolve())
  slow.on('error', () => undefined)
  slow.write(`GET /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`)
  slow.pause()
  const reader = await Reader.open()
  await reader.until('caught-up')
  await within(
    until(() => house.hub.listenerCount === 3),
    'both streams',
  )
  await settled()
  const text = 'x'.repeat(BUFFERED_BYTES_MAX / 8)
  for (let n = 0; n < 100 && house.hub.listenerCount === 3; n += 1) {
    house.parts.publish({ event: 'cron', payload: { n, text }, seq: 1_000 + n })
    await reader.until('cron')
  }
  expect(house.hub.listenerCount).toBe(2)
  house.parts.publish({ event: 'health', payload: {} })
  await reader.until('health')
  // It does not read why either: in the end its socket goes.
  await house.clock.advance(COMMENT_INTERVAL_MS)
  slow.resume()
  await within(closed.promise, 'the end of the slow reader')
})

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setImmediate(resolve))
}

test('a gateway that stops tells its readers', async () => {
  const reader = await Reader.open()
  await reader.until('caught-up')
  house.http.close({ reason: 'stopping', restartExpectedMs: null })
  const [shutdown] = await reader.until('shutdown')
  expect(JSON.parse(shutdown?.data ?? '')).toEqual({ reason: 'stopping', restartExpectedMs: null })
})
