// What must hold when a simulated world has come to rest: the journals, the ledger, the keys and the answers that people
// and turns were given, all compared with what is in the database file. Reads SQL of its own, not the store's reads.

import type { SluiceError } from '../../src/base/errors.ts'
import type { WaitGraph } from '../../src/coordination/wait-graph.ts'
import { streamId } from '../../src/protocol/events.ts'
import { auditChats } from './audit-chats.ts'
import { auditCommands } from './audit-commands.ts'
import { auditDelegation } from './audit-delegation.ts'
import { auditMerging } from './audit-merging.ts'
import type { Boot } from './boot.ts'
import type { Chats } from './chats.ts'
import {
  answeringRun,
  type EntryRecord,
  type Evidence,
  gather,
  type RunRecord,
  repeated,
  type Told,
} from './evidence.ts'
import { type Scenario, slackOf } from './scenario.ts'
import { isWait, waitedRunId, waitMsOf } from './shadow.ts'
import type { OutsideCall, Request, Sightings, TurnCall } from './sightings.ts'

const ENDED = new Set(['ok', 'failed', 'aborted', 'timed-out'])
/** Errors of runs that a simulation can bring about. Anything else is a defect. */
const EXPECTED_ERROR =
  /^(the model is down|stopped|The turn took longer|given up: \d|Stopped: the model called|Stopped after)/

export function audit(
  boot: Boot,
  { scenario, seen, chats }: { scenario: Scenario; seen: Sightings; chats: Chats },
): void {
  const evidence = gather(boot.reader, scenario, seen)
  atRest(boot, evidence)
  for (const run of evidence.runs.values()) auditRun(evidence, run)
  oneTurnAtATime(evidence)
  auditEnds(evidence)
  auditLedger(evidence)
  auditOnce(evidence)
  for (const request of seen.requests) auditRequest(evidence, request)
  for (const call of seen.turnCalls) if (call.result) auditTurnCall(evidence, call)
  auditWork(evidence)
  auditDelegation(evidence)
  auditCommands(evidence)
  auditMerging(evidence)
  auditChats(evidence, chats)
}

function atRest(boot: Boot, { seen, runs }: Evidence): void {
  const { lanes, slots, joins, approvals, graph } = boot.house.parts
  const figures = {
    lanesHeld: lanes.heldCount,
    lanesWaiting: lanes.waitingCount,
    slotsTaken: slots.takenCount,
    slotsParked: slots.parkedCount,
    slotsWaiting: slots.waitingCount,
    inPools: slots.pools().reduce((sum, pool) => sum + pool.taken + pool.waiting, 0),
    joins: joins.waitingCount,
    questions: approvals.waitingCount,
    edges: graph.list().length,
    approvalEdges: graph.list().filter(edge => edge.target.startsWith('approval:')).length,
    processes: seen.commands.filter(run => run.boot === boot.number && run.endedMs === undefined).length,
    names: [...runs.keys()].filter(runId => graph.nameOf(`run:${runId}`) !== `run:${runId}`).length,
    holders: [...runs.values()].filter(run => isHeld(graph, run)).length,
  }
  for (const [name, value] of Object.entries(figures))
    if (value !== 0) seen.violate('zero', `${name} is ${value} at rest`)
}

/** Whether a merged run still stands for the one that took it: then that one could not wait for it. */
function isHeld(graph: WaitGraph, { run_id: merged, merged_into: into }: RunRecord): boolean {
  if (into === null) return false
  const edge = { waiter: `run:${into}`, target: `run:${merged}`, sinceMs: 0 } as const
  try {
    graph.add(edge)
  } catch {
    return true
  }
  graph.remove(edge)
  return false
}

function auditRun({ seen, entries }: Evidence, run: RunRecord): void {
  const wrong = (what: string) => seen.violate('journal', `${run.run_id}: ${what}`)
  if (!ENDED.has(run.state)) {
    seen.violate('ends', `${run.run_id} is ${run.state} for ever`)
    return
  }
  if (run.error !== null && run.state !== 'ok' && !EXPECTED_ERROR.test(run.error)) wrong(`ended with "${run.error}"`)
  const journal = (entries.get(run.run_id) ?? []).map(entry => entry.kind)
  const count = (kind: string) => journal.filter(one => one === kind).length
  if (run.attempt === 0) {
    if (journal.length > 0) wrong('was never begun and has a journal')
    return
  }
  const own = (entries.get(run.run_id) ?? []).filter(entry => entry.kind === 'input' && !JSON.parse(entry.body).of)
  if (own.length !== 1 || journal[0] !== 'input') wrong(`has ${own.length} inputs of its own`)
  if (count('end') !== 1 || journal.at(-1) !== 'end') wrong(`has ${count('end')} ends: ${journal.join(' ')}`)
  if (count('message') > count('attempt')) wrong('has a message without an attempt')
  pairs(entries.get(run.run_id) ?? [], run, wrong)
}

