// Faults planted into the scheduler, its ledger and the retries of its runs, from outside: what they are told of a job, what
// they write of it, or single statements of the store. The simulator of months must find each of them.
import { MINUTE } from '../../../src/base/durations.ts'
import type { Job } from '../../../src/protocol/job.ts'
import type { Policy } from '../../../src/protocol/job-policy.ts'
import { Scheduler } from '../../../src/scheduler/scheduler.ts'
import { Tx } from '../../../src/store/sqlite/tx.ts'
import { type Mutant, patch, withReads, withWrites } from '../planting.ts'
import { WORK_MUTANTS } from './mutants-work.ts'

/** A store that tells the scheduler of due jobs as if they said something else. */
function told(
  change: (policy: NonNullable<Job['policy']>) => Partial<Record<keyof Policy, unknown>>,
): NonNullable<Mutant['wrapStore']> {
  return withReads(read => ({
    dueJobs: (nowMs, limit) =>
      read.dueJobs(nowMs, limit).map(row => {
        const { policy = {} } = row.job
        return { ...row, job: { ...row.job, policy: { ...policy, ...change(policy) } as Job['policy'] } }
      }),
  }))
}

/** A store that is told another instant at which a claimed run begins. */
function begunAt(change: (atMs: number) => number | undefined): NonNullable<Mutant['wrapStore']> {
  return withWrites(write => ({
    claimOccurrence: args => {
      const { run } = args
      if (run?.startAtMs === undefined) return write.claimOccurrence(args)
      return write.claimOccurrence({ ...args, run: { ...run, startAtMs: change(run.startAtMs) } })
    },
  }))
}

/** A store that leaves out the statements that begin so. */
function without(statement: RegExp): () => () => void {
  return () =>
    patch(Tx.prototype, old => ({
      run(this: Tx, sql, params) {
        return statement.test(sql) ? { changes: 1, id: 0 } : old.run.call(this, sql, params)
      },
    }))
}

export const MONTHS_MUTANTS: readonly Mutant[] = [
  {
    name: 'what is to be left out is made up',
    wrapStore: told(({ catchUp }) => (catchUp === 'skip' ? { catchUp: 'latest' } : {})),
  },
  {
    name: 'only the latest is made up, not all',
    wrapStore: told(({ catchUp }) => (catchUp === 'all' ? { catchUp: 'latest' } : {})),
  },
  {
    name: 'all are made up, not the latest',
    wrapStore: told(({ catchUp }) => (catchUp === 'latest' ? { catchUp: 'all' } : {})),
  },
  { name: 'what is later than the window is made up', wrapStore: told(() => ({ catchUpWindowMs: undefined })) },
  { name: 'the last instant of a job is not its last', near: 3, wrapStore: told(() => ({ endAtMs: undefined })) },
  { name: 'a delay is left out once it is due', wrapStore: told(() => ({ jitterMs: 0 })) },
  { name: 'runs are not counted', near: 4, plant: without(/^UPDATE jobs SET runs = runs \+ 1/) },
  { name: 'failures in a row are not counted', plant: without(/^UPDATE jobs SET failures = :failures/) },
  { name: 'what is skipped is in no row', plant: without(/^INSERT INTO occurrences[^?]*'skipped'/) },
  {
    name: 'a row of missed ones loses its end',
    wrapStore: withWrites(write => ({
      skipOccurrences: args => write.skipOccurrences({ ...args, toMs: args.fromMs, count: 1 }),
    })),
  },
  {
    name: 'what is under way does not count',
    wrapStore: withWrites(write => ({
      claimOccurrence: args => write.claimOccurrence({ ...args, underWayMax: 100 }),
    })),
  },
  {
    name: 'a run by hand does not look at what is under way',
    wrapStore: withWrites(write => ({
      claimOccurrence: args => write.claimOccurrence({ ...args, underWayMax: args.underWayMax ?? 100 }),
    })),
  },
  {
    name: 'none may wait',
    wrapStore: withWrites(write => ({
      claimOccurrence: args => write.claimOccurrence({ ...args, underWayMax: 0 }),
    })),
  },
  {
    name: 'the runs before the newest are not stopped',
    near: 2,
    wrapStore: withWrites(write => ({
      claimOccurrence: async args => {
        const { value, repeated } = await write.claimOccurrence(args)
        return { value: { ...value, ...(value.claimed && { previous: [] }) }, repeated }
      },
    })),
  },
  {
    name: 'an instant is claimed twice',
    wrapStore: withWrites(write => ({
      claimOccurrence: async args => {
        const claimed = await write.claimOccurrence(args)
        if (args.nominalAtMs === undefined || !claimed.value.claimed) return claimed
        const again = { ...args, occurrence: `${args.occurrence}+`, expectedRevision: args.expectedRevision + 1 }
        await write.claimOccurrence(again).catch(() => undefined)
        return claimed
      },
    })),
  },
  {
    name: 'the job moves on before its claim is written',
    near: 4,
    wrapStore: withWrites((write, store) => ({
      claimOccurrence: async args => {
        const job = store.read.job(args.jobId)?.job
        if (!job || !args.advance) return await write.claimOccurrence(args)
        const state = { ...job.state, nextRunAtMs: args.advance.nextRunAtMs }
        const moved = { ...job, state } as Job
        await write.replaceJob({ job: moved, expectedRevision: args.expectedRevision, equalKey: '', nowMs: args.nowMs })
        return await write.claimOccurrence({ ...args, expectedRevision: args.expectedRevision + 1 })
      },
    })),
  },
  {
    name: 'a wrong clock is believed',
    near: 3,
    plant: () => patch(Scheduler.prototype, () => ({ clockBehindMs: () => undefined })),
  },
  {
    name: 'another try does not wait',
    wrapStore: withWrites(write => ({
      requeueRun: args =>
        write.requeueRun({ ...args, ...(args.retry && { retry: { ...args.retry, atMs: args.nowMs } }) }),
    })),
  },
  {
    name: 'tries are not counted',
    near: 2,
    wrapStore: withWrites(write => ({
      claimRun: async args => {
        const { value, repeated } = await write.claimRun(args)
        return { value: value && { ...value, retries: 0 }, repeated }
      },
    })),
  },
  { name: 'calls that may not be made twice are forgotten', wrapStore: withReads(() => ({ toolsCalled: () => [] })) },
  { name: 'what shares an instant begins at once', near: 4, wrapStore: begunAt(() => undefined) },
  { name: 'what shares an instant begins too late', near: 4, wrapStore: begunAt(atMs => atMs + 5 * MINUTE) },
  {
    name: 'a start forgets what was put off',
    near: 6,
    wrapStore: withWrites(write => ({
      recoverRuns: async args => {
        const { value, repeated } = await write.recoverRuns(args)
        return { value: value.filter(({ attempt, retryAtMs }) => attempt > 0 || retryAtMs === undefined), repeated }
      },
    })),
  },
  {
    name: 'a start recovers nothing',
    wrapStore: withWrites(() => ({ recoverRuns: async () => ({ value: [], repeated: false }) })),
  },
  ...WORK_MUTANTS,
]
