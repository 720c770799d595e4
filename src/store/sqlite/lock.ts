// Who may write: one process holds an exclusive transaction on `lock.db` for its life (T3). The kernel frees it the
// moment that process is gone, however it died, so there is no pid file to go stale. It refuses to wait for the other
// gateway: two on one state folder is a mistake that the operator should hear of at once.

import { join } from 'node:path'
import Database from 'better-sqlite3'
import { SluiceError } from '../../base/errors.ts'
import { isBusy, storeFailed } from './failures.ts'
import { createPrivateFile } from './private-file.ts'

/** Two that start in the same instant see each other for a moment; this lets one of them win. Milliseconds. */
const LOCK_WAIT_MS_MAX = 250

export interface FolderLock {
  release(): void
}

/** Takes the folder for this process. Throws CONFLICT when another gateway has it, STORE_FAILED when it cannot tell. */
export function lockFolder(folder: string): FolderLock {
  const file = join(folder, 'lock.db')
  let db: Database.Database | undefined
  try {
    createPrivateFile(file)
    db = new Database(file, { timeout: LOCK_WAIT_MS_MAX })
    const held = db
    // Nothing is ever written here, so there is nothing to undo; a full disk must not look like a taken folder.
    held.pragma('journal_mode = MEMORY')
    held.exec('BEGIN EXCLUSIVE')
    return { release: () => held.close() }
  } catch (error) {
    db?.close()
    if (!isBusy(error)) throw storeFailed(file, error, 'not-started')
    throw new SluiceError(
      'CONFLICT',
      `Another gateway is using the state folder ${folder}. Stop it first, or give this one a state folder of its own.`,
      { details: { folder }, outcome: 'not-started', cause: error },
    )
  }
}
