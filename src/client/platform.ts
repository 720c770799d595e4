// What a browser and Node both have, as the ports that the client takes. The one place of the client that reaches for
// globals; whoever hands in ports of his own (tests do) never comes by here.
import type { Clock, Fetch } from '../base/world.ts'

export const platformClock: Clock = {
  now: () => globalThis.Date.now(),
  monotonic: () => globalThis.performance.now(),
  after: (delayMs, callback) => {
    const timer = globalThis.setTimeout(callback, delayMs)
    return { cancel: () => globalThis.clearTimeout(timer) }
  },
}

export const platformFetch: Fetch = (input, init) => globalThis.fetch(input, init)
