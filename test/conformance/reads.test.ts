// Every read that is advertised shows what was written before it: each is asked twice, which changes nothing, then after a
// write that should change it. The table is total over the catalogue.
import { describe, expect, test } from 'vitest'
import { loopback } from '../../src/channels/loopback/loopback.ts'
import { CATALOGUE, type MethodName } from '../../src/protocol/catalogue.ts'
import { settled } from '../fakes/clock.ts'
import { calls, type House, openHouse, type Play, text } from '../fakes/house.ts'

interface Read {
  readonly params?: (house: House) => object
  readonly before?: (house: House) => Promise<unknown>
  readonly write: (house: House) => Promise<unknown>
}

const say = (house: House, message: string) =>
  house.call('chat.send', { sessionKey: 'main', message, idempotencyKey: 'k' })
const add = (house: House, name: string) =>
  house.call('cron.add', {
    name,
    schedule: { kind: 'every', everyMs: 3_600_000 },
    payload: { kind: 'message', text: name },
  })
const jobId = (house: House) => house.store.read.dueJobs(Number.MAX_SAFE_INTEGER, 1)[0]?.job.id
const patchConfig = async (house: House, raw: string) =>
  house.call('config.patch', { raw, baseHash: (await house.call('config.get')).hash })
const ofMain = () => ({ sessionKey: 'main' })
const ofJob = (house: House) => ({ id: jobId(house) })

const READS: { readonly [M in MethodName]?: Read } = {
  'waits.list': { write: house => say(house, 'ask') },
  health: { write: house => say(house, 'hi') },
  status: { write: house => say(house, 'hi') },
  'config.get': { write: house => patchConfig(house, '{ messages: { queue: { cap: 7 } } }') },
  'cron.list': { write: house => add(house, 'a') },
  'cron.status': { write: house => add(house, 'a') },
  'cron.runs': {
    before: house => add(house, 'a'),
    params: ofJob,
    write: house => house.call('cron.run', { ...ofJob(house), mode: 'force' }),
  },
  'cron.history': {
    before: house => add(house, 'a'),
    write: house => house.call('cron.run', { ...ofJob(house), mode: 'force' }),
  },
  'cron.next': {
    before: house => add(house, 'a'),
    params: ofJob,
    write: house =>
      house.call('cron.update', { ...ofJob(house), patch: { schedule: { kind: 'every', everyMs: 60_000 } } }),
  },
  'cron.preview': {
    params: () => ({ when: 'in 20 minutes' }),
    write: async house => house.clock.advance(60_000),
  },
  'chat.history': { params: ofMain, write: house => say(house, 'hi') },
  'chat.unread': {
    before: house => say(house, 'hi'),
    params: ofMain,
    write: house => house.call('chat.inject', { ...ofMain(), message: 'psst' }),
  },
  'sessions.list': { write: house => say(house, 'hi') },
  'sessions.status': {
    before: house => say(house, 'hi'),
    params: () => ({ key: 'main' }),
    write: house => house.call('chat.inject', { ...ofMain(), message: 'psst' }),
  },
  'sessions.preview': { params: () => ({ keys: ['main'] }), write: house => say(house, 'hi') },
  'sessions.resolve': {
    before: house => house.call('sessions.patch', { key: 'a', label: 'one' }),
    params: () => ({ label: 'one' }),
    write: async house => {
      await house.call('sessions.patch', { key: 'a', label: 'two' })
      await house.call('sessions.patch', { key: 'b', label: 'one' })
    },
  },
  'agents.list': { write: house => patchConfig(house, "{ agents: { list: [{ id: 'a' }] } }") },
  'agent.identity.get': { write: house => patchConfig(house, "{ agents: { list: [{ id: 'main', name: 'Ann' }] } }") },
  'approvals.list': { write: house => say(house, 'ask') },
  'outbox.list': {
    write: house => house.call('send', { channel: 'line', to: 'a', message: 'hi', idempotencyKey: 'k' }),
  },
  'channels.pairing.list': {
    write: ({ store, clock }) => {
      const who = { channelId: 'line', personId: '1', chatId: '1', messageId: 'm', code: 'CODE' }
      const stranger = { ...who, createdAtMs: clock.now(), expiresAtMs: clock.now() + 60_000 }
      const question = { text: 'Let them in?', buttons: undefined, textLengthMax: 100 }
      return store.write.noteStranger({ stranger, question, openMax: 3, nowMs: clock.now() })
    },
  },
  'events.since': { params: () => ({ seq: 0 }), write: house => say(house, 'hi') },
  'system-presence': { write: house => house.call('system-event', { text: 'Node: mac', host: 'mac' }) },
  'last-heartbeat': { write: house => house.clock.advance(60_000 - (house.clock.now() % 60_000)) },
  'models.list': {
    write: house =>
      patchConfig(
        house,
        "{ models: { providers: { p: { baseUrl: 'http://127.0.0.1:1/v1', models: [{ id: 'm' }] } } } }",
      ),
  },
  'usage.status': { write: house => say(house, 'hi') },
  'usage.cost': { write: house => say(house, 'hi') },
  'exec.approvals.get': {
    write: house => house.call('exec.approvals.set', { file: { version: 1, defaults: { security: 'full' } } }),
  },
}

