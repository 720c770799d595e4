// Reads what Telegram says happened: a message, an edited one, a pressed button. Pure. What people did not write to a
// chat of theirs (service messages, posts of channels, other bots, ourselves) is nothing. Who writes in a group without a
// name of their own (as an admin, as a channel) is the chat whose name they bear: lists may name it, and drops are counted.
import type { CallbackQuery, Message, MessageEntity, Update, User } from 'grammy/types'
import { SECOND } from '../../base/durations.ts'
import type { InboundMessage, Press } from '../port.ts'
import { chatIdOf } from './chat-ids.ts'

type Files = NonNullable<InboundMessage['files']>

/** A file as its message names it. */
export interface FileMark {
  readonly fileId: string
  readonly name: string
  readonly mediaType?: string
  readonly size?: number
}

export interface Reader {
  readonly channelId: string
  /** The bot itself. */
  readonly me: { readonly id: number; readonly username: string }
  /** The commands that are offered, without their slash. */
  readonly commands: readonly string[]
  readonly fileOf: (mark: FileMark) => Files[number]
  /** Albums whose words were for the bot; kept here, and few. */
  readonly albums: Set<string>
}

const ALBUMS_MAX = 100

export type Reading =
  | { readonly kind: 'message'; readonly message: InboundMessage }
  | { readonly kind: 'press'; readonly press: Press }

/** What is asked for; the rest is not sent at all. */
export const UPDATES = ['message', 'edited_message', 'callback_query'] as const

export function read(update: Update, reader: Reader): Reading | undefined {
  const { message, edited_message: edited, callback_query: query } = update
  if (message) return reading(messageOf(message, reader))
  if (query) return pressOf(query, reader)
  // Somebody on the move shares where they are, again and again: that is no correction.
  if (!edited || edited.location) return undefined
  const changed = messageOf(edited, reader)
  // Each edit is news, under an id that is the same whenever this update comes again.
  return reading(changed && { ...changed, messageId: `${edited.message_id}:${update.update_id}`, edited: true })
}

/** Telegram's id of a message that was handed on, edited or not. */
export function telegramMessageId(messageId: string): number {
  return Number.parseInt(messageId, 10)
}

function reading(message: InboundMessage | undefined): Reading | undefined {
  return message && { kind: 'message', message }
}

function messageOf(message: Message, reader: Reader): InboundMessage | undefined {
  const { chat } = message
  const from = writerOf(message)
  if (!from || chat.type === 'channel') return undefined
  const files = filesOf(message).map(reader.fileOf)
  const text = textOf(message, reader)
  if (text === '' && files.length === 0) return undefined
  return {
    channelId: reader.channelId,
    messageId: String(message.message_id),
    chatId: chatIdOf(chat.id, message.is_topic_message ? message.message_thread_id : undefined),
    ...{ from, text },
    atMs: (message.edit_date ?? message.date) * SECOND,
    ...groupOf(chat, isForBot(message, reader)),
    ...forwardOf(message),
    ...answeredBy(message, reader),
    ...(files.length > 0 && { files }),
  }
}

function writerOf({ from, sender_chat: as, is_automatic_forward: isPost }: Message) {
  if (as) return isPost ? undefined : { id: String(as.id), ...(as.title !== undefined && { name: as.title }) }
  return from && !from.is_bot ? personOf(from) : undefined
}

function forwardOf({ forward_origin: origin }: Message): Pick<InboundMessage, 'forwardedFrom'> {
  switch (origin?.type) {
    case 'user':
      return { forwardedFrom: personOf(origin.sender_user).name ?? String(origin.sender_user.id) }
    case 'hidden_user':
      return { forwardedFrom: origin.sender_user_name }
    case 'chat':
      return { forwardedFrom: origin.sender_chat.title ?? String(origin.sender_chat.id) }
    case 'channel':
      return { forwardedFrom: origin.chat.title }
    default:
      return {}
  }
}

function answeredBy({ reply_to_message: answered, quote }: Message, { me }: Reader): Pick<InboundMessage, 'answers'> {
  // What opens a topic is "answered" by every message in it.
  if (!answered || answered.forum_topic_created) return {}
  const text = quote?.text ?? marksOf(answered).text
  const isOwn = answered.from?.id === me.id
  const from = writerOf(answered)?.name ?? answered.from?.first_name ?? 'somebody'
  return text === '' ? {} : { answers: { text, ...(!isOwn && { from }) } }
}

