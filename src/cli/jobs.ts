// Jobs as people name and read them: by id, the beginning of an id, or name; and what is told of one after a change.

import { quoteWords } from '../base/command-words.ts'
import { formatDuration } from '../base/durations.ts'
import { formatInstant } from '../base/zoned-time.ts'
import type { Result } from '../protocol/catalogue.ts'
import type { Job } from '../protocol/job.ts'
import { doesWork, type Policy, policyOf } from '../protocol/job-policy.ts'
import type { Arguments } from './arguments.ts'
import type { Link } from './gateway-link.ts'
import type { Paint } from './text/paint.ts'
import { sanitize, sanitizeLine } from './text/sanitize.ts'
import { shortSchedule } from './text/times.ts'
import { truncate } from './text/width.ts'
import { UsageError } from './usage.ts'

const WHOLE_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const ID_PREFIX_LENGTH_MIN = 4
const NEXT_TIMES_SHOWN = 5
const TEXT_SHOWN_MAX = 60

export function jobReference(args: Arguments): string {
  const [reference] = args.positionals
  if (!reference?.trim()) throw args.usage('Which job? Give its id, the beginning of its id, or its name.')
  return reference
}

/** The id that a person meant. What is known by no name is passed on as it is: the gateway says that there is none. */
export async function resolveJobId(reference: string, { call }: Link): Promise<string> {
  if (WHOLE_ID.test(reference)) return reference
  const first = await call('cron.list', { includeDisabled: true })
  // Of more than it lists at once, the gateway looks for those that may be meant.
  const isAll = first.jobs.length === first.total
  const { jobs } = isAll ? first : await call('cron.list', { includeDisabled: true, named: reference.trim() })
  if (jobs.some(job => job.id === reference)) return reference
  const named = jobs.filter(job => job.name.toLowerCase() === reference.trim().toLowerCase())
  const begun = reference.length >= ID_PREFIX_LENGTH_MIN ? jobs.filter(job => job.id.startsWith(reference)) : []
  const found = named.length > 0 ? named : begun
  if (found.length > 1) {
    const list = found.map(job => `  ${job.id}  ${sanitizeLine(job.name)}`).join('\n')
    throw new UsageError(`"${reference}" names ${found.length} jobs; say which by its id:\n${list}`)
  }
  return found[0]?.id ?? reference
}

export interface JobNews {
  readonly job: Job
  /** Without the rest when the gateway did not say it. */
  readonly next: Pick<Result<'cron.next'>, 'times' | 'zone'> & Partial<Result<'cron.next'>>
  /** Is the scheduler on at all? */
  readonly schedulerOn: boolean
}

/** When it runs next, and whether it will; never fails a change that has been made. */
export async function newsOf(job: Job, { call }: Link): Promise<JobNews> {
  const [next, status] = await Promise.all([
    call('cron.next', { id: job.id, count: NEXT_TIMES_SHOWN }).catch(() => undefined),
    call('cron.status', {}).catch(() => undefined),
  ])
  const known = job.state.nextRunAtMs === undefined ? [] : [job.state.nextRunAtMs]
  const zone = status?.zone ?? (job.schedule.kind === 'cron' ? job.schedule.tz : undefined) ?? 'UTC'
  return { job, next: next ?? { times: known, zone }, schedulerOn: status?.enabled ?? true }
}

/** Some lines on a job: what, when, where, and its next times in local time with zone and offset. */
export function describeJob(headline: string, { job, next }: JobNews, paint: Paint): string {
  const [first, ...later] = next.times.map(time => formatInstant(time, next.zone))
  const rows = [
    ['schedule', shortSchedule(job.schedule, next.zone)],
    ...(job.schedule.kind === 'at' || next.words === undefined ? [] : [['', next.words]]),
    ['does', `${payloadWords(job)} (${job.sessionTarget} session)`],
    ...(job.when ? [['only if', `this ends with exit code 0: ${commandWords(job.when.argv)}`]] : []),
    ['policy', policyWords(job, next.zone)],
    ...(next.delivery ? [['result', deliveryWords(next.delivery)]] : []),
    ...(job.madeBy ? [['made by', makerWords(job.madeBy)]] : []),
    ...lastRow(job, next.zone),
    ['next', first ?? whyNever(job)],
    ...later.map(time => ['', time]),
  ]
  const name = paint.bold(sanitizeLine(job.name))
  const warnings = next.warnings ?? []
  const lines = rows.map(([left = '', right]) => `  ${paint.dim(left.padEnd(9))} ${right}\n`)
  const warned = warnings.map(words => `  ${paint.yellow('warning')}   ${sanitizeLine(words)}\n`)
  return `${headline} ${name} ${paint.dim(job.id)}\n${[...lines, ...warned].join('')}`
}

