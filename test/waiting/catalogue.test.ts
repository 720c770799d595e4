// docs/internals/waiting.md and the traps of this folder say the same: every shape of the page is tried by the tests it
// cites, every test is cited by its shape, and a shape that cannot exist yet is shown not to.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const ROOT = new URL('../../', import.meta.url)
const PAGE = 'docs/internals/waiting.md'
/** Where tests show that something is not there. */
const ABSENT = 'absent.test.ts'

const page = readFileSync(new URL(PAGE, ROOT), 'utf8')

interface Shape {
  readonly id: string
  readonly text: string
  readonly absent: boolean
  /** Names of tests, as they stand on the page. */
  readonly shownBy: readonly string[]
}

interface Trap {
  readonly id: string
  readonly name: string
  readonly file: string
}

const SHAPES: readonly Shape[] = page.split(/^(?=###? )/m).flatMap(section => {
  const id = /^### (WAIT-\d\d) \S/.exec(section)?.[1]
  if (id === undefined) return []
  // A name may be broken over lines on the page.
  const text = section.replaceAll(/\s+/g, ' ')
  const shownBy = [...text.matchAll(/`(WAIT-\d\d [^`]+)`/g)].map(([, name]) => name as string)
  return [{ id, text, absent: text.includes('**Cannot exist yet.**'), shownBy }]
})

const TRAPS: readonly Trap[] = readdirSync(new URL('.', import.meta.url))
  .filter(file => file.endsWith('.test.ts'))
  .flatMap(file => {
    const code = readFileSync(new URL(file, import.meta.url), 'utf8')
    return [...code.matchAll(/\btest(?:\.fails)?\(\s*(['"`])(WAIT-\d\d)(.+?)\1,/g)].map(([, , id, rest]) => ({
      id: id as string,
      name: `${id}${rest}`,
      file,
    }))
  })

const sorted = (names: Iterable<string>) => [...new Set(names)].sort()

describe(PAGE, () => {
  test('has shapes, numbered without a gap, each once', () => {
    expect(SHAPES.length).toBeGreaterThan(30)
    const numbers = SHAPES.map((_, index) => `WAIT-${String(index + 1).padStart(2, '0')}`)
    expect(SHAPES.map(({ id }) => id)).toEqual(numbers)
  })

  test('names a shape for every test, and a test for every shape', () => {
    expect(sorted(SHAPES.map(({ id }) => id))).toEqual(sorted(TRAPS.map(({ id }) => id)))
  })

  test.each(SHAPES)('$id says what happens instead, or that it cannot exist yet and what is to be done then', shape => {
    expect(shape.text.includes('**Instead.**')).toBe(!shape.absent)
    expect(shape.text).toContain('**Shown by.**')
    if (shape.absent) expect(shape.text).toMatch(/\*\*Cannot exist yet\.\*\* There (is|are) no .+ When .+ come/)
  })

  test.each(SHAPES)('$id cites its tests, all of them and no others', ({ id, shownBy }) => {
    const names = TRAPS.filter(trap => trap.id === id).map(({ name }) => name)
    expect([...shownBy].sort()).toEqual(names.sort())
  })

  test.each(SHAPES)('$id is shown to be absent where it is, and is tried where it is not', ({ id, absent }) => {
    const files = TRAPS.filter(trap => trap.id === id).map(({ file }) => file)
    expect(files.map(file => file === ABSENT)).toEqual(files.map(() => absent))
  })

  test('names files that exist', () => {
    const paths = [...page.matchAll(/`((?:src|test)\/[\w./-]+)`/g)].map(([, path]) => path as string)
    expect(paths.length).toBeGreaterThan(5)
    expect(paths.filter(path => !existsSync(fileURLToPath(new URL(path, ROOT))))).toEqual([])
  })
})

test('every trap names the invariants that it holds to, and has a name of its own', () => {
  expect(TRAPS.filter(({ name }) => !/^WAIT-\d\d( W[1-8])+: \S/.test(name))).toEqual([])
  expect(sorted(TRAPS.map(({ name }) => name))).toHaveLength(TRAPS.length)
})