function pairs(journal: readonly EntryRecord[], run: RunRecord, wrong: (what: string) => void): void {
  const open = new Set<string>()
  let attempted = false
  for (const entry of journal) {
    const body = JSON.parse(entry.body)
    attempted ||= entry.kind === 'attempt'
    if (entry.kind === 'result' && !open.delete(`${body.message}:${body.ordinal}`)) wrong('a result without its call')
    if (entry.kind !== 'message') continue
    if (!attempted) wrong('a message came before its attempt')
    if (open.size > 0) wrong(`a message came before the results of ${[...open].join(', ')}`)
    attempted = false
    for (const call of body.calls) open.add(`${entry.id}:${call.ordinal}`)
  }
  const isWell = run.state === 'ok'
  if (isWell && open.size > 0) wrong(`ended well with open calls ${[...open].join(', ')}`)
}

/** Between the first and the last entry of a turn there is no entry of another turn of its session. */
function oneTurnAtATime({ seen, entries }: Evidence): void {
  const all = [...entries.values()].flat().sort((a, b) => a.id - b.id)
  for (const [session, journal] of Map.groupBy(all, entry => entry.session_key)) {
    const over = new Set<string>()
    let present: string | undefined
    for (const entry of journal) {
      if (entry.run_id === present) continue
      if (present !== undefined) over.add(present)
      present = entry.run_id
      if (over.has(present)) seen.violate('one-turn', `turns of ${session} are mixed: ${present} goes on`)
    }
  }
}

/** Each stream of a run, one per attempt, said once that it ended. */
function auditEnds({ reader, runs, seen }: Evidence): void {
  const rows = reader.prepare("SELECT payload FROM events WHERE event = 'agent'").pluck().all() as string[]
  const ends = new Map<string, number>()
  for (const payload of rows.map(row => JSON.parse(row))) {
    if (payload.stream !== 'lifecycle' || payload.data.phase === 'start') continue
    ends.set(payload.runId, (ends.get(payload.runId) ?? 0) + 1)
  }
  for (const [runId, { attempt: attempts, merged_into }] of runs) {
    // A message that was merged streams nothing of its own.
    if (merged_into !== null) continue
    for (let attempt = 1; attempt <= Math.max(1, attempts); attempt += 1) {
      const stream = streamId({ runId, attempt })
      if (ends.get(stream) !== 1) seen.violate('ends', `${stream} was said to end ${ends.get(stream) ?? 0} times`)
    }
  }
}

interface OccurrenceRecord {
  readonly job_id: string
  readonly occurrence: string
  readonly nominal_at_ms: number | null
  readonly state: string
  readonly run_id: string | null
}

const LEDGER_STATE: Readonly<Record<string, string>> = {
  ok: 'ok',
  failed: 'failed',
  aborted: 'cancelled',
  'timed-out': 'timed-out',
}

function auditLedger({ reader, runs, seen }: Evidence): void {
  const rows = reader.prepare('SELECT * FROM occurrences ORDER BY id').all() as OccurrenceRecord[]
  const nominal = rows.filter(row => row.nominal_at_ms !== null).map(row => `${row.job_id} at ${row.nominal_at_ms}`)
  for (const name of repeated(nominal)) seen.violate('ledger', `${name} is there twice`)
  for (const row of rows) {
    const name = `${row.job_id} ${row.occurrence}`
    if (row.state === 'running') seen.violate('ledger', `${name} runs for ever`)
    const run = row.run_id === null ? undefined : runs.get(row.run_id)
    if (run && LEDGER_STATE[run.state] !== row.state)
      seen.violate('ledger', `${name} is ${row.state}, its run ${run.state}`)
  }
}

/** What has a token was made once: messages by inbox rows, jobs by name. */
function auditOnce({ reader, seen }: Evidence): void {
  const texts = reader
    .prepare(
      "SELECT i.text FROM inbox i JOIN runs r USING (run_id) WHERE r.source IN ('chat', 'agent', 'session', 'spawn')",
    )
    .pluck()
    .all() as string[]
  // An answer in a chat has no token: where nothing was asked it is a message of its own.
  const tokens = texts.map(text => /"token":"([^"]*)"/.exec(text)?.[1] ?? '').filter(token => token !== '')
  for (const token of repeated(tokens)) seen.violate('once', `the message ${token} arrived twice`)
  for (const name of repeated([...seen.jobs.values()])) seen.violate('once', `the job ${name} was made twice`)
}

