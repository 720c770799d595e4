// Backups: all rows or an error, never half a file, never anything overwritten unasked.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeFiles } from '../../src/base/node/world.ts'
import { locate } from '../../src/config/locate.ts'
import { BackupKeeper } from '../../src/maintenance/backup.ts'
import { RESTORE_STEPS, readBackup, restoreBackup, writeBackup } from '../../src/store/sqlite/backup.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { FakeClock } from '../fakes/clock.ts'
import { addJob, NOW, newJob, newRun } from '../store/fixtures.ts'
import { dieAt, fillStore, fillVersionOne, newFolder, removeFolder, rowsOf, storeIn } from './stores.ts'

const SECRET = 'sk-0123456789abcdef'
/** Rows that a start changes by itself. */
const LIVE = ['meta', 'backup']
let folder = ''
let other = ''

beforeEach(() => {
  folder = newFolder()
  other = newFolder()
})
afterEach(() => {
  removeFolder(folder)
  removeFolder(other)
})

function keeperOf(stateDir: string): BackupKeeper {
  const places = locate({ SLUICE_STATE_DIR: stateDir }, '/nowhere')
  const store = { write: writeBackup, read: readBackup, restore: restoreBackup }
  return new BackupKeeper({ places, files: nodeFiles, clock: new FakeClock(NOW), version: '1.2.3', store })
}

const create = (file?: string, withSecrets = false) => keeperOf(folder).create(file, { withSecrets })

describe('create', () => {
  test('L1: one made beside a gateway that writes has every row acknowledged before, and is whole', async () => {
    const store = await openSqliteStore({ folder })
    const before = Array.from({ length: 20 }, (_, n) => `before${n}`)
    for (const runId of before) await store.write.acceptMessage({ run: newRun(runId), nowMs: NOW })
    let isOver = false
    const write = async () => {
      for (let n = 0; !isOver; n += 1) {
        const filler = 'x'.repeat(20_000)
        await store.write.acceptMessage({ run: newRun(`r${n}`, { text: filler }), nowMs: NOW })
      }
    }
    for (let n = 0; n < 200; n += 1) await addJob(store, newJob(`j${n}`, { description: 'd'.repeat(4_000) }))
    const writing = write()
    const facts = await create(join(other, 'one.backup'))
    isOver = true
    await writing
    await store.close()
    expect(facts.rows).toMatchObject({ jobs: 200 })
    expect(facts.rows.runs).toBeGreaterThanOrEqual(before.length)
    expect(facts.rows.runs).toBe(facts.rows.inbox)
    expect(readdirSync(other)).toEqual(['one.backup'])
    expect(statSync(join(other, 'one.backup')).mode & 0o777).toBe(0o600)
    keeperOf(join(other, 'new')).restore(join(other, 'one.backup'), { force: false })
    const restored = await openSqliteStore({ folder: join(other, 'new') })
    for (const runId of before) expect(restored.read.run(runId)?.state).toBe('queued')
    expect(restored.read.jobCount({ includeDisabled: true })).toBe(200)
    await restored.close()
  })

  test('without a name it goes into the state folder, and says version, schema, time and rows', async () => {
    await fillStore(folder)
    const facts = await create()
    expect(facts.file).toBe(join(folder, 'backups/sluice-2026-05-28T20-26-40Z.backup'))
    expect(facts).toMatchObject({
      version: '1.2.3',
      createdAtMs: NOW,
      secrets: false,
      rows: { jobs: 5, runs: 1, inbox: 1 },
    })
    expect(keeperOf(folder).verify(facts.file)).toEqual(facts)
  })

  test('a file that is there is not overwritten, and a folder without a store makes no file', async () => {
    await fillStore(folder)
    const file = join(other, 'mine')
    writeFileSync(file, 'my own')
    await expect(create(file)).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining(file) })
    expect(readFileSync(file, 'utf8')).toBe('my own')
    const nowhere = keeperOf(other).create(join(other, 'x'), { withSecrets: false })
    await expect(nowhere).rejects.toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining('sluice.db') })
    expect(readdirSync(other)).toEqual(['mine'])
  })

  test('secrets are in it only when asked for: neither the token nor those of the config', async () => {
    await fillStore(folder)
    const config = `{ // mine\n  gateway: { auth: { token: '${SECRET}' } }, logging: { level: 'warn' } }`
    writeFileSync(join(folder, 'sluice.json'), config)
    writeFileSync(join(folder, 'token'), `${SECRET}\n`)
    const plain = await create(join(other, 'plain'))
    const full = await create(join(other, 'full'), true)
    expect([plain.secrets, full.secrets]).toEqual([false, true])
    expect(readFileSync(plain.file).includes(SECRET)).toBe(false)
    expect(readBackup(plain.file).notes.config).toContain('"warn"')
    expect(readBackup(full.file).notes).toMatchObject({ config, token: `${SECRET}\n` })
  })
})

