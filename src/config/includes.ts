// `$include` in the config: one file, or several, in the place of an object. Files are named from the one that includes
// them; objects are merged, lists are joined, and what is written beside `$include` wins. It reads only: what comes from
// an included file is changed there, by a person. One that is missing, goes in circles or is nested too deep is refused.
import { dirname, resolve } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { SluiceError } from '../base/errors.ts'
import type { Files } from '../base/world.ts'
import { parseConfig } from './locate.ts'
import { isRecord, valueAt } from './secrets.ts'

const INCLUDE = '$include'
const DEPTH_MAX = 10

/** What a file gives, and where in the config. */
interface Included {
  readonly file: string
  readonly at: readonly string[]
  readonly value: unknown
}

interface Reading {
  readonly readText: Files['readText']
  readonly main: string
  /** Each file that was looked for, in order; also where the reading then failed. */
  readonly paths: Set<string>
  readonly included: Included[]
}

interface Place {
  /** The files that led here; the last one is being read. */
  readonly files: readonly string[]
  readonly at: readonly string[]
}

/** A config's text with all that it includes; undefined: there is no config. */
export function wholeConfig(text: string | undefined, path: string, files: Pick<Files, 'readText'>): unknown {
  const reading = readingOf(path, files)
  const value = parseConfig(text, path)
  return value === undefined ? undefined : resolved(value, reading, { files: [path], at: [] })
}

/** The files that a config's text includes, as far as they can be followed. */
export function includedPaths(text: string | undefined, path: string, files: Pick<Files, 'readText'>): string[] {
  const reading = readingOf(path, files)
  try {
    resolved(parseConfig(text, path), reading, { files: [path], at: [] })
  } catch {
    // What is wrong is said by who loads it; a file that is missing may come.
  }
  return [...reading.paths]
}

/** The config file as a client of this machine reads it; undefined when there is none. */
export function readConfigFile(files: Pick<Files, 'readText'>, path: string): unknown {
  return wholeConfig(files.readText(path), path, files)
}

/** Where a document includes files, and which; nothing is read. */
export function includesIn(value: unknown, at = ''): (readonly [at: string, named: unknown])[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, child]) =>
    name === INCLUDE ? [[at, child] as const] : includesIn(child, `${at}.${name}`),
  )
}

/** Throws where a change of the main file touches what an included file says. */
export function refuseIncluded(
  { before, after }: { readonly before: unknown; readonly after: unknown },
  { path, files }: { readonly path: string; readonly files: Pick<Files, 'readText'> },
): void {
  const reading = readingOf(path, files)
  resolved(after, reading, { files: [path], at: [] })
  for (const changed of changedPaths(before, after)) {
    const source = reading.included.findLast(({ at, value }) => holds(value, changed, at))
    // What the main file says itself wins there, and is changed there.
    if (!source || valueAt(before, changed) !== undefined) continue
    const message = `${changed.join('.')} comes from ${source.file}, which the config ${path} includes. Change it there; nothing was changed.`
    throw new SluiceError('INVALID_REQUEST', message, { outcome: 'not-started', details: { file: source.file } })
  }
}

function readingOf(main: string, { readText }: Pick<Files, 'readText'>): Reading {
  return { main, readText: path => readText(path), paths: new Set(), included: [] }
}

function resolved(value: unknown, reading: Reading, place: Place): unknown {
  if (Array.isArray(value)) return value.map((item, index) => resolved(item, reading, below(place, String(index))))
  if (!isRecord(value)) return value
  const { [INCLUDE]: include, ...own } = value
  const mine = Object.fromEntries(
    Object.entries(own).map(([name, child]) => [name, resolved(child, reading, below(place, name))]),
  )
  if (include === undefined) return mine
  const names = typeof include === 'string' ? [include] : include
  if (!Array.isArray(names) || !names.every(name => typeof name === 'string' && name !== '')) {
    throw wrong(place, 'names no file: write a path, or a list of them.')
  }
  const parts = names.map(name => included(name, reading, place))
  // Text or a list cannot be joined with keys beside it.
  if (parts.length === 1 && Object.keys(mine).length === 0) return parts[0]
  return [...parts, mine].reduce(merged)
}

function included(name: string, reading: Reading, place: Place): unknown {
  const from = place.files.at(-1) as string
  const file = resolve(dirname(from), name)
  const circle = [...place.files, file].join(' -> ')
  if (place.files.includes(file)) throw wrong(place, `goes in a circle: ${circle}.`)
  if (place.files.length > DEPTH_MAX) throw wrong(place, `is nested more than ${DEPTH_MAX} files deep: ${circle}.`)
  reading.paths.add(file)
  const text = readText(file, reading, place)
  if (text === undefined) throw wrong(place, `names the file ${file}, which does not exist.`)
  const value = parseConfig(text, file) ?? {}
  reading.included.push({ file, at: place.at, value: withoutIncludes(value) })
  return resolved(value, reading, { ...place, files: [...place.files, file] })
}

function readText(file: string, reading: Reading, place: Place): string | undefined {
  try {
    return reading.readText(file)
  } catch (error) {
    throw wrong(place, `names the file ${file}, which cannot be read: ${(error as Error).message}.`)
  }
}

/** Later wins; lists are joined. */
function merged(first: unknown, second: unknown): unknown {
  if (Array.isArray(first) && Array.isArray(second)) return [...first, ...second]
  if (!isRecord(first) || !isRecord(second)) return second
  const both = Object.entries(second).map(([name, value]) => [
    name,
    Object.hasOwn(first, name) ? merged(first[name], value) : value,
  ])
  return { ...first, ...Object.fromEntries(both) }
}

function below({ files, at }: Place, name: string): Place {
  return { files, at: [...at, name] }
}

function wrong({ files, at }: Place, message: string): SluiceError {
  const path = [...at, INCLUDE].join('.')
  return new SluiceError('INVALID_REQUEST', `${path} in ${files.at(-1)} ${message}`, {
    details: { issues: [{ path, message }] },
  })
}

function withoutIncludes(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (name, child) => (name === INCLUDE ? undefined : child)))
}

/** The deepest places at which two documents differ. */
function changedPaths(before: unknown, after: unknown, at: readonly string[] = []): (readonly string[])[] {
  if (isDeepStrictEqual(before, after)) return []
  const [old, next] = [before ?? {}, after ?? {}]
  if (!isRecord(old) || !isRecord(next)) return [at]
  const deeper = [...new Set([...Object.keys(old), ...Object.keys(next)])].flatMap(name =>
    changedPaths(old[name], next[name], [...at, name]),
  )
  return deeper.length === 0 ? [at] : deeper
}

/** Whether an included value says something at just this place, or above it. */
function holds(value: unknown, changed: readonly string[], at: readonly string[]): boolean {
  if (!at.every((name, index) => changed[index] === name)) return false
  let found = value
  for (const name of changed.slice(at.length)) {
    if (!isRecord(found)) return found !== undefined
    found = found[name]
  }
  return found !== undefined
}
