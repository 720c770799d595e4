// Files that a reply names: a chat gets the text and then each file, once, with the bytes that were there when the reply
// was owed, whatever the network and a crash do; what cannot be sent is said.
import { afterEach, describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import { type Loopback, type LoopbackOptions, loopback, type Sighting } from '../../src/channels/loopback/loopback.ts'
import { mayNameFiles, withMedia, withoutMedia } from '../../src/delivery/media.ts'
import { ATTACHMENTS_BYTES_MAX, ATTACHMENTS_MAX } from '../../src/protocol/attachments.ts'
import { BEGIN_MS, settled } from '../fakes/clock.ts'
import { calls, type House, type HouseOptions, openHouse, text } from '../fakes/house.ts'

const BYTES_MAX = 1_000
const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

const bytes = (words: string) => new TextEncoder().encode(words)
/** A folder in which each path has these words. */
const disk = (words: Record<string, string>) => ({
  words,
  readWithin: async (_: string, path: string, bytesMax: number) => {
    const found = words[path]
    if (found === undefined) throw new SluiceError('NOT_FOUND', 'there is no such file')
    if (found.length > bytesMax) throw new SluiceError('LIMIT', `it is larger than ${bytesMax} bytes`)
    return bytes(found)
  },
})

const worldOf = (words: Record<string, string>) => ({ readWithin: disk(words).readWithin })

async function house(reply: string, channel: Loopback, options: HouseOptions = {}): Promise<House> {
  const one = await openHouse(() => text(reply), { ...options, channels: [channel] })
  open.push(one)
  return one
}
const channelOf = (options: Partial<LoopbackOptions> = {}) =>
  loopback({ dedupesSends: false, offers: { files: { bytesMax: BYTES_MAX } }, ...options })
const write = async (channel: Loopback, words = 'draw') => {
  await channel.say({ messageId: words, chatId: 'chat', from: { id: 'p' }, text: words, atMs: BEGIN_MS })
  await settled()
}
const shown = (seen: readonly Sighting[]) =>
  seen.map(({ text: words, file }) => (file ? `${file.name}=${new TextDecoder().decode(file.bytes)}` : words))

describe('the files of a reply', () => {
  test('L4: are sent after its text, each once, with what they are', async () => {
    const channel = channelOf()
    const world = worldOf({ 'out/chart.png': 'picture', '/w/notes': 'words' })
    const one = await house('Here.\nMEDIA:out/chart.png\n MEDIA: `/w/notes`\nLook at it.', channel, { world })
    await write(channel)
    expect(shown(channel.seen)).toEqual(['Here.\nLook at it.', 'chart.png=picture', 'notes=words'])
    expect(channel.seen.map(({ file }) => file?.mediaType)).toEqual([
      undefined,
      'image/png',
      'application/octet-stream',
    ])
    expect(await one.call('outbox.list')).toEqual({ sends: [] })
  })

  test('L4: what is tried again after a crash is what was owed, though the file is another by now', async () => {
    const seen: Sighting[] = []
    const lost = channelOf({ seen, fault: ({ file }) => (file ? { kind: 'lost' } : undefined) })
    const { words, readWithin } = disk({ 'a.txt': 'as it was' })
    const before = await openHouse(() => text('Here.\nMEDIA:a.txt'), { channels: [lost], world: { readWithin } })
    await write(lost)
    expect(shown(seen)).toEqual(['Here.'])
    words['a.txt'] = 'as it is'
    const { clock, folder } = before
    await before.leave()
    await house('', channelOf({ seen }), { clock, folder, world: { readWithin } })
    await clock.advance(60_000)
    expect(shown(seen)).toEqual(['Here.', 'a.txt=as it was'])
  })

  test('L4: a file of which nobody knows whether it arrived is told of once, and is sent again when its person says so', async () => {
    let isLost = true
    const channel = channelOf({ fault: ({ file }) => (file && isLost ? { kind: 'unanswered' } : undefined) })
    const one = await house('Here.\nMEDIA:a.txt', channel, { world: worldOf({ 'a.txt': 'a' }) })
    await write(channel)
    await one.clock.advance(60_000)
    const [text, file, doubt, ...more] = shown(channel.seen)
    expect([text, file, more]).toEqual(['Here.', 'a.txt=a', []])
    expect(doubt).toContain('"a.txt"')
    isLost = false
    await write(channel, /\/resend \S+/.exec(doubt ?? '')?.[0])
    expect(shown(channel.seen).slice(3)).toEqual(['a.txt=a'])
  })

  test('a chat of a channel that takes no files is told so, and one of no channel gets the words as they are', async () => {
    const channel = loopback({ dedupesSends: false })
    const one = await house('MEDIA:a.txt', channel, { world: worldOf({ 'a.txt': 'a' }) })
    await write(channel)
    expect(shown(channel.seen)).toEqual(['(The file a.txt was not sent: this chat takes no files.)'])
    await one.call('chat.send', { sessionKey: 'main', message: 'draw', idempotencyKey: 'k' })
    await settled()
    expect(one.store.read.run('k')?.reply).toBe('MEDIA:a.txt')
  })

  test('the result of a job brings its files into the chat where it was made', async () => {
    const channel = channelOf()
    const one = await house('', channel, { world: worldOf({ 'a.txt': 'a' }) })
    const job = {
      name: 'draw',
      schedule: { kind: 'every', everyMs: 3_600_000 },
      payload: { kind: 'agentTurn', message: 'draw' },
    }
    one.play(({ messages }) => {
      const last = messages.at(-1)
      if (last?.role !== 'user') return text('I will')
      return last.text.includes('[cron:')
        ? text('Done.\nMEDIA:a.txt')
        : calls({ name: 'cron', args: { action: 'add', job } })
    })
    await write(channel)
    await one.clock.advance(3_600_000)
    expect(shown(channel.seen)).toEqual(['I will', expect.stringContaining('Done.'), 'a.txt=a'])
  })
})

describe('what a reply says of files', () => {
  const source = {
    read: disk({ a: 'a', big: 'x'.repeat(BYTES_MAX + 1) }).readWithin,
    folder: '/w',
    bytesMax: BYTES_MAX,
  }
  const read = (reply: string, more: Partial<typeof source> = {}) =>
    withMedia({ state: 'ok' as const, reply }, { ...source, ...more })

  test('is heeded only alone in a line, outside of code', async () => {
    const reply = 'see MEDIA:a\n```\nMEDIA:a\n```\nMEDIA:'
    expect(await read(reply)).toEqual({ state: 'ok', reply })
    expect(mayNameFiles({ state: 'ok', reply: 'see MEDIA:a' })).toBe(false)
    expect(mayNameFiles({ state: 'failed', reply: 'MEDIA:a' })).toBe(false)
  })

  test('stays as a sentence where the file is not there or too large', async () => {
    const { reply, ...rest } = await read('MEDIA:big\nMEDIA:gone')
    expect(rest).toEqual({ state: 'ok' })
    expect(reply).toBe(
      '(The file big was not sent: it is larger than 1000 bytes.)\n(The file gone was not sent: there is no such file.)',
    )
  })

  test('is not shown while it is written, and files without words are named', async () => {
    expect(withoutMedia('Here.\nMEDIA:a\n MED')).toBe('Here.\n\n MED')
    expect(withoutMedia('MEDIA:out/ch')).toBe('')
    expect(await read('MEDIA:a')).toMatchObject({ reply: 'a', files: [{ name: 'a' }] })
  })

  test('is bounded: so many files, and so many bytes in all', async () => {
    const many = await read(Array.from({ length: ATTACHMENTS_MAX + 1 }, () => 'MEDIA:a').join('\n'))
    expect(many).toMatchObject({ reply: `(The file a was not sent: a reply has at most ${ATTACHMENTS_MAX} files.)` })
    const half = new Uint8Array(ATTACHMENTS_BYTES_MAX / 2)
    const asked: number[] = []
    await read('MEDIA:a\nMEDIA:a\nMEDIA:a', {
      bytesMax: half.length,
      read: async (_, __, bytesMax) => {
        asked.push(bytesMax)
        return half
      },
    })
    expect(asked).toEqual([half.length, half.length, 0])
  })
})
