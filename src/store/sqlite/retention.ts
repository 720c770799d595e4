// What is kept for how long, and how the rest goes: a slice at a time, each a write of its own, so that nobody waits for it
// longer than one slice. A row goes when it is old and nothing needs it any more; what a live turn, an unread notice or a
// reply that is still owed needs stays, however old. Ages are by the clock of the gateway.
import { DAY, HOUR, MINUTE } from '../../base/durations.ts'
import { pause } from '../../base/pause.ts'
import type { Clock } from '../../base/world.ts'
import type { AgingTable, Store } from '../port.ts'
import { fresh, type Tx, type WriteFunctions } from './tx.ts'

/** How long, and of how many at least (`newest`) or at most (`rowsMax`), rows are kept. */
export const KEPT = {
  /** Clients are told that a repeat within a week gets the first answer (T1). */
  keys: { ms: 7 * DAY },
  /** A week away is caught up with; the bound keeps a busy gateway's file small, and its answers to who was away long. */
  events: { ms: 7 * DAY, rowsMax: 200_000 },
  /** What turns and histories read of a session is its newest 500 entries; those stay for good. */
  entries: { ms: 90 * DAY, newest: 500 },
  /** As long as their journals. */
  runs: { ms: 90 * DAY },
  /** A season of a job's past, and of a rare job enough to see how it goes. */
  occurrences: { ms: 90 * DAY, newest: 200 },
  /** Long enough to look up who allowed what; what is allowed always stays. */
  approvals: { ms: 30 * DAY },
  /** Texts that were shown; the session's transcript has them too. */
  outbox: { ms: 30 * DAY },
  /** What went to chats of channels, or did not. */
  sends: { ms: 30 * DAY },
  /** Files that no entry names any more, that were sent, or that came with a message that never had a turn. */
  blobs: { ms: 7 * DAY },
  /** As long as the journals; the sums of whole days stay. */
  usage: { ms: 90 * DAY },
} as const satisfies Record<AgingTable, { ms: number; newest?: number; rowsMax?: number }>

/** Of the writer's time, for one slice; half of it is left for its commit. */
const SLICE_MS_MAX = 20
/** Rows looked at in one slice, so that on most machines this and no clock decides what a slice is. */
const SLICE_ROWS_MAX = 250
const PAGE_ROWS = 50

const LIVE = "state IN ('queued', 'running')"
const liveIn = (where: string) => `EXISTS (SELECT 1 FROM runs r INDEXED BY runs_live WHERE r.${LIVE} AND ${where})`
const nth = (newest: number) => `ORDER BY id DESC LIMIT 1 OFFSET ${newest - 1}`

interface Rule {
  /** `id` is in order of age, but for steps of the clock; `old` and `needed` are 0 or 1. Params `cut`, `after`. */
  readonly rows: string
  readonly remove: readonly string[]
  /** The id of the oldest row that stays in any case, of those with a row's `kin`. */
  readonly newest?: string
}

const rule = (table: string, { id = 'id', at, needed, kin = 'NULL' }: Record<string, string>): string =>
  `SELECT ${id} AS id, ${at} < :cut AS old, ${needed} AS needed, ${kin} AS kin FROM ${table} t
   WHERE ${id} > :after ORDER BY ${id} LIMIT ${PAGE_ROWS}`

