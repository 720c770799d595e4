// What a config takes from elsewhere: `${NAME}` in any text is the environment's value, and `{ file: '/path' }` in the
// place of a secret is that file's text. One that leads nowhere is refused by its path; nothing of it is ever written back.
import { SluiceError } from '../base/errors.ts'
import type { Files } from '../base/world.ts'
import type { Env } from './locate.ts'
import { isFileReference, isSecretPath } from './secrets.ts'

const SECRET_LENGTH_MAX = 100_000

interface Sources {
  readonly env: Env
  readonly files: Pick<Files, 'readText'>
}

/** The config as it is meant, without references. */
export function resolveReferences(value: unknown, sources: Sources, path: readonly string[] = []): unknown {
  if (typeof value === 'string') return substituted(value, sources.env, path)
  if (isFileReference(value) && isSecretPath(path)) {
    const file = substituted(value.file, sources.env, [...path, 'file'])
    return secretOf(file, sources.files, path.join('.'))
  }
  if (Array.isArray(value)) {
    return value.map((item, index) => resolveReferences(item, sources, [...path, String(index)]))
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [key, resolveReferences(child, sources, [...path, key])]),
  )
}

/** A value that only the surroundings show to be wrong. */
export function wrong(path: string, message: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', `The config's ${path} ${message}`, {
    details: { issues: [{ path, message }] },
  })
}

function substituted(value: string, env: Env, path: readonly string[]): string {
  return value.replaceAll(/\$\{([A-Z][A-Z0-9_]*)\}/g, (_, name: string) => {
    const found = env[name]
    if (found !== undefined) return found
    throw wrong(path.join('.'), `names \${${name}}, which is not set in the environment.`)
  })
}

/** The text of a file that holds a secret, without white space around it. Throws where it leads nowhere. */
export function secretOf(file: string, files: Sources['files'], path: string): string {
  if (!file.startsWith('/')) throw wrong(path, `names the file ${file}; give an absolute path.`)
  const text = read(file, files, path)
  const secret = text?.trim() ?? ''
  if (text === undefined) throw wrong(path, `names the file ${file}, which does not exist.`)
  if (secret === '' || secret.length > SECRET_LENGTH_MAX) {
    throw wrong(path, `names the file ${file}, which ${secret === '' ? 'is empty' : 'is too long for a secret'}.`)
  }
  return secret
}

function read(file: string, files: Sources['files'], path: string): string | undefined {
  try {
    return files.readText(file)
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    throw wrong(path, `names the file ${file}, which cannot be read (${code ?? message}).`)
  }
}
