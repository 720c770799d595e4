// What the people of a Telegram do, as the port says it: who, where, what, and whether the agent was meant.
import { expect, onTestFinished, test } from 'vitest'
import { type Opened, open } from './telegram-rig.ts'

async function opened(): Promise<Opened> {
  const rig = await open()
  onTestFinished(rig.close)
  await rig.start()
  await rig.api.until(() => rig.api.isPolled, 'a poll')
  return rig
}

async function all({ api }: Opened): Promise<void> {
  await api.until(() => api.unconfirmed.length === 0 && api.isPolled, 'all to be confirmed')
}

test('a direct message, an edit of it, a sticker and a place', async () => {
  const rig = await opened()
  const ann = rig.api.person('Ann', 'AnnA')
  const { messageId } = ann.write('héllo 👩‍👩‍👧 שלום')
  ann.edit(messageId, 'hello again')
  ann.edit(messageId, 'hello once more')
  ann.remove(messageId)
  const { chats } = rig.api
  for (const content of [{ sticker: { emoji: '🎉' } }, { location: { latitude: 52.5, longitude: 13.4 } }]) {
    chats.update({ message: chats.message(ann.user, {}, content) } as never)
  }
  await all(rig)
  const chatId = String(ann.id)
  expect(rig.taken).toMatchObject([
    {
      messageId: String(messageId),
      chatId,
      text: 'héllo 👩‍👩‍👧 שלום',
      from: { id: chatId, name: 'Ann', handle: 'anna' },
    },
    { chatId, text: 'hello again', edited: true },
    { chatId, text: 'hello once more', edited: true },
    { chatId, text: '🎉' },
    { chatId, text: 'Location: 52.5, 13.4' },
  ])
  expect(rig.taken[0]).not.toHaveProperty('edited')
  expect(new Set(rig.taken.map(message => message.messageId)).size).toBe(5)
  await rig.channel.react?.({ chatId, messageId: String(messageId) }).catch(() => undefined)
  expect(rig.api.calls.at(-1)?.params).toMatchObject({ message_id: messageId })
})

test('a group: addressed by a mention, an answer to the bot or a command for it, else not', async () => {
  const rig = await opened()
  const { api } = rig
  const [ann, group] = [api.person('Ann'), api.group('Team')]
  const chatId = String(group.id)
  const { id } = await rig.channel.send({ id: 's1', chatId, text: 'Here I am.' }, new AbortController().signal)
  const other = ann.write('nobody meant', { group })
  ann.write('hey @Slu_Bot, look', { group })
  ann.write('yes', { group, replyTo: Number(id) })
  ann.write('no', { group, replyTo: other.messageId })
  ann.write('/status@slu_bot now', { group })
  ann.write('/status', { group })
  ann.write('/roll', { group })
  ann.write('see /status', { group })
  ann.write('@slu_bot, /status', { group })
  ann.write('@Slu_bot', { group })
  ann.write('/status@another_bot', { group })
  ann.write('@slu_bot_fan hello', { group })
  ann.join(group)
  // In a topic that the bot opened, every message answers what opened it.
  const opening = { ...api.chats.answered(group.id, Number(id)), forum_topic_created: { name: 'News' } }
  api.chats.update({
    message: api.chats.message(ann.user, { group }, { text: 'in a topic', reply_to_message: opening }),
  } as never)
  await all(rig)
  expect(rig.taken.map(({ text, group: at }) => [text, at?.addressed])).toEqual([
    ['nobody meant', false],
    ['hey @Slu_Bot, look', true],
    ['yes', true],
    ['no', false],
    ['/status now', true],
    ['/status', true],
    ['/roll', false],
    ['see /status', false],
    ['/status', true],
    ['@Slu_bot', true],
    ['/status@another_bot', false],
    ['@slu_bot_fan hello', false],
    ['in a topic', false],
  ])
  expect(rig.taken[0]).toMatchObject({ chatId, group: { id: chatId, title: 'Team' } })
  const answers = rig.taken.map(message => message.answers)
  expect(answers.filter(Boolean)).toEqual([
    { text: expect.any(String) },
    { from: expect.any(String), text: 'nobody meant' },
  ])
})

