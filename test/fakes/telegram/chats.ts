// The people, groups and messages of a Telegram that is a script, and the updates that the bot is told of them. What
// people see of the bot is kept per chat, as it reads now.
import type { Message, MessageEntity, Update, User } from 'grammy/types'
import type { Clock } from '../../../src/base/world.ts'
import type { SentFile } from './params.ts'

/** What the Bot API answers to a request that it refuses. */
export class Refusal extends Error {
  readonly code: number
  readonly parameters: object | undefined

  constructor(code: number, description: string, parameters?: object) {
    super(description)
    this.code = code
    this.parameters = parameters
  }
}
export const bad = (words: string) => new Refusal(400, `Bad Request: ${words}`)

/** A message of the bot, as its chat shows it. */
export interface Shown {
  readonly messageId: number
  readonly topic: number | undefined
  text: string
  entities: readonly MessageEntity[]
  /** Rows of buttons. */
  buttons: readonly (readonly { readonly text: string; readonly callback_data: string }[])[]
  readonly file: (SentFile & { readonly kind: string }) | undefined
  edits: number
  /** When false the service refuses to change it. */
  canBeEdited: boolean
}

export interface Group {
  readonly id: number
  readonly title: string
}

interface Room {
  readonly chat: Message['chat']
  readonly shown: Shown[]
  readonly topics: Set<number>
  /** Messages of people and the sign that the bot put under each. */
  readonly signs: Map<number, string>
  isBlocked: boolean
  movedTo: number | undefined
}

interface Where {
  readonly group?: Group
  readonly topic?: number
  /** The id of the message that this one answers. */
  readonly replyTo?: number
}

export interface Written {
  readonly messageId: number
  readonly updateId: number
}

export class Chats {
  readonly me: User
  readonly rooms = new Map<number, Room>()
  readonly files = new Map<string, { readonly path: string; readonly bytes: Buffer }>()
  /** Presses that were not answered yet: what the answer resolves. */
  readonly presses = new Map<string, (note: string | undefined) => void>()
  readonly #push: (update: Update) => void
  readonly #clock: Clock
  readonly #sources = new Map<string, Message>()
  #ids = 0
  #updateIds = 700_000

