// Questions to people: asked once for each call, decided once, used once. Each change is one commit with the event that
// tells clients. It counts no time: that one has expired is its caller's to say.
import { SluiceError } from '../../base/errors.ts'
import type { ApprovalRequestedEvent, ApprovalResolvedEvent } from '../../protocol/events.ts'
import { questionOf } from '../announcement.ts'
import type { NewApproval } from '../port.ts'
import type { ApprovalRow, ApprovalState, RunRow } from '../rows.ts'
import { onceSame } from './keys.ts'
import { type ApprovalColumns, toApproval } from './rows.ts'
import { requireFence } from './runs.ts'
import { retractSends } from './sends.ts'
import { fresh, type Tx, type WriteFunctions } from './tx.ts'
import {
  agentOf,
  ensureSession,
  insertEntry,
  markRead,
  markRepliesRead,
  touchSession,
  writeNotice,
} from './writes-sessions.ts'

const FIND = 'SELECT * FROM approvals WHERE id = ?'
const FIND_OF_CALL = 'SELECT * FROM approvals WHERE run_id = ? AND call_id = ?'
const FIND_ALWAYS = `SELECT decided_by FROM approvals WHERE agent_id = ? AND what_hash = ? AND decision = 'allow-always'
  LIMIT 1`
const PENDING_OF_RUN = "SELECT * FROM approvals WHERE run_id = ? AND state = 'pending'"
const INSERT = `INSERT INTO approvals (id, run_id, call_id, agent_id, session_key, asked_in, tool, text, request, what_hash,
    state, decision, decided_by, created_at_ms, expires_at_ms, decided_at_ms)
  VALUES (:id, :runId, :callId, :agentId, :sessionKey, :askedIn, :tool, :text, :request, :whatHash,
    :state, :decision, :decidedBy, :nowMs, :expiresAtMs, :decidedAtMs)`
const RESOLVE = `UPDATE approvals SET state = :state, decision = :decision, decided_by = :by, note = :note,
  decided_at_ms = :nowMs WHERE id = :id`
const USE = "UPDATE approvals SET state = 'used' WHERE id = ?"

function requireApproval(tx: Tx, id: string): ApprovalRow {
  const row = tx.get<ApprovalColumns>(FIND, [id])
  if (!row) throw new SluiceError('INVALID_REQUEST', 'unknown approval id', { details: { id }, outcome: 'not-started' })
  return toApproval(row)
}

const askApproval: WriteFunctions['askApproval'] = (tx, { fence, approval, nowMs }) => {
  const run = requireFence(tx, fence)
  const earlier = tx.get<ApprovalColumns>(FIND_OF_CALL, [run.runId, approval.callId])
  if (earlier) return fresh(toApproval(earlier))
  const { agentId, sessionKey } = run
  const always = tx.get<{ decided_by: string | null }>(FIND_ALWAYS, [agentId, approval.whatHash])
  const { request, ...columns } = approval
  tx.run(INSERT, {
    ...columns,
    runId: run.runId,
    agentId,
    sessionKey,
    nowMs,
    request: JSON.stringify(request),
    state: always ? 'allowed' : 'pending',
    decision: always ? 'allow-always' : null,
    decidedBy: always?.decided_by ?? null,
    decidedAtMs: always ? nowMs : null,
  })
  if (!always) ask(tx, { run, approval, nowMs })
  return fresh(requireApproval(tx, approval.id))
}

function ask(tx: Tx, { run, approval, nowMs }: { run: RunRow; approval: NewApproval; nowMs: number }): void {
  const { id, askedIn, request, expiresAtMs } = approval
  const notice = { id, sessionKey: askedIn, agentId: agentOf(askedIn), text: questionOf(approval) }
  writeNotice(tx, { ...notice, source: 'approval', atMs: nowMs }, nowMs)
  const event: ApprovalRequestedEvent = {
    id,
    request: {
      command: approval.text,
      cwd: typeof request.cwd === 'string' ? request.cwd : null,
      host: 'gateway',
      security: null,
      ask: null,
      agentId: run.agentId,
      resolvedPath: null,
      sessionKey: run.sessionKey,
    },
    createdAtMs: nowMs,
    expiresAtMs,
  }
  tx.emit('exec.approval.requested', event)
}

interface Resolution {
  readonly state: ApprovalState
  readonly decision?: NonNullable<ApprovalRow['decision']>
  readonly by?: string
  readonly note?: string | undefined
  readonly nowMs: number
}

function resolve(tx: Tx, id: string, resolution: Resolution): ApprovalRow {
  const { state, decision = null, by = null, note = null, nowMs } = resolution
  tx.run(RESOLVE, { id, state, decision, by, note, nowMs })
  markRead(tx, id, nowMs)
  retractSends(tx, id, nowMs)
  const event: ApprovalResolvedEvent = { id, decision, resolvedBy: by, ts: nowMs }
  tx.emit('exec.approval.resolved', event)
  return requireApproval(tx, id)
}

const STATE_OF = { 'allow-once': 'allowed', 'allow-always': 'allowed', deny: 'denied' } as const

const decideApproval: WriteFunctions['decideApproval'] = (tx, args) =>
  onceSame(tx, args, () => {
    const { id, decision, by, said, nowMs } = args
    const approval = requireApproval(tx, id)
    if (approval.state !== 'pending') return { approval, decided: false }
    if (said) hear(tx, approval, { text: said.text, nowMs })
    const resolution =
      decision === 'expired'
        ? { state: 'expired' as const }
        : { state: STATE_OF[decision], decision, by, note: said?.note }
    return { approval: resolve(tx, id, { ...resolution, nowMs }), decided: true }
  })

/** A person who answers in the chat has seen what it said so far, as with any other message. */
function hear(tx: Tx, { id, askedIn }: ApprovalRow, { text, nowMs }: { text: string; nowMs: number }): void {
  const { sessionId } = ensureSession(tx, { key: askedIn, agentId: agentOf(askedIn), nowMs })
  insertEntry(tx, { sessionKey: askedIn, sessionId, nowMs }, { kind: 'decision', approvalId: id, text })
  touchSession(tx, { key: askedIn, nowMs, text })
  markRepliesRead(tx, askedIn, nowMs)
}

const useApproval: WriteFunctions['useApproval'] = (tx, { fence, id }) => {
  const run = requireFence(tx, fence)
  const approval = requireApproval(tx, id)
  if (approval.runId !== run.runId || approval.state !== 'allowed') {
    const why = approval.runId === run.runId ? `it is ${approval.state}` : 'it belongs to another turn'
    throw new SluiceError('CONFLICT', `Approval ${id} allows nothing to begin: ${why}. Do not run what it asked for.`, {
      details: { id, state: approval.state },
      outcome: 'not-started',
    })
  }
  tx.run(USE, [id])
  return fresh(requireApproval(tx, id))
}

/** What an ended run still asked for is asked for no more. */
export function cancelApprovals(tx: Tx, runId: string, nowMs: number): void {
  for (const { id } of tx.all<ApprovalColumns>(PENDING_OF_RUN, [runId])) resolve(tx, id, { state: 'cancelled', nowMs })
}

export const approvalWrites = { askApproval, decideApproval, useApproval }
