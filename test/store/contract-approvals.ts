// Contract: questions to people, effects whose outcome only their maker knows, and first answers.
import fc from 'fast-check'
import { expect } from 'vitest'
import type { NewApproval, Store } from '../../src/store/port.ts'
import type { ApprovalRow, RunRow } from '../../src/store/rows.ts'
import { begin, effectKey, eventNames, fenceOf, NOW, newRun, SESSION, type StoreTests } from './fixtures.ts'

const CHAT = 'agent:main:chat'
const stale = { code: 'STALE', outcome: 'not-started' }

function newApproval(id: string, more: Partial<NewApproval> = {}): NewApproval {
  return {
    id,
    callId: `call ${id}`,
    askedIn: CHAT,
    tool: 'exec',
    text: 'git push',
    request: { command: 'git push', cwd: '/tmp', argv: ['git', 'push'] },
    whatHash: 'what-1',
    expiresAtMs: NOW + 60_000,
    ...more,
  }
}

async function ask(store: Store, runId: string, approval: NewApproval): Promise<ApprovalRow> {
  const fence = fenceOf(store.read.run(runId) as RunRow)
  return (await store.write.askApproval({ fence, approval, nowMs: NOW })).value
}

type Decision = Parameters<Store['write']['decideApproval']>[0]['decision']
const decide = (store: Store, decision: { id: string; decision: Decision; said?: { text: string; note?: string } }) =>
  store.write.decideApproval({ ...decision, by: 'ann', nowMs: NOW + 5 })
const use = (store: Store, runId: string, id: string) =>
  store.write.useApproval({ fence: fenceOf(store.read.run(runId) as RunRow), id, nowMs: NOW })

const pendingIds = (store: Store, askedIn?: string) =>
  store.read.pendingApprovals({ ...(askedIn && { askedIn }), limit: 9 }).map(({ id }) => id)
const unread = (store: Store) => store.read.unreadNotices(CHAT, 9).map(({ id, source }) => [id, source])
const payloads = (store: Store, event: string) =>
  store.read.eventsSince(0, 500).flatMap(stored => (stored.event === event ? [stored.payload] : []))

