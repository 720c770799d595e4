// Opens the database file: private mode, pragmas, and the refusals that keep a start from destroying anything. A file
// that is damaged or not ours stops the start with its name in the message; no file is ever replaced or truncated.

import { chmodSync, closeSync, mkdirSync, openSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { SluiceError } from '../../base/errors.ts'
import { codeOf, storeFailed } from './failures.ts'
import { migrate, refuseForeign } from './migrations.ts'

/** Memory that each connection may keep of the file, in KiB. */
const WRITER_CACHE_KIB = 4_096
const READER_CACHE_KIB = 2_048
/** Pages of the write-ahead log before it is copied back: 8 MiB. */
const CHECKPOINT_PAGES = 2_048
/** Above this a whole check costs more than a start may take; damage is then found by the statement that meets it. */
const CHECKED_BYTES_MAX = 4 * 2 ** 20
/** A start outwaits a backup's or a shell's short transaction. Milliseconds. */
const OPEN_WAIT_MS_MAX = 10_000
/** A reader in WAL mode waits for nobody but a recovery at open. Milliseconds. */
const READER_WAIT_MS_MAX = 1_000

export function databaseFile(folder: string): string {
  return join(folder, 'sluice.db')
}

/**
 * Creates an empty file with mode 0600 unless there is one. It never opens an existing file: closing a second
 * descriptor of it would drop the locks that SQLite holds on it for this whole process.
 */
export function createPrivateFile(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600)
  }
}

export function ensureFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw storeFailed(folder, error, 'not-started')
  }
}

function refuseDamaged(db: Database.Database, file: string): void {
  if (statSync(file).size > CHECKED_BYTES_MAX) return
  const verdict = String(db.pragma('quick_check(1)', { simple: true }))
  if (verdict !== 'ok') throw Object.assign(new Error(verdict), { code: 'SQLITE_CORRUPT' })
}

/** The one write connection, migrated and counted as a new boot. `busyMs`: how long one lock attempt may block later on. */
export function openForWriting(folder: string, busyMs: number): { db: Database.Database; epoch: number } {
  const file = databaseFile(folder)
  let db: Database.Database | undefined
  try {
    createPrivateFile(file)
    db = new Database(file, { timeout: OPEN_WAIT_MS_MAX })
    // First looked at, then changed: even the journal mode is written into the file.
    refuseForeign(db, file)
    refuseDamaged(db, file)
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.pragma('foreign_keys = ON')
    db.pragma('temp_store = MEMORY')
    db.pragma(`cache_size = -${WRITER_CACHE_KIB}`)
    db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    migrate(db)
    const epoch = db.prepare("UPDATE meta SET value = value + 1 WHERE name = 'epoch' RETURNING value").pluck().get()
    db.pragma(`busy_timeout = ${busyMs}`)
    return { db, epoch: Number(epoch) }
  } catch (error) {
    db?.close()
    throw error instanceof SluiceError ? error : storeFailed(file, error, 'not-started')
  }
}

/** A connection that cannot write, for reads in place. */
export function openForReading(folder: string): Database.Database {
  const file = databaseFile(folder)
  let db: Database.Database | undefined
  try {
    db = new Database(file, { readonly: true, fileMustExist: true, timeout: READER_WAIT_MS_MAX })
    db.pragma(`cache_size = -${READER_CACHE_KIB}`)
    return db
  } catch (error) {
    db?.close()
    throw storeFailed(file, error, 'not-started')
  }
}
