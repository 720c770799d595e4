// The rules of this repository that no linter has: sizes, names, headers, the map, what we depend on and what must not
// be written down. Each failure says which rule was broken and where. It judges text, never behaviour.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FILE_LINES_MAX = 500
const SRC_LINES_MAX = 46_000
const PUBLISHED_DEPENDENCIES_MAX = 32

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const readJson = (path: string) => JSON.parse(read(path))
const lineCount = (text: string) => text.split('\n').length - (text.endsWith('\n') ? 1 : 0)

/** What would be committed: everything but what .gitignore names (folders as `name/`, suffixes as `*.suffix`). */
function filesOfRepo(): string[] {
  const ignored = read('.gitignore').split('\n').filter(Boolean)
  const isIgnored = (path: string, isFolder: boolean) =>
    ['.git', 'node_modules'].includes(basename(path)) ||
    /^dist(\.|$)/.test(path) ||
    ignored.some(rule => (rule.startsWith('*') ? path.endsWith(rule.slice(1)) : isFolder && `${path}/` === rule))
  const walk = (folder: string): string[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
      const path = join(folder, entry.name)
      if (isIgnored(relative(ROOT, path), entry.isDirectory())) return []
      if (entry.isDirectory()) return walk(path)
      return entry.isFile() ? [relative(ROOT, path)] : []
    })
  return walk(ROOT).sort()
}

const FILES = filesOfRepo()
const CODE = FILES.filter(path => /\.(ts|tsx|cjs|mjs|js)$/.test(path) || path === 'bin/sluice')
const SOURCES = CODE.filter(path => path.startsWith('src/'))
const TESTS = CODE.filter(path => path.startsWith('test/') || path.endsWith('.test.ts'))

interface Place {
  readonly path: string
  readonly line: string
  readonly before: string
  readonly number: number
}

/** Where a pattern stands in the given files, as `path:line`, unless the place is excused. */
function places(
  paths: readonly string[],
  pattern: RegExp,
  isExcused: (place: Place) => boolean = () => false,
): string[] {
  return paths.flatMap(path => {
    const lines = read(path).split('\n')
    return lines.flatMap((line, index) => {
      const place = { path, line, before: lines[index - 1] ?? '', number: index + 1 }
      return pattern.test(line) && !isExcused(place) ? [`${path}:${place.number}: ${line.trim().slice(0, 120)}`] : []
    })
  })
}

