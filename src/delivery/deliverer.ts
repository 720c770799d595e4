// Carries the sends of one channel from the store to it. The rows are the truth: this file keeps only a timer and which
// chats it is busy with. Nothing is held while a send is under way but its row's state; a channel that hangs holds up
// no other channel, and a chat that cannot be reached no other chat.
import { MINUTE, SECOND } from '../base/durations.ts'
import { asSluiceError } from '../base/errors.ts'
import { pause } from '../base/pause.ts'
import type { Clock, Timer } from '../base/world.ts'
import type { SendEnd, SendFence, Store } from '../store/port.ts'
import type { SendRow } from '../store/rows.ts'
import { type Buttons, buttonsUnder } from './questions.ts'

/** Chats of the channel to which something is sent at once. */
export const CHATS_MAX = 8
/** Each chat has at most two that are due; with so many, enough are of chats that are free. */
const DUE_MAX = 4 * CHATS_MAX
/** A send that was not answered so long is given up on. */
export const SEND_TIMEOUT_MS = MINUTE
const BACKOFF_MS_MIN = SECOND
const BACKOFF_MS_MAX = 5 * MINUTE
/** The timer sleeps at most so long and reads the wall clock again: suspend and clock steps are seen. */
const SLEEP_MS_MAX = 20 * SECOND
/** After a write that the store could not take. */
const RETRY_MS = 5 * SECOND

interface Outbound {
  readonly id: string
  readonly chatId: string
  readonly text: string
  readonly buttons?: Buttons
}

interface Capabilities {
  readonly dedupesSends: boolean
  readonly textLengthMax: number
  readonly buttons?: { readonly actionBytesMax: number }
  readonly files?: { readonly bytesMax: number }
  readonly reactions?: true
}

/** What a deliverer needs of a channel; an error may have the `kind` and `retryAfterMs` of the channel port's. */
export interface Outlet {
  readonly id: string
  readonly capabilities: Capabilities
  send(message: Outbound, signal: AbortSignal): Promise<{ readonly id: string }>
}

export interface DelivererParts {
  readonly store: Store
  readonly clock: Clock
  readonly outlet: Outlet
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void
}

export class Deliverer {
  readonly #parts: DelivererParts
  readonly #stop = new AbortController()
  readonly #busy = new Set<string>()
  #timer: Timer | undefined
  #started = false
  #lastSentAtMs: number | undefined
  /** After a write that failed: no claim before this instant, by the monotonic clock, whoever pokes. */
  #notBefore = Number.NEGATIVE_INFINITY

  constructor(parts: DelivererParts) {
    this.#parts = parts
  }

  /** Of this start. */
  get lastSentAtMs(): number | undefined {
    return this.#lastSentAtMs
  }

  /** Judges what an older boot left under way, then begins. Rejects when the store refuses. */
  async start(): Promise<void> {
    const { store, clock, outlet, log } = this.#parts
    const { dedupesSends } = outlet.capabilities
    const recover = { channelId: outlet.id, dedupesSends, epoch: store.epoch, nowMs: clock.now() }
    const { value } = await store.write.recoverSends(recover)
    if (value.again + value.unconfirmed > 0) log('info', `${outlet.id}: sends were cut off by the last stop`, value)
    this.#started = true
    this.poke()
  }

  /** Begins nothing more, and waits for no send: what is still under way is judged by the next start. */
  stop(): void {
    this.#stop.abort()
    this.#timer?.cancel()
  }

