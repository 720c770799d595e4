// Declarations of the methods on the gateway itself.
import * as z from 'zod'
import { SECOND } from '../../base/durations.ts'
import { method } from '../method.ts'

const DEADLINE_MS = 5 * SECOND

const recentSession = z.object({ key: z.string(), updatedAt: z.number(), age: z.number() })

/** One edge of the wait-for graph, in words and as data. */
const waitSchema = z.object({
  who: z.string(),
  what: z.string(),
  waiter: z.string(),
  target: z.string(),
  waitingMs: z.number(),
  untilMs: z.number().optional(),
})

/** How the config file stands to the settings that hold. */
const configState = z.object({
  path: z.string(),
  /** False: the file is wrong as it is now, and the settings before it hold. */
  valid: z.boolean(),
  issues: z.array(z.object({ path: z.string(), message: z.string() })),
  /** Keys that were changed since the start and hold only after a restart. */
  restartNeeded: z.array(z.string()),
})

/** How the store's disk is. */
const storeSchema = z.object({
  /** `not-checked` (after a clean stop), `checking`, `ok`, `damaged: …` or `unknown: …`. */
  integrity: z.string(),
  /** What the disk refused last, and what to do; absent once it takes it again. */
  failing: z.string().optional(),
})

export const GATEWAY_METHODS = {
  'waits.list': method({
    summary: 'Show who waits for what, since when and until when.',
    params: z.strictObject({}),
    result: z.object({ waits: z.array(waitSchema), refused: z.number() }),
    scope: 'operator.read',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  health: method({
    summary: 'Say that the gateway is well; answers while every lane and slot is taken.',
    params: z.looseObject({}),
    result: z.object({
      ok: z.literal(true),
      ts: z.number(),
      durationMs: z.number(),
      channels: z.record(z.string(), z.unknown()),
      channelOrder: z.array(z.string()),
      channelLabels: z.record(z.string(), z.string()),
      /** 0: the default agent has none. */
      heartbeatSeconds: z.number(),
      defaultAgentId: z.string(),
      agents: z.array(z.object({ agentId: z.string(), isDefault: z.boolean() }).loose()),
      sessions: z.object({ path: z.string(), count: z.number(), recent: z.array(recentSession) }),
      store: storeSchema,
      config: configState,
      /** By how much the clock is behind the ledger; while it is, no job fires. */
      clockBehindMs: z.number().optional(),
    }),
    scope: 'operator.read',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  status: method({
    summary: 'Say what the gateway does now: runs, slots, waits, refusals, the slowest methods, loop delay.',
    params: z.strictObject({}),
    result: z.object({
      version: z.string(),
      uptimeMs: z.number(),
      stateDir: z.string(),
      zone: z.string(),
      /** `default`: nobody has chosen it, so it is UTC. */
      zoneFrom: z.enum(['config', 'system', 'default']).optional(),
      model: z.string(),
      epoch: z.number(),
      sessions: z.object({
        paths: z.array(z.string()),
        count: z.number(),
        defaults: z.object({ model: z.string() }),
        recent: z.array(z.unknown()),
      }),
      heartbeat: z.object({
        defaultAgentId: z.string(),
        agents: z.array(
          z.object({ agentId: z.string(), enabled: z.boolean(), every: z.string(), everyMs: z.number().nullable() }),
        ),
      }),
      channelSummary: z.array(z.string()),
      queuedSystemEvents: z.array(z.string()),
      runs: z.object({ running: z.number(), queued: z.number(), parked: z.number(), slots: z.number() }),
      lanes: z.object({ held: z.number(), waiting: z.number() }),
      pools: z.array(z.object({ name: z.string(), limit: z.number(), taken: z.number(), waiting: z.number() })),
      waits: z.array(waitSchema),
      /** Calls and waits that were refused since the start. */
      refused: z.object({ WOULD_DEADLOCK: z.number(), BUSY: z.number(), LIMIT: z.number() }),
      /** Turns that did not end when they were told to, and were let go. */
      released: z.object({
        count: z.number(),
        last: z.object({ runId: z.string(), atMs: z.number() }).optional(),
      }),
      pendingApprovals: z.number(),
      connections: z.number(),
      /** By p99 of their work since the start, waits excluded; slowest first. */
      slowest: z.array(
        z.object({ method: z.string(), calls: z.number(), errors: z.number(), p50Ms: z.number(), p99Ms: z.number() }),
      ),
      loopDelayMs: z.object({ p50: z.number(), p99: z.number(), max: z.number() }),
      memoryBytes: z.number(),
      pid: z.number(),
      store: storeSchema,
      config: configState,
      /** By how much the clock is behind the ledger; while it is, no job fires. */
      clockBehindMs: z.number().optional(),
      /** Why turns and jobs wait since the start: the gateway died again and again. */
      heldBack: z.string().optional(),
    }),
    scope: 'operator.read',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
}
