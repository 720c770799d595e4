// Counted slots: how many turns may use the machine at once. A holder gives its slot back before it waits for anything
// outside (parks) and takes one again first in line (W5), so a limit of 1 still lets everything finish.

interface Waiter {
  readonly grant: () => void
  readonly reject: (reason: unknown) => void
}

export class Slots {
  readonly limit: number
  #taken = 0
  #parked = 0
  /** Those who come back from a wait; served before newcomers. */
  readonly #returning: Waiter[] = []
  readonly #newcomers: Waiter[] = []

  constructor(limit: number) {
    this.limit = limit
  }

  /** Waits for a slot; an abort ends the wait and takes nothing. */
  take(signal: AbortSignal): Promise<Slot> {
    return this.#enqueue(this.#newcomers, signal).then(() => new Slot(this))
  }

  get takenCount(): number {
    return this.#taken
  }
  get parkedCount(): number {
    return this.#parked
  }
  get waitingCount(): number {
    return this.#newcomers.length + this.#returning.length
  }

  /** @internal for Slot */
  giveBack(parked: boolean): void {
    this.#taken -= 1
    if (parked) this.#parked += 1
    this.#serve()
  }

  /** @internal for Slot */
  takeAgain(signal: AbortSignal): Promise<void> {
    return this.#enqueue(this.#returning, signal)
  }

  /** @internal for Slot: a parked holder came back or gave up. */
  unpark(): void {
    this.#parked -= 1
  }

  #enqueue(queue: Waiter[], signal: AbortSignal): Promise<void> {
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
      grant: () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      },
      reject,
    }
    signal.addEventListener('abort', onAbort, { once: true })
    queue.push(waiter)
    this.#serve()
    return promise
  }

  #serve(): void {
    while (this.#taken < this.limit) {
      const waiter = this.#returning.shift() ?? this.#newcomers.shift()
      if (!waiter) return
      this.#taken += 1
      waiter.grant()
    }
  }
}

/** One held slot. Parking nests: the slot is given back by the first park and taken again by the last resume. */
export class Slot {
  readonly #slots: Slots
  #held = true
  #parks = 0

  constructor(slots: Slots) {
    this.#slots = slots
  }

  park(): void {
    this.#parks += 1
    if (!this.#held) return
    this.#held = false
    this.#slots.giveBack(true)
  }

  /** Takes the slot again, first in line. Rejects with the signal's reason; the slot is then not held. */
  async resume(signal: AbortSignal): Promise<void> {
    this.#parks -= 1
    if (this.#parks > 0 || this.#held) return
    try {
      await this.#slots.takeAgain(signal)
      this.#held = true
    } finally {
      this.#slots.unpark()
    }
  }

  release(): void {
    if (!this.#held) return
    this.#held = false
    this.#slots.giveBack(false)
  }
}
