// The small reads, on a connection that cannot write: by key or page, at most 500 rows, each one statement that is
// prepared once and read to its end. So they see all that was acknowledged and wait for nobody (W3).
import type { Database } from 'better-sqlite3'
import type { OccurrenceState } from '../../protocol/job.ts'
import { OCCURRENCE_STATES } from '../../protocol/job-policy.ts'
import type { LargeReadName, StoreReads } from '../port.ts'
import type { Entry, UsageRow } from '../rows.ts'
import { fromJson } from './failures.ts'
import { BEGUN, FIND_KEY, type KeyColumns, keyNames, sameParams } from './keys.ts'
import { type LargeReadsHere, largeRead } from './large-reads.ts'
import { peopleReads } from './people.ts'
import { deviceReads } from './reads-devices.ts'
import {
  type ApprovalColumns,
  type EntryColumns,
  JOB_COLUMNS,
  type JobColumns,
  type NoticeColumns,
  type OccurrenceColumns,
  type RunColumns,
  type SendColumns,
  type SessionColumns,
  toApproval,
  toEntry,
  toEvent,
  toJob,
  toNotice,
  toOccurrence,
  toRun,
  toSend,
  toSession,
} from './rows.ts'
import { type ReadFaults, type Select, selectOn } from './select.ts'
import { FIND_ROUTE, type RouteColumns, toRoute } from './sends.ts'
import { usageSelect } from './usage.ts'

export const READ_ROWS_MAX = 500

function capped(limit: number): number {
  return Math.max(0, Math.min(Math.floor(limit), READ_ROWS_MAX))
}

/** Distinct reads that are remembered between two commits. */
const REMEMBERED_MAX = 32

type Remember = <A, R>(read: (args: A) => R) => (args: A) => R

/**
 * Answers a read of jobs again, the very same object, until a commit touches them: the writer's answers say when that is,
 * before anyone hears that a write was done. So a list that many clients poll is read once, whatever turns write
 * meanwhile. Nothing else is ever kept of what was read.
 */
function rememberBetweenCommits(commits: () => number): Remember {
  let version = -1
  const answers = new Map<string, unknown>()
  let reads = 0
  return read => {
    reads += 1
    const name = `${reads} `
    return args => {
      const now = commits()
      if (now !== version || answers.size >= REMEMBERED_MAX) answers.clear()
      version = now
      const key = name + JSON.stringify(args)
      if (!answers.has(key)) answers.set(key, read(args))
      return answers.get(key) as ReturnType<typeof read>
    }
  }
}

export interface PreparedReads {
  readonly reads: StoreReads
  /** Those of them that can be large, with their measures. */
  readonly large: LargeReadsHere
  readonly faults: ReadFaults
}

/** `commits` counts the groups that the writer has answered and that may have changed jobs or their ledger. */
export function prepareReads(db: Database, commits: () => number): PreparedReads {
  const faults: ReadFaults = new Map()
  const select = selectOn(db, faults)
  const remember = rememberBetweenCommits(commits)
  const large: LargeReadsHere = {
    jobs: jobPages(select, remember),
    occurrences: ledgerPages(select),
    ...entryPages(select),
    blob: largeRead(select, {
      sql: columns => `SELECT ${columns} FROM blobs WHERE hash = ?`,
      columns: 'content',
      long: ['content'],
      params: hash => [hash],
      made: (rows: { content: Uint8Array }[]) => rows[0]?.content,
    }),
    unreadNotices: largeRead(select, {
      sql: columns => `SELECT ${columns} FROM outbox WHERE state = 'unread' AND session_key = ? ORDER BY rowid LIMIT ?`,
      long: ['text'],
      params: (sessionKey, limit) => [sessionKey, capped(limit)],
      made: (rows: NoticeColumns[]) => rows.map(toNotice),
    }),
    pendingApprovals: pendingPages(select),
  }
  return {
    faults,
    large,
    reads: {
      ...inPlace(large),
      ...jobReads(select, remember),
      ...runReads(select),
      ...approvalReads(select),
      ...sessionReads(select),
      ...eventReads(select),
      ...outboxReads(select),
      ...keyReads(select),
      ...deviceReads(select),
      ...peopleReads(select),
      ...usageReads(select),
    },
  }
}

function inPlace(large: LargeReadsHere): Pick<StoreReads, LargeReadName> {
  const reads = Object.entries(large).map(([name, { read }]) => [name, read])
  return Object.fromEntries(reads)
}

