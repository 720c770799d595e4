// What a send goes through: claimed, carried, ended, taken up again after a crash, sent again on request. Each change is one
// commit and fenced by epoch and attempt (T3); one that may have gone out is never queued again by itself here, unless
// its channel dedupes (L4). Backoff is its callers' to say.
import { SluiceError } from '../../base/errors.ts'
import { doubtOf } from '../announcement.ts'
import type { SendEnd } from '../port.ts'
import { replyIds, type SendRow } from '../rows.ts'
import { onceSame } from './keys.ts'
import { type SendColumns, toSend } from './rows.ts'
import { findRun } from './runs.ts'
import { advance, lineOf, queueSends, queueTo, SEND_EXPIRES_MS, textLengthMaxOf } from './sends.ts'
import { fresh, type Tx, type WriteFunctions } from './tx.ts'

const FIND = 'SELECT * FROM sends WHERE id = ?'
const REPLY = replyIds('').reply
const DROP_PREVIEW = `UPDATE sends SET state = 'failed', error = 'it could not be changed', ended_at_ms = :nowMs
  WHERE id = :id AND source = 'preview' AND state = 'sent'`
const FIND_UNDER_WAY = "SELECT 1 FROM sends WHERE state = 'sending' AND channel_id = ? AND chat_id = ?"
const LEFT = "SELECT * FROM sends WHERE state = 'sending' AND channel_id = ? AND epoch < ?"
const CLAIM = `UPDATE sends SET state = 'sending', attempt = attempt + 1, epoch = :epoch, due_at_ms = NULL WHERE id = :id`
const EXPIRE = `UPDATE sends SET state = 'expired', due_at_ms = NULL, ended_at_ms = :nowMs WHERE state = 'queued'
  AND channel_id = :channelId AND chat_id = :chatId AND is_control = :isControl AND expires_at_ms <= :nowMs`
const END = `UPDATE sends SET state = :state, sent_id = :sentId, error = :error, ended_at_ms = :nowMs WHERE id = :id`
const POSTPONE = "UPDATE sends SET state = 'queued', due_at_ms = :notBeforeMs, error = :error WHERE id = :id"
const REQUEUE = `UPDATE sends SET state = 'queued', error = NULL, ended_at_ms = NULL, expires_at_ms = :expiresAtMs
  WHERE id = :id`
const MARK_SHOWN = `UPDATE outbox SET state = 'read', read_at_ms = :nowMs WHERE id = :textId AND state = 'unread'
  AND NOT EXISTS (SELECT 1 FROM sends WHERE text_id = :textId AND state <> 'sent')`
/** For a chat of which nobody knows any more how long its messages may be: any may be so long. */
const DOUBT_LENGTH_MAX = 100

function requireSend(tx: Tx, id: string): SendColumns {
  const row = tx.get<SendColumns>(FIND, [id])
  if (!row) throw new SluiceError('NOT_FOUND', `There is nothing to send under the id ${id}.`, { details: { id } })
  return row
}

const queueControl: WriteFunctions['queueControl'] = (tx, { id, sessionKey, route, text, buttons, nowMs }) => {
  if (tx.get(FIND, [`${id}#1`])) return { value: { queued: false }, repeated: true }
  queueTo(tx, route, { owed: { id, sessionKey, text, buttons, source: 'control' }, nowMs })
  return fresh({ queued: true })
}

const queuePreview: WriteFunctions['queuePreview'] = (tx, { runId, text, epoch, nowMs }) => {
  tx.requireEpoch(epoch)
  const run = findRun(tx, runId)
  const id = replyIds(runId).preview
  if (run?.state !== 'running' || tx.get(FIND, [`${id}#1`])) return fresh({ queued: false })
  queueSends(tx, { id, sessionKey: run.sessionKey, text, source: 'preview' }, nowMs)
  return fresh({ queued: true })
}

const dropPreview: WriteFunctions['dropPreview'] = (tx, { id, epoch, nowMs }) => {
  tx.requireEpoch(epoch)
  return fresh({ dropped: tx.run(DROP_PREVIEW, { id, nowMs }).changes > 0 })
}

/** Whether it changes a preview: then it may be tried again, whatever became of it. */
function changesPreview(tx: Tx, { id, text_id: textId }: SendColumns): boolean {
  if (id !== `${textId}#1` || !textId.startsWith(REPLY)) return false
  const preview = tx.get<SendColumns>(FIND, [`${replyIds(textId.slice(REPLY.length)).preview}#1`])
  return preview?.state === 'sent'
}

