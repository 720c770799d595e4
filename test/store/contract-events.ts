// Contract: durable events in bounded pages, and what is removed when it is old: never what somebody was promised.
import fc from 'fast-check'
import { expect } from 'vitest'
import type { AgingTable, Store } from '../../src/store/port.ts'
import { AGING_TABLES, KEPT } from '../../src/store/sqlite/retention.ts'
import {
  addJob,
  begin,
  claimNominal,
  effectKey,
  fenceOf,
  NOW,
  newJob,
  newNotice,
  newRun,
  SESSION,
  type StoreTests,
} from './fixtures.ts'

const DAY = 86_400_000
const WEEK = 7 * DAY

/** Removes all that may go; answers how many rows of each table did, and in how many slices. */
async function removeOld(store: Store, nowMs: number, sliceMs = 1_000) {
  const removed: Partial<Record<AgingTable, number>> = {}
  let slices = 0
  for (const table of AGING_TABLES) {
    for (let afterId: number | undefined = 0; afterId !== undefined; slices += 1) {
      const { value } = await store.write.removeOld({ table, afterId, sliceMs, nowMs })
      removed[table] = (removed[table] ?? 0) + value.removed
      afterId = value.nextId
    }
  }
  return { removed, slices }
}

const OTHER = 'agent:main:other'
const SESSIONS = [SESSION, OTHER]
const approvalOf = (id: string, nowMs: number) => {
  const about = { callId: '1:0', askedIn: SESSION, tool: 'exec', text: id, request: {}, whatHash: 'ls' }
  return { id, ...about, expiresAtMs: nowMs + DAY }
}

const ACTIONS = [
  'turn',
  'live',
  'child',
  'approve',
  'ask',
  'notice',
  'read',
  'reset',
  'effect',
  'fire',
  'tidy',
] as const
type Action = (typeof ACTIONS)[number]

/** A store's life: things happen at drawn instants, and old rows are removed now and then. */
class Life {
  readonly store: Store
  nowMs = NOW
  count = 0
  readonly keys: { key: string; atMs: number }[] = []
  readonly live: string[] = []
  readonly calls: string[] = []
  readonly open: string[] = []
  readonly approved: string[] = []
  readonly notices: string[] = []
  /** The newest event at instants. */
  readonly seqs: { atMs: number; seq: number }[] = []

  constructor(store: Store) {
    this.store = store
  }

