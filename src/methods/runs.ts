// Handlers of the methods that make, watch and stop turns. Accepting is one commit; the turn follows in its lane.
// Waiting is always a join, so it is seen by the wait graph and parks what the waiter holds.
import { DAY, SECOND } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import { laneNode } from '../coordination/lanes.ts'
import type { Call, CallKey, Handlers } from '../dispatch/dispatcher.ts'
import type { MethodName, Result } from '../protocol/catalogue.ts'
import { canonicalSession, type SessionName } from '../sessions/session-key.ts'
import type { NewRun } from '../store/port.ts'
import type { RunRow } from '../store/rows.ts'
import type { MethodParts } from './parts.ts'

const STOP_WORDS: ReadonlySet<string> = new Set(['/stop', 'stop', 'esc', 'abort', 'wait', 'exit', 'interrupt'])
const AGENT_WAIT_MS = 30 * SECOND
const SEND_WAIT_SECONDS = 30
/** A caller that asked for the final answer waits as long as its connection lives. */
const FINAL_WAIT_MS = 20 * DAY

type RunMethods = 'chat.send' | 'chat.abort' | 'agent' | 'agent.wait' | 'sessions.send'

export function runHandlers(parts: MethodParts): Pick<Handlers, RunMethods> {
  return {
    'chat.send': call => sendChat(parts, call),
    'chat.abort': call => abortChat(parts, call.params),
    agent: call => runAgent(parts, call),
    'agent.wait': call => waitAgent(parts, call),
    'sessions.send': call => sendToSession(parts, call),
  }
}

/** Waits for a run as the caller: its turn parks and is seen by the wait graph. Undefined when the time passed. */
export function waitForRun<M extends MethodName>(
  parts: MethodParts,
  call: Call<M>,
  wait: { runId: string; timeoutMs: number },
): Promise<RunRow | undefined> {
  const read = () => {
    const run = parts.store.read.run(wait.runId)
    return run && run.state !== 'queued' && run.state !== 'running' ? run : undefined
  }
  const { turn } = call.caller
  const signal = turn ? AbortSignal.any([call.callerSignal, turn.standing.deadline.signal]) : call.callerSignal
  return call.wait(() =>
    parts.joins.wait(wait.runId, read, { standing: turn?.standing, timeoutMs: wait.timeoutMs, signal }),
  )
}

interface Accepted {
  readonly run: RunRow
  readonly ahead: number
  readonly repeated: boolean
}

async function accept(
  parts: MethodParts,
  run: NewRun,
  from: { key: CallKey | undefined; signal: AbortSignal },
): Promise<Accepted> {
  const { value, repeated } = await parts.store.write.acceptMessage(
    { run, ...(from.key && { key: from.key }), nowMs: parts.clock.now() },
    { signal: from.signal },
  )
  parts.engine.submit(value.run)
  return { ...value, repeated }
}

async function sendChat(parts: MethodParts, call: Call<'chat.send'>): Promise<Result<'chat.send'>> {
  const { params } = call
  if (STOP_WORDS.has(params.message.trim().toLowerCase()))
    return await abortChat(parts, { sessionKey: params.sessionKey })
  const session = canonicalSession(params.sessionKey)
  const { run, ahead, repeated } = await accept(
    parts,
    {
      runId: params.idempotencyKey,
      sessionKey: session.key,
      echoKey: params.sessionKey,
      agentId: session.agentId,
      text: params.message,
      source: 'chat',
      ...(params.timeoutMs !== undefined && params.timeoutMs > 0 && { timeoutMs: params.timeoutMs }),
    },
    call,
  )
  if (!repeated) return { runId: run.runId, status: 'started', ahead }
  if (run.state === 'queued' || run.state === 'running') return { runId: run.runId, status: 'in_flight', ahead }
  if (run.state === 'ok') return { runId: run.runId, status: 'ok' }
  return { runId: run.runId, status: 'error', summary: run.error ?? run.state }
}

async function abortChat(parts: MethodParts, params: { sessionKey: string; runId?: string | undefined }) {
  const session = canonicalSession(params.sessionKey)
  if (params.runId !== undefined) {
    const run = parts.store.read.run(params.runId)
    if (run && run.sessionKey !== session.key)
      throw new SluiceError('INVALID_REQUEST', 'runId does not match sessionKey')
  }
  const live = parts.store.read
    .liveRuns(session.key)
    .filter(run => params.runId === undefined || run.runId === params.runId)
  const runIds = await parts.engine.stop(live, 'rpc')
  return { ok: true as const, aborted: runIds.length > 0, runIds }
}

