// The scheduler's jobs, looked at and run: list, show, runs, history, next, run, rm, status.
import { DAY, formatDuration, parseDuration, SECOND } from '../../base/durations.ts'
import { SluiceError } from '../../base/errors.ts'
import { withoutUndefined } from '../../base/without-undefined.ts'
import { formatInstant, formatOffset, offsetMs } from '../../base/zoned-time.ts'
import type { ParamsInput, Result } from '../../protocol/catalogue.ts'
import type { Job, JobMaker, OccurrenceState, RunLog } from '../../protocol/job.ts'
import { parseInstant } from '../../protocol/job-leniency.ts'
import type { Arguments } from '../arguments.ts'
import type { Run } from '../command.ts'
import { type Link, withGateway, writeJson } from '../gateway-link.ts'
import { describeJob, jobReference, newsOf, resolveJobId } from '../jobs.ts'
import { EXIT, type Shell } from '../shell.ts'
import { type Paint, paintFor } from '../text/paint.ts'
import { sanitizeLine } from '../text/sanitize.ts'
import { type Column, renderTable } from '../text/table.ts'
import { relative, shortInstant, shortSchedule } from '../text/times.ts'

const MAKERS = ['operator', 'agent', 'import'] as const satisfies readonly JobMaker['kind'][]

export const list: Run = async (args, shell) => {
  const madeBy = args.oneOf('made-by', MAKERS)
  const { jobs, zone, total } = await withGateway(args, shell, async ({ call }) => {
    const [listed, scheduler] = await Promise.all([
      call('cron.list', { includeDisabled: args.has('all'), ...(madeBy && { madeBy }) }),
      // Only for the zone; a list without it is still a list.
      call('cron.status', {}).catch(() => undefined),
    ])
    return { ...listed, zone: scheduler?.zone ?? shell.zone }
  })
  if (args.has('json')) {
    writeJson(shell, { jobs, total })
    return EXIT.ok
  }
  const paint = paintFor(shell.color)
  if (jobs.length === 0) shell.stdout.write('No cron jobs.\n')
  else {
    const made: Column<Job> = {
      title: 'Made by',
      cell: ({ madeBy }) => sanitizeLine(madeBy?.sessionKey ?? madeBy?.kind ?? '-'),
      leaves: 0,
    }
    const columns = jobColumns({ zone, nowMs: shell.clock.now(), paint, isWide: !shell.stdout.isTTY })
    // Scripts cut the columns of the plain list.
    shell.stdout.write(
      renderTable(jobs, madeBy ? [...columns, made] : columns, { width: shell.stdout.columns(), paint }),
    )
  }
  if (total > jobs.length) shell.stderr.write(`${jobs.length} of ${total} jobs are shown.\n`)
  return EXIT.ok
}

interface Look {
  readonly zone: string
  readonly nowMs: number
  readonly paint: Paint
  readonly isWide: boolean
}

/** Ids are cut on a terminal only; the first 8 characters name a job as well. */
const ID_WIDTH_MIN = 8

function jobColumns({ zone, nowMs, paint, isWide }: Look): Column<Job>[] {
  return [
    { title: 'ID', cell: job => (isWide ? job.id : job.id.slice(0, ID_WIDTH_MIN)), paint: text => paint.dim(text) },
    { title: 'Name', cell: job => sanitizeLine(job.name), widthMin: 8 },
    { title: 'Schedule', cell: job => sanitizeLine(shortSchedule(job.schedule, zone)), widthMin: 12, leaves: 5 },
    { title: 'Next', cell: job => (job.enabled ? relative(job.state.nextRunAtMs, nowMs) : '-') },
    { title: 'Last', cell: job => relative(job.state.lastRunAtMs, nowMs), leaves: 3 },
    { title: 'Status', cell: statusOf, leaves: 4, paint: (text, job) => statusPaint(statusOf(job), paint)(text) },
    { title: 'Target', cell: job => job.sessionTarget, leaves: 2 },
    { title: 'Agent', cell: job => sanitizeLine(job.agentId ?? 'default'), leaves: 1 },
  ]
}

