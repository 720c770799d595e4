// Composition root: config and world in, a running gateway out. It chooses adapters, opens what a gateway stands on and
// serves it. It starts whole or not at all: whatever was opened is closed again when a later step refuses.
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { decide, equal } from './access/connect.ts'
import { formatDuration, MINUTE } from './base/durations.ts'
import { type Log, openLog } from './base/node/log.ts'
import { VERSION } from './base/node/version.ts'
import { workerUrl } from './base/node/worker-url.ts'
import type { World } from './base/world.ts'
import type { Channel } from './channels/port.ts'
import { type LoadSettings, type Settings, settingsLoader } from './config/load.ts'
import { type Env, type Places, workspaceOf } from './config/locate.ts'
import { startupLines } from './config/startup-lines.ts'
import { furnish, type House } from './house.ts'
import { markStart, type Start } from './maintenance/starts.ts'
import { watchConfig } from './methods/config-watch.ts'
import { restartOnce } from './methods/control.ts'
import { healthOf } from './methods/gateway.ts'
import { metricsText } from './methods/metrics.ts'
import { CATALOGUE, isMethodName } from './protocol/catalogue.ts'
import type { HelloOk } from './protocol/connect.ts'
import { EVENT_NAMES } from './protocol/events.ts'
import { BUFFERED_BYTES_MAX, FRAME_BYTES_MAX, PROTOCOL_VERSION, TICK_INTERVAL_MS } from './protocol/limits.ts'
import { chooseModel, OFFLINE_REF } from './providers/choice.ts'
import { canonicalSession, DEFAULT_AGENT, MAIN_KEY } from './sessions/session-key.ts'
import type { Store } from './store/port.ts'
import { storeFailed } from './store/sqlite/failures.ts'
import { checkIntegrity, damageAdvice, type IntegrityCheck } from './store/sqlite/integrity.ts'
import { openSqliteStore } from './store/sqlite/open.ts'
import { startRetention } from './store/sqlite/retention.ts'
import type { Admission } from './transports/connection.ts'
import { figuresPage, type Page, type PageRequest, renderPage } from './transports/page.ts'
import { GatewayServer } from './transports/server.ts'
import { ThreadRunner } from './turns/thread-runner.ts'

const HOST = '127.0.0.1'
const TOKEN_BYTES = 32
const HEALTH_INTERVAL_MS = MINUTE

export interface GatewayOptions {
  readonly places: Places
  readonly env: Env
  readonly portOverride?: number
  /** Full path of the command that started us; shown to people. */
  readonly launcher: string
  readonly world: World
  /** Default: none. No config names one yet, so who starts a gateway with channels hands them in. */
  readonly channels?: readonly Channel[]
}

export interface RunningGateway {
  readonly url: string
  /** What a person is told at start, in plain words. */
  readonly startupLines: readonly string[]
  /** Resolves when the gateway cannot go on. */
  readonly failed: Promise<Error>
  /** Resolves when somebody had the gateway restarted: it is to be closed, and started again. */
  readonly restartAsked: Promise<{ readonly reason: string | undefined }>
  close(reason: string, options?: { readonly restartExpectedMs: number }): Promise<void>
}

export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const { places, env, world } = options
  const load = loaderOf(options)
  const { settings, token } = prepare(options, load)
  const log = openLog(`${places.stateDir}/logs/gateway.log`, settings.logLevel)
  const store = await openSqliteStore({ folder: places.stateDir })
  const start = await markStartOf(store, options)
  const check = start.afterDeath ? checkStore(places.stateDir, log.log) : undefined
  const runner = new ThreadRunner(workerUrl('runner-entry', import.meta.url), world.clock)
  const restart = Promise.withResolvers<{ reason: string | undefined }>()
  const house = furnish({
    ...{ store, runner, settings, places, world, env, load },
    ...(options.channels && { channels: options.channels }),
    binFolder: dirname(options.launcher),
    log: log.log,
    condition: { heldBack: start.heldBack, integrity: () => check?.state ?? 'not-checked' },
    restart: restartOnce(world.clock, reason => {
      log.log('info', 'restarting', { reason })
      restart.resolve({ reason })
    }),
    applied: next => log.setLevel(next.logLevel),
  })
  const server = serve(house, { token, port: settings.port, options, log: log.log })
  const failure = Promise.withResolvers<Error>()
  let hasFailed = false
  store.onFailure(error => {
    hasFailed = true
    failure.resolve(error)
  })
  const background: { stop(): void }[] = []
  const close: RunningGateway['close'] = async (reason, more) => {
    log.log('info', 'stopping', { reason })
    for (const work of background) work.stop()
    house.parts.scheduler.stop()
    await house.exchange.stop()
    await house.parts.engine.drain()
    await server.close({ reason, restartExpectedMs: more?.restartExpectedMs ?? null })
    await runner.close()
    await check?.stop()
    await store.close()
    if (!hasFailed) start.stoppedCleanly()
    house.loopDelay.stop()
    log.log('info', 'stopped')
    log.flush()
  }
  let url: string
  try {
    url = await open(house, server)
  } catch (error) {
    await close('could not start')
    throw error
  }
  background.push(
    broadcastHealth(house, world),
    startRetention({ store, clock: world.clock, log: log.log }),
    watchConfig({ parts: house.parts, watchFile: world.watchFile, log: log.log }),
  )
  const { modelRef } = house.parts.facts
  log.log('info', 'started', { url, version: VERSION, epoch: store.epoch, zone: settings.zone, model: modelRef })
  const model = (settings.models.primary ?? OFFLINE_REF) === OFFLINE_REF ? undefined : settings.models.primary
  return {
    url,
    startupLines: startupLines({
      url,
      settings: withWarning(settings, start.heldBack),
      places,
      launcher: options.launcher,
      version: VERSION,
      model,
    }),
    failed: failure.promise,
    restartAsked: restart.promise,
    close,
  }
}