function jobPages(select: Select, remember: Remember): LargeReadsHere['jobs'] {
  const page = (where: string) =>
    largeRead(select, {
      sql: columns => `SELECT ${columns} FROM jobs WHERE ${where} (order_ms, id) > (:afterMs, :afterId)
        ORDER BY order_ms, id LIMIT :limit`,
      columns: JOB_COLUMNS,
      long: ['body', 'last_error'],
      params: ({ limit, after, madeBy, includeDisabled }: Parameters<StoreReads['jobs']>[0]) => ({
        madeBy: madeBy ?? null,
        all: includeDisabled ? 1 : 0,
        afterMs: after?.nextRunAtMs ?? -1,
        afterId: after?.id ?? '',
        limit: capped(limit),
      }),
      made: (rows: JobColumns[]) => rows.map(toJob),
    })
  const all = page('')
  const enabled = page('enabled = 1 AND')
  const ofMaker = page('maker = :madeBy AND (:all OR enabled = 1) AND')
  const which = ({ includeDisabled, madeBy }: Parameters<StoreReads['jobs']>[0]) =>
    madeBy ? ofMaker : includeDisabled ? all : enabled
  return {
    read: remember(wanted => which(wanted).read(wanted)),
    bytes: remember(wanted => which(wanted).bytes(wanted)),
  }
}

/** When the row was claimed before which a page ends: that one may have been removed meanwhile. */
const BEFORE_MS = `(CASE WHEN :before IS NULL THEN ${Number.MAX_SAFE_INTEGER} ELSE
  ifnull((SELECT claimed_at_ms FROM occurrences WHERE id <= :before ORDER BY id DESC LIMIT 1), -1) END)`
/** Each state by its index: a page costs what it shows, however rare that is. */
const newestOf = (state: OccurrenceState, which: string) => `SELECT * FROM (SELECT id, claimed_at_ms FROM occurrences
  WHERE instr(:states, ' ${state} ') > 0 AND ${which} state = '${state}'
  AND claimed_at_ms >= :since AND claimed_at_ms <= min(:until - 1, ${BEFORE_MS})
  AND (claimed_at_ms < ${BEFORE_MS} OR id < :before) ORDER BY claimed_at_ms DESC, id DESC LIMIT :limit)`
const DELIVERY = `(SELECT ifnull((SELECT group_concat(DISTINCT s.state) FROM sends s WHERE s.text_id = o.text_id),
  (SELECT x.state FROM outbox x WHERE x.id = o.text_id))) AS delivery`

const RETRY = `(SELECT retry_at_ms FROM runs r WHERE r.run_id = o.run_id AND r.attempt > 0) AS retry_at_ms,
  (SELECT error FROM runs r WHERE r.run_id = o.run_id AND retry_at_ms IS NOT NULL) AS retry_error`

function ledgerPages(select: Select): LargeReadsHere['occurrences'] {
  const page = (which: string, named: (jobId: string | undefined) => Readonly<Record<string, string>>) =>
    largeRead(select, {
      sql: columns => `SELECT ${columns} FROM occurrences o WHERE id IN (SELECT id FROM (
        ${OCCURRENCE_STATES.map(state => newestOf(state, which)).join(' UNION ALL ')}
        ) ORDER BY claimed_at_ms DESC, id DESC LIMIT :limit) ORDER BY claimed_at_ms DESC, id DESC`,
      columns: `o.*, ${DELIVERY}, ${RETRY}`,
      long: ['error', 'summary'],
      params: (...[jobId, limit, filter = {}]: Parameters<StoreReads['occurrences']>) => ({
        ...named(jobId),
        before: filter.before ?? null,
        since: filter.sinceMs ?? 0,
        until: filter.untilMs ?? Number.MAX_SAFE_INTEGER,
        states: ` ${(filter.states ?? OCCURRENCE_STATES).join(' ')} `,
        limit: capped(limit),
      }),
      made: (rows: OccurrenceColumns[]) => rows.reverse().map(toOccurrence),
    })
  const all = page('', () => ({}))
  const ofOne = page('job_id = :jobId AND', (jobId = '') => ({ jobId }))
  const which = (jobId: string | undefined) => (jobId === undefined ? all : ofOne)
  return { read: (...args) => which(args[0]).read(...args), bytes: (...args) => which(args[0]).bytes(...args) }
}

type JobReads = Pick<StoreReads, 'newestOccurrenceMs' | 'trigger' | 'job' | 'jobCount' | 'dueJobs' | 'nextDueAtMs'>

