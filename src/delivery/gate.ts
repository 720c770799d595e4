// The gate of one channel: applies its rule to who writes, counts whom it does not let through, and gives strangers a
// code where they may have one; owners are asked about them. One stranger is told once an hour at most, and few of them
// at a time, so that nobody can make the agent write to many. The rows of the store say who was let in.
import { HOUR } from '../base/durations.ts'
import type { Clock, Random } from '../base/world.ts'
import type { Store } from '../store/port.ts'
import { type Asker, admit, type Refusal, type TalkRules } from './admission.ts'
import { questionAbout } from './stranger-question.ts'

/** A code is good so long, and its stranger told nothing more meanwhile. */
export const CODE_MS = HOUR
/** Strangers of one channel with a code that is good. */
export const STRANGERS_MAX = 3
/** No letter that looks like another one; 32 of them, so that a random byte has no favourites. */
const LETTERS = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const CODE_LENGTH = 8

export interface Knock extends Asker {
  readonly channelId: string
  readonly chatId: string
  readonly messageId: string
  readonly from: Asker['from'] & { readonly name?: string }
}

export interface GateParts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  /** The present rules of the channel; undefined: whoever made it lets all in. */
  readonly rules: () => TalkRules | undefined
  readonly textLengthMax: number
  readonly actionBytesMax: number
}

/** Whether a message is heard; if not, what its writer is told, if anything. */
export type Verdict = { readonly heard: true } | { readonly heard: false; readonly told?: string }

export class Gate {
  readonly #parts: GateParts
  readonly #dropped = new Map<Refusal | 'pair', number>()

  constructor(parts: GateParts) {
    this.#parts = parts
  }

  /** Messages that were not heard since the start, by why. */
  get dropped(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#dropped)
  }

  /** Rejects where the store refuses. */
  async judge(knock: Knock): Promise<Verdict> {
    const answer = this.#admit(knock)
    if (answer === 'in') return { heard: true }
    this.#count(answer)
    const told = answer === 'pair' ? await this.#codeFor(knock) : undefined
    return told === undefined ? { heard: false } : { heard: false, told }
  }

  /** Whether somebody who presses a button would be heard; they speak to the agent by it. */
  admits({ channelId, from, group }: Pick<Knock, 'channelId' | 'from' | 'group'>): boolean {
    const answer = this.#admit({ channelId, from, ...(group && { group: { ...group, addressed: true } }) })
    if (answer !== 'in') this.#count(answer)
    return answer === 'in'
  }

  #admit({ channelId, ...asker }: Pick<Knock, 'channelId' | 'from' | 'group'>) {
    const { rules: rulesNow, store } = this.#parts
    const rules = rulesNow()
    return rules ? admit(asker, rules, store.read.person(channelId, asker.from.id) !== undefined) : 'in'
  }

  #count(why: Refusal | 'pair'): void {
    this.#dropped.set(why, (this.#dropped.get(why) ?? 0) + 1)
  }

  async #codeFor({ channelId, chatId, messageId, from }: Knock): Promise<string | undefined> {
    const { store, clock, random } = this.#parts
    const nowMs = clock.now()
    const known = store.read.stranger({ channelId, personId: from.id, nowMs })
    const stranger =
      known ?? (await this.#note({ channelId, chatId, messageId, from }, { nowMs, code: codeOf(random) }))
    // The message that asked is told, however often it is handed on; those after it are not.
    if (stranger?.messageId !== messageId || stranger.chatId !== chatId || stranger.deniedBy) return undefined
    return `I do not know you yet. Ask my owner to let you in with this code, which is good for an hour:\n${stranger.code}\n(sluice pairing approve ${stranger.code}, with --owner if that is you)`
  }

  async #note(
    { channelId, chatId, messageId, from: { id, name, handle } }: Knock,
    { nowMs, code }: { nowMs: number; code: string },
  ) {
    const who = {
      channelId,
      personId: id,
      ...(name !== undefined && { name }),
      ...(handle !== undefined && { handle }),
    }
    const stranger = { ...who, code, chatId, messageId, createdAtMs: nowMs, expiresAtMs: nowMs + CODE_MS }
    const question = questionAbout({ id, name, handle }, code, this.#parts)
    return (await this.#parts.store.write.noteStranger({ stranger, question, openMax: STRANGERS_MAX, nowMs })).value
  }
}

function codeOf(random: Random): string {
  const bytes = random.hex(CODE_LENGTH).match(/../g) ?? []
  return bytes.map(byte => LETTERS[Number.parseInt(byte, 16) % LETTERS.length]).join('')
}
