// What a write function works with: the open transaction's statements, each prepared once, and the durable events that
// its commit will carry. It begins and ends no transaction; that is the group's business.
import type { Database, Statement } from 'better-sqlite3'
import { SluiceError } from '../../base/errors.ts'
import type { WriteAnswer, WriteArgs, WriteName, WriteValue } from '../port.ts'
import type { EventData } from './link.ts'

type Value = string | number | null | Uint8Array
type Params = Readonly<Record<string, Value>> | readonly Value[]

/** SQL that changes jobs or their ledger, when it is run as a change. */
const TOUCHES_JOBS = /\b(INTO|UPDATE|FROM)\s+(jobs|occurrences)\b/

const INSERT_EVENT = 'INSERT INTO events (event, payload) VALUES (?, ?)'

interface Prepared {
  readonly statement: Statement
  readonly touchesJobs: boolean
}

export class Tx {
  readonly epoch: number
  readonly #db: Database
  readonly #statements = new Map<string, Prepared>()
  #jobsTouched = false
  #events: EventData[] = []

  constructor(db: Database, epoch: number) {
    this.#db = db
    this.epoch = epoch
  }

  #prepared(sql: string): Prepared {
    let prepared = this.#statements.get(sql)
    if (!prepared) {
      prepared = { statement: this.#db.prepare(sql), touchesJobs: TOUCHES_JOBS.test(sql) }
      this.#statements.set(sql, prepared)
    }
    return prepared
  }

  /** The first row, or undefined. */
  get<R>(sql: string, params: Params = []): R | undefined {
    return this.#prepared(sql).statement.get(params) as R | undefined
  }

  all<R>(sql: string, params: Params = []): R[] {
    return this.#prepared(sql).statement.all(params) as R[]
  }

  /** Answers how many rows changed and the id of the last inserted one. */
  run(sql: string, params: Params = []): { changes: number; id: number } {
    const { statement, touchesJobs } = this.#prepared(sql)
    this.#jobsTouched ||= touchesJobs
    const { changes, lastInsertRowid } = statement.run(params)
    return { changes, id: Number(lastInsertRowid) }
  }

  /** Inserts a durable event; its number is final once the group commits. */
  emit(event: string, payload: unknown): void {
    const text = JSON.stringify(payload ?? null)
    const { id } = this.run(INSERT_EVENT, [event, text])
    this.#events.push({ seq: id, event, payload: text })
  }

  eventCount(): number {
    return this.#events.length
  }

  /** Forgets the events of a member that was rolled back. */
  forgetEvents(countKept: number): void {
    this.#events.length = countKept
  }

  /** Whether anything since the last time may have changed jobs or their ledger. */
  takeJobsTouched(): boolean {
    const touched = this.#jobsTouched
    this.#jobsTouched = false
    return touched
  }

  takeEvents(): EventData[] {
    const events = this.#events
    this.#events = []
    return events
  }

  /** Refuses what an older boot of the gateway still tries to write (T3). */
  requireEpoch(epoch: number): void {
    if (epoch === this.epoch) return
    throw new SluiceError('STALE', `Epoch ${epoch} is over: the store is in epoch ${this.epoch}. Drop this work.`, {
      details: { epoch, current: this.epoch },
      outcome: 'not-started',
    })
  }
}

export type WriteFunction<N extends WriteName> = (tx: Tx, args: WriteArgs<N>) => WriteAnswer<WriteValue<N>>
export type WriteFunctions = { readonly [N in WriteName]: WriteFunction<N> }

/** The answer of a function that has no key, or whose key is new. */
export function fresh<T>(value: T): WriteAnswer<T> {
  return { value, repeated: false }
}
