// What is to be made, as it crosses the store port: turns, questions, texts told to a session, and where they go.
import type { QueueMode, Route, RunRow, RunRules } from './rows.ts'

/** A file that comes with a message, as it is kept with it. */
export interface NewAttachment {
  readonly mime: string
  readonly name: string
  readonly content: Uint8Array
}

/** A turn to be made: its session, its input and what may be said of it. */
export interface NewRun {
  readonly runId: string
  readonly sessionKey: string
  /** The session key as the caller wrote it, for events. */
  readonly echoKey: string
  readonly agentId: string
  /** Text of the input. */
  readonly text: string
  /** Kept as blobs in the commit that takes the message; its input entry names them. */
  readonly attachments?: readonly NewAttachment[]
  readonly source: RunRow['source']
  readonly model?: string
  readonly extraPrompt?: string
  readonly timeoutMs?: number
  readonly rules?: RunRules
  readonly jobId?: string
  readonly occurrence?: string
  /** It begins no sooner; absent: as soon as it can. */
  readonly startAtMs?: number | undefined
  /** Start with a fresh transcript (isolated jobs). */
  readonly freshSession?: boolean
  /** The same if nobody has written to the session since, and nothing runs or waits there. */
  readonly resetBeforeMs?: number | undefined
  readonly parent?: string
  /** Absent: 0. */
  readonly hops?: number
  readonly label?: string
  readonly tells?: string
  /** Absent: `followup`. */
  readonly queueMode?: QueueMode
}

/** Bounds that acceptMessage checks in its own commit. */
export interface AcceptLimits {
  /** Unfinished runs that the session may have already; with so many the message is refused with BUSY. */
  readonly ahead: number
  /** Unfinished runs of all sessions; as above. */
  readonly all: number
  /** Unfinished runs that tell the same session (`tells`); one more is refused with LIMIT. */
  readonly children?: number
}

/** A question to a person, to be made. `whatHash` names exactly what would run: an allow-always holds for equal ones. */
export interface NewApproval {
  readonly id: string
  readonly callId: string
  readonly askedIn: string
  readonly tool: string
  readonly text: string
  readonly request: Readonly<Record<string, unknown>>
  readonly whatHash: string
  readonly expiresAtMs: number
}

/** A text to be told to a session: an assistant entry in its transcript and an unread outbox row, in one commit. */
export interface NewNotice {
  readonly id: string
  readonly sessionKey: string
  readonly agentId: string
  readonly text: string
  readonly source: 'job' | 'gateway' | 'approval'
  readonly jobId?: string
  /** When it was due or happened. */
  readonly atMs: number
  /** A chat that is told instead of the session. */
  readonly to?: Route
  /** It is the reply of the run with this id: the transcript has it already. */
  readonly isReply?: true
  /** Sent after the text, where it goes to a chat. */
  readonly files?: readonly NewAttachment[] | undefined
}
