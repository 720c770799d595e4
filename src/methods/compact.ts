// `sessions.compact`: a turn of the session, in its lane, that summarises and does nothing else. The caller waits by a
// join, so a turn that asks it of its own session, or of one that waits for it, is refused at once with the cycle (W4):
// a summary in the midst of a turn would be of what that turn stands on, and a turn that is too long begins with one.
import { SECOND } from '../base/durations.ts'
import type { Call, Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import type { RunRow } from '../store/rows.ts'
import { compactInput } from '../turns/compacting.ts'
import { sessionNamed } from './agents.ts'
import type { MethodParts } from './parts.ts'
import { accept, waitForRun } from './runs.ts'

const WAIT_SECONDS = 120
/** Entries of one compacting turn; it has few. */
const COUNTED_MAX = 500

export function compactHandlers(parts: MethodParts): Pick<Handlers, 'sessions.compact'> {
  return { 'sessions.compact': call => compactSession(parts, call) }
}

async function compactSession(parts: MethodParts, call: Call<'sessions.compact'>): Promise<Result<'sessions.compact'>> {
  const { params, caller, key, signal } = call
  const session = sessionNamed(parts, params.key, call)
  const about = { ok: true as const, key: session.key }
  const runId = key ? `compact:${key.principal}:${key.key}` : parts.random.uuid()
  const known = parts.store.read.run(runId)
  if (!known && !parts.store.read.session(session.key)) return { ...about, compacted: false, reason: 'no sessionId' }
  if (!known && parts.store.read.entries(session.key, 1).length === 0)
    return { ...about, compacted: false, reason: 'no transcript' }
  const timeoutMs = (params.waitSeconds ?? WAIT_SECONDS) * SECOND
  const input = {
    runId,
    sessionKey: session.key,
    echoKey: params.key,
    agentId: session.agentId,
    text: compactInput(params.maxLines),
    source: 'compact',
  } as const
  const { run } = await accept(parts, input, { caller, key, signal, waitMs: timeoutMs })
  const isLive = run.state === 'queued' || run.state === 'running'
  const now = isLive ? undefined : run
  const end = timeoutMs === 0 ? now : await waitForRun(parts, call, { runId: run.runId, timeoutMs })
  return { ...about, runId: run.runId, ...resultOf(parts, run.runId, end) }
}

function resultOf(parts: MethodParts, runId: string, end: RunRow | undefined) {
  if (!end) return { compacted: false, reason: 'still running' }
  const written = parts.store.read.runEntries(runId).map(({ body }) => body)
  const compaction = written.find(body => body.kind === 'compaction')
  if (!compaction) {
    const kept = parts.store.read.transcript(end.sessionId, COUNTED_MAX).length
    return { compacted: false, kept, ...(end.state !== 'ok' && { reason: end.error ?? end.state }) }
  }
  // Where what was summarised still is: nothing of a transcript is removed.
  const archived = `${parts.facts.stateDir}/sluice.db`
  const { kept, summarised } = compaction
  return { compacted: true, archived, kept, summarised }
}
