// Carries the sends of one channel from the store to it. The rows are the truth: this file keeps only a timer and which
// chats it is busy with. Nothing is held while a send is under way but its row's state; a channel that hangs holds up
// no other channel, and a chat that cannot be reached no other chat.
import { MINUTE, SECOND } from '../base/durations.ts'
import { asSluiceError } from '../base/errors.ts'
import { pause } from '../base/pause.ts'
import type { Clock, Timer } from '../base/world.ts'
import type { SendEnd, SendFence, Store } from '../store/port.ts'
import { type Attachment, type Buttons, replyIds, type SendRow } from '../store/rows.ts'
import { buttonsUnder } from './questions.ts'

/** Chats of the channel to which something is sent at once. */
export const CHATS_MAX = 8
/** Each chat has at most two that are due; with so many, enough are of chats that are free. */
const DUE_MAX = 4 * CHATS_MAX
/** A send that was not answered so long is given up on. */
export const SEND_TIMEOUT_MS = MINUTE
/** A change of a preview holds its chat's sends up for no longer. */
export const EDIT_TIMEOUT_MS = 10 * SECOND
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
  readonly file?: { readonly name: string; readonly mediaType: string; readonly bytes: Uint8Array }
}

interface Capabilities {
  readonly dedupesSends: boolean
  readonly textLengthMax: number
  readonly edits?: { readonly intervalMs: number; readonly groupIntervalMs?: number }
  readonly typing?: true
  readonly buttons?: { readonly actionBytesMax: number }
  readonly files?: { readonly bytesMax: number }
  readonly reactions?: true
}

/** What a deliverer needs of a channel; an error may have the `kind` and `retryAfterMs` of the channel port's. */
export interface Outlet {
  readonly id: string
  readonly capabilities: Capabilities
  send(message: Outbound, signal: AbortSignal): Promise<{ readonly id: string }>
  edit?(message: Outbound & { readonly sentId: string }, signal: AbortSignal): Promise<void>
}

interface Preview {
  readonly id: string
  readonly sentId: string
  readonly edit: NonNullable<Outlet['edit']>
}

const REPLY_LENGTH = replyIds('').reply.length

function failureOf(thrown: unknown): { readonly kind?: unknown; readonly retryAfterMs?: number } {
  return thrown ?? {}
}

