// Contract: what is owed to chats of channels, from the commit that owes it to the last word about it.
import { expect } from 'vitest'
import { DAY } from '../../src/base/durations.ts'
import type { Route, SendEnd, Store } from '../../src/store/port.ts'
import type { SendRow } from '../../src/store/rows.ts'
import { KEPT } from '../../src/store/sqlite/retention.ts'
import type { StoreTests } from './fixtures.ts'
import { addJob, begin, claimNominal, effectKey, fenceOf, NOW, newJob, newNotice, newRun, SESSION } from './fixtures.ts'

const route: Route = { channelId: 'loop', chatId: 'c1', textLengthMax: 100 }

async function routed(store: Store, to: Route = route): Promise<void> {
  await store.write.acceptMessage({ run: newRun('routing'), route: to, nowMs: NOW })
}

const control = (store: Store, id: string, more: Partial<Route> = {}) =>
  store.write.queueControl({ id, sessionKey: SESSION, route: { ...route, ...more }, text: `say ${id}`, nowMs: NOW })

async function notify(store: Store, id: string, text = `tell ${id}`): Promise<void> {
  await addJob(store, newJob(`job-${id}`))
  await claimNominal(store, `job-${id}`, { notice: newNotice(id, { text }) })
}

const due = (store: Store, nowMs = NOW) =>
  store.read.dueSends({ channelId: 'loop', nowMs, limit: 99 }).map(({ id }) => id)

async function claim(store: Store, id: string, nowMs = NOW): Promise<SendRow> {
  const { value } = await store.write.claimSend({ id, epoch: store.epoch, nowMs })
  if (!value) throw new Error(`${id} was not claimed`)
  return value
}

const end = (store: Store, { id, attempt }: SendRow, how: SendEnd) =>
  store.write.endSend({ fence: { id, attempt, epoch: store.epoch }, end: how, nowMs: NOW })

const states = (store: Store, ...ids: string[]) => ids.map(id => store.read.send(id)?.state)

