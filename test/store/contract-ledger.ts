// Contract: the ledger of occurrences, one-shots, skipped instants, and what a restart makes of them.
import { expect } from 'vitest'
import type { RunEnd, Store } from '../../src/store/port.ts'
import {
  addJob,
  claimNominal,
  effectKey,
  eventNames,
  fenceOf,
  MINUTE,
  NOW,
  newJob,
  newNotice,
  newRun,
  oneShot,
  type StoreTests,
} from './fixtures.ts'

/** Claims the run of an occurrence and ends it. */
async function carryOut(store: Store, runId: string, end: RunEnd) {
  const claimed = await store.write.claimRun({
    runId,
    epoch: store.epoch,
    nowMs: NOW + 1,
    events: [{ event: 'agent', payload: {} }],
  })
  if (!claimed.value) throw new Error('not claimed')
  return store.write.endRun({
    fence: fenceOf(claimed.value),
    end,
    nowMs: NOW + 7,
    events: [{ event: 'chat', payload: {} }],
  })
}

const noMore = { advance: { nextRunAtMs: undefined } }

export const ledgerTests: StoreTests = {
  'L3: an occurrence is claimed, carried out and ended in its ledger row, with its events in order': async bench => {
    const store = await bench.open()
    await addJob(store, newJob('j1'))
    const { value } = await claimNominal(store, 'j1', { run: newRun('r1') })
    expect(value).toMatchObject({ claimed: true, run: { runId: 'r1', jobId: 'j1', occurrence: `at:${NOW}` } })
    expect(store.read.job('j1')?.job.state).toEqual({ nextRunAtMs: NOW + MINUTE, runningAtMs: NOW, runs: 1 })
    expect(store.read.occurrences('j1', 9)).toMatchObject([
      { state: 'running', runId: 'r1', nominalAtMs: NOW, count: 1 },
    ])
    await carryOut(store, 'r1', { state: 'ok', reply: 'x'.repeat(2_001) })
    expect(store.read.occurrences('j1', 9)).toMatchObject([
      { state: 'ok', endedAtMs: NOW + 7, summary: 'x'.repeat(2_000) },
    ])
    const last = { lastRunAtMs: NOW, lastStatus: 'ok', lastDurationMs: 7 }
    expect(store.read.job('j1')?.job.state).toEqual({ nextRunAtMs: NOW + MINUTE, ...last, runs: 1 })
    expect(eventNames(store)).toEqual(['cron added j1', 'cron started j1', 'agent', 'chat', 'cron finished j1'])
    const payloads = store.read.eventsSince(0, 9).map(({ payload }) => payload)
    expect(payloads[1]).toStrictEqual({ jobId: 'j1', action: 'started', runAtMs: NOW })
    expect(payloads[4]).toStrictEqual({
      jobId: 'j1',
      action: 'finished',
      runAtMs: NOW,
      durationMs: 7,
      status: 'ok',
      summary: 'x'.repeat(2_000),
      nextRunAtMs: NOW + MINUTE,
    })
  },

  'L3: an instant is claimed once, ever; a job that still points at it is moved on': async bench => {
    const store = await bench.open()
    await addJob(store, newJob('j1', { state: { nextRunAtMs: NOW } }))
    const expectedRevision = store.read.job('j1')?.revision ?? 0
    const both = await Promise.all([
      claimNominal(store, 'j1', { expectedRevision, run: newRun('r1') }),
      claimNominal(store, 'j1', { expectedRevision, run: newRun('r2') }),
    ])
    expect(both.map(({ value }) => value.claimed)).toEqual([true, false])
    expect(both[1]?.value).toMatchObject({ reason: 'stale' })
    await carryOut(store, 'r1', { state: 'ok' })
    const job = newJob('j1', { state: { nextRunAtMs: NOW } })
    await store.write.replaceJob({ job, expectedRevision: 2, equalKey: '', nowMs: NOW })
    const again = await claimNominal(store, 'j1', { run: newRun('r3') })
    expect(again.value).toEqual({ claimed: false, reason: 'stale', runId: 'r1' })
    expect(store.read.dueJobs(NOW, 9)).toEqual([])
    expect(store.read.run('r3')).toBeUndefined()
    expect(store.read.occurrences('j1', 9)).toHaveLength(1)
    expect((await claimNominal(store, 'nobody', { run: newRun('r4') })).value).toEqual({
      claimed: false,
      reason: 'stale',
    })
  },

  'L3: while an occurrence runs another is refused, or recorded as skipped': async bench => {
    const store = await bench.open()
    await addJob(store, newJob('j1'))
    await claimNominal(store, 'j1', { run: newRun('r1') })
    const manual = { occurrence: 'manual:q', run: newRun('r2'), key: effectKey('q') }
    const claimManual = () => {
      const { advance: _, nominalAtMs: __, ...rest } = { advance: 0, nominalAtMs: 0, ...manual }
      const expectedRevision = store.read.job('j1')?.revision ?? 0
      const call = { jobId: 'j1', expectedRevision, skipWhenRunning: false, epoch: store.epoch, nowMs: NOW }
      return store.write.claimOccurrence({ ...call, ...rest })
    }
    const running = { claimed: false, reason: 'already-running', runId: 'r1' }
    expect((await claimManual()).value).toEqual(running)
    const next = { nominalAtMs: NOW + MINUTE, run: newRun('r3'), skipWhenRunning: true }
    expect((await claimNominal(store, 'j1', next)).value).toEqual(running)
    const skipped = { occurrence: `at:${NOW + MINUTE}`, state: 'skipped', nominalAtMs: NOW + MINUTE, count: 1 }
    expect(store.read.occurrences('j1', 1)).toMatchObject([skipped])
    expect(store.read.job('j1')?.job.state).toMatchObject({ nextRunAtMs: NOW + 2 * MINUTE, runningAtMs: NOW })
    expect(store.read.run('r3')).toBeUndefined()
    await carryOut(store, 'r1', { state: 'failed', error: 'no luck' })
    expect(store.read.job('j1')?.job.state).toMatchObject({ lastStatus: 'error', lastError: 'no luck' })
    // A refusal had no effect, so its key is free; a claim keeps it and a repeat shows how the run stands.
    expect((await claimManual()).value).toMatchObject({ claimed: true, run: { runId: 'r2', state: 'queued' } })
    await carryOut(store, 'r2', { state: 'ok' })
    expect(await claimManual()).toMatchObject({ repeated: true, value: { claimed: true, run: { state: 'ok' } } })
    expect(store.read.job('j1')?.job.state.nextRunAtMs).toBe(NOW + 2 * MINUTE)
  },

  'L3: an unbroken run of missed instants is one row, and cannot be claimed later': async bench => {
    const store = await bench.open()
    await addJob(store, newJob('j1', { state: { nextRunAtMs: NOW } }))
    const span = { fromMs: NOW, toMs: NOW + 4 * MINUTE, count: 5, reason: 'the gateway was down' }
    const skip = { jobId: 'j1', ...span, advance: { nextRunAtMs: NOW + 5 * MINUTE }, nowMs: NOW + 9 }
    expect((await store.write.skipOccurrences({ ...skip, expectedRevision: 9 })).value).toEqual({ recorded: false })
    expect((await store.write.skipOccurrences({ ...skip, expectedRevision: 1 })).value).toEqual({ recorded: true })
    expect(store.read.occurrences('j1', 9)).toMatchObject([
      { state: 'skipped', nominalAtMs: NOW, toMs: NOW + 4 * MINUTE, count: 5, error: span.reason, endedAtMs: NOW + 9 },
    ])
    expect(store.read.job('j1')?.job.state).toMatchObject({ nextRunAtMs: NOW + 5 * MINUTE, lastStatus: 'skipped' })
    expect((await claimNominal(store, 'j1', { run: newRun('r1') })).value).toMatchObject({ reason: 'stale' })
    expect((await store.write.skipOccurrences({ ...skip, expectedRevision: 3 })).value).toEqual({ recorded: false })
    expect(store.read.job('j1')?.job.state.nextRunAtMs).toBe(NOW + 5 * MINUTE)
    expect(store.read.occurrences('j1', 9)).toHaveLength(1)
  },

  'L3: a one-shot that went ok is removed or disabled; one that did not never fires again': async bench => {
    const store = await bench.open()
    const ends = { gone: { state: 'ok' }, off: { state: 'ok' }, bad: { state: 'timed-out', error: 'slow' } } as const
    for (const [id, end] of Object.entries(ends)) {
      await addJob(store, oneShot(id, NOW, { deleteAfterRun: id !== 'off' }))
      const seq = store.read.lastSeq()
      await claimNominal(store, id, { ...noMore, run: newRun(`r-${id}`) })
      expect(store.read.job(id)?.job).toMatchObject({ enabled: true, state: { runningAtMs: NOW } })
      await carryOut(store, `r-${id}`, end)
      const removed = id === 'gone' ? [`cron removed ${id}`] : []
      expect(eventNames(store, seq)).toEqual([`cron started ${id}`, 'agent', 'chat', `cron finished ${id}`, ...removed])
    }
    expect(store.read.job('gone')).toBeUndefined()
    expect(store.read.occurrences('gone', 9)).toMatchObject([{ state: 'ok' }])
    expect(store.read.job('off')?.job).toMatchObject({ enabled: false, state: { lastStatus: 'ok' } })
    expect(store.read.job('bad')?.job).toMatchObject({
      enabled: false,
      state: { lastStatus: 'error', lastError: 'slow' },
    })
    expect(store.read.occurrences('bad', 9)).toMatchObject([{ state: 'timed-out', error: 'slow' }])
    expect(store.read.dueJobs(NOW * 2, 9)).toEqual([])
    await addJob(store, oneShot('missed', NOW))
    const span = { fromMs: NOW, toMs: NOW, count: 1, reason: 'too old' }
    await store.write.skipOccurrences({ jobId: 'missed', expectedRevision: 1, ...span, ...noMore, nowMs: NOW })
    expect(store.read.job('missed')?.job).toMatchObject({ enabled: false, state: { lastStatus: 'skipped' } })
  },

  'L3: a one-shot that was moved while it ran stays': async bench => {
    const store = await bench.open()
    await addJob(store, oneShot('j1', NOW, { deleteAfterRun: true }))
    await claimNominal(store, 'j1', { ...noMore, run: newRun('r1') })
    const job = oneShot('j1', NOW + MINUTE, { deleteAfterRun: true })
    await store.write.replaceJob({ job, expectedRevision: 2, equalKey: '', nowMs: NOW })
    await carryOut(store, 'r1', { state: 'ok' })
    expect(store.read.job('j1')?.job).toMatchObject({ enabled: true, state: { nextRunAtMs: NOW + MINUTE } })
  },

  'L3: a reminder is told and settled in the commit that claims it': async bench => {
    const store = await bench.open()
    await addJob(store, oneShot('j1', NOW, { deleteAfterRun: true, payload: { kind: 'message', text: 'tea' } }))
    const seq = store.read.lastSeq()
    const claimed = await claimNominal(store, 'j1', {
      ...noMore,
      notice: newNotice('n1', { text: 'tea', jobId: 'j1' }),
    })
    expect(claimed.value).toEqual({ claimed: true })
    expect(eventNames(store, seq)).toEqual(['cron started j1', 'chat', 'cron finished j1', 'cron removed j1'])
    expect(store.read.occurrences('j1', 9)).toMatchObject([
      { state: 'ok', endedAtMs: NOW, summary: 'tea', runId: undefined },
    ])
    expect(store.read.job('j1')).toBeUndefined()
  },

  'L3: cancelling the queued run of an occurrence ends it in the ledger': async bench => {
    const store = await bench.open()
    await addJob(store, oneShot('j1', NOW))
    await claimNominal(store, 'j1', { ...noMore, run: newRun('r1') })
    await store.write.cancelQueuedRun({ runId: 'r1', reason: 'stopped', nowMs: NOW, events: [] })
    expect(store.read.occurrences('j1', 9)).toMatchObject([{ state: 'cancelled', error: 'stopped' }])
    expect(store.read.job('j1')?.job.enabled).toBe(false)
  },

  'L3: the ledger row of a removed job stays and is ended': async bench => {
    const store = await bench.open()
    await addJob(store, newJob('j1'))
    await claimNominal(store, 'j1', { run: newRun('r1') })
    await store.write.removeJob({ jobId: 'j1', nowMs: NOW })
    await carryOut(store, 'r1', { state: 'ok' })
    expect(store.read.occurrences('j1', 9)).toMatchObject([{ state: 'ok', runId: 'r1' }])
    expect(eventNames(store).at(-1)).toBe('cron finished j1')
  },

  'T3: at a restart occurrences with a run go on under it, those without become unknown': async bench => {
    const first = await bench.open()
    for (const id of ['with', 'without', 'shot']) {
      await addJob(first, id === 'shot' ? oneShot(id, NOW) : newJob(id))
    }
    await claimNominal(first, 'with', { run: newRun('r1') })
    await first.write.claimRun({ runId: 'r1', epoch: first.epoch, nowMs: NOW, events: [] })
    await claimNominal(first, 'without')
    await claimNominal(first, 'shot', noMore)
    await first.close()
    const store = await bench.open()
    const claim = claimNominal(store, 'with', { epoch: first.epoch, nominalAtMs: NOW + MINUTE })
    await expect(claim).rejects.toMatchObject({ code: 'STALE' })
    const recover = () => store.write.recoverRuns({ epoch: store.epoch, nowMs: NOW + 5 })
    expect((await recover()).value).toMatchObject([{ runId: 'r1', jobId: 'with', state: 'queued', attempt: 1 }])
    expect(store.read.occurrences('with', 9)).toMatchObject([{ state: 'running' }])
    expect(store.read.occurrences('without', 9)).toMatchObject([{ state: 'unknown', endedAtMs: NOW + 5 }])
    expect(store.read.job('without')?.job.state).toMatchObject({ lastStatus: 'error', nextRunAtMs: NOW + MINUTE })
    expect(store.read.job('shot')?.job.enabled).toBe(false)
    const seq = store.read.lastSeq()
    await recover()
    expect(store.read.lastSeq()).toBe(seq)
    await carryOut(store, 'r1', { state: 'aborted' })
    expect(store.read.occurrences('with', 9)).toMatchObject([{ state: 'cancelled', error: 'cancelled' }])
  },
}
