// Owners of a channel are asked about its strangers and let them in from their own chat; nobody else does, anywhere.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Loopback, loopback } from '../../src/channels/loopback/loopback.ts'
import { CODE_MS, STRANGERS_MAX } from '../../src/delivery/gate.ts'
import { BEGIN_MS, settled } from '../fakes/clock.ts'
import { type House, openHouse, text } from '../fakes/house.ts'

const ADA = { id: '1', name: 'Ada', handle: 'ada' }
const BOB = { id: '2', name: 'Bob' }
const EVE = { id: '3', name: 'Eve]\n(@ada) \u202eis known', handle: 'eve' }
const GROUP = { id: '-5', addressed: true }
const OFFERS = { buttons: { actionBytesMax: 64 } }

let one: House
let channel: Loopback
let other: Loopback
const asked: [string, string, unknown][] = []

beforeEach(async () => {
  channel = loopback({ id: 'telegram', dedupesSends: false, offers: OFFERS })
  other = loopback({ id: 'other', dedupesSends: false, offers: OFFERS })
  const config = { channels: { telegram: { botToken: '1:token' } } }
  let drawn = 0
  const next = (bytes: number) => {
    drawn += 1
    return drawn.toString(16).padStart(2 * bytes, '0')
  }
  const random = { uuid: () => `uuid-${next(4)}`, hex: next }
  const echo = () => text('heard')
  one = await openHouse(echo, { config, world: { random }, channels: [channel, other] })
  asked.length = 0
  const { call } = one.dispatcher
  one.dispatcher.call = (name, params, options) => {
    if (name.startsWith('channels.pairing')) asked.push([name, options.caller.principal, [...options.caller.scopes]])
    return call.call(one.dispatcher, name, params, options)
  }
})
afterEach(() => one.close())

let count = 0
const write = async (from: { id: string; name?: string }, words: string, more: object = {}) => {
  count += 1
  await channel.say({ messageId: `m${count}`, chatId: from.id, from, text: words, atMs: BEGIN_MS, ...more })
  await settled()
}
const press = async (from: { id: string }, action: string, more: object = {}) => {
  count += 1
  const said = await channel.press({ pressId: `p${count}`, chatId: from.id, from, action, ...more })
  await settled()
  return said
}
const seenIn = (chatId: string) => channel.seen.filter(shown => shown.chatId === chatId)
const texts = (chatId: string) => seenIn(chatId).map(shown => shown.text)
const codeOf = (words = '') => /^[A-Z2-9]{8}$/m.exec(words)?.[0] ?? ''
const letIn = async (from: { id: string; name?: string }, more: object = {}) => {
  await write(from, 'hello')
  await one.call('channels.pairing.approve', { code: codeOf(texts(from.id).at(-1)), ...more })
  await settled()
}
/** A stranger asks; their code. */
const asks = async (from: { id: string; name?: string } = EVE) => {
  await write(from, 'hello')
  return codeOf(texts(from.id).at(-1))
}
const people = async () => (await one.call('channels.pairing.list')).people.map(({ person }) => person).sort()

describe('the question', () => {
  test('is owed to each owner in their chat, once for each stranger, and to nobody else', async () => {
    await letIn(ADA, { owner: true })
    await letIn(BOB)
    const before = texts('1').length
    await write(EVE, 'hello', { messageId: 'first' })
    await write(EVE, 'hello', { messageId: 'first' })
    await write(EVE, 'are you there?')
    const code = codeOf(texts('3')[0])
    expect(texts('1').slice(before)).toEqual([
      `Eve (@ada)  is known (@eve, id 3) asks to talk to me. Their code is ${code}, good for an hour.\n` +
        `Let them in: /approve ${code}\nLeave them out: /deny ${code}`,
    ])
    expect(
      seenIn('1')
        .at(-1)
        ?.buttons?.flat()
        .map(({ label }) => label),
    ).toEqual(['Approve', 'Deny'])
    expect(texts('2').filter(words => words.includes('asks to talk'))).toEqual([])
    expect(texts('3')).toHaveLength(1)
  })

  test('L4: is a row in the commit that notes the stranger, so that neither is without the other', async () => {
    await letIn(ADA, { owner: true })
    const stranger = { channelId: 'telegram', personId: '9', chatId: '9', messageId: 'm', code: 'CODECODE' }
    const nowMs = one.clock.now()
    const question = { text: 'Let them in?', buttons: undefined, textLengthMax: 100 }
    const note = { stranger: { ...stranger, createdAtMs: nowMs, expiresAtMs: nowMs + 1 }, question, nowMs }
    await one.store.write.noteStranger({ ...note, openMax: STRANGERS_MAX })
    await one.store.write.noteStranger({ ...note, openMax: STRANGERS_MAX })
    expect(one.store.read.send(`asks:telegram:9:${nowMs}:1#1`)).toMatchObject({ chatId: '1', state: 'queued' })
    expect(one.store.read.openSends(9)).toHaveLength(1)
  })

  test(`is asked for ${STRANGERS_MAX} at a time, however many come`, async () => {
    await letIn(ADA, { owner: true })
    for (let id = 10; id < 20; id += 1) await write({ id: `${id}` }, 'hello')
    expect(texts('1').filter(words => words.includes('asks to talk'))).toHaveLength(STRANGERS_MAX)
  })
})

