// config.get, config.patch and gateway.restart: what is shown, what is refused with which words, what happens once.
import fc from 'fast-check'
import JSON5 from 'json5'
import { describe, expect, test } from 'vitest'
import { errorToData } from '../../src/base/errors.ts'
import { compareSettings } from '../../src/config/reload.ts'
import type { Result } from '../../src/protocol/catalogue.ts'
import { ENV, hashOf, openRoom, refusal, turn } from './config-room.ts'

const TOKEN = 'a very secret token'
const FILE = `// ${TOKEN}
{ gateway: { port: 1234, auth: { token: '${TOKEN}' } }, gatway: 1,
  models: { providers: { p: { baseUrl: 'http://127.0.0.1:1/v1', apiKey: '\${KEY}', headers: { 'x-key': 'hidden' } } } } }`

describe('config.get', () => {
  test('shows the file without its secrets, also of comments, and the hash of what is on disk', async () => {
    const answer = await openRoom(FILE).call('config.get', {})
    expect(JSON.stringify(answer)).not.toContain(TOKEN)
    expect(JSON.stringify(answer)).not.toContain('hidden')
    expect(JSON.stringify(answer)).not.toContain(ENV.KEY)
    expect(answer).toMatchObject({
      path: '/nowhere/.sluice/sluice.json',
      exists: true,
      valid: true,
      hash: hashOf(FILE),
      issues: [],
      legacyIssues: [],
      warnings: [{ message: 'config: gatway is not known; did you mean gateway?' }],
      parsed: {
        gateway: { port: 1234, auth: { token: '__redacted__' } },
        models: { providers: { p: { apiKey: `\${${'KEY'}}`, headers: { 'x-key': '__redacted__' } } } },
      },
    })
    expect(JSON.parse(answer.raw as string)).toEqual(answer.parsed)
    expect(answer.config).toEqual(answer.parsed)
  })

  test.each([
    ['no file', undefined, { exists: false, raw: null, parsed: {}, config: {}, valid: true, hash: hashOf('') }],
    ['not JSON5', '{ a: ', { exists: true, raw: null, parsed: {}, config: {}, valid: false }],
    [
      'a wrong value',
      '{ gateway: { port: "x" } }',
      {
        exists: true,
        parsed: { gateway: { port: 'x' } },
        config: {},
        valid: false,
        issues: [{ path: 'gateway.port' }],
      },
    ],
  ])('%s', async (_, text, shown) => {
    const answer = await openRoom(text, '').call('config.get', {})
    expect(answer).toMatchObject(shown)
    expect(answer.valid).toBe(answer.issues.length === 0)
  })
})

