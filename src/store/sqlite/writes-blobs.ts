// Files that come with messages or go with replies. Each is kept once, by the hash of its bytes, outside the journal: the
// inbox row and then the input entry name it, or a send. What nothing names any more goes by retention, not here.
import { createHash } from 'node:crypto'
import type { NewAttachment } from '../port.ts'
import type { Attachment } from '../rows.ts'
import type { Tx } from './tx.ts'

// The instant moves on: what came again just now is not old, whoever named it before.
const KEEP = `INSERT INTO blobs (hash, content, kept_at_ms) VALUES (:hash, :content, :nowMs)
  ON CONFLICT (hash) DO UPDATE SET kept_at_ms = max(kept_at_ms, :nowMs)`
const ATTACH = 'UPDATE inbox SET attachments = :attachments WHERE run_id = :runId'
const NAME = 'INSERT OR IGNORE INTO blob_names (hash, entry_id) VALUES (?, ?)'

/** Keeps the bytes, as long as something names them. Hashed here, off the control loop. */
export function keepFile(tx: Tx, { mime, name, content }: NewAttachment, nowMs: number): Attachment {
  const hash = createHash('sha256').update(content).digest('hex')
  tx.run(KEEP, { hash, content, nowMs })
  return { blob: hash, mime, name, bytes: content.byteLength }
}

/** Keeps the files of a message that was just taken, and has its inbox row name them. */
export function takeAttachments(
  tx: Tx,
  runId: string,
  { attachments, nowMs }: { attachments: readonly NewAttachment[]; nowMs: number },
): void {
  const named = attachments.map(file => keepFile(tx, file, nowMs))
  if (named.length > 0) tx.run(ATTACH, { runId, attachments: JSON.stringify(named) })
}

/** What an inbox row brought, for the entry that shows it. */
export function attachmentsOf(json: string | null): { attachments?: readonly Attachment[] } {
  return json === null ? {} : { attachments: JSON.parse(json) }
}

/** An entry names its files, and so keeps them. */
export function nameBlobs(tx: Tx, entryId: number, { attachments = [] }: ReturnType<typeof attachmentsOf>): void {
  for (const { blob } of attachments) tx.run(NAME, [blob, entryId])
}
