// Backups of a state folder: the store, the config and, only when asked for, the secrets. It decides what goes into one
// and what is put where; how a store is copied, checked and replaced is the adapter's, which the process edge hands in.
// It never overwrites a config or a token.
import { isDeepStrictEqual } from 'node:util'
import type { Clock, Files } from '../base/world.ts'
import { wallTime } from '../base/zoned-time.ts'
import { includedPaths, readConfigFile } from '../config/includes.ts'
import { type Places, parseConfig } from '../config/locate.ts'
import { redacted } from '../config/secrets.ts'

type Notes = Readonly<Record<string, string>>

interface Content {
  readonly notes: Notes
  readonly schema: number
  readonly rows: Readonly<Record<string, number>>
  readonly bytes: number
}

/** What an adapter of the store can do with files. */
interface StoreFiles {
  write(folder: string, file: string, options: { notes: Notes; progress?: (done: number) => void }): Promise<Content>
  read(file: string): Content
  restore(
    file: string,
    folder: string,
    options: { keepOldAs: string | undefined; beforePlacing: (content: Content) => void },
  ): { readonly content: Content; readonly keptOld: boolean }
}

interface BackupParts {
  readonly places: Places
  readonly files: Files
  readonly clock: Clock
  /** Of this Sluice. */
  readonly version: string
  readonly store: StoreFiles
}

type BackupFacts = ReturnType<typeof factsOf>

export class BackupKeeper {
  readonly #parts: BackupParts

  constructor(parts: BackupParts) {
    this.#parts = parts
  }

  /** Writes one; by default into the folder `backups` of the state folder, named after the moment. */
  async create(
    file: string | undefined,
    { withSecrets, progress }: { withSecrets: boolean; progress?: (done: number) => void },
  ): Promise<BackupFacts> {
    const { places, store } = this.#parts
    const path = file ?? `${places.stateDir}/backups/sluice-${this.#stamp()}.backup`
    const notes = this.#notes(withSecrets)
    return factsOf(path, await store.write(places.stateDir, path, { notes, ...(progress && { progress }) }))
  }

  verify(file: string): BackupFacts {
    return factsOf(file, this.#parts.store.read(file))
  }

  /** With `force` a store that is there is replaced, and kept beside it. */
  restore(file: string, { force }: { force: boolean }): BackupFacts & { keptOldAs?: string; told: readonly string[] } {
    const { places, store } = this.#parts
    const oldName = `${places.stateDir}/sluice.db.replaced-${this.#stamp()}`
    const told: string[] = []
    const { content, keptOld } = store.restore(file, places.stateDir, {
      keepOldAs: force ? oldName : undefined,
      beforePlacing: ({ notes }) => told.push(...this.#restoreTexts(notes)),
    })
    return { ...factsOf(file, content), ...(keptOld && { keptOldAs: oldName }), told }
  }

  #stamp(): string {
    const { year, month, day, hour, minute, second } = wallTime(this.#parts.clock.now(), 'UTC')
    const pad = (value: number) => String(value).padStart(2, '0')
    return `${year}-${pad(month)}-${pad(day)}T${pad(hour)}-${pad(minute)}-${pad(second)}Z`
  }

  #notes(withSecrets: boolean): Notes {
    const { places, files, clock, version } = this.#parts
    const { config, isWhole } = keptConfig(files, places.configPath, withSecrets)
    const token = withSecrets ? files.readText(places.tokenPath) : undefined
    return {
      format: '1',
      version,
      created_at_ms: String(clock.now()),
      secrets: withSecrets ? 'included' : 'left out',
      config_complete: String(isWhole),
      ...(config !== undefined && { config }),
      ...(token !== undefined && { token }),
    }
  }

  /** Puts config and token where there are none; answers what the operator should know of them. */
  #restoreTexts({ config, token, config_complete }: Notes): string[] {
    const { places, files } = this.#parts
    const told: string[] = []
    if (token !== undefined && files.readText(places.tokenPath) === undefined) {
      files.writePrivateText(places.tokenPath, token)
      told.push(`The gateway's token was put back: ${places.tokenPath}`)
    }
    const present = files.readText(places.configPath)
    if (config === undefined || config === keptConfig(files, places.configPath, true).config) return told
    if (present === undefined && config_complete === 'true') {
      files.writePrivateText(places.configPath, config)
      return [...told, `The config was put back: ${places.configPath}`]
    }
    const beside = `${places.configPath}.restored`
    files.writePrivateText(beside, config)
    const why =
      present === undefined
        ? 'is not whole: secrets were left out, or a file that it includes could not be read'
        : 'differs from the one in use'
    return [...told, `The backup's config ${why}. It is in ${beside}; ${places.configPath} was not touched.`]
  }
}

/** The text itself, where nothing is left out of it and it includes no file; else one document with all of them in it. */
function keptConfig(files: Files, path: string, withSecrets: boolean): { config?: string; isWhole: boolean } {
  const text = files.readText(path)
  if (text === undefined) return { isWhole: true }
  const kept = (whole: unknown) => (withSecrets ? whole : redacted(whole))
  try {
    const whole = readConfigFile(files, path)
    const shown = kept(whole)
    const isWhole = isDeepStrictEqual(shown, whole)
    const isAlone = isWhole && includedPaths(text, path, files).length === 0
    return { config: isAlone ? text : documentOf(shown), isWhole }
  } catch {
    // A file that it includes cannot be read. The store is not to go without a backup for that.
    return { config: withSecrets ? text : documentOf(kept(parseConfig(text, path))), isWhole: false }
  }
}

function documentOf(config: unknown): string {
  return `${JSON.stringify(config, null, 2)}\n`
}

function factsOf(file: string, { notes, schema, rows, bytes }: Content) {
  return {
    file,
    bytes,
    version: notes.version ?? 'unknown',
    schema,
    createdAtMs: Number(notes.created_at_ms),
    secrets: notes.secrets === 'included',
    rows,
  }
}
