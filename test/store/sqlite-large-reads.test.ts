// The thread for large reads: what goes to it and what does not, and that its loss and its failures cost one read each.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Store } from '../../src/store/port.ts'
import { IN_PLACE_BYTES_MAX, READS_WAITING_MAX } from '../../src/store/sqlite/large-reader.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import {
  type FromReader,
  type ReaderHandler,
  type ReaderLink,
  type StartReader,
  startReader,
  type ToReader,
} from '../../src/store/sqlite/reader-link.ts'
import { within } from '../e2e/bound.ts'
import { addJob, begin, fenceOf, NOW, newJob, newRun, SESSION } from './fixtures.ts'

let folder = ''
let opened: Store[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'store-large-'))
})
afterEach(async () => {
  for (const store of opened) await store.close()
  opened = []
  rmSync(folder, { recursive: true, force: true })
})

async function open(reader: StartReader): Promise<Store> {
  const store = await openSqliteStore({ folder, thread: false, reader })
  opened.push(store)
  return store
}

/** The real thread, with a count of what it was asked and a hold on it. */
function counted() {
  const asked: ToReader[] = []
  const links: ReaderLink[] = []
  const start: StartReader = (where, handler) => {
    const link = startReader(where, handler)
    links.push(link)
    const post = (message: ToReader) => {
      asked.push(message)
      link.post(message)
    }
    return { post, end: () => link.end() }
  }
  return { start, asked, links }
}

/** A thread that says what the test has it say. */
function scripted(answer: (message: ToReader) => FromReader | undefined): StartReader {
  return (_, handler) => ({
    post: message => {
      const said = answer(message)
      if (said) queueMicrotask(() => handler.message(said))
    },
    end: async () => handler.ended('asked to'),
  })
}

/** A transcript of so many entries of so many bytes each. */
async function transcriptOf(store: Store, count: number, bytes: number): Promise<string> {
  const run = await begin(store, newRun(`r${count}-${bytes}`))
  const frame = Buffer.byteLength(JSON.stringify({ kind: 'decision', approvalId: 'a', text: '' }))
  const entries = Array.from({ length: count }, () => ({
    kind: 'decision' as const,
    approvalId: 'a',
    text: 'x'.repeat(bytes - frame),
  }))
  await store.write.appendEntries({ fence: fenceOf(run), entries, nowMs: NOW, events: [] })
  return run.sessionId
}

test('W8: 500 entries of 2 MB are not read on the control thread: what the other thread says is the answer', async () => {
  const asked: ToReader[] = []
  const store = await open(
    scripted(message => {
      asked.push(message)
      return { id: message.id, value: ['from the thread'] }
    }),
  )
  const sessionId = await transcriptOf(store, 500, 4_096)
  expect(await store.readLarge.transcript(sessionId, 500)).toEqual(['from the thread'])
  expect(await store.readLarge.entries(SESSION, 500)).toEqual(['from the thread'])
  expect(asked.map(({ name, args }) => [name, args])).toEqual([
    ['transcript', [sessionId, 500]],
    ['entries', [SESSION, 500]],
  ])
})

test('W8: the bound is 256 KB, to the byte, and a store that has nothing larger starts no thread', async () => {
  const { start, asked, links } = counted()
  const store = await open(start)
  const sessionId = await transcriptOf(store, 63, 4_096)
  const db = new Database(join(folder, 'sluice.db'))
  const size = db.prepare('SELECT total(octet_length(body)) FROM entries WHERE session_id = ?').pluck()
  const add = db.prepare(
    "INSERT INTO entries (session_key, session_id, kind, body, created_at_ms) VALUES (?, ?, 'decision', ?, 1)",
  )
  const empty = JSON.stringify({ kind: 'decision', text: '' })
  const fill = (bytes: number) =>
    add.run(SESSION, sessionId, empty.replace('""', `"${'x'.repeat(bytes - empty.length)}"`))
  fill(IN_PLACE_BYTES_MAX - Number(size.get(sessionId)))
  expect(size.get(sessionId)).toBe(IN_PLACE_BYTES_MAX)
  expect(await store.readLarge.transcript(sessionId, 500)).toHaveLength(65)
  expect([asked.length, links.length]).toEqual([0, 0])
  db.prepare(
    "UPDATE entries SET body = replace(body, 'decision', 'decision!') WHERE id = (SELECT max(id) FROM entries)",
  ).run()
  db.close()
  expect(await store.readLarge.transcript(sessionId, 500)).toHaveLength(65)
  expect([asked.length, links.length]).toEqual([1, 1])
})

test('a thread that dies costs the reads that waited for it, and the next read has another', async () => {
  const { start, asked, links } = counted()
  const store = await open(start)
  const sessionId = await transcriptOf(store, 500, 4_096)
  const read = () => store.readLarge.transcript(sessionId, 500)
  expect(await read()).toHaveLength(500)
  const waiting = [read(), read()]
  await links[0]?.end()
  const ends = await within(Promise.allSettled(waiting), 'the end of both reads')
  for (const end of ends) {
    // One that was answered before the thread ended has its answer.
    if (end.status === 'fulfilled') expect(end.value).toHaveLength(500)
    else expect(end.reason).toMatchObject({ code: 'UNAVAILABLE', outcome: 'not-started' })
  }
  expect(await within(Promise.resolve(read()), 'a read by the next thread')).toHaveLength(500)
  expect([links.length, asked.length]).toEqual([2, 4])
  await store.write.acceptMessage({ run: newRun('after'), nowMs: NOW })
  expect(store.failing()).toBeUndefined()
})

