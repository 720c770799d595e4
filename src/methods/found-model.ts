// The model that is taken while the config names none: looked for in the lists of the providers that have a key, and kept
// for as long as those stay the same. It never stands in the settings themselves, which are what the config says.
import type { Settings } from '../config/load.ts'
import type { Found, ModelLists } from '../providers/lists.ts'

type Models = Settings['models']

export class FoundModel {
  readonly lists: ModelLists
  #found: { readonly of: string; readonly what: Found } | undefined

  constructor(lists: ModelLists) {
    this.lists = lists
  }

  /** What was found for just these providers. */
  for(models: Models): Found | undefined {
    return models.primary === undefined && this.#found?.of === nameOf(models) ? this.#found.what : undefined
  }

  /** The settings with the model that was found, if one was and none is named. */
  complete(settings: Settings): Settings {
    const ref = this.for(settings.models)?.ref
    return ref === undefined ? settings : { ...settings, models: { ...settings.models, primary: ref } }
  }

  /** Looks, for some seconds at most; true when something was found that was not known before. */
  async look(models: Models): Promise<boolean> {
    if (this.for(models)?.ref !== undefined) return false
    const what = await this.lists.find(models)
    if (what) this.#found = { of: nameOf(models), what }
    return what?.ref !== undefined
  }
}

function nameOf({ providers }: Models): string {
  return JSON.stringify(providers)
}
