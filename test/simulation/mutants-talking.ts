// Planted faults in what becomes of messages that people write while turns run, and in what goes to and fro between the
// gateway and the chats of channels. As in mutants.ts, each is one thing that somebody could get wrong.
import { Joins } from '../../src/coordination/joins.ts'
import { WaitGraph } from '../../src/coordination/wait-graph.ts'
import type { Tx, WriteFunctions } from '../../src/store/sqlite/tx.ts'
import { WRITES } from '../../src/store/sqlite/writes.ts'
import { TurnEngine } from '../../src/turns/engine.ts'
import { LiveRun } from '../../src/turns/live-run.ts'
import { type Mutant, patch, withReads, withWrites } from './planting.ts'

const CONSUME_NOT = "UPDATE inbox SET state = 'waiting', entry_id = NULL WHERE run_id = ?"
const MERGE_NOT = `UPDATE runs SET state = 'queued', merged_into = NULL, started_at_ms = NULL, ended_at_ms = NULL
  WHERE run_id = ?`
const RENEW = 'UPDATE sessions SET session_id = ? WHERE key = ?'

interface Row {
  readonly session_key: string
  readonly session_id: string
  readonly source: string
}

function runOf(tx: Tx, runId: string): Row {
  return tx.get<Row>('SELECT * FROM runs WHERE run_id = ?', [runId]) as Row
}

/** Something is done in the commit of each merge, and the engine is told of it or not. */
function afterMerge(change: (tx: Tx, runId: string) => void, isTold = true): () => () => void {
  return () =>
    patch<WriteFunctions>(WRITES, old => ({
      appendEntries: (tx, args) => {
        const { value, repeated } = old.appendEntries(tx, args)
        for (const { runId } of value.merged) change(tx, runId)
        return { value: isTold ? value : { ...value, merged: [] }, repeated }
      },
    }))
}

const MERGING: readonly Mutant[] = [
  {
    name: 'a message that merged is not consumed',
    plant: afterMerge((tx, runId) => tx.run(CONSUME_NOT, [runId])),
  },
  {
    name: 'a message that merged has a turn of its own too',
    plant: afterMerge((tx, runId) => {
      tx.run(CONSUME_NOT, [runId])
      tx.run(MERGE_NOT, [runId])
    }, false),
  },
  {
    name: 'a message after a reset merges into the old transcript',
    near: 126,
    plant: () =>
      patch<WriteFunctions>(WRITES, old => ({
        appendEntries: (tx, args) => {
          const { session_key: key, session_id: its } = runOf(tx, args.fence.runId)
          const now = tx.get<Row>('SELECT session_id FROM sessions WHERE key = ?', [key])?.session_id ?? its
          tx.run(RENEW, [its, key])
          const answer = old.appendEntries(tx, args)
          tx.run(RENEW, [now, key])
          return answer
        },
      })),
  },
  {
    name: 'a turn ends over a message that steers it',
    near: 69,
    wrapStore: withWrites(write => ({
      appendEntries: args => write.appendEntries({ ...args, merges: args.entries[0]?.kind === 'attempt' }),
    })),
  },
  {
    name: 'what merged with the last answer is not answered',
    plant: () =>
      patch(LiveRun.prototype, old => ({
        async message(this: LiveRun, message) {
          return { ...(await old.message.call(this, message)), merged: [] }
        },
      })),
  },
  {
    name: 'who waits for a message that merged is told nothing',
    plant: () =>
      patch(Joins.prototype, old => ({
        settle(this: Joins<unknown>, id, end) {
          const { runId, state } = end as { runId: string; state: string }
          if (runId === id || state === 'used' || !/^[tk]|^channel:/.test(id)) old.settle.call(this, id, end)
        },
      })),
  },
  {
    name: 'a message that merged stands for its turn for ever',
    near: 2,
    plant: () =>
      patch(WaitGraph.prototype, old => ({
        hold(this: WaitGraph, resource, holder) {
          if (holder !== undefined || !resource.startsWith('run:')) old.hold.call(this, resource, holder)
        },
      })),
  },
  {
    name: 'nobody hears what a claim took',
    near: 14,
    wrapStore: withReads(() => ({ mergedInto: () => [] })),
  },
  {
    name: 'what turns and programs write steers too',
    near: 4,
    wrapStore: withWrites(write => ({
      acceptMessage: (args, options) =>
        write.acceptMessage({ ...args, run: { queueMode: 'steer', ...args.run } }, options),
    })),
  },
  {
    name: 'a reply is not owed to who joined the turn',
    near: 52,
    plant: () =>
      patch<WriteFunctions>(WRITES, old => ({
        endRun: (tx, args) => {
          const answer = old.endRun(tx, args)
          const { source } = runOf(tx, args.fence.runId)
          if (source !== 'chat' && source !== 'told')
            tx.run('DELETE FROM outbox WHERE id = ?', [`reply:${args.fence.runId}`])
          return answer
        },
      })),
  },
  {
    name: 'an interrupt stops nothing',
    near: 53,
    plant: () => patch(TurnEngine.prototype, () => ({ interrupt: async () => undefined })),
  },
  {
    name: 'a busy session takes what it should reject',
    near: 10,
    wrapStore: withWrites(write => ({
      acceptMessage: ({ limits, ...args }, options) =>
        write.acceptMessage({ ...args, ...(limits && { limits: { ...limits, ahead: 50 } }) }, options),
    })),
  },
]