async function runAgent(parts: MethodParts, call: Call<'agent'>): Promise<Result<'agent'>> {
  const { params } = call
  const session = sessionOf(params)
  const { run } = await accept(
    parts,
    {
      runId: params.idempotencyKey,
      sessionKey: session.key,
      echoKey: params.sessionKey ?? session.key,
      agentId: session.agentId,
      text: params.message,
      source: 'agent',
      ...(params.extraSystemPrompt !== undefined && { extraPrompt: params.extraSystemPrompt }),
      ...(params.timeout !== undefined && params.timeout > 0 && { timeoutMs: params.timeout * SECOND }),
    },
    call,
  )
  const accepted = { runId: run.runId, status: 'accepted' as const, acceptedAt: run.createdAtMs }
  if (!call.takesTwo) return accepted
  call.early(accepted)
  const end = await waitForRun(parts, call, { runId: run.runId, timeoutMs: FINAL_WAIT_MS })
  return finalAnswer(end, run.runId)
}

function finalAnswer(end: RunRow | undefined, runId: string): Result<'agent'> {
  if (end?.state !== 'ok') {
    const why = end?.error ?? end?.state ?? 'still running'
    throw new SluiceError(end?.state === 'timed-out' ? 'TIMEOUT' : 'MODEL_FAILED', why, {
      details: { runId, state: end?.state ?? 'running' },
      outcome: end ? 'cancelled' : 'continues',
    })
  }
  const durationMs = (end.endedAtMs ?? 0) - (end.startedAtMs ?? end.createdAtMs)
  return {
    runId,
    status: 'ok',
    summary: 'completed',
    result: {
      payloads: end.reply === undefined ? [] : [{ text: end.reply, mediaUrl: null }],
      meta: { durationMs, agentMeta: { sessionId: end.sessionId }, aborted: false },
    },
  }
}

function sessionOf(params: { sessionKey?: string | undefined; agentId?: string | undefined }): SessionName {
  const session = canonicalSession(params.sessionKey ?? '', params.agentId?.trim().toLowerCase())
  if (params.agentId !== undefined && params.agentId.trim().toLowerCase() !== session.agentId) {
    throw new SluiceError(
      'INVALID_REQUEST',
      `invalid agent params: agent "${params.agentId}" does not match session key agent "${session.agentId}"`,
    )
  }
  return session
}

async function waitAgent(parts: MethodParts, call: Call<'agent.wait'>): Promise<Result<'agent.wait'>> {
  const { runId } = call.params
  const end = await waitForRun(parts, call, { runId, timeoutMs: call.params.timeoutMs ?? AGENT_WAIT_MS })
  if (!end) return { runId, status: 'timeout' }
  return {
    runId,
    status: end.state === 'ok' ? 'ok' : end.state === 'timed-out' ? 'timeout' : 'error',
    ...(end.startedAtMs !== undefined && { startedAt: end.startedAtMs }),
    ...(end.endedAtMs !== undefined && { endedAt: end.endedAtMs }),
    ...(end.error !== undefined && { error: end.error }),
  }
}

async function sendToSession(parts: MethodParts, call: Call<'sessions.send'>): Promise<Result<'sessions.send'>> {
  const { params } = call
  const session = canonicalSession(params.sessionKey)
  const timeoutSeconds = params.timeoutSeconds ?? SEND_WAIT_SECONDS
  // The wait is checked, and stands in the graph, before the message exists: a refusal leaves nothing behind (W4).
  const intent =
    timeoutSeconds === 0
      ? undefined
      : parts.joins.intend(call.caller.turn?.standing, laneNode(session.key), timeoutSeconds * SECOND)
  let accepted: Accepted
  try {
    accepted = await accept(parts, sessionMessage(parts, call, session), call)
  } finally {
    parts.joins.forget(intent)
  }
  const { runId } = accepted.run
  const about = { runId, sessionKey: session.key }
  if (timeoutSeconds === 0) return { ...about, status: 'accepted' }
  const end = await waitForRun(parts, call, { runId, timeoutMs: timeoutSeconds * SECOND })
  if (!end) return { ...about, status: 'timeout', error: `no reply within ${timeoutSeconds} s; the run goes on` }
  if (end.state !== 'ok') return { ...about, status: 'error', error: end.error ?? end.state }
  return { ...about, status: 'ok', ...(end.reply !== undefined && { reply: end.reply }) }
}

function sessionMessage(parts: MethodParts, call: Call<'sessions.send'>, session: SessionName): NewRun {
  const from = call.caller.turn?.sessionKey
  return {
    // The same call again finds the same run: its id comes from its key.
    runId: call.key ? `send:${call.key.principal}:${call.key.key}` : parts.random.uuid(),
    sessionKey: session.key,
    echoKey: session.key,
    agentId: session.agentId,
    text: from === undefined ? call.params.message : `System: message from session ${from}:\n${call.params.message}`,
    source: 'session',
  }
}
