// Contract: sessions, transcripts, notices, and durable events.
import { expect } from 'vitest'
import type { StoredEvent } from '../../src/store/port.ts'
import {
  addJob,
  begin,
  claimNominal,
  fenceOf,
  NOW,
  newJob,
  newNotice,
  newRun,
  SESSION,
  type StoreTests,
} from './fixtures.ts'

export const sessionTests: StoreTests = {
  'L4: the reply of a chat is kept unread until it is marked, or until its person writes again': async bench => {
    const store = await bench.open()
    const reply = async (id: string, source: 'chat' | 'agent') => {
      const run = await begin(store, newRun(id, { source }))
      await store.write.endRun({ fence: fenceOf(run), end: { state: 'ok', reply: `to ${id}` }, nowMs: NOW, events: [] })
    }
    await reply('r1', 'chat')
    const unread = () => store.read.unreadNotices(SESSION, 9).map(notice => [notice.id, notice.source, notice.text])
    expect(unread()).toEqual([['reply:r1', 'reply', 'to r1']])
    await reply('r2', 'agent')
    expect(unread()).toHaveLength(1)
    await reply('r3', 'chat')
    expect(unread()).toEqual([['reply:r3', 'reply', 'to r3']])
    await store.write.markNoticesRead({ ids: ['reply:r3'], nowMs: NOW })
    expect(unread()).toEqual([])
  },

  'L2: a page of a transcript never begins with the results of a message before it': async bench => {
    const store = await bench.open()
    const fence = fenceOf(await begin(store, newRun('r1')))
    const calls = [0, 1, 2].map(ordinal => ({ ordinal, name: 'read', args: {} }))
    const append = (entries: Parameters<typeof store.write.appendEntries>[0]['entries']) =>
      store.write.appendEntries({ fence, entries, nowMs: NOW, events: [] })
    const [message = 0] = (await append([{ kind: 'message', text: 'a', calls, model: 'm' }])).value.ids
    const result = { kind: 'result', message, name: 'read', text: '', isError: false } as const
    await append(calls.map(({ ordinal }) => ({ ...result, ordinal })))
    await append([{ kind: 'message', text: 'b', calls: [], model: 'm' }])
    const kinds = (limit: number) => store.read.entries(SESSION, limit).map(entry => entry.body.kind)
    expect(kinds(9)).toEqual(['input', 'message', 'result', 'result', 'result', 'message'])
    expect(kinds(5)).toEqual(['message', 'result', 'result', 'result', 'message'])
    for (const limit of [1, 2, 3, 4]) expect(kinds(limit)).toEqual(['message'])
    expect(kinds(0)).toEqual([])
  },

  'L2: a reset or a fresh session begins a new transcript; a turn that runs keeps its own': async bench => {
    const store = await bench.open()
    const before = await begin(store, newRun('r1'))
    const reset = await store.write.resetSession({ sessionKey: SESSION, agentId: 'main', nowMs: NOW })
    expect(reset.value.sessionId).not.toBe(before.sessionId)
    expect(store.read.entries(SESSION, 9)).toEqual([])
    await store.write.endRun({ fence: fenceOf(before), end: { state: 'ok' }, nowMs: NOW, events: [] })
    expect(new Set(store.read.runEntries('r1').map(entry => entry.sessionId))).toEqual(new Set([before.sessionId]))
    const fresh = await begin(store, newRun('r2', { freshSession: true }))
    expect([before.sessionId, reset.value.sessionId]).not.toContain(fresh.sessionId)
    expect(store.read.session(SESSION)?.sessionId).toBe(fresh.sessionId)
    expect(store.read.entries(SESSION, 9)).toMatchObject([{ runId: 'r2' }])
    const made = await store.write.resetSession({ sessionKey: 'agent:main:new', agentId: 'main', nowMs: NOW })
    expect(store.read.session('agent:main:new')).toEqual(made.value)
  },

  'L2: a message that waited while its session was reset belongs to the new transcript': async bench => {
    const store = await bench.open()
    await store.write.acceptMessage({ run: newRun('r1'), nowMs: NOW })
    const reset = await store.write.resetSession({ sessionKey: SESSION, agentId: 'main', nowMs: NOW })
    const run = await store.write.claimRun({ runId: 'r1', epoch: store.epoch, nowMs: NOW, events: [] })
    expect(run.value?.sessionId).toBe(reset.value.sessionId)
  },

  'L2: a later attempt keeps its input and transcript, whatever came in between': async bench => {
    const store = await bench.open()
    const run = await begin(store, newRun('r1'))
    await store.write.resetSession({ sessionKey: SESSION, agentId: 'main', nowMs: NOW })
    await store.write.requeueRun({ fence: fenceOf(run), lost: true, nowMs: NOW })
    const again = await store.write.claimRun({ runId: 'r1', epoch: store.epoch, nowMs: NOW, events: [] })
    expect(again.value).toMatchObject({ attempt: 2, sessionId: run.sessionId })
    expect(store.read.runEntries('r1')).toMatchObject([{ body: { kind: 'input', text: 'say r1' } }])
    expect(store.read.entries(SESSION, 9)).toEqual([])
    expect(store.read.transcript(run.sessionId, 9)).toMatchObject([{ runId: 'r1', body: { kind: 'input' } }])
  },

  'L4: a notice is told in the transcript, kept unread until marked, and announced': async bench => {
    const store = await bench.open()
    await addJob(store, newJob('j1'))
    const seq = store.read.lastSeq()
    const notice = newNotice('n1', { jobId: 'j1', atMs: NOW - 5 })
    await claimNominal(store, 'j1', { notice })
    expect(store.read.entries(SESSION, 9)).toMatchObject([
      { runId: undefined, body: { kind: 'notice', id: 'n1', text: 'tell n1', jobId: 'j1', atMs: NOW - 5 } },
    ])
    expect(store.read.session(SESSION)?.lastMessage).toBe('tell n1')
    const unread = { id: 'n1', sessionKey: SESSION, text: 'tell n1', source: 'job', jobId: 'j1', atMs: NOW - 5 }
    expect(store.read.unreadNotices(SESSION, 9)).toEqual([{ ...unread, createdAtMs: NOW }])
    expect(store.read.eventsSince(seq, 9).find(({ event }) => event === 'chat')?.payload).toEqual({
      runId: 'notice:n1',
      sessionKey: SESSION,
      seq: 0,
      state: 'final',
      message: { role: 'assistant', content: [{ type: 'text', text: 'tell n1' }], timestamp: NOW },
      notice: { id: 'n1', atMs: NOW - 5, source: 'job', jobId: 'j1' },
    })
    const mark = () => store.write.markNoticesRead({ ids: ['n1', 'nobody'], nowMs: NOW })
    expect((await mark()).value).toEqual({ marked: 1 })
    expect((await mark()).value).toEqual({ marked: 0 })
    expect(store.read.unreadNotices(SESSION, 9)).toEqual([])
  },

  'L5: events are numbered upwards across restarts and told before the answer, as they are replayed': async bench => {
    const first = await bench.open()
    const live: StoredEvent[] = []
    first.onEvents(events => live.push(...events))
    for (const id of ['j1', 'j2']) {
      await addJob(first, newJob(id))
      expect(live.at(-1)?.payload).toMatchObject({ jobId: id })
    }
    await first.close()
    const store = await bench.open()
    store.onEvents(events => live.push(...events))
    expect(store.read.lastSeq()).toBe(2)
    const events = [{ event: 'agent', payload: { left: undefined, kept: null, list: [1] } }]
    await begin(store, newRun('r1'), events)
    expect(live.map(({ seq }) => seq)).toEqual([1, 2, 3])
    expect(live.at(-1)?.payload).toStrictEqual({ kept: null, list: [1] })
    expect(store.read.eventsSince(0, 9)).toStrictEqual(live)
    expect(store.read.eventsSince(1, 1)).toStrictEqual([live[1]])
    expect(store.read.eventsSince(3, 9)).toEqual([])
  },

  'W8: sessions are found by agent, time and text, newest first; a read is at most 500 rows': async bench => {
    const store = await bench.open()
    const accept = (n: number) => {
      const run = newRun(`r${n}`, { sessionKey: `agent:a${n % 2}:s${n}`, agentId: `a${n % 2}`, text: `100%_${n}` })
      return store.write.acceptMessage({ run, nowMs: NOW + n })
    }
    await Promise.all(Array.from({ length: 501 }, (_, n) => accept(n)))
    expect(store.read.sessionCount()).toBe(501)
    const all = store.read.sessions({ limit: 10_000 })
    expect(all).toHaveLength(500)
    expect(all[0]).toMatchObject({ key: 'agent:a0:s500', lastMessage: '100%_500', updatedAtMs: NOW + 500 })
    const recent = store.read.sessions({ limit: 9, agentId: 'a1', updatedSinceMs: NOW + 497 })
    expect(recent.map(({ key }) => key)).toEqual(['agent:a1:s499', 'agent:a1:s497'])
    expect(store.read.sessions({ limit: 9, search: '%_77' }).map(({ key }) => key)).toEqual(['agent:a1:s77'])
    expect(store.read.sessions({ limit: 9, search: ':S77' }).map(({ key }) => key)).toEqual(['agent:a1:s77'])
    expect(store.read.sessions({ limit: 9, search: '1__%' })).toEqual([])
    const smile = '😀'.repeat(300)
    await store.write.acceptMessage({ run: newRun('long', { text: `x${smile}` }), nowMs: NOW })
    expect(store.read.session(SESSION)?.lastMessage).toBe(`x${'😀'.repeat(99)}`)
  },
}
