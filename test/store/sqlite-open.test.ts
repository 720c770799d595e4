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
import { APPLICATION_ID, MIGRATIONS } from '../../src/store/sqlite/migrations.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { addJob, effectKey, fenceOf, NOW, newJob, newRun, SESSION } from './fixtures.ts'

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

function rootPageOf(name: string): number {
  const db = new Database(file(), { readonly: true })
  const page = db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck().get(name)
  db.close()
  return Number(page)
}

function notClaimed(): never {
  throw new Error('nothing was claimed')
}

/** What the first release wrote: its schema, and a row of each kind that a start takes up. */
function fillVersionOne(): void {
  const db = new Database(file())
  db.exec(MIGRATIONS[0] ?? '')
  db.pragma(`application_id = ${APPLICATION_ID}`)
  db.pragma('user_version = 1')
  db.exec(`UPDATE meta SET value = 7 WHERE name = 'epoch';
    INSERT INTO sessions (key, agent_id, session_id, created_at_ms, updated_at_ms)
      VALUES ('${SESSION}', 'main', 's1', ${NOW}, ${NOW});
    INSERT INTO runs (run_id, session_key, session_id, echo_key, agent_id, source, state, attempt, epoch, created_at_ms, reply)
      VALUES ('ended', '${SESSION}', 's1', 'main', 'main', 'chat', 'ok', 1, 7, ${NOW}, 'done'),
        ('begun', '${SESSION}', 's1', 'main', 'main', 'chat', 'running', 1, 7, ${NOW}, NULL),
        ('waiting', '${SESSION}', 's1', 'main', 'main', 'chat', 'queued', 0, 0, ${NOW}, NULL);
    INSERT INTO inbox (session_key, run_id, text, created_at_ms) VALUES ('${SESSION}', 'waiting', 'hello', ${NOW});
    INSERT INTO entries (run_id, session_key, session_id, kind, body, created_at_ms)
      VALUES ('begun', '${SESSION}', 's1', 'input', '{"kind":"input","text":"hi"}', ${NOW});
    INSERT INTO outbox (id, session_key, text, source, at_ms, created_at_ms)
      VALUES ('reply:ended', '${SESSION}', 'done', 'reply', ${NOW}, ${NOW});
    INSERT INTO keys VALUES ('operator', 'test', 'k', 'hash-1', '{"runId":"waiting"}', ${NOW});
    INSERT INTO events (seq, event, payload) VALUES (41, 'agent', '{}');
    INSERT INTO jobs (id, body, enabled, kind, equal_key, owner, next_run_at_ms)
      VALUES ('j1', '${JSON.stringify({ ...newJob('j1'), state: undefined })}', 1, 'every', 'e', 'o', ${NOW});`)
  db.close()
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

  test('L1, T1: a store of version 1 opens with all that was in it, and goes on', async () => {
    fillVersionOne()
    const store = await open()
    expect(store.epoch).toBe(8)
    const none = { parent: undefined, hops: 0, label: undefined, tells: undefined, handover: 'none' }
    expect(store.read.run('ended')).toMatchObject({ state: 'ok', reply: 'done', ...none })
    expect(store.read.job('j1')?.job.name).toBe('job j1')
    expect(store.read.unreadNotices(SESSION, 9)).toMatchObject([{ id: 'reply:ended', text: 'done' }])
    expect(store.read.firstAnswer(effectKey('k'))).toEqual({ kept: { runId: 'waiting' } })
    const { value } = await store.write.recoverRuns({ epoch: store.epoch, nowMs: NOW })
    expect(value.map(({ runId, losses }) => [runId, losses])).toEqual([
      ['begun', 1],
      ['waiting', 0],
    ])
    const again = await store.write.acceptMessage({ run: newRun('other'), key: effectKey('k'), nowMs: NOW })
    expect(again).toMatchObject({ repeated: true, value: { run: { runId: 'waiting', ...none } } })
    const begun = await store.write.claimRun({ runId: 'begun', epoch: store.epoch, nowMs: NOW, events: [] })
    const fence = fenceOf(begun.value ?? notClaimed())
    // What is new works on the old rows: a question of an old run, and a child that tells its session.
    const approval = { id: 'a1', callId: '1:0', askedIn: SESSION, tool: 'exec', text: 'ls', request: {}, whatHash: 'h' }
    await store.write.askApproval({ fence, approval: { ...approval, expiresAtMs: NOW }, nowMs: NOW })
    const child = newRun('child', { sessionKey: 'agent:main:child', source: 'spawn', parent: 'begun', tells: SESSION })
    await store.write.acceptMessage({ run: child, nowMs: NOW })
    const cancel = { runId: 'child', reason: 'stopped', awaited: true, nowMs: NOW, events: [] }
    expect((await store.write.cancelQueuedRun(cancel)).value?.told).toEqual([])
    const ended = await store.write.endRun({ fence, end: { state: 'ok', reply: 'late' }, nowMs: NOW, events: [] })
    expect(ended.value.told).toMatchObject([{ runId: 'told:child', hops: 1 }])
    expect(store.read.approval('a1')?.state).toBe('cancelled')
    expect(store.read.lastSeq()).toBeGreaterThan(41)
    await store.close()
    const reopened = await open()
    expect(reopened.epoch).toBe(9)
    await reopened.close()
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

  test('a file of which nothing can be read stops the start: the header overwritten, the end cut off', async () => {
    await fill()
    const whole = readFileSync(file())
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

  test('W7: a page that was overwritten is told, and is an error of what needs it alone', async () => {
    await fill()
    const whole = readFileSync(file())
    const page = rootPageOf('jobs')
    writeFileSync(file(), Buffer.from(whole).fill(0x5a, page * 4_096 - 4_096, page * 4_096))
    const store = await open()
    expect(store.damage).toMatch(/Tree|page/)
    expect(store.failing()).toBeUndefined()
    expect(() => store.read.jobs({ includeDisabled: true, limit: 500 })).toThrow(/damaged.*sluice backup restore/)
    expect(store.failing()).toMatch(/damaged.*sluice backup restore/)
    expect(store.read.sessions({ limit: 9 })).toEqual([])
    await store.write.acceptMessage({ run: newRun('r1'), nowMs: NOW })
    expect(store.read.run('r1')?.state).toBe('queued')
    await store.close()
    writeFileSync(file(), whole)
    const mended = await open()
    expect([mended.damage, mended.read.jobs({ includeDisabled: true, limit: 500 }).length]).toEqual([undefined, 40])
    await mended.close()
  })

  test('what is damaged is not brought to another schema', async () => {
    fillVersionOne()
    const page = rootPageOf('entries')
    writeFileSync(file(), readFileSync(file()).fill(0x5a, page * 4_096 - 4_096, page * 4_096))
    await expectRefused(/damaged/)
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
