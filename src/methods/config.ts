// Handlers of the config and of the restart. What is shown and what may be written is config/editor.ts; here it is taken
// up, and a turn is kept from giving itself more. Nothing is awaited between the look at the file and the write, so two
// changes cannot cross.
import { SECOND } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import { wallTime } from '../base/zoned-time.ts'
import {
  type ConfigPlace,
  type ConfigWish,
  type JudgedChange,
  judged,
  judgedDocument,
  judgedPatch,
  shownConfig,
  writeConfig,
} from '../config/editor.ts'
import { includesIn } from '../config/includes.ts'
import { configJsonSchema, configKeys } from '../config/keys.ts'
import { compareSettings, type SettingsChange } from '../config/reload.ts'
import { isFileReference, isRecord, redacted, valueAt } from '../config/secrets.ts'
import type { Call, Handlers } from '../dispatch/dispatcher.ts'
import type { Params, Result } from '../protocol/catalogue.ts'
import type { CONFIG_METHODS } from '../protocol/methods/config.ts'
import type { Control } from './control.ts'
import { effectOnce } from './effect.ts'
import type { MethodParts } from './parts.ts'

const RESTART_DELAY_MS = SECOND
/** After a change; clients of the family count on it. */
const CHANGE_RESTART_DELAY_MS = 2 * SECOND

/**
 * What decides which tools a turn has, whom it must ask, where keys and bot tokens are sent, who may come in or talk to
 * it, and from where, what its agent is, what its jobs may run and what it may write to: a person's alone.
 */
const NOT_BY_A_TURN = [
  ['tools'],
  ['models'],
  ['gateway'],
  ['hooks'],
  ['channels'],
  ['cron', 'commands'],
  ['agents', 'list'],
  ['agents', 'defaults', 'workspace'],
  ['bindings'],
  ['logging', 'file'],
] as const

type ConfigParts = Pick<MethodParts, 'store' | 'clock' | 'facts' | 'settings' | 'control'>

export function configHandlers(parts: ConfigParts): Pick<Handlers, keyof typeof CONFIG_METHODS> {
  const place = parts.control.config
  return {
    'config.get': () => shownConfig(place),
    'config.schema': () => configSchemaShown(parts),
    'config.set': call =>
      effectOnce(parts, call, () => {
        const { shown, change } = take(parts, judgedDocument(place, wishOf(place, call)))
        return { ...shown, restartNeeded: [...change.restart] }
      }),
    'config.patch': call =>
      effectOnce(parts, call, () =>
        withRestart(
          parts,
          { ...call.params, method: 'config.patch' },
          take(parts, judgedPatch(place, wishOf(place, call))),
        ),
      ),
    'config.apply': call =>
      effectOnce(parts, call, () =>
        withRestart(
          parts,
          { ...call.params, method: 'config.apply' },
          take(parts, judgedDocument(place, wishOf(place, call))),
        ),
      ),
    'gateway.restart': call => effectOnce(parts, call, () => restart(parts, call.params)),
  }
}

interface Taken {
  readonly shown: Omit<Result<'config.set'>, 'restartNeeded'>
  readonly change: SettingsChange
}

function wishOf({ path }: ConfigPlace, { params, caller }: Pick<Call<'config.set'>, 'params' | 'caller'>): ConfigWish {
  const { raw, baseHash } = params
  return { raw, baseHash, ...(caller.turn && { allow: change => checkTurn(change, path) }) }
}

/** Writes a change and has it taken up, as far as that goes without a restart. */
export function take(parts: ConfigParts, { settings, after, text, overridden }: JudgedChange): Taken {
  const { control } = parts
  const { path } = control.config
  const change = compareSettings(parts.settings(), settings)
  writeConfig(control.config, text)
  control.apply(settings)
  const shown = { ok: true, path, config: redacted(after), applied: [...change.atOnce], overridden: [...overridden] }
  return { shown: { ...shown, ok: true }, change }
}

