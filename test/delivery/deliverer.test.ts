// The deliverer on a store and a loopback channel: what it tries again, what it never does, and what holds up nothing.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import type { SendFault } from '../../src/channels/loopback/loopback.ts'
import { CHATS_MAX, SEND_TIMEOUT_MS } from '../../src/delivery/deliverer.ts'
import { settled } from '../fakes/clock.ts'
import { type DeliveryBench, deliveryBench, type Life } from './bench.ts'

let bench: DeliveryBench
beforeEach(async () => {
  bench = await deliveryBench()
})
afterEach(() => bench.close())

const state = ({ store }: Life, id: string) => store.read.send(`${id}#1`)?.state

test('L4: a send that did not go out is tried again after 1 s, 2 s, 4 s .. 5 min, with the same text, until it does', async () => {
  const triedAtMs: number[] = []
  const life = await bench.begin({
    dedupesSends: false,
    fault: () => {
      triedAtMs.push(bench.clock.now())
      return triedAtMs.length < 12 ? { kind: 'lost' } : undefined
    },
  })
  const fromMs = bench.clock.now()
  await bench.owe(life, 'a')
  await bench.clock.advance(60 * 60_000)
  const waits = triedAtMs.map((atMs, n) => (atMs - (triedAtMs[n - 1] ?? fromMs)) / 1_000)
  expect(waits).toEqual([0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300])
  expect(bench.texts()).toEqual(['say a'])
  expect(life.store.read.send('a#1')).toMatchObject({ state: 'sent', attempt: 12, sentId: 'seen:0' })
})

test('L4: a channel that asks to be left alone is, and what it throws unasked is tried again', async () => {
  const faults: SendFault[] = [{ kind: 'lost', retryAfterMs: 30_000 }, { kind: 'broken' }]
  const life = await bench.begin({ dedupesSends: false, fault: () => faults.shift() })
  await bench.owe(life, 'a')
  await bench.clock.advance(29_999)
  expect(faults).toHaveLength(1)
  await bench.clock.advance(1)
  expect([faults.length, state(life, 'a')]).toEqual([0, 'queued'])
  await bench.clock.advance(2_000)
  expect(bench.texts()).toEqual(['say a'])
})

test('L4: what can never be sent is failed, and what comes after it goes out', async () => {
  const life = await bench.begin({
    dedupesSends: true,
    fault: ({ id }) => (id === 'a#1' ? { kind: 'refused' } : undefined),
  })
  await bench.owe(life, 'a')
  await bench.owe(life, 'b')
  await bench.clock.advance(60_000)
  expect([state(life, 'a'), bench.texts()]).toEqual(['failed', ['say b']])
})

test.each([
  { dedupesSends: true, texts: ['say a'], state: 'sent' },
  { dedupesSends: false, texts: ['say a', expect.stringContaining('/resend a#1')], state: 'unconfirmed' },
])('W6 L4: a send without an answer is given up, dedupes $dedupesSends', async ({ dedupesSends, ...expected }) => {
  let isHung = true
  const life = await bench.begin({
    dedupesSends,
    fault: ({ id }) => (id === 'a#1' && isHung ? { kind: 'hung' } : undefined),
  })
  await bench.owe(life, 'a')
  await bench.clock.advance(SEND_TIMEOUT_MS - 1)
  expect(state(life, 'a')).toBe('sending')
  isHung = false
  await bench.clock.advance(2_000)
  expect({ texts: bench.texts(), state: state(life, 'a') }).toEqual(expected)
  expect(bench.clock.timers).toBe(0)
})

test('L4: who is in doubt is told in messages as short as the chat has them', async () => {
  const id = 'the-answer-to-a-question'
  const life = await bench.begin({
    dedupesSends: false,
    textLengthMax: 100,
    fault: message => (message.id === `${id}#1` ? { kind: 'unanswered' } : undefined),
  })
  await bench.owe(life, id)
  await bench.clock.advance(2_000)
  expect(bench.texts().slice(1).join('\n')).toContain(`/resend ${id}#1`)
  expect(life.store.read.openSends(10).map(send => send.state)).toEqual(['unconfirmed'])
})

