// The methods of the Bot API that say something to people or ask about it, with the errors of the published service.
// Getting updates is not here: that is the wire's (bot-api.ts).
import type { MessageEntity } from 'grammy/types'
import { bad, type Chats, type Shown } from './chats.ts'
import type { Asked, Params, SentFile } from './params.ts'

const TEXT_LENGTH_MAX = 4_096
const CAPTION_LENGTH_MAX = 1_024
const FETCH_BYTES_MAX = 20 * 1_048_576
const ACTION_BYTES_MAX = 64

/** What else the bot did: kept for tests. */
export interface Doings {
  readonly chats: Chats
  readonly typed: { readonly chatId: number; readonly topic: number | undefined }[]
  commands: readonly { readonly command: string; readonly description: string }[]
}

type Method = (doings: Doings, asked: Asked) => unknown

export const METHODS: Readonly<Record<string, Method>> = {
  getme: ({ chats }) => ({ ...chats.me, can_join_groups: true, can_read_all_group_messages: false }),
  sendmessage: (doings, { params }) => {
    const { text, entities } = content(params, 'text')
    if (text === '') throw bad('message text is empty')
    return show(doings, params, { text, entities })
  },
  sendphoto: (doings, asked) => sendFile(doings, asked, 'photo'),
  senddocument: (doings, asked) => sendFile(doings, asked, 'document'),
  sendvoice: (doings, asked) => sendFile(doings, asked, 'voice'),
  editmessagetext: (doings, { params }) => change(doings, params, content(params, 'text')),
  editmessagecaption: (doings, { params }) => change(doings, params, content(params, 'caption')),
  sendchataction: ({ chats, typed }, { params }) => {
    const { chat } = chats.room(params.chat_id)
    typed.push({ chatId: chat.id, topic: params.message_thread_id as number | undefined })
    return true
  },
  setmessagereaction: ({ chats }, { params }) => {
    const { chat, shown, signs } = chats.room(params.chat_id)
    const [reaction] = params.reaction as { emoji: string }[]
    const id = params.message_id as number
    const isThere = chats.wasWritten(chat.id, id) || shown.some(({ messageId }) => messageId === id)
    if (!isThere) throw bad('message to react not found')
    if (reaction && !['👀', '👍', '👌', '🤔', '✍'].includes(reaction.emoji)) throw bad('REACTION_INVALID')
    if (reaction) signs.set(id, reaction.emoji)
    else signs.delete(id)
    return true
  },
  answercallbackquery: ({ chats }, { params }) => {
    const answer = chats.presses.get(params.callback_query_id as string)
    if (!answer) throw bad('query is too old and response timeout expired or query ID is invalid')
    chats.presses.delete(params.callback_query_id as string)
    answer(params.text as string | undefined)
    return true
  },
  setmycommands: (doings, { params }) => {
    const commands = params.commands as Doings['commands']
    if (commands.some(({ command }) => !/^[a-z0-9_]{1,32}$/.test(command))) throw bad('BOT_COMMAND_INVALID')
    doings.commands = commands
    return true
  },
  getfile: ({ chats }, { params }) => {
    const file = chats.files.get(params.file_id as string)
    if (!file) throw bad('wrong file_id or the file is temporarily unavailable')
    if (file.bytes.length > FETCH_BYTES_MAX) throw bad('file is too big')
    return { file_id: params.file_id, file_unique_id: 'x', file_size: file.bytes.length, file_path: file.path }
  },
}

interface Content {
  readonly text: string
  readonly entities: readonly MessageEntity[]
  readonly file?: SentFile & { readonly kind: string }
}

/** Text and entities as people will see them: the service trims, and refuses what it cannot read. */
function content(params: Params, key: 'text' | 'caption'): Content {
  const given = String(params[key] ?? '')
  if (!given.isWellFormed()) throw bad('strings must be encoded in UTF-8')
  if (params.parse_mode !== undefined) checkMarks(given, String(params.parse_mode))
  const text = given.trim()
  if (text.length > (key === 'text' ? TEXT_LENGTH_MAX : CAPTION_LENGTH_MAX)) {
    throw bad(key === 'text' ? 'message is too long' : 'message caption is too long')
  }
  const trimmed = given.length - given.trimStart().length
  const entities = (params[key === 'text' ? 'entities' : 'caption_entities'] ?? []) as readonly MessageEntity[]
  return { text, entities: entities.map(entity => checked(entity, given, trimmed)) }
}

function checked(entity: MessageEntity, text: string, trimmed: number): MessageEntity {
  const end = entity.offset + entity.length
  const splits = (at: number) => !text.slice(0, at).isWellFormed()
  if (entity.offset < 0 || entity.length <= 0 || end > text.length || splits(entity.offset) || splits(end)) {
    throw bad(`can't parse entities: entity ${entity.type} begins or ends in the wrong place`)
  }
  return { ...entity, offset: Math.max(0, entity.offset - trimmed) }
}

function checkMarks(text: string, mode: string): void {
  const open: string[] = []
  for (const [, slash, tag = ''] of mode === 'HTML' ? text.matchAll(/<(\/?)([a-z-]+)[^>]*>/g) : []) {
    if (slash === '') open.push(tag)
    else if (open.pop() !== tag) throw bad(`can't parse entities: Unexpected end tag "${tag}"`)
  }
  if (open.length > 0) throw bad(`can't parse entities: Can't find end tag corresponding to start tag "${open.at(-1)}"`)
  const [, reserved] = (mode === 'MarkdownV2' && /(?<!\\)([.!=#+{}()-])/.exec(text)) || []
  if (reserved === undefined) return
  throw bad(`can't parse entities: Character '${reserved}' is reserved and must be escaped with the preceding '\\'`)
}

function buttonsOf(params: Params): Shown['buttons'] {
  const { inline_keyboard: rows = [] } = (params.reply_markup ?? {}) as { inline_keyboard?: Shown['buttons'] }
  const isLong = rows.flat().some(({ callback_data: data }) => Buffer.byteLength(data) > ACTION_BYTES_MAX)
  if (isLong) throw bad('BUTTON_DATA_INVALID')
  return rows
}

function sendFile(doings: Doings, { params, files }: Asked, kind: string): object {
  const place = String(params[kind] ?? '').replace('attach://', '')
  const file = files[place]
  if (!file) throw bad(`there is no ${kind} in the request`)
  return show(doings, params, { ...content(params, 'caption'), file: { ...file, kind } })
}

function show({ chats }: Doings, params: Params, { text, entities, file }: Content): object {
  const room = chats.room(params.chat_id)
  const topic = params.message_thread_id as number | undefined
  if (topic !== undefined && !room.topics.has(topic)) throw bad('message thread not found')
  const buttons = buttonsOf(params)
  const messageId = chats.nextId()
  room.shown.push({ messageId, topic, text, entities, buttons, file, edits: 0, canBeEdited: true })
  return chats.answered(room.chat.id, messageId)
}

function change({ chats }: Doings, params: Params, { text, entities }: Content): object {
  const room = chats.room(params.chat_id)
  const shown = room.shown.find(({ messageId }) => messageId === params.message_id)
  if (!shown) throw bad('message to edit not found')
  if (!shown.canBeEdited) throw bad("message can't be edited")
  const buttons = buttonsOf(params)
  const look = (...parts: unknown[]) => JSON.stringify(parts)
  if (look(shown.text, shown.entities, shown.buttons) === look(text, entities, buttons)) {
    throw bad(
      'message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message',
    )
  }
  Object.assign(shown, { text, entities, buttons, edits: shown.edits + 1 })
  return chats.answered(room.chat.id, shown.messageId)
}
