// The store as the rest of the gateway sees it: posts writes to the writer, hands its answers to their callers, and
// publishes each commit's events before them. It decides nothing about a write that was posted; when the writer is
// lost, every open write is answered `unknown`, because nobody can say more.
import type { Database } from 'better-sqlite3'
import { errorFromData, SluiceError } from '../../base/errors.ts'
import type {
  LargeReads,
  Store,
  StoredEvent,
  StoreReads,
  StoreWriters,
  WriteAnswer,
  WriteName,
  WriteOptions,
} from '../port.ts'
import { openForReading } from './database.ts'
import { LargeReader } from './large-reader.ts'
import type { Answer, EventData, FromWriter, StartLink, ToWriter, WriterLink } from './link.ts'
import type { StartReader } from './reader-link.ts'
import { type PreparedReads, prepareReads } from './reads.ts'
import { toEvent } from './rows.ts'

/** Writes that may wait for the disk at once; beyond it callers are told to come back (BUSY). */
export const PENDING_WRITES_MAX = 10_000
const BUSY_RETRY_AFTER_MS = 250
/** Writes kept in a row before a disk that refused one is well again: on one that is nearly full, small ones still fit. */
const KEPT_AGAIN_MIN = 20

const WRITE_NAMES: Readonly<Record<WriteName, true>> = {
  acceptMessage: true,
  claimRun: true,
  appendEntries: true,
  endRun: true,
  takeReply: true,
  requeueRun: true,
  cancelQueuedRun: true,
  queuePreview: true,
  dropPreview: true,
  noteStranger: true,
  letIn: true,
  denyStranger: true,
  shutOut: true,
  askApproval: true,
  decideApproval: true,
  useApproval: true,
  beginEffect: true,
  finishEffect: true,
  pairDevice: true,
  requestPairing: true,
  approvePairing: true,
  rejectPairing: true,
  rotateDeviceToken: true,
  revokeDeviceToken: true,
  noteDeviceUse: true,
  recoverRuns: true,
  addJob: true,
  replaceJob: true,
  removeJob: true,
  claimOccurrence: true,
  skipOccurrences: true,
  markNoticesRead: true,
  queueControl: true,
  queueSend: true,
  claimSend: true,
  endSend: true,
  recoverSends: true,
  resend: true,
  patchSession: true,
  deleteSession: true,
  tellSession: true,
  resetSession: true,
  removeOld: true,
}

interface Pending {
  resolve(answer: WriteAnswer<unknown>): void
  reject(error: SluiceError): void
  /** Stops listening for the caller's abort. */
  forget(): void
}

function notStarted(text: string): SluiceError {
  return new SluiceError('STORE_FAILED', text, { outcome: 'not-started' })
}

export interface Threads {
  readonly writer: StartLink
  /** For large reads; undefined: they are made in place. */
  readonly reader: StartReader | undefined
}

/** Connects to a writer and opens the reads; rejects with what the writer refused with. */
export async function connectStore(folder: string, threads: Threads): Promise<Store> {
  const store = new SqliteStore(folder, threads)
  await store.open()
  return store
}

class SqliteStore implements Store {
  readonly write: StoreWriters
  readonly #folder: string
  readonly #link: WriterLink
  readonly #large: LargeReader
  readonly #ready = Promise.withResolvers<{ epoch: number; damage: string | undefined }>()
  readonly #pending = new Map<number, Pending>()
  readonly #eventListeners: ((events: readonly StoredEvent[]) => void)[] = []
  readonly #failureListeners: ((error: Error) => void)[] = []
  #outgoing: ToWriter[] = []
  #lastId = 0
  /** Groups answered so far; reads are remembered in between. */
  #jobCommits = 0
  #epoch = 0
  #damage: string | undefined
  #reader: Database | undefined
  #prepared: PreparedReads | undefined
  /** Why the disk refused the newest write that it refused, and how many it has kept since. */
  #refused: { why: string; keptSince: number } | undefined
  #failure: SluiceError | undefined
  #closing: Promise<void> | undefined
  #idle: (() => void) | undefined

  constructor(folder: string, { writer, reader }: Threads) {
    this.#folder = folder
    const post = (name: string) => (args: unknown, options?: WriteOptions) =>
      this.#post(name as WriteName, args, options)
    this.write = Object.fromEntries(Object.keys(WRITE_NAMES).map(name => [name, post(name)])) as unknown as StoreWriters
    const commits = () => this.#jobCommits
    this.#large = new LargeReader({ folder, start: reader, here: () => this.#opened().large, commits })
    this.#link = writer(folder, { message: message => this.#receive(message), lost: error => this.#fail(error) })
  }

  async open(): Promise<void> {
    const { epoch, damage } = await this.#ready.promise
    this.#epoch = epoch
    this.#damage = damage
    try {
      this.#reader = openForReading(this.#folder)
      this.#prepared = prepareReads(this.#reader, () => this.#jobCommits)
    } catch (error) {
      await this.close()
      throw error
    }
  }

  get epoch(): number {
    return this.#epoch
  }

  get damage(): string | undefined {
    return this.#damage
  }

  get read(): StoreReads {
    return this.#opened().reads
  }

  get readLarge(): LargeReads {
    return this.#large.reads
  }

