// The config of a state folder, shown, judged and changed without a gateway, by the same rules as with one. A process of a
// turn may look at it; it changes it only through the gateway, which knows what that turn may do.
import { SluiceError } from '../base/errors.ts'
import type { Files } from '../base/world.ts'
import { type ConfigPlace, judgedDocument, shownConfig, writeConfig } from '../config/editor.ts'
import { configJsonSchema } from '../config/keys.ts'
import { type ConfigSources, type Settings, settingsLoader } from '../config/load.ts'
import type { Env, Places } from '../config/locate.ts'
import { redacted } from '../config/secrets.ts'
import { isMethodName } from '../protocol/catalogue.ts'

export interface ConfigSurroundings {
  readonly places: Places
  readonly files: Files
  readonly env: Env
  readonly systemZone: string
  /** Throws where the settings cannot be carried out. */
  readonly judge: (settings: Settings) => void
}

/** A config file, judged as it would be in the place of the state folder's own. */
export function configPlace(around: ConfigSurroundings, path: string): ConfigPlace {
  const { files, env, systemZone, judge } = around
  const places = { ...around.places, configPath: path }
  const sources: ConfigSources = { files, env, places, portOverride: undefined, systemZone, isMethod: isMethodName }
  return { path, files, load: settingsLoader(sources, judge) }
}

export function ownConfig(around: ConfigSurroundings) {
  const { places, files, env } = around
  const place = configPlace(around, places.configPath)
  return {
    path: place.path,
    shown: () => shownConfig(place),
    replace(document: { readonly raw: string; readonly baseHash: string }) {
      if (env.SLUICE_CAUSE) throw withinTurn()
      const { baseHash } = document
      const isNew = files.readText(place.path) === undefined
      const change = judgedDocument(place, { raw: document.raw, ...(!isNew && { baseHash }) })
      if (isNew) files.ensurePrivateFolder(places.stateDir)
      writeConfig(place, change.text)
      return { path: place.path, config: redacted(change.after), overridden: [...change.overridden] }
    },
    schema: configJsonSchema,
    validate(file: string | undefined) {
      const { path, exists, issues, warnings } = shownConfig(file === undefined ? place : configPlace(around, file))
      return { path, exists, issues, warnings }
    },
  }
}

function withinTurn(): SluiceError {
  const message = 'A turn changes the config through its gateway only, and none answers. Nothing was changed.'
  return new SluiceError('FORBIDDEN', message, { outcome: 'not-started' })
}
