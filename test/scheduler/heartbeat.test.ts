// Heartbeats: when they are due, what they do while their session is busy, and what becomes of what they say.
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { DAY, HOUR, MINUTE } from '../../src/base/durations.ts'
import { formatInstant, wallTime } from '../../src/base/zoned-time.ts'
import { type HeartbeatRule, isAck } from '../../src/protocol/heartbeat.ts'
import { nextBeat } from '../../src/scheduler/heartbeat-rule.ts'
import { FakeClock, settled } from '../fakes/clock.ts'
import { type House, type HouseOptions, openHouse, type Play, text } from '../fakes/house.ts'

const MAIN = 'agent:main:main'
const START = Date.UTC(2026, 10, 22, 9, 10)
const local = { providers: { test: { baseUrl: 'http://127.0.0.1:1/v1' } } }
const configOf = (heartbeat: object) => ({
  models: local,
  agents: {
    defaults: { model: 'test/model', userTimezone: 'Europe/Berlin', heartbeat: { every: '30m', ...heartbeat } },
  },
})

let house: House
afterEach(() => house?.close())

async function beating(play: Play, heartbeat: object = {}, options: HouseOptions = {}) {
  const asked: string[] = []
  const listening: Play = ask => {
    asked.push(JSON.stringify(ask.messages.at(-1)))
    return play(ask)
  }
  house = await openHouse(listening, { config: configOf(heartbeat), clock: new FakeClock(START), ...options })
  const beats = () => house.events.filter(({ event }) => event === 'heartbeat').map(({ payload }) => payload)
  return { asked, beats }
}

const rule = (more: Partial<HeartbeatRule>): HeartbeatRule => ({
  ...{ agentId: 'main', everyMs: 30 * MINUTE, activeHours: undefined, prompt: '' },
  ...{ target: 'last', ackLengthMax: 300, model: undefined },
  ...more,
})

test('a beat is later than now, never outside of the active hours, and there is one at their beginning on every day', () => {
  const zone = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'UTC')
  const minute = fc.integer({ min: 0, max: 1_439 })
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 3_000 }),
      fc.record({ from: minute, until: minute, zone }).filter(({ from, until }) => from !== until),
      fc.integer({ min: START, max: START + 400 * DAY }),
      (every, activeHours, startMs) => {
        const beating = rule({ everyMs: every * MINUTE, activeHours })
        let atMs = startMs
        for (let n = 0; n < 5; n += 1) {
          const next = nextBeat(beating, atMs)
          expect(next).toBeGreaterThan(atMs)
          expect(next - atMs).toBeLessThanOrEqual(DAY + HOUR)
          const wall = wallTime(next, activeHours.zone)
          const at = wall.hour * 60 + wall.minute
          const { from, until } = activeHours
          const opens = at === from || (at > from && at - from <= 60 && next % beating.everyMs !== 0)
          expect(opens || (from < until ? at >= from && at < until : at >= from || at < until)).toBe(true)
          atMs = next
        }
      },
    ),
    { numRuns: 300 },
  )
})

test('an interval of a day beats at the beginning of the active hours, not at midnight in London', () => {
  const hours = { from: 8 * 60, until: 22 * 60, zone: 'Europe/Berlin' }
  const next = nextBeat(rule({ everyMs: DAY, activeHours: hours }), START)
  expect(formatInstant(next, 'Europe/Berlin')).toBe('Mon 2026-11-23 08:00 Europe/Berlin (+01:00)')
})

test.each([
  ['HEARTBEAT_OK', true],
  ['**HEARTBEAT_OK**.', true],
  ['HEARTBEAT_OK all is quiet', true],
  ['All is quiet. HEARTBEAT_OK', true],
  [`HEARTBEAT_OK ${'x'.repeat(301)}`, false],
  ['I was told to say HEARTBEAT_OK and I do not', false],
  ['HEARTBEAT_OKAY', false],
  ['', false],
])('silence: %j is %s', (reply, silent) => {
  expect(isAck(reply)).toBe(silent)
})

test('none beats unless the config says so', async () => {
  const { beats } = await beating(() => text('here'))
  expect((await house.call('status')).heartbeat.agents).toMatchObject([
    { agentId: 'main', enabled: true, everyMs: 1_800_000 },
  ])
  await house.close()
  house = await openHouse(() => text('here'), { config: { models: local } })
  await house.clock.advance(2 * DAY)
  expect([house.parts.heartbeats.last, beats()]).toEqual([undefined, []])
  expect(await house.call('health')).toMatchObject({ heartbeatSeconds: 0 })
})

