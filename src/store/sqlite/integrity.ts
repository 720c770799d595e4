// Checks the whole store after a stop that was not clean, in a thread of its own: it reads every page, and the loop that
// serves the control plane must not wait for that. It repairs nothing and refuses nothing; it says what it found.
import { Worker } from 'node:worker_threads'
import { databaseFile } from './database.ts'

/** What is known of a store: nothing was to be checked, the check goes on, or how it ended (`damaged: …`, `unknown: …`). */
export type Integrity = 'not-checked' | 'checking' | 'ok' | `damaged: ${string}` | `unknown: ${string}`

/** What the thread answers: the fault, or none. */
export type Verdict = { readonly fault: string | undefined } | { readonly failed: string }

export interface IntegrityCheck {
  readonly state: Integrity
  /** Ends it, done or not. */
  stop(): Promise<void>
}

/** `thread`: the entry of integrity-thread.ts. `ended` is told once how it ended, unless it was stopped before. */
export function checkIntegrity(folder: string, thread: URL, ended: (state: Integrity) => void): IntegrityCheck {
  const worker = new Worker(thread, { workerData: { file: databaseFile(folder) }, name: 'store-check' })
  let state: Integrity = 'checking'
  const end = (found: Integrity) => {
    if (state !== 'checking') return
    state = found
    ended(found)
  }
  worker.on('message', (verdict: Verdict) => end(stateOf(verdict)))
  worker.on('error', error => end(`unknown: the check failed (${(error as Error).message})`))
  worker.unref()
  return {
    get state() {
      return state
    },
    stop: async () => {
      if (state === 'checking') state = 'not-checked'
      await worker.terminate()
    },
  }
}

function stateOf(verdict: Verdict): Integrity {
  if ('failed' in verdict) return `unknown: the store could not be checked (${verdict.failed})`
  return verdict.fault === undefined ? 'ok' : `damaged: ${verdict.fault}`
}

/** What the operator is told of damage, in one line. */
export function damageAdvice(folder: string): string {
  return (
    `The store ${databaseFile(folder)} is damaged. Keep what can still be read (sluice backup create, or copy the folder), ` +
    'then stop the gateway and restore a backup: sluice backup restore <file> --force'
  )
}