function jobReads(select: Select, remember: Remember): JobReads {
  const count = (where: string) => select<{ n: number }>(`SELECT count(*) AS n FROM jobs ${where}`)
  const one = select<JobColumns>(`SELECT ${JOB_COLUMNS} FROM jobs WHERE id = ?`)
  const countAll = count('')
  const countOfMaker = count('WHERE maker = ? AND (? OR enabled = 1)')
  const countEnabled = count('WHERE enabled = 1')
  const due = select<JobColumns>(`SELECT ${JOB_COLUMNS} FROM jobs
    WHERE enabled = 1 AND next_run_at_ms IS NOT NULL AND next_run_at_ms <= ? ORDER BY next_run_at_ms, id LIMIT ?`)
  const next = select<{ at: number | null }>(
    'SELECT min(next_run_at_ms) AS at FROM jobs WHERE enabled = 1 AND next_run_at_ms IS NOT NULL',
  )
  const trigger = select<{ occurrence: string; atMs: number; hops: number }>(
    'SELECT occurrence, at_ms AS atMs, hops FROM triggers WHERE job_id = ? ORDER BY id LIMIT 1',
  )
  const newest = select<{ at: number }>('SELECT claimed_at_ms AS at FROM occurrences ORDER BY id DESC LIMIT 1')
  return {
    job(jobId) {
      const row = one.get([jobId])
      return row && toJob(row)
    },
    jobCount: remember(({ includeDisabled, madeBy }) => {
      if (madeBy) return countOfMaker.get([madeBy, includeDisabled ? 1 : 0])?.n ?? 0
      return (includeDisabled ? countAll : countEnabled).get([])?.n ?? 0
    }),
    dueJobs: (nowMs, limit) => due.all([nowMs, capped(limit)]).map(toJob),
    nextDueAtMs: () => next.get([])?.at ?? undefined,
    newestOccurrenceMs: () => newest.get([])?.at,
    trigger: jobId => trigger.get([jobId]),
  }
}

function runReads(
  select: Select,
): Pick<StoreReads, 'run' | 'liveRuns' | 'liveChildren' | 'runEntries' | 'toolsCalled' | 'mergedInto'> {
  const merged = select<{ run_id: string }>('SELECT run_id FROM runs WHERE merged_into = ? ORDER BY id')
  const one = select<RunColumns>('SELECT * FROM runs WHERE run_id = ?')
  const liveWhere = (column: string) =>
    select<RunColumns>(`SELECT * FROM runs WHERE state IN ('queued', 'running') AND ${column} = ?
      ORDER BY id LIMIT ${READ_ROWS_MAX}`)
  const live = liveWhere('session_key')
  const telling = liveWhere('tells')
  const called = select<{ name: string }>(`SELECT DISTINCT json_extract(c.value, '$.name') AS name
    FROM entries e, json_each(e.body, '$.calls') c WHERE e.run_id = ? AND e.kind = 'message'`)
  const journal = select<EntryColumns>('SELECT * FROM entries WHERE run_id = ? ORDER BY id')
  return {
    mergedInto: runId => merged.all([runId]).map(row => row.run_id),
    run(runId) {
      const row = one.get([runId])
      return row && toRun(row)
    },
    liveRuns: sessionKey => live.all([sessionKey]).map(toRun),
    liveChildren: sessionKey => telling.all([sessionKey]).map(toRun),
    toolsCalled: runId => called.all([runId]).map(row => row.name),
    runEntries: runId => journal.all([runId]).map(toEntry),
  }
}

type Page = Parameters<StoreReads['pendingApprovals']>[0]

function pendingPages(select: Select): LargeReadsHere['pendingApprovals'] {
  // Named, or the planner walks all approvals there ever were, because they lie in the wanted order.
  const page = (where: string, named: (page: Page) => Readonly<Record<string, string>>) =>
    largeRead(select, {
      sql: columns => `SELECT ${columns} FROM approvals INDEXED BY approvals_pending WHERE state = 'pending' ${where}
        ORDER BY seq LIMIT :limit`,
      long: ['text', 'request'],
      params: (wanted: Page) => ({ ...named(wanted), limit: capped(wanted.limit) }),
      made: (rows: ApprovalColumns[]) => rows.map(toApproval),
    })
  const all = page('', () => ({}))
  const inOne = page('AND asked_in = :askedIn', ({ askedIn = '' }) => ({ askedIn }))
  const which = ({ askedIn }: Page) => (askedIn === undefined ? all : inOne)
  return { read: wanted => which(wanted).read(wanted), bytes: wanted => which(wanted).bytes(wanted) }
}

