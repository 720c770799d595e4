// Whether a database is whole: the one check that upgrades, backups and the start after a crash share. It reads every
// page, so who calls it on a large store is in a thread or a process of its own.
import type { Database } from 'better-sqlite3'

/** What is wrong with a database, in SQLite's words; undefined when nothing is. Only reads. */
export function faultIn(db: Database): string | undefined {
  const verdict = String(db.pragma('integrity_check(1)', { simple: true }))
  if (verdict !== 'ok') return verdict.replaceAll(/\s+/g, ' ')
  const [dangling] = db.pragma('foreign_key_check') as readonly { table: string; rowid: number; parent: string }[]
  return dangling && `row ${dangling.rowid} of ${dangling.table} names a row of ${dangling.parent} that is not there`
}
