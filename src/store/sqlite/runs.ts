// A run's row as all who write about runs need it: found, checked against its fence (T3), put in the queue. What a run
// goes through is written by writes-runs.ts, and who hears of its end by handover.ts.
import { SluiceError } from '../../base/errors.ts'
import type { Fence, NewRun } from '../port.ts'
import type { RunRow } from '../rows.ts'
import { type RunColumns, toRun } from './rows.ts'
import type { Tx } from './tx.ts'
import { ensureSession, touchSession } from './writes-sessions.ts'

const FIND = 'SELECT * FROM runs WHERE run_id = ?'
const INSERT = `INSERT INTO runs
  (run_id, session_key, session_id, echo_key, agent_id, source, state, model, extra_prompt, timeout_ms, rules, job_id, occurrence,
   retry_at_ms, fresh_session, parent, hops, label, tells, handover, queue_mode, created_at_ms)
  VALUES (:runId, :sessionKey, :sessionId, :echoKey, :agentId, :source, 'queued', :model, :extraPrompt, :timeoutMs, :rules, :jobId,
   :occurrence, :startAtMs, :freshSession, :parent, :hops, :label, :tells, :handover, :queueMode,
   :nowMs)`
const INSERT_INBOX = `INSERT INTO inbox (session_key, run_id, text, created_at_ms)
  VALUES (:sessionKey, :runId, :text, :nowMs)`

/** The run that tells how another ended; its id is nobody else's to give. */
export const TOLD_PREFIX = 'told:'

export function findColumns(tx: Tx, runId: string): RunColumns | undefined {
  return tx.get<RunColumns>(FIND, [runId])
}

export function findRun(tx: Tx, runId: string): RunRow | undefined {
  const row = findColumns(tx, runId)
  return row && toRun(row)
}

export function requireRun(tx: Tx, runId: string): RunRow {
  const run = findRun(tx, runId)
  if (!run) throw new SluiceError('NOT_FOUND', `There is no run ${runId}.`, { details: { runId } })
  return run
}

export function isLive({ state }: Pick<RunRow, 'state'>): boolean {
  return state === 'queued' || state === 'running'
}

/** The run, if just this attempt still holds it; else STALE. */
export function requireFence(tx: Tx, fence: Fence): RunRow {
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

/** Heartbeats, events and what the gateway tells are no sign that anybody is there; nobody pauses before they are answered. */
const LAST_ASKED = `SELECT coalesce(ended_at_ms, created_at_ms) AS at FROM runs INDEXED BY runs_of_session WHERE session_key = ?
  AND source NOT IN ('heartbeat', 'event', 'told', 'compact') ORDER BY id DESC LIMIT 1`
const IS_LIVE = "SELECT 1 FROM runs WHERE state IN ('queued', 'running') AND session_key = ? LIMIT 1"

/** Told in the commit that accepts the message, so that of two messages of one moment only the first begins anew. */
function beginsAnew(tx: Tx, { sessionKey, freshSession, resetBeforeMs }: NewRun): boolean {
  if (freshSession) return true
  if (resetBeforeMs === undefined || tx.get(IS_LIVE, [sessionKey])) return false
  const last = tx.get<{ at: number }>(LAST_ASKED, [sessionKey])
  return last !== undefined && last.at < resetBeforeMs
}

function jsonOrNull(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value)
}

/** A queued run with its inbox row, in a session that is made when missing. Throws CONFLICT for a known run id. */
export function insertRun(tx: Tx, run: NewRun, nowMs: number): RunRow {
  const { runId, sessionKey, agentId, startAtMs = null } = run
  const isReserved = runId.startsWith(TOLD_PREFIX) && run.source !== 'told'
  if (isReserved || findRun(tx, runId)) {
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
    startAtMs,
    nowMs,
    sessionId: session.sessionId,
    echoKey: run.echoKey,
    source: run.source,
    model: run.model ?? null,
    extraPrompt: run.extraPrompt ?? null,
    timeoutMs: run.timeoutMs ?? null,
    rules: jsonOrNull(run.rules),
    jobId: run.jobId ?? null,
    occurrence: run.occurrence ?? null,
    freshSession: beginsAnew(tx, run) ? 1 : 0,
    parent: run.parent ?? null,
    hops: run.hops ?? 0,
    label: run.label ?? null,
    tells: run.tells ?? null,
    handover: run.tells === undefined ? 'none' : 'open',
    queueMode: run.queueMode ?? 'followup',
  })
  tx.run(INSERT_INBOX, { sessionKey, runId, text: run.text, nowMs })
  touchSession(tx, { key: sessionKey, nowMs, text: run.text })
  return requireRun(tx, runId)
}
