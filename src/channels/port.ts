// The port to a place where people write to agents. An adapter is a folder beside this file; it translates and decides
// nothing: who may talk, what a message does and when something is sent again are others' business. What it cannot do is
// said by its capabilities, as data.

export interface InboundMessage {
  readonly channelId: string
  /** The channel's own id of the message; the same whenever it is handed on again (T4). Unique in its chat. */
  readonly messageId: string
  readonly chatId: string
  /** Who wrote it, as the channel knows them. */
  readonly from: Person
  /** The words, or a file's caption; may be empty where there are files. A command has no name of the agent behind it. */
  readonly text: string
  /** When it was written, or last changed. */
  readonly atMs: number
  /** Absent: a direct chat of one person. */
  readonly group?: GroupContext
  readonly files?: readonly InboundFile[]
  /** The message is an older one that its writer changed. Its id is its own and new, the words are the new ones. */
  readonly edited?: true
  /** The words are another's, who is called so; their sender only handed them on. */
  readonly forwardedFrom?: string
  /** What earlier message it answers, or which words of it; without a name it is the agent's own. */
  readonly answers?: { readonly from?: string; readonly text: string }
}

interface Person {
  /** The channel's own id of a person; what allow lists name. */
  readonly id: string
  readonly name?: string
  /** Without an @, in lower case. People change it: it is shown, and allow lists may name it, but it is never a key. */
  readonly handle?: string
}

/** A chat of several. A topic of a group is a chat of its own: its `chatId` holds both. */
interface GroupContext {
  /** The group's id without its topic; what the config's `groups` name. */
  readonly id: string
  readonly title?: string
  /** The agent was named, or one of its own messages was answered. */
  readonly addressed: boolean
}

/** A file that came in. It is fetched only once its person is known to be welcome. */
interface InboundFile {
  readonly name: string
  /** As the channel says it; the gateway looks at the bytes itself. */
  readonly mediaType?: string
  /** As the channel says it, in bytes. */
  readonly size?: number
  /** Rejects with ChannelError: `permanent` when it is too large or gone, `transient` when it may come another time. */
  fetch(bytesMax: number, signal: AbortSignal): Promise<Uint8Array>
}

/** Somebody pressed a button under a message that was sent to them. */
export interface Press {
  readonly channelId: string
  /** The same whenever it is handed on again. */
  readonly pressId: string
  readonly chatId: string
  readonly from: Person
  readonly group?: GroupContext
  /** What the button was sent with. */
  readonly action: string
}

export interface OutboundMessage {
  /** The same for each attempt: what a channel that dedupes goes by. */
  readonly id: string
  readonly chatId: string
  /** Markdown as models write it; not blank unless a file goes with it, and at most `textLengthMax` long. A channel that cannot show it shows it plain. */
  readonly text: string
  /** Rows of buttons, for a channel with `buttons`. */
  readonly buttons?: readonly (readonly Button[])[]
  /** A file that goes with the text, which is its caption; for a channel with `files`. */
  readonly file?: { readonly name: string; readonly mediaType: string; readonly bytes: Uint8Array }
}

interface Button {
  readonly label: string
  /** Handed back by a press; at most `actionBytesMax` bytes of ASCII. */
  readonly action: string
}

/** One of the words that a channel may offer its people to choose from. */
interface Command {
  /** Lower case, without the slash. */
  readonly name: string
  readonly description: string
}

export interface ChannelHandlers {
  /**
   * Takes a message. Resolves once it is on disk: only then is it acknowledged upstream. Where it rejects, nothing was
   * taken, and the message is to be handed on again later. It may be handed on any number of times; it is taken once.
   * It waits for no turn, so messages may be handed on side by side; those of one chat in their order.
   */
  readonly inbound: (message: InboundMessage) => Promise<void>
  /** As `inbound`. Resolves with what the person is shown of it in passing, at once, if anything. */
  readonly pressed: (press: Press) => Promise<string | undefined>
  /** How the channel fares, whenever that changes; shown in `channels.status`. */
  readonly state: (state: ChannelState) => void
  readonly commands: readonly Command[]
}

/** `offline`: tried again by the channel itself. `failed`: its owner must do something, and `error` says what. */
export interface ChannelState {
  readonly phase: 'starting' | 'running' | 'offline' | 'failed' | 'stopped'
  /** What went wrong last; absent when all is well. */
  readonly error?: string
  /** Who the channel is to its people, once it is known: a bot's handle. */
  readonly account?: string
}

export interface Capabilities {
  /** A message sent again under the same id is seen once. */
  readonly dedupesSends: boolean
  /** UTF-16 units of one message; at least 100. */
  readonly textLengthMax: number
  /** A message that was sent can be changed, in one chat (of several) at most once in so long. Absent: answers appear whole. */
  readonly edits?: { readonly intervalMs: number; readonly groupIntervalMs?: number }
  readonly buttons?: { readonly actionBytesMax: number }
  /** Bytes of one file, in and out. */
  readonly files?: { readonly bytesMax: number }
  readonly typing?: true
  readonly reactions?: true
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
  /**
   * Changes a message that `send` answered with `sentId`; with `edits` only. Saying the same twice does no harm, so it
   * throws `transient` whenever it may be tried again, and `permanent` where that message cannot be changed any more.
   */
  edit?(message: OutboundMessage & { readonly sentId: string }, signal: AbortSignal): Promise<void>
  /** Shows for some seconds that an answer is being written; with `typing` only. Nobody waits for it: it may fail. */
  typing?(chatId: string, signal: AbortSignal): Promise<void>
  /** Puts one sign under a person's message, or takes it away; with `reactions` only. Nobody waits for it. */
  react?(target: { readonly chatId: string; readonly messageId: string; readonly sign?: string }): Promise<void>
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
