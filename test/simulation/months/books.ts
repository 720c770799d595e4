// What the world knows of its jobs without asking the gateway: how each was defined, from when to when, and what the wall
// clock had surely shown. The ledger is replayed against it row by row, by the words of the guide alone: each row must say
// what was to be done with the instants that were due when it was written.
import { MINUTE, SECOND } from '../../../src/base/durations.ts'
import type { DrawnPolicy } from './drawn-jobs.ts'
import type { DrawnWork } from './drawn-work.ts'

export interface LedgerRow {
  readonly id: number
  readonly job_id: string
  readonly occurrence: string
  readonly nominal_at_ms: number | null
  readonly state: string
  readonly claimed_at_ms: number
  readonly ended_at_ms: number | null
  readonly run_id: string | null
  readonly error: string | null
  readonly exit_code: number | null
  readonly to_ms: number | null
  readonly count: number
}

/** A time in which a job was on, with one definition. */
export interface Stretch {
  readonly policy: DrawnPolicy
  readonly nominals: readonly number[]
  readonly delayMs: number
  /** What was due later than this, by the wall clock. */
  readonly fromMs: number
  /** Rows later than this one are of it. */
  readonly afterRow: number
  /** It was switched on with this one: its runs are counted from here. */
  readonly begins: boolean
  /** Calm times that were over by then. */
  readonly calmsBefore: number
  closed?: { readonly lastRow: number; readonly sureMs: number; readonly spent: boolean }
}

/** A job that fires after another one, and what has ended for it and is in no row of its own yet. */
export interface Following {
  readonly jobId: string
  readonly on: 'ok' | 'failed' | 'any'
  readonly pending: Set<string>
  /** Of its own, since it was switched on. */
  runs: number
}

export interface JobBook {
  readonly id: string
  readonly name: string
  readonly work: DrawnWork
  /** It has no instants: it fires after another one. */
  readonly after?: Following
  /** What it did at first; overlap, alerts and retries stay for its life. */
  policy: DrawnPolicy
  delayMs: number
  createdAtMs: number
  /** All instants that its schedule has. */
  nominals: readonly number[]
  on: boolean
  removed: boolean
  readonly stretches: Stretch[]
  /** Failures in a row, whether its chat was told of them, and whether they switched it off since it was switched on. */
  outage: { failures: number; alerted: boolean; off: boolean }
}

/** A time in which the gateway was up and its clock was right, by the wall clock. */
export interface Calm {
  readonly fromMs: number
  readonly toMs: number
  readonly afterRow: number
}

export const isByHand = (row: Pick<LedgerRow, 'occurrence'>) => row.occurrence.startsWith('manual:')
/** Left out at its instant, because others run or it was missed; else it began, also where its condition said no. */
export const isLeftOut = (row: LedgerRow) => row.state === 'skipped' && row.run_id === null
export const isMissed = (row: LedgerRow) => row.state === 'skipped' && row.error?.startsWith('missed') === true

/** The timer sleeps so long at most; a claim comes no later, on a machine that has nothing else to do. */
export const LAG_MS_MAX = 25 * SECOND
const ON_TIME = MINUTE
const MADE_UP_MAX = 100

/** Up to where, by the wall clock, everything that was due has surely been decided in these times. */
export function sureOf(calms: readonly Calm[]): number {
  return Math.max(0, ...calms.map(({ fromMs, toMs }) => (toMs - LAG_MS_MAX > fromMs ? toMs - LAG_MS_MAX : 0)))
}

/** Nothing fires by a clock that is behind what has happened. */
export function byWrongClock(rows: readonly LedgerRow[]): string | undefined {
  const index = rows.findIndex(
    (row, at) => !isByHand(row) && row.claimed_at_ms < (rows[at - 1]?.claimed_at_ms ?? 0) - ON_TIME,
  )
  return index < 0 ? undefined : `row ${rows[index]?.id} was written before the time of row ${rows[index - 1]?.id}`
}

/** What is wrong with the rows of one job; the first find only. */
export function replay(book: JobBook, rows: readonly LedgerRow[], calms: readonly Calm[]): string | undefined {
  // What fires after another job is judged as it happens.
  if (book.after) return undefined
  const byHand = rows.filter(isByHand)
  const scheduled = rows.filter(row => !isByHand(row))
  const counted = new Set(byHand.map(row => row.id))
  let runs = 0
  const known = new Set<number>()
  for (const stretch of book.stretches) {
    const { afterRow, closed, begins } = stretch
    if (begins) runs = 0
    const own = scheduled.filter(({ id }) => id > afterRow && id <= (closed?.lastRow ?? Number.POSITIVE_INFINITY))
    for (const row of own) counted.add(row.id)
    const told = new Telling(stretch, { runs, calms, known })
    const wrong = told.tell(own)
    if (wrong) return wrong
    runs = told.runs
  }
  const stray = rows.find(({ id }) => !counted.has(id))
  return stray && `${words(stray)} was written while the job was off or gone`
}

