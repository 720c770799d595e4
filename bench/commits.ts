// Durable `cron.add` with key and event, from 1, 16 and 64 callers, beside better-sqlite3 that commits each such set of
// rows by itself. Both sides: the same tables, pragmas and rows with random ids, `synchronous=FULL`, and every call
// answered after its commit.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import type { Store } from '../src/store/port.ts'
import { openSqliteStore } from '../src/store/sqlite/open.ts'
import { inlineRunner } from '../src/turns/perform.ts'
import { furnish, type House, OPERATOR } from './house.ts'
import { type Figure, median, rounds, spreadOf } from './measure.ts'
import { jobInput, jobOf, temporaryFolder } from './state.ts'

const CALLERS = [1, 16, 64]
const ROUNDS = 8
const ROUND_MS = 350
const RATE_GOAL = 5_000
const RATIO_GOAL = 4
let made = 0

/** Calls per second of so many callers, each of which calls again when it was answered. */
async function rateOf(callers: number, call: (id: string) => Promise<unknown>): Promise<number> {
  const began = performance.now()
  let answered = 0
  const one = async () => {
    while (performance.now() - began < ROUND_MS) {
      made += 1
      await call(randomUUID())
      answered += 1
    }
  }
  await Promise.all(Array.from({ length: callers }, one))
  return answered / ((performance.now() - began) / 1_000)
}

/** The bare side, on one screen: prepared statements, one transaction per call, nothing else. */
async function bareSide(): Promise<{ rate: () => number; close: () => void }> {
  const folder = temporaryFolder()
  await (await openSqliteStore({ folder })).close()
  const db = new Database(join(folder, 'sluice.db'))
  for (const pragma of [
    'journal_mode = WAL',
    'synchronous = FULL',
    'cache_size = -4096',
    'wal_autocheckpoint = 2048',
  ]) {
    db.pragma(pragma)
  }
  const insertJob = db.prepare(
    "INSERT INTO jobs (id, body, enabled, kind, equal_key, owner, next_run_at_ms) VALUES (?, ?, 1, 'cron', ?, ?, ?)",
  )
  const insertEvent = db.prepare("INSERT INTO events (event, payload) VALUES ('cron', ?)")
  const insertKey = db.prepare("INSERT INTO keys VALUES ('operator', 'cron.add', ?, 'hash', ?, ?)")
  const add = db.transaction((id: string) => {
    const { state, ...body } = jobOf(id, made)
    const text = JSON.stringify(body)
    insertJob.run(id, text, id, '["",""]', state.nextRunAtMs)
    insertEvent.run(JSON.stringify({ jobId: id, action: 'added', nextRunAtMs: state.nextRunAtMs }))
    insertKey.run(id, text, body.createdAtMs)
  })
  const rate = () => {
    const began = performance.now()
    let answered = 0
    for (; performance.now() - began < ROUND_MS; answered += 1) {
      made += 1
      add.immediate(randomUUID())
    }
    return answered / ((performance.now() - began) / 1_000)
  }
  return { rate, close: () => db.close() }
}

function throughStore(store: Store, callers: number): Promise<number> {
  return rateOf(callers, id => {
    const job = jobOf(id, made)
    const key = { principal: 'operator', method: 'cron.add', key: id, paramsHash: 'hash' }
    return store.write.addJob({ job, equalKey: id, dedupe: false, key, nowMs: job.createdAtMs })
  })
}

function throughDoor({ dispatcher }: House, callers: number): Promise<number> {
  return rateOf(callers, key => dispatcher.call('cron.add', jobInput(made), { caller: OPERATOR, key }))
}

/** New stores for each number of callers: all sides grow from nothing alike. */
async function compare(callers: number) {
  const bare = await bareSide()
  const store = await openSqliteStore({ folder: temporaryFolder() })
  const behindDoor = await openSqliteStore({ folder: temporaryFolder() })
  const noModel = () => {
    throw new Error('no turn runs here')
  }
  const house = furnish(behindDoor, inlineRunner(noModel))
  const sides = {
    store: () => throughStore(store, callers),
    bare: () => bare.rate(),
    door: () => throughDoor(house, callers),
  }
  await rounds(1, sides)
  const found = await rounds(ROUNDS, sides)
  bare.close()
  house.parts.scheduler.stop()
  await Promise.all([store.close(), behindDoor.close()])
  return found
}

export async function measure(): Promise<Figure[]> {
  const figures: Figure[] = []
  const push = (name: string, rates: number[], extras: Pick<Figure, 'unit' | 'goal'> = { unit: '/s' }) =>
    figures.push({ name, value: median(rates), better: 'higher', spread: spreadOf(rates), ...extras })
  for (const callers of CALLERS) {
    const found = await compare(callers)
    const ratios = found.store.map((rate, round) => rate / (found.bare[round] ?? Number.NaN))
    const isMost = callers === CALLERS.at(-1)
    push(`addJob, ${callers} callers`, found.store, { unit: '/s', ...(isMost && { goal: RATE_GOAL }) })
    push(`addJob, ${callers} callers, of one commit per call`, ratios, {
      unit: 'x',
      ...(isMost && { goal: RATIO_GOAL }),
    })
    push(`cron.add through the dispatcher, ${callers} callers`, found.door)
    push(`bare, one commit per call (beside ${callers} callers)`, found.bare)
  }
  return figures
}
