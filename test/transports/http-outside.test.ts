// What other programs set going: hooks, and single tools. Accepted before it is answered, once for each key, with no more
// authority than it was given; and calls that a turn makes of its own gateway by HTTP are that turn's own.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { settled } from '../fakes/clock.ts'
import { type HouseOptions, text } from '../fakes/house.ts'
import { HOOK_TOKEN, HTTP_CONFIG, type HttpHouse, openHttpHouse } from './http-house.ts'

let house: HttpHouse
beforeEach(async () => {
  house = await openHttpHouse(() => text('said'))
})
afterEach(() => house.close())

const job = { name: 'a', schedule: { kind: 'every', everyMs: 3_600_000 }, payload: { kind: 'message', text: 'x' } }
const bearer = { authorization: `Bearer ${HOOK_TOKEN}` }
const hook = (name: string, body: unknown, headers: Record<string, string> = {}) =>
  house.ask(`/hooks/${name}`, { body, headers: { ...bearer, ...headers } })
const inputs = (sessionKey: string) =>
  house.store.read.entries(sessionKey, 100).flatMap(({ body }) => (body.kind === 'input' ? [body.text] : []))
const unread = () => house.store.read.unreadNotices('agent:main:main', 100).map(({ text: said }) => said)

describe('hooks', () => {
  test.each([
    { header: { authorization: `Bearer ${HOOK_TOKEN}` }, status: 200 },
    { header: { authorization: '', 'x-clawdbot-token': HOOK_TOKEN }, status: 200 },
    { header: { authorization: '', 'x-sluice-token': HOOK_TOKEN }, status: 200 },
    { header: { authorization: 'Bearer no' }, status: 401 },
    { header: { authorization: '' }, status: 401 },
  ])('$header is a $status', async ({ header, status }) => {
    const answer = await house.ask('/hooks/wake', { body: { text: 'x' }, headers: header })
    expect(answer.status).toBe(status)
    if (status === 401) expect(answer.text).toBe('Unauthorized')
  })

  test('L1: wake puts the text before the main session, durably before it is answered', async () => {
    expect(await hook('wake', { text: 'the door bell rang' })).toMatchObject({
      status: 200,
      json: { ok: true, mode: 'now' },
    })
    expect(house.store.read.sessions({ limit: 9 }).map(({ key }) => key)).toEqual(['agent:main:main'])
    await settled()
    expect(inputs('agent:main:main').join()).toMatch(/^System: \[.*\] the door bell rang$/)
  })

  test('L1: agent has a turn run in a session of its own, and the main session is told its end', async () => {
    house.play(() => text('all is well'))
    const { status, json } = await hook('agent', {
      message: 'look',
      name: 'Mail',
      deliver: true,
      channel: 'last',
      other: 1,
    })
    expect([status, json]).toEqual([202, { ok: true, runId: expect.any(String) }])
    await settled()
    const run = house.store.read.run(json.runId)
    expect(run).toMatchObject({ state: 'ok', source: 'hook', sessionKey: expect.stringMatching(/^agent:main:hook:/) })
    expect(inputs(run?.sessionKey ?? '')).toEqual(['[hook Mail] look'])
    expect(unread()).toEqual(['Hook Mail: all is well'])
  })

  test('a failed turn is told too; one that is not to be delivered is not', async () => {
    house.play(() => ({ type: 'failed', kind: 'refused', message: 'no' }))
    await hook('agent', { message: 'look', sessionKey: 'agent:work:mail', timeoutSeconds: 5 })
    await settled()
    expect(house.store.read.unreadNotices('agent:work:main', 9)).toMatchObject([{ text: 'Hook: failed: no' }])
    await hook('agent', { message: 'look', deliver: false })
    await settled()
    expect(unread()).toEqual([])
  })

  test('T1: a repeat with its key is the first one', async () => {
    const key = { 'idempotency-key': 'mail-7' }
    const first = await hook('agent', { message: 'look' }, key)
    const again = await hook('agent', { message: 'look' }, key)
    expect(again.json).toEqual(first.json)
    expect((await hook('agent', { message: 'other' }, key)).status).toBe(409)
    await hook('wake', { text: 'x' }, key)
    await hook('wake', { text: 'x' }, key)
    await settled()
    expect(unread()).toEqual(['Hook: said'])
    expect(inputs('agent:main:main')).toHaveLength(1)
  })

  test.each([
    { name: 'wake', body: {}, status: 400, says: 'text required' },
    { name: 'wake', body: { text: ' ' }, status: 400, says: 'text required' },
    { name: 'wake', body: { text: 'x', mode: 'later' }, status: 400, says: /^mode: / },
    { name: 'wake', body: '{"a', status: 400, says: /^SyntaxError: / },
    { name: 'wake', body: { text: 'x'.repeat(262_144) }, status: 413, says: /larger than 262144 bytes/ },
    { name: 'agent', body: { message: ' ' }, status: 400, says: 'message required' },
    { name: 'agent', body: { message: 'x', channel: 'telegram' }, status: 400, says: /only "last" is supported/ },
    {
      name: 'agent',
      body: { message: 'x', agentId: 'nobody' },
      status: 400,
      says: 'There is no agent "nobody". Use one of: main, work; agents.list of the config names them.',
    },
    { name: 'agent', body: { message: 'x', model: 'nobody/m' }, status: 400, says: /unknown model/ },
  ])('$name is refused: $says', async ({ name, body, status, says }) => {
    const answer = await hook(name, body)
    expect(answer.status).toBe(status)
    expect(answer.json).toEqual({ ok: false, error: typeof says === 'string' ? says : expect.stringMatching(says) })
    expect(house.store.read.sessions({ limit: 9 })).toEqual([])
  })
})