  async #begin(more: object = {}) {
    const { store, nowMs } = this
    this.count += 1
    const run = newRun(`r${this.count}`, { sessionKey: SESSIONS[this.count % 2] as string, ...more })
    const key = effectKey(run.runId, { method: 'chat.send' })
    await store.write.acceptMessage({ run, key, nowMs })
    this.keys.push({ key: run.runId, atMs: nowMs })
    const events = [{ event: 'agent', payload: { runId: run.runId } }]
    const { value } = await store.write.claimRun({ runId: run.runId, epoch: store.epoch, nowMs, events })
    const entries = [{ kind: 'message', text: 'x', calls: [], model: 'm' }] as const
    await store.write.appendEntries({ fence: fenceOf(value as never), entries: [...entries], nowMs, events: [] })
    return value as NonNullable<typeof value>
  }

  #end(run: Awaited<ReturnType<Store['write']['claimRun']>>['value'], awaited = false) {
    const [nowMs, fence] = [this.nowMs, fenceOf(run as never)]
    return this.store.write.endRun({ fence, end: { state: 'ok', reply: 'so' }, awaited, nowMs, events: [] })
  }

  readonly acts: Record<Action, () => Promise<unknown>> = {
    turn: async () => this.#end(await this.#begin({ freshSession: this.count % 3 === 0 })),
    live: async () => {
      const run = await this.#begin()
      this.live.push(run.runId)
      // Its own calls have keys too.
      const key = effectKey(`${this.count}:0`, { principal: `session:${run.sessionKey}` })
      await this.store.write.beginEffect({ key, nowMs: this.nowMs })
      this.calls.push(`${this.count}:0 ${key.principal}`)
    },
    child: async () => {
      const parent = await this.#begin()
      this.live.push(parent.runId)
      const child = await this.#begin({ parent: parent.runId, tells: parent.sessionKey, source: 'session' })
      await this.#end(child, true)
      await this.store.write.resetSession({ sessionKey: child.sessionKey, agentId: 'main', nowMs: this.nowMs })
      // One that never began has no journal, and its end is owed all the same.
      const run = newRun(`${child.runId}-queued`, { parent: parent.runId, tells: parent.sessionKey, source: 'session' })
      const { runId } = run
      const at = { nowMs: this.nowMs }
      await this.store.write.acceptMessage({ run, ...at })
      await this.store.write.cancelQueuedRun({ runId, reason: 'stopped', awaited: true, events: [], ...at })
      this.open.push(child.runId, runId)
    },
    approve: async () => {
      const run = await this.#begin({ agentId: `a${this.count % 2}` })
      const id = `always-${this.count}`
      await this.store.write.askApproval({
        fence: fenceOf(run),
        approval: approvalOf(id, this.nowMs),
        nowMs: this.nowMs,
      })
      await this.store.write.decideApproval({ id, decision: 'allow-always', by: 'me', nowMs: this.nowMs })
      this.approved.push(run.agentId)
      await this.#end(run)
    },
    ask: async () => {
      const run = await this.#begin({ agentId: 'asker' })
      this.live.push(run.runId)
      const approval = { ...approvalOf(`ask-${this.count}`, this.nowMs), whatHash: `other-${this.count}` }
      await this.store.write.askApproval({ fence: fenceOf(run), approval, nowMs: this.nowMs })
      if (this.count % 2 === 0)
        await this.store.write.decideApproval({ id: approval.id, decision: 'deny', by: 'me', nowMs: this.nowMs })
    },
    notice: async () => {
      this.count += 1
      await addJob(this.store, newJob(`n${this.count}`), { nowMs: this.nowMs })
      const notice = newNotice(`note-${this.count}`)
      await claimNominal(this.store, `n${this.count}`, { notice, nominalAtMs: this.nowMs, nowMs: this.nowMs })
      this.notices.push(notice.id)
    },
    read: () => this.store.write.markNoticesRead({ ids: this.notices.splice(0, 2), nowMs: this.nowMs }),
    reset: () => this.store.write.resetSession({ sessionKey: OTHER, agentId: 'main', nowMs: this.nowMs }),
    effect: async () => {
      this.count += 1
      this.keys.push({ key: `e${this.count}`, atMs: this.nowMs })
      const key = effectKey(`e${this.count}`, { method: 'chat.send' })
      await this.store.write.beginEffect({ key, nowMs: this.nowMs })
      if (this.count % 2 === 0) await this.store.write.finishEffect({ key, answer: 1, nowMs: this.nowMs })
    },
    fire: () => claimNominal(this.store, 'job', { nominalAtMs: this.nowMs, nowMs: this.nowMs, skipWhenRunning: true }),
    tidy: () => removeOld(this.store, this.nowMs, this.count % 2 === 0 ? 0 : 1_000),
  }

  async act(action: Action, laterMs: number): Promise<void> {
    this.nowMs += laterMs
    await this.acts[action]()
    this.seqs.push({ atMs: this.nowMs, seq: this.store.read.lastSeq() })
  }

  /** All that stays promised however old it is, and what is not old enough yet. */
  promised() {
    const { read } = this.store
    const runs = [...this.live, ...this.open]
    const since = (ms: number) => this.nowMs - ms
    const keys = this.keys.filter(({ atMs }) => atMs >= since(WEEK))
    const begunOrKept = (key: ReturnType<typeof effectKey>) => this.store.write.beginEffect({ key, nowMs: this.nowMs })
    const seq = Math.max(0, ...this.seqs.filter(({ atMs }) => atMs <= since(WEEK)).map(each => each.seq))
    return {
      sessions: SESSIONS.map(key => [read.session(key), read.entries(key, 500), read.unreadNotices(key, 500)]),
      runs: runs.map(runId => [read.run(runId), read.runEntries(runId), read.approvalOfCall(runId, '1:0')]),
      transcripts: this.live.map(runId => read.transcript(read.run(runId)?.sessionId ?? '', 500)),
      pending: read.pendingApprovals({ limit: 500 }),
      jobs: [read.jobs({ includeDisabled: true, limit: 500 }), read.occurrences('job', KEPT.occurrences.newest)],
      events: read.eventsSince(seq, 500),
      lastSeq: read.lastSeq(),
      keys: () =>
        Promise.all([
          ...keys.map(({ key }) => begunOrKept(effectKey(key, { method: 'chat.send' }))),
          ...this.calls.map(each => {
            const [key = '', principal = ''] = each.split(' ')
            return begunOrKept(effectKey(key, { principal }))
          }),
        ]),
    }
  }
}

