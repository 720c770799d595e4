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
}

/** `SLUICE_STATE_DIR`, else `~/.sluice`; `SLUICE_CONFIG_PATH`, else `sluice.json` in it. */
export function locate(env: Env, home: string): Places {
  const stateDir = env.SLUICE_STATE_DIR || `${home}/.sluice`
  return {
    stateDir,
    configPath: env.SLUICE_CONFIG_PATH || `${stateDir}/sluice.json`,
    tokenPath: `${stateDir}/token`,
  }
}

/** Where a turn's commands run that name no folder, unless the config chooses another. */
export function workspaceOf({ stateDir }: Pick<Places, 'stateDir'>): string {
  return `${stateDir}/workspace`
}

/** The parsed config file; undefined when there is none. A file that cannot be parsed is refused with its place. */
export function readConfigFile(files: Files, configPath: string): unknown {
  return parseConfig(files.readText(configPath), configPath)
}

/** The same of a text that was read before. */
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

/** The token a client presents: `SLUICE_GATEWAY_TOKEN`, else `gateway.auth.token`, else the file in the state folder. */
export function clientToken(files: Files, env: Env, found: { config: unknown; tokenPath: string }): string | undefined {
  if (env.SLUICE_GATEWAY_TOKEN) return env.SLUICE_GATEWAY_TOKEN
  const auth = gatewaySection(found.config).auth
  const configured = typeof auth === 'object' && auth !== null ? (auth as { token?: unknown }).token : undefined
  if (typeof configured === 'string' && configured !== '') return configured
  return files.readText(found.tokenPath)?.trim() || undefined
}

function gatewaySection(config: unknown): { port?: unknown; auth?: unknown } {
  const section = typeof config === 'object' && config !== null ? (config as { gateway?: unknown }).gateway : undefined
  return typeof section === 'object' && section !== null ? section : {}
}