test('a thread that was long without work is ended, but not under a read; a read amid its end has another thread', async () => {
  const handlers: ReaderHandler[] = []
  const ends: PromiseWithResolvers<void>[] = []
  const asked: ToReader[] = []
  const store = await open((_, handler) => {
    const end = Promise.withResolvers<void>()
    ends.push(end)
    handlers.push(handler)
    return {
      post: message => void asked.push(message),
      end: async () => end.resolve(),
    }
  })
  const sessionId = await transcriptOf(store, 500, 4_096)
  const read = () => Promise.resolve(store.readLarge.transcript(sessionId, 500))
  const answer = (thread: number, value: string) =>
    handlers[thread]?.message({ id: asked.at(-1)?.id as number, value: [value] })

  const first = read()
  handlers[0]?.quiet()
  answer(0, 'however long it took')
  expect(await within(first, 'the read that took long')).toEqual(['however long it took'])
  const soon = read()
  expect(handlers).toHaveLength(1)
  answer(0, 'by the same thread')
  expect(await within(soon, 'the read after it')).toEqual(['by the same thread'])

  handlers[0]?.quiet()
  await within(ends[0]?.promise as Promise<void>, 'the end of the idle thread')
  const amid = read()
  // The old thread is gone only now, and says twice what was true of it.
  handlers[0]?.ended('it ended with code 1')
  handlers[0]?.quiet()
  answer(1, 'by another')
  expect(await within(amid, 'the read amid the end')).toEqual(['by another'])
  expect(handlers).toHaveLength(2)
})

test('the real thread is quiet a minute after its newest answer, not before', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    const { start, links } = counted()
    const store = await open(start)
    const sessionId = await transcriptOf(store, 500, 4_096)
    const read = async () => expect(await store.readLarge.transcript(sessionId, 500)).toHaveLength(500)
    await read()
    vi.advanceTimersByTime(59_999)
    await read()
    vi.advanceTimersByTime(59_999)
    await read()
    expect(links).toHaveLength(1)
    vi.advanceTimersByTime(60_000)
    await read()
    expect(links).toHaveLength(2)
  } finally {
    vi.useRealTimers()
  }
})

test('what cannot be read is the error of that read alone', async () => {
  const filled = await openSqliteStore({ folder, thread: false })
  const sessionId = await transcriptOf(filled, 500, 4_096)
  for (let n = 0; n < 400; n += 1) await addJob(filled, newJob(`j${n}`, { description: 'd'.repeat(1_000) }))
  await filled.close()
  const file = join(folder, 'sluice.db')
  const db = new Database(file, { readonly: true })
  // The rows' own pages are whole; a text that goes on elsewhere is not.
  const overflow = db
    .prepare("SELECT pageno FROM dbstat WHERE name = 'entries' AND pagetype = 'overflow' LIMIT 1")
    .pluck()
  const page = Number(overflow.get())
  db.close()
  writeFileSync(file, readFileSync(file).fill(0xff, (page - 1) * 4_096, page * 4_096))
  const { start, links } = counted()
  const store = await open(start)
  const damaged = store.readLarge.transcript(sessionId, 500)
  const whole = store.readLarge.jobs({ includeDisabled: true, limit: 500 })
  await expect(damaged).rejects.toMatchObject({
    code: 'STORE_FAILED',
    message: expect.stringMatching(/damaged.*sluice backup restore/),
  })
  expect(await whole).toHaveLength(400)
  expect(links).toHaveLength(1)
})

test('at the limit of waiting reads one more is BUSY, and a close refuses them all', async () => {
  const store = await open(scripted(() => undefined))
  const sessionId = await transcriptOf(store, 500, 4_096)
  const waiting = Array.from({ length: READS_WAITING_MAX }, () => store.readLarge.transcript(sessionId, 500))
  const ends = Promise.allSettled(waiting)
  await expect(store.readLarge.transcript(sessionId, 500)).rejects.toMatchObject({
    code: 'BUSY',
    outcome: 'not-started',
  })
  await store.close()
  const codes = (await ends).map(end => (end.status === 'rejected' ? end.reason.code : 'answered'))
  expect(new Set(codes)).toEqual(new Set(['UNAVAILABLE']))
  await expect(store.readLarge.transcript(sessionId, 500)).rejects.toMatchObject({ code: 'STORE_FAILED' })
})

test('a large list of jobs is read once until a commit touches jobs, and an answer that failed is not kept', async () => {
  let failures = 1
  const asked: ToReader[] = []
  const store = await open(
    scripted(message => {
      asked.push(message)
      if (failures-- > 0) return { id: message.id, error: { code: 'STORE_FAILED', message: 'no' } }
      return { id: message.id, value: [{ asked: asked.length }] }
    }),
  )
  await Promise.all(
    Array.from({ length: 400 }, (_, n) => addJob(store, newJob(`j${n}`, { description: 'd'.repeat(1_000) }))),
  )
  const list = () => store.readLarge.jobs({ includeDisabled: true, limit: 500 })
  await expect(list()).rejects.toMatchObject({ code: 'STORE_FAILED' })
  const first = await list()
  expect(first).toEqual([{ asked: 2 }])
  await store.write.acceptMessage({ run: newRun('r1'), nowMs: NOW })
  expect(await list()).toBe(first)
  await store.write.removeJob({ jobId: 'j1', nowMs: NOW })
  expect(await list()).toEqual([{ asked: 3 }])
})
