// The one writer: takes posted writes, runs what waits as one transaction with a savepoint for each member, and answers
// after COMMIT returned, never before (L1). It alone decides between cancel and commit (W6). It owns the write
// connection and the folder's lock for its life; it knows nothing of threads, so that tests can run it in place.
import type { Database, Statement } from 'better-sqlite3'
import { type ErrorData, errorToData, SluiceError } from '../../base/errors.ts'
import type { WriteAnswer } from '../port.ts'
import { databaseFile, ensureFolder, openForWriting } from './database.ts'
import { endsTransaction, isBusy, memberFailure, storeFailed, surelyNotCommitted } from './failures.ts'
import type { Answer, FromWriter, ToWriter, WriteMessage } from './link.ts'
import { type FolderLock, lockFolder } from './lock.ts'
import { Tx } from './tx.ts'
import { WRITES } from './writes.ts'

/** Writes in one commit: bounds how long its first member waits for its last. */
export const GROUP_MEMBERS_MAX = 256
/** How long to wait while another process (a backup, a person's sqlite shell) writes: 600 slices of 100 ms. */
const BUSY_SLICE_MS = 100
const BUSY_SLICES_MAX = 600

/** Faults and limits that tests put between the writer and its database. */
export interface WriterHooks {
  opened?(db: Database): void
  /** Stands in for COMMIT. */
  commit?(commit: () => void): void
}

export interface WriterOptions {
  readonly folder: string
  emit(message: FromWriter): void
  readonly hooks?: WriterHooks | undefined
}

type Control = 'BEGIN IMMEDIATE' | 'COMMIT' | 'ROLLBACK' | 'SAVEPOINT member' | 'RELEASE member' | 'ROLLBACK TO member'

/** Maintenance goes alone, when nobody waits behind it; its time is nobody else's. */
function nextGroup(waiting: readonly WriteMessage[]): WriteMessage[] {
  const others = waiting.filter(({ name }) => name !== 'removeOld')
  return others.length > 0 ? others.slice(0, GROUP_MEMBERS_MAX) : waiting.slice(0, 1)
}

export class WriterCore {
  readonly #db: Database
  readonly #file: string
  readonly #lock: FolderLock
  readonly #tx: Tx
  readonly #emit: WriterOptions['emit']
  readonly #hooks: WriterHooks
  readonly #control = new Map<Control, Statement>()
  /** Posted and not executed, in order. A cancel takes its member out. */
  readonly #queue = new Map<number, WriteMessage>()
  /** Executed once in a transaction that was undone; to be run again, each alone. */
  readonly #again = new Map<number, WriteMessage>()
  readonly epoch: number
  readonly damage: string | undefined
  /** Set by a `close` message; the owner of the loop calls `close()` when nothing waits. */
  closing = false

