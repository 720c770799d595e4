// Contract: runs and their journals, fences, and the keys of accepted messages.
import { cpSync } from 'node:fs'
import { expect } from 'vitest'
import { begin, effectKey, fenceOf, NOW, newNotice, newRun, SESSION, type StoreTests } from './fixtures.ts'

const stale = { code: 'STALE', outcome: 'not-started' }

export const runTests: StoreTests = {
  'L1: an accepted message is on disk when it is answered': async bench => {
    const store = await bench.open()
    await store.write.acceptMessage({ run: newRun('r1'), nowMs: NOW })
    // What a power cut would leave: the files as they are in this moment.
    const left = bench.newFolder()
    cpSync(bench.folder, left, { recursive: true })
    const after = await bench.openAt(left)
    expect(after.read.run('r1')).toMatchObject({ state: 'queued', sessionKey: SESSION, attempt: 0 })
  },

  'L2: a turn goes from accept over claim and journal to its end': async bench => {
    const store = await bench.open()
    const run = newRun('r1', { model: 'm', timeoutMs: 5_000, extraPrompt: 'be brief' })
    const accepted = await store.write.acceptMessage({ run, nowMs: NOW })
    expect(accepted).toMatchObject({ repeated: false, value: { ahead: 0, run: { runId: 'r1', state: 'queued' } } })
    expect(accepted.value.run).toMatchObject({ model: 'm', timeoutMs: 5_000, extraPrompt: 'be brief', echoKey: 'main' })
    const claim = {
      runId: 'r1',
      epoch: store.epoch,
      nowMs: NOW + 1,
      events: [{ event: 'agent', payload: { phase: 1 } }],
    }
    const running = (await store.write.claimRun(claim)).value
    if (!running) throw new Error('not claimed')
    expect(running).toMatchObject({ state: 'running', attempt: 1, epoch: store.epoch, startedAtMs: NOW + 1 })
    expect((await store.write.claimRun(claim)).value).toBeUndefined()

    const fence = fenceOf(running)
    const calls = [{ ordinal: 0, name: 'cron', args: { action: 'list' } }]
    const usage = { inputTokens: 10, outputTokens: 3 }
    const append = (entries: Parameters<typeof store.write.appendEntries>[0]['entries']) =>
      store.write.appendEntries({ fence, entries, nowMs: NOW + 2, events: [] })
    const [, message] = (
      await append([
        { kind: 'attempt', model: 'm' },
        { kind: 'message', text: 'let me see', calls, model: 'm', usage },
      ])
    ).value.ids
    if (message === undefined) throw new Error('no id')
    await append([{ kind: 'result', message, ordinal: 0, name: 'cron', text: 'none', isError: false }])
    const end = { state: 'ok', reply: 'there are none' } as const
    const events = [{ event: 'chat', payload: { state: 'final' } }]
    const ended = await store.write.endRun({ fence, end, nowMs: NOW + 3, events })
    expect(ended.value.run).toMatchObject({ state: 'ok', reply: 'there are none', endedAtMs: NOW + 3 })
    expect(store.read.run('r1')).toEqual(ended.value.run)
    expect(ended.value.told).toEqual([])
    const kinds = store.read.runEntries('r1').map(entry => entry.body.kind)
    expect(kinds).toEqual(['input', 'attempt', 'message', 'result', 'end'])
    expect(store.read.runEntries('r1')[0]).toMatchObject({ body: { text: 'say r1' }, sessionId: running.sessionId })
    expect(store.read.eventsSince(0, 9).map(({ payload }) => payload)).toEqual([{ phase: 1 }, { state: 'final' }])
    expect(store.read.session(SESSION)).toMatchObject({ ...usage, lastMessage: 'there are none', model: 'm' })
    expect(store.read.liveRuns(SESSION)).toEqual([])
  },

  'L2: after a restart the turn goes on from its journal, under a new attempt': async bench => {
    const first = await bench.open()
    const before = await begin(first, newRun('r1'))
    await first.write.appendEntries({
      fence: fenceOf(before),
      entries: [{ kind: 'attempt', model: 'm' }],
      nowMs: NOW,
      events: [],
    })
    await first.write.acceptMessage({ run: newRun('r2'), nowMs: NOW })
    await first.close()
    const store = await bench.open()
    expect(store.epoch).toBe(first.epoch + 1)
    const queued = await store.write.recoverRuns({ epoch: store.epoch, nowMs: NOW + 1 })
    expect(queued.value.map(({ runId, attempt }) => [runId, attempt])).toEqual([
      ['r1', 1],
      ['r2', 0],
    ])
    const again = await store.write.claimRun({ runId: 'r1', epoch: store.epoch, nowMs: NOW + 2, events: [] })
    expect(again.value).toMatchObject({ attempt: 2, sessionId: before.sessionId, startedAtMs: before.startedAtMs })
    expect(store.read.runEntries('r1').map(entry => entry.body.kind)).toEqual(['input', 'attempt'])
  },

  'L2: a result is stored once and only for a message of its run': async bench => {
    const store = await bench.open()
    const fence = fenceOf(await begin(store, newRun('r1')))
    const other = fenceOf(await begin(store, newRun('r2', { sessionKey: 'agent:main:other' })))
    const calls = [{ ordinal: 0, name: 'read', args: {} }]
    const entries = [{ kind: 'message', text: '', calls, model: 'm' } as const]
    const [message] = (await store.write.appendEntries({ fence, entries, nowMs: NOW, events: [] })).value.ids
    const result = {
      kind: 'result',
      message: message ?? 0,
      ordinal: 0,
      name: 'read',
      text: '',
      isError: false,
    } as const
    const append = (by: typeof fence) =>
      store.write.appendEntries({ fence: by, entries: [result], nowMs: NOW, events: [] })
    await expect(append(other)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await append(fence)
    await expect(append(fence)).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(store.read.runEntries('r1')).toHaveLength(3)
  },

  'T3: an older attempt, an older boot and an ended run are refused, and leave nothing': async bench => {
    const store = await bench.open()
    const run = await begin(store, newRun('r1'))
    const fence = fenceOf(run)
    const events = [{ event: 'agent', payload: {} }]
    const append = (by: typeof fence) =>
      store.write.appendEntries({ fence: by, entries: [{ kind: 'attempt', model: 'm' }], nowMs: NOW, events })
    await expect(append({ ...fence, attempt: 2 })).rejects.toMatchObject(stale)
    await expect(append({ ...fence, epoch: fence.epoch - 1 })).rejects.toMatchObject(stale)
    await expect(append({ ...fence, runId: 'nobody' })).rejects.toMatchObject(stale)
    await expect(store.write.claimRun({ runId: 'r1', epoch: 0, nowMs: NOW, events })).rejects.toMatchObject(stale)
    expect((await store.write.requeueRun({ fence, lost: true, nowMs: NOW })).value).toMatchObject({
      state: 'queued',
      attempt: 1,
    })
    await expect(append(fence)).rejects.toMatchObject(stale)
    await store.write.claimRun({ runId: 'r1', epoch: store.epoch, nowMs: NOW, events: [] })
    await expect(append(fence)).rejects.toMatchObject(stale)
    await append({ ...fence, attempt: 2 })
    const end = { state: 'failed', error: 'no' } as const
    await store.write.endRun({ fence: { ...fence, attempt: 2 }, end, nowMs: NOW, events: [] })
    await expect(append({ ...fence, attempt: 2 })).rejects.toMatchObject(stale)
    await expect(store.write.endRun({ fence, end, nowMs: NOW, events })).rejects.toMatchObject(stale)
    expect(store.read.runEntries('r1').map(entry => entry.body.kind)).toEqual(['input', 'attempt', 'end'])
    expect(store.read.lastSeq()).toBe(1)
  },

  'T1: a repeated key answers the present state of its run, after a restart too': async bench => {
    const first = await bench.open()
    const call = { run: newRun('r1'), key: effectKey('k'), nowMs: NOW }
    await first.write.acceptMessage(call)
    const again = await first.write.acceptMessage({ ...call, run: newRun('r-other') })
    expect(again).toMatchObject({ repeated: true, value: { run: { runId: 'r1', state: 'queued' } } })
    await first.write.claimRun({ runId: 'r1', epoch: first.epoch, nowMs: NOW, events: [] })
    await first.close()
    const store = await bench.open()
    expect(await store.write.acceptMessage(call)).toMatchObject({
      repeated: true,
      value: { run: { state: 'running' } },
    })
    expect(store.read.run('r-other')).toBeUndefined()
    expect(store.read.liveRuns(SESSION)).toHaveLength(1)
  },

  'T1: a key with other params is refused, in the same commit too; other principals and methods are apart':
    async bench => {
      const store = await bench.open()
      const accept = (runId: string, more: Parameters<typeof effectKey>[1] = {}) =>
        store.write.acceptMessage({ run: newRun(runId), key: effectKey('k', more), nowMs: NOW })
      const [one, two, three, four] = await Promise.allSettled([
        accept('r1'),
        accept('r2', { paramsHash: 'hash-2' }),
        accept('r3', { principal: 'somebody' }),
        accept('r4', { method: 'other' }),
      ])
      expect(two).toMatchObject({ status: 'rejected', reason: { code: 'CONFLICT', details: { key: 'k' } } })
      expect([one, three, four].map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
      expect(store.read.liveRuns(SESSION).map(({ runId }) => runId)).toEqual(['r1', 'r3', 'r4'])
    },

  'T1: a call that failed leaves no key': async bench => {
    const store = await bench.open()
    await store.write.acceptMessage({ run: newRun('r1'), nowMs: NOW })
    const key = effectKey('k')
    const taken = store.write.acceptMessage({ run: newRun('r1'), key, nowMs: NOW })
    await expect(taken).rejects.toMatchObject({ code: 'CONFLICT', details: { runId: 'r1' } })
    expect((await store.write.acceptMessage({ run: newRun('r2'), key, nowMs: NOW })).repeated).toBe(false)
  },

  'W7: a queued run is cancelled whole, a running one is not': async bench => {
    const store = await bench.open()
    await begin(store, newRun('r1'))
    const second = await store.write.acceptMessage({ run: newRun('r2'), nowMs: NOW })
    const third = await store.write.acceptMessage({ run: newRun('r3'), nowMs: NOW })
    expect([second.value.ahead, third.value.ahead]).toEqual([1, 2])
    const events = [{ event: 'agent', payload: {} }]
    const cancel = (runId: string) => store.write.cancelQueuedRun({ runId, reason: 'stopped', nowMs: NOW + 1, events })
    expect((await cancel('r1')).value).toBeUndefined()
    expect((await cancel('nobody')).value).toBeUndefined()
    expect((await cancel('r2')).value?.run).toMatchObject({ state: 'aborted', error: 'stopped', endedAtMs: NOW + 1 })
    expect(store.read.lastSeq()).toBe(1)
    expect(
      (await store.write.claimRun({ runId: 'r2', epoch: store.epoch, nowMs: NOW, events: [] })).value,
    ).toBeUndefined()
    expect(store.read.liveRuns(SESSION).map(({ runId }) => runId)).toEqual(['r1', 'r3'])
  },

  'L4: the end of a run and the notice that it leaves are one commit': async bench => {
    const store = await bench.open()
    const fence = fenceOf(await begin(store, newRun('r1')))
    const end = { state: 'ok' } as const
    await store.write.endRun({ fence, end, notice: newNotice('n1'), nowMs: NOW, events: [] })
    expect(store.read.unreadNotices(SESSION, 9)).toMatchObject([{ id: 'n1', text: 'tell n1' }])
    // The second notice cannot be stored; then its run has not ended either.
    const next = fenceOf(await begin(store, newRun('r2')))
    const seq = store.read.lastSeq()
    const events = [{ event: 'agent', payload: {} }]
    const failing = store.write.endRun({ fence: next, end, notice: newNotice('n1'), nowMs: NOW, events })
    await expect(failing).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(store.read.run('r2')?.state).toBe('running')
    expect(store.read.runEntries('r2').map(entry => entry.body.kind)).toEqual(['input'])
    expect(store.read.lastSeq()).toBe(seq)
  },
}
