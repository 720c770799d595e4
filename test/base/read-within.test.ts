// A file that somebody else names is read only within the folder that is theirs: links, other kinds of files and sizes.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readWithin } from '../../src/base/node/read-within.ts'

const root = mkdtempSync(join(tmpdir(), 'sluice-within-'))
const home = join(root, 'home')
const BYTES_MAX = 10

beforeAll(() => {
  for (const folder of [home, join(home, 'sub'), `${home}-other`]) mkdirSync(folder)
  writeFileSync(join(home, 'sub', 'ten'), '0123456789')
  writeFileSync(join(home, 'eleven'), '0123456789a')
  writeFileSync(join(home, 'empty'), '')
  writeFileSync(join(`${home}-other`, 'secret'), 'secret')
  execFileSync('mkfifo', [join(home, 'pipe')])
  symlinkSync(join('sub', 'ten'), join(home, 'inward'))
  symlinkSync(join(`${home}-other`, 'secret'), join(home, 'outward'))
  symlinkSync(`${home}-other`, join(home, 'away'))
  symlinkSync('loop', join(home, 'loop'))
  symlinkSync(home, join(root, 'alias'))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

test.each(['sub/ten', './sub/../sub/ten', 'inward', join(home, 'sub', 'ten')])('reads %s, whole', async path => {
  expect(new TextDecoder().decode(await readWithin(home, path, BYTES_MAX))).toBe('0123456789')
})

test('a folder that is itself a link is that folder', async () => {
  expect(await readWithin(join(root, 'alias'), 'sub/ten', BYTES_MAX)).toHaveLength(10)
})

test.each([
  ['../home-other/secret', 'FORBIDDEN', /not in/],
  ['outward', 'FORBIDDEN', /not in/],
  ['away/secret', 'FORBIDDEN', /not in/],
  [join(`${home}-other`, 'secret'), 'FORBIDDEN', /not in/],
  ['.', 'FORBIDDEN', /not in/],
  ['sub', 'FORBIDDEN', /no file/],
  ['pipe', 'FORBIDDEN', /no file/],
  ['empty', 'FORBIDDEN', /empty/],
  ['eleven', 'LIMIT', /larger than 10 bytes/],
  ['gone', 'NOT_FOUND', /no such file/],
  ['sub/ten/more', 'NOT_FOUND', /no such file/],
  ['loop', 'UNAVAILABLE', /ELOOP/],
])('refuses %s with %s', async (path, code, message) => {
  await expect(readWithin(home, path, BYTES_MAX)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  })
})
