// The facts of single methods, in process: what they take, answer and refuse, in the words of the wire.
import { afterAll, beforeAll, expect } from 'vitest'
import type { MethodName, ParamsInput } from '../../src/protocol/catalogue.ts'
import { settled } from '../fakes/clock.ts'
import { type House, openHouse, text } from '../fakes/house.ts'
import { conformance } from './conformance.ts'
import { refusalOf } from './refusal.ts'

let house: House
beforeAll(async () => {
  house = await openHouse(() => text('said'))
})
afterAll(() => house.close())

const every = { kind: 'every', everyMs: 3_600_000 }
const turn = { kind: 'agentTurn', message: 'hi' }
const job = (name: string, more: object = {}): ParamsInput<'cron.add'> =>
  ({ name, schedule: every, payload: turn, ...more }) as never

const refusal = (method: MethodName, params: unknown) => refusalOf(house, method, params)

conformance('C-11', async () => {
  const { id } = await house.call('cron.add', { job: job('wrapped', { agentId: ' Main ', enabled: 'TRUE' }) })
  expect(house.store.read.job(id)?.job).toMatchObject({ name: 'wrapped', agentId: 'main', enabled: true })
  const at = { schedule: { at: '2030-01-01T08:00:00Z' }, payload: { ...turn, provider: ' Telegram ' } }
  const dated = await house.call('cron.add', { data: job('dated', at) })
  expect(dated).toMatchObject({
    ...{ schedule: { kind: 'at', atMs: Date.UTC(2030, 0, 1, 8) }, payload: { channel: 'telegram' } },
    ...{ sessionTarget: 'isolated', wakeMode: 'next-heartbeat', enabled: true },
  })
  expect(await house.call('cron.update', { jobId: id, patch: { name: 'renamed' } })).toMatchObject({ name: 'renamed' })
  expect(await house.call('cron.remove', { jobId: id })).toMatchObject({ ok: true, removed: true })
})

conformance('C-13', async () => {
  const raw = '{ messages: { queue: { cap: 9 } } }'
  const { hash: first } = await house.call('config.get')
  await house.call('config.set', { raw, baseHash: first })
  const { hash } = await house.call('config.get')
  expect(hash).toMatch(/^[0-9a-f]{64}$/)
  expect((await refusal('config.set', { raw })).message).toBe('config base hash required; re-run config.get and retry')
  await house.call('config.patch', { raw: '{ messages: { queue: { cap: 8 } } }', baseHash: hash })
  expect((await refusal('config.patch', { raw, baseHash: hash })).message).toBe(
    'config changed since last load; re-run config.get and retry',
  )
  expect((await house.call('config.get')).config).toMatchObject({ messages: { queue: { cap: 8 } } })
})

conformance('ERR-1', async () => {
  const unknown = { code: 'UNAVAILABLE', message: 'Error: unknown cron job id: zzz' }
  expect(await refusal('cron.run', { id: 'zzz' })).toEqual(unknown)
  expect(await refusal('cron.update', { id: 'zzz', patch: { name: 'x' } })).toEqual(unknown)
})

conformance('ERR-2', async () => {
  const { message } = await refusal('cron.list', { surprise: true })
  expect(message).toBe("invalid cron.list params: at root: unexpected property 'surprise'")
})

conformance('SYS-2', async () => {
  expect(await house.call('last-heartbeat')).toBeNull()
  expect(await house.call('set-heartbeats', { enabled: false })).toEqual({ ok: true, enabled: false })
  expect((await refusal('set-heartbeats', {})).message).toBe(
    'invalid set-heartbeats params: enabled (boolean) required',
  )
})

conformance('SYS-3', async () => {
  expect(await house.call('wake', { mode: 'now', text: '  ' })).toEqual({ ok: false })
  expect(await house.call('wake', { mode: 'next-heartbeat', text: 'The door is open.' })).toEqual({ ok: true })
  await settled()
  const inputs = house.store.read
    .entries('agent:main:main', 20)
    .flatMap(({ body }) => (body.kind === 'input' ? body.text : []))
  expect(inputs).toEqual([expect.stringMatching(/^System: \[.+\] The door is open\.$/)])
})