describe.each([
  ['a button', (verb: string, code: string) => press(ADA, `stranger-${verb}:${code}`)],
  [
    'a command',
    async (verb: string, code: string) => {
      await write(ADA, `/${verb} ${code.toLowerCase()}`)
      return texts('1').at(-1)
    },
  ],
])('an owner by %s', (_, say) => {
  beforeEach(() => letIn(ADA, { owner: true }))

  test('lets a stranger in, who is told; it is kept who did it, and only that one method was called', async () => {
    const code = await asks()
    asked.length = 0
    expect(await say('approve', code)).toMatch(/^Eve .*, id 3\) is let in, and told\.$/)
    expect(texts('3').at(-1)).toContain('You are let in')
    expect(asked).toEqual([['channels.pairing.approve', 'channel:telegram', ['operator.pairing']]])
    expect((await one.call('channels.pairing.list')).people).toContainEqual(
      expect.objectContaining({ person: '3', letInBy: 'Ada (@ada, id 1) on telegram', owner: false }),
    )
    await write(EVE, 'hello!')
    expect(texts('3').at(-1)).toBe('heard')
    expect(await say('approve', code)).toMatch(/Nobody has the code/)
  })

  test('leaves a stranger out, who is told nothing, and asks nobody again before the hour is over', async () => {
    const code = await asks()
    expect(await say('deny', code)).toMatch(/is not let in/)
    const [before, toEve] = [texts('1').length, texts('3').length]
    await write(EVE, 'hello?')
    expect([texts('1').length, texts('3').length]).toEqual([before, toEve])
    expect(await say('approve', code)).toMatch(/Nobody has the code/)
    expect((await one.call('channels.pairing.list')).strangers).toMatchObject([
      { person: '3', deniedBy: 'Ada (@ada, id 1) on telegram' },
    ])
    expect(await people()).toEqual(['1'])
    await one.clock.advance(CODE_MS)
    expect(await asks()).not.toBe('')
    expect(texts('1').at(-1)).toContain('asks to talk')
  })
})

describe('nobody else lets anybody in', () => {
  const REFUSED = /Only an owner|cannot answer|does nothing|Nobody has the code/
  beforeEach(async () => {
    await letIn(ADA, { owner: true })
    await letIn(BOB)
  })

  test.each<[string, { from?: typeof BOB; more?: object; code?: string; before?: () => Promise<unknown> }]>([
    ['a person who is no owner', { from: BOB }],
    ['the stranger themselves', { from: EVE }],
    ['an owner in a group', { more: { chatId: '-5', group: GROUP } }],
    ['an owner in a group that has the id of their chat', { more: { group: GROUP } }],
    ['an owner in the chat of another', { more: { chatId: '2' } }],
    ['somebody else in the chat of an owner', { from: BOB, more: { chatId: '1' } }],
    ['an owner after the hour', { before: () => one.clock.advance(CODE_MS) }],
    ['an owner with a code that nobody has', { code: 'NOBODYS2' }],
    [
      'somebody who was an owner',
      { before: () => one.call('channels.pairing.revoke', { channel: 'telegram', person: '1', ownerOnly: true }) },
    ],
    [
      'somebody who was shut out',
      { before: () => one.call('channels.pairing.revoke', { channel: 'telegram', person: '1' }) },
    ],
  ])('%s, by a button or by a command', async (_, { from = ADA, more = {}, code, before }) => {
    const live = code ?? (await asks())
    await before?.()
    const known = await people()
    for (const verb of ['approve', 'deny']) {
      expect(await press(from, `stranger-${verb}:${live}`, more)).toMatch(REFUSED)
      await write(from, `/${verb} ${live}`, more)
    }
    expect(await people()).toEqual(known)
    expect((await one.call('channels.pairing.list')).strangers.filter(({ deniedBy }) => deniedBy)).toEqual([])
    expect(texts('3').filter(words => words.includes('You are let in'))).toEqual([])
  })

  test('an owner, of a stranger on another channel', async () => {
    const nowMs = one.clock.now()
    const who = { channelId: 'other', personId: '7', chatId: '7', messageId: 'm', code: 'OTHERONE' }
    const stranger = { ...who, createdAtMs: nowMs, expiresAtMs: nowMs + CODE_MS }
    const question = { text: 'Let them in?', buttons: undefined, textLengthMax: 100 }
    await one.store.write.noteStranger({ stranger, question, openMax: 3, nowMs })
    for (const verb of ['approve', 'deny'])
      expect(await press(ADA, `stranger-${verb}:OTHERONE`)).toMatch(/Nobody has the code/)
    expect(await people()).toEqual(['1', '2'])
  })
})

test('T1: a press that is handed on again lets nobody in twice, and says the same', async () => {
  await letIn(ADA, { owner: true })
  const action = `stranger-approve:${await asks()}`
  const said = await press(ADA, action, { pressId: 'same' })
  await one.call('channels.pairing.revoke', { channel: 'telegram', person: '3' })
  expect(await press(ADA, action, { pressId: 'same' })).toBe(said)
  expect(await people()).toEqual(['1'])
})

test('who is no owner any more still talks, and is asked no more', async () => {
  await letIn(ADA, { owner: true })
  const ownerOnly = { channel: 'telegram', person: '1', ownerOnly: true }
  expect(await one.call('channels.pairing.revoke', ownerOnly)).toEqual({ ok: true, removed: true })
  expect(await one.call('channels.pairing.revoke', ownerOnly)).toEqual({ ok: true, removed: false })
  await asks()
  await write(ADA, 'hello')
  expect(texts('1').slice(1)).toEqual([expect.stringContaining('You are let in'), 'heard'])
})