  /** Takes the folder. Throws CONFLICT when it is taken, STORE_FAILED when the store cannot be used; leaves it as it was. */
  constructor({ folder, emit, hooks = {} }: WriterOptions) {
    ensureFolder(folder)
    this.#lock = lockFolder(folder)
    try {
      const { db, epoch, damage } = openForWriting(folder, BUSY_SLICE_MS)
      this.#db = db
      this.epoch = epoch
      this.damage = damage
    } catch (error) {
      this.#lock.release()
      throw error
    }
    this.#file = databaseFile(folder)
    this.#tx = new Tx(this.#db, this.epoch)
    this.#emit = emit
    this.#hooks = hooks
    hooks.opened?.(this.#db)
  }

  get waiting(): number {
    return this.#queue.size + this.#again.size
  }

  receive(message: ToWriter): void {
    switch (message.type) {
      case 'write':
        this.#queue.set(message.id, message)
        break
      case 'cancel':
        this.#cancel(message.id)
        break
      case 'close':
        this.closing = true
        break
      default:
        throw new Error(`The store's writer got a message that it does not know: ${JSON.stringify(message)}`)
    }
  }

  /** Too late for a member that was executed: that one commits and is answered as usual. */
  #cancel(id: number): void {
    if (!this.#queue.delete(id) && !this.#again.delete(id)) return
    const error = new SluiceError('CANCELLED', 'The write was cancelled before it began.', { outcome: 'not-started' })
    this.#emit({ type: 'group', answers: [{ id, error: errorToData(error) }], events: [], jobs: false })
  }

  /**
   * Runs what waits, up to a group's size, as one commit. `drain` hands in what was posted meanwhile: it is called when
   * the transaction has begun and nothing was executed yet, and while the database is held by another process.
   */
  commitGroup(drain: () => void): void {
    const refused = this.#begin(drain)
    const members = nextGroup([...this.#queue.values()])
    for (const { id } of members) this.#queue.delete(id)
    if (members.length === 0 && !refused) this.#rollback()
    if (members.length === 0) return
    if (refused) this.#refuse(members, refused)
    else if (!this.#runTogether(members)) {
      for (const member of members) this.#again.set(member.id, member)
      for (const member of members) this.#runAlone(member, drain)
    }
  }

  #runAlone(member: WriteMessage, drain: () => void): void {
    const refused = this.#begin(drain)
    const cancelled = !this.#again.delete(member.id)
    if (cancelled && !refused) this.#rollback()
    if (cancelled) return
    if (refused) this.#refuse([member], refused)
    else this.#runTogether([member])
  }

  /** Answers why no transaction could begin. */
  #begin(drain: () => void): ErrorData | undefined {
    let failure: unknown
    for (let slice = 0; slice < BUSY_SLICES_MAX; slice++) {
      try {
        this.#do('BEGIN IMMEDIATE')
        drain()
        return undefined
      } catch (error) {
        if (this.#db.inTransaction) throw error
        failure = error
        if (!isBusy(error)) break
        drain()
        if (this.waiting === 0) break
      }
    }
    return errorToData(storeFailed(this.#file, failure, 'not-started'))
  }

  /** False when all was undone through one member's fault or for lack of space, so that each has to run alone. */
  #runTogether(members: readonly WriteMessage[]): boolean {
    const answers: Answer[] = []
    try {
      for (const member of members) answers.push(this.#runMember(member))
    } catch (error) {
      this.#rollback()
      return this.#undone(members, error)
    }
    try {
      this.#commit()
    } catch (error) {
      const undone = this.#db.inTransaction || surelyNotCommitted(error)
      this.#rollback()
      if (undone) return this.#undone(members, error)
      this.#refuse(members, errorToData(storeFailed(this.#file, error, 'unknown')))
      return true
    }
    this.#emit({ type: 'group', answers, events: this.#tx.takeEvents(), jobs: this.#tx.takeJobsTouched() })
    return true
  }

  #undone(members: readonly WriteMessage[], error: unknown): boolean {
    if (members.length > 1) return false
    this.#refuse(members, errorToData(memberFailure(this.#file, error)))
    return true
  }

  #runMember({ id, name, args }: WriteMessage): Answer {
    const eventCount = this.#tx.eventCount()
    this.#do('SAVEPOINT member')
    try {
      const run = WRITES[name] as (tx: Tx, args: unknown) => WriteAnswer<unknown>
      const { value, repeated } = run(this.#tx, args)
      this.#do('RELEASE member')
      return { id, value, repeated }
    } catch (error) {
      if (endsTransaction(error) || !this.#db.inTransaction) throw error
      this.#tx.forgetEvents(eventCount)
      this.#do('ROLLBACK TO member')
      this.#do('RELEASE member')
      return { id, error: errorToData(memberFailure(this.#file, error)) }
    }
  }

  #refuse(members: readonly WriteMessage[], error: ErrorData): void {
    this.#emit({ type: 'group', answers: members.map(({ id }) => ({ id, error })), events: [], jobs: true })
  }

  #commit(): void {
    const commit = () => this.#do('COMMIT')
    if (this.#hooks.commit) this.#hooks.commit(commit)
    else commit()
  }

  /** SQLite has rolled back by itself after some errors; then there is only our own list of events to drop. */
  #rollback(): void {
    this.#tx.takeEvents()
    if (this.#db.inTransaction) this.#do('ROLLBACK')
  }

  #do(control: Control): void {
    let statement = this.#control.get(control)
    if (!statement) {
      statement = this.#db.prepare(control)
      this.#control.set(control, statement)
    }
    statement.run()
  }

  /** Copies the write-ahead log back, closes, and gives the folder free. */
  close(): void {
    try {
      this.#db.pragma('wal_checkpoint(TRUNCATE)')
      this.#db.close()
    } finally {
      this.#lock.release()
    }
  }
}
