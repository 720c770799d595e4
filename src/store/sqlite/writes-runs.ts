// Runs and their journals: accepted, claimed, appended to, ended. What a run of an earlier boot or attempt still tries to
// write is refused with STALE (T3). It decides nothing about lanes: that one turn runs per session is its callers' care.
import { SluiceError } from '../../base/errors.ts'
import type { Fence, NewRun } from '../port.ts'
import type { EntryBody, RunRow } from '../rows.ts'
import { emitAll } from './events.ts'
import { once } from './keys.ts'
import { finishOccurrence, loseOccurrences } from './ledger.ts'
import { type RunColumns, toRun } from './rows.ts'
import { fresh, type Tx, type WriteFunctions } from './tx.ts'
import {
  ensureSession,
  insertEntry,
  markRepliesRead,
  renewSession,
  touchSession,
  writeNotice,
  writeReply,
} from './writes-sessions.ts'

const LIVE = "state IN ('queued', 'running')"
const FIND = 'SELECT * FROM runs WHERE run_id = ?'
const INSERT = `INSERT INTO runs
  (run_id, session_key, session_id, echo_key, agent_id, source, state, model, extra_prompt, timeout_ms, job_id, occurrence,
   fresh_session, created_at_ms)
  VALUES (:runId, :sessionKey, :sessionId, :echoKey, :agentId, :source, 'queued', :model, :extraPrompt, :timeoutMs, :jobId,
   :occurrence, :freshSession, :nowMs)`
const COUNT_AHEAD = `SELECT count(*) AS ahead FROM runs WHERE ${LIVE} AND session_key = ?
  AND id < (SELECT id FROM runs WHERE run_id = ?)`
const CLAIM = `UPDATE runs SET state = 'running', attempt = attempt + 1, epoch = :epoch, session_id = :sessionId,
  started_at_ms = ifnull(started_at_ms, :nowMs) WHERE run_id = :runId`
const END = 'UPDATE runs SET state = :state, reply = :reply, error = :error, ended_at_ms = :nowMs WHERE run_id = :runId'
const REQUEUE = "UPDATE runs SET state = 'queued', losses = losses + :lost WHERE run_id = :runId"
const REQUEUE_OLDER = `UPDATE runs SET state = 'queued', losses = losses + 1 WHERE ${LIVE} AND state = 'running' AND epoch < ?`
const QUEUED = `SELECT * FROM runs INDEXED BY runs_live WHERE ${LIVE} AND state = 'queued' ORDER BY id`

const INSERT_INBOX = `INSERT INTO inbox (session_key, run_id, text, created_at_ms)
  VALUES (:sessionKey, :runId, :text, :nowMs)`
const WAITING = "SELECT id, text FROM inbox WHERE run_id = ? AND state = 'waiting'"
const CONSUME = "UPDATE inbox SET state = 'consumed', entry_id = ? WHERE id = ?"
const CLOSE = "UPDATE inbox SET state = 'closed' WHERE run_id = ? AND state = 'waiting'"
const FIND_MESSAGE = "SELECT 1 FROM entries WHERE id = ? AND run_id = ? AND kind = 'message'"

interface InboxRow {
  readonly id: number
  readonly text: string
}

export function findRun(tx: Tx, runId: string): RunRow | undefined {
  const row = tx.get<RunColumns>(FIND, [runId])
  return row && toRun(row)
}

export function requireRun(tx: Tx, runId: string): RunRow {
  const run = findRun(tx, runId)
  if (!run) throw new SluiceError('NOT_FOUND', `There is no run ${runId}.`, { details: { runId } })
  return run
}

/** A queued run with its inbox row, in a session that is made when missing. Throws CONFLICT for a known run id. */
export function insertRun(tx: Tx, run: NewRun, nowMs: number): RunRow {
  const { runId, sessionKey, agentId } = run
  if (findRun(tx, runId)) {
    throw new SluiceError('CONFLICT', `The run id ${runId} is taken. Use a new one for a new request.`, {
      details: { runId },
      outcome: 'not-started',
    })
  }
  const session = ensureSession(tx, { key: sessionKey, agentId, nowMs })
  tx.run(INSERT, {
    runId,
    sessionKey,
    agentId,
    nowMs,
    sessionId: session.sessionId,
    echoKey: run.echoKey,
    source: run.source,
    model: run.model ?? null,
    extraPrompt: run.extraPrompt ?? null,
    timeoutMs: run.timeoutMs ?? null,
    jobId: run.jobId ?? null,
    occurrence: run.occurrence ?? null,
    freshSession: run.freshSession ? 1 : 0,
  })
  tx.run(INSERT_INBOX, { sessionKey, runId, text: run.text, nowMs })
  touchSession(tx, { key: sessionKey, nowMs, text: run.text })
  return requireRun(tx, runId)
}

function withAhead(tx: Tx, run: RunRow): { run: RunRow; ahead: number } {
  const row = tx.get<{ ahead: number }>(COUNT_AHEAD, [run.sessionKey, run.runId])
  return { run, ahead: row?.ahead ?? 0 }
}

const acceptMessage: WriteFunctions['acceptMessage'] = (tx, { run, key, nowMs }) =>
  once(tx, {
    key,
    nowMs,
    make: () => {
      if (run.source === 'chat') markRepliesRead(tx, run.sessionKey, nowMs)
      return withAhead(tx, insertRun(tx, run, nowMs))
    },
    keep: taken => ({ runId: taken.run.runId }),
    again: kept => withAhead(tx, requireRun(tx, kept.runId)),
  })