describe('one tool', () => {
  const invoke = (body: unknown, headers: Record<string, string> = {}) => house.ask('/tools/invoke', { body, headers })

  test('does what it does in a turn, once for each key', async () => {
    const key = { 'idempotency-key': 'k' }
    const first = await invoke({ tool: 'cron', action: 'add', args: { job } }, key)
    expect(first).toMatchObject({ status: 200, json: { ok: true, result: { content: [{ type: 'text' }] } } })
    expect(JSON.parse(first.json.result.content[0].text)).toEqual(first.json.result.details)
    expect((await invoke({ tool: 'cron', action: 'add', args: { job } }, key)).json).toEqual(first.json)
    expect(house.store.read.jobCount({ includeDisabled: true })).toBe(1)
  })

  test.each(['exec', 'process', 'read', 'write', 'gateway', 'nothing'])('%s is not to be had', async tool => {
    const { status, json } = await invoke({ tool, args: {} })
    expect(status).toBe(404)
    expect(json).toMatchObject({ ok: false, error: { type: 'not_found', message: `Tool not available: ${tool}` } })
  })

  test('what the policy denies is not to be had either; exec not even where turns have it', async () => {
    const config = { ...HTTP_CONFIG, tools: { deny: ['cron'], exec: { security: 'full' } } }
    const other = await openHttpHouse(() => text('said'), { config } satisfies HouseOptions)
    try {
      for (const tool of ['cron', 'exec']) {
        expect((await other.ask('/tools/invoke', { body: { tool, args: { command: 'ls' } } })).status).toBe(404)
      }
    } finally {
      await other.close()
    }
  })

  test('a tool that fails says how; a request that is none is refused', async () => {
    const failed = await invoke({ tool: 'cron', action: 'juggle', args: {} })
    expect(failed).toMatchObject({ status: 400, json: { ok: false, error: { type: 'tool_error' } } })
    expect(await invoke({ args: {} })).toMatchObject({
      status: 400,
      json: { error: { type: 'invalid_request_error' } },
    })
  })
})
