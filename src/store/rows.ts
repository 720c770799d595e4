// The rows that cross the store port. A transcript is nothing of its own: it is the journal entries of a session's
// turns and its notices, in order; what the model sees and what a client is shown are both derived from them.
import type { FAILURES } from '../protocol/job.ts'
import type { Budget } from '../protocol/job-policy.ts'

export type RunState = 'queued' | 'running' | 'ok' | 'failed' | 'aborted' | 'timed-out'

/**
 * Who asked for a turn: a person in a `chat`, a client (`agent`), a `job`, another `session`, an `event` (a job's line for
 * its session), a `heartbeat`, a turn that had it done (`spawn`), or the gateway, which tells a session how such work ended
 * (`told`).
 * `hook`: another program, by a hook. `compact`: nobody says anything; the session's own transcript is to be summarised.
 */
export type RunSource =
  | 'chat'
  | 'agent'
  | 'job'
  | 'session'
  | 'event'
  | 'heartbeat'
  | 'spawn'
  | 'told'
  | 'compact'
  | 'hook'

/** What the gateway itself has a session told says when, in its own words. */
const WRITTEN_OUTSIDE: ReadonlySet<RunSource> = new Set(['chat', 'agent', 'hook'])

export function datedOf(source: RunSource): { dated?: true } {
  return WRITTEN_OUTSIDE.has(source) ? { dated: true } : {}
}

/**
 * What a message does while a turn of its session runs: `steer` merges into it at its next step, `followup` has a turn of
 * its own after it, `collect` shares one with all that wait, `interrupt` stops it.
 */
export type QueueMode = 'steer' | 'followup' | 'collect' | 'interrupt'

/** What is to become of a run's reply: told to nobody, still to be taken by the turn that asked, or taken or told once. */
export type Handover = 'none' | 'open' | 'taken'

/** Why a turn failed: `transient` may pass by itself; `refused` is a limit, a cap or a no of its model; `permanent` would fail again. */
export type FailureKind = (typeof FAILURES)[number]

/** What a job, or who asked for the run, wants of it; what is absent is as for any turn. */
export interface RunRules {
  /** Asked in this order when the run's model fails. */
  readonly fallbacks?: readonly string[]
  readonly thinking?: string
  /** Names of tools; never more than any turn has. */
  readonly tools?: readonly string[]
  readonly budget?: Budget
  /** The chat of a channel that is sent the reply, beside whoever asked. */
  readonly deliverTo?: Route
  /** A reply that was to be sent, and that no chat was there for. */
  readonly undelivered?: true
  /** It is no turn of a model: it runs just this. */
  readonly command?: JobCommand
}

/** Where a session's person reads: a chat of a channel, which takes messages of so many UTF-16 units. */
export interface Route {
  readonly channelId: string
  readonly chatId: string
  readonly textLengthMax: number
}

export interface JobCommand {
  readonly argv: readonly string[]
  readonly cwd?: string | undefined
  readonly timeoutSeconds?: number | undefined
  /** Names of variables of the gateway's environment. */
  readonly env?: readonly string[] | undefined
  /** By its exit code it says whether the job goes on; else it is what the job does. */
  readonly decides?: true
}

/** One turn of a session; its run id is the caller's idempotency key where there is one. */
export interface RunRow {
  readonly runId: string
  readonly sessionKey: string
  readonly sessionId: string
  readonly echoKey: string
  readonly agentId: string
  readonly source: RunSource
  readonly state: RunState
  /** Attempts begun; 0 while it was never claimed. */
  readonly attempt: number
  /** Attempts that were lost with their runner or their gateway, other than by a clean stop. */
  readonly losses: number
  readonly epoch: number
  readonly model: string | undefined
  /** Added to the system prompt of this run. */
  readonly extraPrompt: string | undefined
  readonly timeoutMs: number | undefined
  readonly rules: RunRules | undefined
  /** Attempts that its job's policy granted after a failure. */
  readonly retries: number
  /** Not before this may the next attempt begin; of a run that never began, the first. */
  readonly retryAtMs: number | undefined
  readonly jobId: string | undefined
  readonly occurrence: string | undefined
  readonly createdAtMs: number
  readonly startedAtMs: number | undefined
  readonly endedAtMs: number | undefined
  readonly reply: string | undefined
  readonly error: string | undefined
  /** The run whose tool call asked for this one. */
  readonly parent: string | undefined
  /** Turns that led to this one, each by a call of its own; 0 for what a person, a client or a due job began. */
  readonly hops: number
  /** What the asking turn calls it. */
  readonly label: string | undefined
  /** The session that is told how it ended, unless the asking turn took the reply itself. */
  readonly tells: string | undefined
  readonly handover: Handover
  readonly queueMode: QueueMode
  /** The run that took this one's message into its own turn: that one's end is this one's. */
  readonly mergedInto: string | undefined
}

