// Composition root: config and world in, a running gateway out. It alone chooses adapters and hands each folder what it
// needs. It starts whole or not at all: whatever was opened is closed again when a later step refuses.
import { hostname } from 'node:os'
import { decide } from './access/connect.ts'
import { formatDuration, MINUTE } from './base/durations.ts'
import { asSluiceError, SluiceError } from './base/errors.ts'
import { openLog } from './base/node/log.ts'
import { measureLoopDelay } from './base/node/loop-delay.ts'
import { VERSION } from './base/node/version.ts'
import { workerUrl } from './base/node/worker-url.ts'
import type { Clock, World } from './base/world.ts'
import { loadSettings, type Settings } from './config/load.ts'
import type { Env, Places } from './config/locate.ts'
import { Joins, type Standing } from './coordination/joins.ts'
import { Lanes } from './coordination/lanes.ts'
import { Slots } from './coordination/slots.ts'
import { WaitGraph } from './coordination/wait-graph.ts'
import type { Caller } from './dispatch/caller.ts'
import { Dispatcher } from './dispatch/dispatcher.ts'
import { EventHub } from './dispatch/event-hub.ts'
import { healthOf, waitsOf } from './methods/gateway.ts'
import { allHandlers } from './methods/handlers.ts'
import type { MethodParts } from './methods/parts.ts'
import { CATALOGUE, isMethodName } from './protocol/catalogue.ts'
import type { HelloOk } from './protocol/connect.ts'
import { EVENT_NAMES } from './protocol/events.ts'
import { BUFFERED_BYTES_MAX, FRAME_BYTES_MAX, PROTOCOL_VERSION, TICK_INTERVAL_MS } from './protocol/limits.ts'
import type { Scope } from './protocol/method.ts'
import { chooseModel, OFFLINE_REF } from './providers/choice.ts'
import { type PlanContext, planJob, resultNotice } from './scheduler/plan.ts'
import { Scheduler } from './scheduler/scheduler.ts'
import { canonicalSession, DEFAULT_AGENT, jobSession, MAIN_KEY } from './sessions/session-key.ts'
import type { Store } from './store/port.ts'
import type { RunRow } from './store/rows.ts'
import { openSqliteStore } from './store/sqlite/open.ts'
import { cronTool } from './tools/cron-tool.ts'
import { SESSION_TOOLS } from './tools/session-tools.ts'
import type { ToolCaller } from './tools/tool.ts'
import { Toolbox } from './tools/toolbox.ts'
import type { Admission } from './transports/connection.ts'
import { renderPage } from './transports/page.ts'
import { GatewayServer } from './transports/server.ts'
import { TurnEngine } from './turns/engine.ts'
import type { Runner } from './turns/runner.ts'
import { ThreadRunner } from './turns/thread-runner.ts'

const HOST = '127.0.0.1'
const TOKEN_BYTES = 32
const HEALTH_INTERVAL_MS = MINUTE
const WAITS_INTERVAL_MS = 100
const NO_SCOPES: ReadonlySet<Scope> = new Set()

export interface GatewayOptions {
  readonly places: Places
  readonly env: Env
  readonly portOverride?: number
  /** Full path of the command that started us; shown to people. */
  readonly launcher: string
  readonly world: World
}

export interface RunningGateway {
  readonly url: string
  /** What a person is told at start, in plain words. */
  readonly startupLines: readonly string[]
  /** Resolves when the gateway cannot go on. */
  readonly failed: Promise<Error>
  close(reason: string): Promise<void>
}

