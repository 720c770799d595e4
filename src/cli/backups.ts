// Backups as the CLI sees them. main.ts hands them in: they work on the state folder itself, and this folder may not.

/** What is in a backup, after all of it was checked. */
export interface BackupFacts {
  readonly file: string
  readonly bytes: number
  /** The Sluice that made it. */
  readonly version: string
  readonly schema: number
  readonly createdAtMs: number
  /** Whether the token and the config's secrets are in it. */
  readonly secrets: boolean
  /** How many rows each table has. */
  readonly rows: Readonly<Record<string, number>>
}

export interface Restored extends BackupFacts {
  /** Where the store that was replaced is now. */
  readonly keptOldAs?: string
  /** What became of config and token, in plain words. */
  readonly told: readonly string[]
}

export interface Backups {
  /** `progress` hears how much was copied, from 0 to 1. */
  create(
    file: string | undefined,
    options: { readonly withSecrets: boolean; readonly progress: (done: number) => void },
  ): Promise<BackupFacts>
  /** Throws STORE_FAILED for a file that is no whole backup. */
  verify(file: string): BackupFacts
  /** Throws CONFLICT while a gateway has the folder, and without `force` where a store is. */
  restore(file: string, options: { readonly force: boolean }): Restored
}
