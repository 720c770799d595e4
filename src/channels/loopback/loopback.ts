// A channel inside the process, whose network, service and people are a script: what becomes of each send is said in
// advance, and what a person has seen is kept. Tests and the chaos run use it; it reaches nobody.
import {
  type Capabilities,
  type Channel,
  ChannelError,
  type ChannelHandlers,
  type ChannelState,
  type InboundMessage,
  type OutboundMessage,
  type Press,
} from '../port.ts'

/** What becomes of a send: `lost` never reached the service, `unanswered` was seen and the answer lost, `hung` was seen and nothing comes. */
export type SendFault =
  | { readonly kind: 'lost'; readonly retryAfterMs?: number }
  | { readonly kind: 'refused' }
  | { readonly kind: 'unanswered' }
  | { readonly kind: 'hung' }
  /** Throws what the port does not know, before anything was taken. */
  | { readonly kind: 'broken' }

/** One message as its chat shows it now; `messageId` is the id of the send. */
export interface Sighting extends Pick<OutboundMessage, 'chatId' | 'text' | 'buttons' | 'file'> {
  readonly messageId: string
}

export interface LoopbackOptions {
  readonly id?: string
  readonly dedupesSends: boolean
  readonly textLengthMax?: number
  /** What else it can do; without this it takes and sends texts only. */
  readonly offers?: Omit<Capabilities, 'dedupesSends' | 'textLengthMax'>
  /** Asked for each send and each edit (which has a `sentId`); undefined: it goes well. */
  readonly fault?: (message: OutboundMessage & { readonly sentId?: string }) => SendFault | undefined
  /** What people have seen so far, of a service that outlives this channel. */
  readonly seen?: Sighting[]
}

type Sign = Parameters<NonNullable<Channel['react']>>[0]

const TEXT_LENGTH_MAX = 4_000

export interface Loopback extends Channel {
  /** Every message that people were shown, in order, each as it reads now. */
  readonly seen: readonly Sighting[]
  /** Every edit that was shown, in order. */
  readonly edits: readonly { readonly sentId: string; readonly text: string }[]
  /** The chats in which typing was shown, once for each time. */
  readonly typed: readonly string[]
  /** Every sign that was put or taken away, in order. */
  readonly signs: readonly Sign[]
  /** What `start` was given to offer to people. */
  readonly commands: ChannelHandlers['commands']
  /** A person writes; resolves once it was taken. */
  say(message: Omit<InboundMessage, 'channelId'>): Promise<void>
  /** A person presses a button; resolves with what they are shown of it. */
  press(press: Omit<Press, 'channelId'>): Promise<string | undefined>
  /** The service fares so from now on. */
  fare(state: ChannelState): void
}

export function loopback(options: LoopbackOptions): Loopback {
  const { id = 'loopback', dedupesSends, textLengthMax = TEXT_LENGTH_MAX, offers = {}, fault, seen = [] } = options
  const [edits, typed, signs]: [{ sentId: string; text: string }[], string[], Sign[]] = [[], [], []]
  let handlers: ChannelHandlers | undefined
  const started = (): ChannelHandlers => {
    if (!handlers) throw new ChannelError('transient', 'The channel is stopped: nothing was taken.')
    return handlers
  }
  const show = (message: OutboundMessage): { id: string } => {
    const known = dedupesSends ? seen.findIndex(({ messageId }) => messageId === message.id) : -1
    if (known >= 0) return { id: `seen:${known}` }
    seen.push(sighting(message))
    return { id: `seen:${seen.length - 1}` }
  }
  const change = (message: OutboundMessage & { sentId: string }): { id: string } => {
    const { sentId, text } = message
    const at = seen.findIndex((_, index) => `seen:${index}` === sentId)
    if (at < 0) throw new ChannelError('permanent', `There is no message ${sentId}.`)
    seen[at] = sighting(message)
    edits.push({ sentId, text })
    return { id: sentId }
  }
  const taken = async (message: OutboundMessage, signal: AbortSignal, show: () => { id: string }) => {
    if (message.text.length > textLengthMax) throw new ChannelError('permanent', 'The message is too long.')
    return await carry({ show, signal, fault: fault?.(message) })
  }
  return {
    id,
    capabilities: { dedupesSends, textLengthMax, ...offers },
    ...{ seen, edits, typed, signs },
    get commands() {
      return handlers?.commands ?? []
    },
    start: async given => {
      handlers = given
      given.state({ phase: 'running', account: id })
    },
    stop: async () => {
      handlers?.state({ phase: 'stopped' })
      handlers = undefined
    },
    say: async message => await started().inbound({ channelId: id, ...message }),
    press: async press => await started().pressed({ channelId: id, ...press }),
    fare: state => started().state(state),
    send: async (message, signal) => await taken(message, signal, () => show(message)),
    edit: async (message, signal) => {
      await taken(message, signal, () => change(message)).catch((error: ChannelError) => {
        throw error.kind === 'unconfirmed' ? new ChannelError('transient', error.message) : error
      })
    },
    typing: async chatId => void typed.push(chatId),
    react: async sign => void signs.push(sign),
  }
}

function sighting({ id, chatId, text, buttons, file }: OutboundMessage): Sighting {
  return { messageId: id, chatId, text, ...(buttons && { buttons }), ...(file && { file }) }
}

interface Carrying {
  readonly show: () => { id: string }
  readonly signal: AbortSignal
  readonly fault: SendFault | undefined
}

async function carry({ show, signal, fault }: Carrying): Promise<{ id: string }> {
  switch (fault?.kind) {
    case undefined:
      return show()
    case 'lost': {
      const wait = fault.retryAfterMs === undefined ? {} : { retryAfterMs: fault.retryAfterMs }
      throw new ChannelError('transient', 'The service was not reached.', wait)
    }
    case 'refused':
      throw new ChannelError('permanent', 'The chat takes no messages.')
    case 'unanswered':
      show()
      throw new ChannelError('unconfirmed', 'The connection broke before the answer.')
    case 'broken':
      throw new TypeError('cannot read what the service is')
    case 'hung':
      show()
      return await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new ChannelError('unconfirmed', 'There was no answer.')))
      })
  }
}
