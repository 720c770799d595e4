// What SQLite and the disk can throw, in our words. It decides one thing that the grouped commit depends on: whether an
// error is one member's own or ends the whole transaction. It hides nothing: the cause's text is in every message.
import { type Outcome, SluiceError } from '../../base/errors.ts'

/** SQLite's result code (`SQLITE_FULL`, `SQLITE_IOERR_WRITE`), or a file system code (`EACCES`). */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

const ENDING = ['FULL', 'IOERR', 'NOMEM', 'CORRUPT', 'NOTADB', 'READONLY', 'CANTOPEN', 'PROTOCOL', 'INTERRUPT', 'BUSY']

/** Whether a statement's error leaves the transaction around it in doubt, so that its members must run again alone. */
export function endsTransaction(error: unknown): boolean {
  const code = codeOf(error)
  return code !== undefined && ENDING.some(name => code === `SQLITE_${name}` || code.startsWith(`SQLITE_${name}_`))
}

/** Whether a failed COMMIT is sure to have had no effect; all but these leave it in doubt. */
export function surelyNotCommitted(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'SQLITE_FULL' || code === 'SQLITE_BUSY' || code === 'SQLITE_CONSTRAINT_FOREIGNKEY'
}

export function isBusy(error: unknown): boolean {
  return codeOf(error)?.startsWith('SQLITE_BUSY') === true
}

const OPEN_ADVICE: Readonly<Record<string, string>> = {
  EISDIR: 'A folder has its name: move that away.',
  ENOTDIR: 'A part of its path is a file, not a folder: choose another state folder (SLUICE_STATE_DIR).',
  EROFS: 'The disk is read-only: make it writable, or choose another state folder (SLUICE_STATE_DIR).',
}

function advice(code: string): string {
  if (code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT')
    return 'The disk is full: free some space, then try again.'
  if (code.startsWith('SQLITE_BUSY')) return 'Another process is writing to the store: stop it, then try again.'
  if (code === 'SQLITE_NOTADB') {
    return 'It is not a database. Nothing was changed: put the right file or a backup in its place (sluice backup restore <file> --force), or use another state folder.'
  }
  if (code.startsWith('SQLITE_CORRUPT')) {
    return 'It is damaged. Nothing was replaced: stop the gateway and restore a backup (sluice backup restore <file> --force), or move the file away to start with an empty store.'
  }
  if (code.startsWith('SQLITE_READONLY'))
    return 'It cannot be written: check owner, mode and whether the disk is read-only.'
  if (code.startsWith('SQLITE_CANTOPEN') || code.startsWith('E')) {
    return (
      OPEN_ADVICE[code] ??
      'It cannot be opened: check that folder and file exist, are no folder, and belong to the user that runs the gateway.'
    )
  }
  return 'Check the disk and the system log.'
}

/** What a row keeps as JSON. SQLite checks no more of a page than its own part of it; the rest fails here, as damage. */
export function fromJson(text: string) {
  try {
    return JSON.parse(text)
  } catch (error) {
    const message = `A row of the store cannot be understood (${(error as Error).message}). ${advice('SQLITE_CORRUPT')}`
    throw new SluiceError('STORE_FAILED', message, { outcome: 'not-started', cause: error })
  }
}

/** STORE_FAILED with the file, the cause in SQLite's words, and what the operator should do. */
export function storeFailed(file: string, error: unknown, outcome: Outcome): SluiceError {
  const code = codeOf(error) ?? ''
  const text = error instanceof Error ? error.message : String(error)
  // Node's own texts begin with the code.
  const reason = text.startsWith(code) ? text : `${code}: ${text}`
  return new SluiceError('STORE_FAILED', `${file} failed (${reason}). ${advice(code)}`, {
    details: { file, ...(code && { code }) },
    outcome,
    cause: error,
  })
}

/** One member's own failure, after its savepoint was rolled back. What we did not expect stays a defect (INTERNAL). */
export function memberFailure(file: string, error: unknown): unknown {
  if (error instanceof SluiceError) return error
  const code = codeOf(error)
  if (code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY') {
    return new SluiceError('CONFLICT', `This id is in the store already (${(error as Error).message}). Use another.`, {
      outcome: 'not-started',
      cause: error,
    })
  }
  if (code?.startsWith('SQLITE_') && !code.startsWith('SQLITE_CONSTRAINT'))
    return storeFailed(file, error, 'not-started')
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new SluiceError('INTERNAL', text, { outcome: 'not-started', cause: error })
}
