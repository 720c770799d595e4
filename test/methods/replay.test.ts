// T1 on every method that changes something: the same key again gives the first answer, or the run's present state, also
// after a restart and also when what it was about is gone; the same key with other params is refused; nothing happens
// twice. The table is total: the last test fails for a method that changes something and has no case.
import { rmSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { loopback } from '../../src/channels/loopback/loopback.ts'
import { CATALOGUE, type MethodName, type ParamsInput } from '../../src/protocol/catalogue.ts'
import { settled } from '../fakes/clock.ts'
import { calls, type House, openHouse, type Play, text } from '../fakes/house.ts'

interface Case<M extends MethodName> {
  /** Ids of what is there before, by name. */
  readonly before?: (house: House) => Promise<string>
  readonly params: (id: string, house: House) => ParamsInput<M>
  readonly others: (id: string, house: House) => ParamsInput<M>
  /** How often the effect is there; a repeat must not change it. */
  readonly count: (house: House, id: string) => number | Promise<number>
  /** Of the answer, what a repeat answers as the first time. */
  readonly same: (answer: unknown) => unknown
}

const every = { kind: 'every', everyMs: 3_600_000 } as const
const job = (name: string) => ({ name, schedule: every, payload: { kind: 'message', text: name } }) as never
const addJob = async (house: House) => (await house.call('cron.add', job('there'))).id
const inputs = (house: House, words: string) => {
  const sessions = house.store.read.sessions({ limit: 100 })
  const entries = sessions.flatMap(({ key }) => house.store.read.entries(key, 500))
  return entries.filter(({ body }) => body.kind === 'input' && body.text.includes(words)).length
}
const runIdOf = (answer: unknown) => (answer as { runId: string }).runId
const whole = (answer: unknown) => answer

const asking: Play = ({ messages }) =>
  messages.at(-1)?.role === 'user' && JSON.stringify(messages.at(-1)).includes('ask')
    ? calls({ name: 'exec', args: { command: 'ls' } })
    : text('said')

async function askedFor(house: House): Promise<string> {
  await house.call('chat.send', { sessionKey: 'asker', message: 'ask', idempotencyKey: 'asking' })
  await settled()
  return (await house.call('approvals.list')).approvals[0]?.id ?? ''
}

const device = { deviceId: 'd1', publicKey: 'k', platform: 'linux', clientId: 'cli', clientMode: 'cli' }
const pairing = { ...device, requestId: 'r1', role: 'operator', scopes: ['operator.read'], expiresAtMs: 9e15 }

async function waitingDevice({ store, clock }: House): Promise<string> {
  return (await store.write.requestPairing({ pairing, nowMs: clock.now() })).value.requestId
}

async function pairedDevice({ store, clock, parts }: House): Promise<string> {
  const paired = { pairing, seal: parts.deviceTokens.seal(), nowMs: clock.now() }
  return (await store.write.pairDevice(paired)).value.deviceId
}

async function waitingStranger({ store, clock }: House): Promise<string> {
  const who = { channelId: 'line', personId: '1', chatId: '1', messageId: 'm', code: 'CODE' }
  const stranger = { ...who, createdAtMs: clock.now(), expiresAtMs: clock.now() + 60_000 }
  const question = { text: 'Let them in?', buttons: undefined, textLengthMax: 100 }
  await store.write.noteStranger({ stranger, question, openMax: 3, nowMs: clock.now() })
  return 'CODE'
}

const CASES: { readonly [M in MethodName]?: Case<M> } = {
  'cron.add': {
    params: () => job('new'),
    others: () => job('other'),
    count: house => house.store.read.jobCount({ includeDisabled: true }),
    same: whole,
  },
  'cron.update': {
    before: addJob,
    params: id => ({ id, patch: { name: 'renamed' } }),
    others: id => ({ id, patch: { name: 'renamed otherwise' } }),
    count: (house, id) => house.store.read.job(id)?.revision ?? -1,
    same: whole,
  },
  'cron.remove': {
    before: addJob,
    params: id => ({ id }),
    others: () => ({ id: 'another' }),
    count: house => house.store.read.jobCount({ includeDisabled: true }),
    same: whole,
  },
  'cron.run': {
    before: addJob,
    params: id => ({ id, mode: 'force' }),
    others: id => ({ id, mode: 'due' }),
    count: (house, id) => house.store.read.occurrences(id, 100).length,
    same: whole,
  },
  'chat.send': {
    params: () => ({ sessionKey: 'main', message: 'hello', idempotencyKey: 'key' }),
    others: () => ({ sessionKey: 'main', message: 'other words', idempotencyKey: 'key' }),
    count: house => inputs(house, 'hello'),
    same: runIdOf,
  },
  agent: {
    params: () => ({ sessionKey: 'main', message: 'hello', idempotencyKey: 'key' }),
    others: () => ({ sessionKey: 'main', message: 'other words', idempotencyKey: 'key' }),
    count: house => inputs(house, 'hello'),
    same: runIdOf,
  },
  'sessions.send': {
    params: () => ({ sessionKey: 'other', message: 'hello' }),
    others: () => ({ sessionKey: 'other', message: 'other words' }),
    count: house => inputs(house, 'hello'),
    same: whole,
  },
  'sessions.spawn': {
    params: () => ({ task: 'hello', waitSeconds: 5 }),
    others: () => ({ task: 'other words' }),
    count: house => inputs(house, 'hello'),
    same: whole,
  },
  'sessions.reset': {
    before: async house => {
      await house.call('agent', { sessionKey: 'main', message: 'before', idempotencyKey: 'before' })
      return 'main'
    },
    params: key => ({ key }),
    others: () => ({ key: 'other' }),
    count: house => house.store.read.entries('agent:main:main', 100).length,
    same: whole,
  },
  'sessions.patch': {
    params: () => ({ key: 'a', label: 'one' }),
    others: () => ({ key: 'a', label: 'two' }),
    count: house => house.store.read.session('agent:main:a')?.updatedAtMs ?? -1,
    same: whole,
  },
  'sessions.delete': {
    before: async house => {
      await house.call('agent', { sessionKey: 'a', message: 'before', idempotencyKey: 'before' })
      return 'a'
    },
    params: key => ({ key }),
    others: () => ({ key: 'other' }),
    count: house => house.store.read.sessionCount(),
    same: whole,
  },
  'chat.inject': {
    before: async house => {
      await house.call('agent', { sessionKey: 'a', message: 'before', idempotencyKey: 'before' })
      return 'a'
    },
    params: key => ({ sessionKey: key, message: 'hello' }),
    others: key => ({ sessionKey: key, message: 'other words' }),
    count: house => house.store.read.unreadNotices('agent:main:a', 100).length,
    same: whole,
  },
  wake: {
    params: () => ({ mode: 'now', text: 'hello' }),
    others: () => ({ mode: 'now', text: 'other words' }),
    count: house => inputs(house, 'hello'),
    same: whole,
  },
  'sessions.compact': {
    before: async house => {
      await house.call('agent', { sessionKey: 'main', message: 'before', idempotencyKey: 'before' })
      return 'main'
    },
    params: key => ({ key, maxLines: 1 }),
    others: () => ({ maxLines: 2 }) as never,
    count: house => inputs(house, '/compact'),
    same: runIdOf,
  },
  'hooks.agent': {
    params: () => ({ message: 'hello' }),
    others: () => ({ message: 'other words' }),
    count: house => inputs(house, 'hello'),
    same: whole,
  },
  'tools.invoke': {
    params: () => ({ tool: 'cron', action: 'add', args: { job: job('by a tool') } }),
    others: () => ({ tool: 'cron', action: 'add', args: { job: job('another') } }),
    count: house => house.store.read.jobCount({ includeDisabled: true }),
    same: whole,
  },
  'exec.approval.resolve': {
    before: askedFor,
    params: id => ({ id, decision: 'deny' }),
    others: id => ({ id, decision: 'allow-once' }),
    count: house => house.events.filter(({ event }) => event === 'exec.approval.resolved').length,
    same: whole,
  },
  'outbox.resend': {
    before: async ({ store, clock }) => {
      const [route, nowMs] = [{ channelId: 'c', chatId: 'c', textLengthMax: 100 }, clock.now()]
      await store.write.queueControl({ id: 'a', sessionKey: 's', route, text: 'a', nowMs })
      await store.write.claimSend({ id: 'a#1', epoch: store.epoch, nowMs })
      const fence = { id: 'a#1', epoch: store.epoch, attempt: 1 }
      await store.write.endSend({ fence, end: { state: 'failed', error: 'no' }, nowMs })
      return 'a#1'
    },
    params: id => ({ id }),
    others: () => ({ id: 'another' }),
    count: house => house.store.read.dueSends({ channelId: 'c', nowMs: house.clock.now(), limit: 9 }).length,
    same: whole,
  },
  'device.pair.approve': {
    before: waitingDevice,
    params: requestId => ({ requestId }),
    others: () => ({ requestId: 'another' }),
    count: house => house.store.read.devices(9).length,
    same: whole,
  },
  'device.pair.reject': {
    before: waitingDevice,
    params: requestId => ({ requestId }),
    others: () => ({ requestId: 'another' }),
    count: house => house.events.filter(({ event }) => event === 'device.pair.resolved').length,
    same: whole,
  },
  'device.token.rotate': {
    before: pairedDevice,
    params: deviceId => ({ deviceId, role: 'operator' }),
    others: () => ({ deviceId: 'another', role: 'operator' }),
    count: house => house.store.read.devices(9)[0]?.tokens[0]?.rotatedAtMs ?? -1,
    same: whole,
  },
  'device.token.revoke': {
    before: pairedDevice,
    params: deviceId => ({ deviceId, role: 'operator' }),
    others: () => ({ deviceId: 'another', role: 'operator' }),
    count: house => house.store.read.devices(9)[0]?.tokens[0]?.revokedAtMs ?? -1,
    same: whole,
  },
  'channels.pairing.approve': {
    before: waitingStranger,
    params: code => ({ code }),
    others: () => ({ code: 'ANOTHER' }),
    count: house => house.store.read.people(9).length,
    same: whole,
  },
  'channels.pairing.deny': {
    before: waitingStranger,
    params: code => ({ code }),
    others: () => ({ code: 'ANOTHER' }),
    count: house => (house.store.read.stranger({ channelId: 'line', personId: '1', nowMs: 0 })?.deniedBy ? 1 : 0),
    same: whole,
  },
  'channels.pairing.revoke': {
    before: async house => {
      await house.call('channels.pairing.approve', { code: await waitingStranger(house) })
      return '1'
    },
    params: person => ({ channel: 'line', person }),
    others: () => ({ channel: 'line', person: 'another' }),
    count: house => house.store.read.people(9).length,
    same: whole,
  },
  'config.patch': {
    params: () => ({ raw: '{ messages: { queue: { cap: 7 } } }', baseHash: '' }),
    others: () => ({ raw: '{ messages: { queue: { cap: 8 } } }', baseHash: '' }),
    count: house => house.parts.settings().queue.ahead,
    same: whole,
  },
  'config.set': {
    params: () => ({ raw: '{ messages: { queue: { cap: 7 } } }', baseHash: '' }),
    others: () => ({ raw: '{ messages: { queue: { cap: 8 } } }', baseHash: '' }),
    count: house => house.parts.settings().queue.ahead,
    same: whole,
  },
  'config.apply': {
    params: () => ({ raw: '{ messages: { queue: { cap: 7 } } }', baseHash: '' }),
    others: () => ({ raw: '{ messages: { queue: { cap: 8 } } }', baseHash: '' }),
    count: house => house.parts.settings().queue.ahead,
    same: whole,
  },
  'system-event': {
    params: () => ({ text: 'hello' }),
    others: () => ({ text: 'other words' }),
    count: house => inputs(house, 'hello'),
    same: whole,
  },
  'set-heartbeats': {
    params: () => ({ enabled: false }),
    others: () => ({ enabled: true }),
    count: house => Number(house.parts.heartbeats.enabled),
    same: whole,
  },
  'exec.approvals.set': {
    params: () => ({ file: { version: 1, agents: { main: { allowlist: [{ pattern: 'ls' }] } } } }),
    others: () => ({ file: { version: 1, agents: { main: { allowlist: [{ pattern: 'rm' }] } } } }),
    count: house => house.parts.settings().exec.allow.length,
    same: whole,
  },
  send: {
    params: () => ({ channel: 'line', to: 'a', message: 'hello', idempotencyKey: 'key' }),
    others: () => ({ channel: 'line', to: 'b', message: 'hello', idempotencyKey: 'key' }),
    count: house => house.store.read.openSends(100).length,
    same: whole,
  },
  'gateway.restart': {
    params: () => ({ reason: 'new' }),
    others: () => ({ reason: 'other' }),
    count: house => house.restarts.length,
    same: whole,
  },
}

const config = { tools: { exec: { security: 'allowlist' } } }
const world = {
  processes: {
    find: async (name: string) => `/usr/bin/${name}`,
    run: () => Promise.reject(new Error('nothing is run here')),
  },
}

/** What is sent there is refused, so it stays to be counted. */
const channels = () => [loopback({ id: 'line', dedupesSends: false, fault: () => ({ kind: 'refused' }) })]

async function withHash(house: House, method: MethodName, params: object): Promise<object> {
  return method.startsWith('config.') ? { ...params, baseHash: (await house.call('config.get')).hash } : params
}

describe.each(Object.keys(CASES) as MethodName[])('T1: %s', method => {
  const one = CASES[method] as Case<MethodName>

  test('a repeat is the first call; other params under its key are refused; a restart changes neither', async () => {
    const first = await openHouse(asking, { config, world, channels: channels() })
    const id = (await one.before?.(first)) ?? ''
    const params = await withHash(first, method, one.params(id, first))
    const others = {
      ...params,
      ...one.others(id, first),
      ...(method.startsWith('config.') && { baseHash: (params as { baseHash: string }).baseHash }),
    }
    const keyed = (sent: object) =>
      (sent as { idempotencyKey?: string }).idempotencyKey ? sent : { ...sent, idempotencyKey: 'key' }
    const answer = await first.call(method, keyed(params))
    await settled()
    const count = await one.count(first, id)
    expect(one.same(await first.call(method, keyed(params)))).toEqual(one.same(answer))
    await expect(first.call(method, keyed(others))).rejects.toMatchObject({ code: 'CONFLICT' })
    await settled()
    expect(await one.count(first, id)).toBe(count)
    if (method.startsWith('cron.') && id !== '') await first.call('cron.remove', { id })
    const { clock, folder, files } = first
    await first.leave()
    const again = await openHouse(asking, { config, world, clock, folder, channels: channels() })
    try {
      Object.assign(again.files, files)
      await settled()
      expect(one.same(await again.call(method, keyed(params)))).toEqual(one.same(answer))
      await expect(again.call(method, keyed(others))).rejects.toMatchObject({ code: 'CONFLICT' })
      expect(again.restarts).toEqual([])
    } finally {
      await again.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

test('T1: what is not in the table says itself that a repeat may run again', () => {
  const rest = Object.entries(CATALOGUE).filter(([name]) => !Object.hasOwn(CASES, name))
  expect(rest.filter(([, { replay }]) => replay !== 'read')).toEqual([])
})
