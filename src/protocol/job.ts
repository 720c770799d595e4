// The job: what crosses the wire as a scheduled piece of work, closed schemas for what may be added and patched, and the
// ledger row of one occurrence. Storage keeps the same shapes. Protocol 3 of the family, plus optional fields of ours.
import * as z from 'zod'
import { AFTER_ENDS, OCCURRENCE_STATES } from './job-policy.ts'
import { policyPatchSchema, policySchema } from './job-policy-schema.ts'

const text = z.string().trim().min(1)
const epochMs = z.int().min(0).max(8.64e15)

/** A floor under intervals: one second. Below it a job is a busy loop. */
export const EVERY_MS_MIN = 1_000
export const JOB_NAME_LENGTH_MAX = 200
export const JOB_TEXT_LENGTH_MAX = 100_000

const COMMAND_WORDS_MAX = 1_000

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'give a time such as 08:00')

export const scheduleSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('at'), atMs: epochMs }),
  z.strictObject({
    kind: z.literal('every'),
    everyMs: z.int().min(EVERY_MS_MIN),
    anchorMs: epochMs.optional(),
    /** Ours: only between these times of each day, counted from the first one, in the zone `tz`. */
    between: z
      .strictObject({
        from: timeOfDay,
        to: timeOfDay,
        /** 0 (Sunday) to 6; all without it. */
        weekdays: z.array(z.int().min(0).max(6)).min(1).max(7).optional(),
      })
      .optional(),
    tz: text.max(100).optional(),
  }),
  z.strictObject({ kind: z.literal('cron'), expr: text.max(200), tz: text.max(100).optional() }),
  /** Ours: once after each run of another job that ended so; what was skipped did not run. */
  z.strictObject({ kind: z.literal('after'), job: text.max(300), on: z.enum(AFTER_ENDS).default('ok') }),
])
export type Schedule = z.infer<typeof scheduleSchema>

/** A schedule as it may be asked for: also in words, which are read when the call is carried out. */
export const scheduleWishSchema = z.discriminatedUnion('kind', [
  ...scheduleSchema.options,
  z.strictObject({ kind: z.literal('words'), words: text.max(500) }),
])
export type ScheduleWish = z.infer<typeof scheduleWishSchema>

const payloadText = text.max(JOB_TEXT_LENGTH_MAX)
const systemEvent = z.strictObject({ kind: z.literal('systemEvent'), text: payloadText })
const agentTurn = z.strictObject({
  kind: z.literal('agentTurn'),
  message: payloadText,
  model: text.optional(),
  thinking: text.optional(),
  timeoutSeconds: z.int().min(1).optional(),
  /** Ours: asked in this order when the model fails; the config's where there are none and no model is named. */
  fallbacks: z.array(text).max(10).optional(),
  /** Ours: the tools that its turns have, by name; absent: as any turn, or as the turn that made it. */
  tools: z.array(text).max(100).optional(),
  deliver: z.boolean().optional(),
  channel: text.optional(),
  to: text.optional(),
  bestEffortDeliver: z.boolean().optional(),
})
/** Plain text to the session that made the job; no model is asked. */
const message = z.strictObject({ kind: z.literal('message'), text: payloadText })

/** The command and its words, as they are: there is no shell. */
const argv = z
  .array(z.string().max(32_000))
  .min(1)
  .max(COMMAND_WORDS_MAX)
  .refine(([name]) => name !== undefined && name.trim() !== '', 'name the command first')
const commandSeconds = z.int().min(1).max(86_400)
/** Ours: a command of the gateway's machine, only where its owner allows it; no model is asked. */
const command = z.strictObject({
  kind: z.literal('command'),
  argv,
  /** From the agent's folder for commands on. */
  cwd: text.max(4_000).optional(),
  timeoutSeconds: commandSeconds.optional(),
  /** Names of variables of the gateway's environment that it has too. */
  env: z
    .array(z.string().regex(/^[A-Za-z_]\w*$/, 'give names of variables'))
    .max(100)
    .optional(),
  deliver: z.boolean().optional(),
  channel: text.optional(),
  to: text.optional(),
  bestEffortDeliver: z.boolean().optional(),
})
/** A command that runs first: by its exit code the job goes on (0) or this occurrence is skipped (any other). */
const condition = z.strictObject({ argv, timeoutSeconds: commandSeconds.optional() })

export const payloadSchema = z.discriminatedUnion('kind', [systemEvent, agentTurn, message, command])
export type Payload = z.infer<typeof payloadSchema>

/** In a patch every field but `kind` may be left out; the same kind is merged, another kind needs its text. */
export const payloadPatchSchema = z.discriminatedUnion('kind', [
  systemEvent.partial({ text: true }),
  agentTurn.partial({ message: true }),
  message.partial({ text: true }),
  command.partial({ argv: true }),
])

const isolationSchema = z.strictObject({
  postToMainPrefix: z.string().optional(),
  postToMainMode: z.enum(['summary', 'full']).optional(),
  postToMainMaxChars: z.int().min(0).optional(),
})

export const sessionTargetSchema = z.enum(['main', 'isolated'])
export const wakeModeSchema = z.enum(['next-heartbeat', 'now'])

