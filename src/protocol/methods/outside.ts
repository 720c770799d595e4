// Declarations of the methods by which other programs set something going: a hook's turn, and one tool.
import * as z from 'zod'
import { SECOND } from '../../base/durations.ts'
import { method } from '../method.ts'
import { MESSAGE_LENGTH_MAX } from './sessions.ts'

const key = z.string().min(1).max(300)
const idempotencyKey = key.optional()

export const OUTSIDE_METHODS = {
  'hooks.agent': method({
    summary: 'Have a turn run for another program; the main session is told how it ended.',
    params: z.strictObject({
      message: z.string().trim().min(1).max(MESSAGE_LENGTH_MAX),
      /** Who calls, as people are told. */
      name: z.string().trim().min(1).max(100).optional(),
      agentId: z.string().min(1).max(64).optional(),
      /** A session of its own without it. */
      sessionKey: key.optional(),
      wakeMode: z.enum(['now', 'next-heartbeat']).optional(),
      /** False: nobody is told how it ended. */
      deliver: z.boolean().optional(),
      channel: z.literal('last', { error: 'only "last" is supported: the main session is told' }).optional(),
      to: z.undefined({ error: 'is not supported: the main session is told' }).optional(),
      model: z.string().min(1).max(200).optional(),
      thinking: z.string().optional(),
      /** Seconds of work. */
      timeoutSeconds: z.int().min(1).max(86_400).optional(),
      idempotencyKey,
    }),
    result: z.object({ runId: z.string(), sessionKey: z.string() }),
    scope: 'operator.write',
    replay: 'attach',
    deadlineMs: 10 * SECOND,
  }),
  'tools.invoke': method({
    summary: 'Call one tool as a turn would, without a turn. Tools that reach far are not called this way.',
    params: z.strictObject({
      tool: z.string().min(1).max(100),
      /** The same as `args.action`. */
      action: z.string().min(1).max(100).optional(),
      args: z.record(z.string(), z.unknown()).optional(),
      /** Whose tools they are; default: the main session. */
      sessionKey: key.optional(),
      idempotencyKey,
    }),
    result: z.object({
      content: z.array(z.object({ type: z.literal('text'), text: z.string() })),
      details: z.unknown(),
      isError: z.boolean(),
    }),
    scope: 'operator.write',
    replay: 'attach',
    deadlineMs: 60 * SECOND,
  }),
}
