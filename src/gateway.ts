// Composition root: config and world in, a running gateway out. It chooses adapters, opens what a gateway stands on and
// serves it. It starts whole or not at all: whatever was opened is closed again when a later step refuses.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { dirname } from 'node:path'
import { bindingOf } from './access/binding.ts'
import { MINUTE } from './base/durations.ts'
import { SluiceError } from './base/errors.ts'
import { ownAddresses } from './base/node/addresses.ts'
import { type Log, type LogFile, openLog } from './base/node/log.ts'
import { VERSION } from './base/node/version.ts'
import { workerUrl } from './base/node/worker-url.ts'
import { ownSecret } from './base/own-secret.ts'
import type { World } from './base/world.ts'
import type { Channel } from './channels/port.ts'
import { modelsOfAgents, workspaceFor } from './config/agents.ts'
import { type LoadSettings, type Settings, settingsLoader } from './config/load.ts'
import { type Env, type GatewayRecord, type Places, urlOf } from './config/locate.ts'
import { startupLines } from './config/startup-lines.ts'
import { furnish, type House } from './house.ts'
import { markStart, refuseEmptied, type Start } from './maintenance/starts.ts'
import { watchConfig } from './methods/config-watch.ts'
import { restartOnce } from './methods/control.ts'
import { isMethodName } from './protocol/catalogue.ts'
import { checkModels, OFFLINE_REF } from './providers/choice.ts'
import { type ChannelHook, type Listening, serve } from './serve.ts'
import type { Store } from './store/port.ts'
import { storeFailed } from './store/sqlite/failures.ts'
import { checkIntegrity, damageAdvice, type Integrity, type IntegrityCheck } from './store/sqlite/integrity.ts'
import type { StartLink } from './store/sqlite/link.ts'
import { isEmptied, openSqliteStore } from './store/sqlite/open.ts'
import { startRetention } from './store/sqlite/retention.ts'
import type { GatewayServer } from './transports/server.ts'
import { ThreadRunner } from './turns/thread-runner.ts'

const HEALTH_INTERVAL_MS = MINUTE
const LOOK_INTERVAL_MS = MINUTE
const TELEGRAM_SECRET_HEADER = 'x-telegram-bot-api-secret-token'

export interface GatewayOptions {
  readonly places: Places
  readonly env: Env
  readonly portOverride?: number
  /** Full path of the command that started us; shown to people. */
  readonly launcher: string
  readonly world: World
  /** The store's writer, warmed while this file was loaded. Default: one that begins when the store is opened. */
  readonly writer?: StartLink
  /** Beside those that the config names. Default: none. */
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
  const { settings, listening } = prepare(options, load)
  const log = openLog(settings.log.path, settings.log)
  const store = await openSqliteStore({ folder: places.stateDir, writer: options.writer })
  const start = await markStartOf(store, options)
  const check = look(store, start, { folder: places.stateDir, log: log.log })
  const runner = new ThreadRunner(workerUrl('runner-entry', import.meta.url), world.clock)
  const restart = Promise.withResolvers<{ reason: string | undefined }>()
  const { channels, webhooks } = await channelsOf(settings, options, log.log)
  const house = furnish({
    ...{ store, runner, settings, places, world, env, load, channels },
    binFolder: dirname(options.launcher),
    ...{ log: log.log, logFile: log.written },
    condition: { heldBack: start.heldBack, integrity: () => check.state },
    restart: restartOnce(world.clock, reason => {
      log.log('info', 'restarting', { reason })
      restart.resolve({ reason })
    }),
    applied: next => taken(next, log, options),
  })
  const { server, http } = serve(house, { ...listening, options, webhooks, log: log.log })
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
    const shutdown = { reason, restartExpectedMs: more?.restartExpectedMs ?? null }
    http.close(shutdown)
    await server.close(shutdown)
    await runner.close()
    await check.stop()
    await store.close()
    if (!hasFailed) marked(log.log, () => start.stoppedCleanly())
    house.loopDelay.stop()
    log.log('info', 'stopped')
    log.flush()
  }
  let url: string
  try {
    await house.findModel()
    url = await open(house, server, { ...listening, options })
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
  background.push(keepLooking(house, world, log.log))
  return {
    url,
    startupLines: startupLines({
      url,
      reach: listening.binding.reach,
      settings: withWarning(settings, start.heldBack),
      places,
      launcher: options.launcher,
      version: VERSION,
      model: modelRef === OFFLINE_REF ? undefined : modelRef,
      found: house.foundModel.for(settings.models),
    }),
    failed: failure.promise,
    restartAsked: restart.promise,
    close,
  }
}

