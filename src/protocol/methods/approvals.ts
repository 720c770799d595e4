// Declarations of the methods by which a person decides what a turn may do.
import * as z from 'zod'
import { SECOND } from '../../base/durations.ts'
import { method } from '../method.ts'

const DEADLINE_MS = 10 * SECOND

const approvalSchema = z.object({
  id: z.string(),
  tool: z.string(),
  /** Exactly what would run, in one line. */
  text: z.string(),
  request: z.record(z.string(), z.unknown()),
  sessionKey: z.string(),
  agentId: z.string(),
  /** The session in whose chat it is asked. */
  askedIn: z.string(),
  createdAtMs: z.number(),
  expiresAtMs: z.number(),
})

export const APPROVAL_METHODS = {
  'approvals.list': method({
    summary: 'Show what waits for a yes or no, oldest first.',
    params: z.strictObject({ sessionKey: z.string().min(1).max(300).optional() }),
    result: z.object({ approvals: z.array(approvalSchema) }),
    scope: 'operator.approvals',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'exec.approval.resolve': method({
    summary: 'Allow or deny what a turn asks for: allow-once, allow-always or deny.',
    params: z.strictObject({
      id: z.string().min(1).max(300),
      decision: z.enum(['allow-once', 'allow-always', 'deny'], { error: 'invalid decision' }),
      idempotencyKey: z.string().min(1).max(300).optional(),
    }),
    result: z.object({ ok: z.literal(true), state: z.string(), decided: z.boolean() }),
    scope: 'operator.approvals',
    replay: 'transactional',
    deadlineMs: DEADLINE_MS,
  }),
}