test('W2: a chat that hangs holds up no other, until all places are taken; then for a minute', async () => {
  const life = await bench.begin({
    dedupesSends: false,
    fault: ({ chatId }) => (chatId.startsWith('slow') ? { kind: 'hung' } : undefined),
  })
  for (let n = 1; n < CHATS_MAX; n += 1) await bench.owe(life, `s${n}`, `slow${n}`)
  await bench.owe(life, 'quick', 'c1')
  expect(bench.texts()).toEqual(['say quick'])
  await bench.owe(life, 's0', 'slow0')
  await bench.owe(life, 'late', 'c1')
  // All places are taken; as soon as one is free, the next is carried.
  expect(bench.texts()).toEqual(['say quick'])
  await bench.clock.advance(SEND_TIMEOUT_MS)
  expect(bench.texts()).toEqual(['say quick', 'say late'])
})

test('L4: a stop waits for no send; the next start judges it, and its person is told once', async () => {
  const first = await bench.begin({ dedupesSends: false, fault: () => ({ kind: 'hung' }) })
  await bench.owe(first, 'a')
  await bench.end(first)
  for (let boot = 0; boot < 2; boot += 1) {
    const life = await bench.begin({ dedupesSends: false })
    expect(bench.texts()).toEqual(['say a', expect.stringContaining('may not have reached you')])
    await bench.end(life)
  }
})

test('L4: an end that the disk does not take is written when it does, and is sent once meanwhile', async () => {
  let isFull = false
  const commit = (commit: () => void) => {
    if (isFull) throw Object.assign(new Error('disk full'), { code: 'SQLITE_FULL' })
    commit()
  }
  const fill = (): undefined => {
    isFull = true
  }
  const life = await bench.begin({ dedupesSends: false, fault: fill }, { hooks: { commit } })
  await bench.owe(life, 'a')
  await bench.clock.advance(60_000)
  expect([bench.texts(), state(life, 'a')]).toEqual([['say a'], 'sending'])
  expect(life.logged.at(-1)).toMatch(/error loopback: the outbox could not be written; trying again/)
  isFull = false
  await bench.clock.advance(5_000)
  expect([bench.texts(), state(life, 'a')]).toEqual([['say a'], 'sent'])
})

test('L4: what is owed and cannot be read ends nothing; it is said, and goes out once it can be read', async () => {
  const life = await bench.begin({ dedupesSends: false })
  const unreadable = new SluiceError('STORE_FAILED', 'damaged', { outcome: 'not-started' })
  Object.defineProperty(life.store, 'read', {
    configurable: true,
    get: () => {
      throw unreadable
    },
  })
  await bench.owe(life, 'a')
  await bench.clock.advance(60_000)
  expect(life.logged).toHaveLength(13)
  expect(life.logged.at(-1)).toMatch(/error loopback: the outbox could not be read; trying again/)
  Reflect.deleteProperty(life.store, 'read')
  await bench.clock.advance(5_000)
  expect([bench.texts(), state(life, 'a')]).toEqual([['say a'], 'sent'])
})

test('L4: a claim that the disk does not take sends nothing, and spins not', async () => {
  let commits = 0
  let isFull = false
  const commit = (commit: () => void) => {
    commits += 1
    if (isFull) throw Object.assign(new Error('disk full'), { code: 'SQLITE_FULL' })
    commit()
  }
  const life = await bench.begin({ dedupesSends: false }, { hooks: { commit } })
  const route = { channelId: 'loopback', chatId: 'c1', textLengthMax: 100 }
  await life.store.write.queueControl({ id: 'b', sessionKey: 's', route, text: 'say b', nowMs: bench.clock.now() })
  isFull = true
  commits = 0
  life.deliverer.poke()
  await settled()
  for (let poke = 0; poke < 50; poke += 1) life.deliverer.poke()
  await bench.clock.advance(20_000)
  expect(bench.texts()).toEqual([])
  expect(commits).toBeLessThan(12)
  isFull = false
  await bench.clock.advance(5_000)
  expect(bench.texts()).toEqual(['say b'])
})

test('L4: a claim of which nobody knows whether it was written sends nothing, and is made again', async () => {
  let isBroken = false
  const commit = (commit: () => void) => {
    commit()
    if (isBroken) throw Object.assign(new Error('I/O error'), { code: 'SQLITE_IOERR' })
  }
  const next = await bench.begin({ dedupesSends: false }, { hooks: { commit } })
  const route = { channelId: 'loopback', chatId: 'c1', textLengthMax: 100 }
  await next.store.write.queueControl({ id: 'b', sessionKey: 's', route, text: 'say b', nowMs: bench.clock.now() })
  isBroken = true
  next.deliverer.poke()
  await settled()
  expect([state(next, 'b'), bench.texts()]).toEqual(['queued', []])
  isBroken = false
  await bench.clock.advance(20_000)
  expect([state(next, 'b'), bench.texts()]).toEqual(['sent', ['say b']])
})
