// What becomes of what is said to Telegram: no look makes a send fail, every error says the truth, and none the token.
import { expect, onTestFinished, test } from 'vitest'
import type { OutboundMessage } from '../../src/channels/port.ts'
import { fileOf } from '../../src/channels/telegram/files.ts'
import { serviceOf } from '../../src/channels/telegram/service.ts'
import type { Fault } from '../fakes/telegram/bot-api.ts'
import { never, type Opened, type OpenOptions, open } from './telegram-rig.ts'

async function opened(options: OpenOptions = {}): Promise<Opened> {
  const rig = await open(options)
  onTestFinished(rig.close)
  return rig
}

const thrown = async (promise: Promise<unknown> | undefined) => await promise?.catch((error: unknown) => error)
const refused = (description: string, more: object = {}): Fault => ({
  ...{ kind: 'refuse', code: 400, description: `Bad Request: ${description}` },
  ...more,
})

test('marks become entities; where the service cannot read them, the same text goes plain, at once', async () => {
  const { api, channel } = await opened()
  const ann = api.person('Ann')
  const message = { id: 's1', chatId: String(ann.id), text: '**bold** 👍 [a](https://b.c)' }
  await channel.send(message, never)
  expect(api.seen(ann.id)).toMatchObject([
    {
      text: 'bold 👍 a',
      entities: [
        { type: 'bold', offset: 0, length: 4 },
        { type: 'text_link', url: 'https://b.c', offset: 8, length: 1 },
      ],
    },
  ])
  api.meets(refused("can't parse entities: Unsupported start tag"))
  await channel.send(message, never)
  expect(api.seen(ann.id)[1]).toMatchObject({ text: message.text, entities: [] })
  api.meets(refused("can't parse entities: x", { times: 5 }))
  expect(await thrown(channel.send({ ...message, text: 'plain' }, never))).toMatchObject({ kind: 'permanent' })
  expect(api.count('sendMessage')).toBe(4)
})

test('emoji, right-to-left, zero-width and broken text arrive', async () => {
  const { api, channel } = await opened()
  const ann = api.person('Ann')
  const texts = ['👩‍👩‍👧 **שלום** 🏳️‍🌈', 'a\u200bb\u202ec\u202c', 'half \ud83d of one']
  for (const text of texts) await channel.send({ id: text, chatId: String(ann.id), text }, never)
  expect(api.seen(ann.id).map(({ text }) => text)).toEqual([
    ...['👩‍👩‍👧 שלום 🏳️‍🌈', 'a\u200bb\u202ec\u202c', 'half \ufffd of one'],
  ])
})

test('a topic that is gone: the same goes to the group itself', async () => {
  const { api, channel } = await opened()
  const forum = api.group('Forum', [7])
  await channel.send({ id: 's1', chatId: `${forum.id}:9`, text: 'hello' }, never)
  expect(api.seen(forum.id)).toMatchObject([{ text: 'hello', topic: undefined }])
})

test.each(['TOPIC_CLOSED', 'TOPIC_DELETED'])('%s: the same goes to the group itself', async words => {
  const { api, channel } = await opened()
  const forum = api.group('Forum', [7])
  api.meets(refused(words))
  await channel.send({ id: 's1', chatId: `${forum.id}:7`, text: 'a reminder' }, never)
  expect(api.seen(forum.id)).toMatchObject([{ text: 'a reminder', topic: undefined }])
})

test.each(['ENTITIES_TOO_LONG', 'ENTITY_BOUNDS_INVALID'])('%s: the same text goes plain', async words => {
  const { api, channel } = await opened()
  const ann = api.person('Ann')
  api.meets(refused(words))
  await channel.send({ id: 's1', chatId: String(ann.id), text: '**bold**' }, never)
  expect(api.seen(ann.id)).toMatchObject([{ text: '**bold**', entities: [] }])
})

