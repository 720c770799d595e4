// Where the state and the config of a gateway are, and the two facts a client on the same machine needs of them: the
// address and the token. Light on purpose (no schema), because every CLI command pays for it.
import JSON5 from 'json5'
import { SluiceError } from '../base/errors.ts'
import type { Files } from '../base/world.ts'
import { DEFAULT_PORT } from '../protocol/limits.ts'

export type Env = Readonly<Record<string, string | undefined>>

export interface Places {
  readonly stateDir: string
  readonly configPath: string
  /** Holds the gateway's token, 0600. */
  readonly tokenPath: string
  /** Holds what tokens of devices are derived from, 0600. */
  readonly deviceKeyPath: string
  /** Says where the running gateway is reached from this machine; left behind when its process dies. */
  readonly recordPath: string
}

/** `SLUICE_STATE_DIR`, else `~/.sluice`; `SLUICE_CONFIG_PATH`, else `sluice.json` in it. */
export function locate(env: Env, home: string): Places {
  const stateDir = env.SLUICE_STATE_DIR || `${home}/.sluice`
  return {
    stateDir,
    configPath: env.SLUICE_CONFIG_PATH || `${stateDir}/sluice.json`,
    tokenPath: `${stateDir}/token`,
    deviceKeyPath: `${stateDir}/device.key`,
    recordPath: `${stateDir}/gateway.json`,
  }
}

/** The default agent's folder, unless the config chooses another. */
export function workspaceOf({ stateDir }: Pick<Places, 'stateDir'>): string {
  return `${stateDir}/workspace`
}

/** The parsed text of a config file; undefined when there is none. One that cannot be parsed is refused with its place. */
export function parseConfig(text: string | undefined, configPath: string): unknown {
  if (text === undefined || text.trim() === '') return undefined
  try {
    return JSON5.parse(text)
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace('JSON5: ', '') : String(error)
    throw new SluiceError(
      'INVALID_REQUEST',
      `The config file ${configPath} is not valid JSON5: ${reason}. Correct it there, or move it away to start with defaults.`,
    )
  }
}

/** `SLUICE_GATEWAY_PORT`, else `gateway.port`, else the default. What is no port is refused by name. */
export function gatewayPort(env: Env, config: unknown): number {
  const fromEnv = env.SLUICE_GATEWAY_PORT
  const value = fromEnv !== undefined && fromEnv !== '' ? Number(fromEnv) : gatewaySection(config).port
  if (value === undefined) return DEFAULT_PORT
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535) return value
  const name = fromEnv ? 'SLUICE_GATEWAY_PORT' : 'gateway.port'
  throw new SluiceError(
    'INVALID_REQUEST',
    `${name} is ${fromEnv ?? JSON.stringify(value)}; give a port from 1 to 65535.`,
  )
}

/** Where a gateway is reached from its own machine. */
export interface GatewayRecord {
  readonly url: string
  /** SHA-256 of its certificate as hex; only this one is taken. */
  readonly fingerprint?: string
}

/**
 * Where the gateway of this state folder is: as it wrote down itself, unless the environment names another port; else as
 * the config says.
 */
export function ownAddress(
  files: Files,
  env: Env,
  { config, recordPath }: { config: unknown; recordPath: string },
): GatewayRecord {
  const record = readRecord(files, recordPath)
  if (record && (!env.SLUICE_GATEWAY_PORT || URL.parse(record.url)?.port === env.SLUICE_GATEWAY_PORT)) return record
  const { bind, customBindHost, tls } = gatewaySection(config)
  const named = bind === 'custom' ? customBindHost : bind
  const host = typeof named === 'string' && /[.:]/.test(named) ? named : LOOPBACK
  return { url: urlOf({ host, port: gatewayPort(env, config), tls: isRecord(tls) && tls.enabled === true }) }
}

const LOOPBACK = '127.0.0.1'

/** The address by which this machine reaches what listens on `host`. */
export function urlOf({ host, port, tls }: { host: string; port: number; tls: boolean }): string {
  const reached = /^(0\.0\.0\.0|::)$/.test(host) ? LOOPBACK : host
  return `${tls ? 'wss' : 'ws'}://${reached.includes(':') ? `[${reached}]` : reached}:${port}`
}

function readRecord(files: Files, recordPath: string): GatewayRecord | undefined {
  try {
    const { url, fingerprint } = JSON.parse(files.readText(recordPath) ?? '{}')
    if (typeof url !== 'string' || !URL.canParse(url)) return undefined
    return { url, ...(typeof fingerprint === 'string' && { fingerprint }) }
  } catch {
    // It is ours alone; one that is no record says nothing.
    return undefined
  }
}

/** What a client of this machine presents. */
export interface ClientSecrets {
  readonly token?: string
  readonly password?: string
}

/**
 * `SLUICE_GATEWAY_TOKEN`, else `gateway.auth.token`, else the file in the state folder; and the password, where there is
 * one.
 */
export function clientSecrets(files: Files, env: Env, found: { config: unknown; tokenPath: string }): ClientSecrets {
  const { auth } = gatewaySection(found.config)
  const configured = (name: string) => {
    const value = isRecord(auth) ? auth[name] : undefined
    if (typeof value !== 'string' || value === '') return undefined
    return value.replaceAll(/\$\{([A-Z][A-Z0-9_]*)\}/g, (_, named: string) => env[named] ?? '')
  }
  const token = env.SLUICE_GATEWAY_TOKEN || configured('token') || files.readText(found.tokenPath)?.trim()
  const password = env.SLUICE_GATEWAY_PASSWORD || configured('password')
  return { ...(token && { token }), ...(password && { password }) }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

function gatewaySection(config: unknown): Readonly<Record<string, unknown>> {
  const section = isRecord(config) ? config.gateway : undefined
  return isRecord(section) ? section : {}
}