test('a beat is a turn of the main session at a whole multiple; what it says is unread until shown', async () => {
  const { asked, beats } = await beating(() => text('The train leaves at ten.'), { every: '30m', prompt: 'Look.' })
  await house.clock.advance(20 * MINUTE)
  expect(asked).toEqual([
    expect.stringContaining('System: [Sun 2026-11-22 10:30 Europe/Berlin (+01:00)] Heartbeat. Look.'),
  ])
  expect(beats()).toMatchObject([{ status: 'sent', agentId: 'main', preview: 'The train leaves at ten.' }])
  expect(await house.call('last-heartbeat')).toEqual(beats()[0])
  const { notices } = await house.call('chat.unread', { sessionKey: 'main' })
  expect(notices).toMatchObject([{ text: 'The train leaves at ten.', source: 'reply' }])
  await house.clock.advance(30 * MINUTE)
  expect(beats()).toHaveLength(2)
})

test('a beat that has nothing to say is told to nobody: no text in the chat, nothing unread', async () => {
  const { beats } = await beating(() => text('HEARTBEAT_OK'))
  await house.clock.advance(20 * MINUTE)
  expect(beats()).toMatchObject([{ status: 'ok-token', silent: true }])
  const chat = house.events.filter(({ event }) => event === 'chat').map(({ payload }) => payload)
  expect(chat).toMatchObject([{ state: 'final' }])
  expect(chat).not.toMatchObject([{ message: expect.anything() }])
  expect((await house.call('chat.unread', { sessionKey: 'main' })).notices).toEqual([])
})

test('target none: what is said stays in the session', async () => {
  const { beats } = await beating(() => text('Something.'), { target: 'none' })
  await house.clock.advance(20 * MINUTE)
  expect(beats()).toMatchObject([{ status: 'skipped', reason: 'no-target', preview: 'Something.' }])
  expect((await house.call('chat.unread', { sessionKey: 'main' })).notices).toEqual([])
})

test('W2: a beat is left out while a turn of its session runs, and is not made up', async () => {
  const held = Promise.withResolvers<ReturnType<typeof text>>()
  const { asked, beats } = await beating(() => held.promise)
  await house.clock.advance(15 * MINUTE)
  await house.call('chat.send', { sessionKey: 'main', message: 'hello', idempotencyKey: 'k' })
  await house.clock.advance(5 * MINUTE)
  expect(beats()).toMatchObject([{ status: 'skipped', reason: 'requests-in-flight' }])
  expect(house.store.read.liveRuns(MAIN)).toHaveLength(1)
  held.resolve(text('hi'))
  await settled()
  expect(asked).toHaveLength(1)
  expect(await house.call('last-heartbeat')).toEqual(beats()[0])
})

test('beats that fell due while the machine slept are one; those that fell due while it was off are none', async () => {
  const { asked } = await beating(() => text('HEARTBEAT_OK'))
  house.clock.leap(3 * HOUR)
  await settled()
  await house.clock.advance(0)
  expect(asked).toHaveLength(1)
  const { clock, folder } = house
  await house.leave()
  clock.leap(3 * HOUR)
  const { asked: later } = await beating(() => text('HEARTBEAT_OK'), {}, { clock, folder })
  await clock.advance(MINUTE)
  expect(later).toHaveLength(0)
})

test('set-heartbeats stops them until it is taken back; jobs that are off do not stop them', async () => {
  const config = { ...configOf({}), cron: { enabled: false } }
  const { asked } = await beating(() => text('HEARTBEAT_OK'), {}, { config })
  await house.call('set-heartbeats', { enabled: false })
  await house.clock.advance(2 * HOUR)
  expect(asked).toEqual([])
  await expect(house.call('set-heartbeats', { enabled: 'yes' })).rejects.toThrow(
    /^invalid set-heartbeats params: enabled \(boolean\) required$/,
  )
  await house.call('set-heartbeats', { enabled: true })
  await house.clock.advance(30 * MINUTE)
  expect(asked).toHaveLength(1)
})

test('without a model there is nobody to beat: it is left out and says so', async () => {
  const { beats } = await beating(
    () => text('?'),
    {},
    { config: { agents: { defaults: { heartbeat: { every: '30m' } } } } },
  )
  await house.clock.advance(20 * MINUTE)
  expect(beats()).toMatchObject([{ status: 'skipped', reason: 'offline-model' }])
})

test('L4: a person who writes into a beat is answered once, by its turn', async () => {
  const held = Promise.withResolvers<ReturnType<typeof text>>()
  let first = true
  const play: Play = () => {
    if (!first) return text('Yes.')
    first = false
    return held.promise
  }
  await beating(play)
  await house.clock.advance(20 * MINUTE)
  await house.call('chat.send', { sessionKey: 'main', message: 'Are you there?', idempotencyKey: 'k' })
  held.resolve(text('HEARTBEAT_OK'))
  await settled()
  await settled()
  const { notices } = await house.call('chat.unread', { sessionKey: 'main' })
  expect(notices.filter(notice => notice.text.includes('Yes.'))).toHaveLength(1)
  expect(notices).toHaveLength(1)
})
