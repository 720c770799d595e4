// Planted faults in what turns have others do and in what people are asked: tasks, replies, questions, commands, pools,
// turns in a row. As in mutants.ts, each is one thing that somebody could get wrong.
import { SluiceError } from '../../src/base/errors.ts'
import { Joins } from '../../src/coordination/joins.ts'
import { Slot, Slots } from '../../src/coordination/slots.ts'
import { Toolbox } from '../../src/tools/toolbox.ts'
import { type Mutant, patch, withReads, withWrites } from './planting.ts'

const isQuestion = (id: string) => /^[0-9a-f]{10}$/.test(id)
const NEVER = new AbortController().signal

const POOLS: readonly Mutant[] = [
  {
    name: 'a slot is not parked for a question',
    plant: () =>
      patch(Joins.prototype, old => ({
        wait(this: Joins<unknown>, ...[id, read, options]) {
          if (!isQuestion(id) || !options.standing) return old.wait.call(this, id, read, options)
          const slot = { park: () => false, resume: async () => undefined } as unknown as Slot
          return old.wait.call(this, id, read, { ...options, standing: { ...options.standing, slot } })
        },
      })),
  },
  {
    name: 'the edge to a question is never removed',
    near: 3,
    plant: () =>
      patch(Joins.prototype, old => ({
        forget(this: Joins<unknown>, edge) {
          if (!edge?.target.startsWith('approval:')) old.forget.call(this, edge)
        },
      })),
  },
  {
    name: 'a place at a provider is never given back',
    near: 4,
    plant: () => patch(Slot.prototype, () => ({ narrow: () => undefined })),
  },
  {
    name: 'a pool is open to all when somebody comes back',
    near: 4,
    plant: () =>
      patch(Slots.prototype, old => ({
        takeAgain(this: Slots, pools, signal) {
          const limits = Object.fromEntries(this.pools().map(({ name, limit }) => [name, limit]))
          const taken = old.takeAgain.call(this, pools, signal)
          this.limit({ turns: limits.turns as number })
          this.limit(limits)
          return taken
        },
      })),
  },
  {
    name: 'tasks take no place among the tasks',
    near: 2,
    plant: () =>
      patch(Slots.prototype, old => ({
        take(this: Slots, pools, signal) {
          return old.take.call(
            this,
            pools.filter(pool => pool !== 'subagents'),
            signal,
          )
        },
      })),
  },
]

const REPLIES: readonly Mutant[] = [
  {
    name: 'a reply that was told is taken all the same',
    near: 46,
    wrapStore: withWrites(write => ({
      takeReply: async args => ({ ...(await write.takeReply(args)), value: { taken: true } }),
    })),
  },
  {
    name: 'a reply is told to nobody',
    near: 2,
    wrapStore: withWrites(write => ({ endRun: args => write.endRun({ ...args, silent: true }) })),
  },
  {
    name: 'who tells of an end is not begun',
    near: 2,
    wrapStore: withWrites(write => ({
      endRun: async args => {
        const { value, repeated } = await write.endRun(args)
        return { value: { ...value, told: [] }, repeated }
      },
    })),
  },
  {
    name: 'a stop leaves the tasks',
    near: 14,
    wrapStore: withReads(() => ({ liveChildren: () => [] })),
  },
  {
    name: 'turns in a row are not counted',
    wrapStore: withWrites(write => ({
      acceptMessage: (args, options) => write.acceptMessage({ ...args, run: { ...args.run, hops: 0 } }, options),
    })),
  },
  {
    name: 'what is refused for a full queue stays in it',
    near: 10,
    wrapStore: withWrites(write => ({
      acceptMessage: async ({ limits, ...args }, options) => {
        try {
          return await write.acceptMessage({ ...args, ...(limits && { limits }) }, options)
        } catch (error) {
          if (error instanceof SluiceError && error.code === 'BUSY') await write.acceptMessage(args, options)
          throw error
        }
      },
    })),
  },
  {
    name: 'a queue has no end',
    near: 10,
    wrapStore: withWrites(write => ({
      acceptMessage: ({ limits: _, ...args }, options) => write.acceptMessage(args, options),
    })),
  },
]

const COMMANDS: readonly Mutant[] = [
  {
    name: 'a yes is not used up',
    near: 5,
    wrapStore: withWrites((_, store) => ({
      useApproval: async ({ id }) => {
        const approval = store.read.approval(id)
        if (approval) return { value: approval, repeated: false }
        throw new SluiceError('NOT_FOUND', 'planted')
      },
    })),
  },
  {
    name: 'a yes counts again after a crash',
    near: 19,
    plant: () => runsAgain(),
    wrapStore: withWrites(write => ({
      askApproval: async args => {
        const { value, repeated } = await write.askApproval(args)
        return { value: value.state === 'used' ? { ...value, state: 'allowed' } : value, repeated }
      },
      useApproval: forgiving(write.useApproval),
    })),
  },
  {
    name: 'a command that was cut off is run again',
    near: 19,
    plant: () => runsAgain(),
  },
  {
    name: 'a question that expired is taken for a yes',
    near: 9,
    wrapStore: withWrites(write => ({
      decideApproval: async (args, options) => {
        const answer = await write.decideApproval(args, options)
        if (args.decision !== 'expired') return answer
        const approval = { ...answer.value.approval, state: 'allowed' as const }
        return { ...answer, value: { ...answer.value, approval } }
      },
      useApproval: forgiving(write.useApproval),
    })),
  },
  {
    name: 'a no is taken for a yes',
    wrapStore: withWrites(write => ({
      decideApproval: (args, options) =>
        write.decideApproval(args.decision === 'deny' ? { ...args, decision: 'allow-once' } : args, options),
    })),
  },
  {
    name: 'a question is asked, and nobody waited for',
    wrapStore: withWrites(write => ({
      askApproval: async args => {
        const { value, repeated } = await write.askApproval(args)
        return { value: { ...value, state: 'allowed' }, repeated }
      },
      useApproval: forgiving(write.useApproval),
    })),
  },
  {
    name: 'a process does not hear that its turn is over',
    near: 34,
    plant: () =>
      patch(Toolbox.prototype, old => ({
        run(this: Toolbox, call, context) {
          return old.run.call(this, call, call.name === 'exec' ? { ...context, signal: NEVER } : context)
        },
      })),
  },
]

/** A command whose end is not known counts as one that may run again. */
function runsAgain(): () => void {
  return patch(Toolbox.prototype, old => ({
    replayOf(this: Toolbox, name) {
      return name === 'exec' ? 'safe' : old.replayOf.call(this, name)
    },
  }))
}

/** A use that lets everything pass. */
function forgiving<T extends (...args: never[]) => Promise<unknown>>(use: T): T {
  return ((...args: Parameters<T>) => use(...args).catch(() => undefined)) as T
}

export const ASKING: readonly Mutant[] = [...POOLS, ...REPLIES, ...COMMANDS]
