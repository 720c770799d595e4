// `GET /events`: what happens, as Server-Sent Events. Durable events carry their seq as id, so that a reader that comes
// back with `Last-Event-ID` is first told what it missed (L5). Until it has caught up nothing is held for it: it is read
// from the store, page by page as it reads. Who reads too slowly afterwards is dropped, and told so.
import { once } from 'node:events'
import { SluiceError } from '../../base/errors.ts'
import type { Clock } from '../../base/world.ts'
import type { Dispatcher } from '../../dispatch/dispatcher.ts'
import type { GatewayEvent } from '../../dispatch/event-hub.ts'
import type { Result } from '../../protocol/catalogue.ts'
import { mayHearEvent } from '../../protocol/events.ts'
import { Backlog } from '../backlog.ts'
import { type Ask, header } from './reply.ts'
import { Sse } from './sse.ts'

export const STREAMS_MAX = 1_000

export interface EventStreamParts {
  readonly dispatcher: Pick<Dispatcher, 'call'>
  readonly clock: Clock
  readonly listen: (listener: (event: GatewayEvent) => void) => () => void
  readonly lastSeq: () => number
}

type Page = Result<'events.since'>

export class EventStreams {
  readonly #parts: EventStreamParts
  readonly #open = new Set<EventStream>()
  readonly #backlog = new Backlog<EventStream>()

  constructor(parts: EventStreamParts) {
    this.#parts = parts
  }

  /** Answers when the stream has begun; it then lives by itself until its reader goes. */
  async open(ask: Ask): Promise<undefined> {
    if (this.#open.size >= STREAMS_MAX) {
      const message = `There are ${STREAMS_MAX} streams of events already.`
      throw new SluiceError('BUSY', message, { outcome: 'not-started', retryAfterMs: 1_000 })
    }
    const from = startOf(ask) ?? this.#parts.lastSeq()
    // Who may not ask for events is refused before the stream begins.
    const first = await pageAfter(this.#parts, ask, from)
    if (ask.signal.aborted) return undefined
    const stream = new EventStream(this.#parts, ask, this.#backlog)
    this.#open.add(stream)
    ask.response.once('close', () => {
      this.#open.delete(stream)
      this.#backlog.forget(stream)
    })
    stream.begin(from, first)
    return undefined
  }

  endAll(why: GatewayEvent): void {
    for (const stream of this.#open) stream.end(why)
  }
}

class EventStream {
  readonly #parts: EventStreamParts
  readonly #ask: Ask
  readonly #sse: Sse
  readonly #backlog: Backlog<EventStream>
  readonly #unlisten: () => void
  /** Up to where all was told. */
  #seq = 0
  /** Of the newest durable event that was heard. */
  #newest = 0
  #caughtUp = false
  #ended = false

  constructor(parts: EventStreamParts, ask: Ask, backlog: Backlog<EventStream>) {
    this.#parts = parts
    this.#ask = ask
    this.#backlog = backlog
    this.#sse = new Sse(ask.response, parts.clock)
    this.#unlisten = parts.listen(event => this.#hear(event))
    ask.response.once('close', () => this.#stop())
  }

  begin(seq: number, first: Page): void {
    this.#seq = seq
    this.#newest = this.#parts.lastSeq()
    this.#catchUp(first).catch(error => {
      // Gone, or the store is: the reader comes back with the last id that it has.
      this.end({ event: 'dropped', payload: { reason: error instanceof Error ? error.message : String(error) } })
    })
  }

  end({ event, payload }: GatewayEvent): void {
    if (this.#ended) return
    this.#stop()
    this.#sse.send({ event, data: payload })
    this.#sse.end()
  }

  async #catchUp(first: Page): Promise<void> {
    let page = first
    for (;;) {
      this.#tell(page)
      // What was committed while the page was read has been heard, and is on the next one.
      if (!page.more && this.#newest <= this.#seq) break
      if (this.#sse.isFull) await once(this.#ask.response, 'drain', { signal: this.#ask.signal })
      page = await pageAfter(this.#parts, this.#ask, this.#seq)
      if (this.#ended) return
    }
    this.#sse.send({ id: this.#seq, event: 'caught-up', data: { seq: this.#seq, live: page.live } })
    this.#caughtUp = true
  }

  #tell(page: Page): void {
    if (page.tooOld) {
      const { oldestSeq, lastSeq } = page
      this.#sse.send({ id: lastSeq, event: 'too-old', data: { oldestSeq, lastSeq } })
      this.#seq = page.nextSeq
      return
    }
    for (const { seq, event, payload } of page.events) this.#sse.send({ id: seq, event, data: payload })
    this.#seq = Math.max(this.#seq, page.nextSeq)
  }

  #hear({ event, payload, seq, droppable }: GatewayEvent): void {
    if (seq !== undefined) this.#newest = Math.max(this.#newest, seq)
    if (!this.#caughtUp || (seq !== undefined && seq <= this.#seq)) return
    if (this.#backlog.isTooMuch(this, this.#sse.waitingBytes)) {
      if (!droppable) this.end({ event: 'dropped', payload: { reason: 'slow consumer' } })
      return
    }
    if (seq !== undefined) this.#seq = seq
    if (!mayHearEvent(this.#ask.caller.scopes, event)) return
    this.#sse.send({ ...(seq !== undefined && { id: seq }), event, data: payload })
  }

  #stop(): void {
    this.#ended = true
    this.#unlisten()
  }
}

async function pageAfter({ dispatcher }: EventStreamParts, { caller, signal }: Ask, seq: number): Promise<Page> {
  return (await dispatcher.call('events.since', { seq }, { caller, signal })) as Page
}

/** Where the reader stands; undefined: it wants what comes from now on. */
function startOf({ headers }: Ask): number | undefined {
  const last = header(headers, 'last-event-id')
  if (last === undefined) return undefined
  if (/^\d{1,15}$/.test(last)) return Number(last)
  throw new SluiceError('INVALID_REQUEST', 'Last-Event-ID must be the id of an event of this gateway, a whole number.')
}
