// config.set, config.apply and config.schema: a whole document in the place of the present one, with its secrets and
// comments; what else wins over a key; what a turn may not have read out.
import fc from 'fast-check'
import JSON5 from 'json5'
import { describe, expect, test } from 'vitest'
import { errorToData } from '../../src/base/errors.ts'
import { valueAt } from '../../src/config/secrets.ts'
import { hashOf, openRoom, refusal, turn } from './config-room.ts'

const TOKEN = 'a very secret token'
const FILE = `// why
{ gateway: { port: 1234, auth: { token: '${TOKEN}' } }, // mine
  cron: { enabled: false } }
`

type Room = ReturnType<typeof openRoom>
const documentFor = (room: Room, raw: string) => ({ raw, baseHash: hashOf(room.state.text ?? '') })
const replace = (room: Room, method: 'config.set' | 'config.apply', raw: string) =>
  room.call(method, documentFor(room, raw))

describe.each(['config.set', 'config.apply'] as const)('%s', method => {
  test('what was shown and comes back changed keeps comments and secrets, and drops what is not in it', async () => {
    const room = openRoom(FILE)
    const { raw } = await room.call('config.get', {})
    const shown = JSON.parse(raw as string)
    const answer = await replace(room, method, JSON.stringify({ gateway: shown.gateway, logging: { level: 'debug' } }))
    expect(answer).toMatchObject({ ok: true, applied: ['cron.enabled', 'logging.level'], overridden: [] })
    expect(JSON.stringify(answer)).not.toContain(TOKEN)
    expect(room.state.text).toContain(`{ gateway: { port: 1234, auth: { token: '${TOKEN}' } }, // mine`)
    expect(JSON5.parse(room.state.text as string)).toEqual({
      gateway: { port: 1234, auth: { token: TOKEN } },
      logging: { level: 'debug' },
    })
    expect(room.settings()).toMatchObject({ cronEnabled: true, log: { level: 'debug' }, token: TOKEN })
  })

  test('one with comments of its own is taken as it was written, but for the secrets', async () => {
    const room = openRoom(FILE)
    const raw = `{ gateway: { port: 1234, auth: { token: '__redacted__' } }, /* new */ cron: { enabled: true } }\n`
    await replace(room, method, raw)
    expect(room.state.text).toBe(raw.replace('__redacted__', TOKEN))
  })

  test('what stands for a value means that value, of a whole section too', async () => {
    const room = openRoom(FILE)
    await replace(room, method, `{ gateway: { port: '__redacted__', auth: '__redacted__' }, cron: '__redacted__' }`)
    expect(JSON5.parse(room.state.text as string)).toEqual(JSON5.parse(FILE))
  })

  test('mends a file that cannot be read', async () => {
    const room = openRoom('{ a: ', '')
    await replace(room, method, '{ "cron": { "enabled": false } }')
    expect([JSON5.parse(room.state.text as string), room.settings().cronEnabled]).toEqual([
      { cron: { enabled: false } },
      false,
    ])
  })

  test.each([
    ['invalid config', '[1]'],
    ['invalid config', '{ gateway: { auth: { token: "__redacted__", other: "__redacted__" } } }'],
    ['invalid config', '{ cron: { enabled: "yes" } }'],
    ['SyntaxError: JSON5: invalid end of input at 1:2', '{'],
  ])('refused: %s: %s', async (message, raw) => {
    const room = openRoom(undefined)
    expect(await refusal(replace(room, method, raw))).toMatchObject({ code: 'INVALID_REQUEST', message })
    expect(room.state).toMatchObject({ text: undefined, writes: 0, applied: 0 })
  })

  test('a turn cannot change what turns may do by it, nor drop it', async () => {
    const room = openRoom('{ tools: { deny: ["exec"] } }')
    for (const raw of ['{}', '{ tools: { deny: [] } }']) {
      expect(await refusal(room.call(method, documentFor(room, raw), turn))).toMatchObject({ code: 'FORBIDDEN' })
    }
    expect(room.state).toMatchObject({ writes: 0, applied: 0 })
  })
})

test('config.set restarts nothing and names what needs it; config.apply schedules it', async () => {
  const raw = '{ gateway: { port: 5 } }'
  const set = openRoom('{}')
  expect(await replace(set, 'config.set', raw)).toMatchObject({ applied: [], restartNeeded: ['gateway.port'] })
  expect(set.control.configState().restart).toEqual(['gateway.port'])
  const apply = openRoom('{}')
  expect(await replace(apply, 'config.apply', raw)).toMatchObject({
    restart: { delayMs: 2_000, reason: 'config.apply: gateway.port', mode: 'emit' },
  })
  await set.clock.advance(5_000)
  await apply.clock.advance(5_000)
  expect([set.restarts, apply.restarts]).toEqual([[], ['config.apply: gateway.port']])
})

