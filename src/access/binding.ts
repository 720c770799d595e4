// Where the gateway listens and who can reach it there. What cannot be honoured is refused with what to do; nothing is
// ever widened, and nothing falls back to another address.
import { isLoopback, networksOf } from '../base/addresses.ts'
import { SluiceError } from '../base/errors.ts'

export interface Binding {
  /** Each must be had, except those that are `wished` alone. */
  readonly hosts: readonly { readonly host: string; readonly wished?: boolean }[]
  /** Who can reach it, as a sentence. */
  readonly reach: string
}

const TAILNET = networksOf(['100.64.0.0/10'])

const LOCAL = 'Only this machine can reach it.'
const SECRET = 'nobody is served without the token or password'

/** `bind`: `loopback`, `lan`, `tailnet`, or an address; `addresses`: those of this machine. */
export function bindingOf(
  bind: string,
  { addresses, isEncrypted }: { addresses: readonly string[]; isEncrypted: boolean },
): Binding {
  if (bind === 'loopback') return { hosts: [{ host: '127.0.0.1' }, { host: '::1', wished: true }], reach: LOCAL }
  if (bind === 'tailnet') {
    return { hosts: [{ host: tailnetAddress(addresses) }], reach: `Your tailnet can reach it; ${SECRET}.` }
  }
  const host = bind === 'lan' ? '0.0.0.0' : bind
  if (isLoopback(host)) return { hosts: [{ host }], reach: LOCAL }
  const clear = isEncrypted ? '' : ' They travel in the clear: set gateway.tls where that network is not your own.'
  return { hosts: [{ host }], reach: `Other machines can reach it; ${SECRET}.${clear}` }
}

function tailnetAddress(addresses: readonly string[]): string {
  const found = [...new Set(addresses.filter(address => TAILNET.has(address)))]
  const [only] = found
  if (only !== undefined && found.length === 1) return only
  const advice =
    found.length === 0
      ? 'this machine has no address in 100.64.0.0/10. Connect it (tailscale up), or set gateway.bind to loopback.'
      : `this machine has several addresses in 100.64.0.0/10. Set gateway.bind to one of them: ${found.join(', ')}`
  throw new SluiceError('UNAVAILABLE', `gateway.bind is "tailnet", but ${advice}`, { outcome: 'not-started' })
}
