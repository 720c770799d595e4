// The example of docs/guides/write-a-channel.md, line for line: a channel over a service that pushes and takes messages.
import { type Channel, ChannelError, type ChannelHandlers } from '../../src/channels/port.ts'

/** What the service answers: 200 with the message's id, 429 with a pause, another status, or nothing at all. */
export interface Post {
  readonly status: number
  readonly id?: string
  readonly pauseMs?: number
}
export interface Service {
  post(chat: string, text: string): Promise<Post>
  /** Calls back with each message, again and again until one call resolves. */
  onMessage(
    take: (message: { id: string; chat: string; user: string; text: string; atMs: number }) => Promise<void>,
  ): void
}

export function pigeon(service: Service): Channel {
  let handlers: ChannelHandlers | undefined
  return {
    id: 'pigeon',
    capabilities: { dedupesSends: false, textLengthMax: 2_000 },
    start: async given => {
      handlers = given
      service.onMessage(async ({ id, chat, user, text, atMs }) => {
        if (!handlers) throw new ChannelError('transient', 'The channel is stopped.')
        await handlers.inbound({ channelId: 'pigeon', messageId: id, chatId: chat, from: { id: user }, text, atMs })
      })
    },
    stop: async () => {
      handlers = undefined
    },
    send: async ({ chatId, text }, signal) => {
      const gaveUp = new Promise<never>((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('nobody listens any more')))
      })
      // Once it was posted, an error can no longer say that it was not taken.
      const answer = await Promise.race([service.post(chatId, text), gaveUp]).catch((error: Error) => {
        throw new ChannelError('unconfirmed', error.message)
      })
      if (answer.id !== undefined) return { id: answer.id }
      if (answer.status === 429)
        throw new ChannelError('transient', 'Too fast.', { retryAfterMs: answer.pauseMs ?? 1_000 })
      throw new ChannelError(answer.status >= 500 ? 'transient' : 'permanent', `The service says ${answer.status}.`)
    },
  }
}
