// Contract: a read whose rows are many and long answers the same wherever it is made, and sees what was acknowledged.
import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import type { LargeReadName, Store, StoreReads } from '../../src/store/port.ts'
import {
  addJob,
  begin,
  claimNominal,
  fenceOf,
  MINUTE,
  NOW,
  newJob,
  newNotice,
  newRun,
  SESSION,
  type StoreTests,
} from './fixtures.ts'

type Asked = { readonly [N in LargeReadName]: readonly Parameters<StoreReads[N]>[] }

const KB = 1_024
const FIRED = 150
const IMAGE = new Uint8Array(600 * KB).fill(7)
const IMAGE_HASH = createHash('sha256').update(IMAGE).digest('hex')

/** Rows of each kind that are together far more than may be read in place: 2 MB of transcript, 0.3 to 0.6 MB of others. */
async function fill(store: Store): Promise<string> {
  const jobs = Array.from({ length: 520 }, (_, n) =>
    newJob(`j${n}`, { description: 'd'.repeat(KB), enabled: n % 50 > 0 }),
  )
  await Promise.all(jobs.map(job => addJob(store, job.enabled ? job : { ...job, state: {} })))
  const attachments = [{ mime: 'image/png', name: 'i.png', content: IMAGE }]
  const long = await begin(store, newRun('long', { attachments }))
  const entries = Array.from({ length: 500 }, (_, n) => ({
    ...{ kind: 'message' as const, calls: [], model: 'test/model' },
    text: `${n} ${'é'.repeat(2 * KB)}`,
  }))
  const fence = fenceOf(long)
  await store.write.appendEntries({ fence, entries, nowMs: NOW, events: [] })
  const ask = (n: number) => ({
    ...{ id: `a${n}`, callId: `1:${n}`, askedIn: n % 2 ? SESSION : 'agent:main:other', tool: 'exec', text: 'may I?' },
    ...{ request: { command: 'x'.repeat(8 * KB) }, whatHash: `h${n}`, expiresAtMs: NOW },
  })
  await Promise.all(
    Array.from({ length: 90 }, (_, n) => store.write.askApproval({ fence, approval: ask(n), nowMs: NOW })),
  )
  for (let n = 0; n < FIRED; n += 1) {
    const run = newRun(`fired${n}`, { source: 'job', jobId: 'j1', occurrence: `at:${NOW + n * MINUTE}` })
    await claimNominal(store, 'j1', { nominalAtMs: NOW + n * MINUTE, run })
    const { value } = await store.write.claimRun({ runId: run.runId, epoch: store.epoch, nowMs: NOW, events: [] })
    if (!value) throw new Error('it was not claimed')
    const notice = newNotice(`n${n}`, { text: `${n} ${'t'.repeat(4 * KB)}` })
    const end = { state: 'ok', reply: `${n} ${'r'.repeat(4 * KB)}` } as const
    await store.write.endRun({ fence: fenceOf(value), end, notice, nowMs: NOW, events: [] })
  }
  return long.sessionId
}

/** Bytes are the same bytes in any kind of array. */
const plain = (value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value)

export const largeTests: StoreTests = {
  'W8: each large read answers as in place, large or small, and sees what was acknowledged before it was asked':
    async bench => {
      const store = await bench.open()
      const sessionId = await fill(store)
      const asked: Asked = {
        jobs: [
          [{ includeDisabled: true, limit: 500 }],
          [{ includeDisabled: false, limit: 500 }],
          [{ includeDisabled: true, limit: 500, after: { nextRunAtMs: NOW + MINUTE, id: 'j300' } }],
          [{ includeDisabled: true, limit: 3 }],
        ],
        occurrences: [
          ['j1', 500],
          ['j1', 2],
          ['none', 9],
        ],
        blob: [[IMAGE_HASH], ['none']],
        entries: [
          [SESSION, 500],
          [SESSION, 2],
          ['none', 9],
        ],
        transcript: [
          [sessionId, 500],
          [sessionId, 2],
          ['none', 9],
        ],
        unreadNotices: [
          [SESSION, 500],
          [SESSION, 2],
          ['none', 9],
        ],
        pendingApprovals: [
          [{ limit: 500 }],
          [{ limit: 500, askedIn: SESSION }],
          [{ limit: 1 }],
          [{ limit: 9, askedIn: 'none' }],
        ],
      }
      for (const [name, calls] of Object.entries(asked)) {
        const apart = store.readLarge[name as LargeReadName] as (...args: unknown[]) => Promise<unknown[]>
        const inPlace = store.read[name as LargeReadName] as (...args: unknown[]) => unknown[]
        for (const args of calls)
          expect(plain(await apart(...args)), `${name} ${JSON.stringify(args)}`).toEqual(plain(inPlace(...args)))
        expect((await apart(...(calls[0] as unknown[]))).length, name).toBeGreaterThan(85)
      }
      for (let n = 0; n < 20; n += 1) {
        await store.write.removeJob({ jobId: `j${n + 10}`, nowMs: NOW })
        const ids = (await store.readLarge.jobs({ includeDisabled: true, limit: 500 })).map(({ job }) => job.id)
        expect(ids).not.toContain(`j${n + 10}`)
      }
    },

  'counts go no further than they are asked to': async bench => {
    const store = await bench.open()
    const fence = fenceOf(await begin(store, newRun('r1')))
    const approval = { tool: 'exec', text: 'ls', request: {}, whatHash: 'h', askedIn: SESSION, expiresAtMs: NOW }
    for (const n of [1, 2, 3]) {
      await store.write.askApproval({ fence, approval: { ...approval, id: `a${n}`, callId: `1:${n}` }, nowMs: NOW })
    }
    expect([store.read.pendingApprovalCount(9), store.read.pendingApprovalCount(2)]).toEqual([3, 2])
    expect([store.read.unreadCount(SESSION, 9), store.read.unreadCount(SESSION, 2)]).toEqual([3, 2])
    expect(store.read.unreadCount('none', 9)).toBe(0)
    await store.write.decideApproval({ id: 'a2', decision: 'deny', by: 'p', nowMs: NOW })
    expect([store.read.pendingApprovalCount(9), store.read.unreadCount(SESSION, 9)]).toEqual([2, 2])
  },
}
