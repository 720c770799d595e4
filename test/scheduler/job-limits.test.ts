// What a job lets its runs have: model and fallbacks, thinking, tools, a budget; where their result goes; and who made it.
import { afterEach, describe, expect, test } from 'vitest'
import { HOUR, MINUTE } from '../../src/base/durations.ts'
import type { Channel } from '../../src/channels/port.ts'
import type { Job } from '../../src/protocol/job.ts'
import type { ModelRequest } from '../../src/providers/model.ts'
import { targetOf } from '../../src/scheduler/delivery-target.ts'
import { inlineRunner } from '../../src/turns/perform.ts'
import type { TurnTask } from '../../src/turns/runner.ts'
import { settled } from '../fakes/clock.ts'
import { calls, type House, openHouse, type Play, text } from '../fakes/house.ts'

const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})
async function house(play: Play, options: Parameters<typeof openHouse>[1] = {}): Promise<House> {
  const made = await openHouse(play, options)
  open.push(made)
  return made
}
const provider = { baseUrl: 'http://127.0.0.1:9/v1' }
const config = { models: { providers: { a: provider, b: provider } } }
const job = {
  name: 'report',
  schedule: { kind: 'every', everyMs: HOUR },
  payload: { kind: 'agentTurn', message: 'report' },
}
const payload = (more: object) => ({ ...job.payload, ...more })
const rows = async (one: House, id: string) => (await one.call('cron.runs', { id })).entries

/** The tasks and requests of all turns. */
function watched() {
  const tasks: TurnTask[] = []
  const requests: ModelRequest[] = []
  const inner = inlineRunner(() => ({
    ref: 'a/one',
    async *stream(request) {
      requests.push(request)
      yield text('done')
    },
  }))
  const runner = {
    ...inner,
    run: (...[task, ...more]: Parameters<typeof inner.run>) => {
      tasks.push(task)
      return inner.run(task, ...more)
    },
  }
  return { tasks, requests, runner }
}

test('its model, fallbacks, thinking and tools are those of its turn, as they were when it was claimed', async () => {
  const { tasks, requests, runner } = watched()
  const one = await house(() => text(''), { runner, config })
  const more = { model: 'a/one', fallbacks: ['b/two'], thinking: 'high', tools: ['cron'] }
  const made = await one.call('cron.add', { ...job, payload: payload(more) })
  expect(made).not.toHaveProperty('warnings')
  await one.clock.advance(HOUR)
  expect(tasks[0]?.model).toMatchObject({ kind: 'chain', links: [{ ref: 'a/one' }, { ref: 'b/two' }] })
  expect(requests[0]).toMatchObject({ thinking: 'high', tools: [{ name: 'cron' }] })
  expect(requests[0]?.tools).toHaveLength(1)
  const [row] = await rows(one, made.id)
  expect(one.store.read.run(row?.runId as string)).toMatchObject({ model: 'a/one', rules: { tools: ['cron'] } })
})

test('what would make its runs fail is a warning when it is made, and a failure when it runs', async () => {
  const one = await house(() => text('done'), { config })
  const made = await one.call('cron.add', {
    ...job,
    payload: payload({ model: 'c/x', fallbacks: ['b/two', 'nothing'], thinking: 'hard', tools: ['teleport'] }),
  })
  expect(made.warnings?.map(words => words.split(':')[0])).toEqual([
    'payload.tools',
    'payload.model',
    'payload.fallbacks[1]',
    'payload.thinking',
  ])
  await one.clock.advance(HOUR)
  expect(await rows(one, made.id)).toMatchObject([{ state: 'failed', failure: 'permanent', attempt: 1 }])
})

