// Who may connect: deny by default, and nothing that a client says of itself gives it anything.
import { describe, expect, test } from 'vitest'
import { decide } from '../../src/access/connect.ts'
import { isSameSecret } from '../../src/base/same-secret.ts'
import { CAUSE_LENGTH_MAX, connectParamsSchema } from '../../src/protocol/connect.ts'

const TOKEN = 'the-right-token'
const turn = { label: 'the turn of agent:main:main' }
const connect = (extra: object) =>
  decide(
    connectParamsSchema.parse({
      minProtocol: 3,
      maxProtocol: 3,
      client: { id: 'cli', version: '1', platform: 'linux', mode: 'cli' },
      ...extra,
    }),
    { address: '10.0.0.9', isLocal: false, nonce: 'nonce' },
    {
      secrets: { token: TOKEN, password: undefined },
      turnOf: cause => (cause === 'lives' ? turn : undefined),
      device: () => undefined,
      nowMs: 1,
    },
  )

describe('the token', () => {
  test('the right one is the operator, with admin when it asks for nothing less', () => {
    expect(connect({ auth: { token: TOKEN } })).toMatchObject({
      granted: true,
      principal: 'operator',
      scopes: new Set(['operator.admin']),
    })
    expect(connect({ auth: { token: TOKEN }, scopes: ['operator.read', 'made.up'] })).toMatchObject({
      scopes: new Set(['operator.read']),
    })
  })

  test.each([
    [{}, 'device identity required'],
    [{ auth: { token: '' } }, 'device identity required'],
    [
      { auth: { token: 'wrong' } },
      'unauthorized: gateway token mismatch (set gateway.remote.token to match gateway.auth.token)',
    ],
    [{ auth: { token: `${TOKEN} ` } }, 'unauthorized: gateway token mismatch'],
    [{ scopes: ['operator.admin'] }, 'device identity required'],
    [{ device: { id: 'x', publicKey: 'y', signature: 'z', signedAt: 1 } }, 'device public key invalid'],
    [
      { auth: { token: TOKEN }, client: { id: 'clawdbot-control-ui', version: '1', platform: 'l', mode: 'webchat' } },
      'control ui requires HTTPS or localhost (secure context)',
    ],
    [{ role: 'node', auth: { token: TOKEN } }, 'invalid role'],
  ])('%j is refused', (params, message) => {
    const decision = connect(params)
    expect(decision).toMatchObject({ granted: false, message: expect.stringContaining(message) })
    expect(JSON.stringify(decision)).not.toContain(TOKEN)
  })
})

describe('W1: the cause', () => {
  test.each([{}, { token: TOKEN }, { token: 'wrong' }, { password: TOKEN }])(
    'one whose turn lives is that turn, and nothing more, whatever else is shown: %j',
    auth => {
      expect(connect({ auth: { ...auth, cause: 'lives' }, scopes: ['operator.admin'] })).toEqual({
        granted: true,
        turn,
      })
    },
  )

  test.each([{}, { token: TOKEN }, { password: TOKEN }])(
    'any other is refused, also with the right token, and says how to call as oneself: %j',
    auth => {
      const decision = connect({ auth: { ...auth, cause: 'ended' } })
      expect(decision).toMatchObject({
        granted: false,
        code: 'INVALID_REQUEST',
        message: expect.stringMatching(
          /^unauthorized: the turn that started this process has ended.*unset SLUICE_CAUSE$/,
        ),
      })
    },
  )

  test('a node is refused as before', () => {
    expect(connect({ role: 'node', auth: { cause: 'lives' } })).toMatchObject({
      granted: false,
      message: 'invalid role',
    })
  })

  test('it is optional, never empty, and has a limit', () => {
    const auth = connectParamsSchema.shape.auth
    expect(auth.safeParse({ cause: 'x'.repeat(CAUSE_LENGTH_MAX) }).success).toBe(true)
    expect(auth.safeParse({ cause: 'x'.repeat(CAUSE_LENGTH_MAX + 1) }).success).toBe(false)
    expect(auth.safeParse({ cause: '' }).success).toBe(false)
  })
})

test('the same secret is the same text', () => {
  expect([isSameSecret('a', 'a'), isSameSecret('a', 'b'), isSameSecret('a', 'aa'), isSameSecret('', '')]).toEqual([
    true,
    false,
    false,
    true,
  ])
})
