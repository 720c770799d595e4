// The port to a place where people write to agents. An adapter is a folder beside this file; it translates and decides
// nothing: who may talk, what a message does and when something is sent again are others' business. What it cannot do is
// said by its capabilities, as data.

export interface InboundMessage {
  readonly channelId: string
  /** The channel's own id of the message; the same whenever it is handed on again (T4). Unique in its chat. */
  readonly messageId: string
  readonly chatId: string
  /** Who wrote it, as the channel knows them. */
  readonly from: { readonly id: string; readonly name?: string }
  readonly text: string
  readonly atMs: number
}

export interface OutboundMessage {
  /** The same for each attempt: what a channel that dedupes goes by. */
  readonly id: string
  readonly chatId: string
  /** Not blank, and at most `textLengthMax` long. */
  readonly text: string
}

export interface ChannelHandlers {
  /**
   * Takes a message. Resolves once it is on disk: only then is it acknowledged upstream. Where it rejects, nothing was
   * taken, and the message is to be handed on again later. It may be handed on any number of times; it is taken once.
   * It waits for no turn, so messages may be handed on side by side; those of one chat in their order.
   */
  readonly inbound: (message: InboundMessage) => Promise<void>
}

export interface Capabilities {
  /** A message sent again under the same id is seen once. */
  readonly dedupesSends: boolean
  /** UTF-16 units of one message; at least 100. */
  readonly textLengthMax: number
}

export interface Channel {
  /** Short, lower case, the same for ever: routes and sends on disk name it. */
  readonly id: string
  readonly capabilities: Capabilities
  /** Begins to take messages and to hand them on. Called once. Rejects where it cannot begin at all (a wrong token). */
  start(handlers: ChannelHandlers): Promise<void>
  /** Takes no more messages and lets go of the network. Waits for no send, and may be called again. */
  stop(): Promise<void>
  /**
   * Sends one message and answers the channel's id of it. Throws ChannelError, which says what became of the message; any
   * other error counts as `transient`, so whatever may have gone out has to be thrown as `unconfirmed`. When the signal
   * aborts nobody listens any more, and the message counts as unconfirmed.
   */
  send(message: OutboundMessage, signal: AbortSignal): Promise<{ readonly id: string }>
}

/** `transient`: not sent, worth trying again. `permanent`: not sent, nor will it ever be. `unconfirmed`: nobody knows. */
type FailureKind = 'transient' | 'permanent' | 'unconfirmed'

export class ChannelError extends Error {
  readonly kind: FailureKind
  /** How long the channel asks to be left alone. */
  readonly retryAfterMs: number | undefined

  constructor(kind: FailureKind, message: string, options: { readonly retryAfterMs?: number } = {}) {
    super(message)
    this.name = 'ChannelError'
    this.kind = kind
    this.retryAfterMs = options.retryAfterMs
  }
}
