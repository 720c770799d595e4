// The entry of the check's thread: one read connection, one verdict, and it ends. It sees the store as it is at one
// moment and holds up no writer.
import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'
import { codeOf } from './failures.ts'
import type { Verdict } from './integrity.ts'
import { faultIn } from './soundness.ts'

function verdictOn(file: string): Verdict {
  let db: Database.Database | undefined
  try {
    db = new Database(file, { readonly: true, fileMustExist: true })
    return { fault: faultIn(db) }
  } catch (error) {
    const text = (error as Error).message
    return /^SQLITE_(CORRUPT|NOTADB)/.test(codeOf(error) ?? '') ? { fault: text } : { failed: text }
  } finally {
    db?.close()
  }
}

parentPort?.postMessage(verdictOn(workerData.file))
