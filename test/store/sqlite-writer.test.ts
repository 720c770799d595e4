// The writer of the SQLite store: grouped commits, cancels, and what it answers when the disk or the thread fails.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Store, StoredEvent } from '../../src/store/port.ts'
import { connectStore, PENDING_WRITES_MAX } from '../../src/store/sqlite/client.ts'
import type { InlineOptions } from '../../src/store/sqlite/inline.ts'
import {
  type FromWriter,
  type StartLink,
  startThread,
  type ToWriter,
  type WriterLink,
  warmThread,
} from '../../src/store/sqlite/link.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { GROUP_MEMBERS_MAX, WriterCore } from '../../src/store/sqlite/writer-core.ts'
import { addJob, begin, effectKey, fenceOf, NOW, newJob, newNotice, newRun } from './fixtures.ts'

let folder = ''
let opened: Store[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'store-writer-'))
})
afterEach(async () => {
  for (const store of opened) await store.close()
  opened = []
  rmSync(folder, { recursive: true, force: true })
})

async function keep(opening: Promise<Store>): Promise<Store> {
  const store = await opening
  opened.push(store)
  return store
}
const inline = (options: InlineOptions = {}) => keep(openSqliteStore({ folder, thread: false, ...options }))

/** A gate that is shut until opened. */
function newGate() {
  let shut = Promise.withResolvers<void>()
  let isShut = false
  return {
    gate: () => (isShut ? shut.promise : undefined),
    shut: () => {
      isShut = true
      shut = Promise.withResolvers()
    },
    open: () => {
      isShut = false
      shut.resolve()
    },
  }
}

function diskError(code: string): Error {
  return Object.assign(new Error('disk trouble'), { code })
}

function coreWrite(id: number): ToWriter {
  const job = newJob(`j${id}`)
  return { type: 'write', id, name: 'addJob', args: { job, equalKey: '', dedupe: false, nowMs: NOW } }
}

/** `<id> ok` or `<id> <code>` for each answer, in order. */
function answersIn(messages: FromWriter[]): string[] {
  const answers = messages.flatMap(message => (message.type === 'group' ? message.answers : []))
  return answers.map(answer => `${answer.id} ${'error' in answer ? answer.error.code : 'ok'}`)
}

/** How each promise ended: `ok`, or `CODE outcome`. */
async function endings(promises: Promise<unknown>[]): Promise<string[]> {
  const settled = await Promise.allSettled(promises)
  return settled.map(end => (end.status === 'fulfilled' ? 'ok' : `${end.reason.code} ${end.reason.outcome}`))
}

