// A tool call amid 200 sessions and 20 jobs whose turns stream 20 words a second each from a model process, one client
// hearing it all. `cron.list` (10 jobs) and a durable `cron.add` are called (a) in process, as a turn that runs, (b) by
// those turns over the thread's link, from the ask that leaves the runner thread to the answer that reaches it, (c) over
// a new WebSocket per call with its handshake, as gateways do that dial themselves; (a) and (b) while nobody dials. (a)
// does not hold the wait for a free loop; what the door costs is told by the same call once more, when the store has its
// pages at hand that each commit takes from it. Gateway, model and client share two cores: ratios within one run are what
// counts. A p99.9 of fewer than 1,000 calls is the worst of them.
import { cpus } from 'node:os'
import { Worker } from 'node:worker_threads'
import { PROTOCOL_VERSION } from '../src/protocol/limits.ts'
import { openSqliteStore } from '../src/store/sqlite/open.ts'
import {
  CALL_NAMES,
  type CallName,
  LISTED_JOBS,
  newJob,
  noSamples,
  type WindowName,
  WORD_EVERY_MS,
  WORDS_PER_STEP,
} from './contention-calls.ts'
import { callFigures, type Dialled, type Load, loadFigures, loopFigures } from './contention-figures.ts'
import { type ProbedGateway, startContentionModel, startProbedGateway, usedMs } from './contention-process.ts'
import { connect } from './gateway-process.ts'
import { type Figure, pause } from './measure.ts'
import { jobOf, temporaryFolder } from './state.ts'

const SESSIONS = 200
const JOBS = 20
const TURNS = SESSIONS + JOBS
const STARTING_MS = 1_500
const WARM_UP_MS = 4_000
const WINDOWS: readonly WindowName[] = ['own', 'dial', 'own', 'dial']
const WINDOW_MS = 7_000
/** Forty calls a second, far fewer than the turns make: dialling is given the easier task. */
const DIAL_EVERY_MS = 25
const DIAL_MS_MAX = 10_000

/** Twenty jobs with a turn each; half of them are enabled, and so the list. */
async function folderWithTurns(): Promise<string> {
  const folder = temporaryFolder()
  const store = await openSqliteStore({ folder, thread: false })
  for (let ordinal = 0; ordinal < JOBS; ordinal += 1) {
    const payload = { kind: 'agentTurn', message: 'Look after the backups.' } as const
    const job = { ...jobOf(`job-${ordinal}`, ordinal), payload, enabled: ordinal < LISTED_JOBS }
    await store.write.addJob({ job, equalKey: job.id, dedupe: false, nowMs: job.createdAtMs })
  }
  await store.close()
  return folder
}

async function beginTurns(gateway: ProbedGateway): Promise<void> {
  const client = await connect(gateway)
  for (let turn = 0; turn < TURNS; turn += 1) {
    const idempotencyKey = `begin-${turn}`
    if (turn < SESSIONS) {
      await client.call('chat.send', { sessionKey: `agent:main:s${turn}`, message: 'Begin.', idempotencyKey })
    } else {
      await client.call('cron.run', { id: `job-${turn - SESSIONS}`, mode: 'force', idempotencyKey })
    }
    await pause(STARTING_MS / TURNS)
  }
  client.close()
}

async function watch({ url, token }: ProbedGateway): Promise<() => Promise<number>> {
  const client = { id: 'cli', version: 'bench', platform: 'node', mode: 'cli' }
  const protocol = { minProtocol: PROTOCOL_VERSION, maxProtocol: PROTOCOL_VERSION }
  const params = { ...protocol, client, role: 'operator', scopes: ['operator.read'], auth: { token } }
  const request = { type: 'req', id: '1', method: 'connect', params }
  const watcher = new Worker(new URL('./watcher.ts', import.meta.url), { workerData: { url, connect: request } })
  const told = () => new Promise<Record<string, unknown>>(resolve => watcher.once('message', resolve))
  if (!(await told()).ready) throw new Error('the watching client was refused')
  return async () => {
    const answer = told()
    watcher.postMessage('how many')
    return Number((await answer).heard)
  }
}