/** `used`: it was allowed, and what it allows has begun. `cancelled`: the turn that asked is over. */
export type ApprovalState = 'pending' | 'allowed' | 'denied' | 'expired' | 'cancelled' | 'used'

/** A question to a person: may this call of a turn go on? One row per call, so that a call carried on finds it again. */
export interface ApprovalRow {
  readonly id: string
  readonly runId: string
  /** `<entry>:<ordinal>` of the call. */
  readonly callId: string
  readonly agentId: string
  readonly sessionKey: string
  /** The session in whose chat the question is shown. */
  readonly askedIn: string
  readonly tool: string
  /** Exactly what would run, in one line for people. */
  readonly text: string
  /** The same as data, for clients. */
  readonly request: Readonly<Record<string, unknown>>
  readonly state: ApprovalState
  /** What was decided; `allow-always` also allows equal requests of the agent from then on. */
  readonly decision: 'allow-once' | 'allow-always' | 'deny' | undefined
  readonly decidedBy: string | undefined
  /** What the person wrote instead of yes or no. */
  readonly note: string | undefined
  readonly createdAtMs: number
  readonly expiresAtMs: number
  readonly decidedAtMs: number | undefined
}

export interface SessionRow {
  readonly key: string
  readonly agentId: string
  /** Changes with each reset; the transcript is that of the present one. */
  readonly sessionId: string
  readonly createdAtMs: number
  readonly updatedAtMs: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** First 200 characters of the last message of either side. */
  readonly lastMessage: string | undefined
  readonly model: string | undefined
  /** A name by which it can be found; no two sessions have the same. */
  readonly label: string | undefined
  /** What was set for this session only, by key. */
  readonly settings: SessionSettings
}

/** `model` and `queueMode` win over the config's, `sendPolicy: deny` refuses messages; others are kept for clients. */
export type SessionSettings = Readonly<Record<string, string>>

export interface EntryCall {
  /** `<journal id of the message>:<ordinal>` once stored; what T1 keys and pairs by, never the provider's id. */
  readonly ordinal: number
  readonly name: string
  readonly args: unknown
}

/** A file that came with a message: its bytes are the blob of that name, kept once and outside the journal. */
export interface Attachment {
  /** SHA-256 of the bytes, hex. */
  readonly blob: string
  /** As the bytes say for images; `text/...` and the like for text files. */
  readonly mime: string
  readonly name: string
  readonly bytes: number
}

/** What one answer of a model used. */
export interface EntryUsage {
  /** All of the input; what was read from or written to the provider's cache is part of it. */
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly cacheReadTokens?: number
  readonly cacheWriteTokens?: number
  /** Millionths of a US dollar; absent where no price is known. */
  readonly costMicroUsd?: number
}

/** What models used together: of a day, or of a model (`provider/model`). */
export interface UsageRow {
  readonly by: 'day' | 'model'
  readonly name: string
  readonly answers: number
  /** Answers whose cost is not known; it is not in the sum. */
  readonly unpriced: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cacheReadTokens: number
  readonly cacheWriteTokens: number
  readonly costMicroUsd: number
}

/** Under which names a turn's usage is counted. */
export function usageScopes({ runId, sessionKey, jobId }: Pick<RunRow, 'runId' | 'sessionKey' | 'jobId'>) {
  return {
    all: 'all',
    session: `session:${sessionKey}`,
    run: `run:${runId}`,
    job: jobId === undefined ? undefined : `job:${jobId}`,
  }
}