  failing(): string | undefined {
    return this.#failure?.message ?? this.#refused?.why ?? this.#prepared?.faults.values().next().value
  }

  #opened(): PreparedReads {
    if (!this.#prepared) throw notStarted('The store is closed.')
    return this.#prepared
  }

  onEvents(listener: (events: readonly StoredEvent[]) => void): void {
    this.#eventListeners.push(listener)
  }

  onFailure(listener: (error: Error) => void): void {
    const failure = this.#failure
    if (failure) queueMicrotask(() => listener(failure))
    else this.#failureListeners.push(listener)
  }

  #post(name: WriteName, args: unknown, { signal }: WriteOptions = {}): Promise<WriteAnswer<unknown>> {
    const refusal = this.#refusal(signal)
    if (refusal) return Promise.reject(refusal)
    const id = ++this.#lastId
    const { promise, resolve, reject } = Promise.withResolvers<WriteAnswer<unknown>>()
    const cancel = () => this.#send({ type: 'cancel', id })
    signal?.addEventListener('abort', cancel, { once: true })
    this.#pending.set(id, { resolve, reject, forget: () => signal?.removeEventListener('abort', cancel) })
    this.#send({ type: 'write', id, name, args })
    return promise
  }

  #refusal(signal: AbortSignal | undefined): SluiceError | undefined {
    if (signal?.aborted) {
      return new SluiceError('CANCELLED', 'The write was cancelled before it began.', { outcome: 'not-started' })
    }
    if (this.#failure) return notStarted(this.#failure.message)
    if (this.#closing) return notStarted('The store is closing: the gateway is going down.')
    if (this.#pending.size < PENDING_WRITES_MAX) return undefined
    return new SluiceError('BUSY', `${PENDING_WRITES_MAX} writes are waiting for the disk. Try again later.`, {
      outcome: 'not-started',
      retryAfterMs: BUSY_RETRY_AFTER_MS,
    })
  }

  /** Messages of one moment travel together; their order is kept. */
  #send(message: ToWriter): void {
    if (this.#outgoing.push(message) === 1) queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    const messages = this.#outgoing
    this.#outgoing = []
    if (this.#failure) return
    try {
      this.#link.post(messages)
    } catch {
      for (const message of messages) this.#postAlone(message)
    }
  }

  /** Finds the one whose arguments cannot be copied, and refuses only that. */
  #postAlone(message: ToWriter): void {
    try {
      this.#link.post([message])
    } catch (error) {
      if (message.type !== 'write') throw error
      const text = `The arguments of ${message.name} are not plain data (${String(error)}).`
      this.#settle({ id: message.id, error: { code: 'INTERNAL', message: text, outcome: 'not-started' } })
    }
  }

  #receive(message: FromWriter): void {
    switch (message.type) {
      case 'ready':
        this.#ready.resolve(message)
        break
      case 'refused':
        this.#ready.reject(errorFromData(message.error))
        break
      case 'group':
        if (message.jobs) this.#jobCommits += 1
        this.#noteRefusals(message.answers)
        if (message.events.length > 0) this.#publish(message.events)
        for (const answer of message.answers) this.#settle(answer)
        break
      case 'closed':
        break
    }
  }

  #publish(rows: readonly EventData[]): void {
    const events = rows.map(toEvent)
    for (const listener of this.#eventListeners) {
      try {
        listener(events)
      } catch (error) {
        // A listener's defect must crash loudly, but not cost the other callers their answers.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }

  /** What is the disk's fault is the same for all; a member's own refusals say nothing of it. */
  #noteRefusals(answers: readonly Answer[]): void {
    for (const answer of answers) {
      if ('error' in answer) {
        if (answer.error.code === 'STORE_FAILED') this.#refused = { why: answer.error.message, keptSince: 0 }
      } else if (this.#refused) {
        this.#refused.keptSince += 1
        if (this.#refused.keptSince >= KEPT_AGAIN_MIN) this.#refused = undefined
      }
    }
  }

  #settle(answer: Answer): void {
    const pending = this.#pending.get(answer.id)
    if (!pending) return
    this.#pending.delete(answer.id)
    pending.forget()
    if ('error' in answer) pending.reject(errorFromData(answer.error))
    else pending.resolve({ value: answer.value, repeated: answer.repeated })
    if (this.#pending.size === 0) this.#idle?.()
  }

  #fail(cause: Error): void {
    if (this.#failure) return
    const text = `The store's writer is lost (${cause.message}). Whether open writes took effect is unknown: restart the gateway.`
    const failure = new SluiceError('STORE_FAILED', text, { outcome: 'unknown', cause })
    this.#failure = failure
    this.#ready.reject(failure)
    for (const pending of this.#pending.values()) {
      pending.forget()
      pending.reject(failure)
    }
    this.#pending.clear()
    this.#idle?.()
    for (const listener of this.#failureListeners) listener(failure)
  }

  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    if (this.#pending.size > 0) {
      const idle = Promise.withResolvers<void>()
      this.#idle = idle.resolve
      await idle.promise
    }
    // The writer closes last, so that it can fold the write-ahead log back into the file.
    this.#prepared = undefined
    await this.#large.close()
    this.#reader?.close()
    if (!this.#failure) this.#link.post([{ type: 'close' }])
    await this.#link.ended
  }
}