describe('grouped commits', () => {
  test('L1, L5: writes of one moment share a commit; its events are told once, in order, before any answer', async () => {
    const groups: StoredEvent[][] = []
    let answered = 0
    const store = await inline()
    store.onEvents(events => {
      expect(answered).toBe(groups.flat().length)
      groups.push([...events])
    })
    const write = async (n: number) => {
      await addJob(store, newJob(`j${n}`))
      answered++
    }
    await Promise.all(Array.from({ length: GROUP_MEMBERS_MAX + 1 }, (_, n) => write(n)))
    expect(groups.map(group => group.length)).toEqual([GROUP_MEMBERS_MAX, 1])
    expect(groups.flat().map(({ seq }) => seq)).toEqual(Array.from({ length: GROUP_MEMBERS_MAX + 1 }, (_, n) => n + 1))
  })

  test('L1: nobody is answered and nothing is told before COMMIT returned', async () => {
    const told: string[] = []
    const commit = (run: () => void) => {
      told.push('committing')
      run()
      told.push('committed')
    }
    const store = await inline({ hooks: { commit } })
    store.onEvents(() => told.push('events'))
    await addJob(store, newJob('j1'))
    told.push('answered')
    expect(told).toEqual(['committing', 'committed', 'events', 'answered'])
  })

  test('L1: members that fail leave the others right, whatever their order', async () => {
    const kind = fc.constantFrom('good', 'taken', 'stale', 'half', 'key')
    let round = 0
    const property = fc.asyncProperty(fc.array(kind, { minLength: 1, maxLength: 40 }), async kinds => {
      round++
      const store = await openSqliteStore({ folder: join(folder, String(round)), thread: false })
      try {
        await addJob(store, newJob('taken'), { key: effectKey('k') })
        const fence = fenceOf(await begin(store, newRun('r1')))
        await addJob(store, newJob('notices'))
        const told = { jobId: 'notices', expectedRevision: 1, occurrence: 'at:1', skipWhenRunning: false, nowMs: NOW }
        await store.write.claimOccurrence({ ...told, notice: newNotice('n1'), epoch: store.epoch })
        const seq = store.read.lastSeq()
        const live: StoredEvent[] = []
        store.onEvents(told => live.push(...told))
        const events = [{ event: 'wrong', payload: {} }]
        const make = {
          good: (n: number) => addJob(store, newJob(`good${n}`)),
          taken: () => addJob(store, newJob('taken')),
          stale: () => store.write.appendEntries({ fence: { ...fence, attempt: 9 }, entries: [], nowMs: NOW, events }),
          // Fails at its last statement, after half of its work.
          half: () => store.write.endRun({ fence, end: { state: 'ok' }, notice: newNotice('n1'), nowMs: NOW, events }),
          key: (n: number) => addJob(store, newJob(`key${n}`), { key: effectKey('k', { paramsHash: 'else' }) }),
        }
        const code = { good: 'ok', taken: 'CONFLICT not-started', stale: 'STALE not-started' }
        const wanted = kinds.map(name => ({ half: code.taken, key: code.taken, ...code })[name])
        expect(await endings(kinds.map((name, n) => make[name](n)))).toEqual(wanted)
        const good = kinds.flatMap((name, n) => (name === 'good' ? [`good${n}`] : []))
        const stored = store.read.eventsSince(seq, 500)
        expect(live).toStrictEqual(stored)
        expect(stored.map(({ payload }) => (payload as { jobId: string }).jobId)).toEqual(good)
        expect(stored.map(event => event.seq)).toEqual(good.map((_, n) => seq + 1 + n))
        expect(store.read.jobCount({ includeDisabled: true })).toBe(2 + good.length)
        expect(store.read.runEntries('r1').map(({ body }) => body.kind)).toEqual(['input'])
      } finally {
        await store.close()
      }
    })
    await fc.assert(property, { numRuns: 40 })
  })

  test('W6: arguments that cannot be copied cost only their own write', async () => {
    const store = await keep(openSqliteStore({ folder }))
    const bad = newJob('bad', { payload: { kind: 'message', text: (() => '') as unknown as string } })
    const results = await endings([addJob(store, newJob('j1')), addJob(store, bad), addJob(store, newJob('j2'))])
    expect(results).toEqual(['ok', 'INTERNAL not-started', 'ok'])
  })

  test('W6: above the limit of waiting writes a caller is told to come back', async () => {
    const door = newGate()
    const store = await inline({ gate: door.gate })
    door.shut()
    const one = () => store.write.markNoticesRead({ ids: [], nowMs: NOW })
    const waiting = Array.from({ length: PENDING_WRITES_MAX }, one)
    await expect(one()).rejects.toMatchObject({
      code: 'BUSY',
      outcome: 'not-started',
      retryAfterMs: expect.any(Number),
    })
    door.open()
    await Promise.all(waiting)
    await one()
  })
})

describe('cancels', () => {
  test('W6: a signal that is aborted already is refused at once', async () => {
    const store = await inline()
    const write = addJob(store, newJob('j1'))
    const aborted = store.write.addJob(
      { job: newJob('j2'), equalKey: '', dedupe: false, nowMs: NOW },
      { signal: AbortSignal.abort() },
    )
    await expect(aborted).rejects.toMatchObject({ code: 'CANCELLED', outcome: 'not-started' })
    await write
    expect(store.read.jobCount({ includeDisabled: true })).toBe(1)
  })

  test('W6: a write that waits is dropped; one that was executed commits and answers as usual', async () => {
    const door = newGate()
    const early = new AbortController()
    const late = new AbortController()
    const commit = (run: () => void) => {
      late.abort()
      run()
    }
    const store = await inline({ gate: door.gate, hooks: { commit } })
    door.shut()
    const accept = (runId: string, { signal }: AbortController) =>
      store.write.acceptMessage({ run: newRun(runId), nowMs: NOW }, { signal })
    const dropped = accept('r1', early)
    const committed = accept('r2', late)
    early.abort()
    await expect(dropped).rejects.toMatchObject({ code: 'CANCELLED', outcome: 'not-started' })
    door.open()
    expect((await committed).value.run.state).toBe('queued')
    expect(store.read.liveRuns('agent:main:main').map(({ runId }) => runId)).toEqual(['r2'])
  })

  test('W6: while another process holds the database cancels are answered, and the rest commits when it is let go', () => {
    const emitted: FromWriter[] = []
    const core = new WriterCore({ folder, emit: message => emitted.push(message) })
    const other = new Database(join(folder, 'sluice.db'))
    other.exec('BEGIN IMMEDIATE')
    for (const id of [1, 2]) core.receive(coreWrite(id))
    let drained = 0
    core.commitGroup(() => {
      drained++
      if (drained === 1) core.receive({ type: 'cancel', id: 1 })
      if (drained === 2) other.exec('ROLLBACK')
    })
    expect(drained).toBe(3)
    expect(answersIn(emitted)).toEqual(['1 CANCELLED', '2 ok'])
    // When nothing waits any more there is nothing to wait for.
    other.exec('BEGIN IMMEDIATE')
    core.receive(coreWrite(3))
    core.commitGroup(() => core.receive({ type: 'cancel', id: 3 }))
    expect(answersIn(emitted)).toEqual(['1 CANCELLED', '2 ok', '3 CANCELLED'])
    other.close()
    core.close()
  })

  test('W6: until its execution a member can be cancelled: when the transaction has begun, and when it is to run again', () => {
    const emitted: FromWriter[] = []
    let failures = 1
    const commit = (run: () => void) => {
      if (failures-- > 0) throw diskError('SQLITE_FULL')
      run()
    }
    const core = new WriterCore({ folder, emit: message => emitted.push(message), hooks: { commit } })
    for (const id of [1, 2, 3]) core.receive(coreWrite(id))
    const posted: ToWriter[][] = [
      // With the first BEGIN: 1 goes, 4 joins the group.
      [{ type: 'cancel', id: 1 }, coreWrite(4)],
      // The group is undone; with the BEGIN of 2 alone: 4 goes, and 2, which is executing from now on, does not.
      [{ type: 'cancel', id: 4 }],
      [{ type: 'cancel', id: 2 }],
    ]
    core.commitGroup(() => {
      for (const message of posted.shift() ?? []) core.receive(message)
    })
    expect(answersIn(emitted)).toEqual(['1 CANCELLED', '4 CANCELLED', '2 ok', '3 ok'])
    expect(core.waiting).toBe(0)
    core.close()
  })
})

