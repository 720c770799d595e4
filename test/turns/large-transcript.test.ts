// W8: a turn and a history over a transcript of megabytes have it read by the store's reading thread; the loss of that
// thread costs the turn an attempt, and nothing else.
import { afterEach, expect, test } from 'vitest'
import { type ReaderLink, type StartReader, startReader } from '../../src/store/sqlite/reader-link.ts'
import { within } from '../e2e/bound.ts'
import { settled } from '../fakes/clock.ts'
import { type House, openHouse, text } from '../fakes/house.ts'
import { begin, fenceOf, NOW, newRun } from '../store/fixtures.ts'

const house: { open?: House } = {}
afterEach(() => house.open?.close())

/** Counts what the thread is asked for; the first `deaths` of its lives end as soon as they are asked. */
function counted(deaths = 0) {
  const asked: string[] = []
  let lives = 0
  const start: StartReader = (folder, handler) => {
    lives += 1
    const isDoomed = lives <= deaths
    const link: ReaderLink = startReader(folder, handler)
    const post: ReaderLink['post'] = message => {
      asked.push(message.name)
      if (isDoomed) void link.end()
      else link.post(message)
    }
    return { post, end: () => link.end() }
  }
  return { start, asked }
}

/** A house whose main session has 500 entries of 4 KB. */
async function withLongTranscript(reader: StartReader) {
  const seen: number[] = []
  const play = ({ messages }: { messages: readonly unknown[] }) => {
    seen.push(messages.length)
    return text('read it all')
  }
  const opened = await openHouse(play, { store: { reader } })
  house.open = opened
  const fence = fenceOf(await begin(opened.store, newRun('long')))
  const words = 'x'.repeat(4_096)
  const entries = Array.from({ length: 500 }, (_, n) =>
    n % 2 > 0
      ? ({ kind: 'message', calls: [], model: 'test/model', text: words } as const)
      : ({ kind: 'input', text: words } as const),
  )
  await opened.store.write.appendEntries({ fence, entries, nowMs: NOW, events: [] })
  await opened.store.write.endRun({ fence, end: { state: 'ok' }, nowMs: NOW, events: [] })
  const chat = async () => {
    await opened.call('chat.send', { sessionKey: 'main', message: 'and now?', idempotencyKey: 'turn' })
    return await within(opened.call('agent.wait', { runId: 'turn' }), 'the end of the turn')
  }
  return { ...opened, seen, chat }
}

test('W8: a context and a history of 2 MB are read by the thread; of a short session neither is', async () => {
  const { start, asked } = counted()
  const { call, chat, seen } = await withLongTranscript(start)
  expect(await chat()).toMatchObject({ status: 'ok' })
  expect(asked).toEqual(['transcript'])
  // What fits of the transcript, and what was written last.
  expect(seen[0]).toBeGreaterThan(60)
  const { messages } = await within(call('chat.history', { sessionKey: 'main' }), 'the history')
  expect(asked).toEqual(['transcript', 'entries'])
  expect(messages.at(-1)).toMatchObject({ role: 'assistant', content: [{ text: 'read it all' }] })
  await call('chat.send', { sessionKey: 'other', message: 'hi', idempotencyKey: 'short' })
  await within(call('agent.wait', { runId: 'short' }), 'the end of the short turn')
  await call('chat.history', { sessionKey: 'other' })
  expect(asked).toHaveLength(2)
})

test('L2: a turn whose transcript was being read when the thread died goes on with another attempt', async () => {
  const { start, asked } = counted(1)
  const { chat, store, seen } = await withLongTranscript(start)
  expect(await chat()).toMatchObject({ status: 'ok' })
  expect(asked).toEqual(['transcript', 'transcript'])
  expect(store.read.run('turn')).toMatchObject({ state: 'ok', attempt: 2, losses: 1 })
  expect(seen).toHaveLength(1)
})

test('T1: a file that cannot be read for a message that joined costs an attempt; nothing is written or lost by it', async () => {
  const failed: string[] = []
  const start: StartReader = (folder, handler) => {
    const link = startReader(folder, handler)
    const post: ReaderLink['post'] = message => {
      if (message.name !== 'blob' || failed.length > 0) return link.post(message)
      failed.push(message.name)
      const error = { code: 'STORE_FAILED', message: 'a page is damaged', outcome: 'not-started' } as const
      handler.message({ id: message.id, error })
    }
    return { post, end: () => link.end() }
  }
  const gate = Promise.withResolvers<void>()
  const seen: string[][] = []
  const opened = await openHouse(
    async ({ messages }) => {
      seen.push(messages.flatMap(message => (message.role === 'user' ? [message.text] : [])))
      if (seen.length === 1) await gate.promise
      return text(`answer ${seen.length}`)
    },
    {
      store: { reader: start },
      config: {
        models: { providers: { test: { baseUrl: 'http://127.0.0.1:1/v1' } } },
        agents: { defaults: { model: 'test/model' } },
      },
    },
  )
  house.open = opened
  const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(400_000, 7)]).toString('base64')
  const attachments = [{ mimeType: 'image/png', fileName: 'i.png', content: png }]
  await opened.call('chat.send', { sessionKey: 'main', message: 'first', idempotencyKey: 'first' })
  await settled()
  await opened.call('chat.send', { sessionKey: 'main', message: 'look', attachments, idempotencyKey: 'second' })
  gate.resolve()
  expect(await within(opened.call('agent.wait', { runId: 'second' }), 'the end')).toMatchObject({ status: 'ok' })
  expect(failed).toEqual(['blob'])
  const kinds = opened.store.read.runEntries('first').map(({ body }) => body.kind)
  expect(kinds).toEqual(['input', 'attempt', 'message', 'input', 'attempt', 'message', 'end'])
  expect(seen).toEqual([['first'], ['first', 'look']])
  expect(opened.store.read.run('first')).toMatchObject({ state: 'ok', attempt: 2 })
})