export const jobInputSchema = z.strictObject({
  name: text.max(JOB_NAME_LENGTH_MAX),
  description: z.string().trim().max(2_000).optional(),
  agentId: z.string().nullish(),
  enabled: z.boolean(),
  deleteAfterRun: z.boolean().optional(),
  schedule: scheduleSchema,
  sessionTarget: sessionTargetSchema,
  wakeMode: wakeModeSchema,
  payload: payloadSchema,
  isolation: isolationSchema.optional(),
  /** Ours: the session that hears the result (`agent:<agent>:<rest>`); a job made inside a turn has that turn's. */
  sessionKey: text.max(300).optional(),
  /** Ours: with it, what a command of the gateway's machine decides of each occurrence. */
  when: condition.optional(),
  /** Ours: how it is carried out. A job that is shown has every member that holds for it, the defaults too. */
  policy: policySchema.optional(),
})
export type JobInput = z.infer<typeof jobInputSchema>

export const jobPatchSchema = jobInputSchema
  .omit({ payload: true, policy: true, when: true })
  .extend({ payload: payloadPatchSchema, policy: policyPatchSchema, when: condition.nullable() })
  .partial()
export type JobPatch = z.infer<typeof jobPatchSchema>

export const jobStateSchema = z.object({
  nextRunAtMs: z.number().optional(),
  runningAtMs: z.number().optional(),
  lastRunAtMs: z.number().optional(),
  lastStatus: z.enum(['ok', 'error', 'skipped']).optional(),
  lastError: z.string().optional(),
  lastDurationMs: z.number().optional(),
  /** Ours: when a run of it that failed is tried again. */
  retryAtMs: z.number().optional(),
  /** Ours: runs that its schedule has begun. */
  runs: z.number().optional(),
  /** Ours: failures in a row. */
  failures: z.number().optional(),
  /** Ours: why the job switched itself off. */
  pausedBecause: z.string().optional(),
})
export type JobState = z.infer<typeof jobStateSchema>

/** Who made a job: the kind of caller, and inside a turn the session and turn. */
export const jobMakerSchema = z.object({
  kind: z.enum(['operator', 'agent', 'import']),
  sessionKey: z.string().optional(),
  runId: z.string().optional(),
})
export type JobMaker = z.infer<typeof jobMakerSchema>

export const jobSchema = z.object({
  id: z.string(),
  ...jobInputSchema.shape,
  agentId: z.string().optional(),
  createdAtMs: z.number(),
  updatedAtMs: z.number(),
  state: jobStateSchema,
  madeBy: jobMakerSchema.optional(),
})
export type Job = z.infer<typeof jobSchema>

/** Where a job's result goes as things stand: with `channel` and `chat`, where its person reads. */
export const jobDeliverySchema = z.object({
  to: z.enum(['session', 'chat', 'none', 'missing']),
  sessionKey: z.string().optional(),
  channel: z.string().optional(),
  chat: z.string().optional(),
})
export type JobDelivery = z.infer<typeof jobDeliverySchema>

export type OccurrenceState = (typeof OCCURRENCE_STATES)[number]

/** Why a run failed. */
export const FAILURES = ['transient', 'permanent', 'refused'] as const

/** One finished or decided occurrence as `cron.runs` shows it; `ts` is when it ended. */
export const runLogSchema = z.object({
  ts: z.number(),
  jobId: z.string(),
  action: z.literal('finished'),
  status: z.enum(['ok', 'error', 'skipped']),
  error: z.string().optional(),
  summary: z.string().optional(),
  runAtMs: z.number().optional(),
  durationMs: z.number().optional(),
  nextRunAtMs: z.number().optional(),
  /** Ours: the ledger's own words and keys. */
  state: z.enum(OCCURRENCE_STATES),
  occurrence: z.string(),
  nominalAtMs: z.number().optional(),
  runId: z.string().optional(),
  /** How many instants the row stands for, when more than one was missed in a row. */
  count: z.number().optional(),
  /** The last of them; nominalAtMs is the first. */
  toMs: z.number().optional(),
  /** Its number in the ledger: `before` of the next page. */
  seq: z.number(),
  /** From the instant for which it was due to its claim. */
  lagMs: z.number().optional(),
  /** When the first attempt of its run began, and which one ended it. */
  startedAtMs: z.number().optional(),
  /** By how much its beginning was put off, because others that do work were due at its instant (`staggerMs`). */
  staggeredMs: z.number().optional(),
  attempt: z.number().optional(),
  /** Of one that failed: `transient` may pass by itself, `refused` is a limit or a no, `permanent` would fail again. */
  failure: z.enum(FAILURES).optional(),
  /** Its run is tried again then; until it ends its state is `running`. */
  retryAtMs: z.number().optional(),
  sessionKey: z.string().optional(),
  model: z.string().optional(),
  inputTokens: z.number().optional(),
  outputTokens: z.number().optional(),
  /** US dollars, as far as its answers had a price. */
  costUsd: z.number().optional(),
  /** Of a command, or of the one that decided that it was skipped. */
  exitCode: z.number().optional(),
  /** What became of what it told: the states of its sends, or of its text in the outbox. */
  delivery: z.string().optional(),
})
export type RunLog = z.infer<typeof runLogSchema>
