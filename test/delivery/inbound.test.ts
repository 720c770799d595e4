// What a person writes in a chat of a channel, on its way through the one door, and the methods on the outbox.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import { Gate } from '../../src/delivery/gate.ts'
import { receive } from '../../src/delivery/inbound.ts'
import type { ReceiverParts } from '../../src/delivery/receiver.ts'
import { BEGIN_MS, settled } from '../fakes/clock.ts'
import { type House, openHouse, text } from '../fakes/house.ts'

let house: House
let asked: number
beforeEach(async () => {
  asked = 0
  house = await openHouse(() => {
    asked += 1
    return text('hi')
  })
})
afterEach(() => house.close())

const message = (messageId: string, words: string, chatId = 'c1') => ({
  channelId: 'loop',
  chatId,
  messageId,
  from: { id: 'p' },
  text: words,
  atMs: BEGIN_MS,
})

type Door = ReceiverParts['call']

async function hand(what: ReturnType<typeof message>, call?: Door): Promise<void> {
  const door: Door = (method, params, { key, scopes }) =>
    house.dispatcher.call(method, params, { caller: { principal: 'channel:loop', label: 'loop', scopes }, key })
  const { store, clock } = house
  const gate = new Gate({
    store,
    clock,
    random: house.parts.random,
    rules: () => undefined,
    textLengthMax: 4_000,
    actionBytesMax: 0,
  })
  const sessionOf = () => `loop:${what.chatId}`
  const around = { textLengthMax: 100, actionBytesMax: 0, fileBytesMax: () => 0, poke: () => undefined }
  await receive({ store, clock, gate, sessionOf, call: call ?? door, ...around }, what)
}

test('T4: a message that is handed on again, at once or later, is one turn', async () => {
  await Promise.all([hand(message('m1', 'hello')), hand(message('m1', 'hello'))])
  await settled()
  await hand(message('m1', 'hello'))
  await hand(message('m1', 'hello', 'c2'))
  await settled()
  expect(asked).toBe(2)
  expect(house.store.read.run('channel:loop:c1:m1')).toMatchObject({ state: 'ok', sessionKey: 'agent:main:loop:c1' })
})

test('L1: what was not taken is not acknowledged; what never can be is, and its person told why, once', async () => {
  const busy = () => Promise.reject(new SluiceError('BUSY', 'full', { outcome: 'not-started' }))
  await expect(hand(message('m1', 'hello'), busy)).rejects.toMatchObject({ code: 'BUSY' })
  expect((await house.call('outbox.list')).sends).toEqual([])
  for (let time = 0; time < 2; time += 1) await hand(message('m2', '   '))
  const { sends } = await house.call('outbox.list')
  expect(sends).toMatchObject([{ id: 'control:loop:c1:m2#1', source: 'control', chat: 'c1', state: 'queued' }])
  expect(sends[0]?.text).toContain('message is empty')
})

test('W7: what a full queue does not take is told to its person, and does not stand before a stop', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  await house.close()
  const play = async () => {
    await promise
    return text('done')
  }
  house = await openHouse(play, { config: { messages: { queue: { mode: 'reject' } } } })
  for (const [id, words] of Object.entries({ m1: 'hello', m2: 'hello', m3: '/stop' })) await hand(message(id, words))
  expect(house.store.read.run('channel:loop:c1:m2')).toBeUndefined()
  const texts = house.store.read.openSends(10).map(send => [send.id, send.text])
  expect(texts).toContainEqual(['control:loop:c1:m3#1', 'Stopped.'])
  expect(texts).toContainEqual(['control:loop:c1:m2#1', expect.stringContaining('was not taken')])
  resolve()
})

test('W7: a stop is answered as a control answer, and is one stop', async () => {
  let stops = 0
  const stop: Door = async (method, params) => {
    stops += 1
    return await house.call(method, params)
  }
  for (let time = 0; time < 2; time += 1) await hand(message('m1', '/stop'), stop)
  expect(stops).toBe(1)
  const { sends } = await house.call('outbox.list')
  expect(sends).toMatchObject([{ text: 'Nothing was running here.', source: 'control' }])
})

test('L4: a person has sent again what may not have arrived in their chat, and nothing of another chat', async () => {
  const { write, epoch } = house.store
  const route = { channelId: 'loop', chatId: 'c1', textLengthMax: 100 }
  const nowMs = house.clock.now()
  await write.queueControl({ id: 'a', sessionKey: 's', route, text: 'secret', nowMs })
  await write.claimSend({ id: 'a#1', epoch, nowMs })
  const end = { state: 'unconfirmed', error: 'no answer' } as const
  await write.endSend({ fence: { id: 'a#1', epoch, attempt: 1 }, end, nowMs })
  const state = () => house.store.read.send('a#1')?.state
  await hand(message('m1', '/resend a#1', 'c2'))
  expect(state()).toBe('unconfirmed')
  await hand(message('m2', '/resend a#1'))
  expect(state()).toBe('queued')
  expect(await house.call('outbox.resend', { id: 'a#1' })).toEqual({ ok: true, queued: false, state: 'queued' })
  await expect(house.call('outbox.resend', { id: 'nobody' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(asked).toBe(0)
})
