// The check after a crash: it finds a damaged page of a large store, and the loop and the writer go on meanwhile.
import { readFileSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkIntegrity, type Integrity } from '../../src/store/sqlite/integrity.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { within } from '../e2e/bound.ts'
import { addJob, newJob } from '../store/fixtures.ts'
import { fillStore, newFolder, removeFolder, storeIn } from './stores.ts'

const THREAD = new URL('../../src/store/sqlite/integrity-thread.ts', import.meta.url)
let folder = ''

beforeEach(() => {
  folder = newFolder()
})
afterEach(() => removeFolder(folder))

function check(): { ended: Promise<Integrity>; state: () => Integrity; stop: () => Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<Integrity>()
  const checking = checkIntegrity(folder, THREAD, resolve)
  return { ended: within(promise, 'the verdict'), state: () => checking.state, stop: () => checking.stop() }
}

test('W8: a whole store is said to be, while it is written', async () => {
  const store = await openSqliteStore({ folder })
  const checking = check()
  expect(checking.state()).toBe('checking')
  await addJob(store, newJob('meanwhile'))
  expect(await checking.ended).toBe('ok')
  expect(checking.state()).toBe('ok')
  await store.close()
})

test('a damaged page is found, and so is what is no database, and a row without the one it names', async () => {
  await fillStore(folder)
  const whole = readFileSync(storeIn(folder))
  writeFileSync(storeIn(folder), Buffer.from(whole).fill(0x5a, 4_096 * 5, 4_096 * 6))
  expect(await check().ended).toMatch(/^damaged: /)
  writeFileSync(storeIn(folder), 'dear diary '.repeat(1_000))
  expect(await check().ended).toMatch(/^damaged: file is not a database/)
  writeFileSync(storeIn(folder), whole)
  const db = new Database(storeIn(folder))
  db.pragma('foreign_keys = OFF')
  db.exec('DELETE FROM sessions')
  db.close()
  expect(await check().ended).toMatch(/^damaged: row 1 of (runs|inbox) names a row of sessions that is not there$/)
})

test('a store that cannot be opened is not called damaged, and a check that was stopped says nothing', async () => {
  expect(await check().ended).toMatch(/^unknown: .*unable to open/)
  await fillStore(folder)
  const checking = check()
  await checking.stop()
  expect(checking.state()).toBe('not-checked')
})