test('what is for a group that became a supergroup reaches it there, and nothing is changed there by old ids', async () => {
  const { api, channel } = await opened()
  const [group, now] = [api.group('Team'), api.group('Team')]
  const chatId = String(group.id)
  api.chats.room(group.id).movedTo = now.id
  const file = { name: 'a.txt', mediaType: 'text/plain', bytes: Buffer.from('a') }
  await channel.send({ id: 's1', chatId, text: 'a reminder' }, never)
  await channel.send({ id: 's2', chatId, text: 'a file', file }, never)
  expect(api.seen(now.id).map(({ text }) => text)).toEqual(['a reminder', 'a file'])
  // A supergroup counts its messages anew.
  const sentId = String(api.seen(now.id)[0]?.messageId)
  const error = await thrown(channel.edit?.({ id: 's0', chatId, sentId, text: 'after' }, never))
  expect(error).toMatchObject({ kind: 'permanent' })
  expect(api.seen(now.id)[0]).toMatchObject({ text: 'a reminder', edits: 0 })
})

test('a person who blocked the bot, and a chat that is none, are final', async () => {
  const { api, channel } = await opened()
  const ann = api.person('Ann')
  ann.block()
  for (const [chatId, words] of [
    [ann.id, 'bot was blocked by the user'],
    [5, 'chat not found'],
  ] as const) {
    const error = await thrown(channel.send({ id: 's', chatId: String(chatId), text: 'x' }, never))
    expect(error).toMatchObject({ kind: 'permanent', message: expect.stringContaining(words) })
  }
})

test('an edit that says the same is done; one that cannot be is final', async () => {
  const { api, channel } = await opened()
  const ann = api.person('Ann')
  const chatId = String(ann.id)
  const buttons = [[{ label: 'Yes', action: 'y' }]]
  const { id: sentId } = await channel.send({ id: 's1', chatId, text: '**a**', buttons }, never)
  await channel.edit?.({ id: 's1', chatId, sentId, text: '**a**', buttons }, never)
  expect(api.seen(ann.id)).toMatchObject([{ edits: 0, buttons: [[{ text: 'Yes' }]] }])
  await channel.edit?.({ id: 's1', chatId, sentId, text: 'b' }, never)
  expect(api.seen(ann.id)).toMatchObject([{ edits: 1, text: 'b', buttons: [] }])
  for (const shown of api.seen(ann.id)) shown.canBeEdited = false
  const error = await thrown(channel.edit?.({ id: 's1', chatId, sentId, text: 'c' }, never))
  expect(error).toMatchObject({ kind: 'permanent' })
})

test('a file whose text is longer than a caption may be is followed by it; where that fails, it is not known whether all came', async () => {
  const { api, channel } = await opened()
  const ann = api.person('Ann')
  const file = { name: 'a"b\n.png', mediaType: 'image/png', bytes: Buffer.from('png') }
  const message: OutboundMessage = { id: 's1', chatId: String(ann.id), text: `**${'x'.repeat(1_100)}**`, file }
  const { id } = await channel.send(message, never)
  expect(api.seen(ann.id)).toMatchObject([{ text: '', file: { kind: 'photo' } }, { text: 'x'.repeat(1_100) }])
  expect(id).toBe(String(api.seen(ann.id)[1]?.messageId))
  api.meets({ ...refused('x'), method: 'sendMessage' })
  expect(await thrown(channel.send(message, never))).toMatchObject({ kind: 'unconfirmed' })
  const large = { ...file, bytes: Buffer.alloc(10 * 1_048_576 + 1) }
  await channel.send({ ...message, text: 'large', file: large }, never)
  expect(api.seen(ann.id).at(-1)).toMatchObject({ text: 'large', file: { kind: 'document' } })
  await channel.edit?.(
    { ...message, text: 'larger', file: large, sentId: String(api.seen(ann.id).at(-1)?.messageId) },
    never,
  )
  expect(api.seen(ann.id).at(-1)).toMatchObject({ text: 'larger' })
})