function approvalReads(select: Select): Pick<StoreReads, 'approval' | 'approvalOfCall' | 'pendingApprovalCount'> {
  const one = select<ApprovalColumns>('SELECT * FROM approvals WHERE id = ?')
  const ofCall = select<ApprovalColumns>('SELECT * FROM approvals WHERE run_id = ? AND call_id = ?')
  const pending = select<{ n: number }>(`SELECT count(*) AS n FROM (
    SELECT 1 FROM approvals INDEXED BY approvals_pending WHERE state = 'pending' LIMIT ?)`)
  return {
    approval(id) {
      const row = one.get([id])
      return row && toApproval(row)
    },
    approvalOfCall(runId, callId) {
      const row = ofCall.get([runId, callId])
      return row && toApproval(row)
    },
    pendingApprovalCount: limit => pending.get([capped(limit)])?.n ?? 0,
  }
}

function sessionReads(select: Select): Pick<StoreReads, 'session' | 'sessions' | 'sessionNamed' | 'sessionCount'> {
  const one = select<SessionColumns>('SELECT * FROM sessions WHERE key = ? AND deleted_at_ms IS NULL')
  const count = select<{ n: number }>('SELECT count(*) AS n FROM sessions WHERE deleted_at_ms IS NULL')
  const labelled = select<SessionColumns>('SELECT * FROM sessions WHERE label = ? AND deleted_at_ms IS NULL')
  const byId = select<SessionColumns>('SELECT * FROM sessions WHERE session_id = ? AND deleted_at_ms IS NULL')
  const page = select<SessionColumns>(`SELECT * FROM sessions WHERE updated_at_ms >= :since AND deleted_at_ms IS NULL
    AND (:agentId IS NULL OR agent_id = :agentId)
    AND (:like IS NULL OR key LIKE :like ESCAPE '\\' OR last_message LIKE :like ESCAPE '\\'
      OR label LIKE :like ESCAPE '\\')
    ORDER BY updated_at_ms DESC, key DESC LIMIT :limit`)
  return {
    session(sessionKey) {
      const row = one.get([sessionKey])
      return row && toSession(row)
    },
    sessions({ limit, agentId, updatedSinceMs, search }) {
      const like = search ? `%${search.replaceAll(/[\\%_]/g, '\\$&')}%` : null
      const params = { since: updatedSinceMs ?? 0, agentId: agentId ?? null, like, limit: capped(limit) }
      return page.all(params).map(toSession)
    },
    sessionNamed({ label, sessionId }) {
      const row = label === undefined ? byId.get([sessionId ?? '']) : labelled.get([label])
      return row && toSession(row)
    },
    sessionCount: () => count.get([])?.n ?? 0,
  }
}

function usageReads(select: Select): Pick<StoreReads, 'usage'> {
  const sums = {
    day: select<UsageRow>(usageSelect('day', READ_ROWS_MAX)),
    model: select<UsageRow>(usageSelect('model', READ_ROWS_MAX)),
  }
  return { usage: ({ scope, fromDay, by }) => sums[by].all([scope, fromDay]) }
}

/** Drops the results at the page's beginning whose message lies before it: nobody may see an answer without its call. */
function withoutOrphans(entries: Entry[]): Entry[] {
  const messages = new Set(entries.filter(({ body }) => body.kind === 'message').map(({ id }) => id))
  return entries.filter(({ body }) => body.kind !== 'result' || messages.has(body.message))
}

const NEWEST_COMPACTION = `SELECT max(id) FROM entries WHERE session_id = :session AND kind = 'compaction'`
const KEPT_FROM = `SELECT json_extract(body, '$.keptFrom') FROM entries WHERE id = (${NEWEST_COMPACTION})`

/** From where the newest summary leaves off, and that summary itself, however many entries came after it. */
const TRANSCRIPT = `(id = (${NEWEST_COMPACTION}) OR id IN (SELECT id FROM entries WHERE session_id = :session
  AND id >= ifnull((${KEPT_FROM}), 0) ORDER BY id DESC LIMIT :limit))`