test('a topic is a chat of its own: what is said, shown and pressed there stays there', async () => {
  const rig = await opened()
  const { api, channel } = rig
  const [ann, forum] = [api.person('Ann'), api.group('Forum', [7, 8])]
  ann.write('in seven', { group: forum, topic: 7 })
  const chatId = `${forum.id}:7`
  const buttons = [[{ label: 'Yes', action: 'y' }]]
  await channel.send({ id: 's1', chatId, text: 'answer', buttons }, new AbortController().signal)
  await channel.typing?.(chatId, new AbortController().signal)
  const { note } = ann.press('Yes', { group: forum })
  expect(await note).toBeUndefined()
  await all(rig)
  expect(rig.taken).toMatchObject([{ chatId, group: { id: String(forum.id) } }])
  expect(rig.presses).toMatchObject([{ chatId, group: { id: String(forum.id), addressed: true } }])
  expect(api.seen(forum.id)).toMatchObject([{ topic: 7, text: 'answer' }])
  expect(api.typed).toEqual([{ chatId: forum.id, topic: 7 }])
})

test('the bot itself, other bots, posts of channels and service messages are nothing', async () => {
  const rig = await opened()
  const { chats } = rig.api
  const [ann, group] = [rig.api.person('Ann'), rig.api.group('Team')]
  const said = (content: object) => ({ ...chats.message(ann.user, { group }, { text: 'x' }), ...content })
  for (const message of [
    said({ from: chats.me }),
    said({ from: { ...ann.user, is_bot: true } }),
    said({ sender_chat: { id: -5, type: 'channel', title: 'News' }, is_automatic_forward: true }),
    said({ text: undefined, pinned_message: said({}) }),
  ])
    chats.update({ message } as never)
  chats.update({ channel_post: said({}) } as never)
  chats.update({ message: { nonsense: true } } as never)
  ann.write('me')
  await all(rig)
  expect(rig.taken.map(({ text }) => text)).toEqual(['me'])
  expect(rig.logged).toEqual([])
})

test('an admin without a name writes as the group, and who writes as a channel is that channel', async () => {
  const rig = await opened()
  const { chats } = rig.api
  const group = rig.api.group('Team')
  const user = { id: 1_087_968_824, is_bot: true, first_name: 'Group', username: 'GroupAnonymousBot' }
  for (const sender_chat of [
    { id: group.id, title: 'Team' },
    { id: -5, title: 'News' },
  ])
    chats.update({ message: chats.message(user, { group }, { text: 'x', sender_chat }) } as never)
  await all(rig)
  expect(rig.taken.map(({ from }) => from)).toEqual([
    { id: String(group.id), name: 'Team' },
    { id: '-5', name: 'News' },
  ])
})

test('who shares where they go is heard once, and an edit is as old as its last change', async () => {
  const rig = await opened()
  const ann = rig.api.person('Ann')
  const { chats } = rig.api
  const place = chats.message(ann.user, {}, { location: { latitude: 1, longitude: 2, live_period: 3_600 } })
  chats.update({ message: place } as never)
  for (const latitude of [2, 3])
    chats.update({ edited_message: { ...place, location: { latitude, longitude: 2 }, edit_date: place.date } } as never)
  const words = chats.message(ann.user, {}, { text: 'at 8', edit_date: place.date + 9 })
  chats.update({ edited_message: words } as never)
  await all(rig)
  expect(rig.taken.map(({ text, atMs }) => [text, atMs])).toEqual([
    ['Location: 1, 2', place.date * 1_000],
    ['at 8', (place.date + 9) * 1_000],
  ])
})

