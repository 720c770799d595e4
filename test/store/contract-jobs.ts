// Contract: jobs and their equality, keys and pages.
import { expect } from 'vitest'
import type { Job } from '../../src/protocol/job.ts'
import {
  addJob,
  begin,
  claimNominal,
  effectKey,
  eventNames,
  fenceOf,
  MINUTE,
  NOW,
  newJob,
  newRun,
  oneShot,
  type StoreTests,
} from './fixtures.ts'

const byAgent = (sessionKey: string): Partial<Job> => ({ madeBy: { kind: 'agent', sessionKey, runId: 'r' } })

export const jobTests: StoreTests = {
  'L1: a job is read back as it was added': async bench => {
    const store = await bench.open()
    const job = newJob('j1', { description: 'd', agentId: 'ops', ...byAgent('agent:ops:main') })
    expect((await addJob(store, job)).value).toEqual({ job, deduplicated: false })
    expect(store.read.job('j1')).toEqual({ job, revision: 1, owner: job.madeBy })
    expect(store.read.eventsSince(0, 9)).toStrictEqual([
      { seq: 1, event: 'cron', payload: { jobId: 'j1', action: 'added', nextRunAtMs: NOW + MINUTE } },
    ])
    await expect(addJob(store, newJob('j1'))).rejects.toMatchObject({ code: 'CONFLICT', outcome: 'not-started' })
    expect(store.read.job('nobody')).toBeUndefined()
  },

  'L1: a disabled job has no next instant': async bench => {
    const store = await bench.open()
    await addJob(store, newJob('j1', { enabled: false }))
    expect(store.read.job('j1')?.job.state).toEqual({})
    expect(store.read.nextDueAtMs()).toBeUndefined()
  },

  'jobs that agents made and that are on have a number beyond which none is made or switched on': async bench => {
    const store = await bench.open()
    const bound = { agentJobsMax: 2 }
    const full = { code: 'LIMIT', outcome: 'not-started', message: expect.stringContaining('Nothing was changed') }
    const mine = byAgent('agent:main:a')
    await addJob(store, newJob('j0', { ...mine, enabled: false }), bound)
    await addJob(store, newJob('j1', mine), bound)
    const second = newJob('j2', byAgent('agent:main:b'))
    await addJob(store, second, { ...bound, equalKey: 'same', dedupe: true })
    await expect(addJob(store, newJob('j3', mine), bound)).rejects.toMatchObject(full)
    const equal = addJob(store, { ...second, id: 'j3' }, { ...bound, equalKey: 'same', dedupe: true })
    expect((await equal).value).toMatchObject({ deduplicated: true })
    await addJob(store, newJob('j4'), bound)
    const switchedOn = (id: string, more: Partial<Job> = mine) =>
      store.write.replaceJob({ job: newJob(id, more), expectedRevision: 1, equalKey: 'e', ...bound, nowMs: NOW })
    await expect(switchedOn('j0')).rejects.toMatchObject(full)
    expect(store.read.job('j0')?.job.enabled).toBe(false)
    await switchedOn('j4', {})
    await store.write.removeJob({ jobId: 'j1', nowMs: NOW })
    await switchedOn('j0')
    expect(store.read.jobCount({ includeDisabled: false })).toBe(3)
  },

  'T2: an equal live job of the same owner is answered instead, made or not by the same commit': async bench => {
    const store = await bench.open()
    const wanted = { equalKey: 'same', dedupe: true }
    const mine = byAgent('agent:main:a')
    const [first, second] = await Promise.all([
      addJob(store, newJob('j1', mine), wanted),
      addJob(store, newJob('j2', mine), wanted),
    ])
    expect(first.value.deduplicated).toBe(false)
    expect(second.value).toMatchObject({ deduplicated: true, job: { id: 'j1' } })
    const added = async (job: Job, more = {}) => {
      const { value } = await addJob(store, job, { ...wanted, ...more })
      return value.deduplicated ? `is ${value.job.id}` : 'new'
    }
    expect(await added(newJob('j3', byAgent('agent:main:b')))).toBe('new')
    expect(await added(newJob('j4', { ...mine, agentId: 'ops' }))).toBe('new')
    expect(await added(newJob('j5', mine), { dedupe: false })).toBe('new')
    expect(await added(newJob('j6', mine), { equalKey: 'other' })).toBe('new')
    expect(await added(newJob('j7', mine))).toBe('is j1')
    await store.write.removeJob({ jobId: 'j1', nowMs: NOW })
    await store.write.removeJob({ jobId: 'j5', nowMs: NOW })
    expect(await added(newJob('j8', { ...mine, enabled: false }))).toBe('new')
    expect(await added(newJob('j9', mine))).toBe('new')
    expect(await added(newJob('j10', mine))).toBe('is j9')
    expect(eventNames(store).filter(name => name.endsWith('j2') || name.endsWith('j7'))).toEqual([])
  },

  'T2: relative one-shots are equal when their instants are near; one that fired is no longer equal': async bench => {
    const store = await bench.open()
    const wanted = { equalKey: 'in 5 minutes', dedupe: true, equalWithinMs: MINUTE }
    const added = async (id: string, atMs: number) => (await addJob(store, oneShot(id, atMs), wanted)).value
    await added('j1', NOW)
    expect(await added('j2', NOW + MINUTE)).toMatchObject({ deduplicated: true, job: { id: 'j1' } })
    expect(await added('j3', NOW + MINUTE + 1)).toMatchObject({ deduplicated: false })
    expect(await added('j4', NOW + 2)).toMatchObject({ deduplicated: true })
    await claimNominal(store, 'j1', { advance: { nextRunAtMs: undefined }, run: newRun('r1') })
    expect(await added('j5', NOW)).toMatchObject({ deduplicated: false, job: { id: 'j5' } })
  },

  'T1: the key of a job answers the first outcome after a restart, even when the job is gone': async bench => {
    const first = await bench.open()
    const key = effectKey('k')
    const made = await addJob(first, newJob('j1'), { key })
    await first.write.removeJob({ jobId: 'j1', nowMs: NOW })
    await first.close()
    const store = await bench.open()
    expect(await addJob(store, newJob('j2'), { key })).toEqual({ repeated: true, value: made.value })
    expect(store.read.jobCount({ includeDisabled: true })).toBe(0)
    const other = addJob(store, newJob('j2'), { key: effectKey('k', { paramsHash: 'hash-2' }) })
    await expect(other).rejects.toMatchObject({ code: 'CONFLICT', details: { key: 'k' } })
    const remove = { jobId: 'j3', key: effectKey('r'), nowMs: NOW }
    await addJob(store, newJob('j3'))
    expect((await store.write.removeJob(remove)).value).toEqual({ removed: true })
    expect(await store.write.removeJob(remove)).toEqual({ repeated: true, value: { removed: true } })
    expect((await store.write.removeJob({ jobId: 'j3', nowMs: NOW })).value).toEqual({ removed: false })
  },

  'T3: a job is replaced only at the revision that its writer saw': async bench => {
    const store = await bench.open()
    await addJob(store, newJob('j1'))
    const replace = (name: string, expectedRevision: number) => {
      const job = newJob('j1', { name, state: { nextRunAtMs: NOW + 5 } })
      return store.write.replaceJob({ job, expectedRevision, equalKey: name, nowMs: NOW })
    }
    expect((await replace('a', 1)).value).toMatchObject({ name: 'a', state: { nextRunAtMs: NOW + 5 } })
    await expect(replace('b', 1)).rejects.toMatchObject({ code: 'CONFLICT', details: { revision: 2 } })
    // A firing moves the revision too: else the instant that has passed would be written back.
    const { run } = (await claimNominal(store, 'j1', { run: newRun('r1') })).value as { run: { runId: string } }
    await expect(replace('c', 2)).rejects.toMatchObject({ code: 'CONFLICT' })
    const claimed = await store.write.claimRun({ runId: run.runId, epoch: store.epoch, nowMs: NOW, events: [] })
    if (!claimed.value) throw new Error('not claimed')
    await store.write.endRun({ fence: fenceOf(claimed.value), end: { state: 'ok' }, nowMs: NOW, events: [] })
    expect((await replace('d', 3)).value).toMatchObject({ name: 'd', state: { lastStatus: 'ok' } })
    expect(eventNames(store).filter(name => name === 'cron updated j1')).toHaveLength(2)
    const gone = store.write.replaceJob({ job: newJob('x'), expectedRevision: 1, equalKey: '', nowMs: NOW })
    await expect(gone).rejects.toMatchObject({ code: 'NOT_FOUND' })
  },

  'W3: a list of jobs that was read before is the one on disk, whatever was written since, and kept while no job changed':
    async bench => {
      const store = await bench.open()
      const listed = () => {
        const jobs = store.read.jobs({ includeDisabled: true, limit: 9 })
        expect(jobs.map(({ job }) => job)).toEqual(jobs.map(({ job }) => store.read.job(job.id)?.job))
        expect(jobs).toHaveLength(store.read.jobCount({ includeDisabled: true }))
        return jobs
      }
      await addJob(store, newJob('j1'))
      const first = listed()
      const chat = await begin(store, newRun('chat'))
      await store.write.endRun({ fence: fenceOf(chat), end: { state: 'ok', reply: 'hi' }, nowMs: NOW, events: [] })
      expect(listed()).toBe(first)
      await claimNominal(store, 'j1', { run: newRun('r1') })
      expect(listed()[0]?.job.state).toMatchObject({ runningAtMs: NOW })
      const run = await store.write.claimRun({ runId: 'r1', epoch: store.epoch, nowMs: NOW, events: [] })
      await store.write.endRun({ fence: fenceOf(run.value as never), end: { state: 'ok' }, nowMs: NOW, events: [] })
      expect(listed()[0]?.job.state).toMatchObject({ lastStatus: 'ok' })
      const revision = store.read.job('j1')?.revision ?? 0
      const skip = { jobId: 'j1', expectedRevision: revision, fromMs: NOW, toMs: NOW, count: 1, reason: 'missed' }
      await store.write.skipOccurrences({ ...skip, advance: { nextRunAtMs: NOW + 9 }, nowMs: NOW })
      expect(listed()[0]?.job.state).toMatchObject({ nextRunAtMs: NOW + 9 })
      await store.write.removeJob({ jobId: 'j1', nowMs: NOW })
      expect(listed()).toEqual([])
    },

  'W8: jobs come in pages by next instant and id; due ones oldest first': async bench => {
    const store = await bench.open()
    const at = (nextRunAtMs: number | undefined) => ({ state: nextRunAtMs === undefined ? {} : { nextRunAtMs } })
    await addJob(store, newJob('c', at(NOW + 2)))
    await addJob(store, newJob('b', at(NOW + 2)))
    await addJob(store, newJob('a', at(NOW + 3)))
    await addJob(store, newJob('n', at(undefined)))
    await addJob(store, newJob('off', { enabled: false }))
    const ids = (rows: { job: Job }[]) => rows.map(({ job }) => job.id).join(' ')
    const page = (more: object) => ids(store.read.jobs({ includeDisabled: true, limit: 9, ...more }))
    expect(page({})).toBe('n off b c a')
    expect(page({ includeDisabled: false })).toBe('n b c a')
    expect(page({ limit: 2 })).toBe('n off')
    expect(page({ after: { nextRunAtMs: 0, id: 'off' }, limit: 2 })).toBe('b c')
    expect(page({ after: { nextRunAtMs: NOW + 2, id: 'b' } })).toBe('c a')
    expect(ids(store.read.dueJobs(NOW + 1, 9))).toBe('')
    expect(ids(store.read.dueJobs(NOW + 2, 9))).toBe('b c')
    expect(ids(store.read.dueJobs(NOW + 9, 1))).toBe('b')
    expect(store.read.nextDueAtMs()).toBe(NOW + 2)
    expect(store.read.jobCount({ includeDisabled: true })).toBe(5)
    expect(store.read.jobCount({ includeDisabled: false })).toBe(4)
    await Promise.all(Array.from({ length: 500 }, (_, n) => addJob(store, newJob(`m${n}`))))
    expect(store.read.jobs({ includeDisabled: true, limit: 9_999 })).toHaveLength(500)
    expect(store.read.dueJobs(NOW + MINUTE, 9_999)).toHaveLength(500)
  },
}
