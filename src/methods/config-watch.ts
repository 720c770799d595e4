// The config file and those it includes, changed by hand while the gateway runs. What is right is taken up at once, as far as that goes without
// a restart, and what is not is named; what is wrong changes nothing but what is said of it. It never restarts by itself.
import { isDeepStrictEqual } from 'node:util'
import { SECOND } from '../base/durations.ts'
import type { Files, Timer, WatchFile } from '../base/world.ts'
import { judged } from '../config/editor.ts'
import { includedPaths, wholeConfig } from '../config/includes.ts'
import type { ConfigIssue, Settings } from '../config/load.ts'
import { overriddenOf } from '../config/overridden.ts'
import { compareSettings } from '../config/reload.ts'
import type { ConfigEvent } from '../protocol/events.ts'
import type { EngineParts } from '../turns/engine-parts.ts'
import type { MethodParts } from './parts.ts'

/** Editors write in several steps. */
const DEBOUNCE_MS = 0.3 * SECOND

interface Watching {
  readonly parts: Pick<MethodParts, 'clock' | 'control' | 'settings' | 'publish'>
  readonly watchFile: WatchFile
  readonly log: EngineParts['log']
}

/** The file's text, whether or not it can be read. */
interface Seen {
  readonly text: string | undefined
  /** The files that it includes, and their texts. */
  readonly included: readonly (readonly [path: string, text: string | undefined])[]
  /** All of it, where it can be read. */
  readonly whole: unknown
  readonly issues: readonly ConfigIssue[] | undefined
}

export function watchConfig(watching: Watching): { stop(): void } {
  const { parts, watchFile } = watching
  let timer: Timer | undefined
  let last: Seen | undefined
  const look = () => {
    const seen = seenNow(watching)
    follow(seen.included.map(([file]) => file))
    if (last && isDeepStrictEqual(last, seen)) return
    const before = last
    last = seen
    takeUp(watching, seen, before)
  }
  const soon = () => {
    timer?.cancel()
    timer = parts.clock.after(DEBOUNCE_MS, look)
  }
  const { path } = parts.control.config
  const watches = new Map([[path, watchFile(path, soon)]])
  /** Just the file and those it includes now are watched. */
  const follow = (included: readonly string[]) => {
    for (const [file, watch] of watches) {
      if (file === path || included.includes(file)) continue
      watch.stop()
      watches.delete(file)
    }
    for (const file of included) if (!watches.has(file)) watches.set(file, watchFile(file, soon))
  }
  // It may have changed since it was read at start.
  soon()
  return {
    stop: () => {
      for (const watch of watches.values()) watch.stop()
      timer?.cancel()
    },
  }
}

function seenNow({ parts }: Watching): Seen {
  const { path, files } = parts.control.config
  try {
    const text = files.readText(path)
    const included = includedPaths(text, path, files).map(file => [file, judgedText(file, files)] as const)
    return { text, included, whole: judged(() => wholeConfig(text, path, files)).value, issues: undefined }
  } catch (error) {
    const issues = [{ path: '', message: `${path} cannot be read: ${(error as Error).message}` }]
    return { text: undefined, included: [], whole: undefined, issues }
  }
}

/** One that cannot be read is refused, by its name, by who loads it. */
function judgedText(file: string, files: Pick<Files, 'readText'>): string | undefined {
  try {
    return files.readText(file)
  } catch {
    return undefined
  }
}

function takeUp(watching: Watching, { text, whole, issues: unread }: Seen, before: Seen | undefined): void {
  const { control } = watching.parts
  const { path, load } = control.config
  const isGone = !text?.trim() && before?.text?.trim()
  const gone = `${path} is gone or empty; the settings from before hold until it is back or the gateway restarts`
  const issues = unread ?? (isGone ? [{ path: '', message: gone }] : undefined)
  const { value: settings, issues: wrong } = issues ? { issues } : judged(() => load(text))
  if (settings) accept(watching, settings, { isFirst: before?.text === undefined, before: before?.whole, after: whole })
  else refuse(watching, wrong ?? [])
}

interface Configs {
  readonly isFirst: boolean
  readonly before: unknown
  readonly after: unknown
}

function accept({ parts, log }: Watching, settings: Settings, { isFirst, ...configs }: Configs): void {
  const { control, publish } = parts
  const { path } = control.config
  const change = compareSettings(parts.settings(), settings)
  const overridden = isFirst ? [] : overriddenOf(settings.overridden, configs)
  const isMended = control.configState().problem !== undefined
  control.apply(settings)
  // What was changed by a method is what holds already, and was answered.
  if (change.atOnce.length + change.restart.length + overridden.length === 0 && !isMended) return
  const news = { path, applied: change.atOnce, restartNeeded: change.restart, overridden }
  log('info', 'the config was changed', news)
  for (const warning of settings.warnings) log('warn', warning)
  const payload: ConfigEvent = { ok: true, issues: [], ...news }
  publish({ event: 'config', payload, droppable: false })
}

function refuse({ parts, log }: Watching, issues: readonly ConfigIssue[]): void {
  const { control, publish } = parts
  const { path } = control.config
  control.refuse(issues)
  log('error', 'the config is wrong, so the settings from before hold', { path, issues })
  const payload: ConfigEvent = { ok: false, path, issues, applied: [], restartNeeded: [], overridden: [] }
  publish({ event: 'config', payload, droppable: false })
}