describe('when the disk fails', () => {
  test('W6: after a COMMIT in doubt all its members are unknown, and asking again with the key tells', async () => {
    let mode: 'fine' | 'lost answer' | 'lost' = 'fine'
    let db: Database.Database | undefined
    const commit = (run: () => void) => {
      if (mode === 'lost answer') run()
      if (mode === 'lost') db?.exec('ROLLBACK')
      if (mode === 'fine') run()
      else throw diskError('SQLITE_IOERR_FSYNC')
    }
    const store = await inline({
      hooks: {
        commit,
        opened: connection => {
          db = connection
        },
      },
    })
    const told: number[] = []
    store.onEvents(events => told.push(...events.map(({ seq }) => seq)))
    const add = (id: string) => addJob(store, newJob(id), { key: effectKey(id) })
    mode = 'lost answer'
    expect(await endings([add('j1'), add('j2')])).toEqual(['STORE_FAILED unknown', 'STORE_FAILED unknown'])
    mode = 'lost'
    expect(await endings([add('j3')])).toEqual(['STORE_FAILED unknown'])
    mode = 'fine'
    expect(await Promise.all([add('j1'), add('j3')])).toMatchObject([{ repeated: true }, { repeated: false }])
    expect(store.read.jobCount({ includeDisabled: true })).toBe(3)
    expect(told).toEqual([3])
    expect(store.read.eventsSince(0, 9).map(({ seq }) => seq)).toEqual([1, 2, 3])
  })

  test('L1: when the group has no room its members run alone, and those that fit are kept', async () => {
    let members = 0
    const commit = (run: () => void) => {
      if (members++ < 1) throw diskError('SQLITE_FULL')
      run()
    }
    const store = await inline({ hooks: { commit } })
    const groups: number[] = []
    store.onEvents(events => groups.push(events.length))
    expect(await endings(['a', 'b', 'c'].map(id => addJob(store, newJob(id))))).toEqual(['ok', 'ok', 'ok'])
    expect(groups).toEqual([1, 1, 1])
    expect(members).toBe(4)
  })

  test('L1: on a full disk writes say so, reads answer, nothing acknowledged is lost, and room mends it', async () => {
    let db: Database.Database | undefined
    const store = await inline({
      hooks: {
        opened: connection => {
          db = connection
        },
      },
    })
    const limit = (pages: number) => db?.pragma(`max_page_count = ${pages}`)
    limit(Number(db?.pragma('page_count', { simple: true })) + 35)
    const acknowledged: string[] = []
    const failures: string[] = []
    const write = async (id: string) => {
      try {
        await addJob(store, newJob(id, { description: 'x'.repeat(2_000) }), { key: effectKey(id) })
        acknowledged.push(id)
      } catch (error) {
        const { code, outcome, message } = error as { code: string; outcome: string; message: string }
        expect(message).toContain('free some space')
        failures.push(`${code} ${outcome}`)
      }
    }
    for (let round = 0; round < 6; round++) {
      await Promise.all(Array.from({ length: 10 }, (_, n) => write(`j${round}-${n}`)))
    }
    expect(new Set(failures)).toEqual(new Set(['STORE_FAILED not-started']))
    expect(acknowledged.length).toBeGreaterThan(10)
    const stored = () => store.read.jobs({ includeDisabled: true, limit: 500 }).map(({ job }) => job.id)
    expect(stored().toSorted()).toEqual(acknowledged.toSorted())
    expect(store.read.lastSeq()).toBe(acknowledged.length)
    expect(store.failing()).toMatch(/free some space/)
    limit(2 ** 30)
    for (let n = 1; n < 20; n += 1) await write(`later${n}`)
    expect(store.failing()).toMatch(/free some space/)
    await write('later20')
    expect(store.failing()).toBeUndefined()
    expect(acknowledged.slice(-20).every(id => id.startsWith('later'))).toBe(true)
    await store.close()
    expect((await inline()).read.jobCount({ includeDisabled: true })).toBe(acknowledged.length)
  })
})

