// Declarations of the methods by which a person lets devices in and shuts them out. No answer but that of a rotation
// shows a token.
import * as z from 'zod'
import { SECOND } from '../../base/durations.ts'
import { method, SCOPES } from '../method.ts'

const DEADLINE_MS = 10 * SECOND

const id = z.string().min(1).max(300)
const idempotencyKey = id.optional()

const factsSchema = z.object({
  deviceId: z.string(),
  publicKey: z.string(),
  displayName: z.string().optional(),
  platform: z.string(),
  clientId: z.string(),
  clientMode: z.string(),
  role: z.string(),
  roles: z.array(z.string()),
  scopes: z.array(z.string()),
  remoteIp: z.string().optional(),
})

const requestSchema = factsSchema.extend({
  requestId: z.string(),
  silent: z.boolean(),
  /** It was paired before, and wants more or was revoked. */
  isRepair: z.boolean(),
  ts: z.number(),
  /** Ours: nobody can approve it from then on. */
  expiresAtMs: z.number(),
})

const deviceSchema = factsSchema.extend({
  createdAtMs: z.number(),
  approvedAtMs: z.number(),
  tokens: z.array(
    z.object({
      role: z.string(),
      scopes: z.array(z.string()),
      createdAtMs: z.number(),
      rotatedAtMs: z.number().optional(),
      revokedAtMs: z.number().optional(),
      lastUsedAtMs: z.number().optional(),
    }),
  ),
})

const shared = { scope: 'operator.pairing', deadlineMs: DEADLINE_MS } as const

export const DEVICE_METHODS = {
  'device.pair.list': method({
    summary: 'Show the devices that wait to be let in, and those that were.',
    params: z.strictObject({}),
    result: z.object({ pending: z.array(requestSchema), paired: z.array(deviceSchema) }),
    replay: 'read',
    ...shared,
  }),
  'device.pair.approve': method({
    summary: 'Let a device in, with the scopes it asks for; only those that the caller has.',
    params: z.strictObject({ requestId: id, idempotencyKey }),
    result: z.object({ requestId: z.string(), device: deviceSchema }),
    replay: 'transactional',
    ...shared,
  }),
  'device.pair.reject': method({
    summary: 'Refuse a device that waits to be let in.',
    params: z.strictObject({ requestId: id, idempotencyKey }),
    result: z.object({ requestId: z.string(), deviceId: z.string() }),
    replay: 'transactional',
    ...shared,
  }),
  'device.token.rotate': method({
    summary: "Replace a device's token; connections that used the old one are closed.",
    params: z.strictObject({ deviceId: id, role: id, scopes: z.array(z.enum(SCOPES)).optional(), idempotencyKey }),
    result: z.object({
      deviceId: z.string(),
      role: z.string(),
      token: z.string(),
      scopes: z.array(z.string()),
      rotatedAtMs: z.number(),
    }),
    replay: 'transactional',
    ...shared,
  }),
  'device.token.revoke': method({
    summary: "End a device's token; its connections are closed, and it must be let in anew.",
    params: z.strictObject({ deviceId: id, role: id, idempotencyKey }),
    result: z.object({ deviceId: z.string(), role: z.string(), revokedAtMs: z.number() }),
    replay: 'transactional',
    ...shared,
  }),
}