/** A connection of its own for one call, from the first byte to the answer. */
async function dial(gateway: ProbedGateway, call: CallName, dialled: Dialled): Promise<void> {
  dialled.made += 1
  const job = newJob(`added by a dial, ${dialled.made}`)
  const key = `dial-${dialled.made}`
  const began = performance.now()
  try {
    const client = await connect(gateway)
    const bound = { timeoutMs: DIAL_MS_MAX }
    if (call === 'list') {
      const { total } = await client.call('cron.list', {}, bound)
      if (total !== LISTED_JOBS) throw new Error(`a list of ${total} jobs`)
    } else await client.call('cron.add', { ...job, idempotencyKey: key }, bound)
    dialled.samples[call].push(performance.now() - began)
    client.close()
  } catch {
    dialled.errors += 1
  }
}

/** New calls begin on time, however long the ones before them take. */
async function dialForAWindow(gateway: ProbedGateway, dialled: Dialled): Promise<void> {
  const calls: Promise<void>[] = []
  const timer = setInterval(() => {
    calls.push(dial(gateway, CALL_NAMES[calls.length % CALL_NAMES.length] as CallName, dialled))
  }, DIAL_EVERY_MS)
  await pause(WINDOW_MS)
  clearInterval(timer)
  await Promise.all(calls)
}

async function statusOf(gateway: ProbedGateway) {
  const client = await connect(gateway)
  const status = await client.call('status', {})
  client.close()
  if (status.runs.running === TURNS) return status
  throw new Error(`${status.runs.running} of ${TURNS} turns were running, ${status.runs.queued} queued`)
}

/** Counters of all who share the cores; two readings make the load between them. */
async function counters(pids: { gateway: number; model: number }, heard: () => Promise<number>) {
  const cores = cpus().map(({ times: { user, nice, sys, irq } }) => user + nice + sys + irq)
  const { user, system } = process.cpuUsage()
  return {
    atMs: performance.now(),
    heard: await heard(),
    machineMs: cores.reduce((sum, ms) => sum + ms, 0),
    gatewayMs: usedMs(pids.gateway),
    modelMs: usedMs(pids.model),
    clientMs: (user + system) / 1_000,
  }
}

function loadBetween(from: Load, to: Load): Load {
  const names = Object.keys(from) as (keyof Load)[]
  return Object.fromEntries(names.map(name => [name, to[name] - from[name]])) as unknown as Load
}

export async function measure(): Promise<Figure[]> {
  const model = await startContentionModel()
  const gateway = await startProbedGateway(await folderWithTurns(), { model, turns: TURNS })
  await beginTurns(gateway)
  const heard = await watch(gateway)
  await pause(WARM_UP_MS)
  await statusOf(gateway)
  const dialled: Dialled = { samples: noSamples(), errors: 0, made: 0 }
  const pids = { gateway: gateway.pid, model: model.pid }
  const before = await counters(pids, heard)
  for (const window of WINDOWS) {
    gateway.tell({ type: 'begin', window })
    if (window === 'own') await pause(WINDOW_MS)
    else await dialForAWindow(gateway, dialled)
    gateway.tell({ type: 'end' })
  }
  const load = loadBetween(before, await counters(pids, heard))
  const { loopDelayMs } = await statusOf(gateway)
  const found = await gateway.read()
  await gateway.stop()
  const ownMs = WINDOWS.filter(window => window === 'own').length * WINDOW_MS
  const wantedCalls = (TURNS * ownMs) / (WORD_EVERY_MS * WORDS_PER_STEP)
  return [
    ...callFigures(found, dialled),
    ...loopFigures(found, loopDelayMs),
    ...loadFigures(load, found.overLink.length / wantedCalls),
  ]
}
