// The path of a config key as people write it (`agents.list.0.name`, `methods["cron.add"].timeoutMs`), and what a document
// is with another value there. Pure.

const PART = /(?:^|\.)([^.[\]"']+|"[^"]*"|'[^']*')|\["([^"]*)"\]|\['([^']*)'\]|\[(\d+)\]/y

/** Undefined when it is none. */
export function parsePath(written: string): string[] | undefined {
  if (written.startsWith('.')) return undefined
  const names: string[] = []
  PART.lastIndex = 0
  let at = 0
  while (at < written.length) {
    const match = PART.exec(written)
    if (!match) return undefined
    at = PART.lastIndex
    const name = match[1]?.replace(/^(["'])(.*)\1$/, '$2') ?? match[2] ?? match[3] ?? match[4] ?? ''
    if (name === '') return undefined
    names.push(name)
  }
  return names.length === 0 ? undefined : names
}

export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((found, name) => (hasOwn(found, name) ? found[name] : undefined), value)
}

/** What a key is without being set, by the JSON schema of the file; undefined: nothing is said of it. */
export function defaultAt(schema: unknown, path: readonly string[]): unknown {
  const [name, ...rest] = path
  if (schema === undefined || name === undefined) return valueAt(schema, ['default'])
  const below = [['properties', name], ['additionalProperties'], ['items']].map(at => valueAt(schema, at))
  return below.map(child => defaultAt(child, rest)).find(value => value !== undefined)
}

/** A copy with the value at the path; `undefined` takes away what is there. Objects are made on the way where none are. */
export function withValue(value: unknown, path: readonly string[], to: unknown): unknown {
  const [name, ...rest] = path
  if (name === undefined) return to
  if (Array.isArray(value)) return listWith(value, path, to)
  const before = typeof value === 'object' && value !== null ? Object.entries(value) : []
  const members = new Map<string, unknown>(before)
  const child = withValue(members.get(name), rest, to)
  if (child === undefined) members.delete(name)
  else members.set(name, child)
  return Object.fromEntries(members)
}

function listWith(list: readonly unknown[], [name, ...rest]: readonly string[], to: unknown): unknown[] {
  const index = Number(name)
  const child = withValue(list[index], rest, to)
  return child === undefined ? list.toSpliced(index, 1) : [...list.slice(0, index), child, ...list.slice(index + 1)]
}

/** Where a path cannot go: a list has places from 0 to its end. */
export function wrongIndex(value: unknown, path: readonly string[]): string | undefined {
  return path.find((name, depth) => {
    const at = valueAt(value, path.slice(0, depth))
    return Array.isArray(at) && !(/^\d+$/.test(name) && Number(name) <= at.length)
  })
}

function hasOwn(value: unknown, name: string): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
}
