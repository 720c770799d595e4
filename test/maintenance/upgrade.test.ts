// Upgrades of a store that are cut off anywhere, or cannot be done: no row is lost, and the store opens or says why not.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { VERSION } from '../../src/base/node/version.ts'
import { MIGRATIONS } from '../../src/store/sqlite/migrations.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { UPGRADE_STEPS } from '../../src/store/sqlite/upgrade.ts'
import { dieAt, fillVersionOne, newFolder, removeFolder, rowsOf, storeIn, versionOf } from './stores.ts'

const NEWEST = MIGRATIONS.length
const ROWS = 50
let folder = ''
const copyOf = () => `${storeIn(folder)}.before-v${NEWEST}`

beforeEach(() => {
  folder = newFolder()
})
afterEach(() => removeFolder(folder))

async function expectAllRuns(): Promise<void> {
  const store = await openSqliteStore({ folder, thread: false })
  for (let n = 0; n < ROWS; n += 1) expect(store.read.run(`run-${n}`)?.state).toBe('queued')
  await store.close()
  expect(versionOf(storeIn(folder))).toBe(NEWEST)
}

test('L1: an upgrade keeps a copy of the store as it was, and nothing else', async () => {
  fillVersionOne(folder, ROWS)
  const before = rowsOf(storeIn(folder))
  await (await openSqliteStore({ folder, thread: false })).close()
  expect(readdirSync(folder).sort()).toEqual(['lock.db', 'sluice.db', `sluice.db.before-v${NEWEST}`])
  expect(rowsOf(copyOf())).toBe(before)
  expect(versionOf(copyOf())).toBe(1)
  await expectAllRuns()
})

test.each(UPGRADE_STEPS)(
  'L1: a process that dies when an upgrade is %s loses nothing; the next start goes on',
  async step => {
    fillVersionOne(folder, ROWS)
    const before = rowsOf(storeIn(folder))
    await dieAt(step, { what: 'upgrade', folder })
    const isDone = step === 'migrated' || step === 'tidied'
    expect(versionOf(storeIn(folder))).toBe(isDone ? NEWEST : 1)
    if (existsSync(copyOf())) expect(rowsOf(copyOf())).toBe(before)
    await expectAllRuns()
    expect(rowsOf(copyOf())).toBe(before)
    expect(existsSync(`${copyOf()}.new`)).toBe(false)
  },
)

test('L1: a step that cannot be applied leaves the store as it was, and says where its copy is', async () => {
  fillVersionOne(folder, ROWS)
  const db = new Database(storeIn(folder))
  db.exec('CREATE TABLE approvals (in_the TEXT)')
  db.close()
  const before = rowsOf(storeIn(folder))
  for (const thread of [true, false] as const) {
    await expect(openSqliteStore({ folder, thread })).rejects.toMatchObject({
      code: 'STORE_FAILED',
      outcome: 'not-started',
      details: { copy: copyOf(), version: 1, wanted: NEWEST },
      message: expect.stringMatching(/table approvals already exists.*It is as it was.*copy of it.*Start the Sluice/),
    })
    expect(versionOf(storeIn(folder))).toBe(1)
    expect(rowsOf(storeIn(folder))).toBe(before)
    expect(rowsOf(copyOf())).toBe(before)
  }
})

test('L1: steps that leave a row without the one it names are not applied', async () => {
  fillVersionOne(folder, ROWS)
  const db = new Database(storeIn(folder))
  db.pragma('foreign_keys = OFF')
  db.exec("INSERT INTO inbox (session_key, run_id, text, created_at_ms) VALUES ('nobody', 'no-run', 'hello', 1)")
  db.close()
  await expect(openSqliteStore({ folder, thread: false })).rejects.toThrow(/row 1 of inbox names a row of/)
  expect(versionOf(storeIn(folder))).toBe(1)
})

test('the two newest copies are kept', async () => {
  fillVersionOne(folder, 1)
  for (const version of [-3, -2, -1]) writeFileSync(`${storeIn(folder)}.before-v${NEWEST + version}`, 'older')
  writeFileSync(`${storeIn(folder)}.before-vacation`, 'not ours')
  await (await openSqliteStore({ folder, thread: false })).close()
  const kept = readdirSync(folder).filter(name => name.includes('.before-'))
  expect(kept.sort()).toEqual(
    [`sluice.db.before-v${NEWEST - 1}`, `sluice.db.before-v${NEWEST}`, 'sluice.db.before-vacation'].sort(),
  )
})

test('a new store, and one of this schema, leave no copy', async () => {
  for (let start = 0; start < 2; start += 1) await (await openSqliteStore({ folder, thread: false })).close()
  expect(readdirSync(folder).sort()).toEqual(['lock.db', 'sluice.db'])
})

test('a store of a newer Sluice is refused with the version that is needed, byte for byte as it was', async () => {
  await (await openSqliteStore({ folder, thread: false })).close()
  const db = new Database(storeIn(folder))
  const written = db.prepare("SELECT value FROM meta WHERE name = 'app_version'").pluck().get()
  const [major = 0, minor = 0, patch = 0] = VERSION.split('.').map(Number)
  expect(written).toBe(major * 1_000_000 + minor * 1_000 + patch)
  db.exec("UPDATE meta SET value = 2013004 WHERE name = 'app_version'")
  db.pragma(`user_version = ${NEWEST + 1}`)
  db.pragma('journal_mode = DELETE')
  db.close()
  const before = readFileSync(storeIn(folder))
  await expect(openSqliteStore({ folder, thread: false })).rejects.toMatchObject({
    details: { needed: '2.13.4', version: NEWEST + 1, known: NEWEST },
    message: expect.stringContaining('Start Sluice 2.13.4 or newer'),
  })
  expect(readFileSync(storeIn(folder)).equals(before)).toBe(true)
})
