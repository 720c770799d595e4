// What must hold at the end of all that people wrote while turns ran: each message is one input, of its own turn or of the
// one it merged into, and is answered there; nothing merged that may not; no turn ended over a message that it had to
// read; who interrupted did, who was rejected left nothing; and the reply is owed to whoever wrote.
import { SECOND } from '../../src/base/durations.ts'
import { type Evidence, type RunRecord, repeated } from './evidence.ts'
import { slackOf } from './scenario.ts'

interface InboxRecord {
  readonly run_id: string
  readonly state: string
  readonly text: string
  readonly entry_id: number | null
}

const MERGING = new Set(['steer', 'collect'])
/** What a stopped turn may take to end, before what a disk and a busy moment take. */
const GRACE_MS = 10 * SECOND

export function auditMerging(evidence: Evidence): void {
  const { reader, runs, seen } = evidence
  const inbox = reader.prepare('SELECT run_id, state, text, entry_id FROM inbox ORDER BY id').all() as InboxRecord[]
  for (const row of inbox) auditConsumed(evidence, row)
  for (const id of repeated(inbox.flatMap(row => (row.entry_id === null ? [] : [String(row.entry_id)]))))
    seen.violate('merged', `entry ${id} consumes two messages`)
  const inputs = [...evidence.entries.values()].flat().filter(entry => entry.kind === 'input')
  if (inputs.length !== inbox.filter(row => row.state === 'consumed').length)
    seen.violate('merged', `${inputs.length} inputs show other messages than were consumed`)
  const bySession = Map.groupBy(runs.values(), run => run.session_key)
  for (const run of runs.values()) {
    const others = (bySession.get(run.session_key) ?? []).filter(other => other !== run)
    if (run.merged_into !== null) {
      seen.counts.merged += 1
      auditMerged(evidence, run)
    }
    if (run.state === 'ok' && run.attempt > 0) auditAnswered(evidence, run, others)
    if (run.source === 'chat') auditMode(evidence, run, others)
    auditOwed(evidence, run, others)
  }
}

/** By exactly one input: of its own turn, or of the one that it merged into; one that was never begun is closed. */
function auditConsumed({ runs, entries, seen }: Evidence, row: InboxRecord): void {
  const wrong = (what: string) => seen.violate('merged', `the message of ${row.run_id} ${what}`)
  const run = runs.get(row.run_id)
  if (!run) return
  if (run.merged_into === null && run.attempt === 0) {
    if (row.state !== 'closed') wrong(`was never begun and is ${row.state}`)
    return
  }
  const into = run.merged_into ?? run.run_id
  const entry = entries.get(into)?.find(one => one.id === row.entry_id)
  if (row.state !== 'consumed' || entry?.kind !== 'input') {
    wrong(`is ${row.state} without an input of ${into}`)
    return
  }
  const body = JSON.parse(entry.body)
  if (body.text !== row.text || (body.of ?? into) !== row.run_id) wrong(`is consumed by an input of ${body.of ?? into}`)
}

function auditMerged({ runs, seen }: Evidence, run: RunRecord): void {
  const wrong = (what: string) => seen.violate('merged', `${run.run_id} ${what}`)
  const into = runs.get(run.merged_into as string)
  if (!into || into.attempt === 0) {
    wrong(`merged into ${run.merged_into}, which never began`)
    return
  }
  if (run.attempt > 0 || run.state !== 'ok' || run.reply !== null) wrong('merged and has a turn of its own')
  if (run.source !== 'chat' || !MERGING.has(run.queue_mode)) wrong(`merged, of ${run.source}, as ${run.queue_mode}`)
  if (into.session_key !== run.session_key || into.session_id !== run.session_id)
    wrong('merged into another transcript')
  if (into.id > run.id) wrong(`merged into ${into.run_id}, which came after it`)
  const atMs = run.ended_at_ms ?? Number.NaN
  if (!(atMs >= (into.started_at_ms ?? 0) && atMs <= (into.ended_at_ms ?? 0)))
    wrong('merged while the other did not run')
  const reset = resetsOf(seen, run.session_key).find(
    ({ fromMs, byMs }) => (into.started_at_ms ?? 0) < fromMs && byMs < run.created_at_ms,
  )
  if (reset) wrong(`was written after a reset and merged into ${into.run_id}, which began before it`)
}

