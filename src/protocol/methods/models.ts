// Declarations of the methods on models and on what they used.
import * as z from 'zod'
import { SECOND } from '../../base/durations.ts'
import { method } from '../method.ts'

const DEADLINE_MS = 10 * SECOND

/** US dollars for a million tokens, as in the config. */
const priceSchema = z.object({
  input: z.number().optional(),
  output: z.number().optional(),
  cacheRead: z.number().optional(),
  cacheWrite: z.number().optional(),
})

/** Tokens: `input` without what the provider's cache had or took; the cost in US dollars, of the answers with a price. */
const totalsSchema = z.object({
  input: z.number(),
  output: z.number(),
  cacheRead: z.number(),
  cacheWrite: z.number(),
  totalTokens: z.number(),
  totalCost: z.number(),
  missingCostEntries: z.number(),
})

export const MODEL_METHODS = {
  'models.list': method({
    summary: 'List the models there are: those of the config and those that the providers tell.',
    params: z.strictObject({}),
    result: z.object({
      models: z.array(
        z.object({
          id: z.string(),
          name: z.string(),
          provider: z.string(),
          /** As it is named in the config and in params: `<provider>/<id>`. */
          ref: z.string(),
          contextWindow: z.number().optional(),
          reasoning: z.boolean().optional(),
          input: z.array(z.string()).optional(),
          cost: priceSchema.optional(),
          /** Its place in the chain of models that are asked by default, from 1. */
          order: z.number().optional(),
        }),
      ),
      /** Providers that did not tell their models, and why. */
      problems: z.array(z.object({ provider: z.string(), problem: z.string() })),
    }),
    scope: 'operator.read',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'usage.status': method({
    summary: "Say how much of today's caps on models is used, by provider.",
    params: z.strictObject({}),
    result: z.object({
      updatedAt: z.number(),
      providers: z.array(
        z.object({
          provider: z.string(),
          displayName: z.string(),
          windows: z.array(z.object({ label: z.string(), usedPercent: z.number(), resetAt: z.number().optional() })),
          /** Of today. */
          totals: totalsSchema,
        }),
      ),
    }),
    scope: 'operator.read',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'usage.cost': method({
    summary: 'Sum up what models used and cost, day by day: all of it, or that of one session or job.',
    params: z
      .strictObject({
        days: z.int().min(1).max(365).optional(),
        sessionKey: z.string().max(512).optional(),
        jobId: z.string().min(1).max(200).optional(),
      })
      .refine(
        ({ sessionKey, jobId }) => sessionKey === undefined || jobId === undefined,
        'give sessionKey or jobId, not both',
      ),
    result: z.object({
      updatedAt: z.number(),
      days: z.number(),
      /** Days on which something was used, oldest first. */
      daily: z.array(totalsSchema.extend({ date: z.string() })),
      totals: totalsSchema,
    }),
    scope: 'operator.read',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
}