conformance('SYS-5', async () => {
  expect((await refusal('tts.status' as MethodName, {})).message).toBe('unknown method: tts.status')
  expect(await house.call('node.list')).toMatchObject({ nodes: [] })
  expect(await house.call('skills.status')).toMatchObject({ skills: [] })
  expect(await house.call('channels.status')).toMatchObject({ channelOrder: [], channels: {}, channelAccounts: {} })
  expect(await house.call('update.run')).toMatchObject({ ok: false, result: { steps: [] }, restart: null })
})

conformance('CRON-1', async () => {
  expect(await house.call('cron.remove', { id: 'zzz' })).toMatchObject({ ok: true, removed: false })
})

conformance('CRON-2', async () => {
  const { id } = await house.call('cron.add', job('later'))
  expect(await house.call('cron.run', { id })).toMatchObject({ ok: true, ran: false, reason: 'not-due' })
  expect(await house.call('cron.run', { id, mode: 'force' })).toMatchObject({ ok: true, ran: true })
})

conformance('CRON-3', async () => {
  expect((await refusal('cron.remove', {})).code).toBe('INVALID_REQUEST')
  expect((await refusal('cron.remove', { id: 'a', jobId: 'b' })).code).toBe('INVALID_REQUEST')
})

conformance('CRON-4', async () => {
  const event = { kind: 'systemEvent', text: 'x' }
  expect((await refusal('cron.add', job('a', { sessionTarget: 'main' }))).message).toContain(
    'main cron jobs require payload.kind="systemEvent"',
  )
  expect((await refusal('cron.add', job('b', { sessionTarget: 'isolated', payload: event }))).message).toContain(
    'isolated cron jobs require payload.kind="agentTurn"',
  )
})

conformance('CRON-5', async () => {
  const { message } = await refusal('cron.add', job('a', { state: {} }))
  expect(message).toMatch(/^invalid cron\.add params: .*unexpected property 'state'/)
})

conformance('CRON-6', async () => {
  const { id } = await house.call('cron.add', job('followed'))
  await house.call('cron.update', { id, patch: { name: 'still followed' } })
  await house.call('cron.run', { id, mode: 'force' })
  await settled()
  await house.call('cron.remove', { id })
  const told = house.events.flatMap(({ event, payload }) => {
    const { jobId, action } = payload as { jobId?: string; action?: string }
    return event === 'cron' && jobId === id ? [action] : []
  })
  expect(told).toEqual(['added', 'updated', 'started', 'finished', 'removed'])
})

conformance('CRON-7', async () => {
  const { id } = await house.call('cron.add', job('kept'))
  const before = house.store.read.job(id)
  await refusal('cron.update', { id, patch: { schedule: { kind: 'cron', expr: 'never' } } })
  await refusal('cron.update', { id, patch: { sessionTarget: 'main' } })
  expect(house.store.read.job(id)).toEqual(before)
})

conformance('CRON-8', async () => {
  const added = await house.call('cron.add', job('bare', { schedule: { kind: 'at', at: '2030-06-01T08:00:00' } }))
  expect(added).toMatchObject({ schedule: { atMs: Date.UTC(2030, 5, 1, 8) } })
})

conformance('CHAT-2', async () => {
  for (const message of ['/stop', 'stop', 'ESC', ' abort ']) {
    const answer = await house.call('chat.send', { sessionKey: 'quiet', message, idempotencyKey: message })
    expect(answer).toEqual({ ok: true, aborted: false, runIds: [] })
  }
  expect(house.store.read.session('agent:main:quiet')).toBeUndefined()
})

