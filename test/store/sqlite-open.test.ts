// Who may open a SQLite store, and which files are refused. A refused file is left byte for byte as it was.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { addJob, NOW, newJob, newRun } from './fixtures.ts'

let folder = ''
const file = () => join(folder, 'sluice.db')

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'store-open-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

async function hold(what: 'gateway' | 'transaction') {
  const script = new URL('./holder.ts', import.meta.url)
  const child = spawn(process.execPath, [script.pathname, what, folder], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return async () => {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

/** A store with some pages of jobs, closed. */
async function fill(jobs = 40): Promise<void> {
  const store = await openSqliteStore({ folder, thread: false })
  for (let n = 0; n < jobs; n++) await addJob(store, newJob(`j${n}`, { description: 'x'.repeat(1_000) }))
  await store.close()
}

describe.each([{ thread: true }, { thread: false }] as const)('opening, thread: $thread', ({ thread }) => {
  const open = (where = folder) => openSqliteStore({ folder: where, thread })

  async function expectRefused(pattern: RegExp): Promise<void> {
    const before = readFileSync(file())
    await expect(open()).rejects.toMatchObject({
      code: 'STORE_FAILED',
      outcome: 'not-started',
      message: expect.stringMatching(pattern),
    })
    await expect(open()).rejects.toThrow(file())
    expect(readFileSync(file()).equals(before)).toBe(true)
  }

  test('T3: each boot has a higher number, written down before it is used', async () => {
    const epochs: number[] = []
    for (let boot = 0; boot < 3; boot++) {
      const store = await open()
      epochs.push(store.epoch)
      await store.close()
    }
    expect(epochs).toEqual([1, 2, 3])
  })

  test('T3: a second gateway on the folder is refused at once, and does not disturb the first', async () => {
    const store = await open()
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(openSqliteStore({ folder, thread: false })).rejects.toMatchObject({
        code: 'CONFLICT',
        message: expect.stringMatching(/Another gateway is using the state folder .*Stop it first/),
      })
    }
    await addJob(store, newJob('j1'))
    // The refused ones must not have freed the lock of this process (closing a descriptor does, on POSIX).
    const probe = new Database(join(folder, 'lock.db'), { timeout: 0 })
    expect(() => probe.exec('BEGIN EXCLUSIVE')).toThrow(/locked/)
    probe.close()
    await store.close()
    await (await open()).close()
  })

  test('T3: the folder of a process that was killed is free at once, with all that it acknowledged', async () => {
    const kill = await hold('gateway')
    await expect(open()).rejects.toMatchObject({ code: 'CONFLICT' })
    await kill()
    const store = await open()
    expect(store.epoch).toBe(2)
    expect(store.read.run('acknowledged')?.state).toBe('queued')
    await store.close()
  })

  test('the files are private', async () => {
    const store = await open(join(folder, 'deep', 'er'))
    await addJob(store, newJob('j1'))
    const made = join(folder, 'deep', 'er')
    expect(statSync(made).mode & 0o777).toBe(0o700)
    for (const name of ['sluice.db', 'sluice.db-wal', 'lock.db']) {
      expect(statSync(join(made, name)).mode & 0o777, name).toBe(0o600)
    }
    await store.close()
    expect(existsSync(join(made, 'sluice.db-wal'))).toBe(false)
    chmodSync(join(made, 'sluice.db'), 0o644)
    await (await open(made)).close()
    expect(statSync(join(made, 'sluice.db')).mode & 0o777).toBe(0o600)
  })

  test('a file that is not a database stops the start', async () => {
    writeFileSync(file(), 'dear diary, '.repeat(1_000))
    await expectRefused(/not a database/)
  })

  test('a database of another program stops the start', async () => {
    const other = new Database(file())
    other.exec('CREATE TABLE songs (name TEXT)')
    other.close()
    await expectRefused(/another program/)
  })

  test('a store of a newer Sluice stops the start, with its version', async () => {
    await fill(1)
    const db = new Database(file())
    db.pragma('user_version = 77')
    db.close()
    await expectRefused(/version 77/)
  })

  test('a damaged file stops the start: a page overwritten, the header overwritten, the end cut off', async () => {
    await fill()
    const whole = readFileSync(file())
    const damaged = Buffer.from(whole)
    damaged.fill(0x5a, 4_096 * 5, 4_096 * 6)
    writeFileSync(file(), damaged)
    await expectRefused(/damaged/)
    writeFileSync(file(), Buffer.from(whole).fill(0, 0, 100))
    await expectRefused(/not a database/)
    writeFileSync(file(), whole)
    truncateSync(file(), whole.length - 4_096 * 3)
    await expectRefused(/damaged/)
    // The refusals held nothing: with the right file back, all is well.
    writeFileSync(file(), whole)
    const store = await open()
    expect(store.read.jobCount({ includeDisabled: true })).toBe(40)
    await store.close()
  })

  test('a path that cannot be read stops the start, named', async () => {
    mkdirSync(file())
    await expect(open()).rejects.toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining(file()) })
    rmSync(file(), { recursive: true })
    writeFileSync(join(folder, 'flat'), '')
    const under = join(folder, 'flat', 'state')
    await expect(open(under)).rejects.toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining(under) })
  })

  // Reason: the superuser may enter any folder, so there is nothing to refuse.
  test.skipIf(process.getuid?.() === 0)('a folder without permission stops the start, named', async () => {
    chmodSync(folder, 0o000)
    await expect(open()).rejects.toMatchObject({ code: 'STORE_FAILED', message: expect.stringContaining(folder) })
    chmodSync(folder, 0o700)
  })
})

describe('a database that another process holds', () => {
  test('W3, W6: reads answer, a cancelled write is not started, the others commit when it is let go', async () => {
    const store = await openSqliteStore({ folder })
    await addJob(store, newJob('j1'))
    const release = await hold('transaction')
    const dropped = new AbortController()
    const accept = (runId: string, signal?: AbortSignal) =>
      store.write.acceptMessage({ run: newRun(runId), nowMs: NOW }, signal && { signal })
    const cancelled = accept('r1', dropped.signal)
    const kept = accept('r2')
    expect(store.read.job('j1')?.job.id).toBe('j1')
    dropped.abort()
    // Answered while the database is still held.
    await expect(cancelled).rejects.toMatchObject({ code: 'CANCELLED', outcome: 'not-started' })
    expect(store.read.run('r2')).toBeUndefined()
    await release()
    expect((await kept).value.run.runId).toBe('r2')
    expect(store.read.run('r1')).toBeUndefined()
    await store.close()
  })
})
