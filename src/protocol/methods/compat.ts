// Declarations of methods that clients of the family call when they connect or show their pages. Where Sluice has nothing
// of the kind they answer that there is none, in the shape that is read unguarded; what would do something and cannot is no
// method here at all.
import * as z from 'zod'
import { SECOND } from '../../base/durations.ts'
import { method } from '../method.ts'

const DEADLINE_MS = 10 * SECOND
const LOG_BYTES_MAX = 1_000_000
const idempotencyKey = z.string().min(1).max(300)

/** The part of the family's file that has a meaning here; the rest of it is refused rather than forgotten. */
const approvalsFile = z.strictObject({
  version: z.literal(1),
  defaults: z
    .strictObject({
      security: z.enum(['deny', 'allowlist', 'full']).optional(),
      ask: z.enum(['off', 'on-miss', 'always']).optional(),
    })
    .optional(),
  agents: z
    .strictObject({
      main: z.strictObject({ allowlist: z.array(z.looseObject({ pattern: z.string().min(1) })).max(1_000) }).optional(),
    })
    .optional(),
})
const approvalsShown = z.object({ path: z.string(), exists: z.boolean(), hash: z.string(), file: approvalsFile })

export const COMPAT_METHODS = {
  'logs.tail': method({
    summary: 'Show the end of the log, or what was written after a cursor.',
    params: z.strictObject({
      cursor: z.int().min(0).optional(),
      limit: z.int().min(1).max(5_000).optional(),
      maxBytes: z.int().min(1).max(LOG_BYTES_MAX).optional(),
    }),
    result: z.object({
      file: z.string(),
      /** Byte after the last line that was shown. */
      cursor: z.number(),
      size: z.number(),
      lines: z.array(z.string()),
      truncated: z.boolean().optional(),
      reset: z.boolean().optional(),
    }),
    scope: 'operator.read',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  send: method({
    summary: 'Send a text to a chat of a channel; it is on disk before this answers, and goes out after.',
    params: z.strictObject({
      to: z.string().min(1).max(300),
      message: z.string().trim().min(1).max(200_000),
      channel: z.string().min(1).max(100).optional(),
      accountId: z.string().max(300).optional(),
      sessionKey: z.string().max(300).optional(),
      mediaUrl: z.string().optional(),
      mediaUrls: z.array(z.string()).optional(),
      gifPlayback: z.boolean().optional(),
      idempotencyKey,
    }),
    result: z.object({ runId: z.string(), messageId: z.string(), channel: z.string(), chatId: z.string() }),
    scope: 'operator.write',
    replay: 'transactional',
    deadlineMs: DEADLINE_MS,
  }),
  'skills.status': method({
    summary: 'Say which skills there are: Sluice has none.',
    params: z.strictObject({ agentId: z.string().optional() }),
    result: z.object({ workspaceDir: z.string(), managedSkillsDir: z.string(), skills: z.array(z.never()) }),
    scope: 'operator.read',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'update.run': method({
    summary: 'Say how Sluice is updated; it does not do it by itself.',
    params: z.looseObject({}),
    result: z.object({
      ok: z.literal(false),
      result: z.object({
        status: z.literal('skipped'),
        mode: z.literal('manual'),
        reason: z.string(),
        steps: z.array(z.never()),
      }),
      restart: z.null(),
      sentinel: z.null(),
    }),
    scope: 'operator.admin',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'exec.approvals.get': method({
    summary: "Show which commands turns may start, in the form of the family's file; the config says it.",
    params: z.strictObject({}),
    result: approvalsShown,
    scope: 'operator.admin',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'exec.approvals.set': method({
    summary: "Set which commands turns may start, in the form of the family's file; it is written to the config.",
    params: z.strictObject({
      file: approvalsFile,
      baseHash: z.string().optional(),
      idempotencyKey: idempotencyKey.optional(),
    }),
    result: approvalsShown,
    scope: 'operator.admin',
    replay: 'none',
    deadlineMs: DEADLINE_MS,
  }),
  'node.pair.list': method({
    summary: 'List the machines that wait to be paired: there are none.',
    params: z.strictObject({}),
    result: z.object({ pending: z.array(z.never()), paired: z.array(z.never()) }),
    scope: 'operator.pairing',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'node.list': method({
    summary: 'List the paired machines: Sluice has none.',
    params: z.strictObject({}),
    result: z.object({ ts: z.number(), nodes: z.array(z.never()) }),
    scope: 'operator.read',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
}
