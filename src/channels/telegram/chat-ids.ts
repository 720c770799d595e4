// How a chat of Telegram is named in ours: its id, and behind a colon the topic, where it is one of a forum.

export interface Place {
  readonly chat_id: number
  readonly message_thread_id?: number
}

export function chatIdOf(chat: number, topic: number | undefined): string {
  return topic === undefined ? String(chat) : `${chat}:${topic}`
}

export function placeOf(chatId: string): Place {
  const [chat, topic] = chatId.split(':')
  return { chat_id: Number(chat), ...(topic !== undefined && { message_thread_id: Number(topic) }) }
}
