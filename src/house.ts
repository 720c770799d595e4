// Composition of everything between the store and the transports: what can wait, the engine, the scheduler, the tools and
// the one door. Settings are one value that all of these read anew; replacing it changes them all at once. It opens
// nothing and listens nowhere: tests, benchmarks and the simulator furnish the same house on stores of their own.
import { Causes } from './access/cause.ts'
import { DeviceTokens } from './access/device-token.ts'
import { Presence } from './access/presence.ts'
import { ownName } from './base/node/addresses.ts'
import { measureLoopDelay } from './base/node/loop-delay.ts'
import { VERSION } from './base/node/version.ts'
import { ownSecret } from './base/own-secret.ts'
import type { Clock, World } from './base/world.ts'
import type { Channel } from './channels/port.ts'
import { modelsFor, workspaceFor } from './config/agents.ts'
import type { LoadSettings, Settings } from './config/load.ts'
import type { Env, Places } from './config/locate.ts'
import { compareSettings } from './config/reload.ts'
import { Joins } from './coordination/joins.ts'
import { Lanes } from './coordination/lanes.ts'
import { Slots } from './coordination/slots.ts'
import { WaitGraph } from './coordination/wait-graph.ts'
import { Exchange } from './delivery/exchange.ts'
import { mayNameFiles, withMedia } from './delivery/media.ts'
import { Dispatcher } from './dispatch/dispatcher.ts'
import { EventHub, type GatewayEvent } from './dispatch/event-hub.ts'
import { toolMaker } from './methods/agent-tools.ts'
import { isAgent, unknownAgent } from './methods/agents.ts'
import type { ConfigState, Control } from './methods/control.ts'
import { FoundModel } from './methods/found-model.ts'
import { healthOf, waitsOf } from './methods/gateway.ts'
import { allHandlers } from './methods/handlers.ts'
import { hearHeartbeats, heartbeatNotice, heartbeatsIn } from './methods/heartbeat.ts'
import { jobTarget } from './methods/job-checks.ts'
import type { WrittenLog } from './methods/logs.ts'
import { outsideNotice } from './methods/outside.ts'
import type { Condition, MethodParts } from './methods/parts.ts'
import { TurnReach } from './methods/turn-reach.ts'
import type { Job } from './protocol/job.ts'
import { policyOf } from './protocol/job-policy.ts'
import { chooseChain, chooseModel } from './providers/choice.ts'
import { ModelLists } from './providers/lists.ts'
import { costMicroUsd, type Price } from './providers/price.ts'
import { traitsOf } from './providers/traits.ts'
import { decidedEnd, decidedNotice } from './scheduler/commands.ts'
import type { Heartbeats } from './scheduler/heartbeat.ts'
import { supersededRuns } from './scheduler/overlap.ts'
import { listenerOf, type Occasion, type PlanContext, planJob, resultNotice, withDelivery } from './scheduler/plan.ts'
import { retryAtMs } from './scheduler/retry-rule.ts'
import { Scheduler } from './scheduler/scheduler.ts'
import { staggeredAgain } from './scheduler/stagger.ts'
import { agentOfChat } from './sessions/routing.ts'
import { canonicalSession, jobSession, MAIN_KEY } from './sessions/session-key.ts'
import type { RunEnd, Store } from './store/port.ts'
import type { ApprovalRow, RunRow } from './store/rows.ts'
import { capReached } from './turns/caps.ts'
import { TurnEngine } from './turns/engine.ts'
import type { EngineParts, TurnSettings } from './turns/engine-parts.ts'
import type { Runner } from './turns/runner.ts'

const WELL: Condition = { integrity: () => 'not-checked', heldBack: undefined }
const NO_LOG: WrittenLog = { path: '', parts: () => [], read: () => Buffer.alloc(0) }
const WAITS_INTERVAL_MS = 100
const SECRET_BYTES = 32

