// Handlers by which a person answers what a turn waits for (W7): by a command, a button, or the next message in the chat
// in which it was asked. Nothing here waits for a lane or a turn, and a turn can never answer for a person.
import { SluiceError } from '../base/errors.ts'
import { mayCall } from '../dispatch/caller.ts'
import type { Call, Handlers } from '../dispatch/dispatcher.ts'
import type { Params, Result } from '../protocol/catalogue.ts'
import type { ApprovalRow } from '../store/rows.ts'
import { sessionNamed } from './agents.ts'
import type { MethodParts } from './parts.ts'

const LISTED_MAX = 100
/** Questions of one chat that one message may answer. */
const ANSWERED_MAX = 20

type Decision = Params<'exec.approval.resolve'>['decision']

const YES: ReadonlySet<string> = new Set(['yes', 'y', 'ok', 'okay', 'allow', 'approve', 'allow-once'])
const ALWAYS: ReadonlySet<string> = new Set(['always', 'allow-always'])
const NO: ReadonlySet<string> = new Set(['no', 'n', 'deny', 'reject'])

export function approvalHandlers(parts: MethodParts): Pick<Handlers, 'approvals.list' | 'exec.approval.resolve'> {
  return {
    'approvals.list': async ({ params, caller }) => {
      const askedIn =
        params.sessionKey === undefined ? {} : { askedIn: sessionNamed(parts, params.sessionKey, { caller }).key }
      const pending = await parts.store.readLarge.pendingApprovals({ ...askedIn, limit: LISTED_MAX })
      return { approvals: pending.map(shown) }
    },
    'exec.approval.resolve': async call => {
      const { id, decision } = call.params
      const { approval, decided } = await decide(parts, call, { id, decision })
      return { ok: true, state: approval.state, decided }
    },
  }
}

function shown(row: ApprovalRow): Result<'approvals.list'>['approvals'][number] {
  const { id, tool, text, request, sessionKey, agentId, askedIn, createdAtMs, expiresAtMs } = row
  return { id, tool, text, request, sessionKey, agentId, askedIn, createdAtMs, expiresAtMs }
}

interface Answer {
  readonly id: string
  readonly decision: Decision
  readonly said?: { readonly text: string; readonly note?: string }
}

async function decide(
  parts: MethodParts,
  { caller, key, signal }: Call<'exec.approval.resolve'> | Call<'chat.send'>,
  answer: Answer,
): Promise<{ approval: ApprovalRow; decided: boolean }> {
  const { value } = await parts.store.write.decideApproval(
    { ...answer, by: caller.label, ...(key && { key }), nowMs: parts.clock.now() },
    { signal },
  )
  parts.approvals.settle(value.approval.id, value.approval)
  return value
}

/**
 * Takes a message as the answer to what a turn asks in this chat, before any queue. Undefined when nothing is asked there,
 * or its sender may not decide; a turn's process never may.
 */
export async function answerApprovals(
  parts: MethodParts,
  call: Call<'chat.send'>,
  askedIn: string,
): Promise<Result<'chat.send'> | undefined> {
  const { read } = parts.store
  const first = call.key && read.firstAnswer(call.key)
  // A repeat: what it was the first time decides what it is, not what is asked now.
  const pending = first ? firstAnswered(parts, first.kept) : read.pendingApprovals({ askedIn, limit: ANSWERED_MAX })
  if (pending.length === 0 || !mayCall(call.caller, { scope: 'operator.approvals' })) return undefined
  const answers = first ? [] : answersOf(call.params.message, pending)
  const approvals: { id: string; state: string }[] = first ? pending.map(({ id, state }) => ({ id, state })) : []
  // The first carries the key: once it is decided, the whole message is known as an answer.
  for (const answer of answers) {
    const { approval } = await decide(parts, approvals.length === 0 ? call : { ...call, key: undefined }, answer)
    approvals.push({ id: approval.id, state: approval.state })
  }
  const { idempotencyKey: runId, sessionKey } = call.params
  // Clients wait for the end of what they sent; no turn comes of this.
  parts.publish({ event: 'chat', payload: { runId, sessionKey, session: askedIn, seq: 0, state: 'final' } })
  return { runId, status: 'ok', approvals }
}

function firstAnswered(parts: MethodParts, kept: unknown): ApprovalRow[] {
  const { approval } = (kept ?? {}) as { approval?: { id: string } }
  const row = approval && parts.store.read.approval(approval.id)
  return row ? [row] : []
}

/** What a message says to the open questions of its chat: yes or no to one of them, else no to all, with what it says. */
function answersOf(message: string, pending: readonly ApprovalRow[]): Answer[] {
  const text = message.trim()
  const words = text.toLowerCase().replace(/^\//, '').split(/\s+/)
  const named = pending.filter(({ id }) => words.includes(id))
  const decision = decisionOf(words.filter(word => !named.some(({ id }) => id === word)))
  if (decision === undefined) return pending.map(({ id }) => ({ id, decision: 'deny', said: { text, note: text } }))
  const meant = named.length > 0 ? named : pending
  if (decision !== 'deny' && meant.length > 1) throw whichOne(meant)
  return meant.map(({ id }) => ({ id, decision, said: { text } }))
}

/** `yes`, `always`, `no`; also `approve <id> deny`, where the last word counts. */
function decisionOf(words: readonly string[]): Decision | undefined {
  const known = words.map(word => {
    if (YES.has(word)) return 'allow-once'
    if (ALWAYS.has(word)) return 'allow-always'
    return NO.has(word) ? 'deny' : undefined
  })
  return known.includes(undefined) ? undefined : known.at(-1)
}

function whichOne(pending: readonly ApprovalRow[]): SluiceError {
  const open = pending.map(({ id, text }) => `yes ${id}: ${text}`).join('\n')
  return new SluiceError(
    'INVALID_REQUEST',
    `${pending.length} questions are open in this chat; nothing was allowed. Say which one, or no to all:\n${open}`,
    { outcome: 'not-started' },
  )
}