/** In the order in which they are gone through: what still names a row goes before it. */
const RULES: Readonly<Record<AgingTable, Rule>> = {
  keys: {
    // A turn that goes on after a long stop makes its last call again, under the key of that call.
    rows: rule('keys', {
      id: 'rowid',
      at: 'created_at_ms',
      needed: `t.principal LIKE 'session:%' AND ${liveIn('r.session_key = substr(t.principal, 9)')}`,
    }),
    remove: ['DELETE FROM keys WHERE rowid = ?'],
  },
  entries: {
    rows: rule('entries', {
      at: 'created_at_ms',
      needed: `${liveIn('r.session_key = t.session_key AND r.session_id = t.session_id')}
        OR EXISTS (SELECT 1 FROM runs r WHERE r.run_id = t.run_id AND (r.${LIVE} OR r.handover = 'open'))
        OR t.kind = 'compaction' AND EXISTS (SELECT 1 FROM sessions s WHERE s.key = t.session_key AND s.session_id = t.session_id)
          AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.session_id = t.session_id AND e.kind = 'compaction' AND e.id > t.id)`,
      kin: '(SELECT s.session_id FROM sessions s WHERE s.key = t.session_key AND s.session_id = t.session_id AND s.deleted_at_ms IS NULL)',
    }),
    remove: ['DELETE FROM blob_names WHERE entry_id = ?', 'DELETE FROM entries WHERE id = ?'],
    newest: `SELECT id FROM entries WHERE session_id = ? ${nth(KEPT.entries.newest)}`,
  },
  approvals: {
    // What waits was not decided at all. The first of equal permissions for always is the one that holds.
    rows: rule('approvals', {
      id: 'seq',
      at: 'created_at_ms',
      needed: `ifnull(t.decided_at_ms, :cut) >= :cut
        OR EXISTS (SELECT 1 FROM runs r WHERE r.run_id = t.run_id AND r.${LIVE})
        OR t.decision = 'allow-always' AND NOT EXISTS (SELECT 1 FROM approvals a WHERE a.decision = 'allow-always'
          AND a.agent_id = t.agent_id AND a.what_hash = t.what_hash AND a.seq < t.seq)`,
    }),
    remove: ['DELETE FROM approvals WHERE seq = ?'],
  },
  runs: {
    rows: rule('runs', {
      at: 'created_at_ms',
      needed: `t.${LIVE} OR t.handover = 'open' OR ifnull(t.ended_at_ms, :cut) >= :cut
        OR EXISTS (SELECT 1 FROM entries e WHERE e.run_id = t.run_id)
        OR EXISTS (SELECT 1 FROM approvals a WHERE a.run_id = t.run_id)`,
    }),
    remove: [
      'DELETE FROM inbox WHERE run_id = (SELECT run_id FROM runs WHERE id = ?)',
      'DELETE FROM runs WHERE id = ?',
    ],
  },
  occurrences: {
    rows: rule('occurrences', { at: 'claimed_at_ms', needed: "t.state = 'running'", kin: 't.job_id' }),
    remove: ['DELETE FROM occurrences WHERE id = ?'],
    newest: `SELECT id FROM occurrences WHERE job_id = ? ${nth(KEPT.occurrences.newest)}`,
  },
  outbox: {
    rows: rule('outbox', { id: 'rowid', at: 'created_at_ms', needed: "t.state <> 'read' OR t.read_at_ms >= :cut" }),
    remove: ['DELETE FROM outbox WHERE rowid = ?'],
  },
  sends: {
    rows: rule('sends', {
      id: 'seq',
      at: 'created_at_ms',
      needed: "t.state IN ('queued', 'sending') OR t.ended_at_ms >= :cut",
    }),
    remove: ['DELETE FROM sends WHERE seq = ?'],
  },
  usage: {
    rows: rule('usage', { at: 'created_at_ms', needed: "t.scope = 'all'" }),
    remove: ['DELETE FROM usage WHERE id = ?'],
  },
  events: {
    rows: rule('events', { id: 'seq', at: 'seq', needed: '0' }),
    remove: ['DELETE FROM events WHERE seq = ?'],
  },
  blobs: {
    rows: rule('blobs', {
      id: 'rowid',
      at: 'kept_at_ms',
      needed: `EXISTS (SELECT 1 FROM blob_names n WHERE n.hash = t.hash)
        OR EXISTS (SELECT 1 FROM inbox i INDEXED BY inbox_with_attachments
          WHERE i.state = 'waiting' AND i.attachments IS NOT NULL AND instr(i.attachments, t.hash))
        OR EXISTS (SELECT 1 FROM sends s WHERE s.file IS NOT NULL AND s.file ->> '$.blob' = t.hash AND s.state <> 'sent')`,
    }),
    remove: ['DELETE FROM blobs WHERE rowid = ?'],
  },
}

interface AgingRow {
  readonly id: number
  readonly old: 0 | 1
  readonly needed: 0 | 1
  readonly kin: string | null
}

// An event's row has no time. So each pass notes which number was the newest when: a name and a value of `meta`.
const NOTED = "name LIKE 'events-at:%'"
const NOTE =
  "INSERT OR REPLACE INTO meta VALUES (?, ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0))"
const NOTED_BEFORE = `SELECT max(name) AS name, value AS seq FROM meta WHERE ${NOTED} AND name <= ?`
const FORGET_NOTES = `DELETE FROM meta WHERE ${NOTED} AND name < ?`
const LAST_SEQ = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"

/** A name that sorts as its instant does. */
const noteName = (atMs: number) => `events-at:${String(Math.max(0, atMs)).padStart(16, '0')}`

