// More facts of single methods and of the events of a run, in process: shapes and words that clients of the family read.
import { afterAll, beforeAll, expect } from 'vitest'
import { loopback } from '../../src/channels/loopback/loopback.ts'
import { CATALOGUE, type MethodName } from '../../src/protocol/catalogue.ts'
import { EVENT_NAMES } from '../../src/protocol/events.ts'
import { settled } from '../fakes/clock.ts'
import { calls, type House, openHouse, text } from '../fakes/house.ts'
import { conformance } from './conformance.ts'
import { refusalOf } from './refusal.ts'

const used = { inputTokens: 30, outputTokens: 4, cacheReadTokens: 10, cacheWriteTokens: 5 }
const said = { ...text('said'), usage: used }
const config = {
  models: { providers: { test: { baseUrl: 'http://127.0.0.1:1/v1', models: [{ id: 'm', name: 'Em' }] } } },
  agents: { defaults: { model: 'test/m' }, list: [{ id: 'main', name: 'Ann' }, { id: 'work' }] },
  tools: { exec: { security: 'allowlist' } },
}
const world = {
  processes: { find: async (name: string) => `/usr/bin/${name}`, run: () => Promise.reject(new Error('not run')) },
}
let house: House
beforeAll(async () => {
  house = await openHouse(() => said, { config, world })
})
afterAll(() => house.close())

const refusal = (method: MethodName, params: unknown) => refusalOf(house, method, params)
const say = async (sessionKey: string, key: string) => {
  await house.call('chat.send', { sessionKey, message: 'hi', idempotencyKey: key })
  await settled()
}
const told = (event: string, runId: string) =>
  house.events.flatMap(({ event: name, payload }) =>
    name === event && (payload as { runId?: string }).runId === runId ? [payload as Record<string, unknown>] : [],
  )

conformance('SYS-6', async () => {
  expect(await house.call('health')).toMatchObject({
    ...{
      ok: true,
      ts: expect.any(Number),
      durationMs: expect.any(Number),
      heartbeatSeconds: 0,
      defaultAgentId: 'main',
    },
    ...{ channels: {}, channelOrder: [], channelLabels: {} },
    agents: [
      {
        ...{ agentId: 'main', isDefault: true },
        heartbeat: { enabled: false, every: expect.any(String), everyMs: null },
        sessions: { path: expect.any(String), count: expect.any(Number), recent: [] },
      },
      { agentId: 'work', isDefault: false },
    ],
    sessions: { path: expect.any(String), count: expect.any(Number), recent: [] },
  })
})

conformance('SYS-7', async () => {
  expect(await house.call('status')).toMatchObject({
    heartbeat: { defaultAgentId: 'main', agents: [{ agentId: 'main', enabled: false, every: expect.any(String) }, {}] },
    ...{ channelSummary: [], queuedSystemEvents: [] },
    sessions: {
      ...{ paths: [expect.any(String)], count: expect.any(Number), recent: expect.any(Array) },
      defaults: { model: expect.any(String) },
    },
  })
})

conformance('SYS-8', async () => {
  const totals = { input: 15, output: 4, cacheRead: 10, cacheWrite: 5, totalTokens: 34, totalCost: 0 }
  const before = (await house.call('usage.cost', { days: 1 })).totals
  await say('used', 'used')
  const cost = await house.call('usage.cost', { days: 1 })
  expect(cost).toMatchObject({ updatedAt: expect.any(Number), days: 1, daily: [{ date: expect.any(String) }] })
  for (const [name, count] of Object.entries(totals)) {
    const key = name as keyof typeof before
    expect(cost.totals[key] - before[key], name).toBe(count)
  }
  expect((await house.call('usage.status')).providers).toContainEqual(
    expect.objectContaining({
      provider: 'test',
      displayName: expect.any(String),
      windows: [{ label: expect.any(String), usedPercent: 0, resetAt: expect.any(Number) }],
    }),
  )
})

conformance('SYS-9', async () => {
  expect((await house.call('models.list')).models).toContainEqual(
    expect.objectContaining({ id: 'm', name: 'Em', provider: 'test' }),
  )
  expect(await house.call('agents.list')).toMatchObject({
    ...{
      defaultId: 'main',
      mainKey: 'main',
      scope: 'per-sender',
      agents: [{ id: 'main', name: 'Ann' }, { id: 'work' }],
    },
  })
  expect(await house.call('agent.identity.get', { sessionKey: 'agent:main:main' })).toMatchObject({
    ...{ agentId: 'main', name: 'Ann', avatar: expect.any(String) },
  })
})

conformance('SYS-11', async () => {
  const event = { text: 'Node: attic', host: 'attic', mode: 'node', instanceId: 'attic-1', reason: 'periodic' }
  expect(await house.call('system-event', event)).toEqual({ ok: true })
  const [self, ...others] = await house.call('system-presence')
  expect(self).toMatchObject({ reason: 'self', mode: 'gateway', ts: expect.any(Number) })
  expect(others).toContainEqual(expect.objectContaining({ host: 'attic', instanceId: 'attic-1', reason: 'periodic' }))
  expect(house.events.map(({ event: name }) => name)).toContain('presence')
})

