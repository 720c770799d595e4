// A clock whose wall clock can be set, as by a person, a time server, or a machine that slept; its spans and timers go on as
// before.
import { FakeClock } from './clock.ts'

export class SteppingClock extends FakeClock {
  #stepMs = 0
  step(byMs: number): void {
    this.#stepMs += byMs
  }
  override now(): number {
    return super.now() + this.#stepMs
  }
}
