// Asking a person from inside a turn (W7). The question is a row before anyone sees it and waits as a node of the graph,
// with the turn's slot given back; the answer comes by chat, command or button. It decides nothing by itself but that
// time is over, and it knows no tool.
import { createHash } from 'node:crypto'
import type { Standing } from '../coordination/joins.ts'
import type { ApprovalRow, RunRow } from '../store/rows.ts'
import type { ApprovalAnswer, ApprovalAsk } from '../tools/tool.ts'
import type { CallName, EngineParts } from './engine-parts.ts'

/** Characters of an approval's id: short enough to be typed. */
const ID_LENGTH = 10

interface Asker {
  readonly run: RunRow
  readonly standing: Standing
  readonly call: CallName
}

/** Answers once a person has, or nobody has in time. Rejects when the turn ends meanwhile. */
export async function askPerson(parts: EngineParts, asker: Asker, ask: ApprovalAsk): Promise<ApprovalAnswer> {
  const { store, clock } = parts
  const { run, call } = asker
  const fence = { runId: run.runId, epoch: store.epoch, attempt: run.attempt }
  const nowMs = clock.now()
  const { value: asked } = await store.write.askApproval({
    fence,
    approval: {
      id: digest([run.runId, call.id]).slice(0, ID_LENGTH),
      callId: call.id,
      askedIn: chatOf(parts, run),
      tool: call.tool,
      text: ask.text,
      request: ask.request,
      whatHash: digest([call.tool, ask.request]),
      expiresAtMs: nowMs + ask.timeoutMs,
    },
    nowMs,
  })
  const answered = asked.state === 'pending' ? await untilDecided(parts, asker, asked) : asked
  if (answered.state !== 'allowed') {
    const note = answered.note === undefined ? {} : { note: answered.note }
    return { allowed: false, why: answered.state === 'expired' ? 'expired' : 'denied', ...note }
  }
  await store.write.useApproval({ fence, id: answered.id, nowMs: clock.now() })
  return { allowed: true }
}

async function untilDecided(parts: EngineParts, { run, standing }: Asker, asked: ApprovalRow): Promise<ApprovalRow> {
  const { store, clock, graph, approvals } = parts
  graph.name(`approval:${asked.id}`, `a person's yes or no (${asked.id}), asked in ${asked.askedIn}`)
  const read = () => {
    const row = store.read.approval(asked.id)
    return row?.state === 'pending' ? undefined : row
  }
  try {
    const timeoutMs = Math.max(0, asked.expiresAtMs - clock.now())
    const decided = await approvals.wait(asked.id, read, { standing, timeoutMs, signal: standing.deadline.signal })
    if (decided) return decided
    // Whoever decided in this very moment has decided: the store says who was first.
    const expired = { id: asked.id, decision: 'expired', by: 'time', nowMs: clock.now() } as const
    return (await store.write.decideApproval(expired)).value.approval
  } finally {
    graph.name(`approval:${asked.id}`, undefined)
    parts.log('info', `turn ${run.runId} no longer waits for approval ${asked.id}`)
  }
}

/** Where the person is who set it going: the chat of the turn at the root, or the one that hears of its job. */
function chatOf({ store }: EngineParts, run: RunRow): string {
  let root = run
  while (root.source === 'spawn' && root.parent !== undefined) {
    const parent = store.read.run(root.parent)
    if (!parent) break
    root = parent
  }
  const job = root.jobId === undefined ? undefined : store.read.job(root.jobId)?.job
  return job?.sessionKey ?? root.sessionKey
}

function digest(of: unknown): string {
  return createHash('sha256').update(JSON.stringify(of)).digest('hex')
}
