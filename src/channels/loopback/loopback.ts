// A channel inside the process, whose network, service and people are a script: what becomes of each send is said in
// advance, and what a person has seen is kept. Tests and the chaos run use it; it reaches nobody.
import { type Channel, ChannelError, type ChannelHandlers, type InboundMessage, type OutboundMessage } from '../port.ts'

/** What becomes of a send: `lost` never reached the service, `unanswered` was seen and the answer lost, `hung` was seen and nothing comes. */
export type SendFault =
  | { readonly kind: 'lost'; readonly retryAfterMs?: number }
  | { readonly kind: 'refused' }
  | { readonly kind: 'unanswered' }
  | { readonly kind: 'hung' }
  /** Throws what the port does not know, before anything was taken. */
  | { readonly kind: 'broken' }

export interface Sighting {
  readonly messageId: string
  readonly chatId: string
  readonly text: string
}

export interface LoopbackOptions {
  readonly id?: string
  readonly dedupesSends: boolean
  readonly textLengthMax?: number
  /** Asked for each send; undefined: it goes well. */
  readonly fault?: (message: OutboundMessage) => SendFault | undefined
  /** What people have seen so far, of a service that outlives this channel. */
  readonly seen?: Sighting[]
}

const TEXT_LENGTH_MAX = 4_000

/** `seen` is everything that was shown to people, in order; `say` is a person who writes. */
export interface Loopback extends Channel {
  readonly seen: readonly Sighting[]
  say(message: Omit<InboundMessage, 'channelId'>): Promise<void>
}

export function loopback(options: LoopbackOptions): Loopback {
  const { id = 'loopback', dedupesSends, textLengthMax = TEXT_LENGTH_MAX, fault, seen = [] } = options
  let handlers: ChannelHandlers | undefined
  const show = (message: OutboundMessage): { id: string } => {
    const known = dedupesSends ? seen.findIndex(({ messageId }) => messageId === message.id) : -1
    if (known >= 0) return { id: `seen:${known}` }
    seen.push({ messageId: message.id, chatId: message.chatId, text: message.text })
    return { id: `seen:${seen.length - 1}` }
  }
  return {
    id,
    capabilities: { dedupesSends, textLengthMax },
    seen,
    start: async given => {
      handlers = given
    },
    stop: async () => {
      handlers = undefined
    },
    say: async message => {
      if (!handlers) throw new ChannelError('transient', 'The channel is stopped: nothing was taken.')
      await handlers.inbound({ channelId: id, ...message })
    },
    send: async (message, signal) => {
      if (message.text.length > textLengthMax) throw new ChannelError('permanent', 'The message is too long.')
      return await carry(message, { show, signal, fault: fault?.(message) })
    },
  }
}

interface Carrying {
  readonly show: (message: OutboundMessage) => { id: string }
  readonly signal: AbortSignal
  readonly fault: SendFault | undefined
}

async function carry(message: OutboundMessage, { show, signal, fault }: Carrying): Promise<{ id: string }> {
  switch (fault?.kind) {
    case undefined:
      return show(message)
    case 'lost': {
      const wait = fault.retryAfterMs === undefined ? {} : { retryAfterMs: fault.retryAfterMs }
      throw new ChannelError('transient', 'The service was not reached.', wait)
    }
    case 'refused':
      throw new ChannelError('permanent', 'The chat takes no messages.')
    case 'unanswered':
      show(message)
      throw new ChannelError('unconfirmed', 'The connection broke before the answer.')
    case 'broken':
      throw new TypeError('cannot read what the service is')
    case 'hung':
      show(message)
      return await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new ChannelError('unconfirmed', 'There was no answer.')))
      })
  }
}