export const approvalTests: StoreTests = {
  'L1, T1: a question is asked once for each call, in the chat and to clients, in one commit': async bench => {
    const store = await bench.open()
    await begin(store, newRun('r1'))
    const asked = await ask(store, 'r1', newApproval('a1'))
    const known = { id: 'a1', runId: 'r1', agentId: 'main', sessionKey: SESSION, askedIn: CHAT, state: 'pending' }
    const request = { command: 'git push', cwd: '/tmp', argv: ['git', 'push'] }
    expect(asked).toMatchObject({ ...known, request, createdAtMs: NOW, decision: undefined, decidedBy: undefined })
    // The same call again, by whatever id, is the same question.
    expect(await ask(store, 'r1', newApproval('a2', { callId: 'call a1' }))).toEqual(asked)
    expect(store.read.approval('a1')).toEqual(asked)
    expect(store.read.approvalOfCall('r1', 'call a1')).toEqual(asked)
    expect([store.read.approval('a2'), store.read.approvalOfCall('r1', 'call a2')]).toEqual([undefined, undefined])
    expect(unread(store)).toEqual([['a1', 'approval']])
    expect(store.read.entries(CHAT, 9)).toMatchObject([
      { body: { kind: 'notice', id: 'a1', text: expect.stringContaining('git push') } },
    ])
    expect(eventNames(store)).toEqual(['chat', 'exec.approval.requested'])
    const none = { security: null, ask: null, resolvedPath: null }
    const shown = { command: 'git push', cwd: '/tmp', host: 'gateway', agentId: 'main', sessionKey: SESSION, ...none }
    const requested = { id: 'a1', request: shown, createdAtMs: NOW, expiresAtMs: NOW + 60_000 }
    expect(payloads(store, 'exec.approval.requested')).toStrictEqual([requested])
    await ask(store, 'r1', newApproval('a3', { request: { cwd: 5 } }))
    expect(payloads(store, 'exec.approval.requested')[1]).toMatchObject({ request: { cwd: null } })
  },

  'W7: a question is decided once, with its event, and asked nobody any more': async bench => {
    const store = await bench.open()
    await begin(store, newRun('r1'))
    for (const id of ['a1', 'a2', 'a3', 'a4']) await ask(store, 'r1', newApproval(id))
    await ask(store, 'r1', newApproval('b1', { askedIn: SESSION }))
    expect(pendingIds(store)).toEqual(['a1', 'a2', 'a3', 'a4', 'b1'])
    expect(pendingIds(store, SESSION)).toEqual(['b1'])
    expect(store.read.pendingApprovals({ limit: 2 }).map(({ id }) => id)).toEqual(['a1', 'a2'])
    const by = { decidedBy: 'ann', decidedAtMs: NOW + 5 }
    const ends = [
      ['a1', 'allow-once', { state: 'allowed', decision: 'allow-once', ...by }],
      ['a2', 'allow-always', { state: 'allowed', decision: 'allow-always', ...by }],
      ['a3', 'deny', { state: 'denied', decision: 'deny', ...by }],
      ['a4', 'expired', { state: 'expired', decision: undefined, decidedBy: undefined, decidedAtMs: NOW + 5 }],
    ] as const
    for (const [id, decision, approval] of ends) {
      expect((await decide(store, { id, decision })).value).toMatchObject({ decided: true, approval })
      expect(store.read.approval(id)).toMatchObject(approval)
      const again = (await decide(store, { id, decision: 'deny' })).value
      expect(again).toMatchObject({ decided: false, approval })
    }
    expect([pendingIds(store), unread(store)]).toEqual([['b1'], []])
    expect(payloads(store, 'exec.approval.resolved')).toStrictEqual([
      { id: 'a1', decision: 'allow-once', resolvedBy: 'ann', ts: NOW + 5 },
      { id: 'a2', decision: 'allow-always', resolvedBy: 'ann', ts: NOW + 5 },
      { id: 'a3', decision: 'deny', resolvedBy: 'ann', ts: NOW + 5 },
      { id: 'a4', decision: null, resolvedBy: null, ts: NOW + 5 },
    ])
    const unknown = { code: 'INVALID_REQUEST', message: 'unknown approval id' }
    await expect(decide(store, { id: 'nobody', decision: 'deny' })).rejects.toMatchObject(unknown)
  },

  'W7: what is allowed always is asked no more, for the same agent and just the same': async bench => {
    const store = await bench.open()
    await begin(store, newRun('r1'))
    await begin(store, newRun('r2', { sessionKey: 'agent:main:other' }))
    await begin(store, newRun('r3', { sessionKey: 'agent:helper:main', agentId: 'helper' }))
    await ask(store, 'r1', newApproval('a1'))
    await decide(store, { id: 'a1', decision: 'allow-once' })
    expect((await ask(store, 'r1', newApproval('a2'))).state).toBe('pending')
    await decide(store, { id: 'a2', decision: 'allow-always' })
    const seq = store.read.lastSeq()
    const allowed = { state: 'allowed', decision: 'allow-always', decidedBy: 'ann', decidedAtMs: NOW }
    expect(await ask(store, 'r2', newApproval('a3'))).toMatchObject(allowed)
    expect([store.read.lastSeq(), unread(store)]).toEqual([seq, []])
    expect((await use(store, 'r2', 'a3')).value.state).toBe('used')
    expect((await ask(store, 'r2', newApproval('a4', { whatHash: 'what-2' }))).state).toBe('pending')
    expect((await ask(store, 'r3', newApproval('a5'))).state).toBe('pending')
  },

  'W7, L2: what a person says in the chat stands in its transcript, and only what decides is taken': async bench => {
    const store = await bench.open()
    const chat = await begin(store, newRun('c1', { sessionKey: CHAT }))
    await store.write.endRun({ fence: fenceOf(chat), end: { state: 'ok', reply: 'so be it' }, nowMs: NOW, events: [] })
    await begin(store, newRun('r1'))
    await ask(store, 'r1', newApproval('a1'))
    expect(unread(store)).toHaveLength(2)
    await store.write.resetSession({ sessionKey: CHAT, agentId: 'main', nowMs: NOW })
    const said = { text: 'not before lunch', note: 'not before lunch' }
    const { value } = await decide(store, { id: 'a1', decision: 'deny', said })
    expect(value.approval).toMatchObject({ state: 'denied', note: 'not before lunch' })
    const body = { kind: 'decision', approvalId: 'a1', text: 'not before lunch' }
    expect(store.read.entries(CHAT, 9)).toMatchObject([{ runId: undefined, body }])
    expect(store.read.session(CHAT)?.lastMessage).toBe('not before lunch')
    // Who writes in a chat has seen what it said.
    expect(unread(store)).toEqual([])
    expect((await decide(store, { id: 'a1', decision: 'allow-once', said: { text: 'yes' } })).value.decided).toBe(false)
    expect(store.read.entries(CHAT, 9)).toHaveLength(1)
  },

  'T3: only the attempt that holds the turn asks and uses': async bench => {
    const store = await bench.open()
    const fence = fenceOf(await begin(store, newRun('r1')))
    await begin(store, newRun('r2', { sessionKey: 'agent:main:other' }))
    await ask(store, 'r1', newApproval('a1'))
    await decide(store, { id: 'a1', decision: 'allow-once' })
    await expect(use(store, 'r2', 'a1')).rejects.toMatchObject({ code: 'CONFLICT' })
    await expect(use(store, 'r1', 'nobody')).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    await store.write.requeueRun({ fence, lost: true, nowMs: NOW })
    await expect(store.write.useApproval({ fence, id: 'a1', nowMs: NOW })).rejects.toMatchObject(stale)
    const approval = newApproval('a2')
    await expect(store.write.askApproval({ fence, approval, nowMs: NOW })).rejects.toMatchObject(stale)
    expect(store.read.approval('a2')).toBeUndefined()
  },

  'W7: the end of a turn takes its questions back, given back to the queue it keeps them': async bench => {
    const first = await bench.open()
    await begin(first, newRun('r1'))
    await begin(first, newRun('r2', { sessionKey: 'agent:main:other' }))
    for (const id of ['a1', 'a2']) await ask(first, 'r1', newApproval(id))
    await decide(first, { id: 'a2', decision: 'allow-once' })
    await ask(first, 'r2', newApproval('b1'))
    await first.write.requeueRun({ fence: fenceOf(first.read.run('r1') as RunRow), lost: false, nowMs: NOW })
    await first.close()
    const store = await bench.open()
    await store.write.recoverRuns({ epoch: store.epoch, nowMs: NOW })
    expect(pendingIds(store)).toEqual(['a1', 'b1'])
    await store.write.claimRun({ runId: 'r1', epoch: store.epoch, nowMs: NOW, events: [] })
    expect((await ask(store, 'r1', newApproval('a3', { callId: 'call a1' }))).id).toBe('a1')
    const fence = fenceOf(store.read.run('r1') as RunRow)
    await store.write.endRun({ fence, end: { state: 'aborted' }, nowMs: NOW + 7, events: [] })
    await store.write.cancelQueuedRun({ runId: 'r2', reason: 'stopped', nowMs: NOW + 8, events: [] })
    const cancelled = { state: 'cancelled', decision: undefined, decidedBy: undefined }
    expect(store.read.approval('a1')).toMatchObject({ ...cancelled, decidedAtMs: NOW + 7 })
    expect(store.read.approval('a2')?.state).toBe('allowed')
    expect(store.read.approval('b1')).toMatchObject({ ...cancelled, decidedAtMs: NOW + 8 })
    expect([pendingIds(store), unread(store)]).toEqual([[], []])
    expect(payloads(store, 'exec.approval.resolved').slice(1)).toStrictEqual([
      { id: 'a1', decision: null, resolvedBy: null, ts: NOW + 7 },
      { id: 'b1', decision: null, resolvedBy: null, ts: NOW + 8 },
    ])
  },

  'T1: whatever comes in between, what is allowed begins at most once, and only if a person allowed it':
    async bench => {
      await fc.assert(
        fc.asyncProperty(fc.array(happening, { minLength: 5, maxLength: 12 }), async happenings => {
          const folder = bench.newFolder()
          const state = { store: await bench.openAt(folder), used: 0, allowed: false }
          await begin(state.store, newRun('r1'))
          for (const one of happenings) await happen(state, one, () => bench.openAt(folder))
          await state.store.close()
          expect(state.used).toBeLessThanOrEqual(state.allowed ? 1 : 0)
        }),
        { numRuns: bench.reopeningRuns },
      )
    },

  'T1: a decision repeated under its key gives its first answer': async bench => {
    const store = await bench.open()
    await begin(store, newRun('r1'))
    await ask(store, 'r1', newApproval('a1'))
    const decision = { id: 'a1', decision: 'allow-once', by: 'ann', key: effectKey('k'), nowMs: NOW } as const
    const first = await store.write.decideApproval(decision)
    expect(await store.write.decideApproval(decision)).toEqual({ value: first.value, repeated: true })
    expect(store.read.firstAnswer(effectKey('k'))?.kept).toMatchObject({ decided: true, approval: { id: 'a1' } })
  },

  'T1: an effect of the outside begins once; without its answer nobody knows, after a restart too': async bench => {
    const first = await bench.open()
    const key = effectKey('k')
    const beginEffect = (store: Store) => store.write.beginEffect({ key, nowMs: NOW })
    const finish = async (store: Store, more: { answer?: unknown; undone?: boolean }) =>
      (await store.write.finishEffect({ key, ...more, nowMs: NOW })).value.kept
    expect(await finish(first, { answer: 'too early' })).toBe(false)
    expect(await beginEffect(first)).toEqual({ value: { state: 'new' }, repeated: false })
    expect(first.read.firstAnswer(key)).toBeUndefined()
    await first.close()
    const store = await bench.open()
    expect(await beginEffect(store)).toEqual({ value: { state: 'unknown' }, repeated: true })
    const other = { key: { ...key, paramsHash: 'hash-2' }, nowMs: NOW }
    for (const refused of [() => store.write.beginEffect(other), () => store.write.finishEffect(other)]) {
      await expect(refused()).rejects.toMatchObject({ code: 'CONFLICT', outcome: 'not-started' })
    }
    expect(() => store.read.firstAnswer(other.key)).toThrow(/used before for another/)
    // It did not happen after all, so it may begin again.
    expect(await finish(store, { undone: true })).toBe(true)
    expect((await beginEffect(store)).value.state).toBe('new')
    expect(await finish(store, { answer: { sent: 3 } })).toBe(true)
    expect(await beginEffect(store)).toEqual({ value: { state: 'done', answer: { sent: 3 } }, repeated: true })
    expect(store.read.firstAnswer(key)).toEqual({ kept: { sent: 3 } })
    // What has its answer is not answered otherwise, nor forgotten.
    expect([await finish(store, { answer: 'another' }), await finish(store, { undone: true })]).toEqual([false, false])
    expect((await beginEffect(store)).value).toEqual({ state: 'done', answer: { sent: 3 } })
  },

  'T1: an effect without an answer of its own is done all the same': async bench => {
    const store = await bench.open()
    const key = effectKey('k')
    await store.write.beginEffect({ key, nowMs: NOW })
    await store.write.finishEffect({ key, nowMs: NOW })
    expect((await store.write.beginEffect({ key, nowMs: NOW })).value).toEqual({ state: 'done', answer: null })
  },
}

