// Says to Telegram what is to be shown. What it refuses because of how a message looks, and so has not shown, is said
// again at once more plainly; every other failure is for the caller to judge.
import { GrammyError, InputFile } from 'grammy/web'
import { ChannelError, type OutboundMessage } from '../port.ts'
import { type Place, placeOf } from './chat-ids.ts'
import { type Formatted, formatted } from './formatting.ts'
import type { CallSignal, Service } from './service.ts'

/** UTF-16 units that the service takes of a message and of a file's caption. */
export const TEXT_LENGTH_MAX = 4_096
const CAPTION_LENGTH_MAX = 1_024
/** A larger picture goes as a file. */
const PHOTO_BYTES_MAX = 10 * 1_048_576
/** Why it takes no picture or voice that it takes as a file. */
const UNSHOWABLE = ['PHOTO_', 'IMAGE_PROCESS_FAILED', 'VOICE_MESSAGES_FORBIDDEN']

const TOPIC_GONE = ['message thread not found', 'TOPIC_CLOSED', 'TOPIC_DELETED']

type Sign = { readonly chatId: string; readonly messageId: number; readonly sign?: string | undefined }

/** How a message looks, and where it goes. */
interface Look {
  readonly place: Place
  readonly shown: Formatted
}

/** Answers Telegram's id of the message. Throws what the service threw. */
export async function send(service: Service, message: OutboundMessage, signal: CallSignal): Promise<number> {
  const { file } = message
  const markup = markupOf(message)
  const sendText = async ({ place, shown }: Look) =>
    await service.api.sendMessage({ ...place, ...textOf(shown), ...markup }, signal)
  if (!file) return (await plainer(message, sendText)).message_id
  const fits = formatted(message.text).text.length <= CAPTION_LENGTH_MAX
  const sendFile = async ({ place, shown: { text, entities } }: Look, kind = kindOf(file)) => {
    const caption = fits ? { caption: text, caption_entities: [...entities] as never, ...markup } : {}
    const name = file.name.replaceAll(/[\r\n";]/g, '_')
    const input = new InputFile(file.bytes, name)
    const common = { ...place, ...caption }
    switch (kind) {
      case 'photo':
        return await service.api.sendPhoto({ ...common, photo: input }, signal)
      case 'voice':
        return await service.api.sendVoice({ ...common, voice: input }, signal)
      case 'document':
        return await service.api.sendDocument({ ...common, document: input }, signal)
    }
  }
  const sent = await plainer(message, sendFile).catch(async thrown => {
    if (!UNSHOWABLE.some(words => says(thrown, words))) throw thrown
    return await plainer(message, look => sendFile(look, 'document'))
  })
  if (fits) return sent.message_id
  try {
    return (await plainer(message, sendText)).message_id
  } catch (thrown) {
    throw new ChannelError('unconfirmed', `The file was sent without its text: ${service.failure(thrown).message}`)
  }
}

/** Changes a message; that it reads so already is well. Throws what the service threw. */
export async function edit(service: Service, message: OutboundMessage & { sentId: string }, signal: CallSignal) {
  const markup = markupOf(message)
  const change = async ({ place, shown }: Look) => {
    const target = { chat_id: place.chat_id, message_id: Number(message.sentId), ...markup }
    const { text, entities } = shown
    if (!message.file) return await service.api.editMessageText({ ...target, ...textOf(shown) }, signal)
    return await service.api.editMessageCaption(
      { ...target, caption: text, caption_entities: [...entities] as never },
      signal as never,
    )
  }
  await plainer(message, change).catch((thrown: unknown) => {
    if (!says(thrown, 'message is not modified')) throw thrown
  })
}

export async function typing({ api }: Service, chatId: string, signal: CallSignal): Promise<void> {
  await api.sendChatAction({ ...placeOf(chatId), action: 'typing' }, signal)
}

export async function react({ api }: Service, { chatId, messageId, sign }: Sign, signal: CallSignal): Promise<void> {
  const { chat_id } = placeOf(chatId)
  // Which signs there are, the service says.
  const reaction = sign === undefined ? [] : [{ type: 'emoji' as const, emoji: sign as '👀' }]
  await api.setMessageReaction({ chat_id, message_id: messageId, reaction }, signal)
}

/** Tries as the message is, and then as it may still be taken. */
async function plainer<T>(message: OutboundMessage, attempt: (look: Look) => Promise<T>): Promise<T> {
  let look: Look = { place: placeOf(message.chatId), shown: formatted(message.text) }
  for (;;) {
    try {
      return await attempt(look)
    } catch (thrown) {
      const next = otherLook(look, message, thrown)
      if (!next) throw thrown
      look = next
    }
  }
}

/** Plain where the marks are refused; outside a topic that is gone or closed; in the group that this one became, if it is new. */
function otherLook({ place, shown }: Look, message: OutboundMessage, thrown: unknown): Look | undefined {
  const { migrate_to_chat_id: movedTo } = thrown instanceof GrammyError ? thrown.parameters : {}
  if (movedTo !== undefined) return 'sentId' in message ? undefined : { place: { chat_id: movedTo }, shown }
  if (says(thrown, 'entit') && shown.entities.length > 0)
    return { place, shown: { text: message.text.toWellFormed(), entities: [] } }
  const isLost = TOPIC_GONE.some(words => says(thrown, words)) && place.message_thread_id !== undefined
  return isLost ? { place: { chat_id: place.chat_id }, shown } : undefined
}

function says(thrown: unknown, words: string): boolean {
  return (
    thrown instanceof GrammyError &&
    thrown.error_code === 400 &&
    thrown.description.toLowerCase().includes(words.toLowerCase())
  )
}

function textOf({ text, entities }: Formatted) {
  return { text, ...(entities.length > 0 && { entities: [...entities] as never }) }
}

function markupOf({ buttons }: OutboundMessage) {
  if (!buttons) return {}
  const rows = buttons.map(row => row.map(({ label, action }) => ({ text: label, callback_data: action })))
  return { reply_markup: { inline_keyboard: rows } }
}

function kindOf({ mediaType, bytes }: NonNullable<OutboundMessage['file']>): 'photo' | 'voice' | 'document' {
  const isPicture = ['image/jpeg', 'image/png', 'image/webp'].includes(mediaType)
  if (isPicture && bytes.byteLength <= PHOTO_BYTES_MAX) return 'photo'
  return /^audio\/(ogg|opus)\b/.test(mediaType) ? 'voice' : 'document'
}