/** The channels that the config names, beside those that were handed in. */
async function channelsOf(
  { channels: { telegram: reach } }: Settings,
  { world, channels = [] }: GatewayOptions,
  log: Log,
): Promise<{ channels: readonly Channel[]; webhooks: readonly ChannelHook[] }> {
  if (!reach) return { channels, webhooks: [] }
  const { botToken: token, webhook, ...rest } = reach
  const { fetch, clock, random } = world
  // Loaded only where it is used.
  const { telegram } = await import('./channels/telegram/telegram.ts')
  const line = telegram({ ...rest, token, webhook, fetch, clock, random, log })
  const hook = webhook && { ...webhook, header: TELEGRAM_SECRET_HEADER, take: line.webhook }
  return { channels: [...channels, line], webhooks: hook ? [hook] : [] }
}

/** While no model is named and none was found although there is a key, it is looked for again and again. */
function keepLooking(house: House, world: World, log: Log): { stop(): void } {
  const isOpen = () => house.foundModel.for(house.parts.settings().models)?.problem !== undefined
  const again = async () => {
    if (isOpen()) {
      await house.findModel()
      if (!isOpen()) log('info', 'a model was found', { model: house.parts.facts.modelRef })
    }
    if (!stopped) timer = world.clock.after(LOOK_INTERVAL_MS, () => void again())
  }
  let stopped = false
  let timer = world.clock.after(LOOK_INTERVAL_MS, () => void again())
  return {
    stop: () => {
      stopped = true
      timer.cancel()
    },
  }
}

/** Begins to serve. Nothing has been heard from a client or a channel before unfinished turns are first in their lanes. */
async function open(
  house: House,
  server: GatewayServer,
  { binding, tls, options }: Listening & { options: GatewayOptions },
): Promise<string> {
  const unfinished = await house.recover()
  const port = await server.listen()
  const url = urlOf({ host: binding.hosts[0]?.host ?? '', port, tls: tls !== undefined })
  const { recordPath } = options.places
  const record: GatewayRecord = { url, ...(tls && { fingerprint: tls.fingerprint }) }
  onDisk(recordPath, () => options.world.files.writePrivateText(recordPath, `${JSON.stringify(record)}\n`))
  house.address.url = url
  house.address.connections = () => server.connectionCount
  house.address.cut = (whose, why) => server.cut(whose, why)
  house.resume(unfinished)
  await house.exchange.start()
  return url
}

/** What a start needs of the disk and the machine beside the store; what is refused is said with its place. */
function prepare({ places, world }: GatewayOptions, load: LoadSettings): { settings: Settings; listening: Listening } {
  const { files } = world
  const settings = load(onDisk(places.configPath, () => files.readText(places.configPath)))
  const { access, port } = settings
  const tls = access.tls && readTls(world, access.tls)
  const binding = bindingOf(access.bind, { addresses: ownAddresses(), isEncrypted: tls !== undefined })
  onDisk(places.stateDir, () => files.ensurePrivateFolder(places.stateDir))
  if (isEmptied(places.stateDir)) refuseEmptied(places.stateDir, world)
  ensureWorkspaces(settings, { places, world })
  const token = settings.token ?? onDisk(places.tokenPath, () => ownSecret(world, places.tokenPath))
  return { settings, listening: { binding, port, tls, secrets: { token, password: access.password }, access } }
}

