// Sessions, their transcripts' entries, and notices (texts told to a session whose person may not have seen them yet).
// A session is a row that is made when first named; nothing here starts a turn.
import { createHash } from 'node:crypto'
import type { NewNotice, StoreWrites } from '../port.ts'
import { type EntryBody, type RunRow, replyIds, type SessionRow } from '../rows.ts'
import { onceSame } from './keys.ts'
import { type SessionColumns, toSession } from './rows.ts'
import { forgetPreview, queueSends, queueTo } from './sends.ts'
import { fresh, type Tx, type WriteFunctions } from './tx.ts'

/** How much of a message a session's row shows, in UTF-16 units. */
const LAST_MESSAGE_LENGTH_MAX = 200

const FIND = 'SELECT * FROM sessions WHERE key = ? AND deleted_at_ms IS NULL'
const IS_DELETED = 'SELECT 1 FROM sessions WHERE key = ? AND deleted_at_ms IS NOT NULL'
const INSERT = `INSERT INTO sessions (key, agent_id, session_id, created_at_ms, updated_at_ms)
  VALUES (:key, :agentId, :sessionId, :nowMs, :nowMs)`
const COUNT_MADE = "UPDATE meta SET value = value + 1 WHERE name = 'sessions_made' RETURNING value"
const RENEW = `UPDATE sessions SET session_id = :sessionId, updated_at_ms = max(updated_at_ms, :nowMs),
  input_tokens = 0, output_tokens = 0, last_message = NULL, model = NULL, settings = json_remove(settings, '$.model'),
  deleted_at_ms = NULL WHERE key = :key`
const TOUCH = `UPDATE sessions SET updated_at_ms = max(updated_at_ms, :nowMs),
  last_message = ifnull(:text, last_message), model = ifnull(:model, model),
  input_tokens = input_tokens + :input, output_tokens = output_tokens + :output
  WHERE key = :key AND session_id = ifnull(:sessionId, session_id)`
const INSERT_ENTRY = `INSERT INTO entries
  (run_id, session_key, session_id, kind, body, created_at_ms, answers_entry, answers_ordinal)
  VALUES (:runId, :sessionKey, :sessionId, :kind, :body, :nowMs, :message, :ordinal)`
const INSERT_NOTICE = `INSERT INTO outbox (id, session_key, text, source, job_id, at_ms, created_at_ms)
  VALUES (:id, :sessionKey, :text, :source, :jobId, :atMs, :nowMs)`
const FIND_NOTICE = 'SELECT 1 FROM outbox WHERE id = ?'
const MARK_REPLIES_READ = `UPDATE outbox SET state = 'read', read_at_ms = :nowMs
  WHERE state = 'unread' AND session_key = :sessionKey AND source = 'reply'`
const MARK_READ = "UPDATE outbox SET state = 'read', read_at_ms = ? WHERE id = ? AND state = 'unread'"

interface SessionName {
  readonly key: string
  readonly agentId: string
  readonly nowMs: number
}

/** The agent that a canonical session key (`agent:<agent>:<rest>`) names. */
export function agentOf(sessionKey: string): string {
  return sessionKey.split(':')[1] as string
}

