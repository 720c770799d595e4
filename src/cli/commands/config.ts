// `sluice config` shows and changes the config: through the gateway where one runs, which takes the change up, else in the
// file. Either way a wrong value is refused by name, comments stay, and secrets are not shown.
import JSON5 from 'json5'
import { formatDuration } from '../../base/durations.ts'
import { asSluiceError, SluiceError } from '../../base/errors.ts'
import type { Result } from '../../protocol/catalogue.ts'
import type { Arguments } from '../arguments.ts'
import type { Run } from '../command.ts'
import { defaultAt, parsePath, valueAt, withValue, wrongIndex } from '../config-path.ts'
import { withGateway, writeJson } from '../gateway-link.ts'
import { EXIT, type Shell } from '../shell.ts'
import { sanitize, sanitizeLine } from '../text/sanitize.ts'

type Shown = Result<'config.get'>
type Changed = Pick<Result<'config.set'>, 'path' | 'config' | 'overridden'> &
  Partial<Pick<Result<'config.apply'>, 'applied' | 'restart'>>

/** Where the config is changed. */
interface Place {
  /** Whether a gateway takes it up. */
  readonly isLive: boolean
  shown(): Promise<Shown>
  replace(document: { raw: string; baseHash: string }): Promise<Changed>
}

export const get: Run = async (args, shell) => {
  const [written] = args.positionals
  const path = written === undefined ? [] : pathOf(args, written)
  const shown = await atPlace(args, shell, place => place.shown())
  if (shown.exists && shown.raw === null) throw unreadable(shown)
  const set = valueAt(shown.whole ?? shown.parsed, path)
  const value = set ?? defaultAt((await shell.ownConfig()).schema(), path)
  if (value === undefined) throw nothingAt(written ?? '', shown)
  if (set === undefined)
    shell.stderr.write(`${sanitizeLine(`${shown.path} says nothing of it: this is its default.`)}\n`)
  if (typeof value === 'string' && !args.has('json')) shell.stdout.write(`${sanitize(value)}\n`)
  else writeJson(shell, value)
  for (const issue of shown.issues) shell.stderr.write(`Wrong: ${told(issue)}\n`)
  return EXIT.ok
}

export const set: Run = async (args, shell) => {
  const [written, text] = args.positionals
  if (written === undefined || text === undefined) throw args.usage('Which key, and which value?')
  return change(args, shell, { written, to: args.has('text') ? text : writtenValue(text) })
}

export const unset: Run = async (args, shell) => {
  const [written] = args.positionals
  if (written === undefined) throw args.usage('Which key?')
  return change(args, shell, { written, to: undefined })
}

export const path: Run = async (_args, shell) => {
  shell.stdout.write(`${(await shell.ownConfig()).path}\n`)
  return EXIT.ok
}

export const schema: Run = async (_args, shell) => {
  writeJson(shell, (await shell.ownConfig()).schema())
  return EXIT.ok
}

export const validate: Run = async (args, shell) => {
  const [file] = args.positionals
  const validated = (await shell.ownConfig()).validate(file)
  const { issues, warnings, exists } = validated
  if (file !== undefined && !exists) {
    throw new SluiceError('NOT_FOUND', `There is no file ${file}.`, { outcome: 'not-started' })
  }
  if (args.has('json')) writeJson(shell, { ...validated, valid: issues.length === 0 })
  else {
    const verdict = issues.length > 0 ? 'has wrong values; no gateway starts with it' : 'is right'
    const first = exists ? `${validated.path} ${verdict}.` : `There is no ${validated.path}: all is as by default.`
    const lines = [first, ...issues.map(issue => `  ${told(issue)}`), ...warnings.map(each => `Warning: ${told(each)}`)]
    shell.stdout.write(lines.map(line => `${sanitize(line)}\n`).join(''))
  }
  return issues.length > 0 ? EXIT.failed : EXIT.ok
}

/** What the file says there; undefined: nothing. */
export async function written(args: Arguments, shell: Shell, path: string): Promise<unknown> {
  return valueAt((await atPlace(args, shell, place => place.shown())).parsed, pathOf(args, path))
}