  constructor(me: User, clock: Clock, push: (update: Update) => void) {
    this.me = me
    this.#clock = clock
    this.#push = push
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1_000)
  }

  nextId(): number {
    this.#ids += 1
    return this.#ids
  }

  person(name: string, username?: string): Person {
    const id = 1_000 + this.nextId()
    const user: User = { id, is_bot: false, first_name: name, ...(username && { username }) }
    this.#open({ id, type: 'private', first_name: name })
    return new Person(this, user)
  }

  /** `topics`: makes it a forum with these. */
  group(title: string, topics: readonly number[] = []): Group {
    const id = -1_001_000 - this.nextId()
    this.#open({ id, type: 'supergroup', title, ...(topics.length > 0 && { is_forum: true as const }) }, topics)
    return { id, title }
  }

  #open(chat: Message['chat'], topics: readonly number[] = []): void {
    const room = { chat, shown: [], topics: new Set(topics), signs: new Map(), isBlocked: false, movedTo: undefined }
    this.rooms.set(chat.id, room)
  }

  /** What the bot says there; refuses as the service does. */
  room(chatId: unknown): Room {
    const room = this.rooms.get(Number(chatId))
    if (!room) throw bad('chat not found')
    if (room.isBlocked) throw new Refusal(403, 'Forbidden: bot was blocked by the user')
    if (room.movedTo === undefined) return room
    const parameters = { migrate_to_chat_id: room.movedTo }
    throw new Refusal(400, 'Bad Request: group chat was upgraded to a supergroup chat', parameters)
  }

  update(content: Omit<Update, 'update_id'>): number {
    this.#updateIds += 1
    this.#push({ update_id: this.#updateIds, ...content })
    return this.#updateIds
  }

  /** A message of a person, as the service shows it to the bot. */
  message(from: User, { group, topic, replyTo }: Where, content: object): Message {
    const { chat } = this.rooms.get(group?.id ?? from.id) as Room
    const base = { message_id: this.nextId(), from, chat, date: this.#seconds() }
    const thread = topic === undefined ? {} : { message_thread_id: topic, is_topic_message: true as const }
    const answered = replyTo === undefined ? {} : { reply_to_message: this.answered(chat.id, replyTo) }
    const message = { ...base, ...thread, ...answered, ...content } as Message
    this.#sources.set(`${chat.id}:${message.message_id}`, message)
    return message
  }

  source(chat: number, messageId: number): Message {
    const message = this.#sources.get(`${chat}:${messageId}`)
    if (!message) throw new Error(`nobody wrote ${messageId}`)
    return message
  }

  wasWritten(chat: number, messageId: number): boolean {
    return this.#sources.has(`${chat}:${messageId}`)
  }

  remove(chat: number, messageId: number): void {
    this.#sources.delete(`${chat}:${messageId}`)
  }

  answered(chatId: number, messageId: number): Message {
    const room = this.rooms.get(chatId) as Room
    const own = room.shown.find(shown => shown.messageId === messageId)
    if (!own) return this.source(chatId, messageId)
    const { text, topic } = own
    const thread = topic === undefined ? {} : { message_thread_id: topic, is_topic_message: true as const }
    return { message_id: messageId, from: this.me, chat: room.chat, date: this.#seconds(), text, ...thread } as Message
  }

  keepFile(bytes: Buffer): string {
    const id = `file-${this.nextId()}`
    this.files.set(id, { path: `documents/${id}`, bytes })
    return id
  }
}

/** The marks that an app puts on what a person types. */
function marks(text: string): MessageEntity[] {
  return [...text.matchAll(/(?<![\w/])(?:@\w+|\/\w+(?:@\w+)?)/g)].map(({ 0: found, index }) => ({
    type: found.startsWith('@') ? 'mention' : 'bot_command',
    offset: index,
    length: found.length,
  }))
}

type FileKind = 'photo' | 'document' | 'voice' | 'audio' | 'video_note'

export class Person {
  readonly user: User
  readonly #chats: Chats

  constructor(chats: Chats, user: User) {
    this.#chats = chats
    this.user = user
  }

  get id(): number {
    return this.user.id
  }

  write(text: string, where: Where = {}): Written {
    const entities = marks(text)
    return this.#say(this.#chats.message(this.user, where, { text, ...(entities.length > 0 && { entities }) }))
  }

  edit(messageId: number, text: string, where: Where = {}): Written {
    const message = this.#chats.source(where.group?.id ?? this.id, messageId)
    const edited = { ...message, text, edit_date: message.date + 1 } as Message & { edit_date: number }
    return { messageId, updateId: this.#chats.update({ edited_message: edited } as Omit<Update, 'update_id'>) }
  }

  /** Bots are not told. */
  remove(messageId: number, where: Where = {}): void {
    this.#chats.remove(where.group?.id ?? this.id, messageId)
  }

  send(kind: FileKind, bytes: Buffer, { caption, ...where }: Where & { caption?: string } = {}): Written {
    const fileId = this.#chats.keepFile(bytes)
    const file = { file_id: fileId, file_unique_id: fileId, file_size: bytes.length }
    const content: Record<FileKind, object> = {
      photo: {
        photo: [
          { ...file, file_id: 'thumb', file_size: 1, width: 1, height: 1 },
          { ...file, width: 9, height: 9 },
        ],
      },
      document: { document: { ...file, file_name: 'notes.pdf', mime_type: 'application/pdf' } },
      voice: { voice: { ...file, duration: 1, mime_type: 'audio/ogg' } },
      audio: { audio: { ...file, duration: 1, mime_type: 'audio/mpeg', file_name: 'song.mp3' } },
      video_note: { video_note: { ...file, duration: 1, length: 9 } },
    }
    return this.#say(this.#chats.message(this.user, where, { ...content[kind], ...(caption && { caption }) }))
  }

  /** Something that is no message of a person: somebody joined. */
  join(group: Group): Written {
    return this.#say(this.#chats.message(this.user, { group }, { new_chat_members: [this.user] }))
  }

  /** Presses the newest button with this label; resolves with the note that the bot shows, once it answers. */
  press(
    label: string,
    { group }: Where = {},
  ): { readonly note: Promise<string | undefined>; readonly updateId: number } {
    const chatId = group?.id ?? this.id
    const messages = this.#chats.rooms.get(chatId)?.shown ?? []
    const holder = messages.findLast(({ buttons }) => buttons.flat().some(({ text }) => text === label))
    const button = holder?.buttons.flat().find(({ text }) => text === label)
    if (!holder || !button) throw new Error(`there is no button ${label}`)
    const { promise: note, resolve } = Promise.withResolvers<string | undefined>()
    const id = `press-${this.#chats.nextId()}`
    this.#chats.presses.set(id, resolve)
    const message = this.#chats.answered(chatId, holder.messageId)
    const query = { id, from: this.user, chat_instance: 'x', message, data: button.callback_data }
    return { note, updateId: this.#chats.update({ callback_query: query } as Omit<Update, 'update_id'>) }
  }

  /** Blocks the bot. */
  block(): void {
    const room = this.#chats.rooms.get(this.id)
    if (room) room.isBlocked = true
  }

  #say(message: Message): Written {
    return { messageId: message.message_id, updateId: this.#chats.update({ message } as Omit<Update, 'update_id'>) }
  }
}
