// The `cron` tool: the scheduler's methods under the name and shape that agents know. It adds only what a model needs
// to confirm truthfully: the next time in local words.
import * as z from 'zod'
import { SluiceError } from '../base/errors.ts'
import { formatInstant } from '../base/zoned-time.ts'
import type { Result } from '../protocol/catalogue.ts'
import type { Job } from '../protocol/job.ts'
import { OCCURRENCE_STATES } from '../protocol/job-policy.ts'
import { NEXT_TIMES_MAX } from '../protocol/methods/cron.ts'
import { scheduleInWords, zoneOfSchedule } from '../words/describe.ts'
import { type ToolContext, tool } from './tool.ts'

const ACTIONS = ['status', 'list', 'add', 'update', 'remove', 'run', 'runs', 'history', 'next'] as const

const parameters = z.object({
  action: z.enum(ACTIONS),
  includeDisabled: z.boolean().optional(),
  job: z
    .record(z.string(), z.unknown())
    .optional()
    .describe(
      'For add. {name, schedule, payload}. schedule: {kind:"at", at:"2026-11-23T09:00"} | {kind:"every", everyMs} | {kind:"cron", expr:"0 9 * * 1-5", tz:"Europe/Berlin"} | {words:"every weekday at 9"} (also "in 20 minutes", "tomorrow at 7:30", "every 90 minutes between 8 and 18", "the last Friday of each month at noon in Tokyo"; what is not understood whole is refused) | {kind:"after", job:"<id of another job>", on:"ok|failed|any"} (after each of its runs). payload: {kind:"message", text} tells the person a text; {kind:"agentTurn", message} runs a turn of its own; {kind:"systemEvent", text} gives this session an input. Times without a zone are the person\'s. deleteAfterRun:true for one-time reminders. policy (optional): {catchUp:"skip|latest|all", overlap:"skip|queue-one|queue-all|cancel-previous|allow", startAtMs, endAtMs, maxRuns, pauseAfterFailures, jitterMs, staggerMs, retry:{max, backoffMs:[60000]}, budget:{runTokens, runUsd, dayTokens, dayUsd}}. An agentTurn may name model, fallbacks, thinking and tools; its result goes to this chat unless it has deliver:false, or channel and to.',
    ),
  jobId: z.string().optional(),
  id: z.string().optional(),
  patch: z.record(z.string(), z.unknown()).optional().describe('For update: the fields to change.'),
  mode: z.enum(['due', 'force']).optional(),
  limit: z
    .number()
    .int()
    .min(1)
    .max(200)
    .optional()
    .describe('For runs and history: how many; for next: how many times.'),
  sinceMs: z.number().int().min(0).optional().describe('For runs and history: from this instant on.'),
  states: z.array(z.enum(OCCURRENCE_STATES)).min(1).optional().describe('For runs and history: only these.'),
  madeBy: z.enum(['operator', 'agent', 'import']).optional().describe('For list: only the jobs that these made.'),
})
type CronArgs = z.output<typeof parameters>

export const cronTool = tool({
  name: 'cron',
  description:
    'Reminders and scheduled jobs: status, list, add, update, remove, run, runs (of one job), history (of all), next (its next times). An equal job of this session is not made twice: the answer then has deduplicated:true.',
  parameters,
  replay: 'safe',
  run: runCron,
})

async function runCron(args: CronArgs, context: ToolContext): Promise<unknown> {
  const { call, zone } = context
  const madeBy = args.madeBy && { madeBy: args.madeBy }
  switch (args.action) {
    case 'status':
      return await call('cron.status', {})
    case 'list': {
      const { jobs, total } = await call('cron.list', {
        includeDisabled: args.includeDisabled ?? false,
        limit: 100,
        ...madeBy,
      })
      const nameOf = (jobId: string) => jobs.find(({ id }) => id === jobId)?.name ?? jobId
      return { jobs: jobs.map(job => withNext(job, zone, nameOf)), total }
    }
    case 'add': {
      // The method takes the lenient forms; its own schema refuses what it does not know.
      const job = await call('cron.add', required(args, 'job') as never)
      return await confirmed(job, context)
    }
    case 'update': {
      const patch = required(args, 'patch') as never
      return await confirmed(await call('cron.update', { jobId: jobIdOf(args), patch }), context)
    }
    case 'remove':
      return await call('cron.remove', { jobId: jobIdOf(args) })
    case 'run':
      return await call('cron.run', { jobId: jobIdOf(args), mode: args.mode ?? 'force' })
    case 'runs':
      return await call('cron.runs', { jobId: jobIdOf(args), ...ledgerFilter(args) })
    case 'history':
      return await call('cron.history', ledgerFilter(args))
    case 'next': {
      const count = Math.min(args.limit ?? 5, NEXT_TIMES_MAX)
      const { times, ...more } = await call('cron.next', { jobId: jobIdOf(args), count })
      return { ...more, times: times.map(atMs => formatInstant(atMs, more.zone)) }
    }
  }
}

function ledgerFilter({ limit = 20, sinceMs, states }: CronArgs) {
  return { limit, ...(sinceMs !== undefined && { sinceMs }), ...(states && { states }) }
}

/** With where its result goes, for the person to hear. */
async function confirmed(job: Result<'cron.update'>, { call, zone }: ToolContext) {
  // The job stands already: nothing that comes after may say otherwise.
  const next = await call('cron.next', { jobId: job.id, count: 1 }).catch(() => undefined)
  return { ...withNext(job, zone), ...(next && { when: next.words, delivery: next.delivery }) }
}

function required(args: CronArgs, field: 'job' | 'patch'): unknown {
  if (args[field] === undefined) throw new SluiceError('INVALID_REQUEST', `cron ${args.action} needs "${field}"`)
  return args[field]
}

function jobIdOf(args: CronArgs): string {
  const jobId = args.jobId ?? args.id
  if (jobId === undefined)
    throw new SluiceError('INVALID_REQUEST', `cron ${args.action} needs "jobId"; use action list to find it`)
  return jobId
}

/** `when` and `next`: its schedule in words, and the next time with zone and offset, to be shown to the person. */
function withNext<J extends Pick<Job, 'state' | 'schedule' | 'when'>>(
  job: J,
  zone: string,
  nameOf?: (jobId: string) => string,
) {
  const { nextRunAtMs } = job.state
  const when = scheduleInWords(job.schedule, zone, nameOf)
  const shown = { ...job, when, ...(job.when && { whenCommand: job.when }) }
  if (nextRunAtMs === undefined) return shown
  return { ...shown, next: formatInstant(nextRunAtMs, zoneOfSchedule(job.schedule, zone)) }
}
