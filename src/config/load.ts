// Loads the config: reads, resolves references, validates, and turns it into the plain settings that each folder is
// handed, at start and whenever it changes. A wrong value is refused with its path, the value and what is allowed; nothing
// starts, or goes on, half-configured.
import { MINUTE, SECOND } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import type { Files } from '../base/world.ts'
import { isZone } from '../base/zoned-time.ts'
import type { HeartbeatRule } from '../protocol/heartbeat.ts'
import { type AccessSettings, accessSettings } from './access.ts'
import { type AgentsSettings, agentsSettings, pathOf } from './agents.ts'
import { type Bounds, boundsOf } from './bounds.ts'
import { type ChannelSettings, channelSettings, channelWarnings } from './channels.ts'
import { heartbeatsOf } from './heartbeats.ts'
import { type HttpSettings, httpSettings } from './http.ts'
import { wholeConfig } from './includes.ts'
import { reportKeys } from './known-keys.ts'
import { type Env, gatewayPort, type Places, workspaceOf } from './locate.ts'
import { type ModelsSettings, modelsSettings } from './models.ts'
import { type Overridden, overriddenKeys } from './overridden.ts'
import { resolveReferences, wrong } from './references.ts'
import { type ConfigFile, configSchema } from './schema.ts'
import { isSecretPath, valueAt } from './secrets.ts'
import { type SessionReset, sessionResetOf } from './session-reset.ts'

const ISSUES_TOLD_MAX = 10
const VALUE_LENGTH_MAX = 80
const TURN_TIMEOUT_MS_DEFAULT = 10 * MINUTE
const EXEC_TIMEOUT_MS_DEFAULT = 30 * MINUTE
const APPROVAL_TIMEOUT_MS_DEFAULT = 10 * MINUTE
const LOG_FILE_MB_DEFAULT = 10
const LOG_FILES_DEFAULT = 3
const MB = 1_000_000

/** Whether turns may start processes, which ones without being asked, and for how long. */
export interface ExecSettings {
  /** `deny`: none. `allowlist`: those in `allow`, and others as `ask` says. `full`: all. */
  readonly security: 'deny' | 'allowlist' | 'full'
  /** When a person is asked first: never, for what is not in `allow`, or always. */
  readonly ask: 'off' | 'on-miss' | 'always'
  readonly allow: readonly string[]
  readonly timeoutMs: number
  readonly approvalTimeoutMs: number
  /** Where commands run; undefined: in the agent's workspace. */
  readonly cwd: string | undefined
}

/** What the log keeps, and where. */
export interface LogSettings {
  readonly level: string
  readonly path: string
  /** Bytes at which it is put aside. */
  readonly bytesMax: number
  /** Those put aside that are kept. */
  readonly filesMax: number
}

export interface Settings extends Bounds, AgentsSettings {
  readonly access: AccessSettings
  readonly http: HttpSettings
  readonly port: number
  /** From the environment or the config; undefined: the one in the state folder. */
  readonly token: string | undefined
  readonly zone: string
  /** Where the zone comes from; `default` means that nobody has chosen UTC. */
  readonly zoneFrom: 'config' | 'system' | 'default'
  readonly models: ModelsSettings
  readonly turnTimeoutMs: number
  readonly toolPolicy: { readonly allow: readonly string[] | undefined; readonly deny: readonly string[] }
  /** Bounds on the work of a method, by name. */
  readonly methodTimeoutsMs: ReadonlyMap<string, number>
  /** Bounds on the work of a tool's calls, by the tool's name; they win over the method's. */
  readonly toolTimeoutsMs: ReadonlyMap<string, number>
  readonly exec: ExecSettings
  readonly webFetch: boolean
  readonly heartbeats: readonly HeartbeatRule[]
  readonly sessionReset: SessionReset
  readonly channels: ChannelSettings
  readonly cronEnabled: boolean
  readonly staggerMs: number
  /** Whose jobs may run commands. */
  readonly jobCommands: 'off' | 'operator'
  readonly log: LogSettings
  /** What is said at start: keys that are unknown or not used yet. */
  readonly warnings: readonly string[]
  /** Keys of the file that something else wins over. */
  readonly overridden: readonly Overridden[]
}

