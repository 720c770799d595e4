// Files that come with messages: taken whole or refused by name, kept once, given to the model as bytes, and shown in a
// history by name alone.
import { readFileSync, rmSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { readAttachments } from '../../src/methods/attachments.ts'
import {
  ATTACHMENT_BYTES_MAX,
  ATTACHMENTS_BYTES_MAX,
  ATTACHMENTS_MAX,
  TEXT_FILE_BYTES_MAX,
} from '../../src/protocol/attachments.ts'
import { FRAME_BYTES_MAX } from '../../src/protocol/limits.ts'
import type { ModelMessage } from '../../src/providers/model.ts'
import { CONTEXT_LENGTH_MAX } from '../../src/providers/traits.ts'
import { SHOWN_BYTES_MAX, SHOWN_MAX, withContents } from '../../src/turns/attachments.ts'
import { DUE_ENTRIES, KEPT_ENTRIES, SUMMARY_LENGTH_MAX, SUMMARY_TRIES_MAX } from '../../src/turns/compaction.ts'
import { settled } from '../fakes/clock.ts'
import { calls, type House, type HouseOptions, openHouse, type Play, text } from '../fakes/house.ts'

const open: House[] = []
async function house(play: Play, options: HouseOptions = {}): Promise<House> {
  const made = await openHouse(play, { config, ...options })
  open.push(made)
  return made
}
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

const local = { baseUrl: 'http://127.0.0.1:9/v1', models: [{ id: 'blind', input: ['text'] }] }
const config = { models: { providers: { local } }, agents: { defaults: { model: 'local/m' } } }
const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(20, 1)])
const HEADS = {
  'image/png': '89504e470d0a1a0a',
  'image/jpeg': 'ffd8ffe0',
  'image/gif': '474946383961',
  'image/webp': '524946460000000057454250',
}
const base64 = (content: string | Uint8Array) => Buffer.from(content).toString('base64')
const image = { mimeType: 'image/png', fileName: 'cat.png', content: base64(PNG) }
const notes = { mimeType: 'text/markdown', fileName: 'notes.md', content: base64('# Grüße') }
const send = (one: House, message: string, attachments: object[] = []) =>
  one.call('agent', {
    message,
    sessionKey: 'main',
    idempotencyKey: message,
    ...(attachments.length && { attachments }),
  })
const filesOf = (messages: readonly ModelMessage[]) =>
  messages.flatMap(message => (message.role === 'user' ? (message.attachments ?? []) : []))

