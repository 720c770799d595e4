// A world of months: one seed, some jobs, the production scheduler with its store, turns and dispatcher. Two months and a
// half of kills, wrong clocks and people who change jobs, then two calm days in which everything must come right. The
// ledger is held against what the world itself knows of its jobs; nothing of src says what should have been.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DAY, HOUR, MINUTE, SECOND } from '../../../src/base/durations.ts'
import { ask } from '../disk.ts'
import type { Planted } from '../planting.ts'
import { Prng } from '../prng.ts'
import type { Violation } from '../sightings.ts'
import { settled } from '../virtual-time.ts'
import { drawAgenda, drawDown, type Planned } from './agenda.ts'
import { byWrongClock, type JobBook, replay } from './books.ts'
import { Calms } from './calms.ts'
import { STARTS_MS } from './drawn-jobs.ts'
import { Life } from './life.ts'
import { FOLLOWERS, JOBS, People } from './people.ts'
import { Effects } from './runs.ts'
import { MonthsTime } from './time.ts'
import { type BegunRow, Together } from './together.ts'
import { MonthsWatch } from './watch.ts'

export interface MonthsOptions extends Planted {
  readonly listen?: (line: string) => void
  /** How many days are stormy; two calm ones follow. */
  readonly days?: number
}

export interface MonthsOutcome {
  readonly seed: number
  readonly violations: readonly Violation[]
  readonly counts: Readonly<Record<string, number>>
  readonly pairs: readonly string[]
  readonly days: number
}

const DAYS = 75
/** The ledger so far is replayed at each so manieth start, so that a fault is found early. */
const REPLAY_EVERY = 6
const CALM_MS = 2 * DAY
const REST_MS_MAX = 12 * HOUR
const STEPS_MAX = 200_000
/** Of commits, those with which the gateway is killed. */
const KILLS = 0.002
/** Of commits with which such an end is on disk. */
const KILLS_BETWEEN = 0.1
const WAITING = 'SELECT 1 FROM triggers LIMIT 1'
const NEWEST = 'SELECT id, claimed_at_ms AS atMs FROM occurrences ORDER BY id DESC LIMIT 1'
const TOLD = 'SELECT max(ifnull(to_ms, nominal_at_ms)) FROM occurrences WHERE job_id = ?'
const RETRY = "SELECT min(retry_at_ms) FROM runs WHERE state IN ('queued', 'running') AND retry_at_ms IS NOT NULL"
const RUN = 'SELECT job_id AS jobId, occurrence, session_key AS sessionKey FROM runs WHERE run_id = ?'

export async function simulateMonths(seed: number, options: MonthsOptions = {}): Promise<MonthsOutcome> {
  const world = new Months(seed, options)
  const undo = options.plant?.()
  try {
    await world.run()
  } finally {
    undo?.()
    await world.clear()
  }
  return world.outcome()
}