function statusOf(job: Job): string {
  if (!job.enabled) return 'disabled'
  if (job.state.retryAtMs !== undefined) return 'retrying'
  return job.state.runningAtMs !== undefined ? 'running' : (job.state.lastStatus ?? 'idle')
}

function statusPaint(status: string, paint: Paint): (text: string) => string {
  if (status === 'ok') return paint.green
  if (status === 'error') return paint.red
  return status === 'running' ? paint.cyan : paint.dim
}

export const remove: Run = async (args, shell) => {
  const reference = jobReference(args)
  const { answer, id } = await withGateway(args, shell, async link => {
    const id = await resolveJobId(reference, link)
    return { id, answer: await link.call('cron.remove', { id }) }
  })
  if (args.has('json')) writeJson(shell, answer)
  else if (answer.removed) {
    const waiting = answer.waiting?.map(({ name }) => sanitizeLine(name)).join(', ')
    shell.stdout.write(
      `Removed job ${id}.\n${waiting ? `These jobs fired after it, and are switched off: ${waiting}\n` : ''}`,
    )
  }
  if (!answer.removed && !args.has('json')) throw noJob(reference)
  return answer.removed ? EXIT.ok : EXIT.failed
}

export const run: Run = async (args, shell) => {
  const reference = jobReference(args)
  const waits = args.has('wait')
  const answer = await withGateway(args, shell, async link => {
    const id = await resolveJobId(reference, link)
    const params = {
      id,
      mode: args.has('force') ? ('force' as const) : ('due' as const),
      idempotencyKey: shell.random.uuid(),
    }
    if (!waits) return link.call('cron.run', params)
    // The wait is bounded by --timeout if given; the run never is by us.
    const options = args.has('timeout') ? link.options : {}
    return link.client.call('cron.run', { ...params, wait: true }, options)
  })
  if (args.has('json')) writeJson(shell, answer)
  else shell.stdout.write(`${runWords(answer, reference)}\n`)
  if (answer.status === 'error' || answer.status === 'failed' || answer.status === 'timed-out') return EXIT.failed
  return answer.ran || answer.reason !== undefined ? EXIT.ok : EXIT.failed
}

function runWords({ ran, reason, runId, status, error }: Result<'cron.run'>, job: string): string {
  const reference = shellWord(job)
  if (reason === 'not-due') {
    return `Not run: the job is not due. To run it all the same: sluice cron run ${reference} --force`
  }
  const named = runId ? ` (run ${runId})` : ''
  if (reason === 'already-running') return `Not run again: the job is running already${named}.`
  if (!ran) return 'Not run.'
  if (status === undefined) return `Started${named}. How it went: sluice cron runs ${reference}`
  const why = error ? `: ${sanitizeLine(error)}` : ''
  return `Ran${named}, ${status}${why}.`
}