export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const { places, env, world } = options
  const settings = loadSettings({
    files: world.files,
    env,
    places,
    portOverride: options.portOverride,
    systemZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    isMethod: isMethodName,
  })
  // A model that cannot be reached by name is refused before anything is opened.
  const model = chooseModel(settings.models)
  world.files.ensurePrivateFolder(places.stateDir)
  const token = settings.token ?? ownToken(world, places.tokenPath)
  const log = openLog(`${places.stateDir}/logs/gateway.log`, settings.logLevel)
  const store = await openSqliteStore({ folder: places.stateDir })
  const runner = new ThreadRunner(workerUrl('runner-entry', import.meta.url))
  const house = furnish({ store, runner, settings, options, modelRef: model.ref, log: log.log })
  const server = serve(house, { token, settings, options, log: log.log })
  let port: number
  let unfinished: readonly RunRow[]
  try {
    unfinished = await house.recover()
    port = await server.listen()
  } catch (error) {
    await store.close()
    throw error
  }
  const url = `ws://${HOST}:${port}`
  house.facts.url = url
  // Nothing has been heard from a client yet: unfinished turns are first in their lanes.
  house.resume(unfinished)
  const health = broadcastHealth(house, world)
  log.log('info', 'started', { url, version: VERSION, epoch: store.epoch, zone: settings.zone, model: model.ref })
  const failure = Promise.withResolvers<Error>()
  store.onFailure(failure.resolve)
  return {
    url,
    startupLines: startupLines(url, settings, options),
    failed: failure.promise,
    close: async reason => {
      log.log('info', 'stopping', { reason })
      health.stop()
      house.parts.scheduler.stop()
      await house.parts.engine.drain()
      await server.close({ reason, restartExpectedMs: null })
      await runner.close()
      await store.close()
      house.loopDelay.stop()
      log.log('info', 'stopped')
      log.flush()
    },
  }
}

type LogFunction = ReturnType<typeof openLog>['log']

/** What the rooms between store and transports are made from; tests and benchmarks bring their own runner and store. */
export interface Building {
  readonly store: Store
  readonly runner: Runner
  readonly settings: Settings
  readonly options: Pick<GatewayOptions, 'places' | 'world'>
  readonly modelRef: string
  readonly log: LogFunction
}

/** Everything between the store and the transports. */
export function furnish(building: Building) {
  const { store, runner, settings, options, log } = building
  const { clock, random } = options.world
  const hub = new EventHub()
  store.onEvents(events => {
    for (const event of events) hub.publish(event)
  })
  const waiting = coordinate(clock, hub, settings.turnsMax)
  const plan: PlanContext = {
    zone: settings.zone,
    defaultAgentId: DEFAULT_AGENT,
    mainSession: agentId => canonicalSession(MAIN_KEY, agentId).key,
    jobSession: (agentId, jobId) => jobSession(agentId, jobId).key,
  }
  // The engine hands turns the dispatcher's call, and the dispatcher's handlers hand the engine runs: the one knot.
  const call = (name: string, params: unknown, from: Parameters<Dispatcher['call']>[2]) =>
    dispatcher.call(name, params, from)
  const engine = new TurnEngine({
    store,
    clock,
    publish: event => hub.publish(event),
    ...waiting,
    runner,
    toolbox: new Toolbox([cronTool, ...SESSION_TOOLS], settings.toolPolicy),
    zone: settings.zone,
    timeoutMs: settings.turnTimeoutMs,
    chooseModel: ref => chooseModel(settings.models, ref),
    callerFor: (run, standing, made) => turnCaller({ run, standing, ...made, settings, call }),
    noticeFor: (run, end) => {
      const job = run.source === 'job' && run.jobId !== undefined ? store.read.job(run.jobId)?.job : undefined
      return job && resultNotice(job, run, { end, nowMs: clock.now(), context: plan })
    },
    log,
  })
  const scheduler = new Scheduler({
    store,
    clock,
    random,
    zone: settings.zone,
    enabled: settings.cronEnabled,
    submit: run => engine.submit(run),
    plan: (job, occurrence) => planJob(job, occurrence, plan),
    log,
  })
  const loopDelay = measureLoopDelay()
  const facts = {
    version: VERSION,
    stateDir: options.places.stateDir,
    zone: settings.zone,
    startedAtMs: clock.now(),
    modelRef: building.modelRef,
    loopDelayMs: () => loopDelay.read(),
    memoryBytes: () => process.memoryUsage().rss,
    pid: process.pid,
    url: '',
  }
  const parts: MethodParts = { store, clock, random, engine, scheduler, ...waiting, facts }
  const dispatcher = new Dispatcher(allHandlers(parts), clock, settings.methodTimeoutsMs)
  const recover = async () => (await store.write.recoverRuns({ epoch: store.epoch, nowMs: clock.now() })).value
  const resume = (runs: readonly RunRow[]) => {
    if (runs.length > 0) log('info', 'going on with unfinished turns', { count: runs.length })
    for (const run of runs) engine.submit(run)
    scheduler.start()
  }
  // The revision of the health picture; what clients call stateVersion. There is one presence entry, the gateway's own.
  const stateVersion = { presence: 0, health: 0 }
  const healthEvent = () => ({
    event: 'health',
    payload: healthOf(parts),
    stateVersion: { ...stateVersion },
    droppable: true,
  })
  return { parts, dispatcher, hub, loopDelay, facts, recover, resume, stateVersion, healthEvent }
}
type House = ReturnType<typeof furnish>

