// Declarations of the methods that show what a channel's chats are still owed, and have it sent again.
import * as z from 'zod'
import { SECOND } from '../../base/durations.ts'
import { method } from '../method.ts'

const DEADLINE_MS = 10 * SECOND

const sendSchema = z.object({
  id: z.string(),
  sessionKey: z.string(),
  channel: z.string(),
  chat: z.string(),
  source: z.string(),
  text: z.string(),
  state: z.enum(['queued', 'sending', 'sent', 'unconfirmed', 'failed', 'expired']),
  attempt: z.number(),
  /** When it is tried, or tried again; only what is next in its chat has one. */
  dueAtMs: z.number().optional(),
  error: z.string().optional(),
  createdAtMs: z.number(),
  expiresAtMs: z.number(),
})

export const OUTBOX_METHODS = {
  'outbox.list': method({
    summary: 'Show what was not sent to chats of channels yet, or may not have arrived; newest first.',
    params: z.strictObject({ limit: z.int().min(1).max(50).optional() }),
    result: z.object({ sends: z.array(sendSchema) }),
    scope: 'operator.read',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'outbox.resend': method({
    summary: 'Send again what is unconfirmed, failed or expired; it may then be seen twice.',
    params: z.strictObject({
      id: z.string().min(1).max(600),
      idempotencyKey: z.string().min(1).max(300).optional(),
    }),
    result: z.object({ ok: z.literal(true), queued: z.boolean(), state: sendSchema.shape.state }),
    scope: 'operator.write',
    replay: 'transactional',
    deadlineMs: DEADLINE_MS,
  }),
}