class Months {
  readonly #seed: number
  readonly #options: MonthsOptions
  readonly #random: Prng
  readonly #kills: Prng
  readonly #startMs: number
  readonly #time: MonthsTime
  readonly #root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'sluice-months-'))
  readonly #books: JobBook[] = []
  readonly #calms: Calms
  readonly #people: People
  readonly #violations: Violation[] = []
  readonly #counts: Record<string, number> = {
    fired: 0,
    skipped: 0,
    missed: 0,
    paused: 0,
    alerts: 0,
    followed: 0,
    declined: 0,
    overspent: 0,
    kills: 0,
    lives: 0,
  }
  readonly #effects: Effects
  readonly #watch: MonthsWatch
  readonly #together = new Together()
  readonly #dead: Life[] = []
  #life: Life | undefined
  #lives = 0
  #folder = `${this.#root}/s`
  #steps = 0
  #uuids = 0
  #stormy = true
  /** It has its first jobs; until then nothing goes wrong. */
  #begun = false
  /** Somebody changes a job: it is known then whether that was done. */
  #spared = false
  #wallMax: number
  #isWrong = false

  constructor(seed: number, options: MonthsOptions) {
    this.#seed = seed
    this.#options = options
    this.#random = new Prng(`months ${seed}`)
    this.#kills = new Prng(`months kills ${seed}`)
    this.#startMs = this.#random.pick(STARTS_MS)
    this.#time = new MonthsTime(this.#startMs)
    this.#wallMax = this.#startMs
    const parts = {
      book: (jobId: string) => this.#books.find(({ id }) => id === jobId),
      violate: (checker: string, what: string) => this.#violate(checker, what),
    }
    this.#effects = new Effects({
      ...{ ...parts, seed },
      stormy: () => this.#stormy,
      step: () => this.#steps,
      wallMs: () => this.#time.wallMs,
      runOf: runId => {
        const found = this.#life && ask(this.#life.reader, RUN).get(runId)
        return found as { jobId: string; occurrence: string; sessionKey: string } | undefined
      },
    })
    const newestRow = () => this.#newest()?.id ?? 0
    const wallMs = () => this.#time.wallMs
    this.#calms = new Calms({ wallMs, newestRow, behindMs: () => this.#behindMs() })
    this.#people = new People({
      ...{ seed, startMs: this.#startMs, random: this.#random, books: this.#books, calms: this.#calms },
      ...{ wallMs, newestRow, violate: parts.violate, together: this.#together },
      wallMsMax: () => this.#wallMax,
      toldMs: jobId => (this.#life && (ask(this.#life.reader, TOLD).pluck().get(jobId) as number | null)) ?? 0,
      call: async (method, params) => {
        if (!this.#life) throw new Error('the gateway is down')
        return await this.#life.call(method, params)
      },
      trace: line => this.#trace(line),
    })
    this.#watch = new MonthsWatch({
      ...parts,
      books: this.#books,
      judgeRow: (book, row) => this.#effects.judgeRow(book, row),
      passedMs: () => this.#time.passedMs,
      count: (what, by) => this.#count(what, by),
    })
  }

  outcome(): MonthsOutcome {
    const pairs = this.#books.map(({ policy }) => `${policy.catchUp} ${policy.overlap}`)
    const seen = { lives: this.#lives, asked: this.#effects.count, apart: this.#together.pairs }
    const counts = { ...this.#counts, ...seen }
    return { seed: this.#seed, violations: this.#violations, counts, pairs, days: this.#time.passedMs / DAY }
  }

  async run(): Promise<void> {
    await this.#begin()
    while (this.#books.length < JOBS) await this.#people.add(false)
    while (this.#books.length < JOBS + FOLLOWERS) await this.#people.add(true)
    this.#begun = true
    const agenda: Planned[] = drawAgenda(this.#random, (this.#options.days ?? DAYS) * DAY)
    for (let next = agenda.shift(); next; next = agenda.shift()) {
      if (!(await this.#until(next.atMs))) return
      this.#trace(`${next.kind} ${JSON.stringify(next)}`)
      await this.#act(next, later => agenda.splice(agenda.findIndex(({ atMs }) => atMs > later.atMs) >>> 0, 0, later))
      if (!(await this.#between())) return
    }
    await this.#end()
  }

  async clear(): Promise<void> {
    for (const life of [...this.#dead, ...(this.#life ? [this.#life] : [])]) await life.close()
    rmSync(this.#root, { recursive: true, force: true })
  }

  /** Up to an instant of what has passed; a gateway that is down comes up on the way. False when something was found. */
  async #until(atMs: number): Promise<boolean> {
    while (this.#time.passedMs < atMs || !this.#life) {
      if (this.#violations.length > 0) return false
      if (!this.#life) {
        this.#time.passedMs += Math.round(this.#stormy ? drawDown(this.#random) : MINUTE)
        await this.#begin()
        if (!(await this.#between())) return false
        continue
      }
      const between = async () => (await this.#between()) && this.#life !== undefined
      await this.#time.advanceTo(atMs, { between, quietMs: lookMs => this.#quietMs(lookMs) })
    }
    return this.#violations.length === 0
  }

  /** For how long production's looks at the clock find nothing. */
  #quietMs(lookMs: number): number {
    const life = this.#life
    // The shorter one may be the grace of a turn that was stopped.
    if (!life || (lookMs < 20 * SECOND && this.#effects.active.size > 0)) return 0
    const { wallMs } = this.#time
    const isBehind = this.#behindMs() > 0
    const dueMs = isBehind ? wallMs + this.#behindMs() : (life.store.read.nextDueAtMs() ?? Number.POSITIVE_INFINITY)
    const retryMs = (ask(life.reader, RETRY).pluck().get() as number | null) ?? Number.POSITIVE_INFINITY
    return Math.min(dueMs, retryMs) - wallMs
  }

  /** How long until the clock is believed again. */
  #behindMs(): number {
    const newest = this.#newest()
    return newest ? newest.atMs - MINUTE - this.#time.wallMs : 0
  }

  #newest(): { id: number; atMs: number } | undefined {
    return this.#life && (ask(this.#life.reader, NEWEST).get() as { id: number; atMs: number } | undefined)
  }

  async #between(): Promise<boolean> {
    this.#steps += 1
    await settled()
    this.#wallMax = Math.max(this.#wallMax, this.#time.wallMs)
    if (this.#life?.dead) this.#bury(this.#life)
    else if (this.#life?.changed) {
      this.#life.changed = false
      this.#look(this.#life)
    }
    if (this.#steps > STEPS_MAX) this.#violate('rest', `still going on after ${STEPS_MAX} steps`)
    return this.#violations.length === 0
  }

  #look(life: Life): void {
    this.#watch.look(life.reader)
    const on = new Set(ask(life.reader, 'SELECT id FROM jobs WHERE enabled = 1').pluck().all())
    for (const book of this.#books) if (book.on && !on.has(book.id)) this.#people.switchedItselfOff(book)
  }

  async #begin(): Promise<void> {
    this.#lives += 1
    this.#life = await Life.begin({
      number: this.#lives,
      folder: this.#folder,
      time: this.#time,
      effects: this.#effects,
      uuid: () => {
        this.#uuids += 1
        return `u${this.#seed}-${this.#uuids}`
      },
      killAt: () => this.#killAt(),
      killBetween: () => this.#killBetween(),
      wrapStore: this.#options.wrapStore ?? (store => store),
      trace: line => this.#trace(line),
    })
    this.#trace(`life ${this.#lives}`)
    this.#watch.begins()
    this.#calms.begin()
    await settled()
    if (this.#lives % REPLAY_EVERY === 0 && !this.#life.dead) this.#replayAll()
  }

  #killAt(): 'before' | 'after' | undefined {
    if (!this.#stormy || this.#spared || !this.#life || !this.#kills.chance(KILLS)) return undefined
    if (!this.#begun) return undefined
    return this.#kills.pick(['before', 'after'])
  }

  /** An end that a job waits for is a commit of its own; what falls between it and that job's own claim is worth a look. */
  #killBetween(): boolean {
    if (!this.#begun || !this.#stormy || this.#spared || !this.#life) return false
    return ask(this.#life.reader, WAITING).get() !== undefined && this.#kills.chance(KILLS_BETWEEN)
  }

  #bury(life: Life): void {
    this.#trace('killed')
    this.#count('kills', 1)
    this.#calms.disturb()
    this.#dead.push(life)
    this.#effects.forget(this.#steps)
    this.#folder = life.image ?? life.folder
    this.#life = undefined
  }

  async #stop(downMs: number): Promise<void> {
    const life = this.#life
    if (!life) return
    this.#calms.disturb()
    this.#spared = true
    this.#look(life)
    this.#folder = life.folder
    await life.stop()
    await settled()
    this.#spared = false
    this.#effects.forget(this.#steps)
    this.#life = undefined
    this.#time.passedMs += downMs
    await this.#begin()
  }

  async #act(event: Planned, plan: (later: Planned) => void): Promise<void> {
    switch (event.kind) {
      case 'kill':
        return this.#life?.kill()
      case 'stop':
        return await this.#stop(event.downMs)
      case 'suspend':
        return this.#setClock(event.byMs)
      case 'wrong':
        if (this.#isWrong) return
        this.#isWrong = true
        this.#setClock(event.byMs)
        plan({ kind: 'suspend', byMs: -event.byMs, atMs: event.atMs + event.forMs })
        return
      case 'board': {
        if (this.#isWrong || !this.#life) return
        this.#isWrong = true
        this.#life.kill()
        await this.#between()
        const byMs = this.#time.wallMs - 10 * MINUTE
        this.#time.wrongMs -= byMs
        plan({ kind: 'suspend', byMs, atMs: this.#time.passedMs + event.forMs })
        return
      }
      default:
        this.#spared = true
        if (this.#life) await this.#people.do(event.kind)
        this.#spared = false
    }
  }

  #setClock(byMs: number): void {
    if (byMs < 0 || this.#time.wallMs < this.#wallMax) this.#isWrong = false
    this.#calms.disturb()
    this.#time.wrongMs += byMs
    if (this.#life) this.#calms.begin()
  }

  async #end(): Promise<void> {
    this.#stormy = false
    if (!(await this.#until(this.#time.passedMs))) return
    this.#setClock(Math.max(0, this.#wallMax - this.#time.wallMs) + SECOND)
    if (!(await this.#until(this.#time.passedMs + CALM_MS))) return
    this.#people.judgeFollowers()
    for (const book of this.#books) if (book.on) await this.#people.disable(book)
    const byMs = this.#time.passedMs + REST_MS_MAX
    while (this.#watch.running > 0 && this.#time.passedMs < byMs) {
      if (!(await this.#until(this.#time.passedMs + MINUTE))) return
    }
    if (this.#watch.running > 0) this.#violate('rest', `${this.#watch.running} occurrences are under way for ever`)
    this.#replayAll()
  }

  #replayAll(): void {
    const rows = this.#life?.reader.prepare('SELECT * FROM occurrences ORDER BY id').all() as BegunRow[]
    const ofJobs = Map.groupBy(rows, row => row.job_id)
    for (const book of this.#books) {
      const wrong = replay(book, ofJobs.get(book.id) ?? [], this.#calms.all)
      if (wrong) this.#violate('L3', `${book.name}: ${wrong}`)
    }
    const wrong = byWrongClock(rows)
    if (wrong) this.#violate('clock', wrong)
    const begun = this.#together.wrong(rows, this.#books, this.#calms.all)
    if (begun) this.#violate('stagger', begun)
  }

  #violate(checker: string, what: string): void {
    this.#trace(`VIOLATION ${checker}: ${what}`)
    this.#violations.push({ checker, atMs: this.#time.passedMs, what })
  }

  #count(what: string, by: number): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + by
  }

  #trace(line: string): void {
    this.#options.listen?.(`${new Date(this.#time.wallMs).toISOString()} ${this.#steps} ${line}`)
  }
}