/** Everything that can wait, around one graph. */
function coordinate(clock: Clock, hub: EventHub, turnsMax: number) {
  const graph = new WaitGraph()
  announceWaits(graph, clock, hub)
  return { graph, lanes: new Lanes(graph), slots: new Slots(turnsMax), joins: new Joins<RunRow>(graph, clock) }
}

/** Tells listeners that somebody waits, or no longer does; changes of one moment are one event. */
function announceWaits(graph: WaitGraph, clock: Clock, hub: EventHub): void {
  let pending = false
  graph.onChange(() => {
    if (pending || hub.listenerCount === 0) return
    pending = true
    clock.after(WAITS_INTERVAL_MS, () => {
      pending = false
      hub.publish({ event: 'waits', payload: { waits: waitsOf({ graph, clock }) }, droppable: true })
    })
  })
}

interface TurnCall {
  readonly run: RunRow
  readonly standing: Standing
  readonly key: string
  readonly tool: string
  /** An earlier attempt may have made this very call. */
  readonly resumed: boolean
  readonly settings: Settings
  readonly call: Dispatcher['call']
}

/** A tool's way to the gateway: a function call, as that turn (W1). Its first call has the key of its journal entry. */
function turnCaller({ run, standing, key, tool, resumed, settings, call }: TurnCall): ToolCaller {
  const caller: Caller = {
    principal: `session:${run.sessionKey}`,
    label: `the turn of ${run.sessionKey}`,
    scopes: NO_SCOPES,
    turn: { runId: run.runId, sessionKey: run.sessionKey, agentId: run.agentId, jobId: run.jobId, standing },
    zone: settings.zone,
  }
  const deadlineMs = settings.toolTimeoutsMs.get(tool)
  const bounds = { signal: standing.deadline.signal, ...(deadlineMs !== undefined && { deadlineMs }) }
  let calls = 0
  return async (method, params) => {
    calls += 1
    const callKey = calls === 1 ? key : `${key}.${calls}`
    const answer = call(method, params, { caller, key: callKey, ...bounds })
    return (await (resumed ? answer.catch(asResumed) : answer)) as never
  }
}

/** A repeat that was not begun says nothing of the first time. */
function asResumed(thrown: unknown): never {
  const error = asSluiceError(thrown)
  if (error.outcome !== 'not-started') throw error
  throw new SluiceError(error.code, `${error.message} Whether an earlier attempt did it is unknown.`, {
    outcome: 'unknown',
  })
}

interface Serving {
  readonly token: string
  readonly settings: Settings
  readonly options: GatewayOptions
  readonly log: LogFunction
}

function serve(house: House, { token, settings, options, log }: Serving): GatewayServer {
  const { clock, random } = options.world
  return new GatewayServer({
    host: HOST,
    port: settings.port,
    clock,
    page: ({ path }) => pageFor(house, options, path),
    connection: {
      dispatcher: house.dispatcher,
      clock,
      random,
      log,
      listen: listener => {
        const end = house.hub.listen(listener)
        // Clients expect a fresh picture after each connect.
        clock.after(0, () => listener(house.healthEvent()))
        return end
      },
      admit: (params): Admission => {
        const decision = decide(params, token)
        if (!decision.granted) return { refused: { code: decision.code, message: decision.message } }
        return { caller: { principal: decision.principal, label: params.client.id, scopes: decision.scopes } }
      },
      hello: connId => helloOk(house, connId, options),
    },
  })
}