describe('config.patch', () => {
  test('what can be is taken up at once, and the file keeps what was not shown', async () => {
    const room = openRoom(FILE)
    const { config } = await room.call('config.get', {})
    const answer = await room.patch(JSON.stringify({ ...(config as object), cron: { enabled: false } }))
    expect(answer).toMatchObject({
      ok: true,
      applied: ['cron.enabled'],
      restart: null,
      config: { cron: { enabled: false } },
    })
    expect(JSON.stringify(answer)).not.toContain(TOKEN)
    expect(room.state.text).toMatch(/^\/\/ a very secret token\n/)
    expect(JSON5.parse(room.state.text as string)).toMatchObject({
      gateway: { auth: { token: TOKEN } },
      models: { providers: { p: { apiKey: `\${${'KEY'}}`, headers: { 'x-key': 'hidden' } } } },
    })
    expect(room.settings()).toMatchObject({ cronEnabled: false, token: TOKEN, port: 1234 })
    await room.clock.advance(60_000)
    expect(room.restarts).toEqual([])
  })

  test('what cannot schedules a restart, in the form that the family reads', async () => {
    const room = openRoom(FILE)
    const nowMs = room.clock.now()
    const { restart, applied } = await room.patch('{ gateway: { port: 99 }, tools: { deny: ["x"] } }')
    expect(applied).toEqual(['tools.deny'])
    expect(restart).toEqual({
      ok: true,
      pid: 7,
      signal: 'SIGUSR1',
      delayMs: 2_000,
      reason: 'config.patch: gateway.port',
      mode: 'emit',
      restartAtMs: nowMs + 2_000,
    })
    await room.clock.advance(2_000)
    expect(room.restarts).toEqual(['config.patch: gateway.port'])
  })

  test('a first file needs no base; an unreadable value that the patch replaces stops nobody', async () => {
    const room = openRoom(undefined)
    await room.call('config.patch', { raw: '{ cron: { enabled: false } }' })
    expect(room.settings().cronEnabled).toBe(false)
    const mended = openRoom('{ gateway: { port: "x" }, cron: { enabled: false } }', '')
    await mended.patch('{ gateway: null }')
    expect(JSON5.parse(mended.state.text as string)).toEqual({ cron: { enabled: false } })
  })

  test.each([
    ['config base hash required; re-run config.get and retry', FILE, { raw: '{}' }],
    ['config changed since last load; re-run config.get and retry', FILE, { raw: '{}', baseHash: hashOf('other') }],
    ['config changed since last load; re-run config.get and retry', undefined, { raw: '{}', baseHash: hashOf('x') }],
    ['SyntaxError: JSON5: invalid end of input at 1:2', undefined, { raw: '{' }],
    ['config.patch raw must be an object', undefined, { raw: '[1]' }],
    ['config.patch raw must be an object', undefined, { raw: 'null' }],
    ['invalid config', undefined, { raw: '{ cron: { enabled: 1 } }' }],
    ['invalid config', undefined, { raw: '{ gateway: { auth: { token: "__redacted__" } } }' }],
    ['invalid config; fix before patching', '{ a: ', { raw: '{}', baseHash: hashOf('{ a: ') }],
  ])('refused: %s', async (message, text, params) => {
    const room = openRoom(text, '')
    const before = room.settings()
    const error = await refusal(room.call('config.patch', params))
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', message, outcome: 'not-started' })
    expect(room.state).toMatchObject({ text, writes: 0, applied: 0 })
    expect(room.settings()).toBe(before)
  })

  test('`invalid config` names each wrong value', async () => {
    const error = await refusal(openRoom(undefined).patch('{ cron: { enabled: 1 }, gateway: { port: -1 } }'))
    expect(error.details).toMatchObject({ issues: [{ path: 'gateway.port' }, { path: 'cron.enabled' }] })
  })

  test('W6: a write that fails says whether the file was changed', async () => {
    const room = openRoom(FILE)
    room.state.broken = 'before'
    expect(await refusal(room.patch('{ cron: { enabled: false } }'))).toMatchObject({
      code: 'UNAVAILABLE',
      outcome: 'not-started',
    })
    room.state.broken = 'after'
    expect(await refusal(room.patch('{ cron: { enabled: false } }'))).toMatchObject({
      code: 'UNAVAILABLE',
      outcome: 'unknown',
    })
    expect(room.state.applied).toBe(0)
  })

  test('what an included file says is not changed here, and what it holds is shown, without secrets', async () => {
    const others = {
      '/srv/more': "{ cron: { enabled: false }, gateway: { auth: { token: 'a secret of the other' } } }",
    }
    const room = openRoom("{ $include: '/srv/more', logging: {} }", undefined, { others })
    const error = await refusal(room.patch('{ cron: { enabled: true } }'))
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', outcome: 'not-started', details: { file: '/srv/more' } })
    expect(error.message).toContain('cron.enabled comes from /srv/more')
    expect(room.state).toMatchObject({ writes: 0, applied: 0 })
    const shown = await room.call('config.get', {})
    expect(shown).toMatchObject({ parsed: { $include: '/srv/more' }, includes: ['/srv/more'], valid: true })
    expect(shown.whole).toMatchObject({ cron: { enabled: false }, gateway: { auth: { token: '__redacted__' } } })
    expect(await room.patch('{ cron: { maxConcurrentRuns: 2 } }')).toMatchObject({
      applied: ['cron.maxConcurrentRuns'],
    })
    expect(room.settings()).toMatchObject({ cronEnabled: false })
    expect(room.state.text).toContain("$include: '/srv/more'")
  })

  test('a turn cannot change what turns may do, nor who may come in or talk to it, nor have the environment read out', async () => {
    for (const raw of [
      '{ tools: { exec: { security: "full" } } }',
      '{ tools: null }',
      '{ models: { providers: { p: { baseUrl: "http://elsewhere/v1" } } } }',
      '{ gateway: null }',
      '{ gateway: { bind: "lan" } }',
      '{ gateway: { allowedHosts: ["evil.example"] } }',
      '{ hooks: { enabled: true, token: "known to somebody else" } }',
      '{ channels: { telegram: { dmPolicy: "open" } } }',
      '{ channels: { telegram: { apiRoot: "https://evil.example" } } }',
      '{ cron: { commands: "operator" } }',
      '{ agents: { list: [{ id: "more" }] } }',
      '{ agents: { defaults: { workspace: "/etc" } } }',
      '{ bindings: [{ agentId: "main", match: { channel: "x" } }] }',
      '{ logging: { file: "/etc/passwd" } }',
      '{ $include: "/run/token" }',
      '{ cron: { $include: "/run/token" } }',
      '{ agents: { defaults: { userTimezone: "\\u0024{KEY}" } } }',
    ]) {
      const room = openRoom(FILE.replace('gatway: 1', 'tools: { deny: [] }'))
      const error = await refusal(room.patch(raw, turn))
      expect(error).toMatchObject({ code: 'FORBIDDEN', outcome: 'not-started' })
      expect(JSON.stringify(errorToData(error))).not.toContain(ENV.KEY)
      expect(room.state).toMatchObject({ writes: 0, applied: 0 })
    }
    const including = openRoom("{ $include: '/srv/more' }", undefined, { others: { '/srv/more': '{ tools: {} }' } })
    expect(await refusal(including.patch('{ $include: null }', turn))).toMatchObject({ code: 'FORBIDDEN' })
    const room = openRoom(FILE)
    expect(await room.patch('{ cron: { enabled: false } }', turn)).toMatchObject({ applied: ['cron.enabled'] })
  })
})

