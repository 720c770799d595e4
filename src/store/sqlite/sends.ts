// Texts that are owed to a chat of a channel, as all who owe one need them: the route of a session, and the sends of a
// text, which is split once, here. Only the head of a line (one chat's texts in order, its control answers apart) has an
// instant; whoever takes it away calls `advance`. How a send goes out and ends is written by writes-outbox.ts.
import { DAY } from '../../base/durations.ts'
import { chunksOf } from '../chunks.ts'
import type { NewAttachment, Route } from '../port.ts'
import type { Buttons, SendRow } from '../rows.ts'
import type { SendColumns } from './rows.ts'
import type { Tx } from './tx.ts'
import { keepFile } from './writes-blobs.ts'

/** After so long a text says nothing to its person any more. */
export const SEND_EXPIRES_MS = DAY

export const FIND_ROUTE = 'SELECT channel_id, chat_id, text_length_max FROM routes WHERE session_key = ?'
const WRITE_ROUTE = `INSERT INTO routes VALUES (:sessionKey, :channelId, :chatId, :textLengthMax, :nowMs)
  ON CONFLICT DO UPDATE SET channel_id = :channelId, chat_id = :chatId, text_length_max = :textLengthMax,
  updated_at_ms = :nowMs`
const INSERT = `INSERT INTO sends (id, text_id, session_key, channel_id, chat_id, source, text, file, buttons, created_at_ms, expires_at_ms)
  VALUES (:id, :textId, :sessionKey, :channelId, :chatId, :source, :text, :file, :buttons, :nowMs, :expiresAtMs)`
const LINE = 'channel_id = :channelId AND chat_id = :chatId AND is_control = :isControl'
const ADVANCE = `UPDATE sends SET due_at_ms = :nowMs
  WHERE seq = (SELECT min(seq) FROM sends WHERE ${LINE} AND state = 'queued')
  AND NOT EXISTS (SELECT 1 FROM sends WHERE ${LINE} AND (due_at_ms IS NOT NULL OR state = 'sending'))`
const RETRACTED = "SELECT * FROM sends WHERE text_id = ? AND state = 'queued' LIMIT 1"
const FORGET = "DELETE FROM sends WHERE text_id = ? AND state = 'queued'"
const RETRACT = `UPDATE sends SET state = 'expired', due_at_ms = NULL, ended_at_ms = ? WHERE text_id = ? AND state = 'queued'`

export interface RouteColumns {
  readonly channel_id: string
  readonly chat_id: string
  readonly text_length_max: number
}

interface Line {
  readonly channelId: string
  readonly chatId: string
  readonly isControl: number
}

export function lineOf(row: Pick<SendColumns, 'channel_id' | 'chat_id' | 'is_control'>): Line {
  return { channelId: row.channel_id, chatId: row.chat_id, isControl: row.is_control }
}

export function writeRoute(tx: Tx, { route, ...more }: { sessionKey: string; route: Route; nowMs: number }): void {
  tx.run(WRITE_ROUTE, { ...more, ...route })
}

export interface OwedText {
  readonly id: string
  readonly sessionKey: string
  readonly source: SendRow['source']
  readonly text: string
  /** Go after the text, each as a send of its own. */
  readonly files?: readonly NewAttachment[] | undefined
  /** Under the last piece of the text. */
  readonly buttons?: Buttons | undefined
}

export function toRoute(row: RouteColumns): Route {
  return { channelId: row.channel_id, chatId: row.chat_id, textLengthMax: row.text_length_max }
}

/** Owes a text to the chat where the session's person reads, if there is one. */
export function queueSends(tx: Tx, owed: OwedText, nowMs: number): void {
  const row = tx.get<RouteColumns>(FIND_ROUTE, [owed.sessionKey])
  if (row) queueTo(tx, toRoute(row), { owed, nowMs })
}

/** The longest message of the chat where a send goes; undefined when its session's person reads elsewhere by now. */
export function textLengthMaxOf(tx: Tx, send: SendColumns): number | undefined {
  const row = tx.get<RouteColumns>(FIND_ROUTE, [send.session_key])
  return row?.channel_id === send.channel_id ? row.text_length_max : undefined
}

export function queueTo(tx: Tx, route: Route, { owed, nowMs }: { owed: OwedText; nowMs: number }): void {
  const { channelId, chatId, textLengthMax } = route
  const { sessionKey, source } = owed
  const under = owed.buttons ? JSON.stringify(owed.buttons) : null
  const chunks = chunksOf(owed.text, textLengthMax)
  const pieces = [
    ...chunks.map((text, at) => ({ text, file: null, buttons: at === chunks.length - 1 ? under : null })),
    ...(owed.files ?? []).map(file => {
      return { text: file.name, file: JSON.stringify(keepFile(tx, file, nowMs)), buttons: null }
    }),
  ]
  for (const [index, piece] of pieces.entries()) {
    const name = { id: `${owed.id}#${index + 1}`, textId: owed.id }
    const expiresAtMs = nowMs + SEND_EXPIRES_MS
    tx.run(INSERT, { ...name, sessionKey, channelId, chatId, source, ...piece, nowMs, expiresAtMs })
  }
  advance(tx, { channelId, chatId, isControl: source === 'control' ? 1 : 0 }, nowMs)
}

/** Makes the first that waits in a line due, unless the line has a head already. */
export function advance(tx: Tx, line: Line, nowMs: number): void {
  tx.run(ADVANCE, { ...line, nowMs })
}

/** A preview that has not gone out is none. */
export function forgetPreview(tx: Tx, previewId: string, nowMs: number): void {
  const row = tx.get<SendColumns>(RETRACTED, [previewId])
  if (!row) return
  tx.run(FORGET, [previewId])
  advance(tx, lineOf(row), nowMs)
}

/** What of a text has not gone out is not sent any more. */
export function retractSends(tx: Tx, textId: string, nowMs: number): void {
  const row = tx.get<SendColumns>(RETRACTED, [textId])
  if (!row) return
  tx.run(RETRACT, [nowMs, textId])
  advance(tx, lineOf(row), nowMs)
}
