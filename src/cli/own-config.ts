// The config file of this machine as the CLI sees it where no gateway runs. main.ts hands it in: this folder may not read
// files, and knows no schema.
import type { Result } from '../protocol/catalogue.ts'

export interface Validated {
  readonly path: string
  readonly exists: boolean
  readonly issues: readonly { readonly path: string; readonly message: string }[]
  readonly warnings: readonly { readonly path: string; readonly message: string }[]
}

export interface OwnConfig {
  readonly path: string
  /** As `config.get` answers it. */
  shown(): Result<'config.get'>
  /** Replaces the file as `config.set` does; nobody takes it up. Throws INVALID_REQUEST, and FORBIDDEN within a turn. */
  replace(document: {
    readonly raw: string
    readonly baseHash: string
  }): Pick<Result<'config.set'>, 'path' | 'config' | 'overridden'>
  schema(): unknown
  /** This file, or another in its place. */
  validate(file: string | undefined): Validated
}
