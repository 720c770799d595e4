// Jobs that share one instant: those that do work begin one after the other, what a person is told is told at its time, and
// neither a kill between two of them nor a long absence loses one, begins one twice or begins all at once.
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { DAY, HOUR, MINUTE, SECOND } from '../../src/base/durations.ts'
import { Stagger } from '../../src/scheduler/stagger.ts'
import { FakeClock } from '../fakes/clock.ts'
import { type House, type HouseOptions, openHouse, text } from '../fakes/house.ts'

const DUE = Date.UTC(2026, 10, 23, 9)
const tea = { kind: 'message', text: 'tea' } as const
const work = { payload: { kind: 'agentTurn', message: 'work' } } as const

describe('the rule', () => {
  const one = fc.record({
    gapMs: fc.option(fc.integer({ min: 0, max: MINUTE }), { nil: undefined }),
    payload: fc.constantFrom(work.payload, tea),
    intervalMs: fc.option(fc.integer({ min: SECOND, max: HOUR }), { nil: undefined }),
    windowMs: fc.option(fc.integer({ min: 0, max: 2 * HOUR }), { nil: undefined }),
  })
  const batches = fc.record({
    all: fc.array(one, { maxLength: 200 }),
    lateMs: fc.oneof(fc.integer({ min: 0, max: MINUTE }), fc.integer({ min: MINUTE + 1, max: DAY })),
    defaultMs: fc.integer({ min: 0, max: MINUTE }),
  })

  test('of those that share an instant the first begins at it, and each within every bound', () => {
    fc.assert(
      fc.property(batches, ({ all, lateMs, defaultMs }) => {
        const [stagger, nowMs] = [new Stagger(defaultMs), DUE + lateMs]
        const begun = all.map(({ gapMs = defaultMs, payload, intervalMs = DAY, windowMs = DAY }) => {
          const policy = { staggerMs: gapMs, catchUpWindowMs: windowMs }
          const nextMs = DUE + intervalMs
          const startAtMs = stagger.startAtMs({ payload, policy }, { dueMs: DUE, nowMs, nextMs })
          // By its own bounds alone it may be so late, where it is put off at all.
          const roomMs = nextMs > nowMs ? (nextMs - nowMs) / 2 : MINUTE
          const latestMs = Math.min(nowMs + Math.min(MINUTE, roomMs), DUE + Math.max(MINUTE, windowMs))
          return { isPutOff: payload !== tea && gapMs > 0, startAtMs, latestMs }
        })
        for (const { startAtMs = nowMs, latestMs } of begun)
          expect(startAtMs).toBeLessThanOrEqual(Math.max(nowMs, latestMs))
        const atOnce = [...begun.filter(({ isPutOff }) => !isPutOff), begun.find(({ isPutOff }) => isPutOff)]
        expect(atOnce.map(each => each?.startAtMs)).toEqual(atOnce.map(() => undefined))
      }),
    )
  })

  test('instants know nothing of each other; a minute holds them all, evenly', () => {
    const stagger = new Stagger(SECOND)
    const at = (dueMs: number) => (stagger.startAtMs(work, { dueMs, nowMs: DUE, nextMs: undefined }) ?? DUE) - DUE
    expect([at(DUE), at(DUE - 7), at(DUE)]).toEqual([0, 0, SECOND])
    const many = new Stagger(SECOND)
    const starts = Array.from({ length: 610 }, () =>
      many.startAtMs(work, { dueMs: DUE, nowMs: DUE, nextMs: undefined }),
    )
    const begun = Map.groupBy(starts, atMs => ((atMs ?? DUE) - DUE) / SECOND)
    expect([...begun].map(([at, { length }]) => [at, length])).toEqual(Array.from({ length: 61 }, (_, at) => [at, 10]))
  })
})

const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

const config = {
  cron: { commands: 'operator', maxConcurrentRuns: 500 },
  tools: { exec: { security: 'full', ask: 'off' } },
}
const at9 = { schedule: { kind: 'cron', expr: '0 9 * * *', tz: 'UTC' } }
const command = (name: string) => ({ ...at9, name, payload: { kind: 'command', argv: ['work', name] } })
const turn = (name: string) => ({ ...at9, name, payload: { kind: 'agentTurn', message: name } })

/** What began, and how long after nine, over all lives of the gateway. */
type Begun = [name: string, afterMs: number][]

function lives(settings: object = config) {
  const [begun, clock]: [Begun, FakeClock] = [[], new FakeClock(DUE - HOUR)]
  const begins = (name: string) => void begun.push([name, clock.now() - DUE])
  const processes: HouseOptions['world'] = {
    processes: {
      find: async name => `/usr/bin/${name}`,
      run: async ({ args }) => {
        begins(args[0] ?? '')
        return { exitCode: 0, signal: null, output: '', cut: 0 }
      },
    },
  }
  const live = async (folder?: string) => {
    const one = await openHouse(
      ({ messages }) => {
        begins(/\] (\w+)\n/.exec(JSON.stringify(messages.at(-1)).replaceAll('\\n', '\n'))?.[1] ?? '')
        return text('')
      },
      { config: settings, clock, world: processes, ...(folder !== undefined && { folder }) },
    )
    open.push(one)
    // What it goes on with begins now, not with the next timer.
    await clock.advance(0)
    return one
  }
  const crash = async (one: House) => {
    await one.leave()
    open.splice(open.indexOf(one), 1)
  }
  return { begun, clock, live, crash }
}