export interface ConfigSources {
  readonly files: Files
  readonly env: Env
  readonly places: Places
  readonly portOverride: number | undefined
  /** The zone of this machine. */
  readonly systemZone: string
  readonly isMethod: (name: string) => boolean
}

/** Reads settings from a config's text as a gateway that starts with it would; throws where it would not start. */
export type LoadSettings = (text: string | undefined) => Settings

/** `judge` throws where the settings cannot be carried out, such as for a model that nobody serves. */
export function settingsLoader(sources: ConfigSources, judge: (settings: Settings) => void): LoadSettings {
  return text => {
    const settings = settingsOf(text, sources)
    judge(settings)
    return settings
  }
}

export function loadSettings(sources: ConfigSources): Settings {
  return settingsOf(sources.files.readText(sources.places.configPath), sources)
}

function settingsOf(text: string | undefined, sources: ConfigSources): Settings {
  const { env, places } = sources
  const written = wholeConfig(text, places.configPath, sources.files) ?? {}
  const raw = resolveReferences(written, sources)
  const config = validated({ raw, written }, places.configPath)
  const zone = zoneOf(config, sources)
  const defaults = config.agents?.defaults
  const agents = agentsSettings({
    ...{ agents: config.agents, bindings: config.bindings, talk: config.tools?.agentToAgent },
    ...{ env, workspace: workspaceOf(places), wrong },
  })
  const token = env.SLUICE_GATEWAY_TOKEN || config.gateway?.auth?.token
  const channels = channelSettings(config, sources)
  return {
    port: sources.portOverride ?? gatewayPort(env, config),
    access: accessSettings(config.gateway, env, wrong),
    token,
    http: httpSettings(config, token, wrong),
    ...zone,
    models: modelsSettings({ models: config.models, model: defaults?.model, env, zone: zone.zone }),
    turnTimeoutMs: defaults?.timeoutSeconds === undefined ? TURN_TIMEOUT_MS_DEFAULT : defaults.timeoutSeconds * SECOND,
    ...boundsOf(config),
    toolPolicy: { allow: config.tools?.allow, deny: config.tools?.deny ?? [] },
    methodTimeoutsMs: methodTimeouts(config, sources),
    toolTimeoutsMs: toolTimeouts(config),
    exec: execSettings(config.tools?.exec),
    webFetch: config.tools?.web?.fetch?.enabled ?? false,
    ...agents,
    heartbeats: heartbeatsOf(config.agents, zone.zone, agents.defaultAgent),
    sessionReset: sessionResetOf(config.session?.reset),
    channels,
    cronEnabled: config.cron?.enabled ?? true,
    staggerMs: config.cron?.staggerMs ?? SECOND,
    jobCommands: config.cron?.commands ?? 'off',
    log: logSettings(config.logging, sources),
    warnings: [...channelWarnings(channels), ...keyWarnings(written)],
    overridden: overriddenKeys(written, sources),
  }
}

type ExecConfig = NonNullable<ConfigFile['tools']>['exec']

function execSettings(exec: ExecConfig): ExecSettings {
  const { timeoutSec, approvalTimeoutSec } = exec ?? {}
  return {
    security: exec?.security ?? 'deny',
    ask: exec?.ask ?? 'on-miss',
    allow: exec?.allow ?? [],
    timeoutMs: timeoutSec === undefined ? EXEC_TIMEOUT_MS_DEFAULT : timeoutSec * SECOND,
    approvalTimeoutMs: approvalTimeoutSec === undefined ? APPROVAL_TIMEOUT_MS_DEFAULT : approvalTimeoutSec * SECOND,
    cwd: exec?.workdir,
  }
}

