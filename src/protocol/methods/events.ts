// Declaration of the method by which a client that was away hears what it missed (L5).
import * as z from 'zod'
import { SECOND } from '../../base/durations.ts'
import { method } from '../method.ts'

/** Events in one answer. */
export const EVENTS_MAX = 500

const liveSnapshot = z.object({
  runId: z.string(),
  /** As the caller wrote it. */
  sessionKey: z.string(),
  session: z.string(),
  startedAt: z.number(),
  /** Of the present message, so far; left out, with `cut`, where the answer has no room for it. */
  text: z.string(),
  tools: z.array(z.object({ toolCallId: z.string(), name: z.string(), args: z.unknown() })),
  cut: z.literal(true).optional(),
})
export type LiveRunSnapshot = z.infer<typeof liveSnapshot>

export const EVENT_METHODS = {
  'events.since': method({
    summary: 'Tell the durable events after a number, and what the turns that run have said so far.',
    params: z.strictObject({ seq: z.int().min(0), limit: z.int().min(1).max(EVENTS_MAX).optional() }),
    result: z.object({
      /** In order; those that the caller may hear. */
      events: z.array(z.object({ seq: z.number(), event: z.string(), payload: z.unknown() })),
      /** Up to where this answer tells everything: what to ask from when there is more. */
      nextSeq: z.number(),
      /** Of the newest event there is. */
      lastSeq: z.number(),
      more: z.boolean(),
      /** Events after `seq` are no longer kept, or `seq` is of another store: nothing is told. Read lists and histories anew. */
      tooOld: z.literal(true).optional(),
      oldestSeq: z.number(),
      live: z.array(liveSnapshot),
    }),
    scope: 'operator.read',
    replay: 'read',
    deadlineMs: 10 * SECOND,
  }),
}