export interface DelivererParts {
  readonly store: Store
  readonly clock: Clock
  readonly outlet: Outlet
  /** Told of each send that was sent, once that is on disk. Must not throw. */
  readonly sent?: (row: SendRow) => void
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
    const { clock } = this.#parts
    const heldMs = this.#notBefore - clock.monotonic()
    if (heldMs > 0) {
      this.#sleep(heldMs)
      return
    }
    try {
      this.#look()
    } catch (error) {
      // Whoever pokes has done its own work already: what cannot be read is told, and looked for again.
      this.#notBefore = clock.monotonic() + RETRY_MS
      this.#complain(error, 'read')
      this.#sleep(RETRY_MS)
    }
  }

  #look(): void {
    const { store, clock, outlet } = this.#parts
    const nowMs = clock.now()
    for (const row of store.read.dueSends({ channelId: outlet.id, nowMs, limit: DUE_MAX })) {
      if (this.#busy.size >= CHATS_MAX) break
      if (!this.#busy.has(row.chatId)) this.#take(row)
    }
    // What is due and was not taken is looked at again when a chat is free.
    const nextMs = store.read.nextSendAtMs(outlet.id, nowMs)
    if (nextMs !== undefined) this.#sleep(Math.min(SLEEP_MS_MAX, nextMs - nowMs))
  }

  /**
   * Changes a preview, or takes the buttons from a question, unless something is under way in its chat. `lost`: it cannot
   * be changed any more; a number: not changed, and to be tried again after so many ms. Does not reject.
   */
  async revise(row: SendRow, text: string): Promise<'done' | 'lost' | number> {
    const { outlet } = this.#parts
    const { id, chatId, sentId } = row
    if (this.#stop.signal.aborted) return 'lost'
    if (this.#busy.has(chatId) || sentId === undefined || !outlet.edit) return 0
    this.#busy.add(chatId)
    const over = new AbortController()
    const late = { timeoutMs: EDIT_TIMEOUT_MS, kind: 'permanent' }
    try {
      await this.#within(late, over, outlet.edit({ id, chatId, text, sentId }, over.signal))
      return 'done'
    } catch (thrown) {
      const { kind, retryAfterMs = 0 } = failureOf(thrown)
      if (kind !== 'permanent') return retryAfterMs
      await this.#dropPreview(id)
      return 'lost'
    } finally {
      over.abort()
      this.#busy.delete(chatId)
      this.poke()
    }
  }

  /** What is late may still arrive: a preview whose last change did not is none that may be changed again. */
  async #dropPreview(id: string): Promise<void> {
    const { store, clock } = this.#parts
    await store.write.dropPreview({ id, epoch: store.epoch, nowMs: clock.now() }).catch(error => this.#complain(error))
  }

  async #within<T>(late: { timeoutMs: number; kind: string }, over: AbortController, work: Promise<T>): Promise<T> {
    const expired = pause(this.#parts.clock, late.timeoutMs, over.signal).then(() => {
      throw Object.assign(new Error('the channel did not answer in time'), { kind: late.kind })
    })
    // When the work was quicker, nobody hears of it.
    expired.catch(() => undefined)
    return await Promise.race([work, expired])
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
      if (!value) return
      const end = await this.#send(value)
      await this.#end(fence, end)
      if (end.state === 'sent') this.#parts.sent?.(value)
    } catch (error) {
      this.#notBefore = clock.monotonic() + RETRY_MS
      this.#complain(error)
      // Nothing went out; where it may have been claimed all the same, it is given back.
      if (asSluiceError(error).outcome !== 'not-started') {
        await this.#end(fence, { state: 'queued', notBeforeMs: clock.now() + RETRY_MS, error: 'the store failed' })
      }
    }
  }

  #complain(error: unknown, could = 'written'): void {
    if (this.#stop.signal.aborted) return
    const { log, outlet } = this.#parts
    log('error', `${outlet.id}: the outbox could not be ${could}; trying again`, {
      error: asSluiceError(error).message,
    })
  }

  async #send(row: SendRow): Promise<SendEnd> {
    const { attempt } = row
    const { clock } = this.#parts
    const over = new AbortController()
    try {
      const preview = this.#previewOf(row)
      const sent = await (preview ? this.#become(row, preview, over) : this.#sendNew(row, over))
      this.#lastSentAtMs = clock.now()
      return { state: 'sent', sentId: sent.id }
    } catch (thrown) {
      return this.#judge(thrown, attempt)
    } finally {
      over.abort()
    }
  }

  async #sendNew(row: SendRow, over: AbortController): Promise<{ readonly id: string }> {
    const message = row.file ? await this.#withFile(row, row.file) : this.#outbound(row)
    const sent = this.#parts.outlet.send(message, over.signal)
    return await this.#within({ timeoutMs: SEND_TIMEOUT_MS, kind: 'unconfirmed' }, over, sent)
  }

  async #withFile({ id, chatId }: SendRow, { blob, name, mime }: Attachment): Promise<Outbound> {
    const bytes = await this.#parts.store.readLarge.blob(blob)
    if (bytes) return { id, chatId, text: '', file: { name, mediaType: mime, bytes } }
    throw Object.assign(new Error('the file is kept no longer'), { kind: 'permanent' })
  }

  /** The reply takes its preview's place; where that one cannot be changed, it is a message of its own the next time. */
  async #become(row: SendRow, preview: Preview, over: AbortController): Promise<{ readonly id: string }> {
    const { id: previewId, sentId, edit } = preview
    const late = { timeoutMs: EDIT_TIMEOUT_MS, kind: 'transient' }
    try {
      await this.#within(late, over, edit({ ...this.#outbound(row), sentId }, over.signal))
      return { id: sentId }
    } catch (thrown) {
      if (failureOf(thrown).kind !== 'permanent') throw thrown
      await this.#dropPreview(previewId)
      throw Object.assign(new Error('its preview cannot be changed any more'), { kind: 'transient' })
    }
  }

  /** The message that a reply takes the place of, if that one is known to have arrived. */
  #previewOf({ id, textId, source, chatId, channelId }: SendRow): Preview | undefined {
    const { store, outlet } = this.#parts
    if (source !== 'reply' || id !== `${textId}#1` || !outlet.edit) return undefined
    const preview = store.read.send(`${replyIds(textId.slice(REPLY_LENGTH)).preview}#1`)
    if (preview?.state !== 'sent' || preview.chatId !== chatId || preview.channelId !== channelId) return undefined
    const edit = outlet.edit.bind(outlet)
    return preview.sentId === undefined ? undefined : { id: preview.id, sentId: preview.sentId, edit }
  }

  #outbound(row: SendRow): Outbound {
    const { store, outlet } = this.#parts
    const { id, chatId, text, textId } = row
    const { actionBytesMax = 0 } = outlet.capabilities.buttons ?? {}
    const isLast = () => store.read.send(`${textId}#${Number(id.slice(textId.length + 1)) + 1}`) === undefined
    const buttons = actionBytesMax > 0 ? (row.buttons ?? buttonsUnder(row, { actionBytesMax, isLast })) : undefined
    return { id, chatId, text, ...(buttons && { buttons }) }
  }

  #judge(thrown: unknown, attempt: number): SendEnd {
    const { clock, outlet, log } = this.#parts
    const { kind, retryAfterMs = 0 } = failureOf(thrown)
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
