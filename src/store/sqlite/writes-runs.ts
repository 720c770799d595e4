// Runs and their journals: accepted, claimed, appended to, ended. What a run of an earlier boot or attempt still tries to
// write is refused with STALE (T3). It decides nothing about lanes: that one turn runs per session is its callers' care.
import { SECOND } from '../../base/durations.ts'
import { SluiceError } from '../../base/errors.ts'
import { brokenOff } from '../announcement.ts'
import type { AcceptLimits, NewRun, RunEnd } from '../port.ts'
import { datedOf, type EntryBody, type RunRow } from '../rows.ts'
import { emitAll } from './events.ts'
import { type Handing, handOver } from './handover.ts'
import { once } from './keys.ts'
import { finishOccurrence, handOn, loseOccurrences, noteAttempt } from './ledger.ts'
import { hasMerged, mergeWaiting } from './merging.ts'
import { type RunColumns, toRun } from './rows.ts'
import { findColumns, findRun, insertRun, requireFence, requireRun } from './runs.ts'
import { writeRoute } from './sends.ts'
import { fresh, type Tx, type WriteFunctions } from './tx.ts'
import { countUsage } from './usage.ts'
import { cancelApprovals } from './writes-approvals.ts'
import { attachmentsOf, nameBlobs, takeAttachments } from './writes-blobs.ts'
import {
  ensureSession,
  insertEntry,
  markRepliesRead,
  renewSession,
  touchSession,
  writeNotice,
  writeReply,
} from './writes-sessions.ts'

/** When it is worth while to ask again for a place in a full queue. */
const FULL_RETRY_AFTER_MS = SECOND

const LIVE = "state IN ('queued', 'running')"
const COUNT_AHEAD = `SELECT count(*) AS ahead FROM runs WHERE ${LIVE} AND session_key = ?
  AND id < (SELECT id FROM runs WHERE run_id = ?)`
const COUNT_IN_SESSION = `SELECT count(*) AS n FROM runs WHERE ${LIVE} AND session_key = ?`
const COUNT_TELLING = `SELECT count(*) AS n FROM runs WHERE ${LIVE} AND tells = ?`
const COUNT_ALL = `SELECT count(*) AS n FROM runs INDEXED BY runs_live WHERE ${LIVE}`
const CLAIM = `UPDATE runs SET state = 'running', attempt = attempt + 1, epoch = :epoch, session_id = :sessionId,
  started_at_ms = ifnull(started_at_ms, :nowMs), retry_at_ms = NULL, error = NULL WHERE run_id = :runId`
const END = 'UPDATE runs SET state = :state, reply = :reply, error = :error, ended_at_ms = :nowMs WHERE run_id = :runId'
const REQUEUE = `UPDATE runs SET state = 'queued', losses = losses + :lost, retries = retries + :retried,
  retry_at_ms = :atMs, error = :error WHERE run_id = :runId`
const REQUEUE_OLDER = `UPDATE runs SET state = 'queued', losses = losses + 1 WHERE ${LIVE} AND state = 'running' AND epoch < ?`
const QUEUED = `SELECT * FROM runs INDEXED BY runs_live WHERE ${LIVE} AND state = 'queued' ORDER BY id`

const WAITING = "SELECT id, text, attachments FROM inbox WHERE run_id = ? AND state = 'waiting'"
const CONSUME = "UPDATE inbox SET state = 'consumed', entry_id = ? WHERE id = ?"
const CLOSE = "UPDATE inbox SET state = 'closed' WHERE run_id = ? AND state = 'waiting'"
const FIND_MESSAGE = "SELECT 1 FROM entries WHERE id = ? AND run_id = ? AND kind = 'message'"

interface InboxRow {
  readonly id: number
  readonly text: string
  /** As the entry names them, in JSON. */
  readonly attachments: string | null
}

function count(tx: Tx, sql: string, params: readonly string[] = []): number {
  return tx.get<{ n: number }>(sql, params)?.n ?? 0
}

/** Refuses one more run where the bounds are reached. */
function checkLimits(tx: Tx, run: NewRun, limits: AcceptLimits): void {
  const { sessionKey, tells } = run
  const ahead = count(tx, COUNT_IN_SESSION, [sessionKey])
  if (ahead >= limits.ahead) throw full(`${ahead} turns of session ${sessionKey} are running or waiting already`)
  const all = count(tx, COUNT_ALL)
  if (all >= limits.all) throw full(`${all} turns of this gateway are running or waiting already`)
  if (limits.children === undefined || tells === undefined) return
  const children = count(tx, COUNT_TELLING, [tells])
  if (children < limits.children) return
  throw new SluiceError(
    'LIMIT',
    `Session ${tells} has ${children} tasks that have not ended, as many as it may have at once: nothing was started. ` +
      'Wait for one of them to end, or stop one, then ask again.',
    { details: { sessionKey: tells, children }, outcome: 'not-started' },
  )
}