function entryPages(select: Select): Pick<LargeReadsHere, 'entries' | 'transcript'> {
  const pages = (where: string) =>
    largeRead(select, {
      sql: columns => `SELECT ${columns} FROM entries WHERE ${where}`,
      long: ['body'],
      params: (session: string, limit: number) => ({ session, limit: capped(limit) }),
      made: (rows: EntryColumns[]) => withoutOrphans(rows.reverse().map(toEntry)),
    })
  const present = '(SELECT session_id FROM sessions WHERE key = :session AND deleted_at_ms IS NULL)'
  return {
    entries: pages(`session_id = ${present} ORDER BY id DESC LIMIT :limit`),
    transcript: pages(`session_id = :session AND ${TRANSCRIPT} ORDER BY id DESC`),
  }
}

function eventReads(select: Select): Pick<StoreReads, 'eventsSince' | 'lastSeq' | 'oldestSeq'> {
  // Sizes first: payloads that the answer has no room for are never read.
  const sizes = select<{ seq: number; bytes: number }>(
    'SELECT seq, octet_length(payload) AS bytes FROM events WHERE seq > ? ORDER BY seq LIMIT ?',
  )
  const span = select<{ seq: number; event: string; payload: string }>(
    'SELECT seq, event, payload FROM events WHERE seq > ? AND seq <= ? ORDER BY seq',
  )
  // Not the newest row's number: that one may have been removed.
  const last = select<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'events'")
  const oldest = select<{ seq: number | null }>('SELECT min(seq) AS seq FROM events')
  const lastSeq = () => last.get([])?.seq ?? 0
  return {
    eventsSince(seq, limit, bytesMax = Number.POSITIVE_INFINITY) {
      const rows = sizes.all([seq, capped(limit)])
      let bytes = 0
      const over = rows.findIndex((row, index) => {
        bytes += row.bytes
        return index > 0 && bytes > bytesMax
      })
      const newest = rows.at(over < 0 ? -1 : over - 1)
      return newest ? span.all([seq, newest.seq]).map(toEvent) : []
    },
    lastSeq,
    oldestSeq: () => oldest.get([])?.seq ?? lastSeq() + 1,
  }
}

type OutboxReads = Pick<
  StoreReads,
  'unreadCount' | 'send' | 'route' | 'openSends' | 'queuedSendCount' | 'dueSends' | 'nextSendAtMs'
>

function outboxReads(select: Select): OutboxReads {
  const unread = select<{ n: number }>(`SELECT count(*) AS n FROM (
    SELECT 1 FROM outbox WHERE state = 'unread' AND session_key = ? LIMIT ?)`)
  const one = select<SendColumns>('SELECT * FROM sends WHERE id = ?')
  const route = select<RouteColumns>(FIND_ROUTE)
  const queued = select<{ n: number }>(`SELECT count(*) AS n FROM (
    SELECT 1 FROM sends WHERE state = 'queued' AND channel_id = ? LIMIT ?)`)
  const open = select<SendColumns>("SELECT * FROM sends WHERE state <> 'sent' ORDER BY seq DESC LIMIT ?")
  const due = select<SendColumns>(`SELECT * FROM sends WHERE due_at_ms IS NOT NULL AND channel_id = ? AND due_at_ms <= ?
    ORDER BY due_at_ms, seq LIMIT ?`)
  const next = select<{ at: number | null }>(`SELECT min(due_at_ms) AS at FROM sends
    WHERE due_at_ms IS NOT NULL AND channel_id = ? AND due_at_ms > ?`)
  return {
    unreadCount: (sessionKey, limit) => unread.get([sessionKey, capped(limit)])?.n ?? 0,
    send(id) {
      const row = one.get([id])
      return row && toSend(row)
    },
    route(sessionKey) {
      const row = route.get([sessionKey])
      return row && toRoute(row)
    },
    openSends: limit => open.all([capped(limit)]).map(toSend),
    queuedSendCount: (channelId, limit) => queued.get([channelId, capped(limit)])?.n ?? 0,
    dueSends: ({ channelId, nowMs, limit }) => due.all([channelId, nowMs, capped(limit)]).map(toSend),
    nextSendAtMs: (channelId, nowMs) => next.get([channelId, nowMs])?.at ?? undefined,
  }
}

function keyReads(select: Select): Pick<StoreReads, 'firstAnswer'> {
  const find = select<KeyColumns>(FIND_KEY)
  return {
    firstAnswer(key) {
      const row = sameParams(key, find.get(keyNames(key)))
      return row && row.outcome !== BEGUN ? { kept: fromJson(row.outcome) } : undefined
    },
  }
}