describe('tools', () => {
  const adding = (more: object) =>
    calls({ name: 'cron', args: { action: 'add', job: { ...job, payload: payload(more) } } })
  const results = (one: House, runId: string) =>
    one.store.read.runEntries(runId).flatMap(({ body }) => (body.kind === 'result' ? [JSON.parse(body.text)] : []))

  test('of a job that a turn makes are never more than the turn has', async () => {
    let asked = 0
    const more = [{}, { tools: ['cron'] }, { tools: ['cron', 'gateway'] }]
    const one = await house(() => {
      asked += 1
      return asked <= more.length ? adding(more[asked - 1] as object) : text('done')
    })
    const maker = await one.call('cron.add', { ...job, payload: payload({ tools: ['cron', 'sessions_list'] }) })
    const { runId } = await one.call('cron.run', { id: maker.id, mode: 'force' })
    await settled()
    const [inherits, fewer, beyond] = results(one, runId as string)
    expect(inherits.payload.tools).toEqual(['cron', 'sessions_list'])
    expect(fewer.payload.tools).toEqual(['cron'])
    expect(beyond).toMatchObject({ status: 'error', code: 'FORBIDDEN' })
    expect(beyond.error).toContain('has no tool "gateway"')
    // Nor does it come by another's: a job with more is not its to change.
    asked = 0
    const wide = await one.call('cron.add', { ...job, name: 'wide', payload: payload({ tools: ['gateway'] }) })
    one.play(() => {
      asked += 1
      const patch = { payload: payload({ message: 'restart' }) }
      return asked === 1 ? calls({ name: 'cron', args: { action: 'update', id: wide.id, patch } }) : text('done')
    })
    const second = await one.call('cron.run', { id: maker.id, mode: 'force' })
    await settled()
    expect(results(one, second.runId as string)).toMatchObject([{ code: 'FORBIDDEN' }])
    expect((await one.call('cron.list')).jobs.find(({ id }) => id === wide.id)?.payload).toEqual(wide.payload)
  })

  test('of a job that an unlimited turn makes stay unlimited', async () => {
    let asked = 0
    const one = await house(() => {
      asked += 1
      return asked === 1 ? adding({}) : text('done')
    })
    await one.call('chat.send', { sessionKey: 'main', message: 'go', idempotencyKey: 'go' })
    await one.call('agent.wait', { runId: 'go', timeoutMs: 1_000 })
    const [made] = results(one, 'go')
    expect(made.payload).not.toHaveProperty('tools')
    expect(made).toMatchObject({
      madeBy: { kind: 'agent' },
      delivery: { to: 'session', sessionKey: 'agent:main:main' },
    })
    await one.call('cron.add', { ...job, name: 'mine' })
    const agents = await one.call('cron.list', { madeBy: 'agent' })
    expect(agents).toMatchObject({ total: 1, jobs: [{ id: made.id }] })
    await one.call('cron.update', { id: made.id, patch: { enabled: false } })
    expect((await one.call('cron.list', { madeBy: 'agent' })).jobs).toEqual([])
    expect((await one.call('cron.list', { madeBy: 'agent', includeDisabled: true })).total).toBe(1)
  })
})

test('a job is found by its name, or the beginning of its id, however many there are', async () => {
  const one = await house(() => text('done'))
  const listed = async (named: string) => (await one.call('cron.list', { named, includeDisabled: true })).jobs
  const made = []
  for (const name of ['Report', 'other', 'report ']) made.push(await one.call('cron.add', { ...job, name }))
  expect((await listed('REPORT')).map(({ id }) => id).sort()).toEqual([made[0]?.id, made[2]?.id].sort())
  expect(await listed(made[1]?.id.slice(0, 8) as string)).toMatchObject([{ name: 'other' }])
  expect(await listed('repor')).toEqual([])
})

