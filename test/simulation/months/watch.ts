// What is looked at after every step of a world of months: the durable events that say what began and ended, in the order
// of their commits, and the rows that ended. Overlap, alerts and pauses are judged by them; the rest when all is over.
import type { Database } from 'better-sqlite3'
import { SECOND } from '../../../src/base/durations.ts'
import { ask } from '../disk.ts'
import { isByHand, isMissed, type JobBook, type LedgerRow, words } from './books.ts'
import { endsFor, takesEnd } from './followers.ts'

const ROOM = { skip: 0, 'queue-one': 1, 'queue-all': 100, 'cancel-previous': 100, allow: 100 } as const
/** A run that is stopped has so long to end. */
const GRACE_MS = 10 * SECOND
const EVENTS = "SELECT seq, payload FROM events WHERE seq > ? AND event = 'cron' ORDER BY seq"
const BEGUN = "(state <> 'skipped' OR run_id IS NOT NULL)"
const NEXT_BEGUN = `SELECT * FROM occurrences WHERE job_id = ? AND id > ? AND ${BEGUN} ORDER BY id LIMIT 1`
const NEXT_LEFT_OUT = `SELECT * FROM occurrences WHERE job_id = ? AND id > ? AND NOT ${BEGUN} ORDER BY id LIMIT 1`
const ENDED = `SELECT * FROM occurrences WHERE job_id = ? AND claimed_at_ms = ? AND state <> 'running' AND ${BEGUN} ORDER BY id`
const NOTICE = 'SELECT text FROM outbox WHERE id = ?'
const IS_ON = 'SELECT enabled FROM jobs WHERE id = ?'

interface Line {
  /** Occurrences under way or waiting. */
  open: number
  begun: number
  skipped: number
  sinceMs: number
}

type Counted = 'fired' | 'skipped' | 'missed' | 'paused' | 'alerts' | 'followed' | 'declined' | 'overspent'

export interface WatchParts {
  readonly books: readonly JobBook[]
  readonly book: (jobId: string) => JobBook | undefined
  readonly passedMs: () => number
  readonly violate: (checker: string, what: string) => void
  readonly count: (what: Counted, by: number) => void
  /** Whether the row of a run that ended says what the world knows of it. */
  readonly judgeRow: (book: JobBook, row: LedgerRow) => void
}

export class MonthsWatch {
  readonly #parts: WatchParts
  readonly #lines = new Map<string, Line>()
  readonly #running = new Set<number>()
  /** Rows after an end that is told later: of those that begin in one instant, events do not say which ended. */
  readonly #early: { job: JobBook; row: LedgerRow }[] = []
  #seq = 0

  constructor(parts: WatchParts) {
    this.#parts = parts
  }

  get running(): number {
    return this.#running.size
  }

  look(reader: Database): void {
    const events = ask(reader, EVENTS).all(this.#seq) as { seq: number; payload: string }[]
    for (const { seq, payload } of events) {
      this.#seq = seq
      const event = JSON.parse(payload)
      const { jobId, action } = event
      if (action === 'started') this.#started(reader, jobId)
      if (action === 'finished') this.#finished(reader, jobId, event)
    }
    for (const { job, row } of this.#early.splice(0)) {
      if (!takesEnd(job, row)) this.#parts.violate('after', `${words(row)} fires after nothing that ended for it`)
    }
    this.#judgeCancelled()
  }

  #lineOf(jobId: string): Line {
    const line = this.#lines.get(jobId) ?? { open: 0, begun: 0, skipped: 0, sinceMs: 0 }
    this.#lines.set(jobId, line)
    return line
  }

