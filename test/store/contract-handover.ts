// Contract: what becomes of the reply to a turn that another turn asked for, and how much may be queued at once.
import fc from 'fast-check'
import { expect } from 'vitest'
import type { NewRun, Store } from '../../src/store/port.ts'
import type { RunRow } from '../../src/store/rows.ts'
import { begin, effectKey, fenceOf, NOW, newRun, SESSION, type StoreTests } from './fixtures.ts'

const CHILD_SESSION = 'agent:helper:task:1'

/** A turn that the turn `p` of the main session asked for. */
function child(runId: string, more: Partial<NewRun> = {}): NewRun {
  const about = { sessionKey: CHILD_SESSION, echoKey: CHILD_SESSION, agentId: 'helper', source: 'spawn' } as const
  return newRun(runId, { ...about, parent: 'p', hops: 3, label: 'look it up', tells: SESSION, ...more })
}

interface How {
  readonly awaited?: boolean
  readonly silent?: boolean
}

function end(store: Store, runId: string, how: How = {}) {
  const run = store.read.run(runId) as RunRow
  return store.write.endRun({
    fence: fenceOf(run),
    end: { state: 'ok', reply: `found by ${runId}` },
    ...how,
    nowMs: NOW,
    events: [],
  })
}

const take = async (store: Store, runId: string, by: string) =>
  (await store.write.takeReply({ runId, by, nowMs: NOW })).value.taken
const ids = (runs: readonly RunRow[]) => runs.map(({ runId }) => runId)

