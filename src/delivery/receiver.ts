// What all that takes in what people of one channel do is handed, be it words or the press of a button: the gate that says
// who is heard, the one door, and what the channel can show. It does nothing itself.
import type { Clock } from '../base/world.ts'
import type { MethodName } from '../protocol/catalogue.ts'
import type { Scope } from '../protocol/method.ts'
import type { Route, Store } from '../store/port.ts'
import type { Gate, Knock } from './gate.ts'

export interface Press extends Omit<Knock, 'messageId'> {
  readonly pressId: string
  readonly action: string
}

/** As whom a method is called: the channel, for one chat, with these scopes and no more. */
export interface CallFrom {
  readonly key: string
  readonly route: Route
  readonly scopes: ReadonlySet<Scope>
  readonly preface?: string
  /** Who it was, where that is kept; the channel without it. */
  readonly label?: string
}

export interface ReceiverParts {
  readonly store: Store
  readonly clock: Clock
  readonly gate: Gate
  /** UTF-16 units of one message of the channel. */
  readonly textLengthMax: number
  /** ASCII of a button's action; 0: the channel has none. */
  readonly actionBytesMax: number
  /** Bytes of one file that is taken. */
  readonly fileBytesMax: () => number
  readonly sessionOf: (chat: Pick<Knock, 'channelId' | 'chatId' | 'group'>) => string
  /** The one door, as this channel's caller (principal `channel:<id>`); `route` reaches `acceptMessage`. */
  readonly call: (method: MethodName, params: object, from: CallFrom) => Promise<unknown>
  /** Something is owed to the channel's chats. */
  readonly poke: () => void
}