conformance('SYS-12', () => {
  expect(Object.keys(CATALOGUE)).toEqual(expect.arrayContaining(['tts.status', 'wizard.start', 'node.invoke', 'poll']))
})

conformance('SYS-13', () => {
  expect(EVENT_NAMES).toEqual(expect.arrayContaining(['talk.mode', 'voicewake.changed', 'node.invoke.request']))
})

conformance('CHAT-6', async () => {
  await say('injected', 'injected')
  const injected = await house.call('chat.inject', {
    sessionKey: 'agent:main:injected',
    message: 'psst',
    label: 'Note',
  })
  expect(injected).toEqual({ ok: true, messageId: expect.any(String) })
  await settled()
  const { messages } = await house.call('chat.history', { sessionKey: 'injected' })
  expect(messages.at(-1)).toMatchObject({ role: 'assistant', content: [{ text: '[Note]\n\npsst' }] })
  const [final] = told('chat', `notice:inject-${injected.messageId}`)
  expect(final).toMatchObject({
    sessionKey: 'agent:main:injected',
    seq: 0,
    state: 'final',
    message: { role: 'assistant' },
  })
})

conformance('CHAT-7', async () => {
  await house.call('sessions.patch', { key: 'thoughtful', thinkingLevel: 'high' })
  expect(await house.call('chat.history', { sessionKey: 'thoughtful' })).toMatchObject({ thinkingLevel: 'high' })
  expect(await house.call('chat.history', { sessionKey: 'none' })).toMatchObject({ thinkingLevel: 'off' })
})

conformance('CHAT-8', async () => {
  expect(await house.call('chat.abort', { sessionKey: 'idle' })).toEqual({ ok: true, aborted: false, runIds: [] })
})

conformance('CHAT-9', async () => {
  await house.call('sessions.patch', { key: 'closed', sendPolicy: 'deny' })
  const sent = { sessionKey: 'closed', message: 'hi', idempotencyKey: 'closed' }
  expect(await refusal('chat.send', sent)).toEqual({
    ...{ code: 'INVALID_REQUEST', message: 'send blocked by session policy' },
  })
})

conformance('CHAT-10', async () => {
  house.play(({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))))
  await say('stopped', 'stopped')
  expect(await house.call('chat.abort', { sessionKey: 'stopped', runId: 'stopped' })).toEqual({
    ...{ ok: true, aborted: true, runIds: ['stopped'] },
  })
  await settled()
  expect(told('chat', 'stopped').at(-1)).toMatchObject({ state: 'aborted', stopReason: 'rpc' })
  house.play(() => ({ type: 'failed', kind: 'refused', message: 'the model is gone' }))
  await say('failed', 'failed')
  house.play(() => said)
  expect(told('chat', 'failed').at(-1)).toMatchObject({
    ...{ state: 'error', errorMessage: expect.stringContaining('the model is gone') },
  })
})

conformance('RUN-1', async () => {
  const end = await house.call('agent', { message: 'hi', sessionKey: 'whole', idempotencyKey: 'whole' })
  expect(end).toMatchObject({ runId: 'whole', status: 'ok', summary: 'completed' })
  expect(end.result).toEqual({
    payloads: [{ text: 'said', mediaUrl: null }],
    meta: {
      durationMs: expect.any(Number),
      aborted: false,
      agentMeta: {
        ...{ sessionId: house.store.read.session('agent:main:whole')?.sessionId, provider: 'test', model: 'model' },
        usage: { input: 15, output: 4, cacheRead: 10, cacheWrite: 5, total: 34 },
      },
    },
  })
})

conformance('RUN-2', async () => {
  const waiting = house.call('agent.wait', { runId: 'nobody', timeoutMs: 50 })
  await settled()
  await house.clock.advance(50)
  expect(await waiting).toEqual({
    ...{ runId: 'nobody', status: 'timeout' },
  })
  await say('waited', 'waited')
  expect(await house.call('agent.wait', { runId: 'waited' })).toEqual({
    ...{ runId: 'waited', status: 'ok', startedAt: expect.any(Number), endedAt: expect.any(Number) },
  })
})

conformance('RUN-3', async () => {
  const params = { message: 'hi', agentId: 'work', sessionKey: 'agent:main:main', idempotencyKey: 'wrong' }
  const { code, message } = await refusal('agent', params)
  expect(code).toBe('INVALID_REQUEST')
  expect(message).toMatch(/^invalid agent params: agent "work" does not match session key agent "main"/)
  expect(house.store.read.run('wrong')).toBeUndefined()
})

conformance('RUN-4', async () => {
  const end = await house.call('agent', {
    ...{ message: 'hi', agentId: 'main', to: '+15550001', replyTo: 'x', sessionKey: 'all', thinking: 'low' },
    ...{
      deliver: false,
      channel: 'whatsapp',
      replyChannel: 'last',
      replyAccountId: 'a',
      accountId: 'a',
      threadId: '1',
    },
    ...{
      groupId: 'g',
      groupChannel: 'g',
      groupSpace: 's',
      timeout: 600,
      lane: 'nested',
      label: 'l',
      spawnedBy: 'main',
    },
    ...{ extraSystemPrompt: 'Be brief.', idempotencyKey: 'all' },
  })
  expect(end).toMatchObject({ runId: 'all', status: 'ok' })
})