/** When the transcript of a session was begun anew: asked for and, where it was answered, answered. */
function resetsOf(seen: Evidence['seen'], sessionKey: string): { fromMs: number; byMs: number }[] {
  const asked = seen.requests.filter(({ method, params }) => method === 'sessions.reset' && params.key === sessionKey)
  return asked.map(({ calls }) => {
    const ends = calls.flatMap(call => (call.state === 'answered' ? [call.endedMs as number] : []))
    return { fromMs: calls[0]?.startedMs ?? 0, byMs: Math.min(Number.POSITIVE_INFINITY, ...ends) }
  })
}

/** A turn that ended well answered last, and after all that it had to read. */
function auditAnswered({ entries, seen }: Evidence, run: RunRecord, others: readonly RunRecord[]): void {
  const journal = entries.get(run.run_id) ?? []
  const last = journal.findLast(entry => entry.kind === 'message')
  const input = journal.findLast(entry => entry.kind === 'input')
  if (!last || (input && input.id > last.id)) {
    seen.violate('merged', `${run.run_id} ended well and answered no message after input ${input?.id}`)
    return
  }
  const isUnread = (other: RunRecord) =>
    other.id > run.id &&
    other.queue_mode === 'steer' &&
    other.merged_into !== run.run_id &&
    other.created_at_ms < last.created_at_ms &&
    (other.started_at_ms ?? other.ended_at_ms ?? Number.POSITIVE_INFINITY) > last.created_at_ms
  const unread = others.find(isUnread)
  if (!unread) return
  const isAnew = resetsOf(seen, run.session_key).some(
    ({ fromMs, byMs }) => byMs >= (run.started_at_ms ?? 0) && fromMs <= (unread.started_at_ms ?? last.created_at_ms),
  )
  if (!isAnew) seen.violate('merged', `${run.run_id} ended well, and ${unread.run_id}, which steers it, was not read`)
}

function auditMode({ scenario, seen }: Evidence, run: RunRecord, others: readonly RunRecord[]): void {
  const { mode, byChannel } = scenario.allowance.modes
  const channel = /^channel:([^:]*):/.exec(run.run_id)?.[1] ?? ''
  const before = others.filter(other => other.id < run.id)
  const isLater = (other: RunRecord, spanMs: number) => (other.ended_at_ms ?? 0) > run.created_at_ms + spanMs
  switch (byChannel[channel] ?? mode) {
    case 'reject': {
      const busy = before.find(other => isLater(other, 0))
      if (busy) seen.violate('rejected', `${run.run_id} was taken while ${busy.run_id} had not ended`)
      return
    }
    case 'interrupt': {
      const meant = before.filter(
        other => other.source === 'chat' || (other.started_at_ms ?? Number.POSITIVE_INFINITY) < run.created_at_ms,
      )
      const patienceMs = GRACE_MS + 2 * slackOf(scenario)
      const missed = meant.find(other => other.state === 'ok' && other.attempt > 0 && isLater(other, patienceMs))
      if (missed) seen.violate('interrupted', `${run.run_id} did not stop ${missed.run_id}`)
      return
    }
    default:
  }
}

/** The reply to a person's message is kept for them, whoever had asked for the turn; that of no other turn is. */
function auditOwed({ reader, seen }: Evidence, run: RunRecord, others: readonly RunRecord[]): void {
  if (run.attempt === 0) return
  const isTheirs = run.source === 'chat' || run.source === 'told' || others.some(one => one.merged_into === run.run_id)
  const owed = reader.prepare('SELECT text FROM outbox WHERE id = ?').pluck().get(`reply:${run.run_id}`) as
    | string
    | undefined
  const isSaid = run.state === 'ok' || run.state === 'aborted' ? run.reply !== null : true
  if ((owed !== undefined) !== (isTheirs && isSaid))
    seen.violate('owed', `the reply of ${run.run_id} is ${owed === undefined ? 'owed to nobody' : 'owed to somebody'}`)
  if (owed !== undefined && !owed.includes(run.reply ?? '')) seen.violate('owed', `${run.run_id} owes another reply`)
}
