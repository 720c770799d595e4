// Decides where a large read is made: in place when it is small after all, else in a thread of its own (W8), which is
// started when it is first needed and again when it has died or was ended for want of work. Answers of the thread about
// jobs are remembered until a commit touches jobs, as those in place are.
import { errorFromData, SluiceError } from '../../base/errors.ts'
import type { LargeReadName, LargeReads } from '../port.ts'
import type { LargeReadsHere } from './large-reads.ts'
import type { FromReader, ReaderLink, StartReader } from './reader-link.ts'

/** Of long texts, read at once by the thread that serves the control plane. */
export const IN_PLACE_BYTES_MAX = 262_144
/** Large reads that may wait for the thread. */
export const READS_WAITING_MAX = 1_000
const BUSY_RETRY_AFTER_MS = 250

export interface LargeReaderParts {
  readonly folder: string
  /** Undefined: everything is read in place. */
  readonly start: StartReader | undefined
  readonly here: () => LargeReadsHere
  /** Counts what may have changed jobs. */
  readonly commits: () => number
}

export class LargeReader {
  readonly reads: LargeReads
  readonly #parts: LargeReaderParts
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>()
  #link: ReaderLink | undefined
  #lastId = 0
  #known = { version: -1, answers: new Map<string, unknown>() }
  #closed = false

  constructor(parts: LargeReaderParts) {
    this.#parts = parts
    const names: Readonly<Record<LargeReadName, true>> = {
      jobs: true,
      occurrences: true,
      entries: true,
      transcript: true,
      blob: true,
      unreadNotices: true,
      pendingApprovals: true,
    }
    const read =
      (name: LargeReadName) =>
      (...args: unknown[]) =>
        this.#read(name, args)
    const reads = Object.keys(names).map(name => [name, read(name as LargeReadName)])
    this.reads = Object.fromEntries(reads) as LargeReads
  }

  /** What fails in place is a rejection, too: who reads looks in one place for it. */
  #read(name: LargeReadName, args: readonly unknown[]): unknown {
    try {
      return this.#readWhereItFits(name, args)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #readWhereItFits(name: LargeReadName, args: readonly unknown[]): unknown {
    const here = this.#parts.here()[name] as { read(...args: unknown[]): unknown; bytes(...args: unknown[]): number }
    if (!this.#parts.start || here.bytes(...args) <= IN_PLACE_BYTES_MAX) return here.read(...args)
    return name === 'jobs' ? this.#remembered(name, args) : this.#readApart(name, args)
  }

  #remembered(name: LargeReadName, args: readonly unknown[]): unknown {
    const version = this.#parts.commits()
    if (version !== this.#known.version) this.#known = { version, answers: new Map() }
    const { answers } = this.#known
    const key = JSON.stringify(args)
    const known = answers.get(key)
    if (known !== undefined) return known
    const answer = this.#readApart(name, args)
    answers.set(key, answer)
    answer.catch(() => answers.delete(key))
    return answer
  }

  #readApart(name: LargeReadName, args: readonly unknown[]): Promise<unknown> {
    if (this.#pending.size >= READS_WAITING_MAX) {
      const text = `${READS_WAITING_MAX} large reads are waiting for the disk. Try again later.`
      return Promise.reject(
        new SluiceError('BUSY', text, { outcome: 'not-started', retryAfterMs: BUSY_RETRY_AFTER_MS }),
      )
    }
    const id = ++this.#lastId
    const answer = Promise.withResolvers<unknown>()
    this.#pending.set(id, answer)
    this.#link ??= this.#started(this.#parts.start as StartReader)
    this.#link.post({ id, name, args })
    return answer.promise
  }

  #started(start: StartReader): ReaderLink {
    const link: ReaderLink = start(this.#parts.folder, {
      message: message => this.#settle(message),
      quiet: () => {
        if (this.#link !== link || this.#pending.size > 0) return
        // Forgotten first: a read that comes while it ends starts the next one.
        this.#link = undefined
        void link.end()
      },
      ended: reason => {
        if (this.#link !== link) return
        this.#link = undefined
        this.#failAll(reason)
      },
    })
    return link
  }

  #settle(message: FromReader): void {
    const pending = this.#pending.get(message.id)
    this.#pending.delete(message.id)
    if ('error' in message) pending?.reject(errorFromData(message.error))
    else pending?.resolve(message.value)
  }

  #failAll(reason: string): void {
    const text = this.#closed
      ? 'The store is closed.'
      : `The thread that reads for the store is lost (${reason}). Nothing else is: ask again.`
    for (const { reject } of this.#pending.values()) {
      reject(new SluiceError('UNAVAILABLE', text, { outcome: 'not-started' }))
    }
    this.#pending.clear()
  }

  /** Ends the thread; reads that wait for it are refused. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#link?.end()
  }
}
