// A chat of a channel through the whole house: what a person writes becomes a turn once, the reply reaches the chat once,
// a question is answered there, and a crash in between loses nothing and says nothing twice.
import { afterEach, describe, expect, test } from 'vitest'
import { type Loopback, loopback, type Sighting } from '../../src/channels/loopback/loopback.ts'
import { BEGIN_MS, settled } from '../fakes/clock.ts'
import { calls, type House, type HouseOptions, openHouse, type Play, text } from '../fakes/house.ts'

const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

async function house(play: Play, channel: Loopback, options: HouseOptions = {}): Promise<House> {
  const one = await openHouse(play, { ...options, channels: [channel] })
  open.push(one)
  return one
}

const person = { id: 'p', name: 'Ada' }
const write = (channel: Loopback, messageId: string, words: string) =>
  channel.say({ messageId, chatId: 'chat', from: person, text: words, atMs: BEGIN_MS })
const echo: Play = ({ messages }) => {
  const last = messages.at(-1)
  return text(last?.role === 'user' ? `you said ${last.text}` : 'done')
}
const texts = (channel: Loopback) => channel.seen.map(sighting => sighting.text)

describe('a chat of a channel', () => {
  test('L1, L4, T4: a message becomes a turn once, however often it is handed on, and its reply arrives once', async () => {
    const channel = loopback({ dedupesSends: false })
    const one = await house(echo, channel)
    await write(channel, 'm1', 'hello')
    await write(channel, 'm1', 'hello')
    await settled()
    await write(channel, 'm1', 'hello')
    await write(channel, 'm2', 'again')
    await settled()
    expect(texts(channel)).toEqual(['you said hello', 'you said again'])
    const { messages } = await one.call('chat.history', { sessionKey: 'loopback:chat' })
    expect(messages.filter(({ role }) => role === 'user')).toHaveLength(2)
    expect(await one.call('outbox.list')).toEqual({ sends: [] })
  })

  test('W7: a question is asked in the chat and answered there, and /stop is no turn', async () => {
    const channel = loopback({ dedupesSends: true })
    const processes = {
      find: async (name: string) => `/usr/bin/${name}`,
      run: async () => ({ exitCode: 0, signal: null, output: 'pushed', cut: 0 }),
    }
    const config = { agents: { defaults: { maxConcurrent: 1 } }, tools: { exec: { security: 'allowlist' } } }
    const asking: Play = ({ messages }) => {
      const last = messages.at(-1)
      return last?.role === 'user' ? calls({ name: 'exec', args: { command: 'git push' } }) : text('it is pushed')
    }
    const one = await house(asking, channel, { config, world: { processes } })
    await write(channel, 'm1', 'push it')
    await settled()
    expect(texts(channel)).toEqual([expect.stringContaining('git push')])
    await write(channel, 'm2', 'yes')
    await settled()
    expect(texts(channel).at(-1)).toBe('it is pushed')
    await write(channel, 'm3', 'once more')
    await settled()
    await write(channel, 'm4', '/stop')
    await settled()
    expect(texts(channel).at(-1)).toBe('Stopped.')
    expect(await one.call('status')).toMatchObject({ runs: { running: 0, queued: 0 } })
  })

  test('L4: a job of the chat tells it there; while the channel is down the text waits, and arrives once', async () => {
    let isDown = true
    const channel = loopback({ dedupesSends: false, fault: () => (isDown ? { kind: 'lost' } : undefined) })
    const add = {
      name: 'stretch',
      schedule: { kind: 'every', everyMs: 3_600_000 },
      payload: { kind: 'message', text: 'stretch' },
    }
    const one = await house(({ messages }) => {
      const asks = messages.at(-1)?.role === 'user'
      return asks ? calls({ name: 'cron', args: { action: 'add', job: add } }) : text('I will')
    }, channel)
    await write(channel, 'm1', 'remind me')
    await settled()
    await one.clock.advance(3_600_000)
    expect(texts(channel)).toEqual([])
    expect((await one.call('outbox.list')).sends.map(({ state }) => state)).toContain('queued')
    isDown = false
    await one.clock.advance(10 * 60_000)
    expect(texts(channel)).toEqual(['I will', expect.stringContaining('stretch')])
  })

  test('L4: a gateway that dies between a send and its mark says once that it does not know, where it may be seen twice', async () => {
    const seen: Sighting[] = []
    const hung = loopback({ dedupesSends: false, seen, fault: () => ({ kind: 'hung' }) })
    const before = await openHouse(echo, { channels: [hung] })
    await write(hung, 'm1', 'hello')
    await settled()
    expect(seen.map(sighting => sighting.text)).toEqual(['you said hello'])
    const { clock, folder } = before
    await before.leave()
    const again = loopback({ dedupesSends: false, seen })
    const after = await house(echo, again, { clock, folder })
    await settled()
    const unconfirmed = (await after.call('outbox.list')).sends.find(({ state }) => state === 'unconfirmed')
    expect(unconfirmed).toMatchObject({ text: 'you said hello' })
    expect(texts(again).filter(words => words === 'you said hello')).toHaveLength(1)
    expect(texts(again).filter(words => words.includes('/resend'))).toHaveLength(1)
    await write(again, 'm2', `/resend ${unconfirmed?.id}`)
    await settled()
    expect(texts(again).filter(words => words === 'you said hello')).toHaveLength(2)
  })

  test('T4: a message taken just before a crash is answered after it, once', async () => {
    const seen: Sighting[] = []
    const gate = new Promise<never>(() => undefined)
    const first = loopback({ dedupesSends: true, seen })
    const before = await openHouse(() => gate, { channels: [first] })
    await write(first, 'm1', 'hello')
    await settled()
    const { clock, folder } = before
    await before.leave()
    const again = loopback({ dedupesSends: true, seen })
    await house(echo, again, { clock, folder })
    await write(again, 'm1', 'hello')
    await settled()
    expect(texts(again)).toEqual(['you said hello'])
  })
})

test('a reply that is to be sent where nobody reads is said to go nowhere, in each answer and on its run', async () => {
  const channel = loopback({ dedupesSends: true })
  const one = await house(echo, channel)
  const asked = { message: 'hi', sessionKey: 'main', deliver: true, idempotencyKey: 'nowhere' }
  const warning = expect.stringMatching(/sent to no chat/)
  const answers: unknown[] = []
  const caller = { principal: 'operator', label: 'test', scopes: new Set(['operator.write'] as const) }
  answers.push(await one.dispatcher.call('agent', asked, { caller, early: first => answers.push(first) }))
  expect(answers).toMatchObject([
    { status: 'accepted', warning },
    { status: 'ok', warning },
  ])
  expect(one.store.read.run('nowhere')?.rules).toEqual({ undelivered: true })
  expect(texts(channel)).toEqual([])
  const there = { channel: 'loopback', to: 'chat' }
  for (const more of [there, { deliver: false }, { channel: 'webchat' }]) {
    const answer = await one.call('agent', { ...asked, ...more, idempotencyKey: JSON.stringify(more) })
    expect(answer).not.toHaveProperty('warning')
  }
})
