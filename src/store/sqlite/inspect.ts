// A look at a store from outside, without a gateway: whether it is whole, and the last instant it knows of. It only reads,
// in the caller's thread, and may take long on a large one.
import { existsSync } from 'node:fs'
import { databaseFile, openForReading } from './database.ts'
import { refuseForeign } from './migrations.ts'
import { faultIn } from './soundness.ts'

export interface StoreCondition {
  readonly file: string
  /** Undefined: it is whole. */
  readonly fault: string | undefined
  /** Of a turn or a firing; undefined: none yet. */
  readonly lastInstantMs: number | undefined
}

/** Undefined where there is no store. */
export function inspectStore(folder: string): StoreCondition | undefined {
  const file = databaseFile(folder)
  if (!existsSync(file)) return undefined
  let lastInstantMs: number | undefined
  try {
    const db = openForReading(folder)
    try {
      refuseForeign(db, file)
      const fault = faultIn(db)
      const newest =
        'SELECT max((SELECT ifnull(max(created_at_ms), 0) FROM runs), (SELECT ifnull(max(claimed_at_ms), 0) FROM occurrences))'
      if (fault === undefined) lastInstantMs = Number(db.prepare(newest).pluck().get()) || undefined
      return { file, fault, lastInstantMs }
    } finally {
      db.close()
    }
  } catch (error) {
    return { file, fault: (error as Error).message, lastInstantMs }
  }
}