describe('gateway.restart', () => {
  test('is begun after its delay; a second wish is answered with the first', async () => {
    const room = openRoom(undefined)
    const nowMs = room.clock.now()
    const first = await room.call('gateway.restart', { reason: 'why' })
    expect(first).toEqual({ ok: true, restartAtMs: nowMs + 1_000, delayMs: 1_000, reason: 'why' })
    await room.clock.advance(400)
    const second = await room.call('gateway.restart', { delayMs: 60_000 })
    expect(second).toEqual({ ok: true, restartAtMs: nowMs + 1_000, delayMs: 600 })
    expect(room.restarts).toEqual([])
    await room.clock.advance(60_000)
    expect(room.restarts).toEqual(['why'])
  })

  test.each(['{ a: ', '{ gateway: { port: "x" } }'])(
    'is refused with the reason where it would not come back: %s',
    async text => {
      const room = openRoom(text, '')
      const error = await refusal(room.call('gateway.restart', {}))
      expect(error.message).toMatch(/^Not restarted: .*would not come back.*(JSON5|gateway\.port)/)
      expect(error.outcome).toBe('not-started')
      expect(room.clock.timers).toBe(0)
    },
  )
})

describe('T1: replay none', () => {
  test('T1: a repeat is answered with the first answer and does nothing', async () => {
    const room = openRoom(FILE)
    const params = { raw: '{ cron: { enabled: false } }', baseHash: hashOf(FILE), idempotencyKey: 'k' }
    const first = await room.call('config.patch', params)
    expect(await room.call('config.patch', params)).toEqual(first)
    expect(room.state).toMatchObject({ writes: 1, applied: 1 })
    const restart = await room.call('gateway.restart', { idempotencyKey: 'k' })
    await room.clock.advance(5_000)
    expect(await room.call('gateway.restart', { idempotencyKey: 'k' })).toEqual(restart)
    expect(room.restarts).toHaveLength(1)
  })

  test('T1: what was begun and has no answer is unknown, and not done again', async () => {
    const room = openRoom(undefined)
    room.keys.rows.set(['operator', 'gateway.restart', 'k'].join(), 'begun')
    const error = await refusal(room.call('gateway.restart', { idempotencyKey: 'k' }))
    expect(error).toMatchObject({ outcome: 'unknown', details: { key: 'k' } })
    expect(room.clock.timers).toBe(0)
  })

  test('T1: what was refused keeps no key; what failed half-way keeps it without an answer', async () => {
    const room = openRoom(FILE)
    const good = { raw: '{ cron: { enabled: false } }', baseHash: hashOf(FILE), idempotencyKey: 'k' }
    room.state.broken = 'before'
    await refusal(room.call('config.patch', good))
    await refusal(room.call('config.patch', { ...good, raw: '[]' }))
    expect(room.keys.rows.size).toBe(0)
    room.state.broken = 'after'
    await refusal(room.call('config.patch', good))
    expect(await refusal(room.call('config.patch', good))).toMatchObject({ code: 'CONFLICT', outcome: 'unknown' })
    expect(room.state.writes).toBe(1)
  })
})

