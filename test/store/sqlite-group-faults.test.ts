// L1, T1: whatever fails, wherever in a grouped commit and in whatever order its members stand, no member is answered
// wrongly. Judged by a connection of its own, after the fact: what was answered ok is there, what was refused is not, and
// nobody is told `unknown` but the members of a COMMIT that failed.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Store, StoredEvent } from '../../src/store/port.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { addJob, begin, effectKey, fenceOf, NOW, newJob, newRun } from './fixtures.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'store-faults-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

/** What a member writes. `first` and `again` have one key and one content: whichever is first makes it. */
const KINDS = ['job', 'message', 'entry', 'effect', 'first', 'again', 'taken'] as const
type Kind = (typeof KINDS)[number]

/** Codes that one statement may fail with: its own member's fault, or the whole transaction's. */
const STATEMENT_CODES = [
  'SQLITE_CONSTRAINT_CHECK',
  'SQLITE_FULL',
  'SQLITE_IOERR_WRITE',
  'SQLITE_CORRUPT',
  'SQLITE_NOMEM',
]
/** How a COMMIT may end: with nothing done and said so, in doubt with nothing done, in doubt and done. */
const COMMITS = ['full', 'lost', 'done'] as const

interface Plan {
  readonly kinds: readonly Kind[]
  /** Statements (counted over the run) that fail, with what. */
  readonly statements: ReadonlyMap<number, string>
  /** Commits (counted over the run) that fail, and how. */
  readonly commits: ReadonlyMap<number, (typeof COMMITS)[number]>
  /** SQLite undoes the whole transaction by itself after some errors. */
  readonly undoes: boolean
}

const plans: fc.Arbitrary<Plan> = fc.record({
  kinds: fc.array(fc.constantFrom(...KINDS), { minLength: 1, maxLength: 12 }),
  statements: fc
    .array(fc.tuple(fc.nat(60), fc.constantFrom(...STATEMENT_CODES)), { maxLength: 4 })
    .map(faults => new Map(faults)),
  commits: fc.array(fc.tuple(fc.nat(4), fc.constantFrom(...COMMITS)), { maxLength: 2 }).map(faults => new Map(faults)),
  undoes: fc.boolean(),
})

function diskError(code: string): Error {
  return Object.assign(new Error('disk trouble'), { code })
}

/** Has statements that change something fail as planned, once `armed`. */
class Faults {
  armed: Plan | undefined
  statements = 0
  commits = 0
  #db: Database.Database | undefined

  opened = (db: Database.Database): void => {
    this.#db = db
    const prepare = db.prepare.bind(db)
    db.prepare = ((sql: string) => {
      const statement = prepare(sql)
      if (!/^\s*(INSERT|UPDATE|DELETE)/i.test(sql)) return statement
      for (const how of ['run', 'get', 'all'] as const) {
        const real = statement[how].bind(statement)
        statement[how] = ((...args: unknown[]) => {
          this.#meet()
          return real(...args)
        }) as never
      }
      return statement
    }) as typeof db.prepare
  }

  #meet(): void {
    if (!this.armed) return
    const code = this.armed.statements.get(this.statements++)
    if (code === undefined) return
    if (this.armed.undoes && code !== 'SQLITE_CONSTRAINT_CHECK') this.#db?.exec('ROLLBACK')
    throw diskError(code)
  }

  commit = (run: () => void): void => {
    const how = this.armed?.commits.get(this.commits++)
    if (how === undefined) {
      run()
      return
    }
    if (how === 'done') run()
    if (how === 'lost') this.#db?.exec('ROLLBACK')
    throw diskError(how === 'full' ? 'SQLITE_FULL' : 'SQLITE_IOERR_FSYNC')
  }
}

type Ending = 'ok' | 'not-started' | 'unknown'

async function endingOf(write: Promise<unknown>): Promise<Ending> {
  try {
    await write
    return 'ok'
  } catch (error) {
    const { outcome } = error as { outcome?: string }
    if (outcome === 'not-started' || outcome === 'unknown') return outcome
    throw error
  }
}

/** What a member leaves behind when it happened, as a query that finds it. */
const TRACE: Readonly<Record<Kind, (n: number) => string>> = {
  job: n => `SELECT 1 FROM jobs WHERE id = 'job${n}'`,
  message: n => `SELECT 1 FROM runs JOIN inbox USING (run_id) WHERE run_id = 'run${n}'`,
  entry: n => `SELECT 1 FROM entries WHERE body LIKE '%"said ${n}"%'`,
  effect: n => `SELECT 1 FROM keys WHERE key = 'effect${n}'`,
  first: () => "SELECT 1 FROM jobs WHERE id = 'shared'",
  again: () => "SELECT 1 FROM jobs WHERE id = 'shared'",
  taken: n => `SELECT 1 FROM jobs WHERE id = 'taken' AND body LIKE '%other ${n}%'`,
}