/** What is not in the house takes other settings up. */
function taken(next: Settings, log: LogFile, options: GatewayOptions): void {
  log.set(next.log)
  try {
    ensureWorkspaces(next, options)
  } catch (error) {
    log.log('error', 'a folder of an agent could not be made', { error: (error as Error).message })
  }
}

/** Agents' folders below our own are made; one elsewhere is its owner's to make. */
function ensureWorkspaces(settings: Settings, { places, world }: Pick<GatewayOptions, 'places' | 'world'>): void {
  for (const { id } of settings.agents) {
    const folder = workspaceFor(settings, id)
    if (folder.startsWith(`${places.stateDir}/`)) onDisk(folder, () => world.files.ensurePrivateFolder(folder))
  }
}

function readTls({ files }: World, paths: { certPath: string; keyPath: string }): NonNullable<Listening['tls']> {
  const read = (name: 'certPath' | 'keyPath') => {
    const text = onDisk(paths[name], () => files.readText(paths[name]))
    if (text !== undefined) return text
    throw new SluiceError('INVALID_REQUEST', `gateway.tls.${name} is ${paths[name]}, and there is no such file.`)
  }
  const [cert, key] = [read('certPath'), read('keyPath')]
  const refused = (why: string) => {
    const message = `gateway.tls cannot be used: ${why}. Give the PEM files of a certificate and of its key.`
    return new SluiceError('INVALID_REQUEST', message)
  }
  let certificate: X509Certificate
  let isPair: boolean
  try {
    certificate = new X509Certificate(cert)
    isPair = certificate.checkPrivateKey(createPrivateKey(key))
  } catch (error) {
    throw refused(String(error))
  }
  if (!isPair) throw refused('the key is not the one of the certificate')
  return { cert, key, fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase() }
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

/** What is known of the store's pages: from the look at its opening, else from a check in the background where one is due. */
function look(store: Store, start: Start, { folder, log }: { folder: string; log: Log }): IntegrityCheck {
  const tell = (integrity: Integrity) => {
    const isDamaged = integrity.startsWith('damaged')
    log(isDamaged ? 'error' : 'info', isDamaged ? damageAdvice(folder) : 'the store was checked', { integrity })
    if (integrity === 'ok') marked(log, () => start.foundWhole())
  }
  const known = (state: Integrity): IntegrityCheck => ({ state, stop: async () => undefined })
  if (store.damage !== undefined) {
    const damaged: Integrity = `damaged: ${store.damage}`
    tell(damaged)
    return known(damaged)
  }
  if (!start.checkDue) return known('not-checked')
  const why = start.afterDeath ? 'the last stop was not clean' : 'no check has ended since a stop that was not clean'
  log('info', `${why}: the store is checked`)
  return checkIntegrity(folder, workerUrl('integrity-thread', import.meta.url), tell)
}

/** A mark that the disk refuses makes the next start look once more, and stops nothing. */
function marked(log: Log, mark: () => void): void {
  try {
    mark()
  } catch (error) {
    log('warn', 'how this gateway stands could not be marked for the next start', { error: (error as Error).message })
  }
}

function withWarning(settings: Settings, warning: string | undefined): Settings {
  return warning === undefined ? settings : { ...settings, warnings: [warning, ...settings.warnings] }
}

/** Reads settings from a config's text; a model that cannot be reached by name is refused before anything is opened. */
function loaderOf({ places, env, world, portOverride }: GatewayOptions): LoadSettings {
  const systemZone = Intl.DateTimeFormat().resolvedOptions().timeZone
  const sources = { files: world.files, env, places, portOverride, systemZone, isMethod: isMethodName }
  return settingsLoader(sources, settings => {
    for (const { models, keys } of modelsOfAgents(settings)) checkModels(models, keys)
  })
}

function broadcastHealth(house: House, world: World): { stop(): void } {
  const schedule = () =>
    world.clock.after(HEALTH_INTERVAL_MS, () => {
      house.tellHealth()
      timer = schedule()
    })
  let timer = schedule()
  return { stop: () => timer.cancel() }
}
