// All channels of a house: what people write in them goes through the one door, and what is owed to them is carried out,
// each channel by itself. It owns no rows. A channel that cannot begin has failed, and says so in `channels.status`;
// everything else goes on without it.
import { pause } from '../base/pause.ts'
import type { Clock, Random } from '../base/world.ts'
import type { Store } from '../store/port.ts'
import { replyIds, type SendRow } from '../store/rows.ts'
import type { TalkRules } from './admission.ts'
import { COMMANDS } from './commands.ts'
import { Deliverer, type DelivererParts, type Outlet } from './deliverer.ts'
import { Gate } from './gate.ts'
import { type InboundMessage, receive, runIdOf } from './inbound.ts'
import { Previews } from './previews.ts'
import { pressed } from './questions.ts'
import type { Press, ReceiverParts } from './receiver.ts'

/** Of taking the buttons from a question whose chat is busy. */
const BARE_TRIES_MAX = 5

export interface LineState {
  readonly phase: 'starting' | 'running' | 'offline' | 'failed' | 'stopped'
  readonly error?: string
  readonly account?: string
}

interface Handlers {
  readonly inbound: (message: InboundMessage) => Promise<void>
  readonly pressed: (press: Press) => Promise<string | undefined>
  readonly state: (state: LineState) => void
  readonly commands: readonly { readonly name: string; readonly description: string }[]
}

/** What is needed of a channel; the channel port has it. */
export interface Line extends Outlet {
  start(handlers: Handlers): Promise<void>
  stop(): Promise<void>
  typing?(chatId: string, signal: AbortSignal): Promise<void>
  react?(target: { readonly chatId: string; readonly messageId: string; readonly sign?: string }): Promise<void>
}

/** What holds for one channel. */
export interface LineRules extends TalkRules {
  readonly fileBytesMax: number
  /** Whether a reply is shown while it is written. */
  readonly streams: boolean
}

/** The sign under a message that was taken, and under which ones. */
export interface Ack {
  readonly sign: string
  readonly scope: 'group-mentions' | 'group-all' | 'direct' | 'all'
  /** It goes once the reply was sent. */
  readonly isRemoved: boolean
}

export interface ExchangeParts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly lines: readonly Line[]
  /** The session of a chat. */
  readonly sessionOf: ReceiverParts['sessionOf']
  readonly call: ReceiverParts['call']
  /** The present rules of a channel; undefined: whoever made it lets all in. */
  readonly rulesOf: (channelId: string) => LineRules | undefined
  readonly ack: () => Ack
  /** How a channel fares has changed. */
  readonly changed: () => void
  readonly log: DelivererParts['log']
}

/** How a channel fares; counts are since the start. */
export interface LineReport extends LineState {
  readonly id: string
  /** Messages that became turns, or were answered at once. */
  readonly heard: number
  /** Messages that were not heard, by why. */
  readonly dropped: Readonly<Record<string, number>>
  readonly lastInboundAtMs: number | undefined
  readonly lastOutboundAtMs: number | undefined
}

interface Post {
  readonly line: Line
  readonly gate: Gate
  readonly deliverer: Deliverer
  state: LineState
  heard: number
  lastInboundAtMs: number | undefined
}

export class Exchange {
  readonly #parts: ExchangeParts
  readonly #posts: readonly Post[]
  readonly #previews: Previews
  #isStopped = false

