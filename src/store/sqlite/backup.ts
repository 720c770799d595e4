// Backups of a SQLite store: one file, which is the store's database with one more table, `backup`, that says what it is.
// Everything is made under another name, checked, synced and renamed, so that a crash leaves no half of anything; and
// nothing is ever overwritten: what a restore replaces is kept beside it.
import { createHash } from 'node:crypto'
import { constants, copyFileSync, existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { SluiceError } from '../../base/errors.ts'
import { databaseFile, ensureFolder, openForReading } from './database.ts'
import { codeOf, storeFailed } from './failures.ts'
import { lockFolder } from './lock.ts'
import { refuseForeign, versionOf } from './migrations.ts'
import { beginAnew, keepAs, putInPlace, removeDatabase, removeSides } from './private-file.ts'
import { faultIn } from './soundness.ts'

/** Pages copied before others have a turn: 8 MiB. */
const PAGES_PER_STEP = 2_048

/** Texts that go with a backup, by name. */
export type Notes = Readonly<Record<string, string>>

/** What is in a backup, after all of it was checked. */
export interface BackupContent {
  readonly notes: Notes
  readonly schema: number
  readonly rows: Readonly<Record<string, number>>
  readonly bytes: number
}

function refused(message: string, file: string): SluiceError {
  return new SluiceError('CONFLICT', message, { details: { file }, outcome: 'not-started' })
}

/** Errors of the disk and of SQLite in our words; what is said already is passed on. */
function said(file: string, error: unknown): unknown {
  return error instanceof SluiceError || codeOf(error) === undefined ? error : storeFailed(file, error, 'not-started')
}

/**
 * Writes a backup of the store in a folder as it is at this moment, also while a gateway uses it. Throws CONFLICT when the
 * file is there, STORE_FAILED when the store cannot be read or the file cannot be written.
 */
export async function writeBackup(
  folder: string,
  file: string,
  { notes, progress }: { notes: Notes; progress?: (done: number) => void },
): Promise<BackupContent> {
  if (existsSync(file)) throw refused(`${file} is there already, and is not overwritten. Choose another name.`, file)
  ensureFolder(dirname(file))
  const fresh = `${file}.new`
  const reader = openForReading(folder)
  try {
    refuseForeign(reader, databaseFile(folder))
    beginAnew(fresh)
    // An open transaction keeps one moment in view while the gateway goes on writing.
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM sqlite_schema').get()
    await reader.backup(fresh, {
      progress: ({ totalPages, remainingPages }) => {
        progress?.(totalPages === 0 ? 0 : 1 - remainingPages / totalPages)
        return PAGES_PER_STEP
      },
    })
    label(fresh, notes)
    const content = readBackup(fresh)
    putInPlace(fresh, file)
    return content
  } catch (error) {
    removeDatabase(fresh)
    throw said(file, error)
  } finally {
    reader.close()
  }
}

/** Adds what makes a copy of a store a backup, and leaves one file. */
function label(file: string, notes: Notes): void {
  const db = new Database(file)
  try {
    db.pragma('journal_mode = DELETE')
    db.exec('CREATE TABLE backup (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT')
    const note = db.prepare('INSERT INTO backup VALUES (?, ?)')
    for (const [name, value] of Object.entries(notes)) note.run(name, value)
    note.run('checksum', digestOf(db))
  } finally {
    db.close()
  }
}

/** Reads and checks all of a backup. Throws STORE_FAILED when the file is none, is damaged, or is from a newer Sluice. */
export function readBackup(file: string): BackupContent {
  let db: Database.Database | undefined
  try {
    if (!existsSync(file)) throw new SluiceError('NOT_FOUND', `There is no file ${file}.`)
    db = new Database(file, { readonly: true })
    return contentOf(db, file)
  } catch (error) {
    if (/^SQLITE_(CORRUPT|NOTADB)/.test(codeOf(error) ?? '')) throw damaged(file, (error as Error).message)
    throw said(file, error)
  } finally {
    db?.close()
  }
}

function damaged(file: string, reason: string): SluiceError {
  const message = `${file} is no backup that can be used (${reason.replaceAll(/\s+/g, ' ')}). Use another one.`
  return new SluiceError('STORE_FAILED', message, { details: { file }, outcome: 'not-started' })
}

function contentOf(db: Database.Database, file: string): BackupContent {
  refuseForeign(db, file)
  const fault = faultIn(db)
  if (fault !== undefined) throw damaged(file, fault)
  const tables = tablesOf(db)
  if (!tables.includes('backup')) throw damaged(file, 'it has no table "backup"; it may be a plain store')
  const rows = db.prepare('SELECT name, value FROM backup').raw().all() as [string, string][]
  const { checksum, ...notes } = Object.fromEntries(rows)
  if (checksum !== digestOf(db)) throw damaged(file, 'its content is not what its checksum says')
  const count = (table: string) => Number(db.prepare(`SELECT count(*) FROM "${table}"`).pluck().get())
  const own = tables.filter(table => table !== 'backup' && !table.startsWith('sqlite_'))
  return {
    notes,
    schema: versionOf(db),
    rows: Object.fromEntries(own.map(table => [table, count(table)])),
    bytes: statSync(file).size,
  }
}

function tablesOf(db: Database.Database): string[] {
  const names = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all()
  return names.map(String)
}

/** SHA-256 over the schema and every row of every table in its own order, but for the checksum itself. */
function digestOf(db: Database.Database): string {
  const hash = createHash('sha256')
  const put = (value: unknown) => {
    const bytes = Buffer.isBuffer(value) ? value : Buffer.from(String(value))
    hash.update(`${value === null ? 'null' : typeof value} ${bytes.length} `).update(bytes)
  }
  const putRows = (sql: string) => {
    for (const row of db.prepare(sql).raw().safeIntegers().iterate()) for (const cell of row as unknown[]) put(cell)
  }
  putRows('SELECT type, name, sql FROM sqlite_schema ORDER BY type, name')
  put(versionOf(db))
  for (const table of tablesOf(db)) {
    put(table)
    putRows(
      `SELECT * FROM "${table}" NOT INDEXED${table === 'backup' ? " WHERE name <> 'checksum' ORDER BY name" : ''}`,
    )
  }
  return hash.digest('hex')
}

/** Where a restore has got to. */
export const RESTORE_STEPS = ['copied', 'checked', 'kept', 'cleared', 'placed'] as const

export interface RestoreOptions {
  /** The name that a store which is there is kept under; undefined: refuse when there is one. */
  readonly keepOldAs: string | undefined
  /** Called once the backup was checked and the folder is ours, before anything is changed. */
  readonly beforePlacing?: (content: BackupContent) => void
  readonly reached?: (step: (typeof RESTORE_STEPS)[number]) => void
}

/**
 * Puts a backup's store into a folder. Answers what is in it, and whether an old one was kept. Throws CONFLICT when a
 * gateway has the folder or a store is there that may not be replaced, STORE_FAILED for a backup that is not whole.
 */
export function restoreBackup(
  file: string,
  folder: string,
  { keepOldAs, beforePlacing, reached = () => undefined }: RestoreOptions,
): { readonly content: BackupContent; readonly keptOld: boolean } {
  readBackup(file)
  ensureFolder(folder)
  const lock = lockFolder(folder)
  const place = databaseFile(folder)
  const fresh = `${place}.restoring`
  try {
    const hasOld = [place, `${place}-wal`].some(path => existsSync(path))
    if (hasOld && keepOldAs === undefined) {
      throw refused(`There is a store in ${folder} already. With --force it is replaced, and kept beside it.`, place)
    }
    beginAnew(fresh)
    copyFileSync(file, fresh)
    reached('copied')
    // The copy is what will be used, so it is the copy that is judged.
    const content = readBackup(fresh)
    beforePlacing?.(content)
    unlabel(fresh)
    reached('checked')
    if (keepOldAs !== undefined) keepOld(place, keepOldAs)
    reached('kept')
    // A log left beside would be taken for the new store's own.
    removeSides(place)
    reached('cleared')
    putInPlace(fresh, place)
    reached('placed')
    return { content, keptOld: hasOld }
  } catch (error) {
    removeDatabase(fresh)
    throw said(place, error)
  } finally {
    lock.release()
  }
}

function unlabel(file: string): void {
  const db = new Database(file)
  try {
    db.exec('DROP TABLE backup')
  } finally {
    db.close()
  }
}

/**
 * Gives the old store a second name, with a copy of its log: that is folded into the store, so that nothing of it is lost
 * when we die before the new one is in place, but what is damaged may not be foldable.
 */
function keepOld(place: string, name: string): void {
  if (existsSync(`${place}-wal`)) copyFileSync(`${place}-wal`, `${name}-wal`, constants.COPYFILE_EXCL)
  if (!existsSync(place)) return
  foldLog(place)
  keepAs(place, name)
}

function foldLog(place: string): void {
  let db: Database.Database | undefined
  try {
    db = new Database(place)
    db.pragma('wal_checkpoint(TRUNCATE)')
  } catch (error) {
    // What cannot be read is the reason to restore; what cannot be written is one to stop.
    if (!/^SQLITE_(CORRUPT|NOTADB|CANTOPEN)/.test(codeOf(error) ?? '')) throw error
  } finally {
    db?.close()
  }
}
