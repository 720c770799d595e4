// Keys of the config that something else wins over, so that whoever changes one is told why nothing changes.
import type { Env } from './locate.ts'
import { valueAt } from './secrets.ts'

export interface Overridden {
  readonly key: string
  /** What wins: a flag, or a variable of the environment. */
  readonly by: string
}

export function overriddenKeys(
  config: unknown,
  { env, portOverride }: { readonly env: Env; readonly portOverride: number | undefined },
): Overridden[] {
  const wins = [
    {
      key: 'gateway.port',
      by: portOverride !== undefined ? '--port' : env.SLUICE_GATEWAY_PORT && 'SLUICE_GATEWAY_PORT',
    },
    { key: 'gateway.auth.token', by: env.SLUICE_GATEWAY_TOKEN && 'SLUICE_GATEWAY_TOKEN' },
    { key: 'gateway.auth.password', by: env.SLUICE_GATEWAY_PASSWORD && 'SLUICE_GATEWAY_PASSWORD' },
  ]
  return wins.flatMap(({ key, by }) => (by && valueAt(config, key.split('.')) !== undefined ? [{ key, by }] : []))
}

/** Those of them that a change is about. */
export function overriddenOf(
  overridden: readonly Overridden[],
  { before, after }: { readonly before: unknown; readonly after: unknown },
): Overridden[] {
  const textAt = (config: unknown, key: string) => JSON.stringify(valueAt(config, key.split('.')))
  return overridden.filter(({ key }) => textAt(before, key) !== textAt(after, key))
}
