// A config as it may be shown: secrets are replaced by a word that stands for them, and that word in a patch means
// unchanged. The one list of what is secret. It errs towards hiding; it never hides a reference to the environment or to
// a file, which is none.

export const REDACTED = '__redacted__'

/** Names below which every text and number is a secret: gateway.auth.token, models.providers.*.headers, channels.*.botToken. */
const SECRET_NAME =
  /(token|password|passphrase|secret|credentials?|serviceAccount|(api|access|private|signing|encrypt)[-_]?key)$|^(headers|env)$/i
/** A URL with a password in it is one wherever it stands. */
const SECRET_VALUE = /\w:\/\/[^/\s@]*:[^/\s@]+@/
/** Nothing but a reference to the environment, perhaps as a header wants it. */
const REFERENCE = /^((Bearer|Basic|Token) )?\$\{[A-Z][A-Z0-9_]*\}$/

/** Whether what stands at a path, or below one of its names, is secret. */
export function isSecretPath(path: readonly string[]): boolean {
  return path.some(name => SECRET_NAME.test(name))
}

/** `{ file: '/path' }` in the place of a secret: the file's text, without white space around it. */
export function isFileReference(value: unknown): value is { readonly file: string } {
  return isRecord(value) && Object.keys(value).length === 1 && typeof value.file === 'string' && value.file !== ''
}

/** The value with its secrets replaced; the value itself is not changed. */
export function redacted(value: unknown, isSecret = false): unknown {
  if (Array.isArray(value)) return value.map(item => redacted(item, isSecret))
  if (isSecret && isFileReference(value)) return value
  if (isRecord(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, child]) => [name, redacted(child, isSecret || SECRET_NAME.test(name))]),
    )
  }
  if (typeof value === 'number') return isSecret ? REDACTED : value
  if (typeof value !== 'string' || REFERENCE.test(value)) return value
  return isSecret || SECRET_VALUE.test(value) ? REDACTED : value
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What stands at a path; undefined where nothing does. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (found, name) =>
      typeof found === 'object' && found !== null && Object.hasOwn(found, name)
        ? (found as Readonly<Record<string, unknown>>)[name]
        : undefined,
    value,
  )
}