conformance('RUN-5', async () => {
  const { entry } = await house.call('sessions.patch', { key: 'by-id', label: 'By id' })
  const asked = { message: 'hi', sessionId: entry.sessionId, idempotencyKey: 'by-id' }
  await house.call('agent', asked)
  expect(house.store.read.run('by-id')?.sessionKey).toBe('agent:main:by-id')
  const refused = await refusal('agent', { ...asked, sessionId: 'nothing', idempotencyKey: 'by-none' })
  expect(refused).toEqual({ code: 'INVALID_REQUEST', message: 'No session found: nothing' })
})

conformance('RUN-6', async () => {
  const line = loopback({ id: 'line', dedupesSends: true })
  const own = await openHouse(() => said, { channels: [line] })
  const wish = { message: 'hi', deliver: true, channel: 'line', sessionKey: 'sent' }
  await own.call('agent', { ...wish, replyTo: 'someone', idempotencyKey: 'sent' })
  await own.call('agent', { ...wish, deliver: false, to: 'nobody', idempotencyKey: 'kept' })
  await own.call('agent', { ...wish, channel: 'webchat', to: 'nobody', idempotencyKey: 'own' })
  await settled()
  expect(line.seen).toMatchObject([{ chatId: 'someone', text: 'said' }])
  const { code, message } = await refusalOf(own, 'agent', { ...wish, channel: 'pigeon', idempotencyKey: 'pigeon' })
  expect([code, message]).toEqual(['INVALID_REQUEST', 'invalid agent params: there is no channel "pigeon" here'])
  await own.close()
})

conformance('RUN-7', async () => {
  const asked = { message: 'hi', sessionKey: 'twice', idempotencyKey: 'twice' }
  const first = await house.call('agent', asked)
  house.play(() => text('something else'))
  const again = await house.call('agent', asked)
  house.play(() => said)
  expect(again).toEqual(first)
})

conformance('EXEC-1', async () => {
  expect(await refusal('exec.approval.resolve', { id: 'zzz', decision: 'deny' })).toMatchObject({
    ...{ code: 'INVALID_REQUEST', message: expect.stringMatching(/^unknown approval id/) },
  })
  expect((await refusal('exec.approval.resolve', { id: 'zzz', decision: 'perhaps' })).code).toBe('INVALID_REQUEST')
})

conformance('DEV-1', async () => {
  for (const method of ['device.pair.approve', 'device.pair.reject'] as const) {
    expect((await refusal(method, { requestId: 'zzz' })).message).toMatch(/^unknown requestId/)
  }
  expect(await house.call('device.pair.list')).toEqual({ pending: [], paired: [] })
})

conformance('CHAN-1', async () => {
  const { message } = await refusal('send', { to: 'x', message: 'hi', channel: 'pigeon', idempotencyKey: 'p' })
  expect(message).toBe('unsupported channel: pigeon')
})

conformance('CONF-1', async () => {
  expect(await house.call('config.schema')).toMatchObject({
    ...{ schema: { type: 'object' }, uiHints: expect.any(Object), version: expect.any(String) },
    generatedAt: expect.anything(),
  })
})

conformance('EVT-2', async () => {
  let asked = 0
  house.play(() => {
    asked += 1
    return asked === 1 ? calls({ name: 'agents_list', args: {} }) : said
  })
  await say('tooled', 'tooled')
  house.play(() => said)
  const [start, end] = told('agent', 'tooled').flatMap(({ stream, data }) => (stream === 'tool' ? [data] : [])) as {
    toolCallId: string
  }[]
  expect(start).toMatchObject({ phase: 'start', name: 'agents_list', toolCallId: expect.any(String), args: {} })
  expect(end).toMatchObject({ phase: 'result', name: 'agents_list', isError: false, toolCallId: start?.toolCallId })
})

conformance('EVT-4', async () => {
  house.play(({ messages }) =>
    JSON.stringify(messages.at(-1)).includes('"hi"') ? calls({ name: 'exec', args: { command: 'ls' } }) : said,
  )
  await say('asking', 'asking')
  const asked = house.events.find(({ event }) => event === 'exec.approval.requested')?.payload as {
    id: string
    request: object
  }
  expect(asked).toMatchObject({ createdAtMs: expect.any(Number), expiresAtMs: expect.any(Number) })
  expect(Object.keys(asked.request).sort()).toEqual([
    ...['agentId', 'ask', 'command', 'cwd', 'host', 'resolvedPath', 'security', 'sessionKey'],
  ])
  expect(Object.values(asked.request)).not.toContain(undefined)
  await house.call('exec.approval.resolve', { id: asked.id, decision: 'deny' })
  await settled()
  house.play(() => said)
  const resolved = house.events.find(({ event }) => event === 'exec.approval.resolved')?.payload
  expect(resolved).toMatchObject({
    id: asked.id,
    decision: 'deny',
    resolvedBy: expect.anything(),
    ts: expect.any(Number),
  })
})