describe('size and names', () => {
  test(`no file of code has more than ${FILE_LINES_MAX} lines`, () => {
    expect(CODE.filter(path => lineCount(read(path)) > FILE_LINES_MAX)).toEqual([])
  })

  test(`src/ has at most ${SRC_LINES_MAX} lines without tests`, () => {
    const sources = SOURCES.filter(path => !path.endsWith('.test.ts'))
    expect(sources.length).toBeGreaterThan(0)
    expect(sources.reduce((sum, path) => sum + lineCount(read(path)), 0)).toBeLessThanOrEqual(SRC_LINES_MAX)
  })

  test('a file is named after its idea', () => {
    const nameless = /^(utils?|helpers?|misc|common|part-?\d+)\b|-(utils?|helpers?|misc|part-?\d+)\./
    expect(CODE.filter(path => nameless.test(basename(path)))).toEqual([])
  })

  test('a file of code opens by saying why it exists', () => {
    const opening = /^(#!.*\n)?(\/\/|\/\*|#) ?\S/
    const judged = CODE.filter(path => !path.startsWith('test/'))
    expect(judged.filter(path => !opening.test(read(path)))).toEqual([])
  })
})

type FolderMap = Readonly<Record<string, readonly string[]>>

/** The rows of ARCHITECTURE.md's table `| folder | may import |`; a row may name several folders. */
function mapOfDocument(): FolderMap {
  const lines = read('ARCHITECTURE.md').split('\n')
  const head = lines.findIndex(line => /^\|\s*folder\s*\|\s*may import\s*\|/i.test(line))
  if (head < 0) return {}
  const body = lines.slice(head + 2)
  const end = body.findIndex(line => !line.startsWith('|'))
  const words = (cell = '') => cell.split(',').map(word => word.replaceAll(/[`\s]|\/$/g, ''))
  return Object.fromEntries(
    body.slice(0, end < 0 ? body.length : end).flatMap(line => {
      const [, folders, allowed] = line.split('|')
      const targets = words(allowed).filter(word => word !== 'nothing')
      return words(folders)
        .filter(folder => !folder.endsWith('.ts'))
        .map(folder => [folder, targets.sort()])
    }),
  )
}

describe('the map', () => {
  const { mayImport }: { mayImport: FolderMap } = createRequire(import.meta.url)(join(ROOT, '.dependency-cruiser.cjs'))

  test('every folder in src/ is on it', () => {
    const folders = readdirSync(join(ROOT, 'src'), { withFileTypes: true }).filter(entry => entry.isDirectory())
    expect(folders.map(entry => entry.name).filter(name => !Object.hasOwn(mayImport, name))).toEqual([])
  })

  test('ARCHITECTURE.md draws the table that .dependency-cruiser.cjs lints', () => {
    const linted = Object.fromEntries(
      Object.entries(mayImport).map(([folder, allowed]) => [folder, [...allowed].sort()]),
    )
    expect(mapOfDocument()).toEqual(linted)
  })
})

describe('dependencies', () => {
  const manifests = ['package.json', 'runtime/package.json']
  const KINDS = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'] as const

  test('every version is exact', () => {
    const loose = manifests.flatMap(path => {
      const manifest = readJson(path)
      return KINDS.flatMap(kind => Object.entries<string>(manifest[kind] ?? {})).filter(
        ([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version),
      )
    })
    expect(loose).toEqual([])
  })

  test('the lockfile was made from these manifests, and has every optional package in it', () => {
    const { packages } = readJson('package-lock.json')
    for (const [path, key] of [
      ['package.json', ''],
      ['runtime/package.json', 'runtime'],
    ] as const) {
      const manifest = readJson(path)
      for (const kind of KINDS) expect(packages[key][kind] ?? {}, `${path} ${kind}`).toEqual(manifest[kind] ?? {})
    }
    // One that the registry did not have is dropped from the lock without a word, and then `npm ci` refuses it whole.
    const named = Object.values<{ optionalDependencies?: object }>(packages).flatMap(of =>
      Object.keys(of.optionalDependencies ?? {}),
    )
    expect(named.filter(name => !packages[`node_modules/${name}`]?.version)).toEqual([])
  })

  test(`at most ${PUBLISHED_DEPENDENCIES_MAX} direct ones end up in the published package`, () => {
    execFileSync(process.execPath, [join(ROOT, 'scripts/build.ts'), '--if-stale'], { cwd: ROOT })
    const { inputs } = readJson('dist/meta.json')
    const names = Object.keys(inputs).map(path => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1])
    const bundled = new Set(names)
    const { dependencies, devDependencies } = readJson('package.json')
    const published = [...Object.keys(dependencies), ...Object.keys(devDependencies).filter(name => bundled.has(name))]
    expect(published.length).toBeLessThanOrEqual(PUBLISHED_DEPENDENCIES_MAX)
  })
})

describe('what is not written down', () => {
  test('no registry host: whoever installs has a registry of their own', () => {
    const host = /\bregistry\.[a-z][\w-]*\.[a-z]|\b(npm|pkgs?)\.[\w-]+\.(com|dev|io)\b|"resolved": "https?:/
    expect(places(FILES, host)).toEqual([])
  })

  test('no absolute path of a home folder or of a build machine', () => {
    const path = /(?<![\w.~*})-])\/(?:(?:home|Users)\/(?!you\/)\w|root\/|(?:work|workspaces?|builds)\/\w)/
    expect(places(FILES, path)).toEqual([])
  })
})

describe('tests', () => {
  test('none is left out, nor the only one to run, without a reason beside it', () => {
    const focus = /\.(only|skip|skipIf|runIf|todo|fails)\(/
    expect(places(TESTS, focus, ({ line, before }) => /\/\/ /.test(line) || /^\s*\/\/ /.test(before))).toEqual([])
  })

  test('none sleeps: it sets the clock or awaits an event; a bound on a hang says `// bound:`', () => {
    const sleep = /\bsetTimeout\s*\(|\bsleep\s*\(|timers\/promises|Atomics\.wait\s*\(/
    const excused = ({ path, line }: Place) => line.includes('// bound:') || path === 'test/tidy.test.ts'
    expect(places(TESTS, sleep, excused)).toEqual([])
  })
})
