// What people do to the jobs of a world of months: they make, change, run and remove them, by the gateway's own methods; what
// they did goes into the books. Nothing here decides when.
import type { MethodName, Result } from '../../../src/protocol/catalogue.ts'
import type { Job } from '../../../src/protocol/job.ts'
import { Prng } from '../prng.ts'
import type { JobBook } from './books.ts'
import type { Calms } from './calms.ts'
import { type DrawnTiming, drawPolicy, drawTiming, EARLY_MS, PAIRS } from './drawn-jobs.ts'
import { drawWork } from './drawn-work.ts'
import { forgetEnds } from './followers.ts'
import type { Together } from './together.ts'

export type Deed = 'add' | 'rename' | 'edit' | 'disable' | 'enable' | 'remove' | 'run'

/** Jobs with instants, and jobs that fire after another one, with which a world begins. */
export const JOBS = 6
export const FOLLOWERS = 2
/** Of jobs that are made later, those that fire after another one. */
const FOLLOWS = 0.25

export interface PeopleWorld {
  readonly seed: number
  readonly startMs: number
  readonly random: Prng
  readonly books: JobBook[]
  readonly calms: Calms
  readonly together: Together
  readonly wallMs: () => number
  /** The latest that the wall clock has shown. */
  readonly wallMsMax: () => number
  readonly newestRow: () => number
  /** The latest instant of a job that is in a row. */
  readonly toldMs: (jobId: string) => number
  /** Rejects while the gateway is down. */
  readonly call: <M extends MethodName>(method: M, params: unknown) => Promise<Result<M>>
  readonly violate: (checker: string, what: string) => void
  readonly trace: (line: string) => void
}

/** A job that waits for another one has no instants. */
interface Times {
  readonly schedule: DrawnTiming['schedule']
  readonly instants: DrawnTiming['instants']
  readonly after?: JobBook['after']
}

export class People {
  readonly #world: PeopleWorld
  #drawn = 0
  #renamed = 0

  constructor(world: PeopleWorld) {
    this.#world = world
  }

  async do(deed: Deed): Promise<void> {
    const { random, books, calms, call, wallMs, wallMsMax, startMs, trace } = this.#world
    const book = random.pick(books.filter(({ removed }) => !removed).slice(-2 * JOBS))
    // A clock of 1970 is no time to say when a job is due; and what a wrong clock of the future has told as missed may be
    // told once more when a job has other times, or is switched on, by one that was put back, which is not judged here.
    const isTime = wallMs() > startMs - EARLY_MS
    const isNewest = wallMs() >= wallMsMax()
    if (deed === 'add') return isTime ? await this.add(random.chance(FOLLOWS)) : undefined
    if (!book) return
    const { id } = book
    trace(`${deed} ${id}`)
    switch (deed) {
      case 'rename':
        this.#renamed += 1
        await call('cron.update', { id, patch: { description: `for the ${this.#renamed}th time` } })
        return
      case 'run':
        calms.disturb()
        // Somebody who clicks twice.
        await Promise.all([1, 2].map(() => call('cron.run', { id, mode: 'force' })))
        calms.begin()
        return
      case 'disable':
        if (book.on) await this.disable(book)
        return
      case 'remove':
        this.#off(book)
        book.removed = true
        await call('cron.remove', { id })
        return
      case 'enable':
        if (isNewest && !book.on) await this.#redefine(book, { enabled: true })
        return
      case 'edit':
        if (book.on) await this.#redefine(book, {}, { otherTimes: isNewest })
    }
  }

  async disable(book: JobBook): Promise<void> {
    this.#off(book)
    await this.#world.call('cron.update', { id: book.id, patch: { enabled: false } })
  }

  /** It failed too often, which the watch has judged, or nothing fires it any more. */
  switchedItselfOff(book: JobBook): void {
    const { pauseAfterFailures, maxRuns = Number.POSITIVE_INFINITY } = book.policy
    const { after } = book
    const paused = pauseAfterFailures > 0 && book.outage.failures >= pauseAfterFailures
    const isOrphan = this.#world.books.find(({ id }) => id === after?.jobId)?.removed === true
    const isSpent = !after || (after.pending.size === 0 && (isOrphan || after.runs >= maxRuns))
    if (!paused && !isSpent) this.#world.violate('after', `${book.id} was switched off, and it still waits`)
    this.#off(book, { spent: !paused })
  }

