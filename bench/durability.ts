// What it costs to answer only what is on disk. First: journal entries with their event, acknowledged at
// `synchronous=FULL`, from 1, 16 and 64 callers, beside better-sqlite3 that commits the same rows one call at a time on
// the same disk. Then the control loop while a disk takes 50 ms for each fsync: how late it is, and how long `cron.list`
// takes through the dispatcher, with the writer in its thread and, to show what that is for, in place.
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import Database from 'better-sqlite3'
import type { Fence, NewRun, Store } from '../src/store/port.ts'
import { connectStore } from '../src/store/sqlite/client.ts'
import { warmThread } from '../src/store/sqlite/link.ts'
import { openSqliteStore } from '../src/store/sqlite/open.ts'
import { inlineRunner } from '../src/turns/perform.ts'
import { furnish, OPERATOR } from './house.ts'
import { type Figure, median, pause, percentile, rounds, spreadOf } from './measure.ts'
import { FSYNC_MS, slowCommit } from './slow-writer.ts'
import { addJobs, jobInput, temporaryFolder } from './state.ts'

const CALLERS = [1, 16, 64]
const ROUNDS = 8
const ROUND_MS = 350
const RATIO_GOAL = 4
const TEXT = 'x'.repeat(400)
const SESSION = 'agent:main:bench'

const WRITERS = 16
const LISTED_JOBS = 10
const LIST_EVERY_MS = 5
const WINDOW_MS = 3_000
const DELAY_GOAL_MS = 10

function newRun(ordinal: number): NewRun {
  const sessionKey = `${SESSION}:${ordinal}`
  return { runId: `run-${ordinal}`, sessionKey, echoKey: sessionKey, agentId: 'main', text: 'go', source: 'chat' }
}

/** A running turn, which is what may append to a journal. */
async function fenceIn(store: Store, ordinal: number): Promise<Fence> {
  const run = newRun(ordinal)
  await store.write.acceptMessage({ run, nowMs: Date.now() })
  const { epoch } = store
  const { value } = await store.write.claimRun({ runId: run.runId, epoch, nowMs: Date.now(), events: [] })
  if (!value) throw new Error('the run was not claimed')
  return { runId: run.runId, epoch, attempt: value.attempt }
}

/** Acknowledged writes per second of so many callers, each of which writes again when it was answered. */
async function rateOf(callers: number, write: (caller: number) => Promise<unknown>): Promise<number> {
  const began = performance.now()
  let answered = 0
  const one = async (caller: number) => {
    while (performance.now() - began < ROUND_MS) {
      await write(caller)
      answered += 1
    }
  }
  await Promise.all(Array.from({ length: callers }, (_, caller) => one(caller)))
  return answered / ((performance.now() - began) / 1_000)
}

/** The bare side: the same check and the same two rows, prepared, one transaction per call. */
async function bareSide(): Promise<{ rate: () => number; close: () => void }> {
  const folder = temporaryFolder()
  const store = await openSqliteStore({ folder })
  const { runId, epoch, attempt } = await fenceIn(store, 0)
  const { sessionId } = store.read.run(runId) ?? {}
  await store.close()
  const db = new Database(join(folder, 'sluice.db'))
  const pragmas = ['journal_mode = WAL', 'synchronous = FULL', 'cache_size = -4096', 'wal_autocheckpoint = 2048']
  for (const pragma of pragmas) db.pragma(pragma)
  const fence = db.prepare("SELECT 1 FROM runs WHERE run_id = ? AND state = 'running' AND epoch = ? AND attempt = ?")
  const entry = db.prepare(
    "INSERT INTO entries (run_id, session_key, session_id, kind, body, created_at_ms) VALUES (?, ?, ?, 'message', ?, ?)",
  )
  const event = db.prepare("INSERT INTO events (event, payload) VALUES ('agent', ?)")
  const append = db.transaction(() => {
    if (!fence.get(runId, epoch, attempt)) throw new Error('fenced off')
    entry.run(runId, `${SESSION}:0`, sessionId, JSON.stringify(entryBody()), Date.now())
    event.run(JSON.stringify({ runId, stream: 'tool' }))
  })
  const rate = () => {
    const began = performance.now()
    let answered = 0
    for (; performance.now() - began < ROUND_MS; answered += 1) append.immediate()
    return answered / ((performance.now() - began) / 1_000)
  }
  return { rate, close: () => db.close() }
}

function entryBody() {
  return { kind: 'message', text: TEXT, calls: [], model: 'bench/model' } as const
}