conformance('CHAT-4', async () => {
  await house.call('chat.send', { sessionKey: 'told', message: 'hi', idempotencyKey: 'told' })
  await settled()
  const { messages, sessionKey } = await house.call('chat.history', { sessionKey: 'told' })
  expect(sessionKey).toBe('told')
  expect(messages).toMatchObject([
    { role: 'user', content: [{ type: 'text', text: 'hi' }], timestamp: expect.any(Number) },
    { role: 'assistant', content: [{ type: 'text', text: 'said' }], timestamp: expect.any(Number) },
  ])
})

conformance('CHAT-5', async () => {
  await house.call('chat.send', { sessionKey: 'one', message: 'hi', idempotencyKey: 'of-one' })
  const { message } = await refusal('chat.abort', { sessionKey: 'two', runId: 'of-one' })
  expect(message).toBe('runId does not match sessionKey')
})

conformance('SESS-1', async () => {
  const { entry } = await house.call('sessions.patch', { key: 'named', label: 'Garden' })
  for (const by of [{ key: 'named' }, { label: 'Garden' }, { sessionId: entry.sessionId }]) {
    expect(await house.call('sessions.resolve', by)).toEqual({ ok: true, key: 'agent:main:named' })
  }
  expect((await refusal('sessions.resolve', {})).message).toBe('Either key, sessionId, or label is required')
  expect((await refusal('sessions.resolve', { key: 'a', label: 'b' })).message).toBe(
    'Provide either key, sessionId, or label (not multiple)',
  )
  expect((await refusal('sessions.resolve', { label: 'Attic' })).message).toBe('No session found with label: Attic')
})

conformance('SESS-2', async () => {
  await house.call('sessions.patch', { key: 'first', label: 'Cellar' })
  expect((await refusal('sessions.patch', { key: 'second', label: 'Cellar' })).message).toBe(
    'label already in use: Cellar',
  )
})

conformance('SESS-3', async () => {
  expect((await refusal('sessions.delete', { key: 'main' })).message).toBe(
    'Cannot delete the main session (agent:main:main).',
  )
})

conformance('SESS-4', async () => {
  const { entry: before } = await house.call('sessions.patch', { key: 'again', label: 'Again' })
  const { key, entry } = await house.call('sessions.reset', { key: 'again' })
  expect(key).toBe('agent:main:again')
  expect(entry.sessionId).not.toBe(before.sessionId)
  expect(await house.call('sessions.resolve', { label: 'Again' })).toMatchObject({ key })
})

conformance('SESS-5', async () => {
  const { previews } = await house.call('sessions.preview', { keys: ['nowhere', 'agent:main:nowhere'] })
  expect(previews).toEqual(['nowhere', 'agent:main:nowhere'].map(key => ({ key, status: 'missing', items: [] })))
})

conformance('CRON-9', async () => {
  const own = await openHouse(() => text('said'))
  try {
    for (const [name, everyMs] of [
      ['late', 7_200_000],
      ['soon', 60_000],
      ['mid', 3_600_000],
    ] as const) {
      await own.call('cron.add', job(name, { schedule: { kind: 'every', everyMs } }))
    }
    await own.call('cron.add', job('off', { enabled: false }))
    const names = async (params: object) => (await own.call('cron.list', params)).jobs.map(({ name }) => name)
    expect(await names({})).toEqual(['soon', 'mid', 'late'])
    expect((await names({ includeDisabled: true })).toSorted()).toEqual(['late', 'mid', 'off', 'soon'])
    expect(await own.call('cron.status')).toMatchObject({ enabled: true, nextWakeAtMs: own.clock.now() + 60_000 })
  } finally {
    await own.close()
  }
})

conformance('CRON-10', async () => {
  const own = await openHouse(() => text('said'))
  try {
    expect(await own.call('cron.status')).toMatchObject({
      ...{ enabled: true, storePath: expect.any(String), jobs: 0, nextWakeAtMs: null },
    })
    await own.call('cron.add', job('one'))
    expect(await own.call('cron.status')).toMatchObject({ jobs: 1, nextWakeAtMs: expect.any(Number) })
  } finally {
    await own.close()
  }
})

