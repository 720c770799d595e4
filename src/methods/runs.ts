// Handlers of the methods that make, watch and stop turns. Accepting is one commit; the turn follows in its lane.
// Waiting is always a join, so it is seen by the wait graph and parks what the waiter holds.
import { DAY, SECOND } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import { laneNode } from '../coordination/lanes.ts'
import type { Caller, TurnCaller } from '../dispatch/caller.ts'
import type { Call, Handlers } from '../dispatch/dispatcher.ts'
import type { AttachmentInput } from '../protocol/attachments.ts'
import type { MethodName, Params, Result } from '../protocol/catalogue.ts'
import { runOfStream } from '../protocol/events.ts'
import { targetOf } from '../scheduler/delivery-target.ts'
import { newSessionText, resetBefore } from '../sessions/reset-rule.ts'
import type { SessionName } from '../sessions/session-key.ts'
import type { NewRun } from '../store/port.ts'
import { type QueueMode, type RunRow, type UsageRow, usageScopes } from '../store/rows.ts'
import { isAgent, sessionNamed, unknownAgent } from './agents.ts'
import { answerApprovals } from './approvals.ts'
import { readAttachments } from './attachments.ts'
import { whereaboutsOf } from './job-checks.ts'
import type { MethodParts } from './parts.ts'

const STOP_WORDS: ReadonlySet<string> = new Set(['/stop', 'stop', 'esc', 'abort', 'wait', 'exit', 'interrupt'])
const AGENT_WAIT_MS = 30 * SECOND
/** What clients of the protocol call a chat that is theirs alone. */
const OWN_CHANNEL = 'webchat'
/** A caller that asked for the final answer waits as long as its connection lives. */
const FINAL_WAIT_MS = 20 * DAY

type RunMethods = 'chat.send' | 'chat.abort' | 'agent' | 'agent.wait'

export function runHandlers(parts: MethodParts): Pick<Handlers, RunMethods> {
  return {
    'chat.send': call => sendChat(parts, call),
    'chat.abort': call => abortChat(parts, call.caller, call.params),
    agent: call => runAgent(parts, call),
    'agent.wait': call => waitAgent(parts, call),
  }
}

/** Waits for a run as the caller: its turn parks and is seen by the wait graph. Undefined when the time passed. */
export function waitForRun<M extends MethodName>(
  parts: MethodParts,
  call: Call<M>,
  wait: { runId: string; timeoutMs: number },
): Promise<RunRow | undefined> {
  const runId = runOf(parts, wait.runId)?.runId ?? wait.runId
  const read = () => {
    const run = runOf(parts, runId)
    return run && !isLive(run) ? run : undefined
  }
  const { turn } = call.caller
  const signal = turn ? AbortSignal.any([call.callerSignal, turn.standing.deadline.signal]) : call.callerSignal
  return call.wait(() => parts.joins.wait(runId, read, { standing: turn?.standing, timeoutMs: wait.timeoutMs, signal }))
}

/** The run that is known under an id: one whose message was merged is the run that took it. */
function runOf({ store }: MethodParts, id: string): RunRow | undefined {
  const run = store.read.run(id) ?? store.read.run(runOfStream(id))
  return run?.mergedInto === undefined ? run : (store.read.run(run.mergedInto) ?? run)
}

function isLive({ state }: Pick<RunRow, 'state'>): boolean {
  return state === 'queued' || state === 'running'
}

export interface Accepted {
  readonly run: RunRow
  readonly ahead: number
  readonly repeated: boolean
}

type From = Pick<Call<MethodName>, 'caller' | 'key' | 'signal'>

/** `waitMs`: the caller then waits so long for the run. `childrenMax`: unfinished ones that its session may have. */
interface AcceptOptions extends From {
  readonly waitMs?: number
  readonly childrenMax?: number
  /** Refused while the session has any unfinished run. */
  readonly alone?: boolean
}

/**
 * Takes a message and hands its turn on. What a turn's call begins carries how many turns led to it. A wait is checked,
 * and stands in the graph, before the message exists: a refusal leaves nothing behind (W4).
 */
export async function accept(parts: MethodParts, run: NewRun, from: AcceptOptions): Promise<Accepted> {
  const { turn } = from.caller
  const { queue } = parts.settings()
  const refused = refusalOf(parts, run)
  // A repeat is answered as it was, also when its agent has gone or its session was closed.
  if (refused && !(from.key && parts.store.read.firstAnswer(from.key))) throw refused
  const lineage = turn && { parent: turn.runId, hops: hopAfter(parts, turn) }
  const limits = {
    ...queue,
    ...(from.alone && { ahead: 1 }),
    ...(from.childrenMax !== undefined && { children: from.childrenMax }),
  }
  const { route } = from.caller
  const message = {
    run: { ...run, ...lineage, ...staleAfter(parts, run, turn) },
    limits,
    ...(route && { route }),
    ...(from.key && { key: from.key }),
    nowMs: parts.clock.now(),
  }
  const waits = from.waitMs !== undefined && from.waitMs > 0
  const intent = waits ? parts.joins.intend(turn?.standing, laneNode(run.sessionKey), from.waitMs) : undefined
  try {
    const { value, repeated } = await parts.store.write.acceptMessage(message, { signal: from.signal })
    parts.engine.submit(value.run)
    return { ...value, repeated }
  } finally {
    parts.joins.forget(intent)
  }
}