  #off(book: JobBook, { spent = false } = {}): void {
    this.#close(book, { spent })
    forgetEnds(book)
    book.on = false
  }

  #close(book: JobBook, { spent }: { spent: boolean }): void {
    const stretch = book.stretches.at(-1)
    if (!stretch || stretch.closed) return
    const { calms, newestRow } = this.#world
    stretch.closed = { lastRow: newestRow(), sureMs: calms.sureMs(stretch.calmsBefore), spent }
  }

  /** One with instants of its own, or one that fires after another one that is there. */
  async add(follows: boolean): Promise<void> {
    const { seed, books, together, wallMs: now, startMs, call, trace } = this.#world
    const wallMs = now()
    this.#drawn += 1
    const random = new Prng(`job ${seed} ${this.#drawn}`)
    const timed = books.filter(({ after }) => !after).length
    const pair = PAIRS[(seed * JOBS + (follows ? books.length : timed)) % PAIRS.length] as (typeof PAIRS)[number]
    const policy = drawPolicy(random, pair, wallMs)
    const timing = () => together.drawn(drawTiming(random, startMs, wallMs), `${seed} ${this.#drawn}`)
    const times = follows ? this.#drawAfter(random) : timing()
    if (!times) return
    const { schedule, instants, after }: Times = times
    const name = `job ${books.length}`
    const work = drawWork(random, name)
    const params = { name, schedule, policy, ...work.definition }
    const job = await this.#asked(call('cron.add', params))
    if (!job) return
    const book: JobBook = {
      ...{ id: job.id, name, work, ...(after && { after }), policy, delayMs: 0, createdAtMs: job.createdAtMs },
      ...{ on: true, removed: false, stretches: [], outage: { failures: 0, alerted: false, off: false } },
      nominals: instants(job.createdAtMs),
    }
    books.push(book)
    trace(`job ${job.id} ${JSON.stringify(params)}`)
    this.#open(book, job, { begins: true, wallMs })
  }

  #drawAfter(random: Prng): Times | undefined {
    const first = random.pick(this.#world.books.filter(({ removed }) => !removed))
    if (!first) return undefined
    const on = random.pick(['ok', 'failed', 'any'] as const)
    const after = { jobId: first.id, on, pending: new Set<string>(), runs: 0 }
    return { schedule: { kind: 'after', job: first.id, on }, instants: () => [], after }
  }

  /** An edit gives it another schedule or another catch-up; what is switched on may have either. */
  async #redefine(book: JobBook, patch: { enabled?: true }, { otherTimes = true } = {}): Promise<void> {
    const { random, startMs, wallMs: now, newestRow, toldMs, call, trace } = this.#world
    const wallMs = now()
    const timing = otherTimes && !book.after && random.chance(0.5) ? drawTiming(random, startMs, wallMs) : undefined
    const catchUp = random.pick(PAIRS).catchUp
    const change = timing ? { schedule: timing.schedule } : { policy: { catchUp } }
    const lastRow = newestRow()
    const job = await this.#asked(call('cron.update', { id: book.id, patch: { ...patch, ...change } }))
    // A schedule whose time is over, a job that has none of its runs left, one that is gone: nothing was changed.
    if (!job) return
    trace(`redefined ${book.id} ${JSON.stringify(change)}`)
    const begins = !book.on
    this.#close(book, { spent: false })
    if (begins) {
      book.outage = { failures: 0, alerted: false, off: false }
      forgetEnds(book)
    } else Object.assign(book.stretches.at(-1)?.closed as object, { lastRow })
    if (timing) book.nominals = timing.instants(book.createdAtMs)
    else book.policy = { ...book.policy, catchUp }
    book.on = true
    this.#open(book, job, { begins, wallMs, ...(!timing && !begins && { toldMs: toldMs(book.id) }) })
  }

  async #asked(asked: Promise<Job>): Promise<Job | undefined> {
    try {
      return await asked
    } catch (error) {
      this.#world.trace(`refused: ${String(error)}`)
      return undefined
    }
  }

  /** What a job says of its next instant tells its delay, which must be within its jitter and stay as it is. */
  #open(book: JobBook, job: Job, at: { begins: boolean; wallMs: number; toldMs?: number }): void {
    const { begins, wallMs, toldMs } = at
    const { violate, newestRow, calms } = this.#world
    const { nextRunAtMs } = job.state
    const { jitterMs = 0, startAtMs = 0 } = book.policy
    if (nextRunAtMs !== undefined && !book.after) {
      const nominal = book.nominals.findLast(each => each <= nextRunAtMs && each >= startAtMs) ?? Number.NaN
      const delayMs = nextRunAtMs - nominal
      if (!(delayMs <= jitterMs)) violate('due', `${book.id} is due at ${nextRunAtMs}, ${delayMs} after its instant`)
      if (book.stretches.length > 0 && delayMs !== book.delayMs) violate('due', `the delay of ${book.id} changed`)
      book.delayMs = delayMs
    }
    const { policy, nominals, delayMs } = book
    // What had passed and was not decided yet stays due.
    const undecidedMs = nextRunAtMs === undefined ? wallMs : Math.min(wallMs, nextRunAtMs - 1)
    // With the times that it had, nothing is told again that was told before the clock was put back.
    const keptMs = toldMs === undefined ? 0 : Math.max(toldMs + delayMs, book.stretches.at(-1)?.fromMs ?? 0)
    const fromMs = Math.max(undecidedMs, keptMs)
    const calmsBefore = calms.all.length
    book.stretches.push({ policy, nominals, delayMs, fromMs, afterRow: newestRow(), begins, calmsBefore })
  }

  /** What ended for a job that is on was carried out, once all is calm. */
  judgeFollowers(): void {
    for (const { id, on, after } of this.#world.books) {
      const [left] = after?.pending ?? []
      if (on && left) this.#world.violate('after', `${id} never fired for ${left}`)
    }
  }
}