conformance('CRON-11', async () => {
  expect(await house.call('cron.runs', { id: 'zzz' })).toMatchObject({ entries: [] })
  const { id } = await house.call('cron.add', job('run often'))
  for (let n = 0; n < 3; n += 1) {
    await house.call('cron.run', { id, mode: 'force' })
    await settled()
    await house.clock.advance(1_000)
  }
  const all = (await house.call('cron.runs', { id })).entries
  expect(all.map(({ ts }) => ts)).toEqual(all.map(({ ts }) => ts).toSorted((a, b) => a - b))
  expect(all).toHaveLength(3)
  expect(all[0]).toMatchObject({
    ...{ jobId: id, action: 'finished', status: 'ok', summary: 'said' },
    ...{ ts: expect.any(Number), runAtMs: expect.any(Number), durationMs: expect.any(Number) },
  })
  expect((await house.call('cron.runs', { id, limit: 2 })).entries).toEqual(all.slice(1))
})

conformance('CRON-12', async () => {
  const wrong = [
    job('a', { surprise: 1 }),
    job('b', { schedule: { kind: 'every', everyMs: '60000' } }),
    job('c', { schedule: '10m' }),
    job('d', { schedule: { kind: 'every', everyMs: '10m' } }),
    job('e', { payload: { message: 'hi' } }),
    { schedule: every, payload: turn },
    { job: { data: job('f') } },
  ]
  for (const params of wrong) {
    const refused = await refusal('cron.add', params)
    expect(refused, JSON.stringify(params)).toMatchObject({
      ...{ code: 'INVALID_REQUEST', message: expect.stringMatching(/^invalid cron\.add params: /) },
    })
  }
})

conformance('CRON-13', async () => {
  const cron = (expr: string, tz?: string) => job('x', { schedule: { kind: 'cron', expr, ...(tz && { tz }) } })
  expect((await refusal('cron.add', cron('never'))).message).toMatch(/^TypeError: CronPattern: /)
  expect((await refusal('cron.add', cron('0 9 * * *', 'Mars/Olympus'))).message).toMatch(
    /^RangeError: Invalid time zone specified: Mars\/Olympus/,
  )
})

conformance('CRON-14', async () => {
  const isolation = { postToMainPrefix: 'P', postToMainMode: 'full' }
  const payload = { ...turn, timeoutSeconds: 9 }
  const { id } = await house.call('cron.add', job('whole', { agentId: 'main', description: 'x', payload, isolation }))
  const patch = { payload: { kind: 'agentTurn', message: 'new' }, isolation: { postToMainPrefix: 'Q' } }
  expect(await house.call('cron.update', { id, patch })).toMatchObject({
    ...{ payload: { kind: 'agentTurn', message: 'new', timeoutSeconds: 9 }, agentId: 'main' },
  })
  const cleared = await house.call('cron.update', { id, patch: { agentId: null, description: ' ' } })
  expect(cleared.isolation).toEqual({ postToMainPrefix: 'Q' })
  expect(cleared).not.toHaveProperty('agentId')
  expect(cleared).not.toHaveProperty('description')
})

conformance('CRON-15', async () => {
  const { id } = await house.call('cron.add', job('switched'))
  const patch = { sessionTarget: 'main', payload: { kind: 'systemEvent' } }
  expect((await refusal('cron.update', { id, patch })).message).toMatch(
    /cron\.update payload\.kind="systemEvent" requires text/,
  )
})

conformance('CRON-16', async () => {
  const { id } = await house.call('cron.add', job('switched off'))
  const off = await house.call('cron.update', { id, patch: { enabled: false } })
  expect(off).toMatchObject({ enabled: false, state: {} })
  expect(off.state).not.toHaveProperty('nextRunAtMs')
  const on = await house.call('cron.update', { id, patch: { enabled: true } })
  expect(on.state.nextRunAtMs).toBeGreaterThan(house.clock.now())
})