type Fate = 'done' | 'not-done' | 'unknown'

function fateOf(call: OutsideCall): Fate {
  if (call.state === 'answered' || call.early) return 'done'
  const outcome = call.error?.outcome
  if (outcome === 'committed' || outcome === 'continues' || call.error?.code === 'MODEL_FAILED') return 'done'
  if (outcome === 'not-started') return 'not-done'
  return call.state === 'refused' && call.error?.code === 'INVALID_REQUEST' ? 'not-done' : 'unknown'
}

function auditRequest(evidence: Evidence, request: Request): void {
  const { seen } = evidence
  for (const call of request.calls) auditAnswer(evidence, request, call)
  const fates = request.calls.map(fateOf)
  const exists = effectOf(evidence, request)
  const what = `${request.method} ${request.key}`
  if (fates.includes('done') && exists === false) seen.violate('lost', `${what} was taken and is not there`)
  if (fates.length > 0 && fates.every(fate => fate === 'not-done') && exists === true)
    seen.violate('truth', `${what} was said not to have begun, and it was`)
}

/** Whether the effect of a request is in the database; undefined where that cannot be told. */
function effectOf({ runs, seen, reader }: Evidence, request: Request): boolean | undefined {
  const answered = reader.prepare(
    "SELECT 1 FROM keys WHERE principal = 'operator' AND method = 'chat.send' AND key = ?",
  )
  switch (request.kind) {
    case 'run':
      // A message in a chat that asks something is an answer to it.
      return runs.has(request.key as string) || answered.get(request.key) !== undefined
    case 'send':
      return runs.has(`send:operator:${request.key}`)
    case 'answer':
      return runs.has(request.key as string) || undefined
    case 'job':
      return [...seen.jobs.values()].includes(String(request.params.name))
    default:
      return undefined
  }
}

function auditAnswer({ runs, seen, scenario }: Evidence, request: Request, call: OutsideCall): void {
  const what = `${request.method} ${request.key ?? JSON.stringify(request.params)}`
  if (call.state === 'open') seen.violate('answered', `${what} was never answered`)
  if (call.error) {
    auditRefusal(seen, { what, kind: request.kind, error: call.error, isRepeat: call !== request.calls[0] })
  }
  const { answer } = call
  if (!answer) return
  if (answer.status === 'timeout' && request.method !== 'cron.run') {
    seen.counts.timeouts += 1
    const run = answeringRun(runs, String(answer.runId))
    const timeoutMs = Number(call.params.timeoutMs ?? Number(call.params.timeoutSeconds) * 1_000)
    const ended = run?.ended_at_ms ?? Number.POSITIVE_INFINITY
    const timedOutItself = run?.state === 'timed-out' && request.method === 'agent.wait'
    if (!timedOutItself && ended + slackOf(scenario) < call.startedMs + timeoutMs)
      seen.violate(
        'truth',
        `${what} was told of a time-out, but its run ended ${call.startedMs + timeoutMs - ended} ms before`,
      )
  }
  if (answer.status === 'ok') auditReply(runs, seen, { what, answer })
  const ended = answeringRun(runs, String(answer.runId))
  if (answer.status === 'error' && ended?.state === 'ok')
    seen.violate('truth', `${what} was told of an error, but it went well`)
}

function auditReply(
  runs: Evidence['runs'],
  seen: Sightings,
  { what, answer }: { what: string; answer: Readonly<Record<string, unknown>> },
): void {
  const run = answeringRun(runs, String(answer.runId))
  if (run && run.state !== 'ok') seen.violate('truth', `${what} was told that all went well, but it ${run.state}`)
  if (run && typeof answer.reply === 'string' && answer.reply !== run.reply)
    seen.violate('truth', `${what} was told another reply`)
}

const CODES = new Set(['MODEL_FAILED', 'TIMEOUT', 'NOT_FOUND', 'CANCELLED', 'STORE_FAILED'])

/** A full queue says when to come back; an answer in a chat may have to say which question it is for. */
function auditRefusal(
  seen: Sightings,
  { what, kind, error, isRepeat }: { what: string; kind: Request['kind']; error: SluiceError; isRepeat: boolean },
): void {
  const { code, outcome, retryAfterMs } = error
  const isBusy = code === 'BUSY' && outcome === 'not-started' && retryAfterMs !== undefined
  const isUnclear = kind === 'answer' && code === 'INVALID_REQUEST' && outcome === 'not-started'
  // Asked again so late that its instant has gone by; the first time nothing had been made.
  const isLate = kind === 'job' && code === 'INVALID_REQUEST' && isRepeat && error.message.includes(' is past, ')
  if (!CODES.has(code) && !isBusy && !isUnclear && !isLate)
    seen.violate('refusal', `${what} was refused with ${code}: ${error.message}`)
}

