// Declarations of the methods that show who is connected and how heartbeats go.
import * as z from 'zod'
import { SECOND } from '../../base/durations.ts'
import { method } from '../method.ts'

const DEADLINE_MS = 10 * SECOND
const word = z.string().max(300).optional()
const words = z.array(z.string().max(100)).max(50).optional()

const said = {
  host: word,
  ip: word,
  mode: word,
  version: word,
  platform: word,
  deviceFamily: word,
  modelIdentifier: word,
  lastInputSeconds: z.number().min(0).optional(),
  reason: word,
  tags: words,
  roles: words,
  scopes: words,
  deviceId: word,
  instanceId: word,
}

const presenceEntry = z.object({ ...said, text: z.string().optional(), ts: z.number() })
export type PresenceEntry = z.infer<typeof presenceEntry>

/** How a heartbeat went: told, silent, left out, or failed. */
const heartbeatEvent = z.object({
  ts: z.number(),
  status: z.enum(['sent', 'ok-empty', 'ok-token', 'skipped', 'failed']),
  agentId: z.string(),
  preview: z.string().optional(),
  durationMs: z.number().optional(),
  reason: z.string().optional(),
  silent: z.boolean().optional(),
})
export type HeartbeatEvent = z.infer<typeof heartbeatEvent>

/** The family's words for anything but true or false. */
const switched = z
  .looseObject({ enabled: z.unknown().optional(), idempotencyKey: z.string().min(1).max(300).optional() })
  .refine(params => typeof params.enabled === 'boolean', 'enabled (boolean) required')
  .transform(({ enabled, idempotencyKey }) => ({
    enabled: enabled === true,
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  }))

export const PRESENCE_METHODS = {
  'system-presence': method({
    summary: 'Show the gateway and the clients that are or were just connected.',
    params: z.strictObject({}),
    result: z.array(presenceEntry),
    scope: 'operator.read',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'system-event': method({
    summary: 'Say something of a machine; what does not begin with "Node:" is also told to the main session.',
    params: z.strictObject({
      text: z.string().trim().min(1).max(200_000),
      ...said,
      idempotencyKey: z.string().min(1).max(300).optional(),
    }),
    result: z.object({ ok: z.literal(true) }),
    scope: 'operator.admin',
    replay: 'attach',
    deadlineMs: DEADLINE_MS,
  }),
  'last-heartbeat': method({
    summary: 'Say how the last heartbeat since the start went; null: there was none.',
    params: z.strictObject({}),
    result: heartbeatEvent.nullable(),
    scope: 'operator.read',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'set-heartbeats': method({
    summary: 'Switch heartbeats off or on again, until the next start.',
    params: switched,
    result: z.object({ ok: z.literal(true), enabled: z.boolean() }),
    scope: 'operator.admin',
    replay: 'none',
    deadlineMs: DEADLINE_MS,
  }),
}