  /** Looks at once for what is due: something was committed. Never waits. */
  poke(): void {
    if (!this.#started || this.#stop.signal.aborted) return
    this.#timer?.cancel()
    const { store, clock, outlet } = this.#parts
    const heldMs = this.#notBefore - clock.monotonic()
    if (heldMs > 0) {
      this.#sleep(heldMs)
      return
    }
    const nowMs = clock.now()
    for (const row of store.read.dueSends({ channelId: outlet.id, nowMs, limit: DUE_MAX })) {
      if (this.#busy.size >= CHATS_MAX) break
      if (!this.#busy.has(row.chatId)) this.#take(row)
    }
    // What is due and was not taken is looked at again when a chat is free.
    const nextMs = store.read.nextSendAtMs(outlet.id, nowMs)
    if (nextMs !== undefined) this.#sleep(Math.min(SLEEP_MS_MAX, nextMs - nowMs))
  }

  #sleep(delayMs: number): void {
    this.#timer = this.#parts.clock.after(delayMs, () => this.poke())
  }

  #take(row: SendRow): void {
    this.#busy.add(row.chatId)
    void this.#carry(row).finally(() => {
      this.#busy.delete(row.chatId)
      this.poke()
    })
  }

  /** Does not reject. */
  async #carry({ id, attempt }: SendRow): Promise<void> {
    const { store, clock } = this.#parts
    const fence = { id, epoch: store.epoch, attempt: attempt + 1 }
    try {
      const { value } = await store.write.claimSend({ id, epoch: fence.epoch, nowMs: clock.now() })
      if (value) await this.#end(fence, await this.#send(value))
    } catch (error) {
      this.#notBefore = clock.monotonic() + RETRY_MS
      this.#complain(error)
      // Nothing went out; where it may have been claimed all the same, it is given back.
      if (asSluiceError(error).outcome !== 'not-started') {
        await this.#end(fence, { state: 'queued', notBeforeMs: clock.now() + RETRY_MS, error: 'the store failed' })
      }
    }
  }

  #complain(error: unknown): void {
    if (this.#stop.signal.aborted) return
    const { log, outlet } = this.#parts
    log('error', `${outlet.id}: the outbox could not be written; trying again`, { error: asSluiceError(error).message })
  }

  async #send(row: SendRow): Promise<SendEnd> {
    const { attempt } = row
    const { clock, outlet } = this.#parts
    const over = new AbortController()
    const late = async () => {
      await pause(clock, SEND_TIMEOUT_MS, over.signal)
      throw Object.assign(new Error('the channel did not answer in time'), { kind: 'unconfirmed' })
    }
    try {
      const sent = await Promise.race([outlet.send(this.#outbound(row), over.signal), late()])
      this.#lastSentAtMs = clock.now()
      return { state: 'sent', sentId: sent.id }
    } catch (thrown) {
      return this.#judge(thrown, attempt)
    } finally {
      over.abort()
    }
  }

  #outbound(row: SendRow): Outbound {
    const { store, outlet } = this.#parts
    const { id, chatId, text, textId } = row
    const { actionBytesMax = 0 } = outlet.capabilities.buttons ?? {}
    const isLast = () => store.read.send(`${textId}#${Number(id.slice(textId.length + 1)) + 1}`) === undefined
    const buttons = actionBytesMax > 0 ? buttonsUnder(row, { actionBytesMax, isLast }) : undefined
    return { id, chatId, text, ...(buttons && { buttons }) }
  }

  #judge(thrown: unknown, attempt: number): SendEnd {
    const { clock, outlet, log } = this.#parts
    const { kind, retryAfterMs = 0 } = (thrown ?? {}) as { kind?: unknown; retryAfterMs?: number }
    const error = thrown instanceof Error ? thrown.message : String(thrown)
    if (kind === 'permanent') {
      log('warn', `${outlet.id}: a message cannot be sent`, { error })
      return { state: 'failed', error }
    }
    if (kind === 'unconfirmed' && !outlet.capabilities.dedupesSends) return { state: 'unconfirmed', error }
    const backoffMs = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** (attempt - 1))
    return { state: 'queued', notBeforeMs: clock.now() + Math.max(backoffMs, retryAfterMs), error }
  }

  /** Writes down how an attempt ended, however often it takes: nobody else can say it. */
  async #end(fence: SendFence, end: SendEnd): Promise<void> {
    const { store, clock } = this.#parts
    const { signal } = this.#stop
    // A send that failed because all is being stopped may have gone out: the next start judges it.
    while (!signal.aborted || end.state === 'sent') {
      try {
        await store.write.endSend({ fence, end, nowMs: clock.now() })
        return
      } catch (error) {
        if (asSluiceError(error).code === 'STALE' || signal.aborted) return
        this.#complain(error)
        await pause(clock, RETRY_MS, signal)
      }
    }
  }
}