describe('verify', () => {
  test('L1: a backup with any byte changed, or cut off anywhere, is refused or has every row all the same', async () => {
    await fillStore(folder)
    const { file } = await create(join(other, 'one'))
    const whole = readFileSync(file)
    const rows = rowsOf(file)
    const bad = join(other, 'bad')
    let refused = 0
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, by, isCut) => {
        const changed = isCut ? whole.subarray(0, at) : Buffer.from(whole)
        if (!isCut) changed[at] = (changed[at] ?? 0) ^ by
        writeFileSync(bad, changed)
        try {
          readBackup(bad)
        } catch (error) {
          refused += 1
          expect(error).toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining(bad) })
          return
        }
        expect(rowsOf(bad)).toBe(rows)
      }),
      { numRuns: 200 },
    )
    expect(refused).toBeGreaterThan(100)
  })

  test('a plain store, a text and a missing file are no backups', async () => {
    await fillStore(folder)
    const text = join(other, 'text')
    writeFileSync(text, 'dear diary '.repeat(100))
    expect(() => readBackup(storeIn(folder))).toThrow(/no table "backup"/)
    expect(() => readBackup(text)).toThrow(/no backup that can be used/)
    expect(() => readBackup(join(other, 'none'))).toThrow(/There is no file/)
    expect(existsSync(join(other, 'none'))).toBe(false)
  })

  test('a row changed by another program is found by the checksum', async () => {
    await fillStore(folder)
    const { file } = await create(join(other, 'one'))
    const { default: Database } = await import('better-sqlite3')
    const db = new Database(file)
    db.exec("UPDATE inbox SET text = 'changed'")
    db.close()
    expect(() => readBackup(file)).toThrow(/not what its checksum says/)
  })
})

