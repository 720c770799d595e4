// An upgrade of a store to this code's schema that can be taken back: the store is copied, the copy is migrated and
// checked, and only then the store itself. Each step is whole or not there, so that a start after a crash anywhere in
// between begins again; nothing of the store is changed before its own one transaction.
import { readdirSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { SluiceError } from '../../base/errors.ts'
import { applySteps, migrate, SCHEMA_VERSION, versionOf } from './migrations.ts'
import { beginAnew, putInPlace, removeDatabase } from './private-file.ts'
import { faultIn } from './soundness.ts'

/** Copies made before upgrades; older ones are removed after the next. */
const COPIES_KEPT = 2

/** Where an upgrade has got to. */
export const UPGRADE_STEPS = ['copied', 'tried', 'kept', 'migrated', 'tidied'] as const
export type UpgradeReached = (step: (typeof UPGRADE_STEPS)[number]) => void

/**
 * Brings a database that was not refused to this code's schema. Throws STORE_FAILED with the place of the copy when a
 * step fails on the copy or on the store; the store is then as it was.
 */
export function upgrade(db: Database.Database, file: string, reached: UpgradeReached = () => undefined): void {
  const version = versionOf(db)
  if (version === SCHEMA_VERSION) return
  // A new one has nothing to lose.
  if (version === 0) {
    migrate(db)
    return
  }
  const copy = `${file}.before-v${SCHEMA_VERSION}`
  const failure = copyAndTry(db, copy, reached)
  if (failure !== undefined) throw notUpgraded(file, { copy, version, reason: failure })
  try {
    migrate(db)
  } catch (error) {
    throw notUpgraded(file, { copy, version, reason: (error as Error).message, cause: error })
  }
  reached('migrated')
  removeOldCopies(file)
  reached('tidied')
}

/** Keeps a copy under its name, tried or failed. Answers why the steps cannot be applied, or undefined. */
function copyAndTry(db: Database.Database, copy: string, reached: UpgradeReached): string | undefined {
  const fresh = `${copy}.new`
  try {
    beginAnew(fresh)
    db.prepare('VACUUM INTO ?').run(fresh)
    reached('copied')
    const failure = tryOn(fresh)
    reached('tried')
    putInPlace(fresh, copy)
    reached('kept')
    return failure
  } catch (error) {
    removeDatabase(fresh)
    throw error
  }
}

/** Migrates and checks a database, and takes it back. */
function tryOn(file: string): string | undefined {
  const db = new Database(file)
  try {
    // A crash costs this file, which nothing needs before it has its name; so it leaves no journal beside it.
    db.pragma('journal_mode = MEMORY')
    db.pragma('foreign_keys = ON')
    db.exec('BEGIN IMMEDIATE')
    applySteps(db)
    return faultIn(db)
  } catch (error) {
    return (error as Error).message
  } finally {
    if (db.inTransaction) db.exec('ROLLBACK')
    db.close()
  }
}

interface Failed {
  readonly copy: string
  readonly version: number
  readonly reason: string
  readonly cause?: unknown
}

function notUpgraded(file: string, { copy, version, reason, cause }: Failed): SluiceError {
  return new SluiceError(
    'STORE_FAILED',
    `${file} could not be brought from schema version ${version} to ${SCHEMA_VERSION} (${reason}). It is as it was, and ` +
      `${copy} is a copy of it. Start the Sluice that wrote it to go on with it, and report this.`,
    { details: { file, copy, version, wanted: SCHEMA_VERSION }, outcome: 'not-started', cause },
  )
}

function removeOldCopies(file: string): void {
  const prefix = `${basename(file)}.before-v`
  const versions = readdirSync(dirname(file))
    .filter(name => name.startsWith(prefix))
    .map(name => Number(name.slice(prefix.length)))
    .filter(version => Number.isInteger(version))
    .sort((a, b) => b - a)
  for (const version of versions.slice(COPIES_KEPT)) rmSync(join(dirname(file), `${prefix}${version}`))
}