/** `to` undefined takes the key away. */
export async function change(args: Arguments, shell: Shell, { written, to }: { written: string; to: unknown }) {
  const keys = pathOf(args, written)
  const { changed, news, isLive } = await atPlace(args, shell, async place => {
    const before = await place.shown()
    if (before.exists && before.raw === null) throw unreadable(before)
    if (to === undefined && valueAt(before.parsed, keys) === undefined) throw nothingAt(written, before)
    const index = wrongIndex(before.parsed, keys)
    if (index !== undefined) throw args.usage(`${written}: "${index}" is no place of the list; they count from 0.`)
    const raw = JSON.stringify(withValue(before.parsed, keys, to))
    const changed = await place.replace({ raw, baseHash: before.hash }).catch(error => {
      throw withIssues(asSluiceError(error))
    })
    const known = new Set(before.warnings.map(told))
    const news = (await place.shown()).warnings.map(told).filter(text => !known.has(text))
    return { changed, news, isLive: place.isLive }
  })
  if (args.has('json')) writeJson(shell, { ...changed, warnings: news })
  else {
    const first = `${to === undefined ? 'Took away' : 'Set'} ${written} in ${changed.path}.`
    const lines = [first, ...effects(changed, isLive), ...news.map(text => `Warning: ${text}`)]
    shell.stdout.write(lines.map(line => `${sanitizeLine(line)}\n`).join(''))
  }
  return EXIT.ok
}

/** What becomes of a change, in words. */
function effects({ applied = [], restart, overridden }: Changed, isLive: boolean): string[] {
  if (!isLive) return ['No gateway is running: the next one starts with it.', ...overridden.map(beaten)]
  const isQuiet = applied.length === 0 && !restart && overridden.length === 0
  return [
    ...(applied.length > 0 ? [`It holds from now on: ${applied.join(', ')}.`] : []),
    ...(restart ? [`The gateway restarts in ${formatDuration(restart.delayMs)} to take it up.`] : []),
    ...overridden.map(beaten),
    ...(isQuiet ? ['Nothing works differently: it was so already, or the key is not used.'] : []),
  ]
}

function beaten({ key, by }: Changed['overridden'][number]): string {
  return `${by} wins over ${key}, so the value in the file is not used.`
}

/** Runs with the gateway that is there, else on the file of this machine; another gateway's file cannot be reached. */
async function atPlace<T>(args: Arguments, shell: Shell, run: (place: Place) => Promise<T>): Promise<T> {
  try {
    return await withGateway(args, shell, ({ call }) =>
      run({
        isLive: true,
        shown: () => call('config.get', {}),
        replace: document => call('config.apply', { ...document, idempotencyKey: shell.random.uuid() }),
      }),
    )
  } catch (error) {
    if (args.has('url') || asSluiceError(error).details?.isListening !== false) throw error
  }
  const own = await shell.ownConfig()
  return run({
    isLive: false,
    shown: async () => own.shown(),
    replace: async document => own.replace(document),
  })
}

function pathOf(args: Arguments, written: string): string[] {
  const names = parsePath(written)
  if (names) return names
  throw args.usage(`"${written}" is no path; write names with dots, and quote those with dots: methods["cron.add"].`)
}

/** JSON5 where it is that, else a text. */
function writtenValue(text: string): unknown {
  try {
    return JSON5.parse(text)
  } catch {
    return text
  }
}

function told({ path: key, message }: { readonly path: string; readonly message: string }): string {
  return key === '' ? message : `${key}: ${message}`
}

/** The sentence that the family's clients know, with what is wrong. */
export function withIssues(error: SluiceError): SluiceError {
  const issues = error.details?.issues as Shown['issues'] | undefined
  if (!issues?.length) return error
  const text = `Nothing was changed: ${issues.map(told).join('; ')}`
  return new SluiceError(error.code, text, {
    ...(error.details && { details: error.details }),
    ...(error.outcome && { outcome: error.outcome }),
  })
}

function unreadable({ path: file, issues }: Shown): SluiceError {
  const why = issues.map(told).join('; ')
  return new SluiceError('INVALID_REQUEST', `${file} cannot be read as JSON5, so correct it by hand first: ${why}`, {
    details: { issues },
    outcome: 'not-started',
  })
}

function nothingAt(written: string, { path: file }: Shown): SluiceError {
  const message = `${file} says nothing of ${written}: what is not in it is as by default (docs/reference/config.md).`
  return new SluiceError('NOT_FOUND', message, { outcome: 'not-started' })
}