/** What a house is made from. */
export interface Building {
  readonly store: Store
  readonly runner: Runner
  readonly settings: Settings
  readonly places: Places
  readonly world: World
  /** The gateway's own; little of it is handed on to processes of turns. */
  readonly env: Env
  /** The folder of our own command. */
  readonly binFolder: string
  readonly log: EngineParts['log']
  /** Reads settings from a config's text; throws where a gateway would not start with it. */
  readonly load: LoadSettings
  readonly restart: Control['restart']
  /** Default: none. */
  readonly channels?: readonly Channel[]
  /** Default: a store that needed no check, after a start like any other. */
  readonly condition?: Condition
  /** Default: none is kept. */
  readonly logFile?: WrittenLog
  /** Called when other settings hold, for what is not in the house. */
  readonly applied?: (settings: Settings) => void
}

export function furnish(building: Building) {
  const { store, world, channels = [] } = building
  const { clock, random } = world
  const hub = new EventHub()
  store.onEvents(events => {
    for (const event of events) hub.publish(event)
  })
  const address: Address = { url: '', connections: () => 0, cut: () => undefined }
  const found = new FoundModel(new ModelLists(world))
  const live = liveSettings(building, address, found)
  const settings = () => live.settings
  const publish: MethodParts['publish'] = event => hub.publish(event)
  const waiting = coordinate(clock, hub, live.settings)
  const loopDelay = measureLoopDelay()
  const facts = factsOf(building, live, () => loopDelay.read())
  // The engine hands turns the dispatcher's call, and the dispatcher's handlers hand the engine runs: the one knot.
  const reach: TurnReach = new TurnReach({
    clock,
    settings,
    call: (name, params, from) => dispatcher.call(name, params, from),
    causes: new Causes(random.hex(SECRET_BYTES), clock),
    engine: () => engine,
  })
  const heartbeats: Heartbeats = heartbeatsIn(() => parts, building.log)
  const fileBytesMax = (channelId: string) => exchange.fileBytesMax(channelId)
  const { engine, scheduler } = workers(building, live, { ...waiting, publish, reach, heartbeats, fileBytesMax })
  const findModel = async () => {
    const { settings: asked } = live
    if ((await found.look(asked.models)) && live.settings === asked) live.replace(asked)
  }
  const control = controlOf(building, live, next => {
    waiting.slots.limit(next.slots)
    scheduler.poke()
    void findModel()
  })
  const exchange: Exchange = exchangeOf(building, live, {
    call: (name, params, from) => dispatcher.call(name, params, from),
    changed: () => picture.tellHealth(),
  })
  store.onEvents(events => {
    for (const { event, payload } of events) hearHeartbeats(parts, event, payload)
    // A job that fires after another one is due with that one's end, which only the store sees.
    if (events.some(({ event, payload }) => event === 'cron' && isUpdate(payload))) scheduler.poke()
  })
  // Whatever is owed to a chat comes with an event in its commit.
  store.onEvents(() => exchange.poke())
  if (channels.length > 0) hub.listen(event => exchange.hear(event))
  const presence = presenceOn(hub, clock, () => picture.version())
  const parts: MethodParts = {
    ...{ store, clock, random, engine, scheduler, heartbeats, presence, channels, ...waiting },
    ...{ facts, control, settings, publish, delivery: exchange },
    lists: found.lists,
    connections: () => address.connections(),
    cut: (whose, why) => address.cut(whose, why),
    outside: {
      call: (name, params, from) => dispatcher.call(name, params, from),
      toolboxOf: session => live.turns.toolboxFor(session),
    },
    deviceTokens: new DeviceTokens(() => ownSecret(world, building.places.deviceKeyPath), random),
    get counts() {
      return dispatcher.counts
    },
  }
  const dispatcher: Dispatcher = new Dispatcher(allHandlers(parts), clock, {
    get: method => live.settings.methodTimeoutsMs.get(method),
  })
  const picture = healthPicture(parts, hub)
  return {
    parts,
    dispatcher,
    hub,
    reach,
    exchange,
    address,
    loopDelay,
    findModel,
    foundModel: found,
    ...starting(parts, building.log),
    ...picture,
  }
}
export type House = ReturnType<typeof furnish>