describe('a budget', () => {
  const busy: Play = ({ messages }) => ({
    ...calls({ name: 'cron', args: { action: 'list', limit: messages.length } }),
    usage: { inputTokens: 39, outputTokens: 1 },
  })
  test('of one run ends it, with the member that did, and is not tried again', async () => {
    const one = await house(busy)
    const made = await one.call('cron.add', { ...job, policy: { budget: { runTokens: 100 } } })
    await one.clock.advance(HOUR)
    const error = `Paused: this turn used 120 tokens, and policy.budget.runTokens of its job allows 100. To go on at once, raise that with sluice cron edit ${made.id}.`
    expect(await rows(one, made.id)).toMatchObject([{ state: 'failed', failure: 'refused', error, inputTokens: 117 }])
    await one.clock.advance(HOUR - 1)
    expect(await rows(one, made.id)).toHaveLength(1)
  })

  test('of a day stops its runs for that day, of this job alone, and never allows more than the config', async () => {
    const one = await house(() => ({ ...text('done'), usage: { inputTokens: 49, outputTokens: 1 } }), {
      config: { models: { caps: { job: { tokens: 100 } } } },
    })
    const capped = await one.call('cron.add', { ...job, policy: { budget: { dayTokens: 50 } } })
    const wide = await one.call('cron.add', { ...job, name: 'wide', policy: { budget: { dayTokens: 1_000 } } })
    await one.clock.advance(3 * HOUR + MINUTE)
    const [, second] = await rows(one, capped.id)
    expect(second).toMatchObject({ state: 'failed', failure: 'refused' })
    expect(second?.error).toMatch(
      /this job today used 50 tokens, and policy\.budget\.dayTokens of its job allows 50\. It frees at/,
    )
    expect((await rows(one, wide.id)).map(({ state }) => state)).toEqual(['ok', 'ok', 'failed'])
    // A patch names what it changes.
    const patched = await one.call('cron.update', { id: capped.id, patch: { policy: { budget: { runUsd: 1 } } } })
    expect(patched.policy?.budget).toEqual({ dayTokens: 50, runUsd: 1 })
    const cleared = await one.call('cron.update', { id: capped.id, patch: { policy: { budget: null } } })
    expect(cleared.policy).not.toHaveProperty('budget')
  })
})

describe('its result', () => {
  const sent: string[] = []
  const chats: Channel = {
    id: 'chats',
    capabilities: { dedupesSends: true, textLengthMax: 1_000 },
    start: async () => undefined,
    stop: async () => undefined,
    send: async ({ chatId, text: words }) => {
      sent.push(`${chatId}: ${words}`)
      return { id: '1' }
    },
  }
  const told = async (one: House) =>
    (await one.call('chat.unread', { sessionKey: 'main' })).notices.map(({ text }) => text)

  test.each<[object, object, string[], string[], string]>([
    [{}, { to: 'session', sessionKey: 'agent:main:main' }, [], ['done'], 'ok'],
    [{ deliver: false }, { to: 'none' }, [], [], 'ok'],
    [{ channel: 'chats', to: '7' }, { to: 'chat', channel: 'chats', chat: '7' }, ['7: done'], [], 'ok'],
    [{ channel: 'nowhere', to: '7', bestEffortDeliver: true }, { to: 'missing' }, [], ['done'], 'ok'],
    [{ channel: 'chats' }, { to: 'missing' }, [], [], 'failed'],
    [{ to: '7' }, { to: 'missing' }, [], [], 'failed'],
  ])('with %j goes to %j', async (...[more, delivery, sends, notices, state]) => {
    sent.length = 0
    const one = await house(() => text('done'), { channels: [chats] })
    const made = await one.call('cron.add', { ...job, payload: payload(more), policy: { failureAlert: false } })
    const next = await one.call('cron.next', { id: made.id })
    expect(next.delivery).toEqual(delivery)
    const isMissing = next.delivery.to === 'missing'
    expect([made.warnings?.length ?? 0, next.warnings?.length ?? 0]).toEqual(isMissing ? [1, 1] : [0, 0])
    await one.clock.advance(HOUR + MINUTE)
    expect([sent, await told(one)]).toEqual([sends, notices])
    const [row] = await rows(one, made.id)
    expect(row).toMatchObject({ state, summary: 'done' })
    if (state === 'failed') expect(row?.error).toContain('could not be delivered')
    if (sends.length > 0) expect(row?.delivery).toBe('sent')
  })

  test('a chat whose channel is gone is not said to be one where its person reads', () => {
    const route = { channelId: 'chats', chatId: '9', textLengthMax: 100 }
    const target = (channels: readonly string[], more = {}) =>
      targetOf(payload(more) as Job['payload'], {
        sessionKey: 's',
        route,
        channels: channels.map(id => ({ id, textLengthMax: 100 })),
      })
    expect(target(['chats'])).toEqual({ kind: 'session', sessionKey: 's', route })
    expect(target(['others'])).toEqual({ kind: 'session', sessionKey: 's', route: undefined })
    expect(target(['others'], { channel: 'last', to: '9' })).toMatchObject({ kind: 'missing' })
  })
})