conformance('CRON-17', async () => {
  const at = { schedule: { kind: 'at', atMs: house.clock.now() + 1_000 } }
  const kept = await house.call('cron.add', job('kept once', { ...at, deleteAfterRun: false }))
  const gone = await house.call('cron.add', job('gone once', { ...at, deleteAfterRun: true }))
  await house.clock.advance(2_000)
  await settled()
  expect(house.store.read.job(kept.id)?.job).toMatchObject({ enabled: false, state: { lastStatus: 'ok' } })
  expect(house.store.read.job(gone.id)).toBeUndefined()
})

conformance('SESS-6', async () => {
  for (const key of ['older', 'newer']) {
    await house.call('sessions.patch', { key, label: `Row ${key}` })
    await house.call('chat.send', { sessionKey: key, message: 'hi', idempotencyKey: `row-${key}` })
    await settled()
    await house.clock.advance(1_000)
  }
  const listed = await house.call('sessions.list', { search: 'row ' })
  expect(listed).toMatchObject({
    ...{ ts: expect.any(Number), path: expect.any(String), count: 2 },
    defaults: { modelProvider: expect.any(String), model: expect.any(String) },
    sessions: [{ key: 'agent:main:newer', label: 'Row newer' }, { key: 'agent:main:older' }],
  })
  expect(listed.sessions[0]).toMatchObject({
    ...{ kind: 'direct', sessionId: expect.any(String), updatedAt: expect.any(Number) },
    ...{ inputTokens: expect.any(Number), outputTokens: expect.any(Number), totalTokens: expect.any(Number) },
  })
  expect((await house.call('sessions.list', { limit: 1 })).sessions).toHaveLength(1)
})

conformance('SESS-7', async () => {
  await house.call('sessions.patch', { key: 'doomed', label: 'Doomed' })
  const key = 'agent:main:doomed'
  expect(await house.call('sessions.delete', { key: 'doomed' })).toEqual({
    ...{ ok: true, key, deleted: true, archived: [expect.any(String)] },
  })
  expect(await house.call('sessions.delete', { key: 'doomed' })).toEqual({
    ok: true,
    key,
    deleted: false,
    archived: [],
  })
})

conformance('SESS-8', async () => {
  const patched = await house.call('sessions.patch', { key: 'levels', thinkingLevel: 'high', verboseLevel: 'on' })
  expect(patched).toMatchObject({ ok: true, key: 'agent:main:levels', path: expect.any(String) })
  expect(patched.entry).toMatchObject({ thinkingLevel: 'high', verboseLevel: 'on', sessionId: expect.any(String) })
  expect((await refusal('sessions.patch', { key: 'levels', thinkingLevel: 'extreme' })).message).toMatch(
    /at \/thinkingLevel: .*"off"\|"minimal"\|"low"\|"medium"\|"high"/,
  )
  const { entry } = await house.call('sessions.patch', { key: 'levels', thinkingLevel: null })
  expect(entry).not.toHaveProperty('thinkingLevel')
  expect(entry).toMatchObject({ verboseLevel: 'on' })
})

conformance('SESS-9', async () => {
  expect(await house.call('sessions.compact', { key: 'never-there' })).toMatchObject({
    ...{ key: 'agent:main:never-there', compacted: false, reason: 'no sessionId' },
  })
})

conformance('SESS-10', async () => {
  house.play(() => text('a rather long answer that is cut somewhere'))
  await house.call('chat.send', { sessionKey: 'long', message: 'short', idempotencyKey: 'long' })
  await settled()
  house.play(() => text('said'))
  const { ts, previews } = await house.call('sessions.preview', { keys: ['long'], maxChars: 20 })
  expect(ts).toEqual(expect.any(Number))
  expect(previews).toMatchObject([
    { key: 'long', status: 'ok', items: [{ role: 'user', text: 'short' }, { role: 'assistant' }] },
  ])
  expect(previews[0]?.items[1]?.text.length).toBeLessThanOrEqual(20)
})

conformance('NODE-1', async () => {
  expect(await house.call('node.pair.list')).toEqual({ pending: [], paired: [] })
})