  #started(reader: Database, jobId: string): void {
    const { book, violate, passedMs, count } = this.#parts
    const line = this.#lineOf(jobId)
    const row = ask(reader, NEXT_BEGUN).get(jobId, line.begun) as LedgerRow | undefined
    if (!row) {
      violate('L3', `something of ${jobId} began and is in no row`)
      return
    }
    line.begun = row.id
    this.#takes(jobId, row)
    const overlap = book(jobId)?.policy.overlap ?? 'skip'
    const room = isByHand(row) ? 0 : ROOM[overlap]
    if (line.open > room) violate('overlap', `${words(row)} began with ${line.open} under way (${overlap})`)
    line.open += 1
    line.sinceMs = passedMs()
    this.#running.add(row.id)
    count('fired', 1)
  }

  #finished(reader: Database, jobId: string, event: { status: string; error?: string; runAtMs: number }): void {
    const { book, violate, count } = this.#parts
    const line = this.#lineOf(jobId)
    // Of what was skipped, only its own command or job is not its policy's doing.
    if (event.status !== 'skipped' || event.error?.startsWith('its ')) {
      line.open -= 1
      const rows = ask(reader, ENDED).all(jobId, event.runAtMs) as LedgerRow[]
      const row = rows.find(({ id, error }) => (error ?? undefined) === event.error && this.#running.delete(id))
      if (row) this.#ended(reader, jobId, row)
      else violate('L3', `something of ${jobId} ended and is in no row`)
      return
    }
    const row = ask(reader, NEXT_LEFT_OUT).get(jobId, line.skipped) as LedgerRow | undefined
    if (!row) {
      violate('L3', `something of ${jobId} was skipped and is in no row`)
      return
    }
    line.skipped = row.id
    this.#takes(jobId, row)
    count(isMissed(row) ? 'missed' : 'skipped', row.count)
    const overlap = book(jobId)?.policy.overlap ?? 'skip'
    if (!isMissed(row) && line.open <= ROOM[overlap])
      violate('overlap', `${words(row)} was skipped with ${line.open} under way (${overlap}): ${row.error}`)
  }

  #takes(jobId: string, row: LedgerRow): void {
    const job = this.#parts.book(jobId)
    if (job && !takesEnd(job, row)) this.#early.push({ job, row })
  }

  /** What the chat of the job was told of this end, and whether the job was switched off by it. */
  #ended(reader: Database, jobId: string, row: LedgerRow): void {
    const { book, books, violate, count } = this.#parts
    count('followed', endsFor(books, row))
    const job = book(jobId)
    if (!job || job.removed) return
    this.#parts.judgeRow(job, row)
    if (row.error?.startsWith('Paused:')) count('overspent', 1)
    if (row.state === 'skipped') {
      count('declined', 1)
      return
    }
    const step = outage(job, row.state)
    if (step.pauses) {
      count('paused', 1)
      if (ask(reader, IS_ON).pluck().get(jobId) !== 0)
        violate('pause', `${words(row)} is failure ${job.outage.failures} in a row and ${jobId} is on`)
    }
    const text = ask(reader, NOTICE).pluck().get(`outage:${jobId}:${row.occurrence}`) as string | undefined
    if (step.says) count('alerts', 1)
    if (step.says === undefined ? text !== undefined : !text?.includes(step.says))
      violate('alert', `${words(row)} should say ${step.says ?? 'nothing'}, and says ${text ?? 'nothing'}`)
  }

  #judgeCancelled(): void {
    const { book, passedMs, violate } = this.#parts
    for (const [jobId, { open, sinceMs }] of this.#lines) {
      const isOver = open > 1 && book(jobId)?.policy.overlap === 'cancel-previous'
      if (isOver && passedMs() - sinceMs > GRACE_MS)
        violate('overlap', `${jobId} stops what runs for the newest, and has ${open} under way`)
    }
  }

  /** A new life: what the one before was to stop is stopped soon. */
  begins(): void {
    for (const line of this.#lines.values()) line.sinceMs = this.#parts.passedMs()
  }
}

/** Failures in a row by the words of the guide: told of the first, of the recovery, and when the job is switched off. */
function outage(job: JobBook, state: string): { says?: string; pauses: boolean } {
  const { failureAlert, pauseAfterFailures } = job.policy
  if (state === 'cancelled') return { pauses: false }
  const { alerted: wasTold, off } = job.outage
  if (state === 'ok') {
    job.outage = { failures: 0, alerted: false, off }
    return { pauses: false, ...(wasTold && failureAlert && { says: 'works again' }) }
  }
  const failures = job.outage.failures + 1
  // A run by hand of a job that is off switches nothing off, nor does another that fails beside the one that did.
  const pauses = job.on && !off && pauseAfterFailures > 0 && failures >= pauseAfterFailures
  job.outage = { failures, alerted: wasTold || failureAlert, off: off || pauses }
  const says = pauses ? 'switched off' : wasTold ? undefined : 'failed'
  return { pauses, ...(failureAlert && says !== undefined && { says }) }
}
