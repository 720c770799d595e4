// What a changed config means for a gateway that runs: which keys changed, and which of them only a restart can take up.
// Pure; it compares settings, so a key that changes nothing (because the environment wins over it) is not named.
import type { Settings } from './load.ts'

interface Part {
  /** As people know it. */
  readonly key: string
  readonly of: (settings: Settings) => unknown
  /** The listener is bound and its token handed out. */
  readonly needsRestart?: true
}

const PARTS: readonly Part[] = [
  { key: 'gateway.port', of: settings => settings.port, needsRestart: true },
  { key: 'gateway.bind', of: settings => settings.access.bind, needsRestart: true },
  { key: 'gateway.auth.token', of: settings => settings.token, needsRestart: true },
  { key: 'gateway.auth.password', of: settings => settings.access.password, needsRestart: true },
  { key: 'gateway.tls', of: settings => settings.access.tls, needsRestart: true },
  { key: 'gateway.trustedProxies', of: settings => settings.access.trustedProxies, needsRestart: true },
  { key: 'gateway.allowedHosts', of: settings => settings.access.allowedHosts, needsRestart: true },
  {
    key: 'models.providers',
    of: ({ models, slots }) => [
      models.providers,
      Object.entries(slots).filter(([pool]) => pool.startsWith('provider:')),
    ],
  },
  { key: 'models.caps', of: settings => settings.models.caps },
  { key: 'agents.defaults.model', of: ({ models }) => [models.primary, models.fallbacks] },
  { key: 'gateway.http.endpoints', of: ({ http }) => [http.chatCompletions, http.responses] },
  { key: 'hooks', of: settings => settings.http.hooks },
  { key: 'agents.defaults.userTimezone', of: settings => [settings.zone, settings.zoneFrom] },
  { key: 'agents.defaults.timeoutSeconds', of: settings => settings.turnTimeoutMs },
  { key: 'agents.defaults.maxConcurrent', of: settings => settings.slots.turns },
  { key: 'agents.defaults.maxQueued', of: settings => settings.queue.all },
  {
    key: 'agents.defaults.subagents',
    of: ({ slots, subagents, taskModel }) => [taskModel, slots.subagents, subagents.depthMax, subagents.childrenMax],
  },
  { key: 'agents.defaults.workspace', of: settings => settings.workspace },
  { key: 'agents.defaults.bootstrapMaxChars', of: settings => settings.bootstrapLengthMax },
  { key: 'bindings', of: settings => settings.bindings },
  {
    key: 'agents.list',
    of: ({ agents, defaultAgent, slots }) => [
      agents,
      defaultAgent,
      Object.entries(slots).filter(([pool]) => pool.startsWith('agent:')),
    ],
  },
  {
    key: 'agents.*.heartbeat',
    // Whose they are is told by agents.list.
    of: settings => settings.heartbeats.map(({ agentId: _, ...rule }) => rule),
  },
  { key: 'channels.telegram', of: settings => settings.channels.rules },
  { key: 'channels.telegram.botToken', of: settings => settings.channels.telegram, needsRestart: true },
  { key: 'messages.ackReaction', of: settings => settings.channels.ack },
  { key: 'messages.queue.cap', of: settings => settings.queue.ahead },
  { key: 'messages.queue.mode', of: settings => settings.queueModes.mode },
  { key: 'messages.queue.byChannel', of: settings => settings.queueModes.byChannel },
  { key: 'session.reset', of: settings => settings.sessionReset },
  { key: 'session.agentToAgent.maxPingPongTurns', of: settings => settings.hopsMax },
  { key: 'tools.agentToAgent', of: settings => settings.agentToAgent },
  { key: 'tools.allow', of: settings => settings.toolPolicy.allow },
  { key: 'tools.deny', of: settings => settings.toolPolicy.deny },
  { key: 'tools.exec', of: settings => settings.exec },
  { key: 'tools.subagents', of: settings => settings.subagents.deny },
  { key: 'tools.web.fetch.enabled', of: settings => settings.webFetch },
  { key: 'tools.*.timeoutMs', of: settings => [...settings.toolTimeoutsMs] },
  { key: 'methods.*.timeoutMs', of: settings => [...settings.methodTimeoutsMs] },
  { key: 'cron.commands', of: settings => settings.jobCommands },
  { key: 'cron.enabled', of: settings => settings.cronEnabled },
  { key: 'cron.maxConcurrentRuns', of: settings => settings.slots.jobs },
  { key: 'cron.staggerMs', of: settings => settings.staggerMs },
  { key: 'logging.level', of: settings => settings.log.level },
  { key: 'logging.maxFileMb', of: settings => settings.log.bytesMax },
  { key: 'logging.keepFiles', of: settings => settings.log.filesMax },
  // What was written until now is read as one with what comes.
  { key: 'logging.file', of: settings => settings.log.path, needsRestart: true },
]

export interface SettingsChange {
  /** Keys that are taken up as soon as the new settings are the ones that hold. */
  readonly atOnce: readonly string[]
  readonly restart: readonly string[]
}

export function compareSettings(before: Settings, after: Settings): SettingsChange {
  const changed = PARTS.filter(({ of }) => JSON.stringify(of(before)) !== JSON.stringify(of(after)))
  const keys = (parts: readonly Part[]) => parts.map(part => part.key)
  return {
    atOnce: keys(changed.filter(part => !part.needsRestart)),
    restart: keys(changed.filter(part => part.needsRestart)),
  }
}
