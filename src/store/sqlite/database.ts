// Opens the database file: private mode, pragmas, and the refusals that keep a start from destroying anything. A file
// that is not ours, or so damaged that what a start needs cannot be read, stops the start with its name in the message;
// other damage is told and lived with. No file is ever replaced or truncated.

import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { SluiceError } from '../../base/errors.ts'
import { storeFailed } from './failures.ts'
import { refuseForeign, SCHEMA_VERSION, versionOf } from './migrations.ts'
import { createPrivateFile } from './private-file.ts'
import { type UpgradeReached, upgrade } from './upgrade.ts'

/** Memory that each connection may keep of the file, in KiB. */
const WRITER_CACHE_KIB = 4_096
const READER_CACHE_KIB = 2_048
/** Pages of the write-ahead log before it is copied back: 8 MiB. */
const CHECKPOINT_PAGES = 2_048
/** Above this a whole look costs more than a start may take; it is then taken in the background, after an unclean stop. */
const CHECKED_BYTES_MAX = 4 * 2 ** 20
/** A start outwaits a backup's or a shell's short transaction. Milliseconds. */
const OPEN_WAIT_MS_MAX = 10_000
/** A reader in WAL mode waits for nobody but a recovery at open. Milliseconds. */
const READER_WAIT_MS_MAX = 1_000

export function databaseFile(folder: string): string {
  return join(folder, 'sluice.db')
}

export function ensureFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw storeFailed(folder, error, 'not-started')
  }
}

/** What is damaged in a file that is small enough to be looked at whole; a header that cannot be read is thrown. */
function damageIn(db: Database.Database, file: string): string | undefined {
  if (statSync(file).size > CHECKED_BYTES_MAX) return undefined
  const verdict = String(db.pragma('quick_check(1)', { simple: true }))
  return verdict === 'ok' ? undefined : verdict.replaceAll(/\s+/g, ' ')
}

/** What is damaged is used as far as it goes, but it is not rewritten into another schema. */
function refuseUpgradeOf(db: Database.Database, damage: string | undefined): void {
  if (damage === undefined || versionOf(db) === SCHEMA_VERSION) return
  throw Object.assign(new Error(damage), { code: 'SQLITE_CORRUPT' })
}

export interface Opened {
  readonly db: Database.Database
  readonly epoch: number
  readonly damage: string | undefined
}

/**
 * The one write connection, upgraded and counted as a new boot. `busyMs`: how long one lock attempt may block later on.
 * `reached` hears of each step of an upgrade.
 */
export function openForWriting(folder: string, busyMs: number, reached?: UpgradeReached): Opened {
  const file = databaseFile(folder)
  let db: Database.Database | undefined
  try {
    createPrivateFile(file)
    db = new Database(file, { timeout: OPEN_WAIT_MS_MAX })
    // First looked at, then changed: even the journal mode is written into the file.
    refuseForeign(db, file)
    const damage = damageIn(db, file)
    refuseUpgradeOf(db, damage)
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.pragma('foreign_keys = ON')
    db.pragma('temp_store = MEMORY')
    db.pragma(`cache_size = -${WRITER_CACHE_KIB}`)
    db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
    upgrade(db, file, reached)
    const epoch = db.prepare("UPDATE meta SET value = value + 1 WHERE name = 'epoch' RETURNING value").pluck().get()
    db.pragma(`busy_timeout = ${busyMs}`)
    return { db, epoch: Number(epoch), damage }
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
