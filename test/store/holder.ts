// A second process for tests: holds a store folder open (with one accepted message), or a write transaction on its database, until it is killed.
// Run as `node holder.ts gateway|transaction <folder>`; prints one line when it holds.
import Database from 'better-sqlite3'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { NOW, newRun } from './fixtures.ts'

const [what, folder] = process.argv.slice(2)
if (!folder) throw new Error('which folder?')
if (what === 'gateway') {
  const store = await openSqliteStore({ folder })
  await store.write.acceptMessage({ run: newRun('acknowledged'), nowMs: NOW })
} else {
  new Database(`${folder}/sluice.db`).exec('BEGIN IMMEDIATE')
}
process.stdin.resume()
console.log('held')