/** What an entry says. Each is durable before the next step begins (L2). */
export type EntryBody =
  /**
   * `dated`: the model is told when it was written. `control`: it was meant for the gateway, and no model is shown it. `of`:
   * the run whose message it was, merged into this.
   */
  | {
      readonly kind: 'input'
      readonly text: string
      readonly attachments?: readonly Attachment[]
      readonly dated?: true
      readonly control?: true
      readonly of?: string
    }
  /** Counted before the provider is asked; with `summary`, it is asked for one and for nothing else; `because`: why it, and not the one before. */
  | { readonly kind: 'attempt'; readonly model: string; readonly summary?: true; readonly because?: string }
  | {
      readonly kind: 'message'
      readonly text: string
      readonly calls: readonly EntryCall[]
      readonly model: string
      readonly usage?: EntryUsage
      /** It broke off. Another attempt of its run begins it anew. */
      readonly isCut?: true
    }
  /** `message` is the journal id of the message entry whose call this answers. */
  | {
      readonly kind: 'result'
      readonly message: number
      readonly ordinal: number
      readonly name: string
      readonly text: string
      readonly isError: boolean
    }
  | {
      readonly kind: 'notice'
      readonly id: string
      readonly text: string
      readonly jobId?: string
      readonly atMs: number
    }
  /** A person's answer to an approval, as they wrote it; the call's result tells the model. */
  | { readonly kind: 'decision'; readonly approvalId: string; readonly text: string }
  /** From here on, the model is shown this summary instead of what lies before the entry `keptFrom`, an input. */
  | {
      readonly kind: 'compaction'
      readonly summary: string
      readonly keptFrom: number
      /** How many entries it stands for, and how many after them were kept. */
      readonly summarised: number
      readonly kept: number
      readonly model: string
      readonly usage?: EntryUsage
    }
  | { readonly kind: 'end'; readonly state: RunState; readonly error?: string }

export interface Entry {
  readonly id: number
  readonly runId: string | undefined
  readonly sessionKey: string
  readonly sessionId: string
  readonly createdAtMs: number
  readonly body: EntryBody
}

/** A text told to a session that its person may not have seen yet. */
export interface Notice {
  readonly id: string
  readonly sessionKey: string
  readonly text: string
  /** `reply`: the answer to a message of the person's own, or why there is none; its id is `reply:<run id>`. `approval`: a question, by its id. */
  readonly source: 'job' | 'gateway' | 'reply' | 'approval'
  readonly jobId: string | undefined
  readonly atMs: number
  readonly createdAtMs: number
}

/** `unconfirmed`: it left, and nobody knows whether it arrived. `expired`: it waited too long to be sent. */
export type SendState = 'queued' | 'sending' | 'sent' | 'unconfirmed' | 'failed' | 'expired'

/** Of the reply of a run, its text id, and of what is shown of it while it is written. Each has its first piece under `#1`. */
export function replyIds(runId: string): { readonly reply: string; readonly preview: string } {
  return { reply: `reply:${runId}`, preview: `preview:${runId}` }
}

/** One piece of an owed text on its way to a chat of a channel. Its text never changes. */
/** Rows of buttons; a press hands the action back. */
export type Buttons = readonly (readonly { readonly label: string; readonly action: string }[])[]

export interface SendRow {
  /** `<text id>#<n>`, from 1; the same for each attempt, so a channel that can deduplicates by it. */
  readonly id: string
  /** The owed text: a notice's id, or that of an answer without one. */
  readonly textId: string
  readonly sessionKey: string
  readonly channelId: string
  readonly chatId: string
  /** `control`: the answer to a command; `doubt`: that another may not have arrived; `preview`: a reply while it is written. */
  readonly source: Notice['source'] | 'control' | 'doubt' | 'preview'
  readonly text: string
  /** What goes instead of the text, which is its name. */
  readonly file: Attachment | undefined
  /** Under it, in rows. */
  readonly buttons: Buttons | undefined
  readonly state: SendState
  readonly attempt: number
  /** Not before this instant; only the first of those that wait in order has one. */
  readonly dueAtMs: number | undefined
  /** The channel's id of the message. */
  readonly sentId: string | undefined
  readonly error: string | undefined
  readonly createdAtMs: number
  readonly expiresAtMs: number
  readonly endedAtMs: number | undefined
}