test('W7: the message of a run that was cancelled in the queue waits no more', async () => {
  const store = await inline()
  await store.write.acceptMessage({ run: newRun('r1'), nowMs: NOW })
  const db = new Database(join(folder, 'sluice.db'), { readonly: true })
  const state = db.prepare('SELECT state FROM inbox').pluck()
  expect(state.get()).toBe('waiting')
  await store.write.cancelQueuedRun({ runId: 'r1', reason: 'stopped', nowMs: NOW, events: [] })
  expect(state.get()).toBe('closed')
  db.close()
})

describe('a writer that was warmed', () => {
  const LINK = new URL('../../src/store/sqlite/link.ts', import.meta.url)

  test('W6: one that died before it was given its folder is said to be lost, with why', async () => {
    const died = Promise.withResolvers<void>()
    process.once('worker', worker => worker.once('exit', died.resolve))
    const writer = warmThread(new URL('data:text/javascript,throw new Error("no driver")'))
    await died.promise
    await expect(openSqliteStore({ folder, writer })).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('no driver'),
    })
  })

  test('one that is never given a folder keeps no process from its end', () => {
    const script = `import(${JSON.stringify(LINK.href)}).then(({ warmThread }) => console.log(typeof warmThread()))`
    const flags = ['--wasm-wrapper-tiering-budget=2147483647']
    expect(execFileSync(process.execPath, [...flags, '-e', script], { timeout: 30_000, encoding: 'utf8' })).toBe(
      'function\n',
    )
  })
})

describe('the end', () => {
  test('L1: close answers every posted write, then refuses more', async () => {
    const store = await keep(openSqliteStore({ folder }))
    const seen: number[] = []
    store.onEvents(() => seen.push(store.read.lastSeq()))
    const writes = Array.from({ length: 300 }, (_, n) => addJob(store, newJob(`j${n}`)))
    const closed = store.close()
    const after = addJob(store, newJob('after'))
    await expect(after).rejects.toMatchObject({ code: 'STORE_FAILED', outcome: 'not-started' })
    expect(new Set(await endings(writes))).toEqual(new Set(['ok']))
    await closed
    // Whoever hears of a commit can still read it.
    expect(seen.at(-1)).toBe(300)
    expect(store.close()).toBe(store.close())
    expect(() => store.read.jobCount({ includeDisabled: true })).toThrow(/closed/)
    expect((await inline()).read.jobCount({ includeDisabled: true })).toBe(300)
  })

  test('W6: when the writer thread dies, open writes are unknown, later ones refused, and it is said once', async () => {
    let link: WriterLink | undefined
    const writer: StartLink = (where, handler) => {
      link = startThread(where, handler)
      return link
    }
    const opening = connectStore(folder, { writer, reader: undefined })
    const store = await keep(opening)
    await addJob(store, newJob('j1'))
    const failure = Promise.withResolvers<Error>()
    let failures = 0
    store.onFailure(error => {
      failures++
      failure.resolve(error)
    })
    link?.post([{ type: 'nonsense' } as unknown as ToWriter])
    const open = [addJob(store, newJob('j2')), addJob(store, newJob('j3'))]
    expect(await endings(open)).toEqual(['STORE_FAILED unknown', 'STORE_FAILED unknown'])
    expect((await failure.promise).message).toMatch(/writer is lost .*restart the gateway/)
    await link?.ended
    expect(failures).toBe(1)
    expect(await endings([addJob(store, newJob('j4'))])).toEqual(['STORE_FAILED not-started'])
    expect(store.read.job('j1')?.job.id).toBe('j1')
    await store.close()
    const later = Promise.withResolvers<Error>()
    store.onFailure(later.resolve)
    expect(await later.promise).toBe(await failure.promise)
    // The thread's end freed the folder.
    expect((await inline()).read.job('j1')?.job.id).toBe('j1')
  })
})