const queueSend: WriteFunctions['queueSend'] = (tx, args) =>
  onceSame(tx, args, () => {
    const { id, sessionKey, route, text, nowMs } = args
    queueTo(tx, route, { owed: { id, sessionKey, text, source: 'gateway' }, nowMs })
    return { id }
  })

const claimSend: WriteFunctions['claimSend'] = (tx, { id, epoch, nowMs }) => {
  tx.requireEpoch(epoch)
  const row = requireSend(tx, id)
  const isDue = row.due_at_ms !== null && row.due_at_ms <= nowMs
  if (!isDue || tx.get(FIND_UNDER_WAY, [row.channel_id, row.chat_id])) return fresh(undefined)
  if (row.expires_at_ms <= nowMs) {
    tx.run(EXPIRE, { ...lineOf(row), nowMs })
    advance(tx, lineOf(row), nowMs)
    return fresh(undefined)
  }
  tx.run(CLAIM, { id, epoch })
  return fresh(toSend(requireSend(tx, id)))
}

function end(tx: Tx, row: SendColumns, { end, nowMs }: { end: SendEnd; nowMs: number }): SendRow {
  const { id, text_id: textId } = row
  if (end.state === 'queued') tx.run(POSTPONE, { id, notBeforeMs: end.notBeforeMs, error: end.error })
  else {
    const { sentId = null, error = null } = end as { sentId?: string; error?: string }
    tx.run(END, { id, state: end.state, sentId, error, nowMs })
    if (end.state === 'sent') tx.run(MARK_SHOWN, { textId, nowMs })
    if (end.state === 'unconfirmed') tellDoubt(tx, row, nowMs)
    advance(tx, lineOf(row), nowMs)
  }
  return toSend(requireSend(tx, id))
}

/** Told once: a doubt about what was told is shown to who asks, and to nobody else. */
function tellDoubt(tx: Tx, row: SendColumns, nowMs: number): void {
  // What a preview said, its reply will say.
  if (row.source === 'doubt' || row.source === 'preview') return
  const textLengthMax = textLengthMaxOf(tx, row) ?? DOUBT_LENGTH_MAX
  const route = { channelId: row.channel_id, chatId: row.chat_id, textLengthMax }
  const owed = { id: `doubt:${row.id}:${row.attempt}`, sessionKey: row.session_key, text: doubtOf(row) }
  queueTo(tx, route, { owed: { ...owed, source: 'doubt' }, nowMs })
}

const endSend: WriteFunctions['endSend'] = (tx, { fence, ...how }) => {
  tx.requireEpoch(fence.epoch)
  const row = requireSend(tx, fence.id)
  if (row.state === 'sending' && row.epoch === fence.epoch && row.attempt === fence.attempt) {
    return fresh(end(tx, row, how))
  }
  throw new SluiceError(
    'STALE',
    `Attempt ${fence.attempt} (epoch ${fence.epoch}) no longer sends ${fence.id}: it is ${row.state}. Drop this work.`,
    { details: { ...fence }, outcome: 'not-started' },
  )
}

const recoverSends: WriteFunctions['recoverSends'] = (tx, { channelId, dedupesSends, epoch, nowMs }) => {
  tx.requireEpoch(epoch)
  const error = 'the gateway stopped while this was being sent'
  const left = tx.all<SendColumns>(LEFT, [channelId, epoch])
  const doubtful: SendEnd = { state: 'unconfirmed', error: `${error}: whether it arrived is not known` }
  let again = 0
  for (const row of left) {
    const repeats = dedupesSends || changesPreview(tx, row)
    again += repeats ? 1 : 0
    end(tx, row, { end: repeats ? { state: 'queued', notBeforeMs: nowMs, error } : doubtful, nowMs })
  }
  return fresh({ again, unconfirmed: left.length - again })
}

const ENDED: ReadonlySet<SendRow['state']> = new Set(['unconfirmed', 'failed', 'expired'])

const resend: WriteFunctions['resend'] = (tx, args) =>
  onceSame(tx, args, () => {
    const { id, nowMs } = args
    const row = requireSend(tx, id)
    const queued = ENDED.has(row.state)
    if (queued) {
      tx.run(REQUEUE, { id, expiresAtMs: nowMs + SEND_EXPIRES_MS })
      advance(tx, lineOf(row), nowMs)
    }
    return { send: toSend(requireSend(tx, id)), queued }
  })

export const outboxWrites = {
  queuePreview,
  dropPreview,
  queueControl,
  queueSend,
  claimSend,
  endSend,
  recoverSends,
  resend,
}