export const handoverTests: StoreTests = {
  'T1: a reply that is awaited is taken once, by one call, and then nobody is told': async bench => {
    const store = await bench.open()
    await begin(store, newRun('p'))
    const made = await begin(store, child('c'))
    expect(made).toMatchObject({ parent: 'p', hops: 3, label: 'look it up', tells: SESSION, handover: 'open' })
    expect(ids(store.read.liveChildren(SESSION))).toEqual(['c'])
    await expect(take(store, 'c', '7:0')).rejects.toMatchObject({ code: 'CONFLICT', outcome: 'not-started' })
    expect((await end(store, 'c', { awaited: true })).value).toMatchObject({ run: { handover: 'open' }, told: [] })
    expect(store.read.liveChildren(SESSION)).toEqual([])
    expect([await take(store, 'c', '7:0'), await take(store, 'c', '7:1'), await take(store, 'c', '7:0')]).toEqual([
      true,
      false,
      true,
    ])
    expect(store.read.run('c')?.handover).toBe('taken')
    expect((await end(store, 'p')).value.told).toEqual([])
    await expect(take(store, 'nobody', '7:0')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    // A run that tells nobody may be read by all who waited for it.
    expect([await take(store, 'p', '1:0'), await take(store, 'p', '1:1')]).toEqual([true, true])
  },

  'T1: a reply that nobody awaits is told by a turn of the session that asked, kept over a restart': async bench => {
    const first = await bench.open()
    await begin(first, newRun('p'))
    await begin(first, child('c'))
    const { run, told } = (await end(first, 'c')).value
    expect(run.handover).toBe('taken')
    const about = { runId: 'told:c', source: 'told', state: 'queued', parent: 'c', hops: 4, tells: undefined }
    expect(told).toMatchObject([{ ...about, sessionKey: SESSION, echoKey: SESSION, agentId: 'main', handover: 'none' }])
    expect(await take(first, 'c', '7:0')).toBe(false)
    await first.close()
    const store = await bench.open()
    expect(ids((await store.write.recoverRuns({ epoch: store.epoch, nowMs: NOW })).value)).toEqual(['p', 'told:c'])
    await store.write.claimRun({ runId: 'told:c', epoch: store.epoch, nowMs: NOW, events: [] })
    const text = 'System: the task "look it up" has ended: ok.\nFindings:\nfound by c'
    expect(store.read.runEntries('told:c')).toMatchObject([{ body: { kind: 'input', text } }])
    await end(store, 'told:c')
    // What the session answers is for its person, like the answer to a message.
    expect(store.read.unreadNotices(SESSION, 9)).toMatchObject([{ id: 'reply:told:c', source: 'reply' }])
  },

  'T1: the end of a turn tells what it asked for and did not take; what still runs tells its own end': async bench => {
    const store = await bench.open()
    await begin(store, newRun('p'))
    for (const id of ['c1', 'c2', 'c3']) await begin(store, child(id, { sessionKey: `agent:helper:${id}` }))
    await end(store, 'c1', { awaited: true })
    await end(store, 'c2', { awaited: true })
    await take(store, 'c2', '7:1')
    expect(ids((await end(store, 'p')).value.told)).toEqual(['told:c1'])
    expect(await take(store, 'c1', '7:0')).toBe(false)
    // Said to be awaited by a turn that has ended meanwhile: nobody could take it any more.
    expect(ids((await end(store, 'c3', { awaited: true })).value.told)).toEqual(['told:c3'])
  },

  'T1: a turn that gives back its place keeps what it may take; one that is cancelled then does not': async bench => {
    const store = await bench.open()
    const fence = fenceOf(await begin(store, newRun('p')))
    await begin(store, child('c'))
    await store.write.requeueRun({ fence, lost: true, nowMs: NOW })
    expect((await end(store, 'c', { awaited: true })).value.told).toEqual([])
    const cancel = { runId: 'p', reason: 'stopped', nowMs: NOW, events: [] }
    // Whoever stopped the turn does not want to hear of it.
    expect((await store.write.cancelQueuedRun(cancel)).value?.told).toEqual([])
    expect(store.read.run('c')?.handover).toBe('taken')
    expect(await take(store, 'c', '7:0')).toBe(false)
  },

  'W7: who stops a turn is not told of what it had asked for, ended or still under way': async bench => {
    const store = await bench.open()
    await begin(store, newRun('p'))
    for (const id of ['c1', 'c2']) await begin(store, child(id, { sessionKey: `agent:helper:${id}` }))
    await end(store, 'c1', { awaited: true })
    const fence = fenceOf(store.read.run('p') as RunRow)
    const stopped = await store.write.endRun({ fence, end: { state: 'aborted' }, nowMs: NOW, events: [] })
    expect(stopped.value.told).toEqual([])
    expect((await end(store, 'c2')).value.told).toEqual([])
  },

  'T1: a queued turn that is cancelled is handed over like one that ended': async bench => {
    const store = await bench.open()
    await begin(store, newRun('p'))
    const cancel = async (runId: string, how: How) => {
      await store.write.acceptMessage({ run: child(runId), nowMs: NOW })
      const args = { runId, reason: 'stopped before it began', ...how, nowMs: NOW, events: [] }
      return (await store.write.cancelQueuedRun(args)).value
    }
    expect(await cancel('c1', { awaited: true })).toMatchObject({ run: { handover: 'open' }, told: [] })
    expect(await cancel('c2', {})).toMatchObject({ run: { handover: 'taken' }, told: [{ runId: 'told:c2' }] })
    expect(await cancel('c3', { silent: true })).toMatchObject({ run: { handover: 'taken' }, told: [] })
  },

  'W7: what was stopped with the turn that asked for it is told to nobody, whoever waited': async bench => {
    const store = await bench.open()
    await begin(store, newRun('p'))
    await begin(store, child('c'))
    const { run, told } = (await end(store, 'c', { silent: true, awaited: true })).value
    expect([run.handover, told]).toEqual(['taken', []])
    expect(await take(store, 'c', '7:0')).toBe(false)
    expect((await end(store, 'p')).value.told).toEqual([])
  },

  'T1: the id of a run that tells is nobody else’s to take': async bench => {
    const store = await bench.open()
    await begin(store, newRun('p'))
    const taken = store.write.acceptMessage({ run: newRun('told:c'), nowMs: NOW })
    await expect(taken).rejects.toMatchObject({ code: 'CONFLICT', outcome: 'not-started' })
    await begin(store, child('c'))
    expect(ids((await end(store, 'c')).value.told)).toEqual(['told:c'])
  },

  'T1: whatever the order of ends, takes, losses and restarts, a reply arrives exactly once': async bench => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 16 }), async steps => {
        const folder = bench.newFolder()
        const history = await History.begin(() => bench.openAt(folder))
        for (const one of steps) await history.do(one)
        await history.finish()
      }),
      { numRuns: bench.reopeningRuns },
    )
  },

  'W6: a queue that is full refuses the next message, says so, and never refuses a repeat': async bench => {
    const store = await bench.open()
    const accept = (runId: string, more: Partial<NewRun> = {}, key = runId) =>
      store.write.acceptMessage({
        run: newRun(runId, more),
        limits: { ahead: 2, all: 3 },
        key: effectKey(key),
        nowMs: NOW,
      })
    await accept('r1')
    await accept('r2')
    const busy = { code: 'BUSY', outcome: 'not-started', retryAfterMs: 1_000 }
    await expect(accept('r3')).rejects.toMatchObject({ ...busy, message: expect.stringMatching(/^2 turns of session/) })
    expect(store.read.run('r3')).toBeUndefined()
    const elsewhere = { sessionKey: 'agent:main:other' }
    await accept('r4', elsewhere)
    await expect(accept('r5', elsewhere)).rejects.toMatchObject({
      ...busy,
      message: expect.stringMatching(/^3 turns of this gateway .*stop some/),
    })
    expect(await accept('r2')).toMatchObject({ repeated: true, value: { run: { runId: 'r2' }, ahead: 1 } })
    // What was refused left no key, and one that has ended leaves its place.
    await store.write.cancelQueuedRun({ runId: 'r1', reason: 'stopped', nowMs: NOW, events: [] })
    expect((await accept('r3')).repeated).toBe(false)
  },

  'W6: a session has so many tasks under way at most, and may have others when they have ended': async bench => {
    const store = await bench.open()
    await begin(store, newRun('p'))
    const spawn = (runId: string, more: Partial<NewRun> = {}) =>
      store.write.acceptMessage({
        run: child(runId, { sessionKey: `agent:helper:${runId}`, ...more }),
        limits: { ahead: 9, all: 9, children: 2 },
        nowMs: NOW,
      })
    await spawn('c1')
    await spawn('c2')
    const limit = { code: 'LIMIT', outcome: 'not-started', message: expect.stringMatching(/2 tasks .*Wait for one/) }
    await expect(spawn('c3')).rejects.toMatchObject(limit)
    await spawn('c4', { tells: 'agent:main:other' })
    await store.write.cancelQueuedRun({ runId: 'c1', reason: 'stopped', nowMs: NOW, events: [] })
    await spawn('c3')
    expect(ids(store.read.liveChildren(SESSION))).toEqual(['c2', 'c3'])
  },
}