/** Begins to serve. Nothing has been heard from a client or a channel before unfinished turns are first in their lanes. */
async function open(house: House, server: GatewayServer): Promise<string> {
  const unfinished = await house.recover()
  const url = `ws://${HOST}:${await server.listen()}`
  house.address.url = url
  house.address.connections = () => server.connectionCount
  house.resume(unfinished)
  await house.exchange.start()
  return url
}

/** What a start needs of the disk beside the store; what the disk refuses is said with its place. */
function prepare({ places, world }: GatewayOptions, load: LoadSettings) {
  const { files } = world
  const settings = load(onDisk(places.configPath, () => files.readText(places.configPath)))
  for (const folder of [places.stateDir, workspaceOf(places)]) onDisk(folder, () => files.ensurePrivateFolder(folder))
  const token = settings.token ?? onDisk(places.tokenPath, () => ownToken(world, places.tokenPath))
  return { settings, token }
}

function onDisk<T>(path: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw storeFailed(path, error, 'not-started')
  }
}

async function markStartOf(store: Store, { places, world }: GatewayOptions): Promise<Start> {
  try {
    return markStart(places.stateDir, world)
  } catch (error) {
    await store.close()
    throw error
  }
}

function checkStore(folder: string, log: Log): IntegrityCheck {
  log('info', 'the last stop was not clean: the store is checked')
  return checkIntegrity(folder, workerUrl('integrity-thread', import.meta.url), integrity => {
    const isDamaged = integrity.startsWith('damaged')
    log(isDamaged ? 'error' : 'info', isDamaged ? damageAdvice(folder) : 'the store was checked', { integrity })
  })
}

function withWarning(settings: Settings, warning: string | undefined): Settings {
  return warning === undefined ? settings : { ...settings, warnings: [warning, ...settings.warnings] }
}

/** Reads settings from a config's text; a model that cannot be reached by name is refused before anything is opened. */
function loaderOf({ places, env, world, portOverride }: GatewayOptions): LoadSettings {
  const systemZone = Intl.DateTimeFormat().resolvedOptions().timeZone
  const sources = { files: world.files, env, places, portOverride, systemZone, isMethod: isMethodName }
  return settingsLoader(sources, settings => void chooseModel(settings.models))
}

interface Serving {
  readonly token: string
  readonly port: number
  readonly options: GatewayOptions
  readonly log: ReturnType<typeof openLog>['log']
}

function serve(house: House, { token, port, options, log }: Serving): GatewayServer {
  const { clock, random } = options.world
  return new GatewayServer({
    host: HOST,
    port,
    clock,
    page: request => pageFor(house, { token, launcher: options.launcher }, request),
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
        const decision = decide(params, token, cause => house.reach.callerOf(cause))
        if (!decision.granted) return { refused: { code: decision.code, message: decision.message } }
        if (decision.turn) return { caller: decision.turn }
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
      uptimeMs: clock.now() - house.parts.facts.startedAtMs,
      lastSeq: house.parts.store.read.lastSeq(),
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

function pageFor(house: House, ours: { token: string; launcher: string }, request: PageRequest): Page | undefined {
  const { parts, address } = house
  const { facts } = parts
  const { path } = request
  if (path === '/healthz') return { status: 200, type: 'text/plain', body: 'ok\n' }
  if (path === '/metrics') {
    const isToken = (presented: string) => equal(presented, ours.token)
    return figuresPage(request, { isToken, read: () => metricsText(parts) })
  }
  if (path !== '/') return undefined
  const body = renderPage({
    version: facts.version,
    url: address.url,
    zone: facts.zone,
    model: facts.modelRef,
    chatCommand: `${ours.launcher} chat`,
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
