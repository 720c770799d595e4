// Handlers of the config and of the restart. A change is judged whole, as a start would judge it, before anything is
// written; what is refused changes neither the file nor the settings. Nothing is awaited between the look at the file and
// the write, so two changes cannot cross. Secrets are never shown.
import { createHash } from 'node:crypto'
import JSON5 from 'json5'
import { SECOND } from '../base/durations.ts'
import { asSluiceError, SluiceError } from '../base/errors.ts'
import type { ConfigIssue } from '../config/load.ts'
import { parseConfig } from '../config/locate.ts'
import { patched } from '../config/patch.ts'
import { compareSettings } from '../config/reload.ts'
import { isRecord, redacted } from '../config/secrets.ts'
import type { Call, Handlers } from '../dispatch/dispatcher.ts'
import type { Params, Result } from '../protocol/catalogue.ts'
import type { CONFIG_METHODS } from '../protocol/methods/config.ts'
import type { Control } from './control.ts'
import { effectOnce } from './effect.ts'
import type { MethodParts } from './parts.ts'

const RESTART_DELAY_MS = SECOND
/** After a patch; clients of the family count on it. */
const PATCH_RESTART_DELAY_MS = 2 * SECOND

/** What decides which tools a turn has, whom it must ask, and where its model's keys are sent: a person's alone. */
const NOT_BY_A_TURN = [['tools'], ['models'], ['gateway', 'auth']] as const

type ConfigParts = Pick<MethodParts, 'store' | 'clock' | 'facts' | 'settings' | 'control'>

export function configHandlers(parts: ConfigParts): Pick<Handlers, keyof typeof CONFIG_METHODS> {
  return {
    'config.get': () => shownConfig(parts.control.config),
    'config.patch': call => effectOnce(parts, call, () => patchConfig(parts, call)),
    'gateway.restart': call => effectOnce(parts, call, () => restart(parts, call.params)),
  }
}

function shownConfig({ path, files, load }: Control['config']): Result<'config.get'> {
  const text = files.readText(path)
  const seen = { path, exists: text !== undefined, hash: hashOf(text), legacyIssues: [] }
  const parsed = judged(() => redacted(parseConfig(text, path) ?? {}))
  const loaded = judged(() => load(text ?? ''))
  const issues = parsed.issues ?? loaded.issues ?? []
  return {
    ...seen,
    raw: text === undefined || parsed.issues ? null : textOf(parsed.value),
    parsed: parsed.value ?? {},
    valid: issues.length === 0,
    config: (loaded.issues ? undefined : parsed.value) ?? {},
    issues,
    warnings: (loaded.value?.warnings ?? []).map(message => ({ path: '', message })),
  }
}

function patchConfig(parts: ConfigParts, { params, caller }: Call<'config.patch'>): Result<'config.patch'> {
  const { control } = parts
  const { path, files } = control.config
  const text = files.readText(path)
  checkBase(text, params.baseHash)
  const patch = patchOf(params.raw)
  const present = required('invalid config; fix before patching', () => parseConfig(text, path) ?? {})
  const config = required('invalid config', () => patched(present, patch))
  if (caller.turn) checkTurn({ present, config, patch, path })
  const settings = required('invalid config', () => control.config.load(textOf(config)))
  const change = compareSettings(parts.settings(), settings)
  writeConfig(control.config, textOf(config))
  control.apply(settings)
  const reason = params.note ?? `config.patch: ${change.restart.join(', ')}`
  const wish = { delayMs: params.restartDelayMs ?? PATCH_RESTART_DELAY_MS, reason }
  return {
    ok: true,
    path,
    config: redacted(config),
    applied: [...change.atOnce],
    restart: change.restart.length === 0 ? null : familyRestart(parts, wish),
  }
}

function restart(parts: ConfigParts, { reason, delayMs }: Params<'gateway.restart'>): Result<'gateway.restart'> {
  const { path, files, load } = parts.control.config
  const { issues } = judged(() => load(files.readText(path) ?? ''))
  if (issues) {
    const told = issues.map(issue => `${issue.path} ${issue.message}`.trim()).join('; ')
    throw refusal(
      `Not restarted: with the config ${path} as it is now, the gateway would not come back. Correct it first: ${told}`,
      { issues },
    )
  }
  const scheduled = schedule(parts, { reason, delayMs: delayMs ?? RESTART_DELAY_MS })
  return { ok: true, ...scheduled, ...(reason !== undefined && { reason }) }
}

function schedule({ control, clock }: ConfigParts, wish: Parameters<Control['restart']>[0]) {
  const { atMs } = control.restart(wish)
  return { restartAtMs: atMs, delayMs: Math.max(0, atMs - clock.now()) }
}

/** In the shape that clients of the family read; no signal is sent. */
function familyRestart(parts: ConfigParts, wish: { delayMs: number; reason: string }) {
  const { pid } = parts.facts
  return { ok: true, pid, signal: 'SIGUSR1', ...schedule(parts, wish), reason: wish.reason, mode: 'emit' } as const
}

function checkBase(text: string | undefined, baseHash: string | undefined): void {
  if (text !== undefined && baseHash === undefined) {
    throw refusal('config base hash required; re-run config.get and retry')
  }
  if (baseHash !== undefined && baseHash !== hashOf(text)) {
    throw refusal('config changed since last load; re-run config.get and retry')
  }
}

function patchOf(raw: string): unknown {
  let patch: unknown
  try {
    patch = JSON5.parse(raw)
  } catch (error) {
    throw refusal(String(error))
  }
  if (!isRecord(patch)) throw refusal('config.patch raw must be an object')
  return patch
}

interface TurnPatch {
  readonly present: unknown
  readonly config: unknown
  readonly patch: unknown
  readonly path: string
}

/** A turn may not give itself more than it was given, and may not have the environment read out to it. */
function checkTurn({ present, config, patch, path }: TurnPatch): void {
  const changed = NOT_BY_A_TURN.find(keys => JSON.stringify(at(present, keys)) !== JSON.stringify(at(config, keys)))
  const what = changed?.join('.') ?? (JSON.stringify(patch).includes('${') ? 'what is taken from the environment' : '')
  if (what === '') return
  throw new SluiceError(
    'FORBIDDEN',
    `A turn may not change ${what}: that is decided by a person. Nothing was changed; ask them to change it in ${path}.`,
    { outcome: 'not-started' },
  )
}

function at(value: unknown, keys: readonly string[]): unknown {
  return keys.reduce((found, key) => (isRecord(found) && Object.hasOwn(found, key) ? found[key] : undefined), value)
}

function writeConfig({ path, files }: Control['config'], text: string): void {
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
function judged<T>(make: () => T): { value?: T; issues?: ConfigIssue[] } {
  try {
    return { value: make() }
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error
    const issues = error.details?.issues as ConfigIssue[] | undefined
    return { issues: issues ?? [{ path: '', message: error.message }] }
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

function textOf(config: unknown): string {
  return `${JSON.stringify(config, null, 2)}\n`
}

function hashOf(text: string | undefined): string {
  return createHash('sha256')
    .update(text ?? '')
    .digest('hex')
}
