// `sluice config` where no gateway runs, over a file in memory; and the paths that it understands.
import fc from 'fast-check'
import JSON5 from 'json5'
import { beforeEach, describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import { parsePath, valueAt, withValue } from '../../src/cli/config-path.ts'
import { locate } from '../../src/config/locate.ts'
import { ownConfig } from '../../src/maintenance/own-config.ts'
import { run, type TestShell, testShell } from './test-shell.ts'

const places = locate({}, '/nowhere')
let files: Record<string, string>
let env: Record<string, string>

/** A command line with no gateway to talk to. */
function shellOf(): TestShell {
  const nobody = new SluiceError('UNAVAILABLE', 'No gateway answers.', { details: { isListening: false } })
  return Object.assign(testShell('ws://127.0.0.1:1'), {
    connect: () => Promise.reject(nobody),
    ownConfig: async () =>
      ownConfig({
        places,
        files: {
          readText: path => files[path],
          writePrivateText: (path, text) => {
            files[path] = text
          },
          ensurePrivateFolder: () => undefined,
        },
        env,
        systemZone: 'Europe/Berlin',
        judge: () => undefined,
      }),
  })
}

async function config(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const shell = shellOf()
  const code = await run(shell, 'config', ...args)
  return { code, out: shell.out, err: shell.err }
}

beforeEach(() => {
  files = { [places.configPath]: '{ // mine\n  agents: { list: [{ id: "ann" }, { id: "bob" }] },\n}\n' }
  env = {}
})
const text = () => files[places.configPath] as string

test('one place of a list is set, added and taken away', async () => {
  expect(await config('set', 'agents.list.1.name', 'Bob')).toMatchObject({ code: 0 })
  expect(await config('set', 'agents.list.2', '{ id: "cy" }')).toMatchObject({ code: 0 })
  expect(await config('unset', 'agents.list[0]')).toMatchObject({ code: 0 })
  expect(JSON5.parse(text())).toEqual({ agents: { list: [{ id: 'bob', name: 'Bob' }, { id: 'cy' }] } })
  expect(text()).toContain('// mine')
  expect(await config('set', 'agents.list.7.name', 'x')).toMatchObject({
    code: 2,
    err: expect.stringMatching(/"7" is no place/),
  })
})

test('a value that looks like another is a text where that is asked for', async () => {
  const token = '1234567890123456'
  expect(await config('set', 'gateway.auth.token', token)).toMatchObject({ code: 1 })
  const { code, out } = await config('set', 'gateway.auth.token', token, '--text')
  expect([code, out.includes(token)]).toEqual([0, false])
  expect((await config('get', 'gateway.auth.token')).out).toBe('__redacted__\n')
  // What was not shown is not lost when something else is set.
  await config('set', 'cron.enabled', 'false')
  expect(JSON5.parse(text()).gateway.auth.token).toBe(token)
})

test('a key that nobody knows is set, and said to be unknown; it is not said again', async () => {
  expect((await config('set', 'cron.enabeld', 'false')).out).toMatch(/Warning: .*did you mean cron\.enabled\?/)
  expect((await config('set', 'cron.enabled', 'false')).out).not.toMatch(/Warning/)
})

test('a file that is no JSON5 is not written over', async () => {
  files[places.configPath] = '{ cron: '
  for (const args of [['set', 'cron.enabled', 'true'], ['unset', 'cron'], ['get']]) {
    expect(await config(...args)).toMatchObject({ code: 1, err: expect.stringMatching(/correct it by hand first/) })
  }
  expect(text()).toBe('{ cron: ')
  expect(await config('validate')).toMatchObject({ code: 1, out: expect.stringMatching(/no gateway starts with it/) })
})

test('a wrong value does not keep the right one from being set; what is not there is told', async () => {
  files[places.configPath] = '{ cron: { enabled: 1 } }'
  expect(await config('set', 'logging.level', 'debug')).toMatchObject({ code: 1 })
  expect(await config('set', 'cron.enabled', 'true')).toMatchObject({ code: 0 })
  expect(await config('unset', 'cron.maxConcurrentRuns')).toMatchObject({ code: 1 })
  expect(await config('get', 'tools')).toMatchObject({ code: 1, err: expect.stringMatching(/says nothing of tools/) })
  expect(await config('get', 'cron.staggerMs')).toMatchObject({
    ...{ code: 0, out: '1000\n', err: expect.stringMatching(/says nothing of it: this is its default/) },
  })
  expect(await config('get', 'cron.enabled')).toMatchObject({ code: 0, out: 'true\n' })
  env = { SLUICE_GATEWAY_PORT: '5' }
  expect((await config('set', 'gateway.port', '6')).out).toContain('SLUICE_GATEWAY_PORT wins over gateway.port')
})

test('no file is an empty one', async () => {
  files = {}
  expect((await config('get')).out).toBe('{}\n')
  expect(await config('set', 'methods["cron.add"].timeoutMs', '5')).toMatchObject({ code: 0 })
  expect(JSON5.parse(text())).toEqual({ methods: { 'cron.add': { timeoutMs: 5 } } })
})

test('only a gateway that nobody runs is replaced by the file', async () => {
  const shell = Object.assign(shellOf(), {
    connect: () => Promise.reject(new SluiceError('UNAUTHORIZED', 'The token is wrong.')),
  })
  expect(await run(shell, 'config', 'set', 'cron.enabled', 'false')).toBe(1)
  expect(await run(shellOf(), 'config', 'set', 'cron.enabled', 'false', '--url', 'ws://127.0.0.1:2')).toBe(1)
  expect(text()).not.toContain('cron')
})

describe('paths', () => {
  test.each([
    ['a.b', ['a', 'b']],
    ['a[0].b', ['a', '0', 'b']],
    [`a["x.y"]['z']`, ['a', 'x.y', 'z']],
    ['"x.y".z', ['x.y', 'z']],
    ['', undefined],
    ['a..b', undefined],
    ['.a', undefined],
    ['a.', undefined],
    ['a[', undefined],
    ['a[""]', undefined],
  ])('%s', (written, names) => expect(parsePath(written)).toEqual(names))

  test('what is set at a path is there, and nothing else is changed', () => {
    const name = fc.constantFrom('a', 'b', 'c')
    const branch = (child: fc.Arbitrary<unknown>) => fc.dictionary(name, child, { noNullPrototype: true })
    const tree = branch(fc.oneof(fc.integer(), branch(fc.oneof(fc.integer(), branch(fc.integer())))))
    fc.assert(
      fc.property(tree, fc.array(name, { minLength: 1, maxLength: 3 }), fc.integer(), (before, path, to) => {
        const copy = structuredClone(before)
        const after = withValue(before, path, to)
        expect(valueAt(after, path)).toBe(to)
        expect(before).toEqual(copy)
        const [first, ...others] = ['a', 'b', 'c'].sort(each => (each === path[0] ? -1 : 1))
        expect(first).toBe(path[0])
        for (const other of others) expect(valueAt(after, [other])).toEqual(valueAt(before, [other]))
        expect(valueAt(withValue(after, path, undefined), path)).toBeUndefined()
      }),
    )
  })
})