describe('restore', () => {
  const backup = () => join(other, 'one.backup')

  beforeEach(async () => {
    await fillStore(folder, 'old')
    await create(backup())
  })

  test('L1: the restored store opens with every row, and is private', async () => {
    const target = join(other, 'state')
    const restored = keeperOf(target).restore(backup(), { force: false })
    expect(restored).toMatchObject({ rows: { jobs: 5, runs: 1 }, told: [] })
    expect(restored.keptOldAs).toBeUndefined()
    expect(statSync(storeIn(target)).mode & 0o777).toBe(0o600)
    expect(rowsOf(storeIn(target))).toBe(rowsOf(storeIn(folder)))
    const store = await openSqliteStore({ folder: target })
    expect(store.read.run('old-run')?.state).toBe('queued')
    await store.close()
    expect(readdirSync(target).sort()).toEqual(['lock.db', 'sluice.db'])
  })

  test('a backup made by an older schema is upgraded by the start after it', async () => {
    const old = newFolder()
    fillVersionOne(old, 3)
    const file = join(other, 'v1.backup')
    expect(await keeperOf(old).create(file, { withSecrets: false })).toMatchObject({ schema: 1, rows: { runs: 3 } })
    keeperOf(old).restore(file, { force: true })
    const store = await openSqliteStore({ folder: old })
    expect(store.read.run('run-2')?.state).toBe('queued')
    await store.close()
    removeFolder(old)
  })

  test('T3: it is refused while a gateway has the folder, and where a store is, and changes nothing then', async () => {
    const store = await openSqliteStore({ folder })
    expect(() => keeperOf(folder).restore(backup(), { force: true })).toThrow(/Another gateway is using/)
    await addJob(store, newJob('later'))
    await store.close()
    const before = rowsOf(storeIn(folder))
    expect(() => keeperOf(folder).restore(backup(), { force: false })).toThrow(/already. With --force/)
    expect(rowsOf(storeIn(folder))).toBe(before)
    expect(existsSync(`${storeIn(folder)}.restoring`)).toBe(false)
  })

  test('L1: with force the old store is kept beside it with every row, also those only in its log', async () => {
    const store = await openSqliteStore({ folder })
    await addJob(store, newJob('later'))
    for (const name of ['sluice.db', 'sluice.db-wal']) copyFileSync(join(folder, name), join(other, name))
    await store.close()
    // As a gateway leaves it that was killed: the last rows are in the log alone.
    const killed = join(other, 'killed')
    mkdirSync(killed)
    for (const name of ['sluice.db', 'sluice.db-wal']) copyFileSync(join(other, name), join(killed, name))
    const { keptOldAs } = keeperOf(killed).restore(backup(), { force: true })
    expect(keptOldAs).toBe(join(killed, 'sluice.db.replaced-2026-05-28T20-26-40Z'))
    expect(rowsOf(keptOldAs ?? '')).toContain('"later"')
    expect(rowsOf(storeIn(killed))).not.toContain('"later"')
  })

  test('L1: a damaged store is replaced and kept as it was, with its log', async () => {
    writeFileSync(storeIn(folder), 'no database at all')
    writeFileSync(`${storeIn(folder)}-wal`, 'no log either')
    const { keptOldAs } = keeperOf(folder).restore(backup(), { force: true })
    expect(readFileSync(keptOldAs ?? '', 'utf8')).toBe('no database at all')
    expect(readFileSync(`${keptOldAs}-wal`, 'utf8')).toBe('no log either')
    const store = await openSqliteStore({ folder })
    expect(store.read.run('old-run')?.state).toBe('queued')
    await store.close()
  })

  test('L1: a folder in the store’s place, and a damaged backup, stop it with the reason, and nothing is made', async () => {
    const target = join(other, 'state')
    mkdirSync(storeIn(target), { recursive: true })
    expect(() => keeperOf(target).restore(backup(), { force: true })).toThrow(/sluice\.db failed/)
    expect(statSync(storeIn(target)).isDirectory()).toBe(true)
    expect(readdirSync(target).sort()).toEqual(['lock.db', 'sluice.db'])
    const nowhere = join(other, 'nowhere')
    writeFileSync(backup(), readFileSync(backup()).subarray(0, 9_000))
    expect(() => keeperOf(nowhere).restore(backup(), { force: true })).toThrow(/no backup that can be used/)
    expect(existsSync(nowhere)).toBe(false)
  })

  test.each(RESTORE_STEPS)('L1: a restore that dies when %s leaves the old store or the new one, whole', async step => {
    const target = join(other, 'state')
    mkdirSync(target)
    await fillStore(folder, 'there')
    const killed = await openSqliteStore({ folder, thread: false })
    await addJob(killed, newJob('in-the-log'))
    for (const name of ['sluice.db', 'sluice.db-wal']) copyFileSync(join(folder, name), join(target, name))
    await killed.close()
    const [before, wanted] = [rowsOf(storeIn(folder), LIVE), rowsOf(backup(), LIVE)]
    expect(before).toContain('in-the-log')
    await dieAt(step, { what: 'restore', folder: target, backup: backup() })
    expect(rowsOf(storeIn(target), LIVE)).toBe(step === 'placed' ? wanted : before)
    const store = await openSqliteStore({ folder: target, thread: false })
    await store.close()
    // Nothing of it is in the way of the next one.
    keeperOf(target).restore(backup(), { force: true })
    expect(rowsOf(storeIn(target), LIVE)).toBe(wanted)
    expect(existsSync(`${storeIn(target)}.restoring`)).toBe(false)
  })

  test('config and token are put back where there are none, and never over those that are', async () => {
    const config = "{ logging: { level: 'warn' } } // kept word for word"
    writeFileSync(join(folder, 'sluice.json'), config)
    writeFileSync(join(folder, 'token'), SECRET)
    const full = (await create(join(other, 'full'), true)).file
    const fresh = join(other, 'fresh')
    expect(keeperOf(fresh).restore(full, { force: false }).told).toHaveLength(2)
    expect(readFileSync(join(fresh, 'sluice.json'), 'utf8')).toBe(config)
    expect(readFileSync(join(fresh, 'token'), 'utf8')).toBe(SECRET)
    writeFileSync(join(folder, 'sluice.json'), '{}')
    writeFileSync(join(folder, 'token'), 'another')
    const { told } = keeperOf(folder).restore(full, { force: true })
    expect(told).toEqual([expect.stringMatching(/differs from the one in use. It is in .*sluice.json.restored/)])
    expect(readFileSync(join(folder, 'sluice.json'), 'utf8')).toBe('{}')
    expect(readFileSync(join(folder, 'token'), 'utf8')).toBe('another')
    expect(readFileSync(join(folder, 'sluice.json.restored'), 'utf8')).toBe(config)
  })

  test('what the config includes is in it, as one document: also where secrets are left out; a missing file stops nothing', async () => {
    await fillStore(folder)
    writeFileSync(
      join(folder, 'sluice.json'),
      "{ $include: './more.json5', logging: { $include: './log.json5' } } // mine",
    )
    writeFileSync(join(folder, 'more.json5'), `{ gateway: { auth: { token: '${SECRET}' } } }`)
    writeFileSync(join(folder, 'log.json5'), "{ level: 'warn' }")
    const whole = { gateway: { auth: { token: SECRET } }, logging: { level: 'warn' } }
    const full = (await create(join(other, 'full'), true)).file
    const fresh = join(other, 'fresh')
    expect(keeperOf(fresh).restore(full, { force: false }).told).toEqual([expect.stringContaining('was put back')])
    expect(JSON.parse(readFileSync(join(fresh, 'sluice.json'), 'utf8'))).toEqual(whole)
    // It says what is in use: there is nothing to tell.
    expect(keeperOf(folder).restore(full, { force: true }).told).toEqual([])
    const plain = readBackup((await create(join(other, 'plain'))).file).notes
    expect(plain).toMatchObject({ config_complete: 'false', config: expect.stringContaining('"warn"') })
    expect(JSON.stringify(plain)).not.toContain(SECRET)
    rmSync(join(folder, 'log.json5'))
    const partly = (await create(join(other, 'partly'), true)).file
    expect(keeperOf(join(other, 'new')).restore(partly, { force: false }).told).toEqual([
      expect.stringContaining('could not be read'),
    ])
  })

  test('a config whose secrets were left out is never put in place', async () => {
    writeFileSync(join(folder, 'sluice.json'), `{ gateway: { auth: { token: '${SECRET}' } } }`)
    const { file } = await create(join(other, 'plain'))
    const fresh = join(other, 'fresh')
    expect(keeperOf(fresh).restore(file, { force: false }).told).toEqual([
      expect.stringContaining('secrets were left out'),
    ])
    expect(existsSync(join(fresh, 'sluice.json'))).toBe(false)
  })
})
