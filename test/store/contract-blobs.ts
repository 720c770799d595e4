// Contract: files that come with messages, kept once and as long as something names them; and what a turn reads of a
// transcript that was summarised.
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { Store } from '../../src/store/port.ts'
import { AGING_TABLES, KEPT } from '../../src/store/sqlite/retention.ts'
import { begin, effectKey, fenceOf, NOW, newRun, SESSION, type StoreTests } from './fixtures.ts'

const hashOf = (content: Uint8Array) => createHash('sha256').update(content).digest('hex')
const file = (name: string, length = 10) => ({ mime: 'image/png', name, content: new Uint8Array(length).fill(7) })

async function removeOld(store: Store, nowMs: number): Promise<void> {
  for (const table of AGING_TABLES) {
    for (let afterId: number | undefined = 0; afterId !== undefined; ) {
      afterId = (await store.write.removeOld({ table, afterId, sliceMs: 1_000, nowMs })).value.nextId
    }
  }
}

async function end(store: Store, run: Parameters<typeof fenceOf>[0]): Promise<void> {
  await store.write.endRun({ fence: fenceOf(run), end: { state: 'ok' }, nowMs: NOW, events: [] })
}

export const blobTests: StoreTests = {
  'L1: a file is kept in the commit that takes its message, once for equal bytes, and named by the input':
    async bench => {
      const store = await bench.open()
      const large = { ...file('large.png'), content: new Uint8Array(5_000_000).map((_, index) => index % 251) }
      await begin(store, newRun('r1', { attachments: [file('a.png'), large] }))
      await begin(store, newRun('r2', { attachments: [file('b.png')] }))
      const [blob, other] = [hashOf(file('').content), hashOf(large.content)]
      expect(store.read.runEntries('r1')[0]?.body).toEqual({
        kind: 'input',
        text: 'say r1',
        dated: true,
        attachments: [
          { blob, mime: 'image/png', name: 'a.png', bytes: 10 },
          { blob: other, mime: 'image/png', name: 'large.png', bytes: 5_000_000 },
        ],
      })
      expect(store.read.runEntries('r2')[0]?.body).toMatchObject({ attachments: [{ blob, name: 'b.png' }] })
      expect(Buffer.compare(store.read.blob(blob) as Uint8Array, file('').content)).toBe(0)
      expect(Buffer.compare(store.read.blob(other) as Uint8Array, large.content)).toBe(0)
      expect(store.read.blob('nothing')).toBeUndefined()
    },

  'L4: a file of a reply is kept with its send, as long as that one may go out': async bench => {
    const store = await bench.open()
    const run = newRun('r1')
    const route = { channelId: 'loopback', chatId: 'c', textLengthMax: 100 }
    await store.write.acceptMessage({ run, route, nowMs: NOW })
    const { value } = await store.write.claimRun({ runId: 'r1', epoch: store.epoch, nowMs: NOW, events: [] })
    const ended = { state: 'ok', reply: 'here', files: [file('a.png')] } as const
    await store.write.endRun({ fence: fenceOf(value as never), end: ended, nowMs: NOW, events: [] })
    const blob = hashOf(file('').content)
    const named = { blob, mime: 'image/png', name: 'a.png', bytes: 10 }
    expect(store.read.send('reply:r1#1')).toMatchObject({ text: 'here', file: undefined, state: 'queued' })
    expect(store.read.send('reply:r1#2')).toMatchObject({ text: 'a.png', file: named, state: 'queued' })
    const isKept = async (nowMs: number) => {
      await removeOld(store, nowMs)
      return store.read.blob(blob) !== undefined
    }
    expect(await isKept(NOW + KEPT.blobs.ms + 1)).toBe(true)
    for (const id of ['reply:r1#1', 'reply:r1#2']) {
      await store.write.claimSend({ id, epoch: store.epoch, nowMs: NOW })
      const fence = { id, epoch: store.epoch, attempt: 1 }
      await store.write.endSend({ fence, end: { state: 'sent', sentId: id }, nowMs: NOW })
    }
    expect(await isKept(NOW + KEPT.blobs.ms + 1)).toBe(false)
  },

  'T1: a message that is taken again, or refused, brings nothing': async bench => {
    const store = await bench.open()
    const accept = (runId: string, content: Uint8Array, key: string) =>
      store.write.acceptMessage({
        run: newRun(runId, { attachments: [{ ...file('a.png'), content }] }),
        key: effectKey(key),
        limits: { ahead: 1, all: 9 },
        nowMs: NOW,
      })
    await accept('r1', new Uint8Array(3), 'k')
    expect((await accept('r1', new Uint8Array(4), 'k')).repeated).toBe(true)
    await expect(accept('r2', new Uint8Array(5), 'other')).rejects.toMatchObject({ code: 'BUSY' })
    const kept = [3, 4, 5].map(length => store.read.blob(hashOf(new Uint8Array(length))) !== undefined)
    expect(kept).toEqual([true, false, false])
  },

  'a file goes when it is old and no entry and no waiting message names it': async bench => {
    const store = await bench.open()
    const [shown, waiting, cancelled] = [3, 4, 5].map(length => new Uint8Array(length)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ]
    const attach = (content: Uint8Array) => ({ attachments: [{ ...file('a.png'), content }] })
    await end(store, await begin(store, newRun('shown', attach(shown))))
    await store.write.acceptMessage({ run: newRun('waiting', attach(waiting)), nowMs: NOW })
    await store.write.acceptMessage({ run: newRun('cancelled', attach(cancelled)), nowMs: NOW })
    await store.write.cancelQueuedRun({ runId: 'cancelled', reason: 'stopped', nowMs: NOW, events: [] })
    const kept = () => [shown, waiting, cancelled].map(content => store.read.blob(hashOf(content)) !== undefined)
    await removeOld(store, NOW + KEPT.blobs.ms)
    expect(kept()).toEqual([true, true, true])
    await removeOld(store, NOW + KEPT.blobs.ms + 1)
    expect(kept()).toEqual([true, true, false])
    await removeOld(store, NOW + KEPT.entries.ms + 1)
    expect(kept()).toEqual([true, true, false])
    // Its entry goes with its transcript.
    await store.write.resetSession({ sessionKey: SESSION, agentId: 'main', nowMs: NOW })
    await store.write.cancelQueuedRun({ runId: 'waiting', reason: 'stopped', nowMs: NOW, events: [] })
    await removeOld(store, NOW + KEPT.entries.ms + 1)
    expect(kept()).toEqual([false, false, false])
  },

  'L2: a turn goes on from the newest summary and what it kept; a history has all of it': async bench => {
    const store = await bench.open()
    await end(store, await begin(store, newRun('r1')))
    const run = await begin(store, newRun('r2'))
    const append = async (...entries: Parameters<Store['write']['appendEntries']>[0]['entries']) =>
      (await store.write.appendEntries({ fence: fenceOf(run), entries, nowMs: NOW, events: [] })).value.ids
    const keptFrom = store.read.runEntries('r2')[0]?.id as number
    const usage = { inputTokens: 5, outputTokens: 2 }
    const summary = { kind: 'compaction', summary: 's', keptFrom, summarised: 2, kept: 1, model: 'm', usage } as const
    await append({ ...summary, keptFrom: 1 })
    const [id = 0] = await append(summary, { kind: 'attempt', model: 'm' })
    const ids = (limit: number) => store.read.transcript(run.sessionId, limit).map(entry => entry.id)
    expect(ids(500)).toEqual([keptFrom, id - 1, id, id + 1])
    // The summary is among them however few are read.
    expect(ids(1)).toEqual([id, id + 1])
    expect(store.read.entries(SESSION, 500).map(({ body }) => body.kind)).toEqual([
      ...['input', 'end', 'input', 'compaction', 'compaction', 'attempt'],
    ])
    expect(store.read.session(SESSION)).toMatchObject({ inputTokens: 10, outputTokens: 4, lastMessage: 'say r2' })
  },

  'L2: the newest summary of a present transcript stays, however old it is': async bench => {
    const store = await bench.open()
    const run = await begin(store, newRun('r1'))
    const summary = { kind: 'compaction', summary: 's', keptFrom: 600, summarised: 2, kept: 1, model: 'm' } as const
    const attempts = Array.from({ length: 600 }, () => ({ kind: 'attempt', model: 'm' }) as const)
    const entries = [summary, { ...summary, keptFrom: 601 }, ...attempts]
    await store.write.appendEntries({ fence: fenceOf(run), entries, nowMs: NOW, events: [] })
    await end(store, run)
    await removeOld(store, NOW + KEPT.entries.ms + 1)
    const kept = store.read.runEntries('r1').filter(({ body }) => body.kind === 'compaction')
    expect(kept.map(({ id }) => id)).toEqual([3])
    expect(store.read.transcript(run.sessionId, 500)[0]?.id).toBe(3)
  },
}