test('a picture that the service does not take as one arrives as a file; any other refusal stays one', async () => {
  const { api, channel } = await opened()
  const ann = api.person('Ann')
  const file = { name: 'a.png', mediaType: 'image/png', bytes: Buffer.from('no picture') }
  const message: OutboundMessage = { id: 's1', chatId: String(ann.id), text: '', file }
  api.meets({ ...refused('IMAGE_PROCESS_FAILED'), method: 'sendPhoto' })
  await channel.send(message, never)
  expect(api.seen(ann.id)).toMatchObject([{ file: { kind: 'document', name: 'a.png' } }])
  api.meets({ ...refused('chat not found'), method: 'sendPhoto' })
  expect(await thrown(channel.send(message, never))).toMatchObject({ kind: 'permanent' })
  expect(api.seen(ann.id)).toHaveLength(1)
})

test('L4: what became of a send is said truly, whatever the network does', async () => {
  const { api, channel } = await opened()
  const ann = api.person('Ann')
  const send = async () => await thrown(channel.send({ id: 's', chatId: String(ann.id), text: 'x' }, never))
  const cases: readonly (readonly [Fault, string])[] = [
    [{ kind: 'cut', when: 'before' }, 'unconfirmed'],
    [{ kind: 'cut', when: 'after' }, 'unconfirmed'],
    [{ kind: 'page', status: 502 }, 'unconfirmed'],
    [{ kind: 'refuse', code: 500, description: 'Internal Server Error: restart' }, 'unconfirmed'],
    [{ kind: 'refuse', code: 429, description: 'Too Many Requests', parameters: { retry_after: 3 } }, 'transient'],
    [{ kind: 'refuse', code: 401, description: 'Unauthorized' }, 'transient'],
    [refused('message is too long'), 'permanent'],
    [{ kind: 'refuse', code: 403, description: 'Forbidden: bot was kicked from the supergroup chat' }, 'permanent'],
  ]
  for (const [fault, kind] of cases) {
    api.meets(fault)
    expect(await send(), JSON.stringify(fault)).toMatchObject({ name: 'ChannelError', kind })
  }
  await api.down()
  expect(await send()).toMatchObject({ kind: 'transient' })
  const nowhere = await opened({ apiRoot: 'http://nowhere.invalid' })
  expect(await thrown(nowhere.channel.send({ id: 's', chatId: '1', text: 'x' }, never))).toMatchObject({
    kind: 'transient',
  })
})

test('the token is in no error and no log, whatever fails', async () => {
  const token = '4242:AAfake-token_of-a-bot-0123456789abcdef'
  const fails: typeof fetch = async input => {
    throw new TypeError(`Failed to parse URL from ${String(input)}`, { cause: new Error(`at ${String(input)}`) })
  }
  const echoes: typeof fetch = async input =>
    Response.json({ ok: false, error_code: 400, description: `Bad Request: ${String(input)}` })
  const text = (value: unknown) => JSON.stringify(value, (_, part) => (part instanceof Error ? own(part) : part))
  const own = (error: Error) => ({ ...error, message: error.message, stack: error.stack, cause: error.cause })
  for (const broken of [fails, echoes]) {
    const rig = await opened({ token, fetch: broken })
    const service = serviceOf({ token, fetch: broken, clock: rig.clock })
    await rig.start()
    await rig.clock.advance(60_000)
    const message = { id: 's', chatId: '1', text: 'x', sentId: '1' }
    const errors = [
      await thrown(rig.channel.send(message, never)),
      await thrown(rig.channel.edit?.(message, never)),
      await thrown(rig.channel.typing?.('1', never)),
      await thrown(rig.channel.react?.({ chatId: '1', messageId: '1', sign: '👀' })),
      await thrown(fileOf(service, { fileId: 'f', name: 'n' }).fetch(9, never)),
    ]
    expect(errors.every(error => error instanceof Error)).toBe(true)
    const said = text([errors, rig.states, rig.logged])
    expect(said).toContain('<token>')
    expect(said).not.toContain('AAfake')
  }
})