describe('a message with files', () => {
  test('L1: its model is given their bytes, in the next turn and after a restart too', async () => {
    const seen: ModelMessage[][] = []
    const play: Play = ({ messages }) => {
      seen.push([...messages])
      return text('a cat')
    }
    const first = await openHouse(play, { config })
    await send(first, 'what is this?', [image, notes])
    const [cat, words] = filesOf(seen[0] ?? [])
    expect([cat?.name, cat?.mime, cat?.bytes]).toEqual(['cat.png', 'image/png', PNG.byteLength])
    expect(Buffer.compare(cat?.content as Uint8Array, PNG)).toBe(0)
    expect(new TextDecoder().decode(words?.content)).toBe('# Grüße')
    await first.leave()
    const second = await openHouse(play, { config, folder: first.folder })
    await send(second, 'and now?')
    expect(filesOf(seen[1] ?? []).map(({ name, content }) => [name, content?.byteLength])).toEqual([
      ['cat.png', PNG.byteLength],
      ['notes.md', 9],
    ])
    await second.leave()
    rmSync(first.folder, { recursive: true, force: true })
  })

  test('a history names them and has no bytes', async () => {
    const one = await house(() => text('a cat'))
    await one.call('chat.send', { sessionKey: 'main', message: 'look', idempotencyKey: 'k', attachments: [image] })
    await one.call('agent.wait', { runId: 'k' })
    const { messages } = await one.call('chat.history', { sessionKey: 'main' })
    expect(messages[0]?.content).toEqual([
      { type: 'text', text: 'look' },
      {
        type: 'attachment',
        mimeType: 'image/png',
        fileName: 'cat.png',
        bytes: PNG.byteLength,
        blob: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ])
    expect(JSON.stringify(messages)).not.toContain(image.content)
  })

  test('T1: the same message again is the same, and other bytes under its key are refused', async () => {
    const one = await house(() => text('a cat'))
    await send(one, 'look', [image])
    expect(await send(one, 'look', [image])).toMatchObject({ runId: 'look', status: 'ok' })
    const other = { ...image, content: base64(Buffer.concat([PNG, PNG])) }
    await expect(send(one, 'look', [other])).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  test('one file that is refused refuses the message: nothing of it is kept', async () => {
    const one = await house(() => text(''))
    const bad = send(one, 'look', [image, { ...notes, mimeType: 'image/heic' }])
    await expect(bad).rejects.toMatchObject({ code: 'INVALID_REQUEST', outcome: 'not-started' })
    expect(one.store.read.run('look')).toBeUndefined()
    const many = Array.from({ length: ATTACHMENTS_MAX + 1 }, () => notes)
    await expect(send(one, 'many', many)).rejects.toThrow(`a message takes at most ${ATTACHMENTS_MAX} attachments`)
  })

  test('L1: a message that joins a turn brings its files into it', async () => {
    const seen: ModelMessage[][] = []
    const gate = Promise.withResolvers<void>()
    const one = await house(async ({ messages }) => {
      seen.push([...messages])
      if (seen.length > 1) return text('a cat')
      await gate.promise
      return calls({ name: 'session_status', args: {} })
    })
    const running = send(one, 'begin')
    await settled()
    const joins = { sessionKey: 'main', message: 'look', idempotencyKey: 'joins', attachments: [image] }
    await one.call('chat.send', joins)
    gate.resolve()
    await running
    expect(seen[1]?.at(-1)).toMatchObject({ text: 'look', attachments: [{ name: 'cat.png', content: PNG }] })
    const entry = one.store.read.runEntries('begin').find(({ body }) => body.kind === 'input' && body.of === 'joins')
    expect(entry?.body).toMatchObject({ attachments: [{ name: 'cat.png' }] })
    await send(one, 'again')
    expect(filesOf(seen[2] ?? []).map(({ content }) => content?.byteLength)).toEqual([PNG.byteLength])
  })

  test('a model that takes text only is given names of images and sounds, and the bytes of texts', async () => {
    const seen: ModelMessage[][] = []
    const one = await house(
      ({ messages }) => {
        seen.push([...messages])
        return text('')
      },
      { config: { ...config, agents: { defaults: { model: 'local/blind' } } } },
    )
    const voice = { mimeType: 'audio/ogg', fileName: 'said.ogg', content: base64('OggS') }
    await send(one, 'look', [image, notes, voice])
    expect(filesOf(seen[0] ?? []).map(({ name, content }) => [name, content !== undefined])).toEqual([
      ['cat.png', false],
      ['notes.md', true],
      ['said.ogg', false],
    ])
  })
})

describe('what is taken', () => {
  test.each(Object.entries(HEADS))('%s, by its bytes, whatever image it is called', (mime, head) => {
    const content = base64(Buffer.concat([Buffer.from(head, 'hex'), Buffer.alloc(20)]))
    for (const mimeType of [mime, 'image/png', 'image/jpg', undefined]) {
      expect(readAttachments([{ content, mimeType }])).toMatchObject([{ mime, name: 'attachment 1' }])
    }
  })

  test('a PDF, by its bytes, and any other kind of file as it is called', () => {
    const pdf = base64('%PDF-1.7 ...')
    for (const mimeType of ['application/pdf', undefined]) {
      expect(readAttachments([{ content: pdf, mimeType }])).toMatchObject([{ mime: 'application/pdf' }])
    }
    for (const mimeType of ['audio/ogg', 'video/mp4', 'application/zip']) {
      const content = base64(Buffer.from([0xff, 0xfe, 0]))
      expect(readAttachments([{ content, mimeType: `${mimeType}; codecs=x` }])).toMatchObject([{ mime: mimeType }])
    }
  })

  test('a data URL, and a text file without a kind', () => {
    expect(readAttachments([{ content: `data:image/png;base64,${image.content}` }])).toMatchObject([
      { mime: 'image/png', content: PNG },
    ])
    expect(readAttachments([{ content: base64('plain') }])).toMatchObject([{ mime: 'text/plain' }])
    expect(readAttachments([{ content: `data:text/csv;base64,${base64('a,b')}` }])).toMatchObject([
      { mime: 'text/csv' },
    ])
  })

  test('a name is one line of bounded length', () => {
    const [file] = readAttachments([{ ...notes, fileName: `a\n\u001b[31m${'b'.repeat(500)}` }])
    expect(file?.name).toMatch(/^a\[31mb+$/)
    expect(file?.name).toHaveLength(200)
  })

  test.each<[string, Parameters<typeof readAttachments>[0], RegExp]>([
    ['no base64', [{ ...image, content: '%%%%' }], /cat\.png is not base64/],
    ['nothing', [{ ...image, content: '  ' }], /cat\.png is empty/],
    ['an image that is none', [{ ...image, content: base64('hello') }], /cat\.png is image\/png and no PNG, JPEG/],
    [
      'a PDF that is none',
      [{ ...notes, mimeType: 'application/pdf' }],
      /notes\.md is called application\/pdf and is none/,
    ],
    ['what has no kind', [{ ...notes, mimeType: 'a sound' }], /notes\.md is called a sound and is none/],
    [
      'an image that is called a text',
      [{ ...notes, content: image.content }],
      /notes\.md is called text\/markdown and is none/,
    ],
    ['a text that is none', [{ ...notes, content: base64(Buffer.from([0xff, 0xfe, 0])) }], /notes\.md is no text/],
  ])('%s is refused by name', (_, files, words) => {
    expect(() => readAttachments(files)).toThrow(words)
  })

  test('the guide says the bounds', () => {
    const guide = readFileSync(new URL('../../docs/guides/long-sessions.md', import.meta.url), 'utf8')
    const said = (value: number) => value.toLocaleString('en')
    const bounds = [ATTACHMENT_BYTES_MAX, TEXT_FILE_BYTES_MAX, ATTACHMENTS_BYTES_MAX, FRAME_BYTES_MAX]
    for (const value of [...bounds, SUMMARY_LENGTH_MAX, CONTEXT_LENGTH_MAX]) expect(guide).toContain(said(value))
    expect(guide).toContain(`| files | ${ATTACHMENTS_MAX} |`)
    expect(guide).toContain(`| requests for one in a turn | ${SUMMARY_TRIES_MAX} |`)
    expect(guide).toContain(`or ${DUE_ENTRIES} entries`)
    expect(guide).toContain(`at most ${KEPT_ENTRIES} entries`)
    expect(guide).toContain(`newest ${SHOWN_MAX} files of the conversation, of ${said(SHOWN_BYTES_MAX)} bytes`)
  })

  test('each bound holds at its edge', () => {
    const sized = (bytes: number) => ({ ...image, content: base64(Buffer.concat([PNG], bytes)) })
    expect(readAttachments([sized(ATTACHMENT_BYTES_MAX)])[0]?.content.byteLength).toBe(ATTACHMENT_BYTES_MAX)
    expect(() => readAttachments([sized(ATTACHMENT_BYTES_MAX + 1)])).toThrow(/is larger than 5000000 bytes/)
    const half = sized(ATTACHMENTS_BYTES_MAX / 2)
    expect(readAttachments([half, half])).toHaveLength(2)
    expect(() => readAttachments([half, half, image])).toThrow(/have 10000028 bytes in all/)
    const words = (bytes: number) => ({ ...notes, content: base64('x'.repeat(bytes)) })
    expect(readAttachments([words(TEXT_FILE_BYTES_MAX)])).toHaveLength(1)
    expect(() => readAttachments([words(TEXT_FILE_BYTES_MAX + 1)])).toThrow(/text file of more than 200000 bytes/)
  })
})

describe('W8: what one request shows is bounded', () => {
  const message = (name: string, bytes: number) => ({
    role: 'user' as const,
    text: name,
    attachments: [{ blob: name, mime: 'image/png', name, bytes }],
  })
  const shownOf = async (messages: ReturnType<typeof message>[]) => {
    const reads: string[] = []
    const read = async (blob: string) => {
      reads.push(blob)
      return blob === 'gone' ? undefined : new Uint8Array(1)
    }
    const files = filesOf(await withContents(messages, { read, takes: ['image'] }))
    return { reads, shown: files.filter(({ content }) => content).map(({ name }) => name) }
  }

  test('the newest files are shown, in the order of their messages; what is left out is never read', async () => {
    const many = Array.from({ length: SHOWN_MAX + 2 }, (_, index) => message(`${index}`, 1))
    const { shown, reads } = await shownOf(many)
    expect(shown).toEqual(many.slice(2).map(({ text: name }) => name))
    expect(reads).toHaveLength(SHOWN_MAX)
    expect(await shownOf([message('old', 4_000_001), message('a', 3_000_000), message('b', 3_000_000)])).toEqual({
      shown: ['a', 'b'],
      reads: ['b', 'a'],
    })
  })

  test('what is kept no longer takes no room', async () => {
    const { shown } = await shownOf([message('a', 5_000_000), message('b', 5_000_000), message('gone', 5_000_000)])
    expect(shown).toEqual(['a', 'b'])
  })
})
