// Handlers on the gateway itself. They read counters and a few rows; they answer while every lane and slot is taken (W7).
import type { Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import { DEFAULT_AGENT } from '../sessions/session-key.ts'
import type { MethodParts } from './parts.ts'

const RECENT_SESSIONS = 5

export function gatewayHandlers(parts: MethodParts): Pick<Handlers, 'health' | 'status' | 'waits.list'> {
  return {
    health: () => healthOf(parts),
    status: () => statusOf(parts),
    'waits.list': () => ({ waits: waitsOf(parts), refused: parts.graph.refusedCount }),
  }
}

export function healthOf(parts: MethodParts): Result<'health'> {
  const began = parts.clock.monotonic()
  const now = parts.clock.now()
  const recent = parts.store.read.sessions({ limit: RECENT_SESSIONS })
  const sessions = {
    path: `${parts.facts.stateDir}/sluice.db`,
    count: parts.store.read.sessionCount(),
    recent: recent.map(row => ({ key: row.key, updatedAt: row.updatedAtMs, age: now - row.updatedAtMs })),
  }
  return {
    ok: true,
    ts: now,
    durationMs: Math.round(parts.clock.monotonic() - began),
    // Clients of the protocol read these unguarded; there are no channels yet.
    channels: {},
    channelOrder: [],
    channelLabels: {},
    defaultAgentId: DEFAULT_AGENT,
    agents: [{ agentId: DEFAULT_AGENT, isDefault: true, sessions }],
    sessions,
  }
}

function statusOf(parts: MethodParts): Result<'status'> {
  const { facts, store, slots, lanes, clock } = parts
  const now = clock.now()
  return {
    version: facts.version,
    uptimeMs: now - facts.startedAtMs,
    stateDir: facts.stateDir,
    zone: facts.zone,
    model: facts.modelRef,
    epoch: store.epoch,
    sessions: {
      paths: [`${facts.stateDir}/sluice.db`],
      count: store.read.sessionCount(),
      defaults: { model: facts.modelRef },
      recent: store.read.sessions({ limit: 10 }),
    },
    runs: {
      running: parts.engine.runningCount,
      queued: lanes.waitingCount + slots.waitingCount,
      parked: slots.parkedCount,
      slots: slots.limit,
    },
    waits: waitsOf(parts),
    loopDelayMs: facts.loopDelayMs(),
    memoryBytes: facts.memoryBytes(),
    pid: facts.pid,
  }
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
