// A tool call over the thread's link while 200 sessions have a turn each that streams and calls, and one client hears
// all of it: the real runner thread, engine, store and server; only the model is scripted. A call's round trip holds
// the commit of its result, which is promised and is no overhead; it is timed by itself and shown beside.
import { BroadcastChannel, Worker } from 'node:worker_threads'
import { measureLoopDelay } from '../src/base/node/loop-delay.ts'
import { nodeClock, nodeRandom } from '../src/base/node/world.ts'
import { PROTOCOL_VERSION } from '../src/protocol/limits.ts'
import type { Store } from '../src/store/port.ts'
import { openSqliteStore } from '../src/store/sqlite/open.ts'
import { GatewayServer } from '../src/transports/server.ts'
import { ThreadRunner } from '../src/turns/thread-runner.ts'
import { furnish, type House, OPERATOR } from './house.ts'
import { type Figure, pause, percentile } from './measure.ts'
import type { Report } from './scripted-turn.ts'
import { addJobs, temporaryFolder } from './state.ts'

const SESSIONS = 200
const WARM_UP_MS = 4_000
const MEASURED_MS = 16_000

/** The store, with the time that each call's result takes from the gateway's thread to the disk and back. */
function withResultsTimed(store: Store, commitsMs: Map<string, number>): Store {
  const appendEntries: Store['write']['appendEntries'] = async (args, options) => {
    const began = performance.now()
    const answer = await store.write.appendEntries(args, options)
    for (const entry of args.entries) {
      if (entry.kind !== 'result') continue
      commitsMs.set(`${args.fence.runId} ${entry.message}:${entry.ordinal}`, performance.now() - began)
    }
    return answer
  }
  return Object.create(store, {
    write: { value: { ...store.write, appendEntries } },
    epoch: { get: () => store.epoch },
    read: { get: () => store.read },
    readLarge: { get: () => store.readLarge },
    failing: { value: store.failing.bind(store) },
    onEvents: { value: store.onEvents.bind(store) },
  })
}

async function serve(house: House): Promise<{ server: GatewayServer; watcher: Worker; heard: () => Promise<number> }> {
  const server = new GatewayServer({
    hosts: [{ host: '127.0.0.1' }],
    judge: () => ({ from: { address: '127.0.0.1', isLocal: true } }),
    port: 0,
    clock: nodeClock,
    page: () => undefined,
    http: async () => undefined,
    connection: {
      dispatcher: house.dispatcher,
      clock: nodeClock,
      random: nodeRandom,
      admit: () => ({ caller: OPERATOR }),
      joined: () => () => undefined,
      hello: connId => ({ type: 'hello-ok', protocol: PROTOCOL_VERSION, server: { connId } }) as never,
      listen: listener => house.hub.listen(listener),
      log: () => undefined,
    },
  })
  const url = `ws://127.0.0.1:${await server.listen()}`
  const client = { id: 'cli', version: 'bench', platform: 'node', mode: 'cli' }
  const params = { minProtocol: PROTOCOL_VERSION, maxProtocol: PROTOCOL_VERSION, client, role: 'operator' }
  const connect = { type: 'req', id: '1', method: 'connect', params }
  const watcher = new Worker(new URL('./watcher.ts', import.meta.url), { workerData: { url, connect } })
  const told = () => new Promise<Record<string, unknown>>(resolve => watcher.once('message', resolve))
  const { ready } = await told()
  if (!ready) throw new Error('the watching client was refused')
  const heard = async () => {
    const answer = told()
    watcher.postMessage('how many')
    return Number((await answer).heard)
  }
  return { server, watcher, heard }
}

interface Overheads {
  readonly roundTripsMs: number[]
  readonly commitsMs: number[]
  readonly overheadsMs: number[]
}

/** Gathers for a while; a call counts when both its ends were seen in it. */
async function gather(commitsMs: Map<string, number>): Promise<Overheads> {
  const found: Overheads = { roundTripsMs: [], commitsMs: [], overheadsMs: [] }
  const channel = new BroadcastChannel('bench-link')
  channel.onmessage = event => {
    for (const { key, roundTripMs } of (event as { data: Report[] }).data) {
      const commitMs = commitsMs.get(key)
      commitsMs.delete(key)
      if (commitMs === undefined) continue
      found.roundTripsMs.push(roundTripMs)
      found.commitsMs.push(commitMs)
      found.overheadsMs.push(roundTripMs - commitMs)
    }
  }
  await pause(MEASURED_MS)
  channel.close()
  return found
}

export async function measure(): Promise<Figure[]> {
  const commitsMs = new Map<string, number>()
  const store = withResultsTimed(await openSqliteStore({ folder: temporaryFolder() }), commitsMs)
  await addJobs(store, 10)
  const runner = new ThreadRunner(new URL('./scripted-runner.ts', import.meta.url), nodeClock)
  const house = furnish(store, runner)
  const { heard } = await serve(house)
  for (let session = 0; session < SESSIONS; session += 1) {
    const params = { sessionKey: `agent:main:s${session}`, message: 'begin', idempotencyKey: `run-${session}` }
    void house.dispatcher.call('chat.send', params, { caller: OPERATOR })
    await pause(WARM_UP_MS / 2 / SESSIONS)
  }
  await pause(WARM_UP_MS / 2)
  commitsMs.clear()
  const loop = measureLoopDelay()
  const before = { heard: await heard(), cpu: performance.eventLoopUtilization() }
  const found = await gather(commitsMs)
  const delay = loop.read()
  const busy = performance.eventLoopUtilization(before.cpu).utilization
  const events = ((await heard()) - before.heard) / (MEASURED_MS / 1_000)
  const running = house.parts.engine.runningCount
  if (running < SESSIONS) throw new Error(`only ${running} of ${SESSIONS} turns were still running at the end`)
  const ms = (name: string, value: number, goal?: number): Figure => ({
    ...{ name, value, unit: 'ms', better: 'lower' },
    ...(goal !== undefined && { goal }),
  })
  const rate = (name: string, value: number): Figure => ({ name, value, unit: '/s', better: 'higher' })
  return [
    ms('call over the link without its commit, p50', percentile(found.overheadsMs, 0.5), 0.5),
    ms('call over the link without its commit, p99', percentile(found.overheadsMs, 0.99), 10),
    ms('loop delay, p99', delay.p99, 10),
    ms('loop delay, max', delay.max),
    ms('whole round trip with commit, p50', percentile(found.roundTripsMs, 0.5)),
    ms('whole round trip with commit, p99', percentile(found.roundTripsMs, 0.99)),
    ms('its commit alone, p50', percentile(found.commitsMs, 0.5)),
    { name: 'control loop busy', value: busy * 100, unit: '%', better: 'lower' },
    rate('calls', found.roundTripsMs.length / (MEASURED_MS / 1_000)),
    rate('events heard by the watcher', events),
  ]
}