const CHILDREN = ['c0', 'c1', 'c2'] as const
interface Step {
  readonly do: 'end' | 'cancel' | 'take' | 'lose' | 'restart'
  readonly id: string
  readonly awaited: boolean
  readonly by: string
}
const step: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom('end', 'end', 'end', 'take', 'take', 'take', 'cancel', 'lose', 'restart'),
  id: fc.constantFrom('p', ...CHILDREN, ...CHILDREN),
  awaited: fc.boolean(),
  by: fc.constantFrom('7:0', '7:1'),
})

/** A parent and its children, driven by steps; it remembers to whom each reply was handed. */
class History {
  /** `<run> <call>` of each take that was granted. */
  readonly #taken = new Set<string>()
  readonly #told: string[] = []
  readonly #open: () => Promise<Store>
  #store: Store

  static async begin(open: () => Promise<Store>): Promise<History> {
    const store = await open()
    await begin(store, newRun('p'))
    for (const id of CHILDREN) {
      await store.write.acceptMessage({ run: child(id, { sessionKey: `agent:helper:${id}` }), nowMs: NOW })
    }
    return new History(store, open)
  }

  constructor(store: Store, open: () => Promise<Store>) {
    this.#store = store
    this.#open = open
  }

  async do(one: Step): Promise<void> {
    const run = this.#store.read.run(one.id)
    if (one.do === 'restart') {
      await this.#store.close()
      this.#store = await this.#open()
      await this.#store.write.recoverRuns({ epoch: this.#store.epoch, nowMs: NOW })
    } else if (one.do === 'lose' && run?.state === 'running') {
      await this.#store.write.requeueRun({ fence: fenceOf(run), lost: true, nowMs: NOW })
    } else if (one.do === 'cancel') {
      const args = { runId: one.id, reason: 'stopped', awaited: one.awaited, nowMs: NOW, events: [] }
      this.#told.push(...ids((await this.#store.write.cancelQueuedRun(args)).value?.told ?? []))
    } else if (one.do === 'end') await this.#end(one.id, one.awaited)
    else if (one.do === 'take' && run?.tells && run.endedAtMs && (await take(this.#store, one.id, one.by))) {
      this.#taken.add(`${one.id} ${one.by}`)
    }
  }

  async #end(runId: string, awaited: boolean): Promise<void> {
    if (this.#store.read.run(runId)?.state === 'queued') {
      await this.#store.write.claimRun({ runId, epoch: this.#store.epoch, nowMs: NOW, events: [] })
    }
    if (this.#store.read.run(runId)?.state !== 'running') return
    this.#told.push(...ids((await end(this.#store, runId, { awaited })).value.told))
  }

  /** Lets all come to their ends and judges. */
  async finish(): Promise<void> {
    for (const id of [...CHILDREN, 'p']) await this.#end(id, id !== 'p')
    const arrived = [...[...this.#taken].map(call => call.split(' ')[0]), ...this.#told.map(id => id.slice(5))]
    // To a turn that was stopped nothing more arrives.
    if (this.#store.read.run('p')?.state === 'aborted') expect(new Set(arrived).size).toBe(arrived.length)
    else expect(arrived.sort()).toEqual([...CHILDREN])
    expect(ids(this.#store.read.liveRuns(SESSION)).sort()).toEqual(this.#told.sort())
    await this.#store.close()
  }
}