function helloOk(house: House, connId: string, options: GatewayOptions): HelloOk {
  const { clock } = options.world
  const main = canonicalSession(MAIN_KEY)
  const self = { host: hostname(), version: VERSION, mode: 'gateway', reason: 'self', ts: clock.now() }
  return {
    type: 'hello-ok',
    protocol: PROTOCOL_VERSION,
    server: { version: VERSION, host: hostname(), connId },
    features: { methods: Object.keys(CATALOGUE), events: EVENT_NAMES },
    snapshot: {
      presence: [self],
      health: healthOf(house.parts),
      stateVersion: house.stateVersion,
      uptimeMs: clock.now() - house.facts.startedAtMs,
      stateDir: options.places.stateDir,
      configPath: options.places.configPath,
      sessionDefaults: {
        defaultAgentId: DEFAULT_AGENT,
        mainKey: MAIN_KEY,
        mainSessionKey: main.key,
        scope: 'per-sender',
      },
    },
    policy: { maxPayload: FRAME_BYTES_MAX, maxBufferedBytes: BUFFERED_BYTES_MAX, tickIntervalMs: TICK_INTERVAL_MS },
  }
}

function pageFor(house: House, options: GatewayOptions, path: string) {
  const { parts, facts } = house
  if (path === '/healthz') return { status: 200, type: 'text/plain', body: 'ok\n' }
  if (path !== '/') return undefined
  const body = renderPage({
    version: facts.version,
    url: facts.url,
    zone: facts.zone,
    model: facts.modelRef,
    chatCommand: `${options.launcher} chat`,
    sessions: parts.store.read.sessionCount(),
    jobs: parts.store.read.jobCount({ includeDisabled: false }),
    uptime: formatDuration(parts.clock.now() - facts.startedAtMs),
  })
  return { status: 200, type: 'text/html', body }
}

function broadcastHealth(house: House, world: World): { stop(): void } {
  const schedule = () =>
    world.clock.after(HEALTH_INTERVAL_MS, () => {
      house.stateVersion.health += 1
      house.hub.publish(house.healthEvent())
      timer = schedule()
    })
  let timer = schedule()
  return { stop: () => timer.cancel() }
}

function ownToken(world: World, tokenPath: string): string {
  const found = world.files.readText(tokenPath)?.trim()
  if (found) return found
  const made = world.random.hex(TOKEN_BYTES)
  world.files.writePrivateText(tokenPath, `${made}\n`)
  return made
}

function startupLines(url: string, settings: Settings, options: GatewayOptions): string[] {
  const { places, launcher } = options
  const offline = (settings.models.primary ?? OFFLINE_REF) === OFFLINE_REF
  const zoneNote = settings.zoneFrom === 'config' ? ' (from the config)' : ''
  return [
    `Sluice ${VERSION} is listening on ${url}`,
    'Only this machine can reach it. Stop it with Ctrl-C.',
    '',
    `Page       ${url.replace('ws:', 'http:')}/`,
    `State      ${places.stateDir}`,
    `Config     ${places.configPath}`,
    `Time zone  ${settings.zone}${zoneNote}`,
    ...(settings.zoneFrom === 'default' ? indented(UTC_BY_DEFAULT) : []),
    `Model      ${offline ? 'none configured: the built-in offline model answers' : settings.models.primary}`,
    ...(offline ? indented(NO_MODEL) : []),
    ...settings.warnings.map(warning => `Warning    ${warning}`),
    '',
    'To chat, in a second terminal:',
    `  ${launcher} chat`,
  ]
}

const UTC_BY_DEFAULT = [
  'UTC only because this machine names no zone. To choose yours, put',
  '{ agents: { defaults: { userTimezone: "Europe/Berlin" } } }',
  'into the config, or reminders may come at odd hours.',
]
const NO_MODEL = [
  'It understands reminders, jobs, sessions and status. To add a model, put',
  'models.providers.<name>.baseUrl (and apiKey) and',
  'agents.defaults.model.primary into the config.',
]

function indented(lines: readonly string[]): string[] {
  return lines.map(line => `           ${line}`)
}