/** The run's message becomes its `input` entry; a later attempt finds it there. */
function consumeInbox(tx: Tx, run: RunRow, nowMs: number): void {
  const message = tx.get<InboxRow>(WAITING, [run.runId])
  if (!message) return
  const entryId = insertEntry(tx, { ...run, nowMs }, { kind: 'input', text: message.text })
  tx.run(CONSUME, [entryId, message.id])
}

const claimRun: WriteFunctions['claimRun'] = (tx, { runId, epoch, nowMs, events }) => {
  tx.requireEpoch(epoch)
  const row = tx.get<RunColumns>(FIND, [runId])
  if (row?.state !== 'queued') return fresh(undefined)
  let sessionId = row.session_id
  if (row.attempt === 0) {
    // The transcript is chosen when the turn begins: a reset in between is meant for what comes after it.
    const name = { key: row.session_key, agentId: row.agent_id, nowMs }
    sessionId = (row.fresh_session ? renewSession(tx, name) : ensureSession(tx, name)).sessionId
  }
  tx.run(CLAIM, { runId, epoch, sessionId, nowMs })
  const run = requireRun(tx, runId)
  consumeInbox(tx, run, nowMs)
  touchSession(tx, { key: run.sessionKey, nowMs })
  emitAll(tx, events)
  return fresh(run)
}

/** The run, if just this attempt still holds it; else STALE. */
function requireFence(tx: Tx, fence: Fence): RunRow {
  tx.requireEpoch(fence.epoch)
  const run = findRun(tx, fence.runId)
  if (run?.state === 'running' && run.epoch === fence.epoch && run.attempt === fence.attempt) return run
  const present = run ? `it is ${run.state}, attempt ${run.attempt}, epoch ${run.epoch}` : 'there is no such run'
  throw new SluiceError(
    'STALE',
    `Attempt ${fence.attempt} (epoch ${fence.epoch}) no longer holds run ${fence.runId}: ${present}. Drop this work.`,
    { details: { ...fence }, outcome: 'not-started' },
  )
}

function appendEntry(tx: Tx, { run, nowMs }: { run: RunRow; nowMs: number }, entry: EntryBody): number {
  if (entry.kind === 'result' && !tx.get(FIND_MESSAGE, [entry.message, run.runId])) {
    throw new SluiceError('NOT_FOUND', `Run ${run.runId} has no message entry ${entry.message} to answer.`, {
      details: { runId: run.runId, message: entry.message },
      outcome: 'not-started',
    })
  }
  if (entry.kind === 'message') {
    touchSession(tx, { key: run.sessionKey, nowMs, text: entry.text, model: entry.model, ...entry.usage })
  }
  return insertEntry(tx, { ...run, nowMs }, entry)
}

const appendEntries: WriteFunctions['appendEntries'] = (tx, { fence, entries, nowMs, events }) => {
  const run = requireFence(tx, fence)
  const ids = entries.map(entry => appendEntry(tx, { run, nowMs }, entry))
  emitAll(tx, events)
  return fresh(ids)
}

const OCCURRENCE_STATE = { ok: 'ok', failed: 'failed', aborted: 'cancelled', 'timed-out': 'timed-out' } as const

const endRun: WriteFunctions['endRun'] = (tx, { fence, end, notice, nowMs, events }) => {
  const run = requireFence(tx, fence)
  const { state, reply, error } = end
  insertEntry(tx, { ...run, nowMs }, { kind: 'end', state, ...(error !== undefined && { error }) })
  tx.run(END, { runId: run.runId, state, reply: reply ?? null, error: error ?? null, nowMs })
  touchSession(tx, { key: run.sessionKey, nowMs, text: reply })
  emitAll(tx, events)
  if (run.source === 'chat' && reply) writeReply(tx, run, { text: reply, nowMs })
  if (notice) writeNotice(tx, notice, nowMs)
  finishOccurrence(tx, { ...run, state: OCCURRENCE_STATE[state], error, summary: reply, nowMs })
  return fresh(requireRun(tx, run.runId))
}

const cancelQueuedRun: WriteFunctions['cancelQueuedRun'] = (tx, { runId, reason, nowMs, events }) => {
  const run = findRun(tx, runId)
  if (run?.state !== 'queued') return fresh(undefined)
  // A run that came back from an earlier boot has a journal, and a journal has an end.
  if (run.attempt > 0) insertEntry(tx, { ...run, nowMs }, { kind: 'end', state: 'aborted', error: reason })
  tx.run(END, { runId, state: 'aborted', reply: null, error: reason, nowMs })
  tx.run(CLOSE, [runId])
  emitAll(tx, events)
  finishOccurrence(tx, { ...run, state: 'cancelled', error: reason, nowMs })
  return fresh(requireRun(tx, runId))
}

const requeueRun: WriteFunctions['requeueRun'] = (tx, { fence, lost }) => {
  const { runId } = requireFence(tx, fence)
  tx.run(REQUEUE, { runId, lost: lost ? 1 : 0 })
  return fresh(requireRun(tx, runId))
}

const recoverRuns: WriteFunctions['recoverRuns'] = (tx, { epoch, nowMs }) => {
  tx.requireEpoch(epoch)
  tx.run(REQUEUE_OLDER, [epoch])
  loseOccurrences(tx, { epoch, nowMs })
  return fresh(tx.all<RunColumns>(QUEUED).map(toRun))
}

export const runWrites = { acceptMessage, claimRun, appendEntries, endRun, requeueRun, cancelQueuedRun, recoverRuns }