function full(why: string): SluiceError {
  return new SluiceError(
    'BUSY',
    `${why}: the message was not taken. Send it again later, or stop some of them first.`,
    {
      outcome: 'not-started',
      retryAfterMs: FULL_RETRY_AFTER_MS,
      details: { queue: 'full' },
    },
  )
}

function withAhead(tx: Tx, run: RunRow): { run: RunRow; ahead: number } {
  const row = tx.get<{ ahead: number }>(COUNT_AHEAD, [run.sessionKey, run.runId])
  return { run, ahead: row?.ahead ?? 0 }
}

const acceptMessage: WriteFunctions['acceptMessage'] = (tx, { run, route, limits, key, nowMs }) =>
  once(tx, {
    key,
    nowMs,
    make: () => {
      if (limits) checkLimits(tx, run, limits)
      if (run.source === 'chat') markRepliesRead(tx, run.sessionKey, nowMs)
      const queued = insertRun(tx, run, nowMs)
      if (run.attachments) takeAttachments(tx, run.runId, { attachments: run.attachments, nowMs })
      if (route) writeRoute(tx, { sessionKey: run.sessionKey, route, nowMs })
      return withAhead(tx, queued)
    },
    keep: taken => ({ runId: taken.run.runId }),
    again: kept => withAhead(tx, requireRun(tx, kept.runId)),
  })

/** The run's message becomes its `input` entry; a later attempt finds it there. */
function consumeInbox(tx: Tx, run: RunRow, nowMs: number): void {
  const message = tx.get<InboxRow>(WAITING, [run.runId])
  if (!message) return
  const attached = attachmentsOf(message.attachments)
  const input = { kind: 'input', text: message.text, ...attached, ...datedOf(run.source) } as const
  const entryId = insertEntry(tx, { ...run, nowMs }, { ...input, ...(run.source === 'compact' && { control: true }) })
  nameBlobs(tx, entryId, attached)
  tx.run(CONSUME, [entryId, message.id])
}

const claimRun: WriteFunctions['claimRun'] = (tx, { runId, epoch, nowMs, events }) => {
  tx.requireEpoch(epoch)
  const row = findColumns(tx, runId)
  if (row?.state !== 'queued') return fresh(undefined)
  let sessionId = row.session_id
  if (row.attempt === 0) {
    // The transcript is chosen when the turn begins: a reset in between is meant for what comes after it.
    const name = { key: row.session_key, agentId: row.agent_id, nowMs }
    sessionId = (row.fresh_session ? renewSession(tx, name) : ensureSession(tx, name)).sessionId
  }
  tx.run(CLAIM, { runId, epoch, sessionId, nowMs })
  const run = requireRun(tx, runId)
  if (row.retry_at_ms !== null) noteAttempt(tx, run)
  consumeInbox(tx, run, nowMs)
  if (run.queueMode === 'collect') mergeWaiting(tx, run, { mode: 'collect', nowMs })
  touchSession(tx, { key: run.sessionKey, nowMs })
  emitAll(tx, events)
  return fresh(run)
}

interface Appending {
  readonly run: RunRow
  readonly nowMs: number
  readonly usageDay: string | undefined
}

function appendEntry(tx: Tx, { run, nowMs, usageDay }: Appending, entry: EntryBody): number {
  if (entry.kind === 'result' && !tx.get(FIND_MESSAGE, [entry.message, run.runId])) {
    throw new SluiceError('NOT_FOUND', `Run ${run.runId} has no message entry ${entry.message} to answer.`, {
      details: { runId: run.runId, message: entry.message },
      outcome: 'not-started',
    })
  }
  const touched = { key: run.sessionKey, sessionId: run.sessionId, nowMs }
  if (entry.kind === 'message') touchSession(tx, { ...touched, text: entry.text, model: entry.model, ...entry.usage })
  if (entry.kind === 'compaction') touchSession(tx, { ...touched, ...entry.usage })
  const isAnswer = entry.kind === 'message' || entry.kind === 'compaction'
  if (isAnswer && usageDay !== undefined) countUsage(tx, run, { answer: entry, day: usageDay, nowMs })
  return insertEntry(tx, { ...run, nowMs }, entry)
}