function refusalOf({ settings, store }: MethodParts, { agentId, sessionKey, source }: NewRun): SluiceError | undefined {
  if (!isAgent(settings(), agentId)) return unknownAgent(settings(), agentId)
  const isMessage = source === 'chat' || source === 'agent'
  if (!isMessage || store.read.session(sessionKey)?.settings.sendPolicy !== 'deny') return undefined
  return new SluiceError('INVALID_REQUEST', 'send blocked by session policy')
}

/** Only who comes from outside begins a session anew by coming late. */
function staleAfter(parts: MethodParts, { source }: NewRun, turn: TurnCaller | undefined) {
  if (turn || (source !== 'chat' && source !== 'agent')) return {}
  const { sessionReset, zone } = parts.settings()
  return { resetBeforeMs: resetBefore(sessionReset, parts.clock.now(), zone) }
}

/** Turns that set each other going end here, whatever their models say: two sessions that answer each other, or jobs. */
export function hopAfter(parts: MethodParts, turn: TurnCaller): number {
  const { hopsMax } = parts.settings()
  if (turn.hops < hopsMax) return turn.hops + 1
  const message = `This turn is the ${hopsMax}th in a row that one turn began by itself after another. Nothing was started. Answer without setting another turn going; a message by a person begins anew.`
  throw new SluiceError('LIMIT', message, { outcome: 'not-started', details: { hops: turn.hops, hopsMax } })
}

async function sendChat(parts: MethodParts, call: Call<'chat.send'>): Promise<Result<'chat.send'>> {
  const { params } = call
  if (STOP_WORDS.has(params.message.trim().toLowerCase()))
    return await abortChat(parts, call.caller, { sessionKey: params.sessionKey })
  const session = sessionNamed(parts, params.sessionKey, call)
  const answered = await answerApprovals(parts, call, session.key)
  if (answered) return answered
  const { caller, key, signal } = call
  const { settings } = parts.store.read.session(session.key) ?? {}
  const { mode, text, ...said } = asSaid(params.message, queueModeOf(parts, caller, settings?.queueMode))
  const { run, ahead, repeated } = await accept(
    parts,
    {
      queueMode: mode === 'reject' ? 'followup' : mode,
      runId: params.idempotencyKey,
      sessionKey: session.key,
      echoKey: params.sessionKey,
      agentId: session.agentId,
      ...said,
      text: `${caller.preface ?? ''}${text}`,
      ...attached(params.attachments),
      source: 'chat',
      ...(params.timeoutMs !== undefined && params.timeoutMs > 0 && { timeoutMs: params.timeoutMs }),
    },
    { caller, key, signal, alone: mode === 'reject' },
  )
  // Asked again, too: the first try may have been accepted without an answer.
  if (mode === 'interrupt' && run.state === 'queued') await parts.engine.interrupt(run)
  if (!repeated) {
    return { runId: run.runId, status: 'started', ahead, ...(ahead > 0 && { queueMode: mode }) }
  }
  const { state, error } = runOf(parts, run.runId) ?? run
  if (isLive({ state })) return { runId: run.runId, status: 'in_flight', ahead }
  if (state === 'ok') return { runId: run.runId, status: 'ok' }
  return { runId: run.runId, status: 'error', summary: error ?? state }
}

/** A person may begin the session anew: what they say then is no part of what runs. */
function asSaid(message: string, mode: QueueMode | 'reject') {
  const text = newSessionText(message)
  if (text === undefined) return { mode, text: message }
  return { mode: mode === 'steer' || mode === 'collect' ? 'followup' : mode, text, freshSession: true } as const
}

/** What a message does to a turn that runs; a turn's own messages wait for theirs, or it would talk to itself. */
function queueModeOf(parts: MethodParts, { turn, route }: Caller, own: string | undefined): QueueMode | 'reject' {
  const { mode, byChannel } = parts.settings().queueModes
  return turn ? 'followup' : ((own as QueueMode | undefined) ?? (route && byChannel[route.channelId]) ?? mode)
}

function attached(attachments: readonly AttachmentInput[] | undefined): Pick<NewRun, 'attachments'> {
  return attachments ? { attachments: readAttachments(attachments) } : {}
}

