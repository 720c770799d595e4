// L1: a byte that changed in the write-ahead log of a gateway that died. What was committed before it is there, whole and
// in order; nothing after it is half there; and no file is replaced.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { addJob, newJob } from './fixtures.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'store-wal-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const COMMITS = 30

test('L1: whatever byte of the log is damaged, the store is a whole past one: commits up to there, and none after', async () => {
  const live = join(folder, 'live')
  const store = await openSqliteStore({ folder: live, thread: false })
  for (let n = 0; n < COMMITS; n += 1) await addJob(store, newJob(`j${String(n).padStart(2, '0')}`))
  // As a death leaves it: nothing was folded back.
  const file = readFileSync(join(live, 'sluice.db'))
  const log = readFileSync(join(live, 'sluice.db-wal'))
  await store.close()
  let round = 0
  const counts = new Set<number>()
  const property = fc.asyncProperty(fc.nat(log.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
    round += 1
    const where = join(folder, String(round))
    await (await openSqliteStore({ folder: where, thread: false })).close()
    writeFileSync(join(where, 'sluice.db'), file)
    writeFileSync(join(where, 'sluice.db-wal'), Buffer.from(log).fill((log[at] as number) ^ flip, at, at + 1))
    let opened: Awaited<ReturnType<typeof openSqliteStore>>
    try {
      opened = await openSqliteStore({ folder: where, thread: false })
    } catch (error) {
      expect(error).toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining('sluice.db failed') })
      expect(readFileSync(join(where, 'sluice.db')).equals(file)).toBe(true)
      return
    }
    const ids = opened.read.jobs({ includeDisabled: true, limit: 500 }).map(({ job }) => job.id)
    counts.add(ids.length)
    expect(ids).toEqual(Array.from({ length: ids.length }, (_, n) => `j${String(n).padStart(2, '0')}`))
    expect(opened.read.lastSeq()).toBe(ids.length)
    expect(opened.damage).toBeUndefined()
    await opened.close()
    const db = new Database(join(where, 'sluice.db'), { readonly: true })
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
    db.close()
  })
  await fc.assert(property, { numRuns: 40 })
  // The damage was met at more than one place.
  expect(counts.size).toBeGreaterThan(2)
})
