// Messages that wait in a session and become part of another run's turn: the row of each is consumed by the `input` entry
// that shows it, in one commit, and its run ends there (nothing is lost or answered twice). Whether a message may merge
// was said when it was accepted.
import type { ChatEvent } from '../../protocol/events.ts'
import type { MergedMessage } from '../port.ts'
import { datedOf, type QueueMode, type RunRow, type RunSource } from '../rows.ts'
import type { Tx } from './tx.ts'
import { attachmentsOf, nameBlobs } from './writes-blobs.ts'
import { findSession, insertEntry } from './writes-sessions.ts'

const WAITING = `SELECT runs.run_id, runs.source, runs.echo_key, inbox.id, inbox.text, inbox.attachments FROM runs JOIN inbox ON inbox.run_id = runs.run_id
  WHERE runs.session_key = ? AND runs.state IN ('queued', 'running') AND runs.state = 'queued' AND runs.attempt = 0
  AND runs.queue_mode = ? AND inbox.state = 'waiting' ORDER BY runs.id`
const CONSUME = "UPDATE inbox SET state = 'consumed', entry_id = ? WHERE id = ?"
const MERGE = `UPDATE runs SET state = 'ok', merged_into = :into, session_id = :sessionId, started_at_ms = :nowMs,
  ended_at_ms = :nowMs WHERE run_id = :runId`
const MERGED = 'SELECT 1 FROM runs WHERE merged_into = ?'

interface WaitingRow {
  readonly run_id: string
  readonly source: RunSource
  readonly echo_key: string
  readonly id: number
  readonly text: string
  /** As entries name them, in JSON. */
  readonly attachments: string | null
}

/** Takes what waits in the run's session as `mode` into its turn, oldest first. */
export function mergeWaiting(
  tx: Tx,
  into: RunRow,
  { mode, nowMs }: { mode: QueueMode; nowMs: number },
): MergedMessage[] {
  // What was written after a reset is meant for the new transcript.
  if (findSession(tx, into.sessionKey)?.sessionId !== into.sessionId) return []
  return tx.all<WaitingRow>(WAITING, [into.sessionKey, mode]).map(row => {
    const attached = attachmentsOf(row.attachments)
    const input = { kind: 'input', text: row.text, ...attached, ...datedOf(row.source), of: row.run_id } as const
    const entryId = insertEntry(tx, { ...into, nowMs }, input)
    nameBlobs(tx, entryId, attached)
    tx.run(CONSUME, [entryId, row.id])
    tx.run(MERGE, { into: into.runId, sessionId: into.sessionId, nowMs, runId: row.run_id })
    // A client that waits for its own run hears that it ended, and shows the other's from then on.
    const event: ChatEvent = {
      runId: row.run_id,
      sessionKey: row.echo_key,
      session: into.sessionKey,
      seq: 1,
      state: 'final',
      mergedInto: into.runId,
    }
    tx.emit('chat', event)
    return { runId: row.run_id, input }
  })
}

/** Whether somebody's message was merged into the run: its reply is theirs then, whoever asked for the run. */
export function hasMerged(tx: Tx, runId: string): boolean {
  return tx.get(MERGED, [runId]) !== undefined
}