/** One stretch, told row by row. */
class Telling {
  runs: number
  readonly #stretch: Stretch
  readonly #calms: readonly Calm[]
  readonly #dues: readonly number[]
  /**
   * Instants with rows of their own: when the clock was put back and the job edited, these do not fire again. What was
   * only among the missed ones of a wrong clock may.
   */
  readonly #known: Set<number>
  #told = 0

  constructor(stretch: Stretch, { runs, calms, known }: { runs: number; calms: readonly Calm[]; known: Set<number> }) {
    this.#stretch = stretch
    this.#calms = calms.slice(stretch.calmsBefore)
    this.runs = runs
    this.#known = known
    const { policy, nominals, delayMs, fromMs } = stretch
    const { startAtMs = 0, endAtMs = Number.POSITIVE_INFINITY } = policy
    const within = nominals.filter(nominal => nominal >= startAtMs && nominal <= endAtMs && !known.has(nominal))
    this.#dues = within.map(nominal => nominal + delayMs).filter(due => due > fromMs)
  }

  tell(rows: readonly LedgerRow[]): string | undefined {
    for (const row of rows) {
      const wrong = this.#row(row)
      if (wrong) return `${words(row)} ${wrong}`
    }
    const { closed } = this.#stretch
    if (!closed || this.#isRunOut()) return undefined
    const left = this.#dues.slice(this.#told).find(due => closed.spent || due <= closed.sureMs)
    if (left === undefined) return undefined
    const what = closed.spent ? 'the job was switched off before it' : 'it passed while the gateway was up'
    return `${new Date(left).toISOString()} was due and is in no row; ${what}`
  }

  #isRunOut(): boolean {
    return this.runs >= (this.#stretch.policy.maxRuns ?? Number.POSITIVE_INFINITY)
  }

  #row(row: LedgerRow): string | undefined {
    const { delayMs, policy } = this.#stretch
    if (this.#isRunOut()) return 'is one more than the job has runs'
    const nowMs = row.claimed_at_ms
    const passed = this.#dues.slice(this.#told).filter(due => due <= nowMs)
    const [first] = passed
    if (first === undefined) return 'fires what was not due, or was told already'
    const late = this.#late(row, first)
    if (late) return late
    const missed = passed.slice(0, passed.length - madeUp(policy, passed, nowMs).length)
    const last = missed.at(-1)
    const [from, to, count] = [first - delayMs, (last ?? first) - delayMs, Math.max(1, missed.length)]
    const isRight = row.nominal_at_ms === from && (row.to_ms ?? from) === to && row.count === count
    if (isMissed(row) !== missed.length > 0 || !isRight) {
      const what = missed.length > 0 ? `tell as missed ${count} up to` : 'fire'
      return `should ${what} ${new Date(to).toISOString()}, of ${passed.length} since ${new Date(from).toISOString()}`
    }
    this.#known.add(from)
    this.#told += count
    if (!isLeftOut(row)) this.runs += 1
    return undefined
  }

  /** What fell due while nothing was wrong is claimed at once. */
  #late({ id, claimed_at_ms: claimedMs }: LedgerRow, due: number): string | undefined {
    if (claimedMs - due <= LAG_MS_MAX) return undefined
    const calm = this.#calms.find(({ fromMs, toMs, afterRow }) => {
      return id > afterRow && due + LAG_MS_MAX <= toMs && due >= fromMs && claimedMs > due + LAG_MS_MAX
    })
    return calm && `is ${(claimedMs - due) / SECOND} s late, and nothing was wrong meanwhile`
  }
}

/** Which of the instants that passed fire now. What is at most a minute late is on time. */
function madeUp(
  { catchUp, catchUpWindowMs }: DrawnPolicy,
  passed: readonly number[],
  nowMs: number,
): readonly number[] {
  const lateMax = catchUp === 'skip' ? ON_TIME : Math.max(ON_TIME, catchUpWindowMs ?? Number.POSITIVE_INFINITY)
  const inTime = passed.filter(due => nowMs - due <= lateMax)
  return inTime.slice(catchUp === 'all' ? -MADE_UP_MAX : -1)
}

export function words({ id, job_id, occurrence, state, claimed_at_ms, count, to_ms }: LedgerRow): string {
  const range = count > 1 ? ` to ${new Date(to_ms ?? 0).toISOString()} (${count})` : ''
  const nominal = /^at:(\d+)/.exec(occurrence)?.[1]
  const of = nominal === undefined ? occurrence : new Date(Number(nominal)).toISOString()
  return `row ${id} of ${job_id}: ${of}${range}, ${state}, written at ${new Date(claimed_at_ms).toISOString()},`
}