function isUpdate(payload: unknown): boolean {
  return (payload as { action?: unknown }).action === 'updated'
}

/** What the config's methods may do; `applied` tells the rooms that look at settings only when they are told to. */
function controlOf(building: Building, live: LiveSettings, applied: (next: Settings) => void): Control {
  const { places, world, load, restart } = building
  let problem: ConfigState['problem']
  return {
    config: { path: places.configPath, files: world.files, load },
    configState: () => ({ problem, restart: compareSettings(building.settings, live.settings).restart }),
    apply: next => {
      problem = undefined
      live.replace(next)
      applied(next)
      building.applied?.(next)
    },
    refuse: issues => {
      problem = { issues, sinceMs: world.clock.now() }
    },
    restart,
  }
}

/** The channels, whose people are callers like others. */
function exchangeOf(
  { store, world, channels = [], log }: Building,
  live: LiveSettings,
  { call, changed }: Pick<Dispatcher, 'call'> & { changed: () => void },
): Exchange {
  return new Exchange({
    ...{ store, log, changed, clock: world.clock, random: world.random, lines: channels },
    rulesOf: channelId => live.settings.channels.rules[channelId],
    ack: () => live.settings.channels.ack,
    sessionOf: ({ channelId, chatId, group }) => {
      const { bindings, defaultAgent } = live.settings
      const chat = { channel: channelId, kind: group ? ('group' as const) : ('dm' as const), id: group?.id ?? chatId }
      const agentId = agentOfChat(chat, bindings, defaultAgent)
      return canonicalSession(`${channelId}:${group ? 'group:' : ''}${chatId}`, agentId).key
    },
    call: (name, params, { key, ...as }) => {
      const { channelId } = as.route
      return call(name, params, { key, caller: { principal: `channel:${channelId}`, label: channelId, ...as } })
    },
  })
}

/** What carries turns and jobs; both read the settings anew each time. */
function workers(
  { store, world, runner, log, channels = [] }: Building,
  live: LiveSettings,
  around: ReturnType<typeof coordinate> &
    Pick<MethodParts, 'publish' | 'heartbeats'> &
    Pick<Exchange, 'fileBytesMax'> & { reach: TurnReach },
): { engine: TurnEngine; scheduler: Scheduler } {
  const { clock, random } = world
  const { reach, heartbeats, fileBytesMax, ...waiting } = around
  const plan: PlanContext = {
    get zone() {
      return live.settings.zone
    },
    get defaultAgentId() {
      return live.settings.defaultAgent
    },
    isAgent: agentId => isAgent(live.settings, agentId),
    agentOf: sessionKey => canonicalSession(sessionKey, live.settings.defaultAgent).agentId,
    mainSession: agentId => canonicalSession(MAIN_KEY, agentId).key,
    jobSession: (agentId, jobId) => jobSession(agentId, jobId).key,
    targetOf: job => jobTarget({ store, channels }, job, listenerOf(job, plan)),
  }
  /** Of a turn of a job's own; what a job tells a session is that session's turn. */
  const jobOf = ({ source, jobId }: RunRow) =>
    source === 'job' && jobId !== undefined ? store.read.job(jobId)?.job : undefined
  const decided = <E extends RunEnd>(end: E) => ({
    end,
    nowMs: clock.now(),
    plan: (job: Job, occurrence: Occasion) => planJob(job, occurrence, plan),
  })
  const noticeFor: EngineParts['noticeFor'] = (run, end) => {
    if (run.source === 'hook' || run.source === 'agent') return outsideNotice(run, end, clock.now())
    if (run.source === 'heartbeat') return heartbeatNotice(run, end, heartbeats.rules())
    const job = jobOf(run)
    if (run.rules?.command?.decides) return decidedNotice(job, run, decided(end))
    return job && resultNotice(job, run, { end, nowMs: clock.now(), context: plan })
  }
  const withFiles = <E extends RunEnd>(run: RunRow, end: E): E | Promise<E> => {
    // What a command prints is not the agent's wish.
    if (run.rules?.command || !mayNameFiles(end)) return end
    const notice = noticeFor(run, end)
    const route = notice?.to ?? store.read.route((notice ?? run).sessionKey)
    if (!route) return end
    const folder = workspaceFor(live.settings, run.agentId)
    return withMedia(end, { read: world.readWithin, folder, bytesMax: fileBytesMax(route.channelId) })
  }
  const engine = new TurnEngine({
    ...{ store, clock, runner, log, ...waiting },
    settings: () => live.turns,
    reachFor: (run, standing, name) => reach.of(run, standing, name),
    retryAt: (run, end) => {
      const job = jobOf(run)
      return job && retryAtMs(job, run, { end, nowMs: clock.now() })
    },
    endFor: (run, end) => {
      const job = jobOf(run)
      if (run.rules?.command?.decides) return decidedEnd(job, run, decided(end))
      return withFiles(run, job ? withDelivery(job, end, plan) : end)
    },
    isWanted: run => jobOf(run)?.enabled === true,
    noticeFor,
  })
  const scheduler = new Scheduler({
    ...{ store, clock, random, log },
    get zone() {
      return live.settings.zone
    },
    get enabled() {
      return live.settings.cronEnabled
    },
    get staggerMs() {
      return live.settings.staggerMs
    },
    submit: run => engine.submit(run),
    beats: heartbeats,
    stopRuns: runIds => stopRuns({ engine, store, log }, runIds),
    plan: (job, occurrence) => planJob(job, occurrence, plan),
  })
  return { engine, scheduler }
}