/** Unique in this store, and the same again when the same history is played again; not a secret. */
function newSessionId(tx: Tx, name: SessionName): string {
  const made = tx.get<{ value: number }>(COUNT_MADE)
  const hex = createHash('sha256').update(`${made?.value} ${name.nowMs} ${name.key}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

export function findSession(tx: Tx, key: string): SessionRow | undefined {
  const row = tx.get<SessionColumns>(FIND, [key])
  return row && toSession(row)
}

/** The session's row, made when missing. */
export function ensureSession(tx: Tx, name: SessionName): SessionRow {
  const found = findSession(tx, name.key)
  if (found) return found
  const sessionId = newSessionId(tx, name)
  const isDeleted = tx.get(IS_DELETED, [name.key]) !== undefined
  if (isDeleted) tx.run(RENEW, { key: name.key, sessionId, nowMs: name.nowMs })
  else tx.run(INSERT, { key: name.key, agentId: name.agentId, sessionId, nowMs: name.nowMs })
  return findSession(tx, name.key) as SessionRow
}

/** Gives the session a new, empty transcript; what was said stays under the old session id. Made when missing. */
export function renewSession(tx: Tx, name: SessionName): SessionRow {
  if (!findSession(tx, name.key)) return ensureSession(tx, name)
  tx.run(RENEW, { key: name.key, sessionId: newSessionId(tx, name), nowMs: name.nowMs })
  return ensureSession(tx, name)
}

/** The beginning of a text, never cut within a character. */
function beginning(text: string): string {
  const cut = text.slice(0, LAST_MESSAGE_LENGTH_MAX)
  return cut.isWellFormed() ? cut : cut.slice(0, -1)
}

export interface SessionTouch {
  readonly key: string
  readonly nowMs: number
  /** Of the transcript in which it was said: where the session has begun anew since, it is no matter of the new one. */
  readonly sessionId?: string | undefined
  readonly text?: string | undefined
  readonly model?: string | undefined
  readonly inputTokens?: number | undefined
  readonly outputTokens?: number | undefined
}

/** Notes that something was said, by whom is no matter; an empty text leaves the last message as it is. */
export function touchSession(tx: Tx, touch: SessionTouch): void {
  tx.run(TOUCH, {
    key: touch.key,
    nowMs: touch.nowMs,
    sessionId: touch.sessionId ?? null,
    text: touch.text ? beginning(touch.text) : null,
    model: touch.model ?? null,
    input: touch.inputTokens ?? 0,
    output: touch.outputTokens ?? 0,
  })
}

export interface EntryPlace {
  readonly runId?: string
  readonly sessionKey: string
  readonly sessionId: string
  readonly nowMs: number
}

/** Appends one entry and answers its id. */
export function insertEntry(tx: Tx, place: EntryPlace, body: EntryBody): number {
  const answered = body.kind === 'result' ? body : undefined
  return tx.run(INSERT_ENTRY, {
    runId: place.runId ?? null,
    sessionKey: place.sessionKey,
    sessionId: place.sessionId,
    kind: body.kind,
    body: JSON.stringify(body),
    nowMs: place.nowMs,
    message: answered?.message ?? null,
    ordinal: answered?.ordinal ?? null,
  }).id
}

/** Tells a session a text: transcript entry, unread outbox row, durable `chat` event. */
export function writeNotice(tx: Tx, notice: NewNotice, nowMs: number): void {
  const { id, sessionKey, text, source, jobId, atMs, files } = notice
  if (notice.isReply) {
    // A person wrote meanwhile, and is owed it for that already.
    if (!tx.get(FIND_NOTICE, [replyId(id)])) writeReply(tx, { runId: id, sessionKey }, { text, files, nowMs })
    return
  }
  if (notice.to) {
    queueTo(tx, notice.to, { owed: { id, sessionKey, text, source, files }, nowMs })
    return
  }
  const session = ensureSession(tx, { key: sessionKey, agentId: notice.agentId, nowMs })
  const ofJob = jobId === undefined ? {} : { jobId }
  insertEntry(tx, { sessionKey, sessionId: session.sessionId, nowMs }, { kind: 'notice', id, text, ...ofJob, atMs })
  tx.run(INSERT_NOTICE, { id, sessionKey, text, source, jobId: jobId ?? null, atMs, nowMs })
  queueSends(tx, { id, sessionKey, text, source, files }, nowMs)
  touchSession(tx, { key: sessionKey, nowMs, text })
  tx.emit('chat', {
    runId: `notice:${id}`,
    sessionKey,
    seq: 0,
    state: 'final',
    message: { role: 'assistant', content: [{ type: 'text', text }], timestamp: nowMs },
    notice: { id, atMs, source, ...ofJob },
  })
}

/** The reply to a person's message, or to what a session was told, kept until it was shown: the transcript has it already, the chat may be closed. */
export function writeReply(
  tx: Tx,
  run: Pick<RunRow, 'runId' | 'sessionKey'>,
  { text, files, nowMs }: Pick<NewNotice, 'text' | 'files'> & { nowMs: number },
): void {
  const { runId, sessionKey } = run
  const reply = { id: replyId(runId), sessionKey, text, source: 'reply' } as const
  forgetPreview(tx, replyIds(runId).preview, nowMs)
  tx.run(INSERT_NOTICE, { ...reply, jobId: null, atMs: nowMs, nowMs })
  queueSends(tx, { ...reply, files }, nowMs)
}

function replyId(runId: string): string {
  return replyIds(runId).reply
}

export function markRepliesRead(tx: Tx, sessionKey: string, nowMs: number): void {
  tx.run(MARK_REPLIES_READ, { sessionKey, nowMs })
}

/** Answers how many notices that were unread have this id: one or none. */
export function markRead(tx: Tx, id: string, nowMs: number): number {
  return tx.run(MARK_READ, [nowMs, id]).changes
}

const markNoticesRead: WriteFunctions['markNoticesRead'] = (tx, { ids, nowMs }) => {
  let marked = 0
  for (const id of ids) marked += markRead(tx, id, nowMs)
  return fresh({ marked })
}

const resetSession: WriteFunctions['resetSession'] = (tx, args: Parameters<StoreWrites['resetSession']>[0]) =>
  onceSame(tx, args, () => renewSession(tx, { key: args.sessionKey, agentId: args.agentId, nowMs: args.nowMs }))

export const sessionWrites = { markNoticesRead, resetSession }
