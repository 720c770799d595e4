// Config files that include others: what is merged, what wins, what is refused by name, and what a change may touch.
import { describe, expect, test } from 'vitest'
import type { SluiceError } from '../../src/base/errors.ts'
import { includedPaths, includesIn, refuseIncluded, wholeConfig } from '../../src/config/includes.ts'

const MAIN = '/etc/sluice/main.json5'

function filesOf(texts: Readonly<Record<string, string>>) {
  return {
    readText: (path: string) => {
      if (texts[path] === 'DENIED') throw new Error('EACCES')
      return texts[path]
    },
  }
}

function whole(main: string, texts: Readonly<Record<string, string>> = {}) {
  return wholeConfig(main, MAIN, filesOf(texts))
}

test('objects are merged, lists joined, later files win, and what stands beside wins over all', () => {
  const texts = {
    '/etc/sluice/a.json5': "{ cron: { enabled: false, maxConcurrentRuns: 1 }, tools: { deny: ['exec'] } }",
    '/etc/sluice/b.json5': "{ cron: { maxConcurrentRuns: 2 }, tools: { deny: ['cron'] } }",
  }
  const main = "{ $include: ['a.json5', './b.json5'], cron: { maxConcurrentRuns: 3 }, gateway: { port: 1 } }"
  expect(whole(main, texts)).toEqual({
    cron: { enabled: false, maxConcurrentRuns: 3 },
    tools: { deny: ['exec', 'cron'] },
    gateway: { port: 1 },
  })
  expect(whole("{ $include: ['a.json5', 'b.json5'] }", texts)).toMatchObject({ cron: { maxConcurrentRuns: 2 } })
})

test('a file is named from the one that includes it, at any place, and may be any value there', () => {
  const texts = {
    '/etc/sluice/more/agents.json5': "{ list: { $include: '../list.json5' } }",
    '/etc/sluice/list.json5': "[{ id: 'a', $include: '/srv/a.json5' }]",
    '/srv/a.json5': "{ name: 'Ann' }",
  }
  expect(whole("{ agents: { $include: 'more/agents.json5' } }", texts)).toEqual({
    agents: { list: [{ id: 'a', name: 'Ann' }] },
  })
  const paths = includedPaths("{ agents: { $include: 'more/agents.json5' } }", MAIN, filesOf(texts))
  expect(paths).toEqual(['/etc/sluice/more/agents.json5', '/etc/sluice/list.json5', '/srv/a.json5'])
})

test('ten files deep is taken', () => {
  const texts = Object.fromEntries(
    Array.from({ length: 10 }, (_, index) => [
      `/etc/sluice/${index + 1}`,
      index === 9 ? '{ cron: {} }' : `{ $include: '${index + 2}' }`,
    ]),
  )
  expect(whole("{ $include: '1' }", texts)).toEqual({ cron: {} })
  const deeper = { ...texts, '/etc/sluice/10': "{ $include: '11' }", '/etc/sluice/11': '{}' }
  expect(() => whole("{ $include: '1' }", deeper)).toThrow(/nested more than 10 files deep: .*10 -> \/etc\/sluice\/11/)
})

describe('what is refused, by its place and with the files', () => {
  test.each([
    ["{ cron: { $include: 'none' } }", 'cron.$include', /names the file \/etc\/sluice\/none, which does not exist/],
    ["{ $include: 'a' }", '$include', /in a circle: \/etc\/sluice\/main.json5 -> .*\/a -> .*\/b -> .*\/a\./],
    ["{ $include: 'main.json5' }", '$include', /in a circle: .*main.json5 -> .*main.json5/],
    ["{ $include: 'closed' }", '$include', /names the file .*closed, which cannot be read: EACCES/],
    ['{ $include: 7 }', '$include', /names no file: write a path/],
    ["{ $include: ['a', ''] }", '$include', /names no file/],
  ])('%s', (main, path, message) => {
    const texts = { a: "{ $include: 'b' }", b: "{ $include: 'a' }", closed: 'DENIED' }
    const found = Object.fromEntries(Object.entries(texts).map(([name, text]) => [`/etc/sluice/${name}`, text]))
    let error: SluiceError | undefined
    try {
      whole(main, found)
    } catch (thrown) {
      error = thrown as SluiceError
    }
    expect(error).toMatchObject({ code: 'INVALID_REQUEST', details: { issues: [{ path }] } })
    expect(error?.message).toMatch(message)
  })

  test('a file that is no JSON5 is named', () => {
    expect(() => whole("{ $include: 'a' }", { '/etc/sluice/a': '{' })).toThrow(/\/etc\/sluice\/a is not valid JSON5/)
  })

  test('a file that is missing is looked for all the same', () => {
    expect(includedPaths("{ $include: 'none' }", MAIN, filesOf({}))).toEqual(['/etc/sluice/none'])
  })
})

describe('a change of the main file', () => {
  const files = filesOf({ '/etc/sluice/a': "{ cron: { enabled: false }, tools: { deny: ['exec'] } }" })
  const before = { $include: 'a', tools: { allow: ['cron'] } }
  const change = (after: object) => () => refuseIncluded({ before, after }, { path: MAIN, files })

  test.each([
    [{ ...before, cron: { enabled: true } }, 'cron.enabled'],
    [{ ...before, cron: false }, 'cron'],
    [{ ...before, tools: { allow: ['cron'], deny: [] } }, 'tools.deny'],
  ])('%j is refused: it comes from the other file', (after, key) => {
    const told = `${key} comes from /etc/sluice/a, which the config ${MAIN} includes. Change it there; nothing was changed.`
    expect(change(after)).toThrow(told)
  })

  test.each([
    [{ ...before, cron: { maxConcurrentRuns: 2 } }],
    [{ ...before, tools: { allow: [] } }],
    [{ $include: 'a' }],
    [{ tools: { allow: ['cron'] }, cron: { enabled: true } }],
  ])("%j is the main file's own affair", after => expect(change(after)).not.toThrow())

  test('which files are included, and where, can be compared', () => {
    expect(includesIn({ a: [{ $include: 'x' }], $include: ['y'] })).toEqual([
      ['.a.0', 'x'],
      ['', ['y']],
    ])
  })
})
