// The durable events of a gateway, each once and in order, over however many connections (L5): what was missed is asked
// for before anything newer is handed on. It makes no connection and keeps no event; where the gateway cannot say what
// was missed it says so, and its holder reads lists and histories anew.
import { asSluiceError } from '../base/errors.ts'
import type { Result } from '../protocol/catalogue.ts'
import type { LiveRunSnapshot } from '../protocol/methods/events.ts'
import type { GatewayClient, GatewayEvent } from './client.ts'

/** What is followed: a connection, or the gateway itself in the same process. */
export type Followed = Pick<GatewayClient, 'call' | 'onEvent'> & {
  readonly hello: { readonly snapshot: GatewayClient['hello']['snapshot'] | { readonly lastSeq: number } }
}

/** Events that wait for an answer. What came before the answer is in it too, so that the newest are enough. */
const HELD_MAX = 1_000

export interface ReplayListener {
  /** Durable events, and the passing ones of now; those of what was missed are gone. */
  event(event: GatewayEvent): void
  /** All that was missed has been handed on, and these runs go on. */
  caughtUp(live: readonly LiveRunSnapshot[]): void
  /** What was missed cannot be told. What comes from now on can. */
  tooOld(live: readonly LiveRunSnapshot[]): void
}

type Page = Result<'events.since'>

export class Replay {
  readonly #listener: ReplayListener
  /** Up to where all was handed on; undefined while no gateway has said where it stands. */
  #seq: number | undefined
  #client: Followed | undefined
  #unlisten: () => void = () => undefined
  /** Durable events that came while what was before them is asked for. */
  #held: GatewayEvent[] | undefined

  /** `since`: up to where the listener was told earlier; default: where the first gateway stands. */
  constructor(listener: ReplayListener, since?: number) {
    this.#listener = listener
    this.#seq = since
  }

  /** Takes a connection on, in the moment it was made; an earlier one is not listened to any more. */
  follow(client: Followed): void {
    const isFirst = this.#client === undefined
    this.#client = client
    this.#seq ??= isFirst ? standOf(client) : undefined
    this.#unlisten()
    this.#unlisten = client.onEvent(event => {
      if (this.#client === client) this.#hear(event)
    })
    if (isFirst && this.#seq === undefined) return
    this.#held = []
    void this.#catchUp(client)
  }

  /** Nothing more is told. */
  end(): void {
    this.#client = undefined
    this.#unlisten()
  }

  #hear(event: GatewayEvent): void {
    if (!this.#held) this.#hand(event)
    else if (event.seq !== undefined) hold(this.#held, event)
    // What runs say meanwhile is in the snapshots that come with the answer.
    else if (event.event !== 'agent' && event.event !== 'chat') this.#listener.event(event)
  }

  #hand(event: GatewayEvent): void {
    if (event.seq !== undefined) {
      if (this.#seq !== undefined && event.seq <= this.#seq) return
      this.#seq = event.seq
    }
    this.#listener.event(event)
  }

  async #catchUp(client: Followed): Promise<void> {
    for (let more = true; more; ) {
      const page = await this.#ask(client)
      // Lost: the next connection asks from where we stand.
      if (this.#client !== client || page === 'lost') return
      more = page && !page.tooOld ? this.#take(page) : this.#giveUp(client, page)
    }
    this.#release()
  }

  /** Answers whether there is more to ask for. */
  #take({ events, nextSeq, more, live }: Page): boolean {
    const before = this.#seq ?? 0
    for (const event of events) this.#hand(event as unknown as GatewayEvent)
    // Events that this client may not hear count too.
    this.#seq = Math.max(before, nextSeq)
    if (more && nextSeq > before) return true
    this.#listener.caughtUp(live)
    return false
  }

  #giveUp(client: Followed, page: Page | undefined): boolean {
    this.#seq = page?.nextSeq ?? standOf(client)
    this.#listener.tooOld(page?.live ?? [])
    return false
  }

  /** Undefined when the gateway does not tell. */
  async #ask(client: Followed): Promise<Page | 'lost' | undefined> {
    if (this.#seq === undefined) return undefined
    try {
      return await client.call('events.since', { seq: this.#seq })
    } catch (error) {
      return asSluiceError(error).details?.closeCode === undefined ? undefined : 'lost'
    }
  }

  #release(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const event of held) this.#hand(event)
  }
}

function hold(held: GatewayEvent[], event: GatewayEvent): void {
  if (held.push(event) > HELD_MAX) held.shift()
}

/** Where the gateway stood when the connection was made; undefined when it does not say. */
function standOf(client: Followed): number | undefined {
  const { lastSeq } = client.hello.snapshot as { readonly lastSeq?: unknown }
  return typeof lastSeq === 'number' ? lastSeq : undefined
}
