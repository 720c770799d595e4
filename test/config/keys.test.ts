// What is told of the keys is true: each used one is described, the default that is told is the one that holds, and the
// reference is as new as the schema.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { references } from '../../scripts/reference.ts'
import { configKeys } from '../../src/config/keys.ts'
import { USED_KEYS } from '../../src/config/known-keys.ts'
import { loadSettings } from '../../src/config/load.ts'
import { locate } from '../../src/config/locate.ts'
import { isSecretPath } from '../../src/config/secrets.ts'

const places = locate({}, '/nowhere')
const keys = configKeys()

function load(config: unknown) {
  const text = JSON.stringify(config)
  return loadSettings({
    files: { readText: () => text, writePrivateText: () => undefined, ensurePrivateFolder: () => undefined },
    env: {},
    places,
    portOverride: undefined,
    systemZone: 'Europe/Berlin',
    isMethod: () => true,
  })
}

/** A config with one value, and what its neighbours require. */
function configWith(path: string, value: unknown): unknown {
  const names = path.replace('providers.*', 'providers.p').replace('groups.*', 'groups.g').split('.')
  const config = names.reduceRight<unknown>((child, name) => ({ [name]: child }), value) as Record<string, unknown>
  const { models, channels } = config as { models?: { providers?: { p: object } }; channels?: { telegram: object } }
  if (channels) Object.assign(channels.telegram, { botToken: '1:token' })
  if (models?.providers) Object.assign(models.providers.p, { baseUrl: 'http://127.0.0.1:1/v1' })
  return config
}

test('each key that changes behaviour is described once, and no other', () => {
  expect(keys.map(({ path }) => path).sort()).toEqual([...USED_KEYS].sort())
  expect(keys.filter(({ description }) => !/^[A-Z].*\.$/.test(description))).toEqual([])
})

describe('a default that is told is the one that holds', () => {
  const told = keys.filter(key => 'default' in key)
  test.each(told.map(key => [key.path, key.default]))('%s: %j', (path, value) => {
    // Where it stands in the file is no difference either.
    const neighbour = path.startsWith('models.providers.')
      ? 'models.providers.*.maxConcurrent'
      : path.startsWith('channels.')
        ? `${path.slice(0, path.lastIndexOf('.'))}.allowFrom`
        : undefined
    const without = load(neighbour === undefined ? {} : configWith(neighbour, undefined))
    expect(load(configWith(path, value))).toEqual(without)
  })

  test('most keys have one', () => expect(told.length).toBeGreaterThan(20))
})

test('what is described as secret is what is hidden', () => {
  expect(keys.filter(({ secret }) => secret).map(({ path }) => path)).toEqual(
    keys.map(({ path }) => path).filter(path => isSecretPath(path.split('.'))),
  )
})

test.each(Object.entries(references()))(
  'docs/reference/%s is current; else run: node scripts/reference.ts',
  (name, text) => {
    expect(readFileSync(new URL(`../../docs/reference/${name}`, import.meta.url), 'utf8')).toBe(text)
  },
)
