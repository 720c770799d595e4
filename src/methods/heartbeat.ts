// How a heartbeat becomes a turn: one message of the gateway to the agent's main session, taken only while nothing else
// runs or waits there. What it says is owed to the session's person like any reply; silence is owed to nobody.
import { SluiceError } from '../base/errors.ts'
import { formatInstant } from '../base/zoned-time.ts'
import { modelsFor } from '../config/agents.ts'
import type { Caller } from '../dispatch/caller.ts'
import type { AgentEvent } from '../protocol/events.ts'
import { runOfStream } from '../protocol/events.ts'
import { type HeartbeatRule, isAck } from '../protocol/heartbeat.ts'
import { chooseModel, OFFLINE_REF } from '../providers/choice.ts'
import { type HeartbeatParts, Heartbeats } from '../scheduler/heartbeat.ts'
import { canonicalSession, MAIN_KEY } from '../sessions/session-key.ts'
import type { NewNotice, RunEnd } from '../store/port.ts'
import type { RunRow } from '../store/rows.ts'
import type { MethodParts } from './parts.ts'
import { accept } from './runs.ts'

const RUN_PREFIX = 'heartbeat:'
const GATEWAY: Caller = { principal: 'gateway', label: 'heartbeat', scopes: new Set(['operator.write']) }

/** `parts` are there once the house stands, before anything is due. */
export function heartbeatsIn(parts: () => MethodParts, log: HeartbeatParts['log']): Heartbeats {
  return new Heartbeats({
    rules: () => parts().settings().heartbeats,
    begin: (rule, atMs) => begin(parts(), rule, atMs),
    publish: event => parts().publish(event),
    now: () => parts().clock.now(),
    log,
  })
}

async function begin(parts: MethodParts, rule: HeartbeatRule, atMs: number): Promise<'begun' | { skipped: string }> {
  const { settings, store, facts } = parts
  const session = canonicalSession(MAIN_KEY, rule.agentId)
  const model = rule.model ?? store.read.session(session.key)?.settings.model
  if (chooseModel(modelsFor(settings(), rule.agentId), model).ref === OFFLINE_REF) return { skipped: 'offline-model' }
  const stamp = formatInstant(Math.floor(atMs / 1000) * 1000, facts.zone)
  const run = {
    ...{ runId: `${RUN_PREFIX}${rule.agentId}:${atMs}`, sessionKey: session.key, echoKey: session.key },
    ...{ agentId: session.agentId, text: `System: [${stamp}] Heartbeat. ${rule.prompt}`, source: 'heartbeat' as const },
    ...(rule.model !== undefined && { model: rule.model }),
  }
  try {
    await accept(parts, run, { caller: GATEWAY, key: undefined, signal: new AbortController().signal, alone: true })
    return 'begun'
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'BUSY') return { skipped: 'requests-in-flight' }
    throw error
  }
}

/** What the end of a heartbeat's turn owes to the session's person. */
export function heartbeatNotice(run: RunRow, end: RunEnd, rules: readonly HeartbeatRule[]): NewNotice | undefined {
  const rule = rules.find(({ agentId }) => agentId === run.agentId)
  const text = end.reply?.trim() ?? ''
  if (end.state !== 'ok' || text === '' || rule?.target === 'none' || isAck(text, rule?.ackLengthMax)) return undefined
  const { runId: id, sessionKey, agentId, createdAtMs: atMs } = run
  return { id, sessionKey, agentId, text, source: 'gateway', atMs, isReply: true }
}

/** Tells of the end of a heartbeat's turn, once it is on disk. */
export function hearHeartbeats({ heartbeats, store }: MethodParts, event: string, payload: unknown): void {
  if (event !== 'agent') return
  const { runId, stream, data } = payload as AgentEvent
  if (!runId.startsWith(RUN_PREFIX) || stream !== 'lifecycle' || !('phase' in data) || data.phase === 'start') return
  const run = store.read.run(runOfStream(runId))
  if (run?.source === 'heartbeat' && run.endedAtMs !== undefined) heartbeats.ended(run)
}
