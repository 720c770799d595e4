// Counted slots: how many turns may use the machine, a provider or an agent at once. A slot is one place in each of its
// pools, taken together or not at all, so that nobody holds a place in one while it waits for another. A holder gives all
// back before it waits for anything outside (parks) and takes them again first in line (W5), so that with every limit
// at 1 everything still finishes.

/** `turns`, `jobs`, `subagents`, `agent:<id>` or `provider:<name>`. */
export type Pool = string

interface Waiter {
  readonly pools: readonly Pool[]
  readonly grant: () => void
}

export interface PoolState {
  readonly name: Pool
  readonly limit: number
  readonly taken: number
  readonly waiting: number
}

export class Slots {
  readonly #limits = new Map<Pool, number>()
  readonly #taken = new Map<Pool, number>()
  #held = 0
  #parked = 0
  /** Those who come back from a wait; served before newcomers. */
  readonly #returning: Waiter[] = []
  readonly #newcomers: Waiter[] = []

  /** A pool without a limit has room for all. */
  constructor(limits: Readonly<Record<Pool, number>>) {
    this.limit(limits)
  }

  /** Replaces all limits; who holds a place keeps it, also where there are now fewer. */
  limit(limits: Readonly<Record<Pool, number>>): void {
    this.#limits.clear()
    for (const [pool, limit] of Object.entries(limits)) this.#limits.set(pool, limit)
    this.#serve()
  }

  /** Waits for a place in each pool; an abort ends the wait and takes nothing. */
  async take(pools: readonly Pool[], signal: AbortSignal): Promise<Slot> {
    await this.#enqueue(this.#newcomers, pools, signal)
    return new Slot(this, pools)
  }

  /** Slots that are held; those of parked holders are not. */
  get takenCount(): number {
    return this.#held
  }
  get parkedCount(): number {
    return this.#parked
  }
  get waitingCount(): number {
    return this.#newcomers.length + this.#returning.length
  }

  /** The pools that have a limit. */
  pools(): PoolState[] {
    const waiters = [...this.#returning, ...this.#newcomers]
    return [...this.#limits].map(([name, limit]) => ({
      name,
      limit,
      taken: this.#taken.get(name) ?? 0,
      waiting: waiters.filter(({ pools }) => pools.includes(name)).length,
    }))
  }

  /** @internal for Slot */
  giveBack(pools: readonly Pool[], parks: boolean): void {
    this.#held -= 1
    this.#count(pools, -1)
    if (parks) this.#parked += 1
    this.#serve()
  }

  /** @internal for Slot */
  takeAgain(pools: readonly Pool[], signal: AbortSignal): Promise<void> {
    return this.#enqueue(this.#returning, pools, signal)
  }

  /** @internal for Slot: a parked holder came back or gave up. */
  unpark(): void {
    this.#parked -= 1
  }

  /** @internal for Slot: a held slot gets a place in one more pool, if there is one. */
  joins(pool: Pool): boolean {
    if (!this.#hasRoom([pool])) return false
    this.#count([pool], 1)
    return true
  }

  /** @internal for Slot: a held slot leaves one of its pools. */
  leave(pool: Pool): void {
    this.#count([pool], -1)
    this.#serve()
  }

  #enqueue(queue: Waiter[], pools: readonly Pool[], signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    if (signal.aborted) {
      reject(signal.reason)
      return promise
    }
    const onAbort = () => {
      const index = queue.indexOf(waiter)
      if (index === -1) return
      queue.splice(index, 1)
      reject(signal.reason)
    }
    const waiter: Waiter = {
      pools,
      grant: () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      },
    }
    signal.addEventListener('abort', onAbort, { once: true })
    queue.push(waiter)
    this.#serve()
    return promise
  }

  /** Oldest first; one whose pools are full is passed over, and holds nothing meanwhile. */
  #serve(): void {
    for (const queue of [this.#returning, this.#newcomers]) {
      for (let index = 0; index < queue.length; ) {
        const waiter = queue[index] as Waiter
        if (!this.#hasRoom(waiter.pools)) {
          index += 1
          continue
        }
        queue.splice(index, 1)
        this.#held += 1
        this.#count(waiter.pools, 1)
        waiter.grant()
      }
    }
  }

  #hasRoom(pools: readonly Pool[]): boolean {
    return pools.every(pool => (this.#taken.get(pool) ?? 0) < (this.#limits.get(pool) ?? Number.POSITIVE_INFINITY))
  }

  #count(pools: readonly Pool[], change: 1 | -1): void {
    for (const pool of pools) {
      const taken = (this.#taken.get(pool) ?? 0) + change
      if (taken === 0) this.#taken.delete(pool)
      else this.#taken.set(pool, taken)
    }
  }
}

/**
 * One held slot. A wait inside another one (a process of the turn that waits by itself) parks nothing, and need not end
 * first. A slot that could not come back is lost: it holds nothing from then on.
 */
export class Slot {
  readonly #slots: Slots
  #pools: readonly Pool[]
  #state: 'held' | 'parked' | 'lost' = 'held'

  constructor(slots: Slots, pools: readonly Pool[]) {
    this.#slots = slots
    this.#pools = pools
  }

  /** Gives it back. True for the one who did so, whose it is to `resume`; false when it was not held. */
  park(): boolean {
    if (this.#state !== 'held') return false
    this.#state = 'parked'
    this.#slots.giveBack(this.#pools, true)
    return true
  }

  /** Takes the slot again, first in line. Rejects with the signal's reason; the slot is then lost. */
  async resume(signal: AbortSignal): Promise<void> {
    if (this.#state !== 'parked') return
    // Until it is granted it counts as neither, so that nobody else gives it back.
    this.#state = 'lost'
    try {
      await this.#slots.takeAgain(this.#pools, signal)
      this.#state = 'held'
    } finally {
      this.#slots.unpark()
    }
  }

  /** Takes a place in one more pool, once; while there is none, nothing is held. Rejects as `resume` does. */
  async widen(pool: Pool, signal: AbortSignal): Promise<void> {
    if (this.#pools.includes(pool)) return
    const joined = this.#state === 'held' && this.#slots.joins(pool)
    const parked = !joined && this.park()
    this.#pools = [...this.#pools, pool]
    if (parked) await this.resume(signal)
  }

  /** Gives the place in one pool back; does nothing when it has none. */
  narrow(pool: Pool): void {
    if (!this.#pools.includes(pool)) return
    this.#pools = this.#pools.filter(other => other !== pool)
    if (this.#state === 'held') this.#slots.leave(pool)
  }

  release(): void {
    if (this.#state !== 'held') return
    this.#state = 'lost'
    this.#slots.giveBack(this.#pools, false)
  }
}