function lastRow({ state: { lastRunAtMs, lastStatus, lastError } }: Job, zone: string): string[][] {
  if (lastRunAtMs === undefined) return []
  return [['last', `${formatInstant(lastRunAtMs, zone)}: ${sanitizeLine(lastError ?? lastStatus ?? 'running')}`]]
}

/** Why no time is known at which it comes. */
function whyNever({ enabled, schedule, state, policy }: Job): string {
  if (enabled) return schedule.kind === 'after' ? 'when that job has ended so' : 'never again'
  const isSpent = (state.runs ?? 0) >= (policy?.maxRuns ?? Number.POSITIVE_INFINITY)
  const why = state.pausedBecause ?? (isSpent ? 'it has had all its runs' : undefined)
  return `not while it is disabled${why === undefined ? '' : ` (${sanitizeLine(why)})`}`
}

/** Where its result goes as things stand. */
function deliveryWords({ to, sessionKey = '', channel, chat }: Result<'cron.next'>['delivery']): string {
  const read = channel === undefined ? '' : `chat ${chat} of ${channel}`
  switch (to) {
    case 'none':
      return 'told to nobody; it is in the ledger'
    case 'missing':
      return 'cannot be delivered as things stand'
    case 'chat':
      return sanitizeLine(read)
    case 'session':
      return sanitizeLine(read ? `${sessionKey}, read in ${read}` : `${sessionKey}, kept until it is read`)
  }
}

function makerWords({ kind, sessionKey }: NonNullable<Job['madeBy']>): string {
  return sanitizeLine(sessionKey === undefined ? kind : `${kind}, in ${sessionKey}`)
}

/** All that holds, the defaults too. */
function policyWords(job: Pick<Job, 'policy' | 'payload' | 'when'>, zone: string): string {
  const policy = policyOf(job)
  const { catchUp, catchUpWindowMs, startAtMs, endAtMs, maxRuns, pauseAfterFailures, jitterMs, staggerMs } = policy
  const window =
    catchUp === 'skip' || catchUpWindowMs === undefined ? '' : ` up to ${formatDuration(catchUpWindowMs)} late`
  return [
    `missed times: ${catchUp}${window}`,
    `overlap: ${policy.overlap}`,
    `failure alert: ${policy.failureAlert ? 'on' : 'off'}`,
    pauseAfterFailures > 0 ? `off after ${pauseAfterFailures} failures` : 'never off by failures',
    `retries: ${retryWords(policy)}`,
    ...Object.entries(policy.budget ?? {}).map(([name, most]) => `${name} at most ${most}`),
    ...(job.payload.kind === 'agentTurn' && !policy.budget ? ['no budget'] : []),
    jitterMs > 0 ? `up to ${formatDuration(jitterMs)} later` : 'no jitter',
    ...(staggerMs === undefined || !doesWork(job)
      ? []
      : [`${formatDuration(staggerMs)} apart from others of its instant`]),
    ...(startAtMs === undefined ? [] : [`from ${formatInstant(startAtMs, zone)}`]),
    ...(endAtMs === undefined ? [] : [`until ${formatInstant(endAtMs, zone)}`]),
    ...(maxRuns === undefined ? [] : [`${maxRuns} runs`]),
  ].join(', ')
}

function retryWords({ retry: { max, backoffMs } }: Policy): string {
  if (max === 0) return 'none'
  return `${max} after ${backoffMs.slice(0, max).map(formatDuration).join(', ')}`
}

function commandWords(argv: readonly string[]): string {
  return truncate(sanitizeLine(sanitize(quoteWords(argv))), TEXT_SHOWN_MAX)
}

export function payloadWords({ payload }: Pick<Job, 'payload'>): string {
  if (payload.kind === 'command') return `runs: ${commandWords(payload.argv)}`
  const text = payload.kind === 'agentTurn' ? payload.message : payload.text
  const words = { agentTurn: 'asks the agent', systemEvent: 'tells the agent', message: 'says' }[payload.kind]
  return `${words}: "${truncate(sanitizeLine(sanitize(text)), TEXT_SHOWN_MAX)}"`
}
