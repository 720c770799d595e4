// Handlers on the gateway itself. They read counters and a few rows; they answer while every lane and slot is taken (W7).
import { formatDuration } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import type { Caller } from '../dispatch/caller.ts'
import type { Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import { mayTalk } from './agents.ts'
import type { MethodParts } from './parts.ts'

const RECENT_SESSIONS = 5
const SLOWEST_METHODS = 5
/** More are not counted: reads on the control loop stay small (W8). */
const APPROVALS_COUNTED_MAX = 500

export function gatewayHandlers(parts: MethodParts): Pick<Handlers, 'health' | 'status' | 'waits.list'> {
  return {
    health: () => healthOf(parts),
    status: ({ caller }) => statusOf(parts, caller),
    'waits.list': () => ({ waits: waitsOf(parts), refused: parts.graph.refusedCount }),
  }
}

/** A page that cannot be read must not keep control from answering (W7): what it misses, the store's condition says. */
function orElse<T>(fallback: T, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'STORE_FAILED') return fallback
    throw error
  }
}

function storeOf({ facts, store }: MethodParts): Result<'status'>['store'] {
  const failing = store.failing()
  return { integrity: facts.condition.integrity(), ...(failing !== undefined && { failing }) }
}

export function healthOf(parts: MethodParts): Result<'health'> {
  const began = parts.clock.monotonic()
  const now = parts.clock.now()
  const { read } = parts.store
  const recent = orElse([], () => read.sessions({ limit: RECENT_SESSIONS }))
  const beats = parts.heartbeats.rules()
  const { agents, defaultAgent } = parts.settings()
  const lines = parts.delivery.reports()
  const sessions = {
    path: `${parts.facts.stateDir}/sluice.db`,
    count: orElse(0, () => read.sessionCount()),
    recent: recent.map(row => ({ key: row.key, updatedAt: row.updatedAtMs, age: now - row.updatedAtMs })),
  }
  return {
    ok: true,
    ts: now,
    durationMs: Math.round(parts.clock.monotonic() - began),
    // Clients of the protocol read these unguarded.
    channels: Object.fromEntries(
      lines.map(({ id, phase }) => [id, { configured: true, running: phase === 'running' }]),
    ),
    channelOrder: lines.map(({ id }) => id),
    channelLabels: Object.fromEntries(lines.map(({ id }) => [id, id])),
    defaultAgentId: defaultAgent,
    heartbeatSeconds: Math.round((beats.find(({ agentId }) => agentId === defaultAgent)?.everyMs ?? 0) / 1000),
    agents: agents.map(({ id, name }) => ({
      ...{ agentId: id, isDefault: id === defaultAgent, heartbeat: heartbeatOf(parts, id) },
      ...(name !== undefined && { name }),
      ...(id === defaultAgent && { sessions }),
    })),
    sessions,
    store: storeOf(parts),
    config: configStateOf(parts),
    ...clockBehind(parts),
  }
}

function heartbeatOf({ heartbeats }: MethodParts, agentId: string) {
  const rule = heartbeats.rules().find(each => each.agentId === agentId)
  if (!rule) return { enabled: false, every: 'disabled', everyMs: null }
  const { everyMs, prompt, target, ackLengthMax } = rule
  const every = formatDuration(everyMs)
  return { enabled: heartbeats.enabled, every, everyMs, prompt, target, ackMaxChars: ackLengthMax }
}

/** While it is, no job fires. */
export function clockBehind({ scheduler }: MethodParts): { clockBehindMs?: number } {
  const clockBehindMs = orElse(undefined, () => scheduler.clockBehindMs())
  return clockBehindMs === undefined ? {} : { clockBehindMs }
}

function configStateOf({ control }: MethodParts): Result<'status'>['config'] {
  const { problem, restart } = control.configState()
  const issues = [...(problem?.issues ?? [])]
  return { path: control.config.path, valid: problem === undefined, issues, restartNeeded: [...restart] }
}

function statusOf(parts: MethodParts, { turn }: Caller): Result<'status'> {
  const { facts, store, clock } = parts
  const now = clock.now()
  return {
    version: facts.version,
    uptimeMs: now - facts.startedAtMs,
    stateDir: facts.stateDir,
    zone: facts.zone,
    zoneFrom: parts.settings().zoneFrom,
    model: facts.modelRef,
    epoch: store.epoch,
    sessions: {
      paths: [`${facts.stateDir}/sluice.db`],
      count: orElse(0, () => store.read.sessionCount()),
      defaults: { model: facts.modelRef },
      // With the last words of each: a process of a turn is told those that its turn may read.
      recent: orElse([], () => store.read.sessions({ limit: 10 })).filter(
        ({ agentId }) => !turn || mayTalk(parts.settings(), turn.agentId, agentId),
      ),
    },
    heartbeat: {
      defaultAgentId: parts.settings().defaultAgent,
      agents: parts.settings().agents.map(({ id }) => ({ agentId: id, ...heartbeatOf(parts, id) })),
    },
    // Clients of the family read these unguarded; an event is an input of its session at once, so none is queued here.
    channelSummary: parts.channels.map(({ id }) => `${id}: running`),
    queuedSystemEvents: [],
    ...loadOf(parts),
    waits: waitsOf(parts),
    slowest: slowestOf(parts),
    loopDelayMs: facts.loopDelayMs(),
    memoryBytes: facts.memoryBytes(),
    pid: facts.pid,
    store: storeOf(parts),
    config: configStateOf(parts),
    ...clockBehind(parts),
    ...(facts.condition.heldBack !== undefined && { heldBack: facts.condition.heldBack }),
  }
}

/** What is under way, what is full, and what was refused or let go since the start. */
export function loadOf({ engine, lanes, slots, graph, counts, store, connections }: MethodParts) {
  const pools = slots.pools()
  return {
    runs: {
      running: engine.runningCount,
      // Each run that was taken on holds a lane or waits in one.
      queued: lanes.heldCount + lanes.waitingCount - engine.runningCount,
      parked: slots.parkedCount,
      slots: pools.find(({ name }) => name === 'turns')?.limit ?? 0,
    },
    lanes: { held: lanes.heldCount, waiting: lanes.waitingCount },
    pools,
    refused: {
      WOULD_DEADLOCK: graph.refusedCount,
      BUSY: counts.errorCount('BUSY'),
      LIMIT: counts.errorCount('LIMIT'),
    },
    released: engine.released,
    pendingApprovals: orElse(0, () => store.read.pendingApprovalCount(APPROVALS_COUNTED_MAX)),
    connections: connections(),
  }
}

function slowestOf({ counts }: MethodParts): Result<'status'>['slowest'] {
  return counts
    .list()
    .map(each => ({
      method: each.method,
      calls: each.calls,
      errors: each.errorCount,
      p50Ms: each.quantileMs(0.5),
      p99Ms: each.quantileMs(0.99),
    }))
    .sort((a, b) => b.p99Ms - a.p99Ms)
    .slice(0, SLOWEST_METHODS)
}

/** The edges of the wait-for graph as people and clients are shown them. */
export function waitsOf({ graph, clock }: Pick<MethodParts, 'graph' | 'clock'>): Result<'waits.list'>['waits'] {
  const now = clock.now()
  return graph.list().map(({ waiter, target, sinceMs, untilMs }) => ({
    who: graph.nameOf(waiter),
    what: graph.nameOf(target),
    waiter,
    target,
    waitingMs: Math.max(0, now - sinceMs),
    ...(untilMs !== undefined && { untilMs }),
  }))
}
