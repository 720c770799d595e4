// `events.since`: what a client missed, in bounded answers, as much of it as it may hear, and what runs have said so far.
import { afterEach, describe, expect, test } from 'vitest'
import type { Caller } from '../../src/dispatch/caller.ts'
import { ANSWER_BYTES_MAX } from '../../src/methods/events.ts'
import type { Result } from '../../src/protocol/catalogue.ts'
import type { Scope } from '../../src/protocol/method.ts'
import { KEPT, startRetention } from '../../src/store/sqlite/retention.ts'
import { inlineRunner } from '../../src/turns/perform.ts'
import { FakeClock, settled } from '../fakes/clock.ts'
import { calls, type House, openHouse, text } from '../fakes/house.ts'

const DAY = 86_400_000
let house: House
afterEach(() => house.close())

type Page = Result<'events.since'>
const as = (...scopes: Scope[]): Caller => ({ principal: 'operator', label: 'test', scopes: new Set(scopes) })
const since = async (params: object, caller = as('operator.admin')) =>
  (await house.dispatcher.call('events.since', params, { caller })) as Page
const chat = async (message: string, sessionKey = 'main') => {
  await house.call('chat.send', { sessionKey, message, idempotencyKey: message })
  await settled()
}

describe('what was missed', () => {
  test('L5: the durable events, as they were told live, from any number on', async () => {
    house = await openHouse(() => text('said'))
    await chat('one')
    const live = house.events.filter(({ seq }) => seq !== undefined)
    expect(live.map(({ seq }) => seq)).toEqual([1, 2, 3])
    const whole = await since({ seq: 0 })
    expect(whole).toEqual({ events: live, nextSeq: 3, lastSeq: 3, more: false, oldestSeq: 1, live: [] })
    expect(await since({ seq: 3 })).toEqual({ ...whole, events: [] })
    const page = await since({ seq: 0, limit: 2 })
    expect(page).toMatchObject({ events: live.slice(0, 2), nextSeq: 2, lastSeq: 3, more: true })
    expect((await since({ seq: page.nextSeq, limit: 2 })).events).toEqual(live.slice(2))
  })

  test('L5: numbers that are not kept, or of another store, are said to be so', async () => {
    house = await openHouse(() => text('said'))
    const { store, clock } = house
    await chat('one')
    const removeEvents = () =>
      store.write.removeOld({ table: 'events', afterId: 0, sliceMs: 1_000, nowMs: clock.now() })
    await removeEvents()
    clock.leap(KEPT.events.ms)
    await settled()
    await chat('two')
    await removeEvents()
    const gone = { events: [], nextSeq: 6, lastSeq: 6, more: false, tooOld: true, oldestSeq: 4, live: [] }
    expect(await since({ seq: 2 })).toEqual(gone)
    expect(await since({ seq: 7 })).toEqual(gone)
    expect((await since({ seq: 3 })).events.map(({ seq }) => seq)).toEqual([4, 5, 6])
  })

  test('W8: an answer is bounded in bytes, and a larger event comes alone', async () => {
    house = await openHouse(() => text('é'.repeat(50_000)))
    for (const message of ['one', 'two', 'three', 'four']) await chat(message)
    const pages: Page[] = []
    for (let seq = 0, more = true; more; ) {
      const page = await since({ seq })
      pages.push(page)
      ;({ nextSeq: seq, more } = page)
    }
    expect(pages.length).toBeGreaterThan(1)
    for (const page of pages) expect(Buffer.byteLength(JSON.stringify(page))).toBeLessThanOrEqual(ANSWER_BYTES_MAX)
    const all = pages.flatMap(({ events }) => events)
    expect(all).toEqual(house.events.filter(({ seq }) => seq !== undefined))
    house.play(() => text('x'.repeat(ANSWER_BYTES_MAX)))
    await chat('large')
    const small = await since({ seq: all.length })
    expect([small.events.map(({ seq }) => seq - all.length), small.more]).toEqual([[1, 2], true])
    const large = await since({ seq: small.nextSeq })
    expect(large).toMatchObject({ events: [{ seq: all.length + 3 }], more: false })
  })

  test('who may not hear an event live does not hear it later; its number is passed all the same', async () => {
    const processes = {
      find: async (name: string) => `/usr/bin/${name}`,
      run: () => Promise.reject(new Error('nothing is run here')),
    }
    house = await openHouse(() => calls({ name: 'exec', args: { command: 'ls' } }), {
      config: { tools: { exec: { security: 'allowlist' } } },
      world: { processes },
    })
    await chat('ask')
    const names = async (...scopes: Scope[]) =>
      (await since({ seq: 0 }, as(...scopes))).events.map(({ event }) => event)
    const all = await names('operator.admin')
    expect(all).toContain('exec.approval.requested')
    expect(await names('operator.read', 'operator.approvals')).toEqual(all)
    expect(await names('operator.read')).toEqual(all.filter(event => !event.startsWith('exec.approval.')))
    const { lastSeq } = await since({ seq: 0 })
    expect((await since({ seq: lastSeq - 1 }, as('operator.read'))).nextSeq).toBe(lastSeq)
    await expect(since({ seq: 0 }, as('operator.approvals'))).rejects.toMatchObject({ code: 'FORBIDDEN' })
  })

  test('W1: a turn and its processes hear no events', async () => {
    house = await openHouse(() => text('said'))
    const turn = { runId: 'r', sessionKey: 'agent:main:main', allows: () => true } as unknown as Caller['turn']
    const caller = { ...as('operator.admin'), ...(turn && { turn }) }
    await expect(since({ seq: 0 }, caller)).rejects.toMatchObject({ code: 'FORBIDDEN' })
  })
})

