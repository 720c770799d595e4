// The events a client may see, by name, with their payloads. Durable ones carry a frame seq and can be replayed;
// deltas, ticks and health are not durable (L5).
import type { Job } from './job.ts'
import type { Scope } from './method.ts'

export const EVENT_NAMES = [
  'connect.challenge',
  'agent',
  'chat',
  'presence',
  'heartbeat',
  'tick',
  'shutdown',
  'health',
  'cron',
  'waits',
  'config',
  'exec.approval.requested',
  'exec.approval.resolved',
  'device.pair.requested',
  'device.pair.resolved',
] as const

/** Events that only holders of a scope hear, live or later, by the beginning of their names. */
const EVENT_SCOPES: Readonly<Record<string, Scope>> = {
  'exec.approval.': 'operator.approvals',
  config: 'operator.admin',
  'device.pair.': 'operator.pairing',
}

export function mayHearEvent(scopes: ReadonlySet<Scope>, event: string): boolean {
  const [, scope] = Object.entries(EVENT_SCOPES).find(([prefix]) => event.startsWith(prefix)) ?? []
  return scope === undefined || scopes.has('operator.admin') || scopes.has(scope)
}

/** `seq` counts per run from 1; deltas consume it too. */
export interface AgentEvent {
  readonly runId: string
  readonly seq: number
  readonly ts: number
  /** As the caller wrote it. */
  readonly sessionKey: string
  /** Ours: the session's canonical key. */
  readonly session: string
  /** `model` is ours: another model than the first is asked. */
  readonly stream: 'lifecycle' | 'assistant' | 'tool' | 'compaction' | 'model'
  readonly data:
    | { readonly phase: 'start'; readonly startedAt: number }
    | { readonly phase: 'end'; readonly startedAt?: number; readonly endedAt: number; readonly aborted?: boolean }
    | { readonly phase: 'error'; readonly error: string; readonly startedAt?: number; readonly endedAt: number }
    | { readonly phase: 'switched'; readonly model: string; readonly because: string }
    | { readonly text: string; readonly delta: string }
    /** The transcript's oldest part is being summarised. */
    | { readonly phase: 'start' }
    | { readonly phase: 'end'; readonly willRetry: boolean }
    | { readonly phase: 'start'; readonly name: string; readonly toolCallId: string; readonly args: unknown }
    | {
        readonly phase: 'result'
        readonly name: string
        readonly toolCallId: string
        readonly isError: boolean
        readonly result: unknown
      }
}

export interface ChatMessage {
  readonly role: 'user' | 'assistant' | 'toolResult'
  readonly content: readonly { readonly type: 'text'; readonly text: string }[]
  readonly timestamp: number
}

export interface ChatEvent {
  readonly runId: string
  /** As the caller wrote it. */
  readonly sessionKey: string
  /** Ours: the session's canonical key. */
  readonly session?: string
  readonly seq: number
  readonly state: 'delta' | 'final' | 'aborted' | 'error'
  /** Text is cumulative in deltas. */
  readonly message?: ChatMessage
  readonly errorMessage?: string
  readonly stopReason?: 'rpc' | 'stop' | 'timeout'
  /** Ours: the run whose turn took this one's message; its reply is there. */
  readonly mergedInto?: string
  /** Ours: the turn goes on, and is told under this run id. */
  readonly resumedAs?: string
  /** Ours: a text that no run of this client asked for, such as a reminder. */
  readonly notice?: { readonly id: string; readonly atMs: number; readonly source: string; readonly jobId?: string }
}

export interface CronEvent {
  readonly jobId: string
  readonly action: 'added' | 'updated' | 'removed' | 'started' | 'finished'
  readonly runAtMs?: number
  readonly durationMs?: number
  readonly status?: NonNullable<Job['state']['lastStatus']>
  readonly error?: string
  readonly summary?: string
  readonly nextRunAtMs?: number
}

/** Absent fields are null: clients read them unguarded. */
export interface ApprovalRequestedEvent {
  readonly id: string
  readonly request: {
    readonly command: string
    readonly cwd: string | null
    readonly host: string | null
    readonly security: string | null
    readonly ask: string | null
    readonly agentId: string | null
    readonly resolvedPath: string | null
    readonly sessionKey: string | null
  }
  readonly createdAtMs: number
  readonly expiresAtMs: number
}

/** `decision` is null when nobody decided in time. */
export interface ApprovalResolvedEvent {
  readonly id: string
  readonly decision: 'allow-once' | 'allow-always' | 'deny' | null
  readonly resolvedBy: string | null
  readonly ts: number
}

/** The config file was changed by hand: what became of it. Not durable; `status` says the same later. */
export interface ConfigEvent {
  /** False: it is wrong, and the settings before it hold. */
  readonly ok: boolean
  readonly path: string
  readonly issues: readonly { readonly path: string; readonly message: string }[]
  /** Changed keys that hold from now on. */
  readonly applied: readonly string[]
  /** Changed keys that hold only after a restart. */
  readonly restartNeeded: readonly string[]
  readonly overridden: readonly { readonly key: string; readonly by: string }[]
}

export interface DevicePairRequestedEvent {
  readonly requestId: string
  readonly deviceId: string
  readonly publicKey: string
  readonly displayName?: string | undefined
  readonly platform: string
  readonly clientId: string
  readonly clientMode: string
  readonly role: string
  readonly roles: readonly string[]
  readonly scopes: readonly string[]
  readonly remoteIp?: string | undefined
  readonly silent: boolean
  readonly isRepair: boolean
  readonly ts: number
}

export interface DevicePairResolvedEvent {
  readonly requestId: string
  readonly deviceId: string
  readonly decision: 'approved' | 'rejected'
  readonly ts: number
}

/** At most one chat delta per run in this time. */
export const CHAT_DELTA_INTERVAL_MS = 150

export function chatMessage(role: ChatMessage['role'], text: string, timestamp: number): ChatMessage {
  return { role, content: [{ type: 'text', text }], timestamp }
}

const STREAM = /~\d+$/

/** The run id under which an attempt is told: a run that is gone on with streams anew, from the beginning of its count. */
export function streamId({ runId, attempt }: { runId: string; attempt: number }): string {
  return attempt > 1 ? `${runId}~${attempt}` : runId
}

/** The run that is told under an id. */
export function runOfStream(id: string): string {
  return id.replace(STREAM, '')
}
