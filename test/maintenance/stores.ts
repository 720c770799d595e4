// Stores on a real disk for the tests of this folder: a folder each, rows to lose, and all that a store has as one value.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { APPLICATION_ID, MIGRATIONS } from '../../src/store/sqlite/migrations.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { BOUND_MS, within } from '../e2e/bound.ts'
import { addJob, NOW, newJob, newRun, SESSION } from '../store/fixtures.ts'

export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'store-maintenance-'))
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}

export const storeIn = (folder: string) => join(folder, 'sluice.db')

/** A store with rows in most tables, closed. */
export async function fillStore(folder: string, name = 'a'): Promise<void> {
  const store = await openSqliteStore({ folder, thread: false })
  for (let n = 0; n < 5; n += 1) await addJob(store, newJob(`${name}${n}`, { description: 'd'.repeat(900) }))
  await store.write.acceptMessage({ run: newRun(`${name}-run`), nowMs: NOW })
  await store.close()
}

/** What a Sluice with the first schema left, with `rows` accepted messages. */
export function fillVersionOne(folder: string, rows = 50): void {
  const db = new Database(storeIn(folder))
  db.exec(MIGRATIONS[0] ?? '')
  db.pragma(`application_id = ${APPLICATION_ID}`)
  db.pragma('user_version = 1')
  db.prepare(
    'INSERT INTO sessions (key, agent_id, session_id, created_at_ms, updated_at_ms) VALUES (?, ?, ?, 1, 1)',
  ).run(SESSION, 'main', 's1')
  const add = db.prepare(
    `INSERT INTO runs (run_id, session_key, session_id, echo_key, agent_id, source, state, created_at_ms)
     VALUES (?, ?, 's1', 'main', 'main', 'chat', 'queued', 1)`,
  )
  for (let n = 0; n < rows; n += 1) add.run(`run-${n}`, SESSION)
  db.close()
}

/** Every row of every table but those whose names are given, as text; opens nothing for writing. */
export function rowsOf(file: string, without: readonly string[] = []): string {
  const db = new Database(file, { readonly: true, fileMustExist: true })
  try {
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all()
    const told = tables.map(String).filter(name => !without.includes(name))
    return told.map(name => `${name}: ${JSON.stringify(db.prepare(`SELECT * FROM "${name}"`).all())}`).join('\n')
  } finally {
    db.close()
  }
}

export function versionOf(file: string): number {
  const db = new Database(file, { readonly: true, fileMustExist: true })
  try {
    return Number(db.pragma('user_version', { simple: true }))
  } finally {
    db.close()
  }
}

/** Runs a process that dies when it has reached a step; throws when it ended otherwise. */
export async function dieAt(step: string, words: { what: string; folder: string; backup?: string }): Promise<void> {
  const script = new URL('./dying.ts', import.meta.url).pathname
  const args = [script, words.what, words.folder, step, ...(words.backup === undefined ? [] : [words.backup])]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', chunk => {
    said += chunk
  })
  const [code, signal] = await within(once(child, 'exit'), `the death at ${step}`, BOUND_MS)
  if (signal !== 'SIGKILL') throw new Error(`it ended with ${code} before ${step}:\n${said}`)
}
