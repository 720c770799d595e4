// What turns may use of models: counted once per answer, asked before each request, told with the key and the way out.
import { afterEach, describe, expect, test } from 'vitest'
import { CAPS_DEFAULT } from '../../src/config/models.ts'
import { type Caps, capReached } from '../../src/turns/caps.ts'
import { FakeClock, settled } from '../fakes/clock.ts'
import { calls, type House, openHouse, type Play, text } from '../fakes/house.ts'

let house: House | undefined
afterEach(async () => {
  await house?.close()
  house = undefined
})

const DAY_MS = 86_400_000
const used = (tokens: number) => ({ usage: { inputTokens: tokens - 1, outputTokens: 1 } })
/** Asks for one more call each time, with so many tokens. */
const goesOn =
  (tokens: number): Play =>
  ({ messages }) => ({
    ...calls({ name: 'cron', args: { action: 'list', limit: messages.length } }),
    text: 'on it',
    ...used(tokens),
  })

async function say(words: string, sessionKey = 'main') {
  const runId = `k-${words}`
  await (house as House).call('chat.send', { sessionKey, message: words, idempotencyKey: runId })
  const run = await (house as House).call('agent.wait', { runId, timeoutMs: 60_000 })
  return { ...run, row: (house as House).store.read.run(runId) }
}

describe('a cap', () => {
  test('of a turn ends it before the next request, keeps what was said, and the next message goes on', async () => {
    let asked = 0
    const play = goesOn(40)
    house = await openHouse(
      ask => {
        asked += 1
        return play(ask)
      },
      { config: { models: { caps: { turn: { tokens: 100 } } } } },
    )
    const { row } = await say('go')
    expect(asked).toBe(3)
    expect(row).toMatchObject({
      ...{ state: 'failed', reply: 'on it\n\non it\n\non it' },
      error:
        'Paused: this turn used 120 tokens, and models.caps.turn.tokens allows 100. Send a message to go on in a new ' +
        'turn; to go on at once, raise that key in the config.',
    })
    house.play(() => ({ ...text('done'), ...used(9) }))
    expect((await say('again')).row).toMatchObject({ state: 'ok', reply: 'done' })
  })

  test('of a day refuses new turns of all sessions with the key and when it frees, and frees then', async () => {
    const clock = new FakeClock(Date.UTC(2026, 10, 22, 22, 30))
    house = await openHouse(() => ({ ...text('done'), ...used(100) }), {
      clock,
      config: { models: { caps: { day: { tokens: 100 } } } },
    })
    expect((await say('one')).row).toMatchObject({ state: 'ok' })
    const { row } = await say('two', 'other')
    expect(row).toMatchObject({ state: 'failed', error: expect.stringContaining('models.caps.day.tokens allows 100') })
    expect(row?.error).toContain('It frees at Mon 2026-11-23 00:00 Europe/Berlin (+01:00)')
    await clock.advance(30 * 60_000)
    expect((await say('three', 'other')).row).toMatchObject({ state: 'ok' })
  })

  test('of a session holds for that session alone; money counts where a price is known', async () => {
    const cost = { input: 500_000, output: 1_000_000 }
    house = await openHouse(() => ({ ...text('done'), ...used(3) }), {
      config: {
        models: {
          providers: { test: { baseUrl: 'http://127.0.0.1:9/v1', models: [{ id: 'model', cost }] } },
          caps: { session: { usd: 2 } },
        },
      },
    })
    expect((await say('one')).row).toMatchObject({ state: 'ok' })
    expect((await say('two')).row?.error).toContain(
      'this session today used 2.00 US dollars, and models.caps.session.usd allows 2.',
    )
    expect((await say('three', 'other')).row).toMatchObject({ state: 'ok' })
    const { providers, totals } = await house.call('usage.cost', {}).then(async answer => ({
      ...(await house?.call('usage.status', {})),
      totals: answer.totals,
    }))
    expect(totals).toEqual({
      ...{ input: 4, output: 2, cacheRead: 0, cacheWrite: 0, totalTokens: 6 },
      ...{ totalCost: 4, missingCostEntries: 0 },
    })
    expect(providers).toMatchObject([{ provider: 'test', windows: [{ label: 'Day', usedPercent: 4 }] }])
  })

  test('is on by default for each of the four, may be switched off, and never holds the built-in model', () => {
    const read = { usage: () => [row(CAPS_DEFAULT.day.tokens as number)] }
    const run = { runId: 'r', sessionKey: 's', jobId: 'j' }
    const about = { read, run, model: 'p/m', zone: 'UTC', nowMs: DAY_MS }
    const none = { tokens: undefined, usd: undefined }
    for (const name of ['turn', 'session', 'job', 'day'] as const) {
      const caps: Caps = { turn: none, session: none, job: none, day: none, [name]: CAPS_DEFAULT[name] }
      expect(capReached({ ...about, caps })).toContain(`models.caps.${name}.tokens`)
      expect(capReached({ ...about, caps, model: 'sluice/offline' })).toBeUndefined()
    }
    expect(capReached({ ...about, caps: { turn: none, session: none, job: none, day: none } })).toBeUndefined()
  })
})

describe('usage', () => {
  test('each answer is counted once, by day, for its run, session and all; what has no price is said to be missing', async () => {
    const clock = new FakeClock()
    const usage = { inputTokens: 100, outputTokens: 7, cacheReadTokens: 60, cacheWriteTokens: 30 }
    house = await openHouse(() => ({ ...text('done'), usage }), { clock })
    await say('one')
    await clock.advance(DAY_MS)
    await say('two')
    await say('three')
    const each = { input: 10, output: 7, cacheRead: 60, cacheWrite: 30, totalTokens: 107, totalCost: 0 }
    const times = (count: number) => ({
      ...Object.fromEntries(Object.entries(each).map(([name, value]) => [name, value * count])),
      missingCostEntries: count,
    })
    const answer = await house.call('usage.cost', { days: 7 })
    expect(answer).toMatchObject({
      days: 7,
      daily: [
        { date: '2026-11-22', ...times(1) },
        { date: '2026-11-23', ...times(2) },
      ],
      totals: times(3),
    })
    expect((await house.call('usage.cost', { days: 1 })).totals).toEqual(times(2))
    const run = house.store.read.usage({ scope: 'run:k-two', fromDay: '', by: 'model' })
    expect(run).toMatchObject([{ name: 'test/model', answers: 1, ...usage }])
    await settled()
  })

  test('is told of one session and of one job alone', async () => {
    const usage = { inputTokens: 100, outputTokens: 7 }
    house = await openHouse(() => ({ ...text('done'), usage }))
    await say('one')
    await say('two')
    const job = { name: 'j', schedule: { kind: 'every', everyMs: DAY_MS } }
    const { id } = await house.call('cron.add', { ...job, payload: { kind: 'agentTurn', message: 'work' } })
    await house.call('cron.run', { id, mode: 'force', wait: true })
    const tokens = async (params: object) => (await house?.call('usage.cost', params))?.totals.totalTokens
    expect(await tokens({})).toBe(3 * 107)
    expect(await tokens({ sessionKey: 'main' })).toBe(2 * 107)
    expect(await tokens({ jobId: id })).toBe(107)
    expect(await tokens({ sessionKey: `agent:main:cron:${id}` })).toBe(107)
    await expect(tokens({ jobId: id, sessionKey: 'main' })).rejects.toThrow('not both')
  })
})

function row(inputTokens: number) {
  const zero = { answers: 1, unpriced: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0, costMicroUsd: 0 }
  return { by: 'model' as const, name: 'p/m', inputTokens, ...zero }
}
