// Declarations of the scheduler's methods.
import * as z from 'zod'
import { SECOND } from '../../base/durations.ts'
import {
  jobDeliverySchema,
  jobInputSchema,
  jobMakerSchema,
  jobPatchSchema,
  jobSchema,
  runLogSchema,
  scheduleSchema,
  scheduleWishSchema,
} from '../job.ts'
import { lenientJobInput, lenientJobPatch, lenientPreview } from '../job-leniency.ts'
import { OCCURRENCE_STATES } from '../job-policy.ts'
import { method } from '../method.ts'

export const JOBS_LISTED_MAX = 1_000
export const NEXT_TIMES_MAX = 100
const DEADLINE_MS = 10 * SECOND

const key = z.string().min(1).max(300).optional()
const id = z.string().min(1)

/** Exactly one of `id` and `jobId`. */
function withJobId<S extends z.ZodRawShape>(shape: S) {
  return z
    .strictObject({ id: id.optional(), jobId: id.optional(), ...shape })
    .refine(namesOneJob, 'give exactly one of id and jobId')
}

function namesOneJob(params: unknown): boolean {
  const { id, jobId } = params as { id?: string; jobId?: string }
  return (id === undefined) !== (jobId === undefined)
}

/** What would make a job's runs fail as things stand. */
const warnings = { warnings: z.array(z.string()).optional() }

/** Which rows of the ledger; times are those of the claim. */
const ledgerFilter = {
  limit: z.int().min(1).max(5_000).optional(),
  /** Rows before this `seq`: that of the oldest row of the page before. */
  before: z.int().min(1).optional(),
  sinceMs: z.int().min(0).optional(),
  untilMs: z.int().min(0).optional(),
  /** Default: all that are decided; `running` ones only when named. */
  states: z.array(z.enum(OCCURRENCE_STATES)).min(1).optional(),
}

export const CRON_METHODS = {
  'cron.list': method({
    summary: 'List jobs, soonest first.',
    params: z.strictObject({
      includeDisabled: z.boolean().optional(),
      /** Only this one, also when it is disabled. */
      id: id.optional(),
      /** Only those of this name, whatever its case, and those whose id begins so. */
      named: z.string().trim().min(1).max(300).optional(),
      /** Only those that this kind of caller made. */
      madeBy: jobMakerSchema.shape.kind.optional(),
      limit: z.int().min(1).max(JOBS_LISTED_MAX).optional(),
    }),
    result: z.object({ jobs: z.array(jobSchema), total: z.number() }),
    scope: 'operator.read',
    tool: 'cron',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'cron.status': method({
    summary: 'Say whether the scheduler runs, how many jobs there are and when it wakes next.',
    params: z.strictObject({}),
    result: z.object({
      enabled: z.boolean(),
      storePath: z.string(),
      jobs: z.number(),
      nextWakeAtMs: z.number().nullable(),
      zone: z.string(),
      /** By how much the clock is behind the ledger; while it is, nothing fires. */
      clockBehindMs: z.number().optional(),
    }),
    scope: 'operator.read',
    tool: 'cron',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'cron.add': method({
    summary: 'Add a job.',
    params: jobInputSchema.extend({
      schedule: scheduleWishSchema,
      /** Answer an equal live job of the same owner instead of making a second one; default inside a turn. */
      dedupe: z.boolean().optional(),
      allowDuplicate: z.boolean().optional(),
      idempotencyKey: key,
    }),
    result: jobSchema.extend({ deduplicated: z.boolean().optional(), ...warnings }),
    scope: 'operator.admin',
    tool: 'cron',
    replay: 'transactional',
    deadlineMs: DEADLINE_MS,
    example: {
      name: 'tea',
      schedule: { kind: 'cron', expr: '0 16 * * 1-5', tz: 'Europe/London' },
      payload: { kind: 'message', text: 'Tea is ready.' },
    },
    lenient: lenientJobInput,
  }),
  'cron.update': method({
    summary: 'Change a job; what is refused changes nothing.',
    params: withJobId({
      patch: jobPatchSchema.extend({ schedule: scheduleWishSchema.optional() }),
      idempotencyKey: key,
    }),
    result: jobSchema.extend(warnings),
    scope: 'operator.admin',
    tool: 'cron',
    replay: 'transactional',
    deadlineMs: DEADLINE_MS,
    example: { id: 'the id of the job', patch: { schedule: { kind: 'every', everyMs: 3_600_000 } } },
    lenient: lenientJobPatch,
  }),
  'cron.remove': method({
    summary: 'Remove a job; a run of it that goes on is left to end. Jobs that fire after it are switched off.',
    params: withJobId({ idempotencyKey: key }),
    result: z.object({
      ok: z.literal(true),
      removed: z.boolean(),
      /** The jobs that waited for it, and wait in vain now. */
      waiting: z.array(z.object({ id: z.string(), name: z.string() })).optional(),
    }),
    scope: 'operator.admin',
    tool: 'cron',
    replay: 'transactional',
    deadlineMs: DEADLINE_MS,
  }),
  'cron.run': method({
    summary: 'Run a job now; answers once the run is claimed, or after it with wait.',
    params: withJobId({
      mode: z.enum(['due', 'force']).optional(),
      wait: z.boolean().optional(),
      timeoutMs: z.int().min(0).max(86_400_000).optional(),
      idempotencyKey: key,
    }),
    result: z.object({
      ok: z.literal(true),
      ran: z.boolean(),
      reason: z.enum(['not-due', 'already-running']).optional(),
      runId: z.string().optional(),
      status: z.string().optional(),
      error: z.string().optional(),
    }),
    scope: 'operator.admin',
    tool: 'cron',
    replay: 'attach',
    deadlineMs: DEADLINE_MS,
  }),
  'cron.runs': method({
    summary: 'Show the ledger of a job, oldest first.',
    params: withJobId(ledgerFilter),
    result: z.object({ entries: z.array(runLogSchema) }),
    scope: 'operator.read',
    tool: 'cron',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'cron.history': method({
    summary: 'Show the ledger of all jobs, oldest first; the newest rows, or those before `before`.',
    params: z.strictObject(ledgerFilter),
    result: z.object({ entries: z.array(runLogSchema) }),
    scope: 'operator.read',
    tool: 'cron',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'cron.next': method({
    summary:
      'Say when a job runs next, as often as asked, and where its result goes; no times for one that is disabled.',
    params: withJobId({ count: z.int().min(1).max(NEXT_TIMES_MAX).optional() }),
    result: z.object({
      times: z.array(z.number()),
      zone: z.string(),
      /** Its schedule in words. */
      words: z.string(),
      delivery: jobDeliverySchema,
      ...warnings,
    }),
    scope: 'operator.read',
    tool: 'cron',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
  }),
  'cron.preview': method({
    summary: 'Say how a schedule, also one in words, is read, and its next times; makes nothing.',
    params: z.strictObject({ schedule: scheduleWishSchema, count: z.int().min(1).max(NEXT_TIMES_MAX).optional() }),
    result: z.object({
      schedule: scheduleSchema,
      /** The reading in words; given back they are read the same. */
      words: z.string(),
      times: z.array(z.number()),
      zone: z.string(),
    }),
    scope: 'operator.read',
    tool: 'cron',
    replay: 'read',
    deadlineMs: DEADLINE_MS,
    lenient: lenientPreview,
  }),
}