function shellWord(text: string): string {
  return /^[\w-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

const ROWS_SHOWN_DEFAULT = 50
const HISTORY_SINCE_MS_DEFAULT = DAY
const STATES = [
  'running',
  'ok',
  'failed',
  'timed-out',
  'cancelled',
  'skipped',
  'unknown',
] as const satisfies readonly OccurrenceState[]

/** The ledger of one job. */
export const runs: Run = async (args, shell) => {
  if (args.has('id') && args.positionals.length > 0) throw args.usage('The job is named twice, as a word and as --id.')
  return await showLedger(args, shell, { reference: args.text('id') ?? jobReference(args), none: 'No runs yet.' })
}

/** The ledger of all jobs, or of one, since some time. */
export const history: Run = async (args, shell) =>
  await showLedger(args, shell, {
    reference: args.positionals[0],
    none: 'Nothing is in the ledger for that time.',
    sinceMs: shell.clock.now() - HISTORY_SINCE_MS_DEFAULT,
    isNamed: true,
  })

interface LedgerWish {
  readonly reference: string | undefined
  /** What is said where there is nothing. */
  readonly none: string
  /** Where --since is not given. */
  readonly sinceMs?: number
  readonly isNamed?: true
}

async function showLedger(args: Arguments, shell: Shell, wish: LedgerWish): Promise<number> {
  const limit = args.whole('limit', { min: 1, max: 5_000 }) ?? ROWS_SHOWN_DEFAULT
  const before = args.whole('before', { min: 1, max: Number.MAX_SAFE_INTEGER })
  const state = args.oneOf('state', STATES)
  const { entries, zone, names } = await withGateway(args, shell, async link => {
    const { zone } = await link.call('cron.status', {})
    // A page that goes on is not bounded by the time of the first one.
    const sinceMs = sinceOf(args, { zone, nowMs: shell.clock.now() }) ?? (before ? undefined : wish.sinceMs)
    const filter = { limit, ...withoutUndefined({ before, sinceMs }), ...(state && { states: [state] }) }
    const { entries } = await readLedger(wish.reference, filter, link)
    const { jobs } = wish.isNamed ? await link.call('cron.list', { includeDisabled: true }) : { jobs: [] }
    return { entries, zone, names: new Map(jobs.map(job => [job.id, job.name])) }
  })
  if (args.has('json')) writeJson(shell, { entries })
  else if (entries.length === 0) shell.stdout.write(`${wish.none}\n`)
  else {
    const paint = paintFor(shell.color)
    const named: Column<RunLog> = {
      title: 'Job',
      cell: ({ jobId }) => sanitizeLine(names.get(jobId) ?? jobId.slice(0, ID_WIDTH_MIN)),
      widthMin: 8,
    }
    const columns = [...(wish.isNamed ? [named] : []), ...runColumns(entries, zone, paint)]
    shell.stdout.write(renderTable(entries, columns, { width: shell.stdout.columns(), paint }))
  }
  if (entries.length === limit) shell.stderr.write(`Those before: --before ${entries[0]?.seq}\n`)
  return EXIT.ok
}

async function readLedger(reference: string | undefined, filter: ParamsInput<'cron.history'>, link: Link) {
  if (reference === undefined) return await link.call('cron.history', filter)
  const id = await resolveJobId(reference, link)
  const answer = await link.call('cron.runs', { id, ...filter })
  if (answer.entries.length > 0 || (await link.call('cron.list', { id })).total > 0) return answer
  throw noJob(reference)
}

function noJob(reference: string): SluiceError {
  return new SluiceError('NOT_FOUND', `There is no job "${reference}". All jobs: sluice cron list --all`)
}

function sinceOf(args: Arguments, { zone, nowMs }: { zone: string; nowMs: number }): number | undefined {
  const since = args.text('since')
  if (since === undefined) return undefined
  const spanMs = parseDuration(since)
  const atMs = spanMs === undefined ? parseInstant(since, zone) : nowMs - spanMs
  if (atMs !== undefined) return Math.max(0, atMs)
  throw args.usage(`--since "${since}" is neither a duration such as 2d nor a time such as 2026-12-24.`)
}

/** The next times, with a mark where the clocks of the zone change in between. */
export const next: Run = async (args, shell) => {
  const reference = jobReference(args)
  const count = args.whole('count', { min: 1, max: NEXT_TIMES_MAX }) ?? NEXT_TIMES_SHOWN
  const answer = await withGateway(args, shell, async link =>
    link.call('cron.next', { id: await resolveJobId(reference, link), count }),
  )
  if (args.has('json')) writeJson(shell, answer)
  else if (answer.times.length === 0) {
    const why = 'No time is known: it is switched off, has ended, or fires after another job.'
    shell.stdout.write(`${answer.words}\n${why} More on it: sluice cron show ${shellWord(reference)}\n`)
  } else shell.stdout.write(readingLines(answer))
  return EXIT.ok
}

/** How words for a time are read, and the next times. */
export const when: Run = async (args, shell) => {
  const words = args.positionals[0]?.trim() ?? ''
  if (words === '') throw args.usage("When? Say it in words, such as 'every weekday at 9'.")
  const count = args.whole('count', { min: 1, max: NEXT_TIMES_MAX }) ?? NEXT_TIMES_SHOWN
  const answer = await withGateway(args, shell, ({ call }) =>
    call('cron.preview', { schedule: { kind: 'words', words }, count }),
  )
  if (args.has('json')) writeJson(shell, answer)
  else shell.stdout.write(readingLines(answer))
  return EXIT.ok
}

/** The words of a schedule and its next times; of a single time, which is its own words, the time. */
function readingLines({ words, times, zone }: Pick<Result<'cron.next'>, 'words' | 'times' | 'zone'>): string {
  const lines = nextLines(times, zone)
  return `on ${lines[0]}` === `${words}\n` ? (lines[0] ?? '') : [`${words}\n`, ...lines].join('')
}

const NEXT_TIMES_SHOWN = 5
const NEXT_TIMES_MAX = 100

function nextLines(times: readonly number[], zone: string): string[] {
  return times.map((atMs, index) => {
    const before = times[index - 1]
    const offset = offsetMs(atMs, zone)
    const changed = before !== undefined && offsetMs(before, zone) !== offset
    return `${formatInstant(atMs, zone)}${changed ? `  clocks changed to ${formatOffset(offset)}` : ''}\n`
  })
}

function putOffWords({ staggeredMs }: RunLog): string {
  return staggeredMs === undefined ? '' : `(${formatDuration(staggeredMs)} later: others were due with it) `
}

/** Columns in which no row has anything are left out. */
function runColumns(entries: readonly RunLog[], zone: string, paint: Paint): Column<RunLog>[] {
  const known: Column<RunLog>[] = [
    { title: 'Late', cell: ({ lagMs = 0 }) => (lagMs < SECOND ? '' : formatDuration(lagMs)), leaves: 0.6 },
    { title: 'Tries', cell: ({ attempt = 1 }) => (attempt > 1 ? String(attempt) : ''), leaves: 0.4 },
    { title: 'Tokens', cell: ({ inputTokens, outputTokens = 0 }) => amount(inputTokens, outputTokens), leaves: 0.2 },
    { title: 'Cost', cell: ({ costUsd }) => (costUsd ? `$${costUsd.toFixed(4)}` : ''), leaves: 0.3 },
    { title: 'Told', cell: ({ delivery }) => sanitizeLine(delivery ?? ''), leaves: 0.5 },
  ]
  return [
    { title: 'When', cell: entry => shortInstant(entry.runAtMs ?? entry.ts, zone) },
    { title: 'State', cell: entry => entry.state, paint: (text, entry) => statusPaint(entry.status, paint)(text) },
    {
      title: 'Took',
      cell: entry => (entry.durationMs === undefined ? '-' : formatDuration(entry.durationMs)),
      leaves: 1,
    },
    ...known.filter(({ cell }) => entries.some(entry => cell(entry) !== '')),
    {
      title: 'What came of it',
      cell: entry => sanitizeLine(`${putOffWords(entry)}${entry.error ?? entry.summary ?? ''}`),
      widthMin: 15,
      leaves: 2,
    },
  ]
}

function amount(inputTokens: number | undefined, outputTokens: number): string {
  return inputTokens === undefined ? '' : String(inputTokens + outputTokens)
}

/** A job whole: with all of its policy that holds, how its last run went, and when it comes. */
export const show: Run = async (args, shell) => {
  const reference = jobReference(args)
  const news = await withGateway(args, shell, async link => {
    const [job] = (await link.call('cron.list', { id: await resolveJobId(reference, link) })).jobs
    if (!job) throw noJob(reference)
    return await newsOf(job, link)
  })
  if (args.has('json')) writeJson(shell, { ...news.job, ...withoutUndefined(news.next) })
  else shell.stdout.write(describeJob('Job', news, paintFor(shell.color)))
  return EXIT.ok
}

export const status: Run = async (args, shell) => {
  const answer = await withGateway(args, shell, ({ call }) => call('cron.status', {}))
  if (args.has('json')) writeJson(shell, answer)
  else {
    const next = answer.nextWakeAtMs === null ? 'nothing is due' : formatInstant(answer.nextWakeAtMs, answer.zone)
    const { clockBehindMs: behindMs } = answer
    const clock =
      behindMs === undefined
        ? ''
        : `clock     ${formatDuration(behindMs)} behind what has happened; no job fires until it is right\n`
    shell.stdout.write(
      `scheduler ${answer.enabled ? 'on' : 'off: no job runs'}\njobs      ${answer.jobs}\nnext      ${next}\nzone      ${answer.zone}\n${clock}store     ${sanitizeLine(answer.storePath)}\n`,
    )
  }
  return EXIT.ok
}
