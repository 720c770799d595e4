// Every key of the family's config that Sluice understands: used, or named as not used yet. A key that is neither is
// reported with the nearest name. `*` stands for a name that people choose.

/** Keys that change behaviour; each has a test. */
export const USED_KEYS: readonly string[] = [
  'gateway.port',
  'gateway.bind',
  'gateway.auth.mode',
  'gateway.auth.token',
  'models.providers.*.baseUrl',
  'models.providers.*.apiKey',
  'models.providers.*.api',
  'models.providers.*.headers',
  'agents.defaults.model',
  'agents.defaults.model.primary',
  'agents.defaults.userTimezone',
  'agents.defaults.timeoutSeconds',
  'agents.defaults.maxConcurrent',
  'tools.allow',
  'tools.deny',
  'tools.*.timeoutMs',
  'methods.*.timeoutMs',
  'cron.enabled',
  'logging.level',
]

/** Whole sections and keys that are understood and change nothing yet. */
export const UNUSED_KEYS: readonly string[] = [
  'meta',
  'env',
  'wizard',
  'diagnostics',
  'update',
  'browser',
  'ui',
  'auth',
  'nodeHost',
  'bindings',
  'broadcast',
  'audio',
  'media',
  'messages',
  'commands',
  'approvals',
  'session',
  'hooks',
  'web',
  'channels',
  'discovery',
  'canvasHost',
  'talk',
  'skills',
  'plugins',
  'gateway.mode',
  'gateway.customBindHost',
  'gateway.controlUi',
  'gateway.auth.password',
  'gateway.auth.allowTailscale',
  'gateway.tailscale',
  'gateway.remote',
  'gateway.reload',
  'gateway.tls',
  'gateway.http',
  'gateway.nodes',
  'gateway.trustedProxies',
  'agents.list',
  'agents.defaults.model.fallbacks',
  'agents.defaults.imageModel',
  'agents.defaults.models',
  'agents.defaults.workspace',
  'agents.defaults.skipBootstrap',
  'agents.defaults.bootstrapMaxChars',
  'agents.defaults.timeFormat',
  'agents.defaults.contextTokens',
  'agents.defaults.cliBackends',
  'agents.defaults.contextPruning',
  'agents.defaults.compaction',
  'agents.defaults.memorySearch',
  'agents.defaults.thinkingDefault',
  'agents.defaults.verboseDefault',
  'agents.defaults.elevatedDefault',
  'agents.defaults.humanDelay',
  'agents.defaults.mediaMaxMb',
  'agents.defaults.heartbeat',
  'agents.defaults.subagents',
  'agents.defaults.sandbox',
  'cron.store',
  'cron.maxConcurrentRuns',
  'models.mode',
  'models.bedrockDiscovery',
  'models.providers.*.auth',
  'models.providers.*.authHeader',
  'models.providers.*.models',
  'tools.profile',
  'tools.byProvider',
  'tools.web',
  'tools.media',
  'tools.links',
  'tools.message',
  'tools.agentToAgent',
  'tools.elevated',
  'tools.exec',
  'tools.subagents',
  'tools.sandbox',
  'logging.file',
  'logging.consoleLevel',
  'logging.consoleStyle',
  'logging.redactSensitive',
]

export interface KeyReport {
  /** Understood but not used yet. */
  readonly unused: readonly string[]
  /** Not known; with the nearest known name, if one is near. */
  readonly unknown: readonly { readonly path: string; readonly meant?: string }[]
}

const USED = USED_KEYS.map(key => key.split('.'))
const UNUSED = UNUSED_KEYS.map(key => key.split('.'))

export function reportKeys(config: unknown): KeyReport {
  const unused: string[] = []
  const unknown: { path: string; meant?: string }[] = []
  const walk = (value: unknown, path: readonly string[]): void => {
    if (UNUSED.some(known => matches(known, path, known.length))) {
      unused.push(path.join('.'))
      return
    }
    const branch =
      path.length === 0 ||
      [...USED, ...UNUSED].some(known => matches(known, path, path.length) && known.length > path.length)
    const whole = USED.some(known => matches(known, path, known.length))
    if (whole && !branch) return
    if (!whole && !branch) {
      const meant = nearest(path)
      unknown.push({ path: path.join('.'), ...(meant !== undefined && { meant }) })
      return
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return
    for (const [key, child] of Object.entries(value)) walk(child, [...path, key])
  }
  walk(config, [])
  return { unused, unknown }
}

/** Whether the first `length` parts agree. */
function matches(known: readonly string[], path: readonly string[], length: number): boolean {
  if (path.length < length || known.length < length) return false
  return known.slice(0, length).every((part, index) => part === '*' || part === path[index])
}

/** The known name at the same place that is at most two edits away, fewer for short names. */
function nearest(path: readonly string[]): string | undefined {
  const parent = path.slice(0, -1)
  const name = path.at(-1) ?? ''
  const candidates = [...USED, ...UNUSED]
    .filter(known => known.length > parent.length && matches(known, parent, parent.length))
    .map(known => known[parent.length] as string)
  const best = [...new Set(candidates)]
    .map(candidate => ({ candidate, distance: editDistance(candidate.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0]
  return best && best.distance <= Math.min(2, name.length - 2) && best.candidate !== '*'
    ? [...parent, best.candidate].join('.')
    : undefined
}

export function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const substituted = (previous[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(substituted, (previous[j] as number) + 1, (row[j - 1] as number) + 1))
    }
    previous = row
  }
  return previous[b.length] as number
}