interface SendPlace {
  readonly channel_id: string
  readonly chat_id: string
  readonly is_control: number
}

const PLACE = 'SELECT channel_id, chat_id, is_control FROM sends WHERE id = ?'
const LINE = "channel_id = :channel_id AND chat_id = :chat_id AND is_control = :is_control AND state = 'queued'"
const HEAD_AWAY = `UPDATE sends SET due_at_ms = NULL WHERE ${LINE} AND due_at_ms IS NOT NULL`
const LAST_FIRST = `UPDATE sends SET due_at_ms = :nowMs WHERE seq = (SELECT max(seq) FROM sends WHERE ${LINE})`

const CHATS: readonly Mutant[] = [
  {
    name: 'a send is marked before it goes out',
    near: 2,
    wrapStore: withWrites(write => ({
      claimSend: async args => {
        const claimed = await write.claimSend(args)
        const { id, epoch, nowMs } = args
        const end = { state: 'sent', sentId: 'planted' } as const
        if (claimed.value)
          await write
            .endSend({ fence: { id, epoch, attempt: claimed.value.attempt }, end, nowMs })
            .catch(() => undefined)
        return claimed
      },
    })),
  },
  {
    name: 'a send that was cut off counts as sent',
    near: 5,
    plant: () =>
      patch<WriteFunctions>(WRITES, old => ({
        recoverSends: (tx, args) => {
          tx.run("UPDATE sends SET state = 'sent' WHERE state = 'sending' AND channel_id = ?", [args.channelId])
          return old.recoverSends(tx, args)
        },
      })),
  },
  {
    name: 'a send that was cut off is given up',
    near: 5,
    plant: () =>
      patch<WriteFunctions>(WRITES, old => ({
        recoverSends: (tx, args) => {
          tx.run("UPDATE sends SET state = 'failed' WHERE state = 'sending' AND channel_id = ?", [args.channelId])
          return old.recoverSends(tx, args)
        },
      })),
  },
  {
    name: 'a send that was cut off goes out again unasked',
    near: 6,
    wrapStore: withWrites(write => ({ recoverSends: args => write.recoverSends({ ...args, dedupesSends: true }) })),
  },
  {
    name: 'a send that did not go out counts as sent',
    near: 5,
    wrapStore: withWrites(write => ({
      endSend: args =>
        write.endSend(args.end.state === 'queued' ? { ...args, end: { state: 'sent', sentId: 'planted' } } : args),
    })),
  },
  {
    name: 'a doubt is told to nobody',
    near: 6,
    plant: () =>
      patch<WriteFunctions>(WRITES, old => ({
        endSend: (tx, args) => {
          const answer = old.endSend(tx, args)
          tx.run("DELETE FROM sends WHERE source = 'doubt' AND state = 'queued'")
          return answer
        },
      })),
  },
  {
    name: 'the last text of a chat goes first',
    near: 26,
    plant: () =>
      patch<WriteFunctions>(WRITES, old => ({
        endSend: (tx, args) => {
          const answer = old.endSend(tx, args)
          const place = tx.get<SendPlace>(PLACE, [args.fence.id]) as SendPlace
          tx.run(HEAD_AWAY, { ...place })
          tx.run(LAST_FIRST, { ...place, nowMs: args.nowMs })
          return answer
        },
      })),
  },
  {
    name: 'a message that is handed on again is another turn',
    near: 5,
    wrapStore: withWrites((write, store) => ({
      acceptMessage: ({ key, ...args }, options) => {
        const isAgain = args.route !== undefined && store.read.run(args.run.runId) !== undefined
        if (!isAgain) return write.acceptMessage({ ...args, ...(key && { key }) }, options)
        return write.acceptMessage({ ...args, run: { ...args.run, runId: `${args.run.runId}+` } }, options)
      },
    })),
  },
  {
    name: 'a reply is kept and not sent to its chat',
    near: 2,
    plant: () =>
      patch<WriteFunctions>(WRITES, old => ({
        endRun: (tx, args) => {
          const answer = old.endRun(tx, args)
          tx.run("DELETE FROM sends WHERE text_id = ? AND state = 'queued'", [`reply:${args.fence.runId}`])
          return answer
        },
      })),
  },
  {
    name: 'the answer to a command is not kept',
    near: 3,
    wrapStore: withWrites(() => ({ queueControl: async () => ({ value: { queued: true }, repeated: false }) })),
  },
]

export const TALKING: readonly Mutant[] = [...MERGING, ...CHATS]
