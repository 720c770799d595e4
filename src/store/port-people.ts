// The part of the port that keeps who may talk on a channel beside those whom the config names: people who were let in,
// and strangers who wrote and have a code by which the owner may let them in. It judges no message.
import type { EffectKey } from './effect-key.ts'

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
}

export interface StrangerRow extends PersonName {
  readonly code: string
  /** Where they wrote, and with which message. */
  readonly chatId: string
  readonly messageId: string
  readonly createdAtMs: number
  readonly expiresAtMs: number
}

/** Writes of people; see StoreWrites for what holds for all. */
export interface PeopleWrites {
  /**
   * Notes that a stranger wrote, unless they have a code that is still good, or `openMax` strangers of the channel have.
   * Answers what is noted of them; undefined when it was too many.
   */
  noteStranger(args: { stranger: StrangerRow; openMax: number; nowMs: number }): StrangerRow | undefined

  /** Lets in the stranger who has this code, and owes them `text`. INVALID_REQUEST when nobody has it, or had it too long ago. */
  letIn(args: { code: string; by: string; text: string; key?: EffectKey; nowMs: number }): PersonRow

  /** Shuts out whom `letIn` let in. False when there was nobody. */
  shutOut(args: { channelId: string; personId: string; key?: EffectKey; nowMs: number }): { removed: boolean }
}

export interface PeopleReads {
  person(channelId: string, personId: string): PersonRow | undefined
  /** Newest first. */
  people(limit: number): PersonRow[]
  /** Undefined, too, for one whose code is over. */
  stranger(who: { channelId: string; personId: string; nowMs: number }): StrangerRow | undefined
  /** Those whose code is still good, oldest first. */
  strangers(page: { nowMs: number; limit: number }): StrangerRow[]
}
