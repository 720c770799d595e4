// Who may connect: deny by default, and nothing that a client says of itself gives it anything.
import { describe, expect, test } from 'vitest'
import { decide, equal } from '../../src/access/connect.ts'
import { connectParamsSchema } from '../../src/protocol/connect.ts'

const TOKEN = 'the-right-token'
const connect = (extra: object) =>
  decide(
    connectParamsSchema.parse({
      minProtocol: 3,
      maxProtocol: 3,
      client: { id: 'cli', version: '1', platform: 'linux', mode: 'cli' },
      ...extra,
    }),
    TOKEN,
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
    [{ device: { id: 'x', publicKey: 'y', signature: 'z', signedAt: 1 } }, 'unauthorized: gateway token missing'],
    [{ role: 'node', auth: { token: TOKEN } }, 'invalid role'],
  ])('%j is refused', (params, message) => {
    const decision = connect(params)
    expect(decision).toMatchObject({ granted: false, message: expect.stringContaining(message) })
    expect(JSON.stringify(decision)).not.toContain(TOKEN)
  })
})

test('equal is equality', () => {
  expect([equal('a', 'a'), equal('a', 'b'), equal('a', 'aa'), equal('', '')]).toEqual([true, false, false, true])
})