function auditTurnCall({ reader, runs, seen, scenario }: Evidence, call: TurnCall): void {
  const told = JSON.parse(call.result?.text ?? '{}')
  const what = `${call.name} ${call.id} of ${call.runId}`
  if (told.code === 'INTERNAL' || told.code === 'CONFLICT' || told.code === 'STALE')
    seen.violate('refusal', `${what} was refused with ${told.code}: ${told.error}`)
  auditEffect({ reader, seen }, call, { told, what })
  if (call.name === 'sim_wait') auditWait({ runs, seen, scenario }, call, { told, what })
  if (!isDelegation(call.name)) return
  const run = runs.get(waitedRunId(call))
  if (told.runId !== undefined && told.runId !== run?.run_id) seen.violate('lost', `${what} was taken and is not there`)
  if (told.status !== 'timeout') return
  seen.counts.timeouts += 1
  const ended = run?.ended_at_ms ?? Number.POSITIVE_INFINITY
  const dueMs = call.startedMs + waitMsOf(call)
  if (ended + slackOf(scenario) < dueMs)
    seen.violate('truth', `${what} was told of a time-out, but the run ended ${dueMs - ended} ms before`)
}

/** A turn's wait for a run ends with it and in its way, whoever has taken its message. */
function auditWait(
  { runs, seen, scenario }: Pick<Evidence, 'runs' | 'seen' | 'scenario'>,
  call: TurnCall,
  { told, what }: { told: Told; what: string },
): void {
  const run = answeringRun(runs, String(call.args.runId))
  if (!run) return
  if (told.status === 'ok' && run.state !== 'ok') seen.violate('truth', `${what} was told that all went well`)
  const endedMs = run.ended_at_ms ?? Number.POSITIVE_INFINITY
  if (told.status !== 'timeout' || run.state === 'timed-out') return
  if (endedMs + slackOf(scenario) < call.startedMs + waitMsOf(call))
    seen.violate('truth', `${what} was told of a time-out, but the run had ended`)
}

function isDelegation(name: string): boolean {
  return name === 'sessions_send' || name === 'sessions_spawn'
}

/** A turn that was stopped for working too long did work that long: waits do not count. */
function auditWork({ runs, scenario, seen }: Evidence): void {
  const last = new Map(seen.attempts.map(attempt => [attempt.runId, attempt]))
  for (const attempt of last.values()) {
    const run = runs.get(attempt.runId)
    if (run?.state !== 'timed-out' || attempt.endedMs === undefined) continue
    const waited = attempt.calls
      .filter(isWait)
      .reduce(
        (sum, call) => sum + Math.max(0, (call.endedMs ?? call.startedMs) - call.startedMs - slackOf(scenario)),
        0,
      )
    const limitMs = run.timeout_ms ?? scenario.turnTimeoutMs
    const workedMs = attempt.endedMs - attempt.startedMs - attempt.placeWaitedMs - waited
    if (workedMs + 5_000 < limitMs && workedMs < limitMs - slackOf(scenario))
      seen.violate('deadline', `${attempt.runId} was stopped after ${workedMs} of ${limitMs} ms of work`)
  }
}

const KEYED = "SELECT count(*) FROM keys WHERE principal = ? AND (key = ? OR key GLOB ? || '.*')"

/** A call of a turn made its effect when its key is there: that row is of the same commit. */
function auditEffect(
  { reader, seen }: Pick<Evidence, 'reader' | 'seen'>,
  call: TurnCall,
  { told, what }: { told: Told; what: string },
): void {
  const made = Number(reader.prepare(KEYED).pluck().get(`session:${call.sessionKey}`, call.id, call.id)) > 0
  if (told.outcome === 'not-started' && made) seen.violate('truth', `${what} was said not to have begun, and it was`)
  if (!isWrite(call) || made) return
  const { ran } = told.result ?? told
  if (ran !== false && (told.outcome === 'committed' || told.status !== 'error'))
    seen.violate('lost', `${what} was taken and has no key`)
}

function isWrite({ name, args }: TurnCall): boolean {
  return isDelegation(name) || name === 'sim_run' || (name === 'cron' && args.action !== 'list')
}
