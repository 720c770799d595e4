// The SQLite store: `openSqliteStore` for the gateway (writer in a thread of its own) and for tests, the simulator and
// tools (`thread: false`). It takes no clock and no randomness: instants and ids come with the calls, so that the
// same calls make the same store.
import { statSync } from 'node:fs'
import type { Store } from '../port.ts'
import { connectStore } from './client.ts'
import { databaseFile } from './database.ts'
import { type InlineOptions, inlineLink } from './inline.ts'
import { type StartLink, startThread } from './link.ts'
import { startReader } from './reader-link.ts'

export type SqliteStoreOptions =
  /** `writer`: a thread that was warmed for it. Default: a new one. */
  | { readonly folder: string; readonly thread?: true; readonly writer?: StartLink | undefined }
  | ({ readonly folder: string; readonly thread: false } & InlineOptions)

/**
 * Opens the store in a folder (made when missing) and holds it until `close` or the end of the process. Rejects with
 * CONFLICT when another gateway holds it, STORE_FAILED when it cannot be used (damaged, not ours, newer, unreadable);
 * nothing is replaced then.
 */
export function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { folder } = options
  if (options.thread !== false) {
    return connectStore(folder, { writer: options.writer ?? startThread, reader: startReader })
  }
  return connectStore(folder, { writer: inlineLink(options), reader: options.reader })
}

/** Whether the file is there and holds nothing, as no file does that was opened once. */
export function isEmptied(folder: string): boolean {
  return statSync(databaseFile(folder), { throwIfNoEntry: false })?.size === 0
}
