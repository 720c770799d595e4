// Jobs of a world of months that are due at one instant: some are given the times of an earlier one, and of what the ledger
// says of them it is judged when they began. Only times are looked at in which nothing else could have put a run off.
import { MINUTE, SECOND } from '../../../src/base/durations.ts'
import { Prng } from '../prng.ts'
import { type Calm, isByHand, type JobBook, type LedgerRow, words } from './books.ts'
import type { DrawnTiming } from './drawn-jobs.ts'

export interface BegunRow extends LedgerRow {
  readonly started_at_ms: number | null
  readonly ended_at_ms: number | null
}

/** As the guide says: so far apart, and put off by no more than this. */
const GAP_MS = SECOND
const PUT_OFF_MS_MAX = MINUTE

interface Begun {
  readonly row: BegunRow
  readonly startedMs: number
}

/** What only says something is never put off. */
function isWork({ work: { kind, when } }: JobBook): boolean {
  return when || kind === 'agentTurn' || kind === 'command'
}

/** Runs by hand and after another job have no instant to share. */
function isOfInstant(row: BegunRow, book: JobBook | undefined): boolean {
  return book !== undefined && !book.after && !isByHand(row) && row.count === 1
}

export class Together {
  readonly #timings: DrawnTiming[] = []
  /** Pairs that were judged. */
  pairs = 0

  /** The timing that was drawn for a job, or that of an earlier one. What counts from its own making is not shared. */
  drawn(timing: DrawnTiming, name: string): DrawnTiming {
    const random = new Prng(`together ${name}`)
    if (this.#timings.length > 0 && random.chance(0.6)) return random.pick(this.#timings.slice(0, 2))
    if (timing.schedule.kind === 'cron') this.#timings.push(timing)
    return timing
  }

  /** The first find. */
  wrong(rows: readonly BegunRow[], books: readonly JobBook[], calms: readonly Calm[]): string | undefined {
    const works = new Map(books.filter(isWork).map(book => [book.id, book]))
    const dueOf = (row: BegunRow) => (row.nominal_at_ms ?? 0) + (works.get(row.job_id)?.delayMs ?? 0)
    const ofJobs = Map.groupBy(rows, row => row.job_id)
    const scheduled = rows.filter(row => isOfInstant(row, works.get(row.job_id)))
    for (const [dueMs, all] of Map.groupBy(scheduled, dueOf)) {
      if (!calms.some(({ fromMs, toMs }) => fromMs <= dueMs && dueMs + 2 * MINUTE <= toMs)) continue
      const begun = all.flatMap(row => {
        // Of one with a condition the ledger says when its work began, after the condition.
        if (works.get(row.job_id)?.work.when) return []
        const before = ofJobs.get(row.job_id)?.filter(({ id }) => id < row.id) ?? []
        const waits = before.some(({ ended_at_ms: endedMs }) => endedMs === null || endedMs >= dueMs)
        const isClaimed = row.run_id !== null && row.claimed_at_ms - dueMs <= MINUTE && row.claimed_at_ms >= dueMs
        return isClaimed && !waits && row.started_at_ms !== null ? [{ row, startedMs: row.started_at_ms }] : []
      })
      const wrong = this.#judge(begun, all.length === 1)
      if (wrong) return wrong
    }
    return undefined
  }

  #judge(begun: readonly Begun[], alone: boolean): string | undefined {
    const inOrder = begun.toSorted((a, b) => a.startedMs - b.startedMs)
    for (const [index, { row, startedMs }] of inOrder.entries()) {
      const putOffMs = startedMs - row.claimed_at_ms
      if (putOffMs > PUT_OFF_MS_MAX) return `${words(row)} began only ${putOffMs} ms after it`
      if (alone && putOffMs > 0)
        return `${words(row)} shares its instant with nobody, and began ${putOffMs} ms after it`
      const before = inOrder[index - 1]
      if (!before) continue
      this.pairs += 1
      const apartMs = startedMs - before.startedMs
      if (apartMs < GAP_MS) return `${words(row)} began ${apartMs} ms after ${before.row.job_id} of the same instant`
    }
    return undefined
  }
}
