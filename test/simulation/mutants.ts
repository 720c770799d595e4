// Faults planted into production classes from outside, while a simulation runs: a simulator that does not find them
// would not find their like either. Each is one thing that somebody could get wrong; none needs a hook in production.
import { SluiceError } from '../../src/base/errors.ts'
import { Deadline } from '../../src/coordination/deadline.ts'
import { Joins } from '../../src/coordination/joins.ts'
import { Lanes } from '../../src/coordination/lanes.ts'
import { Slot, Slots } from '../../src/coordination/slots.ts'
import { WaitGraph } from '../../src/coordination/wait-graph.ts'
import { Dispatcher } from '../../src/dispatch/dispatcher.ts'
import type { Store } from '../../src/store/port.ts'
import { TurnEngine } from '../../src/turns/engine.ts'
import { ASKING } from './mutants-asking.ts'
import { TALKING } from './mutants-talking.ts'
import { type Mutant, patch, weigh, withWrites } from './planting.ts'

/** The store of the gateway that is up, for the fault that makes reads wait for it. */
const up: { store?: Store } = {}

const COORDINATION: readonly Mutant[] = [
  {
    name: 'a waiter keeps its slot',
    plant: () => patch(Slot.prototype, () => ({ park: () => false, resume: async () => undefined })),
  },
  {
    name: 'who comes back goes to the end of the line',
    near: 12,
    plant: () =>
      patch(Slots.prototype, () => ({
        async takeAgain(this: Slots, pools, signal) {
          await this.take(pools, signal)
        },
      })),
  },
  {
    name: 'who comes back takes no slot',
    plant: () => patch(Slots.prototype, () => ({ takeAgain: async () => undefined })),
  },
  {
    name: 'an edge is never removed',
    near: 2,
    plant: () => patch(WaitGraph.prototype, () => ({ remove: () => undefined })),
  },
  {
    name: 'no cycle is ever refused',
    plant: () =>
      patch(WaitGraph.prototype, old => ({
        add(this: WaitGraph, edge) {
          try {
            old.add.call(this, edge)
          } catch {
            // Planted: let it wait.
          }
        },
      })),
  },
  {
    name: 'who waits may not be waited for',
    near: 4,
    plant: () =>
      patch(WaitGraph.prototype, old => ({
        add(this: WaitGraph, edge) {
          const waits = this.list().some(other => other.waiter === edge.target)
          if (waits && edge.target.startsWith('run:'))
            throw new SluiceError('WOULD_DEADLOCK', 'planted', { outcome: 'not-started' })
          old.add.call(this, edge)
        },
      })),
  },
  {
    name: 'the holder of a lane is not followed',
    plant: () => patch(WaitGraph.prototype, () => ({ hold: () => undefined })),
  },
  {
    name: 'a lane is not passed on',
    near: 2,
    plant: () =>
      patch(Lanes.prototype, old => ({
        leave(this: Lanes, sessionKey, runId) {
          if (this.waiting(sessionKey).length === 0) old.leave.call(this, sessionKey, runId)
        },
      })),
  },
  {
    name: 'a lane lets everybody in',
    plant: () => patch(Lanes.prototype, () => ({ queue: (_, __, { enter }) => enter() })),
  },
  {
    name: 'one end in four is told to nobody',
    plant: () =>
      patch(Joins.prototype, old => ({
        settle(this: Joins<unknown>, runId, end) {
          if (weigh(runId) % 4 > 0) old.settle.call(this, runId, end)
        },
      })),
  },
  {
    name: 'a wait lasts twice its time-out',
    near: 8,
    plant: () =>
      patch(Joins.prototype, old => ({
        wait(this: Joins<unknown>, ...[runId, read, options]) {
          return old.wait.call(this, runId, read, { ...options, timeoutMs: 2 * options.timeoutMs })
        },
      })),
  },
  {
    name: 'waiting counts as work',
    near: 5,
    plant: () =>
      patch(Deadline.prototype, old => ({
        pause: () => undefined,
        end(this: Deadline) {
          old.pause.call(this)
          old.end.call(this)
        },
      })),
  },
  {
    name: 'stop says so and does nothing',
    near: 3,
    plant: () => patch(TurnEngine.prototype, () => ({ stop: async ({ runs }) => runs.map(run => run.runId) })),
  },
  {
    name: 'reads queue behind the disk',
    near: 92,
    plant: () =>
      patch(Dispatcher.prototype, old => ({
        async call(this: Dispatcher, ...args) {
          await up.store?.write.markNoticesRead({ ids: [], nowMs: 0 }).catch(() => undefined)
          return await old.call.call(this, ...args)
        },
      })),
    wrapStore: store => {
      up.store = store
      return store
    },
  },
]