function logSettings(logging: ConfigFile['logging'], { places, env }: ConfigSources): LogSettings {
  const { level = 'info', file, maxFileMb = LOG_FILE_MB_DEFAULT, keepFiles = LOG_FILES_DEFAULT } = logging ?? {}
  const path = file === undefined ? `${places.stateDir}/logs/gateway.log` : pathOf(file, env)
  return { level, path, bytesMax: Math.round(maxFileMb * MB), filesMax: keepFiles }
}

/** One wrong value; what is refused carries all of them as `details.issues`. */
export interface ConfigIssue {
  readonly path: string
  readonly message: string
}

function validated({ raw, written }: { raw: unknown; written: unknown }, configPath: string): ConfigFile {
  const result = configSchema.safeParse(raw)
  if (result.success) return result.data
  const issues = result.error.issues.map(({ path, message }) => {
    const names = path.map(String)
    return { path: names.join('.'), message: `${message}${shownValue(names, valueAt(written, names))}` }
  })
  const lines = issues.slice(0, ISSUES_TOLD_MAX).map(({ path, message }) => `  ${path || '(root)'}: ${message}`)
  throw new SluiceError(
    'INVALID_REQUEST',
    `The config ${configPath} has wrong values and is not used:\n${lines.join('\n')}`,
    { details: { issues } },
  )
}

/** As it is written in the file, so that nothing of the environment is told; a secret is not shown. */
function shownValue(path: readonly string[], value: unknown): string {
  if (value === undefined || typeof value === 'object' || isSecretPath(path)) return ''
  const text = JSON.stringify(value)
  return ` (it is ${text.length > VALUE_LENGTH_MAX ? `${text.slice(0, VALUE_LENGTH_MAX)}…` : text})`
}

function zoneOf(config: ConfigFile, sources: ConfigSources): Pick<Settings, 'zone' | 'zoneFrom'> {
  const configured = config.agents?.defaults?.userTimezone
  if (configured !== undefined) {
    if (isZone(configured)) return { zone: configured, zoneFrom: 'config' }
    throw wrong(
      'agents.defaults.userTimezone',
      `is "${configured}", which is no IANA zone. Use a name such as Europe/Berlin.`,
    )
  }
  const system = sources.systemZone
  if (!isZone(system) || /^(UTC|Etc\/UTC|Etc\/Unknown)$/.test(system)) {
    return { zone: 'UTC', zoneFrom: sources.env.TZ ? 'system' : 'default' }
  }
  return { zone: system, zoneFrom: 'system' }
}

function methodTimeouts(config: ConfigFile, sources: ConfigSources): Map<string, number> {
  const timeouts = new Map<string, number>()
  for (const [name, { timeoutMs }] of Object.entries(config.methods ?? {})) {
    if (!sources.isMethod(name)) throw wrong(`methods.${name}`, 'names no method.')
    if (timeoutMs !== undefined) timeouts.set(name, timeoutMs)
  }
  return timeouts
}

function toolTimeouts(config: ConfigFile): Map<string, number> {
  const timeouts = new Map<string, number>()
  for (const [name, value] of Object.entries(config.tools ?? {})) {
    const timeoutMs =
      typeof value === 'object' && value !== null ? (value as { timeoutMs?: unknown }).timeoutMs : undefined
    if (timeoutMs === undefined) continue
    if (typeof timeoutMs !== 'number' || !Number.isInteger(timeoutMs) || timeoutMs < 1) {
      throw wrong(`tools.${name}.timeoutMs`, `is ${JSON.stringify(timeoutMs)}; give whole milliseconds, e.g. 10000.`)
    }
    timeouts.set(name, timeoutMs)
  }
  return timeouts
}

function keyWarnings(raw: unknown): string[] {
  const { unused, unknown } = reportKeys(raw)
  return [
    ...unknown.map(
      ({ path, meant }) => `config: ${path} is not known${meant === undefined ? '' : `; did you mean ${meant}?`}`,
    ),
    ...(unused.length === 0 ? [] : [`config: understood but not used by this version: ${unused.join(', ')}`]),
  ]
}
