// Takes what a person wrote in a chat of a channel through the one door, once (T4): what it becomes is on disk before the
// channel acknowledges it (L1). What is no turn, a command's answer or a refusal, is owed to the chat as a control
// answer. It waits for no turn and decides nothing about who may talk.
import { asSluiceError, ERROR_CODES, SluiceError } from '../base/errors.ts'
import type { Clock } from '../base/world.ts'
import type { Route, Store } from '../store/port.ts'

interface InboundMessage {
  readonly channelId: string
  readonly messageId: string
  readonly chatId: string
  readonly text: string
}

export interface ReceiverParts {
  readonly store: Store
  readonly clock: Clock
  /** UTF-16 units of one message of the channel. */
  readonly textLengthMax: number
  readonly sessionOf: (message: InboundMessage) => string
  /** The one door, as this channel's caller (principal `channel:<id>`); `route` reaches `acceptMessage`. */
  readonly call: (
    method: 'chat.send' | 'outbox.resend',
    params: object,
    from: { readonly key: string; readonly route: Route },
  ) => Promise<unknown>
  /** Something is owed to the channel's chats. */
  readonly poke: () => void
}

const RESEND = /^\/resend\s+(\S+)$/

/** Resolves once what became of the message is on disk. Rejects where nothing was, and it is to be handed on again. */
export async function receive(parts: ReceiverParts, message: InboundMessage): Promise<void> {
  const { store, clock, textLengthMax, sessionOf, poke } = parts
  const { channelId, chatId, messageId } = message
  const id = `control:${channelId}:${chatId}:${messageId}`
  if (store.read.send(`${id}#1`)) return
  const sessionKey = sessionOf(message)
  const route = { channelId, chatId, textLengthMax }
  const text = await answerOf(parts, message, { sessionKey, route })
  if (text !== undefined) await store.write.queueControl({ id, sessionKey, route, text, nowMs: clock.now() })
  poke()
}

type From = { readonly sessionKey: string; readonly route: Route }

/** What the person is told at once; undefined where a turn will answer. */
async function answerOf(parts: ReceiverParts, message: InboundMessage, from: From): Promise<string | undefined> {
  const { channelId, chatId, messageId, text } = message
  const options = { key: `${chatId}:${messageId}`, route: from.route }
  const [, resendId] = RESEND.exec(text.trim()) ?? []
  try {
    if (resendId !== undefined) return await resend(parts, resendId, options)
    const idempotencyKey = `channel:${channelId}:${chatId}:${messageId}`
    const params = { sessionKey: from.sessionKey, message: text, idempotencyKey }
    const { aborted } = (await parts.call('chat.send', params, options)) as { aborted?: boolean }
    if (aborted === undefined) return undefined
    return aborted ? 'Stopped.' : 'Nothing was running here.'
  } catch (error) {
    const refusal = asSluiceError(error)
    // The world may come right, and the message is still with its channel. A full queue is no reason to keep it there: it
    // would stand before the chat's next message, which may be a stop.
    if (ERROR_CODES[refusal.code] === 'world' && refusal.details?.queue !== 'full') throw refusal
    return refusal.message
  }
}

/** A chat is sent again only what was meant for it. */
async function resend({ store, call }: ReceiverParts, id: string, from: { key: string; route: Route }) {
  const { channelId, chatId } = from.route
  const send = store.read.send(id)
  if (send?.channelId !== channelId || send.chatId !== chatId) {
    throw new SluiceError('NOT_FOUND', `There is nothing to send again under the id ${id}.`)
  }
  const { queued, state } = (await call('outbox.resend', { id }, from)) as { queued: boolean; state: string }
  return queued ? undefined : `Nothing was sent again: that message is ${state}.`
}
