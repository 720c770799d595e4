// What must hold at the end of all that turns had others do: a reply reached the one who asked once, by a call or by one
// turn that tells it; nobody was told who had stopped it; turns that set each other going were counted; what was refused
// left nothing behind.
import { type Evidence, type RunRecord, repeated, resultsOf, type Told } from './evidence.ts'

const ALREADY_TOLD = 'This session was told the reply already, by a message of its own.'

const ASKING = new Set(['sessions_send', 'sessions_spawn'])

export function auditDelegation(evidence: Evidence): void {
  const { runs, seen, scenario } = evidence
  const all = [...runs.values()]
  const tellers = all.filter(run => run.source === 'told')
  for (const parent of repeated(tellers.map(run => run.parent ?? '')))
    seen.violate('handed-over', `the end of ${parent} is told by two turns`)
  for (const run of tellers) auditTeller(evidence, run)
  for (const run of all) {
    if (run.tells !== null) auditReply(evidence, run)
    auditHops(evidence, run)
  }
  const depths = all.filter(run => run.source === 'spawn').map(run => run.session_key.split(':subagent:').length)
  const prefixed = all.filter(run => run.source === 'spawn' && !run.session_key.includes(':subagent:'))
  if (prefixed.length > 0) seen.violate('depth', `${prefixed[0]?.run_id} is a task in a session of people`)
  const { depthMax } = scenario.allowance
  for (const depth of depths) if (depth > depthMax + 1) seen.violate('depth', `a task is ${depth - 1} levels deep`)
  nothingIsLeft(evidence)
}

/** A turn that tells how another one ended: after its end, to the session that it owes it to, in its words. */
function auditTeller({ runs, seen, reader }: Evidence, teller: RunRecord): void {
  const about = runs.get(teller.parent ?? '')
  const wrong = (what: string) => seen.violate('handed-over', `${teller.run_id} ${what}`)
  if (!about) {
    wrong('tells of a turn that is not there')
    return
  }
  if (about.tells !== teller.session_key) wrong(`tells ${teller.session_key}, not ${about.tells}`)
  if (about.ended_at_ms === null || about.ended_at_ms > teller.created_at_ms) wrong('tells of a turn before its end')
  if (about.taken_by !== teller.run_id) wrong(`tells what ${about.taken_by ?? 'nobody'} took`)
  const text = reader.prepare('SELECT text FROM inbox WHERE run_id = ?').pluck().get(teller.run_id) as string
  if (!text.includes(about.reply ?? about.error ?? '')) wrong('tells another reply')
}

/** A reply is taken by one call, or told by one turn; or nobody hears of it, when who asked was stopped. */
function auditReply(evidence: Evidence, run: RunRecord): void {
  const { runs, seen } = evidence
  if (run.handover === 'open') seen.violate('handed-over', `the reply of ${run.run_id} is still owed at rest`)
  const results = resultsOf(evidence, run.parent ?? '').filter(
    ({ name, told }) => ASKING.has(name) && (told.result ?? told).runId === run.run_id,
  )
  const takers = results.filter(({ told }) => isTaken(told.result ?? told))
  const toldBy = runs.has(`told:${run.run_id}`) ? 1 : 0
  const count = takers.length + toldBy
  if (count > 1) seen.violate('handed-over', `the reply of ${run.run_id} was heard ${count} times`)
  if (count === 0 && !mayBeUnheard(evidence, run))
    seen.violate('handed-over', `nobody heard the reply of ${run.run_id}; taken by ${run.taken_by ?? 'nobody'}`)
  for (const { told, callId } of takers) {
    if (run.taken_by !== callId) seen.violate('handed-over', `${callId} was told the reply of ${run.run_id} untaken`)
    const { status, reply } = told.result ?? told
    if (status === 'ok' && reply !== (run.reply ?? undefined))
      seen.violate('truth', `${callId} was told another reply of ${run.run_id}`)
  }
}

function isTaken({ status, reply }: Told): boolean {
  return status === 'error' || (status === 'ok' && reply !== ALREADY_TOLD)
}

function mayBeUnheard(evidence: Evidence, run: RunRecord): boolean {
  const { runs } = evidence
  const asker = runs.get(run.parent ?? '')
  if (asker?.state === 'aborted') return true
  if (run.taken_by === null) return wasStoppedAbove(evidence, run)
  const calls = evidence.seen.turnCalls.filter(call => call.runId === run.parent && call.id === run.taken_by)
  const told = resultsOf(evidence, run.parent ?? '').find(({ callId }) => callId === run.taken_by)?.told
  // The call took it, and its turn ended before the model could be told.
  if (calls.length > 0 && told === undefined) return asker?.state !== 'ok'
  // An attempt took it and was lost; the next one asked again and was given up, which is said to be unknown.
  return calls.length > 1 && told?.outcome === 'unknown'
}

/** It was stopped with the session that had it done, or with one further up; though it may have ended otherwise first. */
function wasStoppedAbove({ runs, seen }: Evidence, run: RunRecord): boolean {
  const above = new Set<string>()
  for (let one: RunRecord | undefined = run; one; one = runs.get(one.parent ?? '')) {
    if (one.tells !== null) above.add(one.tells)
    if (one !== run) above.add(one.session_key)
  }
  const stops = seen.requests.flatMap(request => request.calls).filter(call => call.tree?.includes(run.run_id))
  const written = seen.chatStops.filter(({ tree }) => tree.includes(run.run_id))
  if ([...runs.values()].some(other => above.has(other.session_key) && interrupted(other, run))) return true
  return [...stops.map(({ params }) => params), ...written].some(({ sessionKey }) => above.has(String(sessionKey)))
}

/** A message that interrupts came while the task was under way, and stopped it with its asker. */
function interrupted(message: RunRecord, task: RunRecord): boolean {
  const isMeanwhile = message.created_at_ms >= task.created_at_ms && message.created_at_ms <= (task.ended_at_ms ?? 0)
  return message.queue_mode === 'interrupt' && task.state === 'aborted' && isMeanwhile
}

/** What a call began is one further than the turn that made it; what is told is one further than what it tells of. */
function auditHops({ runs, seen, scenario }: Evidence, run: RunRecord): void {
  const expected = run.parent === null ? 0 : (runs.get(run.parent)?.hops ?? Number.NaN) + 1
  if (run.hops !== expected) seen.violate('hops', `${run.run_id} counts ${run.hops} turns before it, not ${expected}`)
  // One that only tells how the last of them ended may be one further; it can begin no other.
  const max = scenario.allowance.hopsMax + (run.source === 'told' ? 1 : 0)
  if (run.hops > max) seen.violate('hops', `${run.run_id} is turn ${run.hops} in a row, ${max} may be`)
}

/** No session of a task without its task; every run has its message, and every message its run. */
function nothingIsLeft({ reader, seen }: Evidence): void {
  const empty = `SELECT key FROM sessions WHERE instr(key, ':subagent:') > 0
    AND NOT EXISTS (SELECT 1 FROM runs WHERE session_key = sessions.key)`
  for (const key of reader.prepare(empty).pluck().all()) seen.violate('busy', `session ${key} was made for nothing`)
  const lone = 'SELECT run_id FROM runs WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE inbox.run_id = runs.run_id)'
  for (const runId of reader.prepare(lone).pluck().all()) seen.violate('lost', `${runId} has no message`)
}