function stopRuns(
  { engine, store, log }: { engine: TurnEngine } & Pick<Building, 'store' | 'log'>,
  runIds: readonly string[],
) {
  const runs = runIds.flatMap(runId => store.read.run(runId) ?? [])
  engine.stop({ runs }, 'stop').catch(error => log('error', 'a turn could not stop the ones before it', { error }))
}

/** What a start does once the house stands. */
function starting({ store, clock, engine, scheduler, facts }: MethodParts, log: EngineParts['log']) {
  const recover = async () => (await store.write.recoverRuns({ epoch: store.epoch, nowMs: clock.now() })).value
  const resume = (runs: readonly RunRow[]) => {
    const { heldBack } = facts.condition
    if (heldBack !== undefined) {
      log('error', heldBack, { count: runs.length })
      return
    }
    if (runs.length > 0) log('info', 'going on with unfinished turns', { count: runs.length })
    const jobOf = (jobId: string) => store.read.job(jobId)?.job
    const again = { nowMs: clock.now(), defaultMs: scheduler.staggerMs, jobOf }
    for (const run of staggeredAgain(runs, again)) engine.submit(run)
    const overlapOf = (jobId: string) => {
      const job = jobOf(jobId)
      return job && policyOf(job).overlap
    }
    const superseded = supersededRuns(runs, overlapOf).map(({ runId }) => runId)
    if (superseded.length > 0) stopRuns({ engine, store, log }, superseded)
    for (const run of runs.filter(({ queueMode }) => queueMode === 'interrupt')) {
      // What it was to stop may have come back with it.
      engine
        .interrupt(run)
        .catch(error => log('error', `turn ${run.runId} could not stop the ones before it`, { error }))
    }
    scheduler.start()
  }
  return { recover, resume }
}

function presenceOn(hub: EventHub, clock: Clock, version: () => Pick<GatewayEvent, 'stateVersion'>): Presence {
  const presence: Presence = new Presence({
    clock,
    self: { host: ownName(), version: VERSION, mode: 'gateway', reason: 'self' },
    changed: () => hub.publish({ event: 'presence', payload: { presence: presence.list() }, ...version() }),
  })
  return presence
}

/** The revisions of what clients call stateVersion. */
function healthPicture(parts: MethodParts, hub: EventHub) {
  let health = 0
  const version = () => ({ stateVersion: { presence: parts.presence.revision, health } })
  const healthEvent = () => ({ event: 'health', payload: healthOf(parts), ...version(), droppable: true })
  return {
    version,
    healthEvent,
    tellHealth: () => {
      health += 1
      hub.publish(healthEvent())
    },
  }
}

