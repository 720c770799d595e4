// Every key of the family's config that Sluice understands: used, or named as not used yet. A key that is neither is
// reported with the nearest name. `*` stands for a name that people choose, or for a place in a list.

/** Keys that change behaviour; each has a test. */
export const USED_KEYS: readonly string[] = [
  'gateway.port',
  'gateway.bind',
  'gateway.auth.mode',
  'gateway.auth.token',
  'gateway.auth.password',
  'gateway.customBindHost',
  'gateway.tls.enabled',
  'gateway.tls.certPath',
  'gateway.tls.keyPath',
  'gateway.trustedProxies',
  'gateway.allowedHosts',
  'gateway.http.endpoints.chatCompletions.enabled',
  'gateway.http.endpoints.responses.enabled',
  'hooks.enabled',
  'hooks.token',
  'hooks.path',
  'hooks.maxBodyBytes',
  'models.providers.*.baseUrl',
  'models.providers.*.apiKey',
  'models.providers.*.api',
  'models.providers.*.headers',
  'models.providers.*.maxConcurrent',
  'models.providers.*.timeoutSeconds',
  'models.providers.*.models.*.id',
  'models.providers.*.models.*.name',
  'models.providers.*.models.*.reasoning',
  'models.providers.*.models.*.input',
  'models.providers.*.models.*.cost.input',
  'models.providers.*.models.*.cost.output',
  'models.providers.*.models.*.cost.cacheRead',
  'models.providers.*.models.*.cost.cacheWrite',
  'models.providers.*.models.*.contextWindow',
  'models.caps.turn.tokens',
  'models.caps.turn.usd',
  'models.caps.session.tokens',
  'models.caps.session.usd',
  'models.caps.job.tokens',
  'models.caps.job.usd',
  'models.caps.day.tokens',
  'models.caps.day.usd',
  'agents.defaults.model',
  'agents.defaults.model.primary',
  'agents.defaults.model.fallbacks',
  'agents.defaults.workspace',
  'agents.defaults.bootstrapMaxChars',
  'agents.defaults.subagents.model',
  'agents.defaults.subagents.model.primary',
  'agents.defaults.userTimezone',
  'agents.defaults.timeoutSeconds',
  'agents.defaults.maxConcurrent',
  'agents.defaults.maxQueued',
  'agents.defaults.subagents.maxConcurrent',
  'agents.defaults.subagents.maxDepth',
  'agents.defaults.subagents.maxChildren',
  'agents.defaults.heartbeat.every',
  'agents.defaults.heartbeat.activeHours.start',
  'agents.defaults.heartbeat.activeHours.end',
  'agents.defaults.heartbeat.activeHours.timezone',
  'agents.defaults.heartbeat.prompt',
  'agents.defaults.heartbeat.model',
  'agents.defaults.heartbeat.target',
  'agents.defaults.heartbeat.ackMaxChars',
  'agents.list.*.id',
  'agents.list.*.name',
  'agents.list.*.default',
  'agents.list.*.workspace',
  'agents.list.*.model',
  'agents.list.*.model.primary',
  'agents.list.*.model.fallbacks',
  'agents.list.*.identity.name',
  'agents.list.*.identity.theme',
  'agents.list.*.identity.emoji',
  'agents.list.*.identity.avatar',
  'agents.list.*.tools.allow',
  'agents.list.*.tools.deny',
  'agents.list.*.subagents.allowAgents',
  'agents.list.*.subagents.model',
  'agents.list.*.subagents.model.primary',
  'agents.list.*.maxConcurrent',
  'agents.list.*.heartbeat.every',
  'agents.list.*.heartbeat.activeHours.start',
  'agents.list.*.heartbeat.activeHours.end',
  'agents.list.*.heartbeat.activeHours.timezone',
  'agents.list.*.heartbeat.prompt',
  'agents.list.*.heartbeat.model',
  'agents.list.*.heartbeat.target',
  'agents.list.*.heartbeat.ackMaxChars',
  'bindings.*.agentId',
  'bindings.*.match.channel',
  'bindings.*.match.accountId',
  'bindings.*.match.peer.kind',
  'bindings.*.match.peer.id',
  'channels.telegram.enabled',
  'channels.telegram.botToken',
  'channels.telegram.tokenFile',
  'channels.telegram.dmPolicy',
  'channels.telegram.allowFrom',
  'channels.telegram.groupPolicy',
  'channels.telegram.groupAllowFrom',
  'channels.telegram.groups.*.enabled',
  'channels.telegram.groups.*.requireMention',
  'channels.telegram.groups.*.allowFrom',
  'channels.telegram.mediaMaxMb',
  'channels.telegram.streamMode',
  'channels.telegram.webhookUrl',
  'channels.telegram.webhookSecret',
  'channels.telegram.webhookPath',
  'channels.telegram.apiRoot',
  'messages.ackReaction',
  'messages.ackReactionScope',
  'messages.removeAckAfterReply',
  'messages.queue.cap',
  'messages.queue.mode',
  'messages.queue.byChannel',
  'session.agentToAgent.maxPingPongTurns',
  'session.reset.mode',
  'session.reset.atHour',
  'session.reset.idleMinutes',
  'tools.allow',
  'tools.deny',
  'tools.agentToAgent.enabled',
  'tools.agentToAgent.allow',
  'tools.exec.security',
  'tools.exec.ask',
  'tools.exec.allow',
  'tools.exec.timeoutSec',
  'tools.exec.approvalTimeoutSec',
  'tools.exec.workdir',
  'tools.subagents.tools.allow',
  'tools.subagents.tools.deny',
  'tools.web.fetch.enabled',
  'tools.*.timeoutMs',
  'methods.*.timeoutMs',
  'cron.commands',
  'cron.enabled',
  'cron.maxConcurrentRuns',
  'cron.staggerMs',
  'logging.level',
  'logging.file',
  'logging.maxFileMb',
  'logging.keepFiles',
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
  'bindings.*.match.guildId',
  'bindings.*.match.teamId',
  'broadcast',
  'audio',
  'media',
  'messages.messagePrefix',
  'messages.responsePrefix',
  'messages.groupChat',
  'messages.queue.debounceMs',
  'messages.queue.drop',
  'messages.inbound',
  'messages.tts',
  'commands',
  'approvals',
  'session.scope',
  'session.dmScope',
  'session.identityLinks',
  'session.resetTriggers',
  'session.idleMinutes',
  'session.resetByType',
  'session.resetByChannel',
  'session.store',
  'session.typingMode',
  'session.typingIntervalSeconds',
  'session.mainKey',
  'session.sendPolicy',
  'hooks.presets',
  'hooks.transformsDir',
  'hooks.mappings',
  'hooks.gmail',
  'hooks.internal',
  'web',
  'channels.telegram.accounts',
  'channels.telegram.groups.*.tools',
  'channels.telegram.groups.*.skills',
  'channels.telegram.groups.*.topics',
  'channels.telegram.groups.*.systemPrompt',
  'channels.telegram.historyLimit',
  'channels.telegram.dmHistoryLimit',
  'channels.telegram.replyToMode',
  'channels.telegram.textChunkLimit',
  'channels.telegram.chunkMode',
  'channels.telegram.draftChunk',
  'channels.telegram.blockStreaming',
  'channels.telegram.timeoutSeconds',
  'channels.telegram.retry',
  'channels.telegram.proxy',
  'channels.telegram.actions',
  'channels.telegram.reactionNotifications',
  'channels.telegram.reactionLevel',
  'channels.telegram.customCommands',
  'channels.telegram.configWrites',
  'channels.telegram.capabilities',
  'channels.telegram.linkPreview',
  'channels.defaults',
  'channels.whatsapp',
  'channels.discord',
  'channels.slack',
  'channels.signal',
  'channels.imessage',
  'channels.googlechat',
  'channels.msteams',
  'discovery',
  'canvasHost',
  'talk',
  'skills',
  'plugins',
  'gateway.mode',
  'gateway.controlUi',
  'gateway.auth.allowTailscale',
  'gateway.tailscale',
  'gateway.remote',
  'gateway.reload',
  'gateway.tls.autoGenerate',
  'gateway.tls.caPath',
  'gateway.http.endpoints.responses.maxBodyBytes',
  'gateway.http.endpoints.responses.files',
  'gateway.http.endpoints.responses.images',
  'gateway.nodes',
  'agents.list.*.agentDir',
  'agents.list.*.tools.profile',
  'agents.list.*.tools.byProvider',
  'agents.list.*.tools.elevated',
  'agents.list.*.tools.exec',
  'agents.list.*.tools.sandbox',
  'agents.list.*.groupChat',
  'agents.list.*.sandbox',
  'agents.defaults.imageModel',
  'agents.defaults.models',
  'agents.defaults.skipBootstrap',
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
  'agents.defaults.heartbeat.includeReasoning',
  'agents.defaults.heartbeat.session',
  'agents.defaults.heartbeat.to',
  'agents.defaults.mediaMaxMb',
  'agents.defaults.subagents.archiveAfterMinutes',
  'agents.defaults.sandbox',
  'cron.store',
  'models.mode',
  'models.bedrockDiscovery',
  'models.providers.*.auth',
  'models.providers.*.authHeader',
  'models.providers.*.models.*.maxTokens',
  'models.providers.*.models.*.headers',
  'models.providers.*.models.*.compat',
  'models.providers.*.models.*.api',
  'tools.profile',
  'tools.byProvider',
  'tools.web.search',
  'tools.web.fetch.maxChars',
  'tools.web.fetch.timeoutSeconds',
  'tools.web.fetch.cacheTtlMinutes',
  'tools.web.fetch.userAgent',
  'tools.web.fetch.readability',
  'tools.web.fetch.firecrawl',
  'tools.media',
  'tools.links',
  'tools.message',
  'tools.elevated',
  'tools.exec.host',
  'tools.exec.node',
  'tools.exec.pathPrepend',
  'tools.exec.safeBins',
  'tools.exec.backgroundMs',
  'tools.exec.approvalRunningNoticeMs',
  'tools.exec.cleanupMs',
  'tools.exec.notifyOnExit',
  'tools.exec.applyPatch',
  'tools.subagents.model',
  'tools.sandbox',
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
    if (typeof value !== 'object' || value === null) return
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
