// How much may be under way and how much may wait: places by pool, queues, sub-agents, messages between sessions. Pure;
// what the numbers bound is elsewhere.
import type { ConfigFile, QueueMode } from './schema.ts'

const TURNS_MAX = 8
const JOBS_MAX = 4
const SUBAGENTS_MAX = 8
const QUEUED_MAX_SESSION = 50
const QUEUED_MAX_ALL = 5_000
const DEPTH_MAX = 2
const CHILDREN_MAX = 8
const PING_PONG_TURNS = 5

/** What a sub-agent may not use unless the config allows it: what reaches beyond its own task. */
const SUBAGENT_DENY: readonly string[] = [
  'sessions_list',
  'sessions_history',
  'sessions_send',
  'sessions_spawn',
  'gateway',
  'agents_list',
  'session_status',
  'cron',
]

export interface Bounds {
  /** Places by pool; a pool without an entry has no limit. */
  readonly slots: Readonly<Record<string, number>>
  /** Unfinished runs that are accepted: `ahead` of one session, and of `all`. */
  readonly queue: { readonly ahead: number; readonly all: number }
  /** What a message does while a turn of its session runs; a channel's own wins. */
  readonly queueModes: { readonly mode: QueueMode; readonly byChannel: Readonly<Record<string, QueueMode>> }
  readonly subagents: {
    /** Sub-agents below a session that is none. */
    readonly depthMax: number
    /** Live ones of one session. */
    readonly childrenMax: number
    /** Tools that sub-agents do not have: the default without what the config allows, and what it denies. */
    readonly deny: readonly string[]
  }
  /** Turns that one message may cause one after another, from session to session. */
  readonly hopsMax: number
}

export function boundsOf({ agents, cron, messages, models, session, tools }: ConfigFile): Bounds {
  const defaults = agents?.defaults
  const policy = tools?.subagents?.tools
  return {
    slots: {
      turns: defaults?.maxConcurrent ?? TURNS_MAX,
      jobs: cron?.maxConcurrentRuns ?? JOBS_MAX,
      subagents: defaults?.subagents?.maxConcurrent ?? SUBAGENTS_MAX,
      ...poolsOf(
        'agent',
        agents?.list?.map(agent => [agent.id, agent]),
      ),
      ...poolsOf('provider', Object.entries(models?.providers ?? {})),
    },
    queue: { ahead: messages?.queue?.cap ?? QUEUED_MAX_SESSION, all: defaults?.maxQueued ?? QUEUED_MAX_ALL },
    queueModes: { mode: messages?.queue?.mode ?? 'steer', byChannel: messages?.queue?.byChannel ?? {} },
    subagents: {
      depthMax: defaults?.subagents?.maxDepth ?? DEPTH_MAX,
      childrenMax: defaults?.subagents?.maxChildren ?? CHILDREN_MAX,
      deny: [...SUBAGENT_DENY.filter(name => !policy?.allow?.includes(name)), ...(policy?.deny ?? [])],
    },
    hopsMax: 2 * (session?.agentToAgent?.maxPingPongTurns ?? PING_PONG_TURNS),
  }
}

function poolsOf(
  kind: string,
  named: readonly (readonly [name: string, of: { readonly maxConcurrent?: number | undefined }])[] = [],
): Record<string, number> {
  const limited = named.flatMap(([name, { maxConcurrent }]) =>
    maxConcurrent === undefined ? [] : [[`${kind}:${name}`, maxConcurrent] as const],
  )
  return Object.fromEntries(limited)
}