async function abortChat(
  parts: MethodParts,
  caller: Caller,
  params: Pick<Params<'chat.abort'>, 'sessionKey' | 'runId'>,
) {
  const session = sessionNamed(parts, params.sessionKey, { caller })
  const asked = params.runId === undefined ? undefined : runOf(parts, params.runId)
  if (asked && asked.sessionKey !== session.key)
    throw new SluiceError('INVALID_REQUEST', 'runId does not match sessionKey')
  const { read } = parts.store
  const runs = read.liveRuns(session.key).filter(run => params.runId === undefined || run.runId === asked?.runId)
  // What turns of this session have others do, and would be told of later, is stopped with it.
  const children =
    params.runId === undefined ? read.liveChildren(session.key).filter(({ source }) => source === 'spawn') : []
  const runIds = await parts.engine.stop({ runs, children }, 'rpc')
  return { ok: true as const, aborted: runIds.length > 0, runIds }
}

async function runAgent(parts: MethodParts, call: Call<'agent'>): Promise<Result<'agent'>> {
  const { params } = call
  const session = sessionOf(parts, call)
  const input: NewRun = {
    runId: params.idempotencyKey,
    sessionKey: session.key,
    echoKey: params.sessionKey ?? session.key,
    agentId: session.agentId,
    text: params.message,
    ...attached(params.attachments),
    source: 'agent',
    ...(params.extraSystemPrompt !== undefined && { extraPrompt: params.extraSystemPrompt }),
    ...(params.timeout !== undefined && params.timeout > 0 && { timeoutMs: params.timeout * SECOND }),
    ...(params.deliver && deliveredTo(parts, params, session.key)),
  }
  const { caller, key, signal } = call
  const { run } = await accept(parts, input, { caller, key, signal, ...(call.takesTwo && { waitMs: FINAL_WAIT_MS }) })
  const accepted = { runId: run.runId, status: 'accepted' as const, acceptedAt: run.createdAtMs, ...warned(run) }
  if (!call.takesTwo) return accepted
  call.early(accepted)
  const end = await waitForRun(parts, call, { runId: run.runId, timeoutMs: FINAL_WAIT_MS })
  return finalAnswer(parts, end, run.runId)
}

/** The chat that is named, else the one where the session's person reads, if they read in one. */
function deliveredTo(parts: MethodParts, params: Params<'agent'>, sessionKey: string): Pick<NewRun, 'rules'> {
  const { channel, replyChannel = channel, to, replyTo = to } = params
  const deliver = replyChannel !== OWN_CHANNEL
  const named = { kind: 'agentTurn', deliver, channel: replyChannel, to: replyTo } as const
  const target = targetOf(named, whereaboutsOf(parts, sessionKey))
  if (target.kind === 'missing') {
    throw new SluiceError('INVALID_REQUEST', `invalid agent params: ${target.why}`, { outcome: 'not-started' })
  }
  if (target.kind === 'none') return {}
  const { route: deliverTo } = target
  return { rules: deliverTo ? { deliverTo } : { undelivered: true } }
}

function warned({ rules }: RunRow): Pick<Result<'agent'>, 'warning'> {
  const warning =
    'The reply is sent to no chat: none is named, and nobody reads this session in one. Name channel and to.'
  return rules?.undelivered ? { warning } : {}
}

function finalAnswer({ store }: MethodParts, end: RunRow | undefined, runId: string): Result<'agent'> {
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
    ...warned(end),
    result: {
      payloads: end.reply === undefined ? [] : [{ text: end.reply, mediaUrl: null }],
      meta: { durationMs, agentMeta: { sessionId: end.sessionId, ...usedBy(store, end) }, aborted: false },
    },
  }
}

/** What the whole turn took of models, and of which; nothing where that is not known. */
function usedBy({ read }: MethodParts['store'], run: RunRow) {
  const rows = read.usage({ scope: usageScopes(run).run, fromDay: '', by: 'model' })
  if (rows.length === 0) return {}
  const sum = (of: (row: UsageRow) => number) => rows.reduce((total, row) => total + of(row), 0)
  const [cacheRead, cacheWrite] = [sum(row => row.cacheReadTokens), sum(row => row.cacheWriteTokens)]
  const [whole, output] = [sum(row => row.inputTokens), sum(row => row.outputTokens)]
  const input = Math.max(0, whole - cacheRead - cacheWrite)
  const [provider, ...model] = rows.length === 1 ? (rows[0]?.name.split('/') ?? []) : []
  return {
    ...(provider !== undefined && { provider, model: model.join('/') }),
    usage: { input, output, cacheRead, cacheWrite, total: whole + output },
  }
}

function sessionOf(parts: MethodParts, { params, caller }: Call<'agent'>): SessionName {
  const { store } = parts
  const { sessionId } = params
  const known = sessionId === undefined ? undefined : store.read.sessionNamed({ sessionId })?.key
  if (params.sessionKey === undefined && sessionId !== undefined && known === undefined) {
    throw new SluiceError('INVALID_REQUEST', `No session found: ${sessionId}`)
  }
  const session = sessionNamed(parts, params.sessionKey ?? known ?? '', { agentId: params.agentId, caller })
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