/** New stores for each number of callers: both sides grow from nothing alike. */
async function compare(callers: number) {
  const bare = await bareSide()
  const store = await openSqliteStore({ folder: temporaryFolder() })
  const fences = await Promise.all(Array.from({ length: callers }, (_, ordinal) => fenceIn(store, ordinal)))
  const append = (caller: number) => {
    const fence = fences[caller] as Fence
    const events = [{ event: 'agent', payload: { runId: fence.runId, stream: 'tool' } }]
    return store.write.appendEntries({ fence, entries: [entryBody()], nowMs: Date.now(), events })
  }
  const sides = { store: () => rateOf(callers, append), bare: () => bare.rate() }
  await rounds(1, sides)
  const found = await rounds(ROUNDS, sides)
  bare.close()
  await store.close()
  return found
}

/** The slow disk behind the gateway's own thread. */
function slowStore(folder: string): Promise<Store> {
  const entry = new URL('./slow-writer.ts', import.meta.url)
  return connectStore(folder, { writer: warmThread(entry), reader: undefined })
}

/** The same disk without a thread; between two commits it lets others have the loop. */
function slowStoreInPlace(folder: string): Promise<Store> {
  const gate = () => new Promise<void>(resolve => setImmediate(resolve))
  return openSqliteStore({ folder, thread: false, gate, hooks: { commit: slowCommit } })
}

/** How late the loop was and how long lists took, while so many callers had jobs added on a slow disk. */
async function underSlowDisk(open: (folder: string) => Promise<Store>) {
  const store = await open(temporaryFolder())
  const { dispatcher, parts } = furnish(
    store,
    inlineRunner(() => {
      throw new Error('no turn runs here')
    }),
  )
  await addJobs(store, LISTED_JOBS)
  let isOver = false
  let added = 0
  const writer = async () => {
    while (!isOver) {
      added += 1
      const job = await dispatcher.call('cron.add', jobInput(added), { caller: OPERATOR, key: `add-${added}` })
      await dispatcher.call('cron.remove', { id: (job as { id: string }).id }, { caller: OPERATOR })
    }
  }
  const writers = Array.from({ length: WRITERS }, writer)
  const lists: number[] = []
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  const endsAt = performance.now() + WINDOW_MS
  while (performance.now() < endsAt) {
    const began = performance.now()
    await dispatcher.call('cron.list', {}, { caller: OPERATOR })
    lists.push(performance.now() - began)
    await pause(LIST_EVERY_MS)
  }
  histogram.disable()
  isOver = true
  await Promise.all(writers)
  parts.scheduler.stop()
  await store.close()
  return { delayP99Ms: histogram.percentile(99) / 1e6, delayMaxMs: histogram.max / 1e6, lists }
}

export async function measure(): Promise<Figure[]> {
  const figures: Figure[] = []
  const ms = { unit: 'ms', better: 'lower' } as const
  for (const callers of CALLERS) {
    const found = await compare(callers)
    const ratios = found.store.map((rate, round) => rate / (found.bare[round] ?? Number.NaN))
    const isMost = callers === CALLERS.at(-1)
    const push = (name: string, rates: number[], more: Pick<Figure, 'unit' | 'goal'> = { unit: '/s' }) =>
      figures.push({ name, value: median(rates), better: 'higher', spread: spreadOf(rates), ...more })
    push(`entries acknowledged, ${callers} callers`, found.store)
    push(`entries, ${callers} callers, of one commit per call`, ratios, {
      unit: 'x',
      ...(isMost && { goal: RATIO_GOAL }),
    })
    push(`bare, one commit per call (beside ${callers} callers)`, found.bare)
  }
  const apart = await underSlowDisk(slowStore)
  const inPlace = await underSlowDisk(slowStoreInPlace)
  const disk = `fsync ${FSYNC_MS} ms`
  figures.push(
    { name: `loop delay p99, ${disk}`, value: apart.delayP99Ms, ...ms, goal: DELAY_GOAL_MS },
    { name: `loop delay max, ${disk}`, value: apart.delayMaxMs, ...ms },
    { name: `cron.list p99, ${disk}`, value: percentile(apart.lists, 0.99), ...ms, goal: DELAY_GOAL_MS },
    { name: `cron.list p50, ${disk}`, value: median(apart.lists), ...ms },
    { name: `loop delay p99, ${disk}, writer in place`, value: inPlace.delayP99Ms, ...ms },
    { name: `cron.list p99, ${disk}, writer in place`, value: percentile(inPlace.lists, 0.99), ...ms },
  )
  return figures
}