test('an album in a group is for whom its words are', async () => {
  const rig = await opened()
  const { chats } = rig.api
  const [ann, group] = [rig.api.person('Ann'), rig.api.group('Team')]
  const photo = [{ file_id: 'f', file_unique_id: 'f', width: 1, height: 1 }]
  const caption = { caption: '@slu_bot compare', caption_entities: [{ type: 'mention', offset: 0, length: 8 }] }
  const shots = [{ media_group_id: 'a', ...caption }, { media_group_id: 'a' }, { media_group_id: 'b' }, {}]
  for (const more of shots) chats.update({ message: chats.message(ann.user, { group }, { photo, ...more }) } as never)
  await all(rig)
  expect(rig.taken.map(({ group: at }) => at?.addressed)).toEqual([true, true, false, false])
})

test('what is handed on says whose words it is', async () => {
  const rig = await opened()
  const { chats } = rig.api
  const ann = rig.api.person('Ann')
  const channel = { id: -5, type: 'channel', title: 'News' }
  for (const forward_origin of [
    { type: 'user', sender_user: { id: 7, is_bot: false, first_name: 'Bob', last_name: 'B' } },
    { type: 'hidden_user', sender_user_name: 'Somebody' },
    { type: 'chat', sender_chat: { ...channel, type: 'supergroup', title: 'Team' } },
    { type: 'channel', chat: channel, message_id: 1 },
  ])
    chats.update({ message: chats.message(ann.user, {}, { text: 'x', forward_origin }) } as never)
  ann.write('own')
  await all(rig)
  expect(rig.taken.map(message => message.forwardedFrom)).toEqual(['Bob B', 'Somebody', 'Team', 'News', undefined])
})

test('files: the largest photo, a document, a voice message, a song and a video note, fetched when wanted', async () => {
  const rig = await opened()
  const ann = rig.api.person('Ann')
  const bytes = Buffer.from('all of it')
  const kinds = ['photo', 'document', 'voice', 'audio', 'video_note'] as const
  for (const kind of kinds) ann.send(kind, bytes, { caption: `a ${kind}` })
  await all(rig)
  expect(rig.taken.map(({ text, files }) => [text, files?.length])).toEqual(kinds.map(kind => [`a ${kind}`, 1]))
  expect(rig.taken.flatMap(({ files }) => files ?? []).map(({ mediaType }) => mediaType)).toEqual([
    ...['image/jpeg', 'application/pdf', 'audio/ogg', 'audio/mpeg', 'video/mp4'],
  ])
  const signal = new AbortController().signal
  for (const { files } of rig.taken) expect(Buffer.from((await files?.[0]?.fetch(100, signal)) ?? [])).toEqual(bytes)
  const [photo] = rig.taken[0]?.files ?? []
  await expect(photo?.fetch(3, signal)).rejects.toMatchObject({ kind: 'permanent' })
  rig.api.meets({ kind: 'cut', when: 'before', method: 'file' })
  await expect(photo?.fetch(100, signal)).rejects.toMatchObject({ kind: 'transient' })
  await rig.api.down()
  await expect(photo?.fetch(100, signal)).rejects.toMatchObject({ kind: 'transient' })
})

test('a file that is larger than it said, or than a bot may have, is permanent', async () => {
  const rig = await opened()
  const ann = rig.api.person('Ann')
  const { chats } = rig.api
  const huge = chats.keepFile(Buffer.alloc(21 * 1_048_576))
  const liar = chats.keepFile(Buffer.alloc(5_000))
  for (const file_id of [huge, liar]) {
    const document = { file_id, file_unique_id: 'x' }
    chats.update({ message: chats.message(ann.user, {}, { document }) } as never)
  }
  await all(rig)
  const files = rig.taken.map(message => message.files?.[0])
  const signal = new AbortController().signal
  for (const file of files) await expect(file?.fetch(4_000, signal)).rejects.toMatchObject({ kind: 'permanent' })
})
