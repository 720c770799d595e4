// The part of the port that keeps who may talk on a channel beside those whom the config names: people who were let in,
// and strangers who wrote and have a code by which the owner may let them in. It judges no message.
import type { EffectKey } from './effect-key.ts'
import type { Buttons } from './rows.ts'

/** Somebody on a channel, by the channel's own id; name and handle are as they were shown last. */
export interface PersonName {
  readonly channelId: string
  readonly personId: string
  readonly name?: string | undefined
  readonly handle?: string | undefined
}

export interface PersonRow extends PersonName {
  readonly letInAtMs: number
  /** The label of who did it. */
  readonly letInBy: string
  /** Of an owner, who may let others in: the direct chat in which they are asked, and nowhere else. */
  readonly ownerChatId?: string
}

export interface StrangerRow extends PersonName {
  readonly code: string
  /** Where they wrote, and with which message. */
  readonly chatId: string
  readonly messageId: string
  readonly createdAtMs: number
  readonly expiresAtMs: number
  /** The label of who denied it: the code is nobody's, and holds its place until it is over. */
  readonly deniedBy?: string
}

/** What the owners of the channel are asked of a stranger. */
export interface OwnerQuestion {
  readonly text: string
  readonly buttons: Buttons | undefined
  readonly textLengthMax: number
}

interface Decided {
  readonly code: string
  /** The stranger must be one of this channel. */
  readonly channelId?: string
  /** The label of who decided. */
  readonly by: string
  readonly key?: EffectKey
  readonly nowMs: number
}

/** Writes of people; see StoreWrites for what holds for all. */
export interface PeopleWrites {
  /**
   * Notes that a stranger wrote, unless they have a code that is still good, or `openMax` strangers of the channel have.
   * Owes the question to the channel's owners with it. Answers what is noted of them; undefined when it was too many.
   */
  noteStranger(args: {
    stranger: StrangerRow
    question: OwnerQuestion
    openMax: number
    nowMs: number
  }): StrangerRow | undefined

  /**
   * Lets in the stranger who has this code, and owes them `text`. INVALID_REQUEST when nobody has it, on that channel if
   * one is named, or had it too long ago.
   */
  letIn(args: Decided & { isOwner?: boolean; text: string }): PersonRow

  /** Makes the code nobody's; its stranger is told nothing, and gets no other one before it is over. As `letIn` refuses. */
  denyStranger(args: Decided): StrangerRow

  /** Shuts out whom `letIn` let in, or only makes them no owner any more. False when there was nobody such. */
  shutOut(args: { channelId: string; personId: string; isOwnerOnly?: boolean; key?: EffectKey; nowMs: number }): {
    removed: boolean
  }
}

export interface PeopleReads {
  person(channelId: string, personId: string): PersonRow | undefined
  /** Newest first. */
  people(limit: number): PersonRow[]
  /** Undefined, too, for one whose code is over; not for one who was denied. */
  stranger(who: { channelId: string; personId: string; nowMs: number }): StrangerRow | undefined
  /** Those whose code is still good, oldest first. */
  strangers(page: { nowMs: number; limit: number }): StrangerRow[]
}
