// Faults planted into what jobs do: events of the main session, commands, conditions, jobs after others, and budgets.
import type { Job } from '../../../src/protocol/job.ts'
import { Tx } from '../../../src/store/sqlite/tx.ts'
import { type Mutant, patch, withReads, withWrites } from '../planting.ts'

/** Statements of the store that are run with other parameters, or with another one after them. */
function running(
  statement: RegExp,
  instead: (params: readonly never[], run: (params: readonly never[]) => void) => void,
): () => () => void {
  return () =>
    patch(Tx.prototype, old => ({
      run(this: Tx, sql, params) {
        if (!statement.test(sql)) return old.run.call(this, sql, params)
        let result = { changes: 1, id: 0 }
        instead(params as readonly never[], given => {
          result = old.run.call(this, sql, given)
        })
        return result
      },
    }))
}

/** Jobs that wait for others, as if they waited for something else. */
function waiting(change: (job: { enabled: number; body: string }) => { enabled: number; body: string }) {
  return () =>
    patch(Tx.prototype, old => ({
      all<R>(this: Tx, sql: string, params?: Parameters<Tx['all']>[1]): R[] {
        const rows = old.all.call(this, sql, params) as R[]
        if (!/kind = 'after' AND/.test(sql)) return rows
        return rows.map(row => ({ ...row, ...change(row as { enabled: number; body: string }) }))
      },
    }))
}

const TRIGGER = /^INSERT OR IGNORE INTO triggers/
type Trigger = readonly [jobId: string, occurrence: string, atMs: number, hops: number]

function withoutCondition(job: Job): Job {
  const { when: _, ...rest } = job
  return rest
}

export const WORK_MUTANTS: readonly Mutant[] = [
  {
    name: 'what a run ends fires nothing after it',
    plant: running(/^INSERT OR IGNORE INTO triggers|^UPDATE jobs SET next_run_at_ms = ifnull/, () => undefined),
  },
  {
    name: 'one end fires twice after it',
    plant: running(TRIGGER, (params, run) => {
      const [jobId, occurrence, ...rest] = params as unknown as Trigger
      run([jobId, `${occurrence}+`, ...rest] as never[])
      run(params)
    }),
  },
  {
    name: 'any end will do',
    plant: waiting(job => ({ ...job, body: job.body.replace(/"on":"(ok|failed)"/, '"on":"any"') })),
  },
  {
    name: 'a start forgets who waits',
    wrapStore: withWrites((write, store) => ({
      recoverRuns: async args => {
        const recovered = await write.recoverRuns(args)
        // As if what was due of them had been in memory only: each is switched off and on.
        for (const { job, revision } of store.read.dueJobs(args.nowMs, 100)) {
          if (job.schedule.kind !== 'after') continue
          const { nextRunAtMs: _, ...state } = job.state
          const parts = { equalKey: '', nowMs: args.nowMs }
          const off = { ...job, state, enabled: false }
          await write.replaceJob({ job: off, expectedRevision: revision, ...parts })
          await write.replaceJob({ job: { ...off, enabled: true }, expectedRevision: revision + 1, ...parts })
        }
        return recovered
      },
    })),
  },
  {
    name: 'a condition is not asked',
    wrapStore: withReads(read => ({
      dueJobs: (nowMs, limit) => read.dueJobs(nowMs, limit).map(row => ({ ...row, job: withoutCondition(row.job) })),
    })),
  },
  {
    name: 'a no is taken for the end of the work',
    wrapStore: withWrites(write => ({
      endRun: args => {
        const { outcome, error: _, ...end } = args.end
        return write.endRun(outcome === 'skipped' ? { ...args, end } : args)
      },
    })),
  },
  {
    name: 'a yes goes no further',
    wrapStore: withWrites(write => ({
      endRun: args => {
        const { next, ...end } = args.end
        return write.endRun(next ? { ...args, end: { ...end, outcome: 'skipped', error: 'its when said so' } } : args)
      },
    })),
  },
  {
    name: 'a command that began is run again after a kill',
    wrapStore: withReads(() => ({ runEntries: () => [] })),
  },
  {
    name: 'a command that failed went well',
    wrapStore: withWrites(write => ({
      endRun: args => write.endRun(args.end.exitCode === 1 ? { ...args, end: { ...args.end, state: 'ok' } } : args),
    })),
  },
  {
    name: 'each event has a session of its own',
    near: 2,
    wrapStore: withWrites(write => ({
      claimOccurrence: args => {
        const { run } = args
        if (run?.source !== 'event') return write.claimOccurrence(args)
        const sessionKey = `${run.sessionKey}:${run.runId}`
        return write.claimOccurrence({ ...args, run: { ...run, sessionKey, echoKey: sessionKey } })
      },
    })),
  },
  { name: 'what was used is not counted', near: 3, plant: running(/^INSERT INTO usage/, () => undefined) },
  {
    name: 'what was used on one day is not counted',
    near: 9,
    wrapStore: withReads(read => ({
      usage: ask => (ask.fromDay === '' ? read.usage(ask) : []),
    })),
  },
  {
    name: 'what was used counts twice',
    near: 3,
    wrapStore: withReads(read => ({
      usage: ask => read.usage(ask).map(row => ({ ...row, inputTokens: 2 * row.inputTokens })),
    })),
  },
]
