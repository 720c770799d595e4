// The config file as it is shown and changed, whoever asks: the gateway for its clients, the command line where no gateway
// runs. A change is judged whole, as a start would judge it, before anything is written; what is refused leaves the file as
// it is. Secrets are never shown, and comments stay. The sentences of refusals are those that the family's clients know.
import { createHash } from 'node:crypto'
import JSON5 from 'json5'
import { asSluiceError, SluiceError } from '../base/errors.ts'
import type { Files } from '../base/world.ts'
import { includedPaths, refuseIncluded, wholeConfig } from './includes.ts'
import type { ConfigIssue, LoadSettings, Settings } from './load.ts'
import { parseConfig } from './locate.ts'
import { type Overridden, overriddenOf } from './overridden.ts'
import { patched, restored } from './patch.ts'
import { isRecord, redacted } from './secrets.ts'
import { editedText, plainText } from './text-edit.ts'

export interface ConfigPlace {
  readonly path: string
  readonly files: Pick<Files, 'readText' | 'writePrivateText'>
  /** What a gateway that starts with this text would run by; throws SluiceError where it would not start. */
  readonly load: LoadSettings
}

/** What a change is made on, and what is sent. */
export interface ConfigWish {
  readonly raw: string
  /** Of the file as the caller has seen it; required where there is one. */
  readonly baseHash?: string | undefined
  /** Throws where the caller may not make this change; asked before anything of the environment is looked at. */
  readonly allow?: ((change: { readonly before: unknown; readonly after: unknown }) => void) | undefined
}

/** A change that may be made: nothing has been written. */
export interface JudgedChange {
  readonly text: string
  readonly before: unknown
  readonly after: unknown
  readonly settings: Settings
  /** Keys that it changes in the file and that something else wins over. */
  readonly overridden: readonly Overridden[]
}

export function shownConfig({ path, files, load }: ConfigPlace) {
  const text = files.readText(path)
  const seen = { path, exists: text !== undefined, hash: hashOf(text), legacyIssues: [] }
  const parsed = judged(() => redacted(parseConfig(text, path) ?? {}))
  const loaded = judged(() => load(text))
  const issues = parsed.issues ?? loaded.issues ?? []
  const includes = parsed.issues ? [] : includedPaths(text, path, files)
  const whole = includes.length > 0 && judged(() => redacted(wholeConfig(text, path, files))).value
  const { warnings = [], overridden = [] } = loaded.value ?? {}
  return {
    ...seen,
    raw: text === undefined || parsed.issues ? null : plainText(parsed.value),
    parsed: parsed.value ?? {},
    valid: issues.length === 0,
    config: (loaded.issues ? undefined : parsed.value) ?? {},
    issues,
    ...(includes.length > 0 && { includes, ...(whole !== undefined && { whole }) }),
    warnings: [
      ...warnings.map(message => ({ path: '', message })),
      ...overridden.map(({ key, by }) => ({ path: key, message: `${by} wins over it` })),
    ],
  }
}

/** A merge patch. */
export function judgedPatch(place: ConfigPlace, wish: ConfigWish): JudgedChange {
  const text = baseText(place, wish)
  const patch = parsedRaw(wish.raw)
  if (!isRecord(patch)) throw refusal('config.patch raw must be an object')
  const before = required('invalid config; fix before patching', () => parseConfig(text, place.path) ?? {})
  const after = required('invalid config', () => patched(before, patch))
  const next = isBlank(text) ? plainText(after) : editedText(text, after)
  return judgedChange(place, wish, { before, after, text: next })
}

/** A whole document in the place of the present one, which need not be valid. */
export function judgedDocument(place: ConfigPlace, wish: ConfigWish): JudgedChange {
  const text = baseText(place, wish)
  const document = parsedRaw(wish.raw)
  const { value: before = {}, issues: broken } = judged(() => parseConfig(text, place.path))
  const after = required('invalid config', () => restored(before, document))
  // What comes back as plain JSON was shown so: the comments are still in the file. Else the sender's own are kept.
  const isPlain = !broken && !isBlank(text) && isJson(wish.raw)
  return judgedChange(place, wish, { before, after, text: editedText(isPlain ? text : wish.raw, after) })
}

export function writeConfig({ path, files }: ConfigPlace, text: string): void {
  const before = files.readText(path)
  try {
    files.writePrivateText(path, text)
  } catch (cause) {
    const isAsBefore = files.readText(path) === before
    throw new SluiceError('UNAVAILABLE', `The config ${path} could not be written: ${asSluiceError(cause).message}`, {
      outcome: isAsBefore ? 'not-started' : 'unknown',
      cause,
    })
  }
}

/** The value, or what is wrong with it; a defect of ours is thrown on. */
export function judged<T>(make: () => T): { value?: T; issues?: ConfigIssue[] } {
  try {
    return { value: make() }
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    const issues = error.details?.issues as ConfigIssue[] | undefined
    return { issues: issues ?? [{ path: '', message: error.message }] }
  }
}

function judgedChange(
  place: ConfigPlace,
  { allow }: ConfigWish,
  change: Pick<JudgedChange, 'before' | 'after' | 'text'>,
): JudgedChange {
  allow?.(change)
  const settings = required('invalid config', () => place.load(change.text))
  refuseIncluded(change, place)
  return { ...change, settings, overridden: overriddenOf(settings.overridden, change) }
}

function baseText({ path, files }: ConfigPlace, { baseHash }: ConfigWish): string | undefined {
  const text = files.readText(path)
  if (text !== undefined && baseHash === undefined) {
    throw refusal('config base hash required; re-run config.get and retry')
  }
  if (baseHash !== undefined && baseHash !== hashOf(text)) {
    throw refusal('config changed since last load; re-run config.get and retry')
  }
  return text
}

function parsedRaw(raw: string): unknown {
  try {
    return JSON5.parse(raw)
  } catch (error) {
    throw refusal(String(error))
  }
}

function isBlank(text: string | undefined): text is undefined {
  return text === undefined || text.trim() === ''
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function required<T>(message: string, make: () => T): T {
  const { value, issues } = judged(make)
  if (issues) throw refusal(message, { issues })
  return value as T
}

function refusal(message: string, details: Readonly<Record<string, unknown>> = {}): SluiceError {
  return new SluiceError('INVALID_REQUEST', message, { details, outcome: 'not-started' })
}

function hashOf(text: string | undefined): string {
  return createHash('sha256')
    .update(text ?? '')
    .digest('hex')
}