/** The number from which on events are kept. */
function firstKeptSeq(tx: Tx, { isFirst, nowMs }: { isFirst: boolean; nowMs: number }): number {
  if (isFirst) tx.run(NOTE, [noteName(nowMs)])
  const noted = tx.get<{ name: string | null; seq: number | null }>(NOTED_BEFORE, [noteName(nowMs - KEPT.events.ms)])
  if (noted?.name) tx.run(FORGET_NOTES, [noted.name])
  const lastSeq = tx.get<{ seq: number }>(LAST_SEQ)?.seq ?? 0
  return 1 + Math.max(noted?.seq ?? 0, lastSeq - KEPT.events.rowsMax)
}

/** Says of a row whether it is among the newest of its kin, which stay in any case. */
function keepsNewest(tx: Tx, newest: string | undefined): (row: AgingRow) => boolean {
  const keptFrom = new Map<string, number>()
  return ({ id, kin }) => {
    if (!newest || kin === null) return false
    const from = keptFrom.get(kin) ?? tx.get<{ id: number }>(newest, [kin])?.id ?? 0
    keptFrom.set(kin, from)
    return id >= from
  }
}

/** A table's rows in order, to where they are young. */
function* fromOldest(tx: Tx, rows: string, params: { cut: number; after: number }): Generator<AgingRow> {
  let { after } = params
  for (;;) {
    const page = tx.all<AgingRow>(rows, { ...params, after })
    yield* page
    after = page.at(-1)?.id ?? after
    // A clock that was wrong for a while leaves young rows among old ones, but hardly a whole page of them.
    if (page.length < PAGE_ROWS || !page.some(({ old }) => old)) return
  }
}

const removeOld: WriteFunctions['removeOld'] = (tx, { table, afterId, sliceMs, nowMs }) => {
  const untilMs = performance.now() + sliceMs
  const { rows, remove, newest } = RULES[table]
  const cut = table === 'events' ? firstKeptSeq(tx, { isFirst: afterId === 0, nowMs }) : nowMs - KEPT[table].ms
  const isNewest = keepsNewest(tx, newest)
  let seen = 0
  let removed = 0
  for (const row of fromOldest(tx, rows, { cut, after: afterId })) {
    if (row.old && !row.needed && !isNewest(row)) {
      for (const sql of remove) tx.run(sql, [row.id])
      removed += 1
    }
    seen += 1
    if (seen >= SLICE_ROWS_MAX || performance.now() >= untilMs) return fresh({ removed, nextId: row.id })
  }
  return fresh({ removed })
}

export const retentionWrites = { removeOld }

/** After a start, when there is other work than this. */
const FIRST_PASS_MS = 5 * MINUTE
const PASS_INTERVAL_MS = 6 * HOUR
/** Between slices: four fifths of the writer's time are others'. */
const SLICE_PAUSE_MS = 4 * SLICE_MS_MAX

export const AGING_TABLES = Object.keys(RULES) as AgingTable[]

interface RetentionParts {
  readonly store: Store
  readonly clock: Clock
  readonly log: (level: 'info' | 'warn', message: string, fields?: Readonly<Record<string, unknown>>) => void
}

/** Removes old rows now and then, until it is stopped. A pass that fails is tried again at the next one's time. */
export function startRetention(parts: RetentionParts): { stop(): void } {
  const stopped = new AbortController()
  const keepOn = async () => {
    for (let delayMs = FIRST_PASS_MS; ; delayMs = PASS_INTERVAL_MS) {
      await pause(parts.clock, delayMs, stopped.signal)
      if (stopped.signal.aborted) return
      await pass(parts, stopped.signal).catch((error: unknown) => {
        if (!stopped.signal.aborted) parts.log('warn', 'old rows could not be removed', { error: String(error) })
      })
    }
  }
  void keepOn()
  return { stop: () => stopped.abort() }
}

async function pass({ store, clock, log }: RetentionParts, signal: AbortSignal): Promise<void> {
  const removed: Partial<Record<AgingTable, number>> = {}
  for (const table of AGING_TABLES) {
    for (let afterId: number | undefined = 0; afterId !== undefined && !signal.aborted; ) {
      const slice = { table, afterId, sliceMs: SLICE_MS_MAX / 2, nowMs: clock.now() }
      const { value } = await store.write.removeOld(slice, { signal })
      if (value.removed > 0) removed[table] = (removed[table] ?? 0) + value.removed
      afterId = value.nextId
      if (afterId !== undefined) await pause(clock, SLICE_PAUSE_MS, signal)
    }
  }
  if (Object.keys(removed).length > 0) log('info', 'removed old rows', removed)
}