test('a changed key that the environment wins over is named, with what wins', async () => {
  const env = { SLUICE_GATEWAY_PORT: '7', SLUICE_GATEWAY_TOKEN: 'from the environment' }
  const room = openRoom('{ gateway: { port: 1 } }', '', { env })
  const port = { key: 'gateway.port', by: 'SLUICE_GATEWAY_PORT' }
  expect(await room.patch('{ gateway: { port: 2, auth: { token: "0123456789abcdef" } } }')).toMatchObject({
    applied: [],
    restart: null,
    overridden: [port, { key: 'gateway.auth.token', by: 'SLUICE_GATEWAY_TOKEN' }],
  })
  expect(await room.patch('{ gateway: { port: 3 } }')).toMatchObject({ overridden: [port] })
  expect(await room.patch('{ cron: { enabled: false } }')).toMatchObject({ overridden: [] })
  expect((await room.call('config.get', {})).warnings).toContainEqual({
    path: 'gateway.port',
    message: 'SLUICE_GATEWAY_PORT wins over it',
  })
})

describe('a secret in a file', () => {
  const file = '{ gateway: { auth: { token: { file: "/run/token" } } } }'

  test('is taken from there, and shown as the file it is in', async () => {
    const room = openRoom(file)
    expect(room.settings().token).toBe('a token in a file, long enough')
    const answer = await room.call('config.get', {})
    expect(answer).toMatchObject({ valid: true, parsed: { gateway: { auth: { token: { file: '/run/token' } } } } })
    expect(JSON.stringify(answer)).not.toContain('long enough')
  })

  test.each([
    ['/none', /names the file \/none, which does not exist/],
    ['token', /give an absolute path/],
  ])('%s is refused by its path', async (name, message) => {
    const raw = JSON.stringify({ gateway: { auth: { token: { file: name } } } })
    const { details } = await refusal(openRoom('{}').patch(raw))
    expect(details).toMatchObject({ issues: [{ path: 'gateway.auth.token', message: expect.stringMatching(message) }] })
  })

  test('no turn may name one, wherever; and a text elsewhere is none', async () => {
    const room = openRoom('{}')
    const raw = '{ channels: { telegram: { botToken: { file: "/run/token" } } } }'
    expect(await refusal(room.patch(raw, turn))).toMatchObject({ code: 'FORBIDDEN' })
    expect((await refusal(room.patch('{ logging: { level: { file: "/run/token" } } }'))).details).toMatchObject({
      issues: [{ path: 'logging.level' }],
    })
  })
})

test('config.schema tells each key, which are secret, and what may stand there', async () => {
  const { schema, uiHints, version, generatedAt } = await openRoom('{}').call('config.schema', {})
  expect(schema).toMatchObject({
    type: 'object',
    properties: {
      gateway: {
        properties: {
          port: { type: 'integer', maximum: 65_535 },
          auth: { properties: { token: { anyOf: [{ type: 'string', minLength: 16 }, { type: 'object' }] } } },
        },
      },
    },
  })
  expect(uiHints['models.providers.*.apiKey']).toMatchObject({ sensitive: true, group: 'models' })
  expect(uiHints['gateway.port']).not.toHaveProperty('sensitive')
  expect([version, Number.isNaN(Date.parse(generatedAt))]).toEqual(['9.9.9', false])
})

const leaf = fc.constantFrom<unknown>(1, true, 'x', 'debug', '__redacted__', 70_000, [])
const { tree } = fc.letrec(tie => ({
  tree: fc.dictionary(
    fc.constantFrom('gateway', 'port', 'auth', 'token', 'cron', 'enabled', 'level', 'logging', 'x'),
    fc.oneof({ depthSize: 'small' }, leaf, tie('tree')),
  ),
})) as { tree: fc.Arbitrary<Record<string, unknown>> }

/** What a document means: itself, with what is there now in the place of what was not shown. */
function meant(document: unknown, now: unknown): unknown {
  if (document === '__redacted__') return now
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return document
  return Object.fromEntries(Object.entries(document).map(([name, child]) => [name, meant(child, valueAt(now, [name]))]))
}

test('whatever document is sent: either nothing changes, or the file means it, and no secret is told', async () => {
  await fc.assert(
    fc.asyncProperty(tree, fc.boolean(), async (document, isJson) => {
      const room = openRoom(FILE)
      const before = room.settings()
      const raw = isJson ? JSON.stringify(document) : JSON5.stringify(document, null, 2)
      const answer = await replace(room, 'config.set', raw).catch(errorToData)
      expect(JSON.stringify(answer)).not.toContain(TOKEN)
      if ('code' in answer) {
        expect(room.state).toMatchObject({ text: FILE, writes: 0, applied: 0 })
        expect(room.settings()).toBe(before)
        return
      }
      expect(room.settings()).toEqual(room.load(room.state.text as string))
      expect(JSON5.parse(room.state.text as string)).toEqual(meant(document, JSON5.parse(FILE)))
    }),
    { numRuns: 150 },
  )
})
