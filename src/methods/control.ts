// What the handlers of the config may do to the gateway they run in. It is handed to them by the composition root; it
// neither reads a clock nor ends anything by itself.
import type { Clock, Files } from '../base/world.ts'
import type { Settings } from '../config/load.ts'

export interface RestartWish {
  readonly delayMs: number
  readonly reason: string | undefined
}

export interface Control {
  readonly config: {
    readonly path: string
    readonly files: Files
    /** What a gateway that starts with this text would run by; throws SluiceError where it would not start. */
    load(text: string): Settings
  }
  /** Replaces all settings at once; what only a restart can take up waits for one. Does not throw. */
  apply(settings: Settings): void
  /** Has the gateway restarted after the delay. While a restart is scheduled, that one is answered. */
  restart(wish: RestartWish): { readonly atMs: number }
}

/** Whoever asks for a restart is answered first. */
const ANSWER_MS = 100

/** The one restart of a gateway: `begin` is called once, when its time has come. */
export function restartOnce(clock: Clock, begin: (reason: string | undefined) => void): Control['restart'] {
  let scheduled: { readonly atMs: number } | undefined
  return ({ delayMs, reason }) => {
    if (!scheduled) {
      const afterMs = Math.max(delayMs, ANSWER_MS)
      scheduled = { atMs: clock.now() + afterMs }
      clock.after(afterMs, () => begin(reason))
    }
    return scheduled
  }
}
