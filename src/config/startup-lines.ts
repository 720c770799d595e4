// What a person is told when the gateway has started, in plain words. It only writes; what it says was decided before.
import type { Settings } from './load.ts'
import type { Places } from './locate.ts'

const UTC_BY_DEFAULT = [
  'UTC only because this machine names no zone. To choose yours, put',
  '{ agents: { defaults: { userTimezone: "Europe/Berlin" } } }',
  'into the config, or reminders may come at odd hours.',
]
const noModel = (keyNames: readonly string[]) => [
  'It understands reminders, jobs, sessions and status. To have a model, start',
  `with one of ${keyNames.join(', ')}, or put`,
  'models.providers.<name>.baseUrl (and apiKey) and agents.defaults.model',
  'into the config.',
]

export interface Started {
  readonly url: string
  /** Who can reach it, as a sentence. */
  readonly reach: string
  readonly settings: Settings
  readonly places: Places
  /** Full path of the command that started us. */
  readonly launcher: string
  readonly version: string
  /** Ref of the model that answers by default; undefined: the built-in one. */
  readonly model: string | undefined
  /** How a model that nobody named was found, or why none was. */
  readonly found?: { readonly ref?: string | undefined; readonly problem?: string | undefined } | undefined
}

export function startupLines({ url, reach, settings, places, launcher, version, model, found }: Started): string[] {
  const zoneNote = settings.zoneFrom === 'config' ? ' (from the config)' : ''
  return [
    `Sluice ${version} is listening on ${url}`,
    `${reach} Stop it with Ctrl-C.`,
    '',
    `Page       ${url.replace(/^ws/, 'http')}/`,
    `State      ${places.stateDir}`,
    `Config     ${places.configPath}`,
    `Time zone  ${settings.zone}${zoneNote}`,
    ...(settings.zoneFrom === 'default' ? indented(UTC_BY_DEFAULT) : []),
    `Model      ${model ?? 'none configured: the built-in offline model answers'}`,
    ...indented(modelNote(model, found, Object.values(settings.models.keyNames))),
    ...settings.warnings.map(warning => `Warning    ${warning}`),
    '',
    'To chat, in a second terminal:',
    `  ${launcher} chat`,
  ]
}

function modelNote(model: Started['model'], found: Started['found'], keyNames: string[]): readonly string[] {
  if (found?.ref !== undefined)
    return ["chosen from its provider's list; name another in agents.defaults.model.primary"]
  if (found?.problem !== undefined) return [found.problem, 'It is asked again each minute.']
  return model === undefined ? noModel(keyNames) : []
}

function indented(lines: readonly string[]): string[] {
  return lines.map(line => `           ${line}`)
}
