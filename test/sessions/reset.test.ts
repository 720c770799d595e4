// When a session begins anew: by the clock of its person's zone, after a pause, or because they say so; decided as a message
// is accepted, never in the middle of a turn.
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { DAY, HOUR, MINUTE } from '../../src/base/durations.ts'
import { wallTime } from '../../src/base/zoned-time.ts'
import { newSessionText, resetBefore } from '../../src/sessions/reset-rule.ts'
import { FakeClock, settled } from '../fakes/clock.ts'
import { type House, openHouse, type Play, text } from '../fakes/house.ts'

/** A Sunday, 23:00 in Berlin. */
const EVENING = Date.UTC(2026, 10, 22, 22)

let house: House
afterEach(() => house?.close())

async function sessions(reset: object | undefined, play: Play = () => text('said'), more: object = {}) {
  const config = { agents: { defaults: { userTimezone: 'Europe/Berlin', ...more } }, session: { reset } }
  house = await openHouse(play, { config, clock: new FakeClock(EVENING) })
  let sent = 0
  const say = async (message: string, sessionKey = 'main') => {
    sent += 1
    await house.call('chat.send', { sessionKey, message, idempotencyKey: `k${sent}` })
    await settled()
  }
  /** What of the session its model would be shown. */
  const said = () => house.call('chat.history', { sessionKey: 'main' }).then(({ messages }) => messages.length)
  return { say, said }
}

test('a day begins at its hour in the zone, never later than now, and less than 25 hours ago', () => {
  const zones = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Asia/Tokyo', 'UTC')
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 23 }), zones, fc.integer({ min: 0, max: 800 * DAY }), (atHour, zone, ms) => {
      const nowMs = EVENING + ms
      const began = resetBefore({ atHour, idleMs: undefined }, nowMs, zone) as number
      expect(began).toBeLessThanOrEqual(nowMs)
      expect(nowMs - began).toBeLessThanOrEqual(25 * HOUR)
      const { hour, minute } = wallTime(began, zone)
      // An hour that the clocks leave out begins with the one after it.
      expect([atHour, atHour + 1]).toContain(hour)
      expect(minute).toBe(0)
    }),
  )
})

test.each([
  ['/new', 'Hello.'],
  [' /RESET ', 'Hello.'],
  ['/new plan the garden\nwith me', 'plan the garden\nwith me'],
  ['/newer', undefined],
  ['what does /new do?', undefined],
])('%j begins with %j', (message, begun) => {
  expect(newSessionText(message)).toBe(begun)
})

test('without a rule nothing is ever forgotten', async () => {
  const { say, said } = await sessions(undefined)
  await say('one')
  await house.clock.advance(30 * DAY)
  await say('two')
  expect(await said()).toBe(4)
})

test('daily: the first message of the day begins anew, the second does not, and none before the hour', async () => {
  const { say, said } = await sessions({ mode: 'daily' })
  await say('one')
  await house.clock.advance(4 * HOUR + 59 * MINUTE)
  await say('at 3:59')
  expect(await said()).toBe(4)
  await house.clock.advance(MINUTE)
  await say('at 4:00')
  expect(await said()).toBe(2)
  await say('again')
  expect(await said()).toBe(4)
})

test('idle: a pause begins anew; heartbeats and events do not count as somebody being there', async () => {
  const { say, said } = await sessions({ mode: 'idle', idleMinutes: 30 })
  await say('one')
  await house.clock.advance(29 * MINUTE)
  await say('two')
  expect(await said()).toBe(4)
  await house.clock.advance(20 * MINUTE)
  await house.call('wake', { mode: 'now', text: 'The door is open.' })
  await settled()
  await house.clock.advance(11 * MINUTE)
  await say('three')
  expect(await said()).toBe(2)
})

test('never in the middle of a turn, nor of what waits for it: what comes late goes on with it', async () => {
  const held = Promise.withResolvers<ReturnType<typeof text>>()
  let first = true
  const play: Play = () => {
    if (!first) return text('said')
    first = false
    return held.promise
  }
  const { say, said } = await sessions({ mode: 'idle', idleMinutes: 1 }, play)
  await house.call('sessions.patch', { key: 'main', queueMode: 'followup' })
  await say('one')
  await house.clock.advance(5 * MINUTE)
  await say('two')
  held.resolve(text('late'))
  await settled()
  await settled()
  expect(await said()).toBe(4)
})

test('a pause begins with the answer: whoever waits long for one, and goes on, is not forgotten', async () => {
  const held = Promise.withResolvers<ReturnType<typeof text>>()
  const { say, said } = await sessions({ mode: 'idle', idleMinutes: 5 }, () => held.promise)
  await say('a long task')
  await house.clock.advance(8 * MINUTE)
  held.resolve(text('done'))
  await settled()
  await house.clock.advance(4 * MINUTE)
  await say('thank you')
  expect(await said()).toBe(4)
  await house.clock.advance(5 * MINUTE + 1)
  await say('later')
  expect(await said()).toBe(2)
})

test('of two messages of one moment, only the first begins anew', async () => {
  const { say, said } = await sessions({ mode: 'idle', idleMinutes: 1 })
  await say('one')
  await house.clock.advance(5 * MINUTE)
  await Promise.all([say('two'), say('three')])
  await settled()
  const { messages } = await house.call('chat.history', { sessionKey: 'main' })
  const people = messages.filter(({ role }) => role === 'user').map(({ content }) => content[0]?.text)
  expect(people).toEqual(['two', 'three'])
  expect(await said()).toBeGreaterThan(2)
})

test('/new begins anew after what runs, and a turn that runs keeps its own', async () => {
  const held = Promise.withResolvers<ReturnType<typeof text>>()
  let first = true
  const play: Play = () => {
    if (!first) return text('said')
    first = false
    return held.promise
  }
  const { say } = await sessions(undefined, play)
  await say('one')
  const before = house.store.read.session('agent:main:main')?.sessionId
  await say('/new two')
  expect(house.store.read.session('agent:main:main')?.sessionId).toBe(before)
  held.resolve(text('late'))
  await settled()
  await settled()
  const { sessionId, messages } = await house.call('chat.history', { sessionKey: 'main' })
  expect(sessionId).not.toBe(before)
  expect(messages.map(({ content }) => content[0]?.text)).toEqual(['two', 'said'])
})
