// The port to a language model. An adapter turns one request into one stream of ModelEvents and never throws: a
// failure is the last event (`failed`), an abort too. Nothing here runs a tool; calls are handed back whole.

/** A file that came with a message: a text in UTF-8, or what the model is shown as it is (an image, a PDF, a sound). */
export interface ModelAttachment {
  readonly name: string
  readonly mime: string
  readonly bytes: number
  /** Absent: it cannot be shown, and the model is told so in words. */
  readonly content?: Uint8Array
}

/** What the model sees of a conversation: built by pairing calls and results, so neither can be alone (L2). */
export type ModelMessage =
  /** With `isSummary`, no person's words: what was said before, in short. */
  | {
      readonly role: 'user'
      readonly text: string
      /** When it was written: the same whenever it is shown. */
      readonly sentAtMs?: number
      readonly attachments?: readonly ModelAttachment[]
      readonly isSummary?: true
    }
  | { readonly role: 'assistant'; readonly text: string; readonly calls: readonly ModelCall[] }
  | {
      readonly role: 'tool'
      readonly callId: string
      readonly name: string
      readonly text: string
      readonly isError: boolean
    }

/** A tool call as the model asked for it. `id` is unique within the conversation; `args` is any JSON value. */
export interface ModelCall {
  readonly id: string
  readonly name: string
  readonly args: unknown
}

export interface ToolSpec {
  readonly name: string
  readonly description: string
  /** JSON Schema of an object. */
  readonly parameters: Readonly<Record<string, unknown>>
}

export const THINKING = ['off', 'minimal', 'low', 'medium', 'high', 'xhigh'] as const
export type Thinking = (typeof THINKING)[number]

export interface ModelRequest {
  readonly system: string
  /** Of the person, for the times at which messages were written. */
  readonly zone: string
  readonly messages: readonly ModelMessage[]
  readonly tools: readonly ToolSpec[]
  /** How much it thinks before it answers; absent: as its provider has it. Models that cannot are not told. */
  readonly thinking?: Thinking
  readonly signal: AbortSignal
}

export interface ModelUsage {
  /** All of the input; the two below are parts of it. */
  readonly inputTokens?: number
  readonly outputTokens?: number
  /** Read from the provider's prompt cache. */
  readonly cacheReadTokens?: number
  readonly cacheWriteTokens?: number
}

/**
 * Why a model did not answer. `too-long`: a shorter request may pass. Only `rate-limited`, `unavailable`, `timed-out` and `cut-off` may pass by themselves;
 * `timed-out` has cost its time already and is not asked again at once.
 */
export type ModelFailureKind =
  | 'auth'
  | 'rate-limited'
  | 'not-found'
  | 'refused'
  | 'too-long'
  | 'unavailable'
  | 'timed-out'
  | 'garbled'
  | 'cut-off'
  | 'aborted'

/** Those that may. */
export const PASSING: ReadonlySet<ModelFailureKind> = new Set(['rate-limited', 'unavailable', 'timed-out', 'cut-off'])

/** A stream is any number of deltas, then exactly one `done` or `failed`. */
export type ModelEvent =
  | { readonly type: 'delta'; readonly text: string }
  /** Another model of the chain is asked from here on, because of what the one before it said; before any delta. */
  | { readonly type: 'switched'; readonly model: string; readonly because: string }
  | {
      readonly type: 'done'
      readonly text: string
      readonly calls: readonly ModelCall[]
      readonly usage?: ModelUsage
      /** Ref of the model that answered, where it is not the one that was asked first. */
      readonly model?: string
    }
  | {
      readonly type: 'failed'
      readonly kind: ModelFailureKind
      /** One sentence for a person: what happened and what to do. Holds no secret. */
      readonly message: string
      readonly retryAfterMs?: number
      /** What was said before it failed: all deltas so far. */
      readonly said?: string
      readonly model?: string
    }

export type ModelFailure = Extract<ModelEvent, { type: 'failed' }>

export interface Model {
  /** `provider/model`, as in the config; `sluice/offline` for the built-in one. */
  readonly ref: string
  stream(request: ModelRequest): AsyncIterable<ModelEvent>
}