const appendEntries: WriteFunctions['appendEntries'] = (tx, { fence, entries, merges, usageDay, nowMs, events }) => {
  const run = requireFence(tx, fence)
  const ids = entries.map(entry => appendEntry(tx, { run, nowMs, usageDay }, entry))
  emitAll(tx, events)
  return fresh({ ids, merged: merges ? mergeWaiting(tx, run, { mode: 'steer', nowMs }) : [] })
}

const OCCURRENCE_STATE = { ok: 'ok', failed: 'failed', aborted: 'cancelled', 'timed-out': 'timed-out' } as const

const endRun: WriteFunctions['endRun'] = (tx, { fence, end, notice, events, ...handing }) => {
  const { nowMs } = handing
  const run = requireFence(tx, fence)
  const { state, reply, error } = end
  insertEntry(tx, { ...run, nowMs }, { kind: 'end', state, ...(error !== undefined && { error }) })
  tx.run(END, { runId: run.runId, state, reply: reply ?? null, error: error ?? null, nowMs })
  touchSession(tx, { key: run.sessionKey, sessionId: run.sessionId, nowMs, text: reply })
  emitAll(tx, events)
  if (run.source === 'chat' || run.source === 'told' || hasMerged(tx, run.runId)) oweEnd(tx, run, { end, nowMs })
  if (notice) writeNotice(tx, { ...notice, files: end.files }, nowMs)
  const next = end.next && insertRun(tx, { ...end.next, ...ofJob(run) }, nowMs)
  if (end.next) handOn(tx, run, end.next)
  else finishOccurrence(tx, { ...run, ...occurrenceEnd(end), nowMs })
  const after = afterEnd(tx, run.runId, handing)
  return fresh(next ? { ...after, told: [...after.told, next] } : after)
}

function ofJob({ jobId, occurrence }: RunRow): Pick<NewRun, 'jobId' | 'occurrence'> {
  return { ...(jobId !== undefined && { jobId }), ...(occurrence !== undefined && { occurrence }) }
}

function occurrenceEnd({ state, outcome, error, failure, exitCode, reply, summary = reply }: RunEnd) {
  return { state: outcome ?? OCCURRENCE_STATE[state], error, failure, exitCode, summary }
}

/** A person is owed the reply, and where the turn broke off, that it did and why; one who stopped it knows. */
function oweEnd(tx: Tx, run: RunRow, { end, nowMs }: { end: RunEnd; nowMs: number }): void {
  const text = end.state === 'ok' || end.state === 'aborted' ? end.reply : brokenOff(end)
  if (text) writeReply(tx, run, { text, files: end.files, nowMs })
}

/** What hangs on every end: questions that are moot, and a reply that is owed. */
function afterEnd(tx: Tx, runId: string, handing: Handing): { run: RunRow; told: RunRow[] } {
  cancelApprovals(tx, runId, handing.nowMs)
  const told = handOver(tx, requireRun(tx, runId), handing)
  return { run: requireRun(tx, runId), told }
}

const cancelQueuedRun: WriteFunctions['cancelQueuedRun'] = (tx, { runId, reason, events, ...handing }) => {
  const { nowMs } = handing
  const run = findRun(tx, runId)
  if (run?.state !== 'queued') return fresh(undefined)
  // A run that came back from an earlier boot has a journal, and a journal has an end.
  if (run.attempt > 0) insertEntry(tx, { ...run, nowMs }, { kind: 'end', state: 'aborted', error: reason })
  tx.run(END, { runId, state: 'aborted', reply: null, error: reason, nowMs })
  tx.run(CLOSE, [runId])
  emitAll(tx, events)
  finishOccurrence(tx, { ...run, state: 'cancelled', error: reason, nowMs })
  return fresh(afterEnd(tx, runId, handing))
}

const requeueRun: WriteFunctions['requeueRun'] = (tx, { fence, lost, retry }) => {
  const { runId } = requireFence(tx, fence)
  const again = { retried: retry ? 1 : 0, atMs: retry?.atMs ?? null, error: retry?.error ?? null }
  tx.run(REQUEUE, { runId, lost: lost ? 1 : 0, ...again })
  const run = requireRun(tx, runId)
  if (retry) noteAttempt(tx, run)
  return fresh(run)
}

const recoverRuns: WriteFunctions['recoverRuns'] = (tx, { epoch, nowMs }) => {
  tx.requireEpoch(epoch)
  tx.run(REQUEUE_OLDER, [epoch])
  loseOccurrences(tx, { epoch, nowMs })
  return fresh(tx.all<RunColumns>(QUEUED).map(toRun))
}

export const runWrites = { acceptMessage, claimRun, appendEntries, endRun, requeueRun, cancelQueuedRun, recoverRuns }