/** What no write of a client changes, or what is no read although it has no effect to repeat; with the reason. */
const ELSEWHERE: { readonly [M in MethodName]?: string } = {
  'config.schema': 'the same for as long as the version is',
  'chat.abort': 'stops turns: shown where turns are stopped',
  'chat.markRead': 'marks: shown by chat.unread in the store’s contract',
  'agent.wait': 'waits: shown by the runs’ own tests',
  'device.pair.list': 'devices pair by connecting: shown on a real gateway',
  'logs.tail': 'the log is a file: shown with one',
  'channels.status': 'channels stand from start to stop',
  'skills.status': 'there are none',
  'update.run': 'says how, and does nothing',
  'node.list': 'there are none',
  'node.pair.list': 'there are none',
}

const used = { ...text('said'), usage: { inputTokens: 30, outputTokens: 2 } }
const play: Play = ({ messages }) =>
  JSON.stringify(messages.at(-1)).includes('"ask"') ? calls({ name: 'exec', args: { command: 'ls' } }) : used
const config = {
  models: { providers: { test: { baseUrl: 'http://127.0.0.1:1/v1' } } },
  agents: { defaults: { model: 'test/m', heartbeat: { every: '1m' } } },
  tools: { exec: { security: 'allowlist' } },
}
const world = {
  processes: { find: async (name: string) => `/usr/bin/${name}`, run: () => Promise.reject(new Error('not run')) },
}

describe.each(Object.entries(READS))('%s', (name, { params = () => ({}), before, write }) => {
  const method = name as MethodName

  test('shows what was written', async () => {
    const line = loopback({ id: 'line', dedupesSends: false, fault: () => ({ kind: 'refused' }) })
    const house = await openHouse(play, { config, world, channels: [line] })
    // Reads are measured too, and the machine changes by itself: what is counted of them is no answer.
    const shown = async () => {
      const answer = await house.call(method, params(house))
      const { loopDelayMs: _, memoryBytes: __, slowest: ___, ...rest } = Object(answer) as Record<string, unknown>
      return answer === null ? answer : rest
    }
    try {
      await before?.(house)
      await settled()
      const first = await shown()
      expect(await shown()).toEqual(first)
      await write(house)
      await settled()
      expect(await shown()).not.toEqual(first)
    } finally {
      await house.close()
    }
  })
})

test('every method that reads is in the table, or says why not', () => {
  const reads = Object.entries(CATALOGUE).filter(([, { replay }]) => replay === 'read')
  expect(reads.map(([name]) => name).sort()).toEqual([...Object.keys(READS), ...Object.keys(ELSEWHERE)].sort())
})
