// Fan-out of events to whoever listens: connections, the chat of a channel, tests. Durable events come from the store
// with their seq, after their commit; the others (deltas, ticks, health) come from where they happen, without one.

export interface GatewayEvent {
  readonly event: string
  readonly payload: unknown
  readonly seq?: number
  /** May be skipped for a slow listener: a later one says the same or more. */
  readonly droppable?: boolean
  readonly stateVersion?: { readonly presence: number; readonly health: number }
}

export class EventHub {
  readonly #listeners = new Set<(event: GatewayEvent) => void>()

  /** Answers the function that ends the subscription. A listener must not throw and must not block. */
  listen(listener: (event: GatewayEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  publish(event: GatewayEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  get listenerCount(): number {
    return this.#listeners.size
  }
}
