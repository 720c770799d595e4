// What the handlers of the config may do to the gateway they run in. It is handed to them by the composition root; it
// neither reads a clock nor ends anything by itself.
import type { Clock } from '../base/world.ts'
import type { ConfigPlace } from '../config/editor.ts'
import type { ConfigIssue, Settings } from '../config/load.ts'

export interface RestartWish {
  readonly delayMs: number
  readonly reason: string | undefined
}

/** How the config file stands to the settings that hold. */
export interface ConfigState {
  /** What is wrong with the file as it is now, and since when; then the settings before it hold. */
  readonly problem: { readonly issues: readonly ConfigIssue[]; readonly sinceMs: number } | undefined
  /** Keys that were changed since the start and hold only after a restart. */
  readonly restart: readonly string[]
}

export interface Control {
  readonly config: ConfigPlace
  readonly configState: () => ConfigState
  /** Replaces all settings at once; what only a restart can take up waits for one. Does not throw. */
  apply(settings: Settings): void
  /** The file was changed into something that no gateway would start with. */
  refuse(issues: readonly ConfigIssue[]): void
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
