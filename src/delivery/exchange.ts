// All channels of a house: what people write in them goes through the one door, and what is owed to them is carried out,
// each channel by itself. It owns no rows and decides nothing about who may talk; a channel that cannot begin stops the
// start, because nobody would hear of it otherwise.
import type { Clock } from '../base/world.ts'
import type { Route, Store } from '../store/port.ts'
import { Deliverer, type DelivererParts, type Outlet } from './deliverer.ts'
import { type ReceiverParts, receive } from './inbound.ts'

type Inbound = Parameters<typeof receive>[1]

interface Handlers {
  readonly inbound: (message: Inbound) => Promise<void>
  readonly pressed: () => Promise<string | undefined>
  readonly state: (state: { readonly phase: string; readonly error?: string; readonly account?: string }) => void
  readonly commands: readonly { readonly name: string; readonly description: string }[]
}

/** What is needed of a channel; the channel port has it. */
export interface Line extends Outlet {
  readonly capabilities: { readonly dedupesSends: boolean; readonly textLengthMax: number }
  start(handlers: Handlers): Promise<void>
  stop(): Promise<void>
}

export interface ExchangeParts {
  readonly store: Store
  readonly clock: Clock
  readonly lines: readonly Line[]
  /** The session of a chat. */
  readonly sessionOf: (message: Inbound) => string
  /** Calls a method as the channel that `from.route` names. */
  readonly call: (
    method: string,
    params: object,
    from: { readonly key: string; readonly route: Route },
  ) => Promise<unknown>
  readonly log: DelivererParts['log']
}

export class Exchange {
  readonly #parts: ExchangeParts
  readonly #deliverers: readonly Deliverer[]

  constructor(parts: ExchangeParts) {
    this.#parts = parts
    const { store, clock, log } = parts
    this.#deliverers = parts.lines.map(outlet => new Deliverer({ store, clock, outlet, log }))
  }

  /** What was cut off is judged first, then messages are taken. Rejects where a channel cannot begin. */
  async start(): Promise<void> {
    for (const deliverer of this.#deliverers) await deliverer.start()
    for (const line of this.#parts.lines) {
      await line.start({
        inbound: message => receive(this.#receiver(line), message),
        pressed: async () => undefined,
        state: state => this.#parts.log('info', `${line.id}: ${state.phase}`, state),
        commands: [],
      })
    }
  }

  /** Takes no more messages and begins no more sends; waits for none. */
  async stop(): Promise<void> {
    for (const deliverer of this.#deliverers) deliverer.stop()
    for (const line of this.#parts.lines) await line.stop()
  }

  /** Something was committed that may be owed to somebody. Never waits. */
  poke(): void {
    for (const deliverer of this.#deliverers) deliverer.poke()
  }

  #receiver({ capabilities }: Line): ReceiverParts {
    const { store, clock, sessionOf, call } = this.#parts
    return { store, clock, sessionOf, call, textLengthMax: capabilities.textLengthMax, poke: () => this.poke() }
  }
}