export const eventTests: StoreTests = {
  'L5, W8: a page of events has at most so many rows and bytes, and one event in any case': async bench => {
    const store = await bench.open()
    const payload = (length: number) => ({ event: 'agent', payload: 'é'.repeat(length) })
    await begin(store, newRun('r1'), [payload(10), payload(10), payload(500), payload(1)])
    const page = (seq: number, limit: number, bytes?: number) =>
      store.read.eventsSince(seq, limit, bytes).map(event => event.seq)
    expect(page(0, 9)).toEqual([1, 2, 3, 4])
    expect(page(0, 3, 9_999)).toEqual([1, 2, 3])
    // Two letters of two bytes each, in quotes: 22 bytes.
    expect(page(0, 9, 44)).toEqual([1, 2])
    expect(page(0, 9, 43)).toEqual([1])
    expect(page(0, 9, 1)).toEqual([1])
    expect(page(2, 9, 1_004)).toEqual([3])
    expect(page(2, 9, 1_006)).toEqual([3, 4])
    expect(page(4, 9, 1)).toEqual([])
  },

  'L5: events are kept for a week, the newest in any case; numbers go on where they were': async bench => {
    const store = await bench.open()
    expect([store.read.oldestSeq(), store.read.lastSeq()]).toEqual([1, 0])
    const event = { event: 'agent', payload: {} }
    await begin(store, newRun('r1'), [event, event])
    // A store that nobody tidied yet does not know how old its events are.
    expect((await removeOld(store, NOW + 30 * DAY)).removed.events).toBe(0)
    await begin(store, newRun('r2'), [event])
    expect((await removeOld(store, NOW + 37 * DAY - 1)).removed.events).toBe(0)
    expect((await removeOld(store, NOW + 37 * DAY)).removed.events).toBe(2)
    expect([store.read.oldestSeq(), store.read.lastSeq()]).toEqual([3, 3])
    expect((await removeOld(store, NOW + 99 * DAY)).removed.events).toBe(1)
    expect([store.read.oldestSeq(), store.read.lastSeq()]).toEqual([4, 3])
    await begin(store, newRun('r3'), [event])
    expect(store.read.eventsSince(0, 9).map(({ seq }) => seq)).toEqual([4])
  },

  'the journal of an old turn goes, but for the newest 500 entries of its session; the turn goes with its last':
    async bench => {
      const store = await bench.open()
      const run = await begin(store, newRun('old'))
      const entries = Array.from({ length: 519 }, (_, n) => ({ kind: 'attempt', model: `m${n}` }) as const)
      await store.write.appendEntries({ fence: fenceOf(run), entries, nowMs: NOW, events: [] })
      await store.write.endRun({ fence: fenceOf(run), end: { state: 'ok' }, nowMs: NOW, events: [] })
      const before = store.read.entries(SESSION, 500)
      expect((await removeOld(store, NOW + KEPT.entries.ms)).removed.entries).toBe(0)
      const later = NOW + KEPT.entries.ms + 1
      expect((await removeOld(store, later)).removed).toMatchObject({ entries: 21, runs: 0 })
      expect(store.read.entries(SESSION, 500)).toEqual(before)
      await store.write.resetSession({ sessionKey: SESSION, agentId: 'main', nowMs: later })
      expect((await removeOld(store, later)).removed).toMatchObject({ entries: 500, runs: 1 })
      expect(store.read.run('old')).toBeUndefined()
    },

  'what is old goes a slice at a time: a slice without time left removes one row and says where the next begins':
    async bench => {
      const store = await bench.open()
      for (let n = 0; n < 4; n += 1) await store.write.beginEffect({ key: effectKey(`k${n}`), nowMs: NOW })
      const nowMs = NOW + WEEK
      await store.write.beginEffect({ key: effectKey('young'), nowMs })
      expect((await removeOld(store, nowMs, 0)).removed.keys).toBe(0)
      const slice = (afterId: number) => store.write.removeOld({ table: 'keys', afterId, sliceMs: 0, nowMs: nowMs + 1 })
      expect((await slice(0)).value).toEqual({ removed: 1, nextId: 1 })
      expect((await slice(1)).value).toEqual({ removed: 1, nextId: 2 })
      expect((await removeOld(store, nowMs + 1)).removed.keys).toBe(2)
      const again = async (key: string) => (await store.write.beginEffect({ key: effectKey(key), nowMs })).value.state
      expect([await again('k0'), await again('young')]).toEqual(['new', 'unknown'])
    },

  'L3: of a job the newest 200 occurrences are kept, what is young, and what runs': async bench => {
    const store = await bench.open()
    await addJob(store, newJob('job'))
    // The first runs on and on, the others are skipped meanwhile.
    for (let n = 0; n < 206; n += 1) {
      const nominalAtMs = NOW + n * 1_000
      await claimNominal(store, 'job', { nominalAtMs, nowMs: nominalAtMs, skipWhenRunning: true })
    }
    const [running, ...skipped] = store.read.occurrences('job', 500)
    expect((await removeOld(store, NOW + KEPT.occurrences.ms + 3_000)).removed.occurrences).toBe(2)
    expect((await removeOld(store, NOW + 2 * KEPT.occurrences.ms)).removed.occurrences).toBe(3)
    expect(store.read.occurrences('job', 500)).toEqual([running, ...skipped.slice(5)])
  },

  'what is shown, decided and ended long ago goes; a permission for always stays, once': async bench => {
    const store = await bench.open()
    await addJob(store, newJob('job'))
    await claimNominal(store, 'job', { notice: newNotice('shown') })
    await store.write.markNoticesRead({ ids: ['shown'], nowMs: NOW + DAY })
    const ask = async (id: string, whatHash: string, decision: 'allow-always' | 'deny' | undefined) => {
      const run = await begin(store, newRun(id))
      const approval = { ...approvalOf(id, NOW), whatHash }
      const asked = await store.write.askApproval({ fence: fenceOf(run), approval, nowMs: NOW })
      if (decision) await store.write.decideApproval({ id, decision, by: 'me', nowMs: NOW })
      await store.write.endRun({ fence: fenceOf(run), end: { state: 'ok' }, nowMs: NOW, events: [] })
      return asked.value.state
    }
    await ask('denied', 'a', 'deny')
    await ask('always', 'b', 'allow-always')
    expect(await ask('allowed', 'b', undefined)).toBe('allowed')
    const early = await removeOld(store, NOW + KEPT.outbox.ms + DAY)
    // The two questions were shown when they were answered.
    expect(early.removed).toMatchObject({ outbox: 2, approvals: 2, runs: 0 })
    expect((await removeOld(store, NOW + KEPT.outbox.ms + DAY + 1)).removed).toMatchObject({ outbox: 1, approvals: 0 })
    expect(await ask('later', 'b', undefined)).toBe('allowed')
  },

  'T1, L2, L4, L5: whatever happened when, what was promised is still answered after the old is removed':
    async bench => {
      let removedRows = 0
      const step = fc.tuple(fc.constantFrom(...ACTIONS), fc.constantFrom(0, 1_000, DAY, 8 * DAY, 31 * DAY, 91 * DAY))
      const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async steps => {
        const store = await bench.openAt(bench.newFolder())
        const life = new Life(store)
        await addJob(store, newJob('job'))
        for (const [action, laterMs] of steps) await life.act(action, laterMs)
        const { keys, ...before } = life.promised()
        const { removed } = await removeOld(store, life.nowMs)
        removedRows += Object.values(removed).reduce((sum, count) => sum + count, 0)
        const { keys: _, ...after } = life.promised()
        expect(after).toEqual(before)
        expect(before.events.at(-1)?.seq ?? before.lastSeq).toBe(before.lastSeq)
        // A key that is gone would be new.
        expect((await keys()).map(({ value }) => value.state)).not.toContain('new')
        for (const agentId of new Set(life.approved)) {
          const run = await begin(store, newRun(`again-${agentId}`, { agentId }))
          const approval = approvalOf(`again-${agentId}`, life.nowMs)
          const asked = await store.write.askApproval({ fence: fenceOf(run), approval, nowMs: life.nowMs })
          expect(asked.value.state).toBe('allowed')
        }
        await store.close()
      })
      await fc.assert(property, { numRuns: 15, endOnFailure: true })
      expect(removedRows).toBeGreaterThan(0)
    },
}
