// Secrets and patches: what is shown holds no secret, and sent back it changes nothing.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { patched } from '../../src/config/patch.ts'
import { REDACTED, redacted } from '../../src/config/secrets.ts'

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: that is how a config names the environment.
describe('what is shown', () => {
  test('secrets are replaced wherever they stand; references and names of settings are not', () => {
    const config = {
      gateway: { port: 1, auth: { mode: 'token', token: 'S', password: 'S' } },
      models: {
        providers: {
          a: { baseUrl: 'http://me:S@host/v1', apiKey: 'S', headers: { 'x-any': 'S', Authorization: 'Bearer ${KEY}' } },
          b: { baseUrl: 'http://host:1/v1', apiKey: '${KEY}', auth: 'api-key', models: [{ maxTokens: 5 }] },
        },
      },
      channels: {
        telegram: { botToken: 'S', tokenFile: '/f', accounts: { x: { webhookSecret: 'S', dmPolicy: 'open' } } },
      },
      hooks: { token: 12345, enabled: true },
      env: { vars: { ANY: 'S' } },
      agents: { defaults: { contextTokens: 9 } },
    }
    expect(redacted(config)).toEqual({
      gateway: { port: 1, auth: { mode: 'token', token: REDACTED, password: REDACTED } },
      models: {
        providers: {
          a: { baseUrl: REDACTED, apiKey: REDACTED, headers: { 'x-any': REDACTED, Authorization: 'Bearer ${KEY}' } },
          b: { baseUrl: 'http://host:1/v1', apiKey: '${KEY}', auth: 'api-key', models: [{ maxTokens: 5 }] },
        },
      },
      channels: {
        telegram: {
          botToken: REDACTED,
          tokenFile: '/f',
          accounts: { x: { webhookSecret: REDACTED, dmPolicy: 'open' } },
        },
      },
      hooks: { token: REDACTED, enabled: true },
      env: { vars: { ANY: REDACTED } },
      agents: { defaults: { contextTokens: 9 } },
    })
  })

  test('a reference with more around it than a header needs is hidden', () => {
    expect(redacted({ apiKey: 'abc${KEY}' })).toEqual({ apiKey: REDACTED })
  })
})
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: see above.

const name = fc.constantFrom('a', 'b', 'token', 'apiKey', 'headers', 'list', '__proto__', 'toString')
const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean())
const { config } = fc.letrec(tie => ({
  config: fc.dictionary(name, tie('value'), { maxKeys: 4 }),
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(leaf),
    tie('config'),
    fc.array(tie('config')),
  ),
})) as { config: fc.Arbitrary<Record<string, unknown>> }

/** JSON merge patch as RFC 7386 writes it down, line by line. */
function rfc7386(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const isObject = typeof target === 'object' && target !== null && !Array.isArray(target)
  const result = new Map(isObject ? Object.entries(target) : [])
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key)
    else result.set(key, rfc7386(result.get(key), value))
  }
  return Object.fromEntries(result)
}

describe('patches', () => {
  test('what was shown, sent back, changes nothing', () => {
    fc.assert(
      fc.property(config, before => {
        expect(patched(before, redacted(before))).toEqual(before)
      }),
    )
  })

  test('without redacted values a patch is a merge patch, and neither side is changed by it', () => {
    fc.assert(
      fc.property(config, config, (before, patch) => {
        const copies = structuredClone([before, patch])
        expect(patched(before, patch)).toEqual(rfc7386(before, patch))
        expect([before, patch]).toEqual(copies)
      }),
    )
  })

  test('null deletes, at any depth', () => {
    expect(patched({ a: { b: 1, c: 2 }, d: 3 }, { a: { b: null }, d: null, e: { f: null } })).toEqual({
      a: { c: 2 },
      e: {},
    })
  })

  test('redacted where there is nothing, or in a list that was changed, is refused by its path', () => {
    const before = { channels: [{ token: 'x', name: 'n' }] }
    expect(() => patched({}, { gateway: { auth: { token: REDACTED } } })).toThrow(
      /gateway\.auth\.token is __redacted__, which means unchanged, but it has no value yet/,
    )
    expect(() => patched(before, { channels: [{ token: REDACTED, name: 'm' }] })).toThrow(
      /channels has __redacted__ in a list/,
    )
    expect(patched(before, { channels: [{ token: REDACTED, name: 'n' }] })).toEqual(before)
    expect(patched({ port: 1 }, { port: REDACTED })).toEqual({ port: 1 })
  })
})