/** In the shape that clients of the family read; no signal is sent. */
function withRestart(
  parts: ConfigParts,
  wish: Pick<Params<'config.patch'>, 'note' | 'restartDelayMs'> & { readonly method: string },
  { shown, change }: Taken,
): Result<'config.patch'> {
  if (change.restart.length === 0) return { ...shown, restart: null }
  const reason = wish.note ?? `${wish.method}: ${change.restart.join(', ')}`
  const scheduled = schedule(parts, { delayMs: wish.restartDelayMs ?? CHANGE_RESTART_DELAY_MS, reason })
  const { pid } = parts.facts
  return { ...shown, restart: { ok: true, pid, signal: 'SIGUSR1', ...scheduled, reason, mode: 'emit' } }
}

function configSchemaShown({ facts }: ConfigParts): Result<'config.schema'> {
  const keys = configKeys()
  const { year, month, day, hour, minute, second } = wallTime(facts.startedAtMs, 'UTC')
  const pad = (value: number) => String(value).padStart(2, '0')
  return {
    schema: configJsonSchema(),
    uiHints: Object.fromEntries(
      keys.map(({ path, description, secret }) => [
        path,
        { label: path, help: description, group: path.split('.')[0] ?? '', ...(secret && { sensitive: true }) },
      ]),
    ),
    version: facts.version,
    generatedAt: `${year}-${pad(month)}-${pad(day)}T${pad(hour)}:${pad(minute)}:${pad(second)}Z`,
  }
}

function restart(parts: ConfigParts, { reason, delayMs }: Params<'gateway.restart'>): Result<'gateway.restart'> {
  const { path, files, load } = parts.control.config
  const { issues } = judged(() => load(files.readText(path)))
  if (issues) {
    const told = issues.map(issue => `${issue.path} ${issue.message}`.trim()).join('; ')
    throw new SluiceError(
      'INVALID_REQUEST',
      `Not restarted: with the config ${path} as it is now, the gateway would not come back. Correct it first: ${told}`,
      { details: { issues }, outcome: 'not-started' },
    )
  }
  const scheduled = schedule(parts, { reason, delayMs: delayMs ?? RESTART_DELAY_MS })
  return { ok: true, ...scheduled, ...(reason !== undefined && { reason }) }
}

function schedule({ control, clock }: ConfigParts, wish: Parameters<Control['restart']>[0]) {
  const { atMs } = control.restart(wish)
  return { restartAtMs: atMs, delayMs: Math.max(0, atMs - clock.now()) }
}

/** A turn may not give itself more than it was given, and may not have the environment or a file read out to it. */
function checkTurn({ before, after }: Pick<JudgedChange, 'before' | 'after'>, path: string): void {
  const changed = NOT_BY_A_TURN.find(
    keys => JSON.stringify(valueAt(before, keys)) !== JSON.stringify(valueAt(after, keys)),
  )
  const included = JSON.stringify(includesIn(before)) === JSON.stringify(includesIn(after))
  const what = changed?.join('.') ?? (included ? newReference(before, after) : 'which files are included')
  if (what === undefined) return
  throw new SluiceError(
    'FORBIDDEN',
    `A turn may not change ${what}: that is decided by a person. Nothing was changed; ask them to change it in ${path}.`,
    { outcome: 'not-started' },
  )
}

/** What a change takes from the environment or from files, where it did not before. */
function newReference(before: unknown, after: unknown): string | undefined {
  if (JSON.stringify(before) === JSON.stringify(after)) return undefined
  if (typeof after === 'string' && after.includes('${')) return 'what is taken from the environment'
  if (isFileReference(after)) return 'what is taken from files'
  if (typeof after !== 'object' || after === null) return undefined
  for (const [name, child] of Object.entries(after)) {
    const found = newReference(isRecord(before) || Array.isArray(before) ? valueAt(before, [name]) : undefined, child)
    if (found !== undefined) return found
  }
  return undefined
}
