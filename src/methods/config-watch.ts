// The config file, changed by hand while the gateway runs. What is right is taken up at once, as far as that goes without
// a restart, and what is not is named; what is wrong changes nothing but what is said of it. It never restarts by itself.
import { SECOND } from '../base/durations.ts'
import type { Timer, WatchFile } from '../base/world.ts'
import { judged } from '../config/editor.ts'
import type { ConfigIssue, Settings } from '../config/load.ts'
import { parseConfig } from '../config/locate.ts'
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
  readonly issues: readonly ConfigIssue[] | undefined
}

export function watchConfig(watching: Watching): { stop(): void } {
  const { parts, watchFile } = watching
  let timer: Timer | undefined
  let last: Seen | undefined
  const look = () => {
    const seen = seenNow(watching)
    if (last && last.text === seen.text && last.issues === seen.issues) return
    const before = last
    last = seen
    takeUp(watching, seen, before)
  }
  const soon = () => {
    timer?.cancel()
    timer = parts.clock.after(DEBOUNCE_MS, look)
  }
  const watch = watchFile(parts.control.config.path, soon)
  // It may have changed since it was read at start.
  soon()
  return {
    stop: () => {
      watch.stop()
      timer?.cancel()
    },
  }
}

function seenNow({ parts }: Watching): Seen {
  const { path, files } = parts.control.config
  try {
    return { text: files.readText(path), issues: undefined }
  } catch (error) {
    return { text: undefined, issues: [{ path: '', message: `${path} cannot be read: ${(error as Error).message}` }] }
  }
}

function takeUp(watching: Watching, { text, issues: unread }: Seen, before: Seen | undefined): void {
  const { control } = watching.parts
  const { path, load } = control.config
  const isGone = text === undefined && before?.text !== undefined
  const gone = `${path} is gone; the settings from before hold until it is back or the gateway restarts`
  const issues = unread ?? (isGone ? [{ path: '', message: gone }] : undefined)
  const { value: settings, issues: wrong } = issues ? { issues } : judged(() => load(text))
  if (settings) accept(watching, settings, { before: before?.text, after: text })
  else refuse(watching, wrong ?? [])
}

interface Texts {
  readonly before: string | undefined
  readonly after: string | undefined
}

function accept({ parts, log }: Watching, settings: Settings, texts: Texts): void {
  const { control, publish } = parts
  const { path } = control.config
  const change = compareSettings(parts.settings(), settings)
  const parsed = (text: string | undefined) => judged(() => parseConfig(text, path)).value
  const { before, after } = texts
  const isFirst = before === undefined
  const overridden = isFirst ? [] : overriddenOf(settings.overridden, { before: parsed(before), after: parsed(after) })
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