  constructor(parts: ExchangeParts) {
    this.#parts = parts
    const { store, clock, random, log, rulesOf } = parts
    this.#posts = parts.lines.map(line => ({
      line,
      gate: new Gate({ store, clock, random, rules: () => rulesOf(line.id), ...roomOf(line) }),
      deliverer: new Deliverer({ store, clock, outlet: line, log, sent: row => this.#unsign(line, row) }),
      state: { phase: 'starting' },
      heard: 0,
      lastInboundAtMs: undefined,
    }))
    this.#previews = new Previews({ store, clock, showing: (channelId, session) => this.#showing(channelId, session) })
  }

  /** What was cut off is judged first, then the channels begin; none of them is waited for. Rejects when the store refuses. */
  async start(): Promise<void> {
    for (const { deliverer } of this.#posts) await deliverer.start()
    for (const post of this.#posts) void this.#begin(post)
  }

  /** Takes no more messages and begins no more sends; waits for none. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#previews.stop()
    for (const { deliverer } of this.#posts) deliverer.stop()
    for (const { line } of this.#posts) await line.stop()
  }

  /** Something was committed that may be owed to somebody. Never waits. */
  poke(): void {
    for (const { deliverer } of this.#posts) deliverer.poke()
  }

  /** An event of a turn. Never waits. */
  hear(event: { readonly event: string; readonly payload: unknown }): void {
    if (this.#isStopped) return
    this.#previews.hear(event)
    if (event.event === 'exec.approval.resolved')
      this.#bare((event.payload as { id: string }).id).catch(() => undefined)
  }

  /** Bytes of one file to or from a channel's chats; 0: they take none. */
  fileBytesMax(channelId: string): number {
    const line = this.#posts.find(post => post.line.id === channelId)?.line
    const most = this.#parts.rulesOf(channelId)?.fileBytesMax ?? Number.POSITIVE_INFINITY
    return Math.min(line?.capabilities.files?.bytesMax ?? 0, most)
  }

  reports(): LineReport[] {
    return this.#posts.map(({ line, gate, deliverer, state, heard, lastInboundAtMs }) => ({
      ...{ id: line.id, ...state, heard, dropped: gate.dropped },
      ...{ lastInboundAtMs, lastOutboundAtMs: deliverer.lastSentAtMs },
    }))
  }

  /** Does not reject. */
  async #begin(post: Post): Promise<void> {
    try {
      await post.line.start({
        inbound: message => this.#take(post, message),
        pressed: press => pressed(this.#receiver(post), press),
        state: state => this.#fares(post, state),
        commands: COMMANDS.map(({ name, description }) => ({ name, description })),
      })
    } catch (error) {
      this.#fares(post, { phase: 'failed', error: error instanceof Error ? error.message : String(error) })
    }
  }

  async #take(post: Post, message: InboundMessage): Promise<void> {
    const became = await receive(this.#receiver(post), message)
    if (became === 'dropped') return
    post.heard += 1
    post.lastInboundAtMs = this.#parts.clock.now()
    if (became === 'taken') this.#acknowledge(post.line, message)
  }

  /** Nobody waits for it, and nothing hangs on it. */
  #acknowledge(line: Line, { chatId, messageId, group }: InboundMessage): void {
    const { sign, scope } = this.#parts.ack()
    const where = { all: true, direct: !group, 'group-all': group !== undefined, 'group-mentions': group?.addressed }
    if (sign === '' || !line.capabilities.reactions || !where[scope]) return
    line.react?.({ chatId, messageId, sign }).catch(() => undefined)
  }

  /** Takes the sign from what a reply answers, its own message and those that joined its turn. As `#acknowledge`. */
  #unsign(line: Line, { source, id, textId, chatId }: SendRow): void {
    const { ack, store } = this.#parts
    const { sign, isRemoved } = ack()
    if (source !== 'reply' || id !== `${textId}#1` || sign === '' || !isRemoved || !line.capabilities.reactions) return
    const runId = textId.slice(replyIds('').reply.length)
    const ours = runIdOf({ channelId: line.id, chatId, messageId: '' })
    for (const each of [runId, ...store.read.mergedInto(runId)]) {
      const messageId = each.startsWith(ours) ? each.slice(ours.length) : undefined
      if (messageId !== undefined) line.react?.({ chatId, messageId }).catch(() => undefined)
    }
  }

  #fares(post: Post, state: LineState): void {
    // What a channel says as it is stopped is no news.
    if (this.#isStopped) return
    const account = state.account ?? post.state.account
    post.state = { ...state, ...(account !== undefined && { account }) }
    const level = state.phase === 'failed' ? 'error' : state.error === undefined ? 'info' : 'warn'
    this.#parts.log(level, `${post.line.id}: ${state.phase}`, { ...state })
    this.#parts.changed()
    if (state.phase === 'running') post.deliverer.poke()
  }

  /** Takes the buttons from a question that nobody needs to answer any more, if that can be done soon. */
  async #bare(id: string): Promise<void> {
    const { store, clock } = this.#parts
    let row = store.read.send(`${id}#1`)
    for (let next = row; next; next = store.read.send(`${id}#${Number(next.id.slice(id.length + 1)) + 1}`)) row = next
    const post = this.#posts.find(({ line }) => line.id === row?.channelId)
    const { buttons, edits } = post?.line.capabilities ?? {}
    if (!row || !post || !buttons || !edits) return
    for (let tries = 0; tries < BARE_TRIES_MAX && !this.#isStopped; tries += 1) {
      const revised = row.state === 'sent' ? await post.deliverer.revise(row, row.text) : 'lost'
      if (typeof revised !== 'number') return
      await pause(clock, Math.max(edits.intervalMs, revised))
    }
  }

  #showing(channelId: string, session: string) {
    const post = this.#posts.find(({ line }) => line.id === channelId)
    if (!post) return undefined
    const { line, deliverer } = post
    const { edits, typing } = line.capabilities
    const streams = this.#parts.rulesOf(channelId)?.streams ?? true
    const slowerMs = session.includes(':group:') ? edits?.groupIntervalMs : undefined
    const intervalMs = streams ? (slowerMs ?? edits?.intervalMs) : undefined
    return { deliverer, intervalMs, typing: typing && line.typing?.bind(line) }
  }

  #receiver({ line, gate }: Post): ReceiverParts {
    const { store, clock, sessionOf, call } = this.#parts
    const fileBytesMax = () => this.fileBytesMax(line.id)
    return { store, clock, gate, sessionOf, call, ...roomOf(line), fileBytesMax, poke: () => this.poke() }
  }
}

function roomOf({ capabilities: { textLengthMax, buttons } }: Line) {
  return { textLengthMax, actionBytesMax: buttons?.actionBytesMax ?? 0 }
}
