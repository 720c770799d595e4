// Traps around heartbeats, on the production rooms and a test's clock: no real gateway beats more often than once a minute.
import { describe, expect, test } from 'vitest'
import { MINUTE } from '../../src/base/durations.ts'
import { FakeClock, settled } from '../fakes/clock.ts'
import { openHouse, text } from '../fakes/house.ts'

const START = Date.UTC(2026, 10, 22, 9, 25)

describe.each([1, 8])('with room for %i turns', maxConcurrent => {
  test('WAIT-39 W2: a heartbeat waits for no free moment: with its session busy it is skipped and says so, and all else goes on', async () => {
    const gate = Promise.withResolvers<void>()
    const models = { providers: { test: { baseUrl: 'http://127.0.0.1:1/v1' } } }
    const defaults = { maxConcurrent, model: 'test/model', heartbeat: { every: '30m', target: 'none' } }
    let asked = 0
    const house = await openHouse(
      async () => {
        asked += 1
        if (asked === 1) await gate.promise
        return text('said')
      },
      { config: { models, agents: { defaults } }, clock: new FakeClock(START) },
    )
    const beats = () => house.events.filter(({ event }) => event === 'heartbeat').map(({ payload }) => payload)
    await house.call('chat.send', { sessionKey: 'main', message: 'held', idempotencyKey: 'held' })
    await settled()
    // A beat is due at each whole half hour.
    await house.clock.advance(6 * MINUTE)
    await settled()
    expect(beats()).toMatchObject([{ status: 'skipped', reason: 'requests-in-flight' }])
    expect(house.parts.graph.list()).toEqual([])
    expect(house.store.read.liveRuns('agent:main:main')).toHaveLength(1)
    expect(await house.call('status')).toMatchObject({ runs: { running: 1, queued: 0 } })
    expect(await house.call('cron.list')).toMatchObject({ total: 0 })
    gate.resolve()
    await settled()
    await house.clock.advance(30 * MINUTE)
    await settled()
    expect(beats()).toHaveLength(2)
    expect(asked).toBe(2)
    await house.close()
  })
})