type Happening = 'ask' | 'use' | 'lose' | 'restart' | 'end' | Decision
const happening: fc.Arbitrary<Happening> = fc.constantFrom(
  ...(['ask', 'ask', 'use', 'use', 'use', 'lose', 'restart', 'end'] as const),
  ...(['allow-once', 'allow-always', 'deny', 'expired'] as const),
)

interface Asking {
  store: Store
  used: number
  allowed: boolean
}

/** One thing that may happen around a call that needs a person's yes; what is refused is left at that. */
async function happen(state: Asking, one: Happening, open: () => Promise<Store>): Promise<void> {
  const run = state.store.read.run('r1') as RunRow
  const refused = () => undefined
  switch (one) {
    case 'ask':
      await ask(state.store, 'r1', newApproval('a1')).catch(refused)
      return
    case 'use':
      if (await use(state.store, 'r1', 'a1').catch(refused)) state.used += 1
      return
    case 'lose':
      await state.store.write.requeueRun({ fence: fenceOf(run), lost: true, nowMs: NOW }).catch(refused)
      break
    case 'restart':
      await state.store.close()
      state.store = await open()
      await state.store.write.recoverRuns({ epoch: state.store.epoch, nowMs: NOW })
      break
    case 'end':
      await state.store.write
        .endRun({ fence: fenceOf(run), end: { state: 'ok' }, nowMs: NOW, events: [] })
        .catch(refused)
      return
    default: {
      const decided = await decide(state.store, { id: 'a1', decision: one }).catch(refused)
      if (decided?.value.decided && one.startsWith('allow')) state.allowed = true
      return
    }
  }
  await state.store.write.claimRun({ runId: 'r1', epoch: state.store.epoch, nowMs: NOW, events: [] })
}