describe('runs that live', () => {
  test('L5: what they have said of the present message, and their calls under way; an ended one is none', async () => {
    const clock = new FakeClock()
    const gates = Array.from({ length: 4 }, () => Promise.withResolvers<void>())
    let asked = 0
    const model = {
      ref: 'test/model',
      async *stream() {
        const [mine, then] = [gates[asked * 2], gates[asked * 2 + 1]]
        asked += 1
        yield { type: 'delta' as const, text: `part ${asked}` }
        await mine?.promise
        yield asked === 1
          ? {
              ...calls({ name: 'sessions_send', args: { sessionKey: 'other', message: 'x', timeoutSeconds: 60 } }),
              text: 'part 1, whole',
            }
          : text('all')
        await then?.promise
      },
    }
    house = await openHouse(() => text(''), { clock, runner: inlineRunner(() => model) })
    await chat('hello', 'MAIN')
    const about = { runId: 'hello', sessionKey: 'MAIN', session: 'agent:main:main', startedAt: clock.now() }
    expect((await since({ seq: 0 })).live).toEqual([{ ...about, text: 'part 1', tools: [] }])
    gates[0]?.resolve()
    gates[1]?.resolve()
    await settled()
    const { live } = await since({ seq: 0 })
    expect(live[0]).toEqual({
      ...about,
      text: '',
      tools: [{ toolCallId: expect.any(String), name: 'sessions_send', args: expect.any(Object) }],
    })
    expect(live[1]).toMatchObject({ session: 'agent:main:other', text: 'part 2' })
    for (const gate of gates) gate.resolve()
    await settled()
    expect((await since({ seq: 0 })).live).toEqual([])
  })

  test('W8: a text that has no room is left out, and says so', async () => {
    const gate = Promise.withResolvers<void>()
    const model = {
      ref: 'test/model',
      async *stream() {
        yield { type: 'delta' as const, text: 'x'.repeat(100_000) }
        await gate.promise
        yield text('done')
      },
    }
    house = await openHouse(() => text(''), { runner: inlineRunner(() => model) })
    await chat('one', 'one')
    await chat('two', 'two')
    const page = await since({ seq: 0 })
    expect(page.live.map(({ text: said, cut }) => [said.length, cut])).toEqual([
      [100_000, undefined],
      [0, true],
    ])
    gate.resolve()
    await settled()
  })
})

describe('the maintenance tick', () => {
  test('removes old rows after a while and now and then, a slice at a time, and ends when it is stopped', async () => {
    house = await openHouse(() => text('said'))
    const { store, clock } = house
    const logged: unknown[] = []
    const retention = startRetention({ store, clock, log: (_level, _message, fields) => logged.push(fields) })
    for (let n = 0; n < 1_001; n += 1) {
      const key = { principal: 'p', method: 'm', key: `${n}`, paramsHash: '' }
      void store.write.beginEffect({ key, nowMs: clock.now() - 8 * DAY })
    }
    await settled()
    await clock.advance(5 * 60_000 - 1)
    expect(logged).toEqual([])
    await clock.advance(1)
    const kept = () => store.read.firstAnswer({ principal: 'p', method: 'm', key: '1000', paramsHash: 'other' })
    expect(kept).toThrow('used before')
    await clock.advance(4 * 80)
    expect(kept()).toBeUndefined()
    expect(logged).toEqual([{ keys: 1_001 }])
    await chat('one')
    for (const laterMs of [DAY / 4, KEPT.events.ms]) {
      clock.leap(laterMs)
      await settled()
    }
    expect(logged.slice(1)).toEqual([{ keys: 1, events: 3 }])
    retention.stop()
    await settled()
    expect(clock.timers).toBe(1)
  })
})