const JOURNAL: readonly Mutant[] = [
  {
    name: 'a cancel is answered before the writer decided',
    near: 7,
    wrapStore: withWrites(write => ({
      addJob: (args, options) => impatient(write.addJob(args), options?.signal),
      acceptMessage: (args, options) => impatient(write.acceptMessage(args), options?.signal),
    })),
  },
  {
    name: 'entries of a lost attempt are taken',
    near: 15,
    wrapStore: withWrites((write, store) => ({
      appendEntries: args => {
        const run = store.read.run(args.fence.runId)
        const fence = run ? { ...args.fence, epoch: run.epoch, attempt: run.attempt } : args.fence
        return write.appendEntries({ ...args, fence })
      },
    })),
  },
  {
    name: 'one end in eight is not written',
    wrapStore: withWrites((write, store) => ({
      endRun: args => {
        const { runId } = args.fence
        const run = store.read.run(runId)
        if (run === undefined || weigh(runId) % 8 > 0) return write.endRun(args)
        const ended = { ...run, ...args.end, endedAtMs: args.nowMs }
        return Promise.resolve({ value: { run: ended, told: [] }, repeated: false })
      },
    })),
  },
  {
    name: 'an end is told before it is on disk',
    near: 2,
    wrapStore: withWrites((write, store) => ({
      endRun: async args => {
        const run = store.read.run(args.fence.runId)
        const written = write.endRun(args)
        if (!run) return await written
        written.catch(() => undefined)
        return { value: { run: { ...run, ...args.end, endedAtMs: args.nowMs }, told: [] }, repeated: false }
      },
    })),
  },
  {
    name: 'entries are acknowledged before their commit',
    near: 7,
    wrapStore: withWrites(write => ({
      appendEntries: async args => {
        const written = write.appendEntries(args)
        if (args.entries[0]?.kind === 'message') return await written
        written.catch(() => undefined)
        return { value: { ids: [0], merged: [] }, repeated: false }
      },
    })),
  },
  {
    name: 'an attempt is not counted',
    wrapStore: withWrites(write => ({
      appendEntries: args =>
        args.entries[0]?.kind === 'attempt'
          ? Promise.resolve({ value: { ids: [0], merged: [] }, repeated: false })
          : write.appendEntries(args),
    })),
  },
  {
    name: 'a message is taken without its key',
    wrapStore: withWrites(write => ({
      acceptMessage: ({ key: _, ...args }, options) => write.acceptMessage(args, options),
    })),
  },
  {
    name: 'a job is added without its key',
    near: 4,
    wrapStore: withWrites(write => ({ addJob: ({ key: _, ...args }, options) => write.addJob(args, options) })),
  },
  {
    name: 'a start recovers nothing',
    near: 5,
    wrapStore: withWrites(() => ({ recoverRuns: async () => ({ value: [], repeated: false }) })),
  },
  {
    name: 'a turn whose runner was lost is not requeued',
    near: 2,
    wrapStore: withWrites((write, store) => ({
      requeueRun: args => {
        const run = store.read.run(args.fence.runId)
        return args.lost && run ? Promise.resolve({ value: run, repeated: false }) : write.requeueRun(args)
      },
    })),
  },
  {
    name: 'an instant is claimed twice',
    near: 3,
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
]

/** Says that nothing was begun as soon as it is asked to give up, whatever the writer does. */
function impatient<T>(written: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const give = () => reject(new SluiceError('CANCELLED', 'planted', { outcome: 'not-started' }))
  signal?.addEventListener('abort', give, { once: true })
  promise.catch(() => undefined)
  return Promise.race([written, promise])
}

export const MUTANTS: readonly Mutant[] = [...COORDINATION, ...JOURNAL, ...ASKING, ...TALKING]