function pressOf(query: CallbackQuery, { channelId }: Reader): Reading | undefined {
  const { message, data } = query
  if (!message || data === undefined || query.from.is_bot) return undefined
  const topic = 'is_topic_message' in message && message.is_topic_message ? message.message_thread_id : undefined
  const { chat } = message
  const press = {
    ...{ channelId, pressId: query.id, chatId: chatIdOf(chat.id, topic), from: personOf(query.from), action: data },
    ...groupOf(chat, true),
  }
  return { kind: 'press', press }
}

function groupOf(chat: Message['chat'], addressed: boolean): Pick<InboundMessage, 'group'> {
  if (chat.type === 'private') return {}
  return { group: { id: String(chat.id), ...(chat.title !== undefined && { title: chat.title }), addressed } }
}

function personOf({ id, first_name: first, last_name: last, username }: User): InboundMessage['from'] {
  const name = [first, last].filter(Boolean).join(' ')
  return { id: String(id), ...(name && { name }), ...(username && { handle: username.toLowerCase() }) }
}

function marksOf(message: Message): { text: string; entities: readonly MessageEntity[] } {
  const { text, caption, entities, caption_entities: captionEntities } = message
  return { text: text ?? caption ?? '', entities: entities ?? captionEntities ?? [] }
}

/** A command for this bot by name is the plain command, and its name before other words is how it was called. */
function textOf(message: Message, { me }: Reader): string {
  const { text, entities } = marksOf(message)
  if (text === '') return message.sticker?.emoji ?? placeText(message)
  const isCall = ({ type, offset }: MessageEntity) => offset === 0 && (type === 'mention' || type === 'bot_command')
  const { type, length = 0 } = entities.find(isCall) ?? {}
  const [first, rest] = [text.slice(0, length), text.slice(length)]
  if (type === 'mention' && isName(first, me)) return rest.replace(/^[,:]?\s+/, '') || text
  return type === 'bot_command' && isName(first, me) ? first.replace(/@.*/, '') + rest : text
}

/** A mention of the bot, or a command with its name. */
function isName(words: string, { username }: Reader['me']): boolean {
  return words.replace(/^\/\w+/, '').toLowerCase() === `@${username.toLowerCase()}`
}

function placeText({ location }: Message): string {
  return location ? `Location: ${location.latitude}, ${location.longitude}` : ''
}

/** Of the messages of an album one has the words. Those that follow are for whom that one is. */
function isForBot(message: Message, reader: Reader): boolean {
  const { media_group_id: album } = message
  const { albums } = reader
  const isOwn = isAddressed(message, reader)
  if (!isOwn || album === undefined) return isOwn || (album !== undefined && albums.has(album))
  if (albums.size >= ALBUMS_MAX) albums.clear()
  albums.add(album)
  return true
}

function isAddressed(message: Message, { me, commands }: Reader): boolean {
  const answered = message.reply_to_message
  // What opens a topic is "answered" by every message in it.
  if (answered?.from?.id === me.id && !answered.forum_topic_created) return true
  const { text, entities } = marksOf(message)
  return entities.some(entity => {
    const words = text.slice(entity.offset, entity.offset + entity.length)
    if (entity.type === 'text_mention') return entity.user.id === me.id
    // One that names no bot is for whoever has such a command: a stop must not need a name.
    const isOwn = entity.offset === 0 && commands.includes(words.slice(1).toLowerCase())
    return isName(words, me) || (entity.type === 'bot_command' && isOwn)
  })
}

function filesOf({ photo, document, voice, audio, video, video_note: round, message_id: id }: Message): FileMark[] {
  const mark = (
    file: { file_id: string; file_size?: number; file_name?: string; mime_type?: string } | undefined,
    name: string,
    mediaType?: string,
  ): FileMark[] => {
    if (!file) return []
    const type = file.mime_type ?? mediaType
    const size = file.file_size
    const base = { fileId: file.file_id, name: file.file_name ?? name }
    return [{ ...base, ...(type !== undefined && { mediaType: type }), ...(size !== undefined && { size }) }]
  }
  return [
    // Sizes of one photo, the largest last.
    ...mark(photo?.at(-1), `photo-${id}.jpg`, 'image/jpeg'),
    ...mark(document, `document-${id}`),
    ...mark(voice, `voice-${id}.ogg`, 'audio/ogg'),
    ...mark(audio, `audio-${id}.mp3`, 'audio/mpeg'),
    ...mark(video, `video-${id}.mp4`, 'video/mp4'),
    ...mark(round, `video-note-${id}.mp4`, 'video/mp4'),
  ]
}
