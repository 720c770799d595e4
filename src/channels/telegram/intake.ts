// Takes updates in: those of one chat one after another, a press behind nobody. It remembers which updates are under way
// or done, so that one that comes again is handed on once and the oldest that is not on disk is known: that is how far
// the service may forget. What it holds is bounded by what the service shows before that one (a window).
import type { Update } from 'grammy/types'
import { SECOND } from '../../base/durations.ts'
import { pause } from '../../base/pause.ts'
import type { Clock } from '../../base/world.ts'
import type { Reading } from './updates.ts'

const RETRY_MS_MIN = SECOND
const RETRY_MS_MAX = 60 * SECOND

export interface IntakeParts {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly read: (update: Update) => Reading | undefined
  /** Resolves once it is on disk. */
  readonly handOn: (reading: Reading) => Promise<void>
  readonly log: (level: 'warn', message: string) => void
}

export class Intake {
  readonly #parts: IntakeParts
  /** Of each update in the window: its end, which rejects where it was not taken. Absent once it is done. */
  readonly #underWay = new Map<number, Promise<void>>()
  readonly #done = new Set<number>()
  readonly #chats = new Map<string, Promise<void>>()
  #whenEmpty: (() => void) | undefined

  constructor(parts: IntakeParts) {
    this.#parts = parts
  }

  /** How many were handed in and are not on disk. */
  get underWay(): number {
    return this.#underWay.size
  }

  /** The oldest update that is not on disk. */
  get oldest(): number | undefined {
    return this.#underWay.size === 0 ? undefined : Math.min(...this.#underWay.keys())
  }

  /** Calls back once, when nothing is under way any more; a later callback takes its place. */
  whenEmpty(callback: () => void): void {
    this.#whenEmpty = callback
  }

  /** Updates below `offset` come no more. */
  forget(offset: number): void {
    for (const id of this.#done) if (id < offset) this.#done.delete(id)
  }

  /** Keeps at it until the update is on disk; answers whether it is new. */
  keep(update: Update): boolean {
    const { update_id: id } = update
    if (this.#done.has(id) || this.#underWay.has(id)) return false
    const end = this.#begin(update, reading => this.#insist(reading))
    end.then(
      () => this.#done.add(id),
      () => undefined,
    )
    return true
  }

  /** Tries once; rejects where the update was not taken. One that is under way already is waited for. */
  async once(update: Update): Promise<void> {
    await (this.#underWay.get(update.update_id) ?? this.#begin(update, this.#parts.handOn))
  }

  #begin(update: Update, handOn: (reading: Reading) => Promise<void>): Promise<void> {
    const { update_id: id } = update
    const end = this.#inOrder(this.#read(update), handOn).finally(() => {
      this.#underWay.delete(id)
      if (this.#underWay.size === 0) this.#whenEmpty?.()
    })
    this.#underWay.set(id, end)
    return end
  }

  /** What cannot be read would come for ever: it is dropped, and that is said. */
  #read(update: Update): Reading | undefined {
    try {
      return this.#parts.read(update)
    } catch (error) {
      this.#parts.log('warn', `an update of Telegram could not be read and was dropped: ${String(error)}`)
      return undefined
    }
  }

  async #inOrder(reading: Reading | undefined, handOn: (reading: Reading) => Promise<void>): Promise<void> {
    if (!reading) return
    if (reading.kind === 'press') {
      await handOn(reading)
      return
    }
    const { chatId } = reading.message
    const before = this.#chats.get(chatId) ?? Promise.resolve()
    const end = before.catch(() => undefined).then(() => handOn(reading))
    this.#chats.set(chatId, end)
    await end.finally(() => {
      if (this.#chats.get(chatId) === end) this.#chats.delete(chatId)
    })
  }

  /** Hands on until it is taken, ever more slowly; rejects when all is stopped. */
  async #insist(reading: Reading): Promise<void> {
    const { clock, signal, handOn, log } = this.#parts
    for (let delayMs = RETRY_MS_MIN; ; delayMs = Math.min(RETRY_MS_MAX, delayMs * 2)) {
      signal.throwIfAborted()
      try {
        await handOn(reading)
        return
      } catch (error) {
        log('warn', `a message of Telegram was not taken, and will be handed on again: ${String(error)}`)
      }
      await pause(clock, delayMs, signal)
    }
  }
}