/** Events of a member; each must be there with it, and not without. */
const EVENTS: Readonly<Partial<Record<Kind, (n: number) => string>>> = {
  job: n => `SELECT count(*) FROM events WHERE payload LIKE '%"job${n}"%'`,
  entry: n => `SELECT count(*) FROM events WHERE event = 'said' AND payload = '${n}'`,
}

async function prepared(store: Store) {
  await addJob(store, newJob('taken'))
  const fence = fenceOf(await begin(store, newRun('mine')))
  const shared = () => addJob(store, newJob('shared'), { key: effectKey('shared') })
  const entry = (n: number) => ({ kind: 'decision' as const, approvalId: 'a', text: `said ${n}` })
  const make: Readonly<Record<Kind, (n: number) => Promise<unknown>>> = {
    job: n => addJob(store, newJob(`job${n}`), { key: effectKey(`job${n}`) }),
    message: n => store.write.acceptMessage({ run: newRun(`run${n}`), key: effectKey(`run${n}`), nowMs: NOW }),
    entry: n =>
      store.write.appendEntries({ fence, entries: [entry(n)], nowMs: NOW, events: [{ event: 'said', payload: n }] }),
    effect: n => store.write.beginEffect({ key: effectKey(`effect${n}`), nowMs: NOW }),
    first: shared,
    again: shared,
    taken: n => addJob(store, newJob('taken', { description: `other ${n}` })),
  }
  return make
}

let round = 0
/** Everything that may be said of one plan, once it was carried out. */
async function judge(plan: Plan): Promise<void> {
  round += 1
  const where = join(folder, String(round))
  const faults = new Faults()
  const store = await openSqliteStore({
    folder: where,
    thread: false,
    hooks: { opened: faults.opened, commit: faults.commit },
  })
  const live: StoredEvent[] = []
  store.onEvents(events => live.push(...events))
  const make = await prepared(store)
  faults.armed = plan
  const endings = await Promise.all(plan.kinds.map((kind, n) => endingOf(make[kind](n))))
  faults.armed = undefined
  const failedInDoubt = [...plan.commits].some(([at, how]) => how !== 'full' && at < faults.commits)
  const db = new Database(join(where, 'sluice.db'), { readonly: true })
  try {
    plan.kinds.forEach((kind, n) => {
      const isThere = db.prepare(TRACE[kind](n)).get() !== undefined
      const ending = endings[n] as Ending
      const what = `${kind} ${n} was answered ${ending}`
      // Of two with one key the other one may have made it.
      const isShared = kind === 'first' || kind === 'again'
      if (ending === 'ok') expect(isThere, what).toBe(true)
      if (ending === 'not-started' && !isShared) expect(isThere, what).toBe(false)
      if (ending === 'unknown') expect(failedInDoubt, what).toBe(true)
      const events = EVENTS[kind]
      if (events) expect(db.prepare(events(n)).pluck().get(), `events of ${what}`).toBe(isThere ? 1 : 0)
    })
    // Live events are exactly those of commits that were answered; of a COMMIT in doubt they come by replay.
    const stored = store.read.eventsSince(0, 500)
    expect(stored).toEqual(expect.arrayContaining(live))
    if (!failedInDoubt) expect(live).toEqual(stored)
    expect(db.pragma('foreign_key_check')).toEqual([])
  } finally {
    db.close()
  }
  await agreesAfterwards(plan, { make, endings })
  await store.close()
}

/** Asked again under their keys, all that may be made is made, once; what was told ok is a repeat. */
async function agreesAfterwards(
  { kinds }: Plan,
  { make, endings }: { make: Awaited<ReturnType<typeof prepared>>; endings: readonly Ending[] },
): Promise<void> {
  for (const [n, kind] of kinds.entries()) {
    if (kind !== 'job' && kind !== 'message') continue
    const { repeated } = (await make[kind](n)) as { repeated: boolean }
    if (endings[n] !== 'unknown') expect(repeated, `${kind} ${n}, ${endings[n]} before`).toBe(endings[n] === 'ok')
  }
}

test('L1, T1: a statement or a COMMIT that fails, at any place in any group: no member is answered wrongly', async () => {
  await fc.assert(fc.asyncProperty(plans, judge), {
    numRuns: 100,
    // Each kind of failure at least once, whatever is drawn.
    examples: [
      [
        {
          kinds: ['job', 'message', 'entry', 'job'],
          statements: new Map([[4, 'SQLITE_FULL']]),
          commits: new Map(),
          undoes: true,
        },
      ],
      [
        {
          kinds: ['job', 'entry', 'first', 'again'],
          statements: new Map(),
          commits: new Map([[0, 'lost' as const]]),
          undoes: false,
        },
      ],
      [
        {
          kinds: ['job', 'entry', 'first', 'again'],
          statements: new Map(),
          commits: new Map([[0, 'done' as const]]),
          undoes: false,
        },
      ],
      [
        {
          kinds: ['job', 'job', 'job'],
          statements: new Map(),
          commits: new Map([
            [0, 'full' as const],
            [1, 'done' as const],
          ]),
          undoes: false,
        },
      ],
    ],
  })
})
