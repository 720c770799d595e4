// Rows for the store's tests, and a bench that gives each test a folder of its own and closes what it opened.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Job } from '../../src/protocol/job.ts'
import type { DurableEvent, EffectKey, Fence, NewNotice, NewRun, Store, WriteArgs } from '../../src/store/port.ts'
import type { RunRow } from '../../src/store/rows.ts'

export const NOW = 1_780_000_000_000
export const SESSION = 'agent:main:main'
export const MINUTE = 60_000

export type OpenStore = (folder: string) => Promise<Store>

export interface Bench {
  readonly folder: string
  /** Of a property in which stores are opened again and again: where that starts threads, it is most of the cost. */
  readonly reopeningRuns: number
  open(): Promise<Store>
  /** Opens a store in another folder. */
  openAt(folder: string): Promise<Store>
  newFolder(): string
}

/** Tests by name; a name begins with the invariant that its test guards. */
export type StoreTests = Readonly<Record<string, (bench: Bench) => Promise<void>>>

/** Runs a test on a folder of its own; whatever it opened is closed, whatever it wrote is gone afterwards. */
export async function withBench(
  openStore: OpenStore,
  run: (bench: Bench) => Promise<void>,
  reopeningRuns = 15,
): Promise<void> {
  const folders: string[] = []
  const stores: Store[] = []
  const newFolder = () => {
    const made = mkdtempSync(join(tmpdir(), 'store-test-'))
    folders.push(made)
    return made
  }
  const openAt = async (folder: string) => {
    const store = await openStore(folder)
    stores.push(store)
    return store
  }
  const folder = newFolder()
  try {
    await run({ folder, reopeningRuns, open: () => openAt(folder), openAt, newFolder })
  } finally {
    for (const store of stores) await store.close()
    for (const made of folders) rmSync(made, { recursive: true, force: true })
  }
}

export function newRun(runId: string, more: Partial<NewRun> = {}): NewRun {
  return { runId, sessionKey: SESSION, echoKey: 'main', agentId: 'main', text: `say ${runId}`, source: 'chat', ...more }
}

export function effectKey(key: string, more: Partial<EffectKey> = {}): EffectKey {
  return { principal: 'operator', method: 'test', key, paramsHash: 'hash-1', ...more }
}

export function newJob(id: string, more: Partial<Job> = {}): Job {
  return {
    id,
    name: `job ${id}`,
    enabled: true,
    schedule: { kind: 'every', everyMs: MINUTE, anchorMs: NOW },
    sessionTarget: 'isolated',
    wakeMode: 'now',
    payload: { kind: 'agentTurn', message: 'look around' },
    createdAtMs: NOW,
    updatedAtMs: NOW,
    state: { nextRunAtMs: NOW + MINUTE },
    ...more,
  }
}

export function oneShot(id: string, atMs: number, more: Partial<Job> = {}): Job {
  return newJob(id, { schedule: { kind: 'at', atMs }, state: { nextRunAtMs: atMs }, ...more })
}

export function newNotice(id: string, more: Partial<NewNotice> = {}): NewNotice {
  return { id, sessionKey: SESSION, agentId: 'main', text: `tell ${id}`, source: 'job', atMs: NOW, ...more }
}

export function addJob(store: Store, job: Job, more: Partial<WriteArgs<'addJob'>> = {}) {
  return store.write.addJob({ job, equalKey: `equal ${job.id}`, dedupe: false, nowMs: NOW, ...more })
}

export function fenceOf({ runId, epoch, attempt }: RunRow): Fence {
  return { runId, epoch, attempt }
}

/** Accepts and claims a run. */
export async function begin(store: Store, run: NewRun, events: DurableEvent[] = []): Promise<RunRow> {
  await store.write.acceptMessage({ run, nowMs: NOW })
  const claimed = await store.write.claimRun({ runId: run.runId, epoch: store.epoch, nowMs: NOW, events })
  if (!claimed.value) throw new Error(`run ${run.runId} was not claimed`)
  return claimed.value
}

export function claimNominal(store: Store, jobId: string, more: Partial<WriteArgs<'claimOccurrence'>> = {}) {
  const nominalAtMs = more.nominalAtMs ?? NOW
  return store.write.claimOccurrence({
    jobId,
    expectedRevision: store.read.job(jobId)?.revision ?? 0,
    occurrence: `at:${nominalAtMs}`,
    nominalAtMs,
    advance: { nextRunAtMs: nominalAtMs + MINUTE },
    skipWhenRunning: false,
    epoch: store.epoch,
    nowMs: NOW,
    ...more,
  })
}

/** Name and, for cron events, action and job of each stored event after `seq`. */
export function eventNames(store: Store, seq = 0): string[] {
  return store.read.eventsSince(seq, 500).map(({ event, payload }) => {
    const { action, jobId } = payload as { action?: string; jobId?: string }
    return action ? `${event} ${action} ${jobId}` : event
  })
}
