// One prepared select and how it is run: its errors come in our words, and are remembered until it succeeds again, so
// that the gateway can say what it cannot read.
import type { Database } from 'better-sqlite3'
import { storeFailed } from './failures.ts'

type Value = string | number | null
export type Params = Readonly<Record<string, Value>> | readonly Value[]

/** Prepares a select. */
export type Select = <R>(sql: string) => { all(params: Params): R[]; get(params: Params): R | undefined }

/** What could not be read when it was tried last, by its select. */
export type ReadFaults = Map<string, string>

export function selectOn(db: Database, faults: ReadFaults): Select {
  return <R>(sql: string) => {
    const statement = db.prepare(sql)
    const guarded = <T>(read: () => unknown): T => {
      try {
        const found = read() as T
        if (faults.size > 0) faults.delete(sql)
        return found
      } catch (error) {
        const failure = storeFailed(db.name, error, 'not-started')
        faults.set(sql, failure.message)
        throw failure
      }
    }
    return {
      all: params => guarded<R[]>(() => statement.all(params)),
      get: params => guarded<R | undefined>(() => statement.get(params)),
    }
  }
}