export const outboxTests: StoreTests = {
  'L4: what was sent or given up long ago goes; what is still owed stays, however old': async bench => {
    const store = await bench.open()
    await control(store, 'sent')
    await end(store, await claim(store, 'sent#1'), { state: 'sent', sentId: 's' })
    await control(store, 'owed')
    const remove = async (nowMs: number) =>
      (await store.write.removeOld({ table: 'sends', afterId: 0, sliceMs: 1_000, nowMs })).value.removed
    expect(await remove(NOW + KEPT.sends.ms)).toBe(0)
    expect(await remove(NOW + 2 * KEPT.sends.ms)).toBe(1)
    expect(states(store, 'sent#1', 'owed#1')).toEqual([undefined, 'queued'])
  },

  'L4: replies, failures, notices and questions of a session with a route are sends, in the commit that made them':
    async bench => {
      const store = await bench.open()
      const run = await begin(store, newRun('before'))
      await store.write.endRun({ fence: fenceOf(run), end: { state: 'ok', reply: 'hi' }, nowMs: NOW, events: [] })
      expect(store.read.openSends(9)).toEqual([])
      await routed(store)
      const [good, bad] = [await begin(store, newRun('good')), await begin(store, newRun('bad'))]
      const approval = { id: 'a1', callId: '1:0', askedIn: SESSION, tool: 'exec', text: 'ls', request: {} }
      const asked = { ...approval, whatHash: 'h', expiresAtMs: NOW + 9 }
      await store.write.askApproval({ fence: fenceOf(good), approval: asked, nowMs: NOW })
      const ok = { state: 'ok', reply: 'fine' } as const
      await store.write.endRun({ fence: fenceOf(good), end: ok, nowMs: NOW, events: [] })
      const failed = { state: 'failed', error: 'no model' } as const
      await store.write.endRun({ fence: fenceOf(bad), end: failed, nowMs: NOW, events: [] })
      await notify(store, 'n1')
      const rows = store.read.openSends(9).reverse()
      expect(rows.map(({ id, source, state }) => [id, source, state])).toEqual([
        // The run that asked is over: nobody is asked any more.
        ['a1#1', 'approval', 'expired'],
        ['reply:good#1', 'reply', 'queued'],
        ['reply:bad#1', 'reply', 'queued'],
        ['n1#1', 'job', 'queued'],
      ])
      for (const [n, text] of ['ls', 'fine', 'no model', 'tell n1'].entries()) expect(rows[n]?.text).toContain(text)
      expect(rows.every(row => row.channelId === 'loop' && row.chatId === 'c1' && row.sessionKey === SESSION)).toBe(
        true,
      )
    },

  'L4: a long text is split once, within the length of its channel, and its pieces are due one after the other':
    async bench => {
      const store = await bench.open()
      await routed(store)
      const text = Array.from({ length: 40 }, (_, n) => `word${n}`).join(' ')
      await notify(store, 'n1', text)
      const ids = store.read.openSends(9).map(({ id }) => id)
      expect(ids).toEqual(['n1#3', 'n1#2', 'n1#1'])
      const seen: string[] = []
      for (const id of [...ids].reverse()) {
        expect(due(store)).toEqual([id])
        const row = await claim(store, id)
        expect(row.text.length).toBeLessThanOrEqual(100)
        seen.push(row.text)
        expect(store.read.unreadNotices(SESSION, 9)).toHaveLength(1)
        expect(due(store)).toEqual([])
        await end(store, row, { state: 'sent', sentId: `m${id}` })
      }
      expect(seen.join(' ')).toBe(text)
      // All of it has reached its person: it is not owed in our own chat any more.
      expect(store.read.unreadNotices(SESSION, 9)).toEqual([])
      expect(store.read.openSends(9)).toEqual([])
      expect(store.read.send('n1#2')).toMatchObject({ state: 'sent', sentId: 'mn1#2', text: seen[1] })
    },

  'W7: a control answer waits for no backoff of its chat, and one send of a chat is under way at a time':
    async bench => {
      const store = await bench.open()
      await routed(store)
      await notify(store, 'n1')
      await notify(store, 'n2')
      await end(store, await claim(store, 'n1#1'), { state: 'queued', notBeforeMs: NOW + 50, error: 'down' })
      expect(due(store)).toEqual([])
      expect(store.read.nextSendAtMs('loop', NOW)).toBe(NOW + 50)
      await control(store, 'stop')
      await control(store, 'other', { chatId: 'c2' })
      expect(due(store)).toEqual(['stop#1', 'other#1'])
      expect((await control(store, 'stop')).value).toEqual({ queued: false })
      const stop = await claim(store, 'stop#1')
      const meanwhile = await store.write.claimSend({ id: 'n1#1', epoch: store.epoch, nowMs: NOW + 50 })
      expect(meanwhile.value).toBeUndefined()
      expect((await claim(store, 'other#1')).chatId).toBe('c2')
      await end(store, stop, { state: 'sent', sentId: 'm' })
      // Order within the line: n2 is not due before n1 has gone.
      expect(due(store, NOW + 50)).toEqual(['n1#1'])
      expect(await claim(store, 'n1#1', NOW + 50)).toMatchObject({ attempt: 2, text: 'tell n1' })
    },

  'T3: an attempt that was fenced off says nothing any more': async bench => {
    const store = await bench.open()
    await routed(store)
    await notify(store, 'n1')
    await expect(store.write.claimSend({ id: 'n1#1', epoch: store.epoch - 1, nowMs: NOW })).rejects.toMatchObject({
      code: 'STALE',
    })
    const first = await claim(store, 'n1#1')
    await end(store, first, { state: 'queued', notBeforeMs: NOW, error: 'down' })
    await claim(store, 'n1#1')
    const stale = end(store, first, { state: 'sent', sentId: 'm' })
    await expect(stale).rejects.toMatchObject({ code: 'STALE', outcome: 'not-started' })
    expect(states(store, 'n1#1')).toEqual(['sending'])
  },

  'L4: what a crash cut off is sent again where the channel dedupes; else it is unconfirmed and its person told once':
    async bench => {
      const before = await bench.open()
      for (const channelId of ['loop', 'sure']) {
        await control(before, `to ${channelId}`, { channelId })
        const { value } = await before.write.claimSend({ id: `to ${channelId}#1`, epoch: before.epoch, nowMs: NOW })
        expect(value?.state).toBe('sending')
      }
      await before.close()
      const store = await bench.open()
      const recover = (channelId: string, dedupesSends: boolean) =>
        store.write.recoverSends({ channelId, dedupesSends, epoch: store.epoch, nowMs: NOW })
      expect((await recover('sure', true)).value).toEqual({ again: 1, unconfirmed: 0 })
      expect((await recover('loop', false)).value).toEqual({ again: 0, unconfirmed: 1 })
      expect((await recover('loop', false)).value).toEqual({ again: 0, unconfirmed: 0 })
      expect(states(store, 'to sure#1', 'to loop#1')).toEqual(['queued', 'unconfirmed'])
      const [doubt = ''] = due(store)
      const told = await claim(store, doubt)
      expect(told).toMatchObject({ source: 'doubt', text: expect.stringContaining('/resend to loop#1') })
      // A doubt about the doubt is told to nobody.
      await end(store, told, { state: 'unconfirmed', error: 'no answer' })
      expect(due(store)).toEqual([])
      expect(states(store, doubt)).toEqual(['unconfirmed'])
    },

  'L4: what waited a day is not sent any more, nor what waited behind it as long': async bench => {
    const store = await bench.open()
    await routed(store)
    for (const id of ['n1', 'n2']) await notify(store, id)
    const late = NOW + DAY
    await store.write.resend({ id: 'n2#1', nowMs: NOW })
    const expired = await store.write.claimSend({ id: 'n1#1', epoch: store.epoch, nowMs: late })
    expect(expired.value).toBeUndefined()
    expect(states(store, 'n1#1', 'n2#1')).toEqual(['expired', 'expired'])
    // Nobody has seen them: our own chat still owes them.
    expect(store.read.unreadNotices(SESSION, 9).map(({ id }) => id)).toEqual(['n1', 'n2'])
  },

  'T1: a resend is one, under its key, and only of what will not be sent otherwise': async bench => {
    const store = await bench.open()
    await routed(store)
    await notify(store, 'n1')
    const again = (key?: string) =>
      store.write.resend({ id: 'n1#1', ...(key !== undefined && { key: effectKey(key) }), nowMs: NOW })
    expect((await again()).value).toMatchObject({ queued: false, send: { state: 'queued' } })
    await end(store, await claim(store, 'n1#1'), { state: 'failed', error: 'blocked' })
    expect(due(store)).toEqual([])
    expect((await again('k')).value).toMatchObject({ queued: true, send: { state: 'queued', text: 'tell n1' } })
    await end(store, await claim(store, 'n1#1'), { state: 'sent', sentId: 'm' })
    expect(await again('k')).toMatchObject({ repeated: true, value: { queued: true } })
    expect(states(store, 'n1#1')).toEqual(['sent'])
    await expect(store.write.resend({ id: 'nobody', nowMs: NOW })).rejects.toMatchObject({ code: 'NOT_FOUND' })
  },

  'T4: a message that its channel hands on again is one run, in the chat where it was written last': async bench => {
    const store = await bench.open()
    const key = effectKey('c1:m1', { principal: 'channel:loop', method: 'chat.send' })
    const accept = () => store.write.acceptMessage({ run: newRun('r1'), route, key, nowMs: NOW })
    expect([(await accept()).repeated, (await accept()).repeated]).toEqual([false, true])
    expect(store.read.liveRuns(SESSION)).toHaveLength(1)
    await notify(store, 'n1')
    await routed(store, { ...route, chatId: 'c2' })
    await notify(store, 'n2')
    expect(store.read.openSends(9).map(({ id, chatId }) => [id, chatId])).toEqual([
      ['n2#1', 'c2'],
      ['n1#1', 'c1'],
    ])
  },
}