const key = fc.constantFrom(
  'gateway',
  'port',
  'auth',
  'token',
  'cron',
  'enabled',
  'tools',
  'exec',
  'ask',
  'agents',
  'list',
  'x',
)
const value = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    '__redacted__',
    'always',
    `\${${'KEY'}}`,
    `\${${'NONE'}}`,
    'a token long enough',
    true,
    [],
  ),
  fc.integer({ min: -2, max: 70_000 }),
)
const { tree } = fc.letrec(tie => ({
  tree: fc.dictionary(key, fc.oneof({ depthSize: 'small' }, value, tie('tree'))),
})) as { tree: fc.Arbitrary<Record<string, unknown>> }
interface Step {
  readonly raw: string
  readonly base: 'present' | 'stale' | 'absent'
  readonly broken: 'before' | undefined
  readonly key: string | undefined
}
/** Patches of the right shape, many of which are right. */
const part = (key: string, right: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 5, arbitrary: right }, { weight: 1, arbitrary: value }).map(taken => ({ [key]: taken }))
const likely = fc.record(
  {
    gateway: fc.oneof(
      part('port', fc.integer({ min: 0, max: 65_535 })),
      part('token', fc.constantFrom('a token long enough', 'another one, long enough')).map(auth => ({ auth })),
    ),
    cron: part('enabled', fc.boolean()),
    tools: part('ask', fc.constantFrom('off', 'always')).map(exec => ({ exec })),
  },
  { requiredKeys: [] },
)
const raw = fc.oneof(
  { weight: 4, arbitrary: likely.map(patch => JSON.stringify(patch)) },
  { weight: 3, arbitrary: tree.map(patch => JSON.stringify(patch)) },
  { weight: 1, arbitrary: fc.constantFrom('', '{', '[]', '5', 'null', '{ __proto__: { port: 1 } }') },
)
const step: fc.Arbitrary<Step> = fc.record({
  raw,
  base: fc.constantFrom('present', 'present', 'present', 'stale', 'absent' as const),
  broken: fc.constantFrom(undefined, undefined, undefined, 'before' as const),
  key: fc.option(fc.uuid(), { nil: undefined }),
})

type Room = ReturnType<typeof openRoom>
interface Look {
  readonly text: string | undefined
  readonly writes: number
  readonly applied: number
  readonly settings: ReturnType<Room['settings']>
  readonly timers: number
}

function look(room: Room): Look {
  return { ...room.state, settings: room.settings(), timers: room.clock.timers }
}

/** Nothing that could be seen from outside has changed. */
function expectUnchanged(room: Room, before: Look): void {
  expect(room.settings()).toBe(before.settings)
  expect(room.state).toMatchObject({ text: before.text, writes: before.writes, applied: before.applied })
  expect(room.clock.timers).toBe(before.timers)
}

/** What was answered is so, and what is on disk is what the gateway runs by. */
function expectTakenUp(room: Room, before: Look, answer: Result<'config.patch'>): void {
  expect(room.settings()).toEqual(room.load(room.state.text as string))
  const change = compareSettings(before.settings, room.settings())
  expect(answer.applied).toEqual(change.atOnce)
  expect(answer.restart !== null).toBe(change.restart.length > 0)
}

test('T1, W6: a refused change changes nothing; after any other the gateway runs by what is on disk', async () => {
  const seen = { accepted: 0, refused: 0 }
  const run = async (room: Room, { raw, base, broken, key }: Step) => {
    const before = look(room)
    room.state.broken = broken
    const baseHash = base === 'stale' ? hashOf('stale') : hashOf(before.text ?? '')
    const params = { raw, ...(base !== 'absent' && { baseHash }), ...(key && { idempotencyKey: key }) }
    const answer = await room.call('config.patch', params).catch(errorToData)
    expect(JSON.stringify(answer)).not.toMatch(/very secret|hidden|value of KEY/)
    if ('code' in answer) {
      seen.refused += 1
      expect(answer).toMatchObject({ outcome: 'not-started' })
      return expectUnchanged(room, before)
    }
    seen.accepted += 1
    expectTakenUp(room, before, answer)
    const after = look(room)
    if (key) expect(await room.call('config.patch', params)).toEqual(answer)
    expectUnchanged(room, after)
  }
  const starts = fc.constantFrom(undefined, FILE)
  await fc.assert(
    fc.asyncProperty(starts, fc.array(step, { minLength: 1, maxLength: 8 }), async (text, steps) => {
      const room = openRoom(text)
      for (const one of steps) await run(room, one)
    }),
    { numRuns: 150 },
  )
  // Else it would have shown nothing of one of the two.
  expect(Math.min(seen.accepted, seen.refused)).toBeGreaterThan(50)
})
