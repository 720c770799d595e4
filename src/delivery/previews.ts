// What people see of a turn of their chat while it runs: that it writes, and on a channel whose messages can be changed, what
// there is of the reply. A preview is a row before its first byte (L4) and then an ordinary send; what changes it is only
// the newest text there is, at most so often as the channel takes it, and never after its reply is owed. All of this is
// for show: nobody waits for it, and nothing is lost with it.
import { SECOND } from '../base/durations.ts'
import type { Clock, Timer } from '../base/world.ts'
import { type AgentEvent, type ChatEvent, runOfStream } from '../protocol/events.ts'
import type { Route, Store } from '../store/port.ts'
import { replyIds } from '../store/rows.ts'
import type { Deliverer } from './deliverer.ts'
import { withoutMedia } from './media.ts'

/** How long a channel shows that somebody writes. */
const TYPING_INTERVAL_MS = 4 * SECOND
const STOPPED = '(stopped)'
const NEVER = new AbortController().signal

/** What is needed of a channel to show a turn. */
export interface Showing {
  readonly deliverer: Pick<Deliverer, 'poke' | 'revise'>
  /** Undefined: replies appear whole. */
  readonly intervalMs: number | undefined
  readonly typing: ((chatId: string, signal: AbortSignal) => Promise<void>) | undefined
}

interface PreviewParts {
  readonly store: Store
  readonly clock: Clock
  readonly showing: (channelId: string, session: string) => Showing | undefined
}

interface Shown extends Showing {
  readonly runId: string
  readonly route: Route
  /** Of the reply, so far; and what of it the chat has, or will by a row. */
  text: string
  last: string
  timer: Timer | undefined
  typist: Timer | undefined
  isOver: boolean
}

export class Previews {
  readonly #parts: PreviewParts
  /** By session; undefined for a turn that nobody is shown. */
  readonly #shown = new Map<string, Shown | undefined>()

  constructor(parts: PreviewParts) {
    this.#parts = parts
  }

  /** Never waits. */
  hear({ event, payload }: { readonly event: string; readonly payload: unknown }): void {
    if (event === 'agent') this.#hearAgent(payload as AgentEvent)
    if (event === 'chat') this.#hearChat(payload as ChatEvent)
    if (event === 'exec.approval.requested') this.#rest(payload as { request: { sessionKey: string } })
  }

  stop(): void {
    for (const session of [...this.#shown.keys()]) this.#end(session)
  }

  #hearAgent({ runId, session, stream, data }: AgentEvent): void {
    if (session === undefined) return
    const present = this.#shown.get(session)
    if (stream !== 'lifecycle' && present && !present.typist) this.#type(present)
    if (stream !== 'lifecycle') return
    this.#end(session)
    if ((data as { phase?: string }).phase !== 'start') return
    const shown = this.#of(runOfStream(runId), session)
    this.#shown.set(session, shown)
    if (shown) this.#type(shown)
  }

  #hearChat({ session, state, message }: ChatEvent): void {
    const shown = session === undefined ? undefined : this.#shown.get(session)
    if (!shown || state !== 'delta') return
    shown.text = withoutMedia(textOf(message)).slice(0, shown.route.textLengthMax - STOPPED.length - 2)
    if (shown.intervalMs !== undefined) this.#later(shown, shown.intervalMs)
  }

  #of(runId: string, session: string): Shown | undefined {
    const { store, showing } = this.#parts
    const source = store.read.run(runId)?.source
    const route = source === 'chat' || source === 'told' ? store.read.route(session) : undefined
    const how = route && showing(route.channelId, session)
    if (!how) return undefined
    return { ...how, runId, route, text: '', last: '', timer: undefined, typist: undefined, isOver: false }
  }

  #end(session: string): void {
    const shown = this.#shown.get(session)
    this.#shown.delete(session)
    if (!shown) return
    shown.isOver = true
    shown.timer?.cancel()
    shown.typist?.cancel()
    this.#breakOff(shown).catch(() => undefined)
  }

  /** Where a turn was stopped and its person is owed nothing more, the preview says so itself. Rejects once the store is closed. */
  async #breakOff(shown: Shown): Promise<void> {
    const { runId, last, deliverer, intervalMs = 0 } = shown
    const { read } = this.#parts.store
    const { reply, preview } = replyIds(runId)
    if (last === '' || read.run(runId)?.state !== 'aborted' || read.send(`${reply}#1`)) return
    const row = read.send(`${preview}#1`)
    if (row?.state !== 'sent') return
    const revised = await deliverer.revise(row, `${last.trimEnd()}… ${STOPPED}`)
    const again = () => void this.#breakOff(shown).catch(() => undefined)
    if (typeof revised === 'number') this.#parts.clock.after(Math.max(intervalMs, revised), again)
  }

  #type(shown: Shown): void {
    if (!shown.typing) return
    shown.typing(shown.route.chatId, NEVER).catch(() => undefined)
    shown.typist = this.#parts.clock.after(TYPING_INTERVAL_MS, () => this.#type(shown))
  }

  /** Who waits for a person writes nothing, until the turn goes on. */
  #rest({ request }: { readonly request: { readonly sessionKey: string } }): void {
    const shown = this.#shown.get(request.sessionKey)
    shown?.typist?.cancel()
    if (shown) shown.typist = undefined
  }

  #later(shown: Shown, delayMs: number): void {
    if (shown.isOver) return
    shown.timer ??= this.#parts.clock.after(delayMs, () => void this.#show(shown))
  }

  /** Does not reject. The next time is not before this one has ended. */
  async #show(shown: Shown): Promise<void> {
    const { intervalMs = 0, text } = shown
    let againMs: number | undefined
    if (text.trim() !== '' && text !== shown.last) againMs = await this.#put(shown, text).catch(() => undefined)
    shown.timer = undefined
    if (againMs !== undefined && shown.text !== shown.last) this.#later(shown, Math.max(intervalMs, againMs))
  }

  /** Answers after how long it may be tried again; undefined: this turn is shown no further. */
  async #put(shown: Shown, text: string): Promise<number | undefined> {
    const { store, clock } = this.#parts
    const row = store.read.send(`${replyIds(shown.runId).preview}#1`)
    if (!row) {
      const asked = { runId: shown.runId, text: `${text.trimEnd()}…`, epoch: store.epoch, nowMs: clock.now() }
      const { value } = await store.write.queuePreview(asked)
      if (value.queued) shown.last = text
      shown.deliverer.poke()
      return value.queued ? 0 : undefined
    }
    if (row.state === 'queued' || row.state === 'sending') return 0
    if (row.state !== 'sent') return undefined
    const revised = await shown.deliverer.revise(row, `${text.trimEnd()}…`)
    if (revised === 'done') shown.last = text
    return typeof revised === 'number' ? revised : revised === 'done' ? 0 : undefined
  }
}

function textOf(message: ChatEvent['message']): string {
  return (message?.content ?? []).map(({ text = '' }) => text).join('')
}