/** The settings that hold, and what is made of them once: replaced together. */
interface LiveSettings {
  readonly settings: Settings
  readonly turns: TurnSettings
  readonly modelRef: string
  /** The model that answers for an agent; its ref. */
  modelOf(agentId: string): string
  replace(settings: Settings): void
}

/** Where the gateway listens, how many have connected and how some are cut off, once it does. */
interface Address {
  url: string
  connections: () => number
  cut: MethodParts['cut']
}

function liveSettings(building: Building, address: Address, found: FoundModel): LiveSettings {
  const port = () => URL.parse(address.url)?.port ?? ''
  const toolboxFor = toolMaker({ ...building, port, settings: () => live.settings })
  const made = (next: Settings) => ({
    settings: next,
    turns: turnSettings(found.complete(next), toolboxFor(next), building),
    modelRef: modelOf(next, next.defaultAgent),
  })
  const modelOf = (next: Settings, agentId: string) => chooseModel(modelsFor(found.complete(next), agentId)).ref
  const live: LiveSettings = {
    ...made(building.settings),
    modelOf: agentId => modelOf(live.settings, agentId),
    replace: next => void Object.assign(live, made(next)),
  }
  return live
}

function turnSettings(
  settings: Settings,
  toolboxFor: TurnSettings['toolboxFor'],
  { store, world }: Building,
): TurnSettings {
  return {
    zone: settings.zone,
    timeoutMs: settings.turnTimeoutMs,
    toolboxFor,
    personaOf: agentId => {
      const { name, identity } = settings.agents.find(({ id }) => id === agentId) ?? {}
      const folder = workspaceFor(settings, agentId)
      return { name: identity?.name ?? name, theme: identity?.theme, folder, lengthMax: settings.bootstrapLengthMax }
    },
    traitsOf: ref => traitsOf(settings.models, ref),
    // A person in a chat is better told by the built-in model than not at all; what a job or a client wants, it cannot do.
    chooseModel: (ref, { agentId, source, rules }) => {
      if (!isAgent(settings, agentId)) throw unknownAgent(settings, agentId)
      return chooseChain(modelsFor(settings, agentId), {
        ref,
        fallbacks: rules?.fallbacks,
        offlineLast: source === 'chat',
      })
    },
    capReached: (run, model) => {
      const { models, zone } = settings
      return capReached({ read: store.read, caps: models.caps, run, model, zone, nowMs: world.clock.now() })
    },
    costOf: (model, usage) => costMicroUsd(priceOf(settings.models, model), usage),
  }
}

function priceOf({ providers }: Settings['models'], ref: string): Price | undefined {
  const [provider = '', ...id] = ref.split('/')
  const models = Object.hasOwn(providers, provider) ? providers[provider]?.models : undefined
  return models?.find(model => model.id === id.join('/'))?.cost
}

/** Everything that can wait, around one graph. */
function coordinate(clock: Clock, hub: EventHub, settings: Settings) {
  const graph = new WaitGraph()
  announceWaits(graph, clock, hub)
  return {
    graph,
    lanes: new Lanes(graph),
    slots: new Slots(settings.slots),
    joins: new Joins<RunRow>(graph, clock),
    approvals: new Joins<ApprovalRow>(graph, clock, 'approval'),
  }
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

function factsOf(
  { world, places, condition = WELL, logFile = NO_LOG }: Building,
  live: LiveSettings,
  loopDelayMs: () => { p50: number; p99: number; max: number },
) {
  return {
    condition,
    version: VERSION,
    stateDir: places.stateDir,
    logFile,
    get zone() {
      return live.settings.zone
    },
    get modelRef() {
      return live.modelRef
    },
    modelOf: live.modelOf,
    startedAtMs: world.clock.now(),
    loopDelayMs,
    memoryBytes: () => process.memoryUsage().rss,
    pid: process.pid,
  }
}
