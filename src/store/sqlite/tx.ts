// What a write function works with: the open transaction's statements, each prepared once, and the durable events that
// its commit will carry. It begins and ends no transaction; that is the group's business.
import type { Database, Statement } from 'better-sqlite3'
import { SluiceError } from '../../base/errors.ts'
import type { WriteAnswer, WriteArgs, WriteName, WriteValue } from '../port.ts'
import type { EventData } from './link.ts'

type Value = string | number | null
type Params = Readonly<Record<string, Value>> | readonly Value[]

/** A statement that changes jobs or their ledger. */
const TOUCHES_JOBS = /\b(INTO|UPDATE|FROM)\s+(jobs|occurrences)\b/

const INSERT_EVENT = 'INSERT INTO events (event, payload) VALUES (?, ?)'

export class Tx {
  readonly epoch: number
  readonly #db: Database
  readonly #statements = new Map<string, Statement>()
  /** Of the SQL that was run as a change, whether it touches jobs. */
  readonly #touches = new Map<string, boolean>()
  #jobsTouched = false
  #events: EventData[] = []

  constructor(db: Database, epoch: number) {
    this.#db = db
    this.epoch = epoch
  }

  #statement(sql: string): Statement {
    let statement = this.#statements.get(sql)
    if (!statement) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  /** The first row, or undefined. */
  get<R>(sql: string, params: Params = []): R | undefined {
    return this.#statement(sql).get(params) as R | undefined
  }

  all<R>(sql: string, params: Params = []): R[] {
    return this.#statement(sql).all(params) as R[]
  }

  /** Answers how many rows changed and the id of the last inserted one. */
  run(sql: string, params: Params = []): { changes: number; id: number } {
    let touches = this.#touches.get(sql)
    if (touches === undefined) {
      touches = TOUCHES_JOBS.test(sql)
      this.#touches.set(sql, touches)
    }
    this.#jobsTouched ||= touches
    const { changes, lastInsertRowid } = this.#statement(sql).run(params)
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
