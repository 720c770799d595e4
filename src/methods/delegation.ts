// Handlers by which one turn has another session do something: a message to a session that exists, or a task for one that
// is made for it. The reply is one row, taken once: by the call that waits for it, or told to the asking session when
// it no longer does. Depth, number and rounds have limits.
import { SECOND } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import type { TurnCaller } from '../dispatch/caller.ts'
import type { Call, Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import { type SessionName, taskDepth, taskSession } from '../sessions/session-key.ts'
import type { NewRun } from '../store/port.ts'
import type { RunRow } from '../store/rows.ts'
import { agentNamed, checkHandOn, sessionNamed } from './agents.ts'
import type { MethodParts } from './parts.ts'
import { accept, waitForRun } from './runs.ts'

const SEND_WAIT_SECONDS = 30

type DelegationMethods = 'sessions.send' | 'sessions.spawn'

export function delegationHandlers(parts: MethodParts): Pick<Handlers, DelegationMethods> {
  return {
    'sessions.send': call => sendToSession(parts, call),
    'sessions.spawn': call => spawn(parts, call),
  }
}

async function sendToSession(parts: MethodParts, call: Call<'sessions.send'>): Promise<Result<'sessions.send'>> {
  const { caller, key, signal } = call
  const waitMs = (call.params.timeoutSeconds ?? SEND_WAIT_SECONDS) * SECOND
  const session = sessionNamed(parts, call.params.sessionKey, call)
  const { run } = await accept(parts, sessionMessage(parts, call, session), { caller, key, signal, waitMs })
  const about = { runId: run.runId, sessionKey: session.key }
  if (waitMs === 0) return { ...about, status: 'accepted' }
  return { ...about, ...(await replyOf(parts, call, { run, timeoutMs: waitMs })) }
}

function sessionMessage(parts: MethodParts, call: Call<'sessions.send'>, session: SessionName): NewRun {
  const from = call.caller.turn?.sessionKey
  const waits = call.params.timeoutSeconds !== 0
  return {
    // The same call again finds the same run: its id comes from its key.
    runId: call.key ? `send:${call.key.principal}:${call.key.key}` : parts.random.uuid(),
    sessionKey: session.key,
    echoKey: session.key,
    agentId: session.agentId,
    text: from === undefined ? call.params.message : `System: message from session ${from}:\n${call.params.message}`,
    source: 'session',
    ...(waits && from !== undefined && { tells: from }),
  }
}

async function spawn(parts: MethodParts, call: Call<'sessions.spawn'>): Promise<Result<'sessions.spawn'>> {
  const { params, caller, key } = call
  const { childrenMax } = parts.settings().subagents
  const agentId = agentNamed(parts, params.agentId, caller.turn)
  checkDepth(parts, caller.turn)
  checkHandOn(parts, caller.turn, agentId)
  const { agents, taskModel } = parts.settings()
  const model = params.model ?? agents.find(({ id }) => id === agentId)?.taskModel ?? taskModel
  const session = taskSession({ agentId, id: parts.random.uuid(), maker: caller.turn?.sessionKey })
  const task: NewRun = {
    runId: key ? `spawn:${key.principal}:${key.key}` : parts.random.uuid(),
    sessionKey: session.key,
    echoKey: session.key,
    agentId,
    text: params.task,
    source: 'spawn',
    ...(params.label !== undefined && { label: params.label }),
    ...(model !== undefined && { model }),
    ...(params.runTimeoutSeconds && { timeoutMs: params.runTimeoutSeconds * SECOND }),
    ...(caller.turn && { tells: caller.turn.sessionKey }),
  }
  // A repeat finds the run, and its session, that the first call made.
  const { run } = await accept(parts, task, { caller, key, signal: call.signal, childrenMax })
  const about = { runId: run.runId, childSessionKey: run.sessionKey }
  const waitMs = (params.waitSeconds ?? 0) * SECOND
  if (waitMs === 0) return { ...about, status: 'accepted' }
  return { ...about, ...(await replyOf(parts, call, { run, timeoutMs: waitMs })) }
}

function checkDepth(parts: MethodParts, turn: TurnCaller | undefined): void {
  const { depthMax } = parts.settings().subagents
  if (!turn || taskDepth(turn.sessionKey) < depthMax) return
  const message = `Tasks may be handed on ${depthMax} levels deep, and this session is that deep. Nothing was started. Do the task here.`
  throw new SluiceError('LIMIT', message, { outcome: 'not-started', details: { depthMax } })
}

interface Reply {
  readonly status: 'ok' | 'timeout' | 'error'
  readonly reply?: string
  readonly error?: string
}

/** Waits, and takes the reply if nobody else did: what was told to the session already is not told again. */
async function replyOf(
  parts: MethodParts,
  call: Call<'sessions.send'> | Call<'sessions.spawn'>,
  { run, timeoutMs }: { run: RunRow; timeoutMs: number },
): Promise<Reply> {
  const { turn } = call.caller
  const end = await waitForRun(parts, call, { runId: run.runId, timeoutMs })
  if (!end) {
    const later = turn ? 'this session is told its reply when it has ended' : 'it goes on'
    return { status: 'timeout', error: `no reply within ${timeoutMs / SECOND} s; ${later}` }
  }
  const by = turn?.callId ?? ''
  // Part of the wait: a call that was given up meanwhile would have taken what nobody hears.
  const take = { runId: run.runId, by, nowMs: parts.clock.now() }
  const { taken } = (await call.wait(() => parts.store.write.takeReply(take))).value
  if (turn && !taken)
    return { status: 'ok', reply: 'This session was told the reply already, by a message of its own.' }
  if (end.state !== 'ok') return { status: 'error', error: end.error ?? end.state }
  return { status: 'ok', ...(end.reply !== undefined && { reply: end.reply }) }
}