test('what works begins in the order of its making, a gap apart; what tells tells at nine; the ledger says both', async () => {
  const { begun, clock, live } = lives()
  const one = await live()
  const made = []
  for (const job of [command('a'), turn('b'), { ...turn('own'), policy: { staggerMs: 5 * SECOND } }, command('c')]) {
    made.push(await one.call('cron.add', job))
    await clock.advance(1)
  }
  await one.call('cron.add', { ...turn('now'), policy: { staggerMs: 0 } })
  await one.call('cron.add', { ...turn('alone'), schedule: { kind: 'at', atMs: DUE + 2_500 } })
  await one.call('cron.add', { ...at9, name: 'tea', payload: { kind: 'message', text: 'tea' } })
  await clock.advance(DUE - clock.now())
  const unread = await one.call('chat.unread', { sessionKey: 'main' })
  expect(unread.notices.map(({ text }) => text)).toEqual(['tea'])
  await clock.advance(MINUTE)
  expect(begun.toSorted(([, a], [, b]) => a - b)).toEqual([
    ...[
      ['a', 0],
      ['now', 0],
      ['b', SECOND],
      ['alone', 2_500],
      ['own', 6 * SECOND],
      ['c', 7 * SECOND],
    ],
  ])
  const rows = await Promise.all(made.map(async ({ id }) => (await one.call('cron.runs', { id })).entries[0]))
  expect(rows.map(row => [row?.nominalAtMs, row?.runAtMs, row?.lagMs])).toEqual(made.map(() => [DUE, DUE, 0]))
  expect(rows.map(row => row?.staggeredMs)).toEqual([undefined, SECOND, 6 * SECOND, 7 * SECOND])
  expect(rows.map(row => (row?.startedAtMs ?? 0) - DUE)).toEqual([0, SECOND, 6 * SECOND, 7 * SECOND])
  expect(made.map(({ policy }) => policy?.staggerMs)).toEqual([SECOND, SECOND, 5 * SECOND, SECOND])
})

test('a config that says 0 begins all at once', async () => {
  const { begun, clock, live } = lives({ ...config, cron: { ...config.cron, staggerMs: 0 } })
  const one = await live()
  for (const name of ['a', 'b', 'c']) await one.call('cron.add', command(name))
  await clock.advance(HOUR)
  expect(begun.map(([, afterMs]) => afterMs)).toEqual([0, 0, 0])
})

test.each([
  ['at once', 0, [2, 3, 4].map(n => n * SECOND)],
  ['half an hour later', 30 * MINUTE, [0, 1, 2].map(n => 30 * MINUTE + 1_500 + n * SECOND)],
])(
  'L3 T3: killed between two of one instant and there again %s, the rest begins once each, in its order',
  async (_, downMs, then) => {
    const { begun, clock, live, crash } = lives()
    const first = await live()
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      await first.call('cron.add', command(name))
      await clock.advance(1)
    }
    await clock.advance(DUE + 1_500 - clock.now())
    expect(begun).toEqual([
      ['a', 0],
      ['b', SECOND],
    ])
    await crash(first)
    clock.leap(downMs)
    const second = await live(first.folder)
    await clock.advance(2 * MINUTE)
    expect(begun.slice(2)).toEqual(['c', 'd', 'e'].map((name, index) => [name, then[index]]))
    const { entries } = await second.call('cron.history', {})
    expect(entries.map(({ state, occurrence }) => [state, occurrence])).toEqual(entries.map(() => ['ok', `at:${DUE}`]))
    expect(entries).toHaveLength(5)
  },
)

test('W7: one that waits to begin is stopped, and does not begin when its job is switched off', async () => {
  const { begun, clock, live } = lives()
  const one = await live()
  const ids = []
  for (const name of ['a', 'b', 'c']) {
    ids.push((await one.call('cron.add', command(name))).id)
    await clock.advance(1)
  }
  await clock.advance(DUE - clock.now())
  await one.call('chat.abort', { sessionKey: `agent:main:cron:${ids[1]}` })
  await one.call('cron.update', { id: ids[2], patch: { enabled: false } })
  await clock.advance(MINUTE)
  expect(begun).toEqual([['a', 0]])
  const { entries } = await one.call('cron.history', {})
  expect(entries.map(({ state, error }) => [state, error])).toEqual([
    ['ok', undefined],
    ['cancelled', 'stopped before it began'],
    ['cancelled', 'stopped before it began'],
  ])
})

test('what was missed while the gateway was away begins one after the other when it is there again', async () => {
  const { begun, clock, live, crash } = lives()
  const first = await live()
  for (const [minute, name] of ['a', 'b', 'c'].entries()) {
    const schedule = { kind: 'cron', expr: `${minute} 9 * * *`, tz: 'UTC' }
    await first.call('cron.add', { ...command(name), schedule })
    await clock.advance(1)
  }
  await crash(first)
  clock.leap(3 * HOUR)
  const backMs = clock.now() - DUE
  await live(first.folder)
  await clock.advance(MINUTE)
  expect(begun).toEqual(['a', 'b', 'c'].map((name, index) => [name, backMs + index * SECOND]))
})
