// The scheduler's jobs, made and changed: add, edit, enable, disable. Each says what came of it and when it runs next.
import type { ParamsInput } from '../../protocol/catalogue.ts'
import type { Job } from '../../protocol/job.ts'
import type { Arguments } from '../arguments.ts'
import type { Run } from '../command.ts'
import { type Link, withGateway, writeJson } from '../gateway-link.ts'
import {
  type PayloadWish,
  readPayload,
  readPolicy,
  readRest,
  readSchedule,
  readWhen,
  type ScheduleWish,
  switched,
} from '../job-flags.ts'
import { describeJob, type JobNews, jobReference, newsOf, resolveJobId } from '../jobs.ts'
import { EXIT, type Shell } from '../shell.ts'
import { paintFor } from '../text/paint.ts'

type Patch = ParamsInput<'cron.update'>['patch']
type NewJob = ParamsInput<'cron.add'>

/** Finds what is written wrongly; whether a time has passed depends on the gateway's zone. */
const BEFORE_ASKING = { nowMs: 0, zone: 'UTC' }

export const add: Run = async (args, shell) => {
  // Everything that can be refused without a gateway is refused before one is asked.
  const name = args.required('name')
  const payload = newPayload(args)
  const rest = readRest(args)
  const when = readWhen(args)
  readPolicy(args, BEFORE_ASKING)
  if (!readSchedule(args, BEFORE_ASKING)) {
    throw args.usage('When? Give --when, --cron, --every, --at, --in or --after.')
  }
  const { made, news } = await withGateway(args, shell, async link => {
    const now = await nowAt(link, args, shell)
    const schedule = await namedSchedule(readSchedule(args, now), link)
    const policy = readPolicy(args, now)
    const job = {
      ...rest,
      ...(when && { when }),
      ...(policy && { policy }),
      name,
      enabled: !args.has('disabled'),
      deleteAfterRun: rest.deleteAfterRun ?? false,
      schedule: schedule as NewJob['schedule'],
      sessionTarget: rest.sessionTarget ?? (isApart(payload) ? 'isolated' : 'main'),
      wakeMode: rest.wakeMode ?? 'next-heartbeat',
      payload: payload as NewJob['payload'],
      idempotencyKey: args.text('key') ?? shell.random.uuid(),
      ...(args.has('dedupe') && { dedupe: true }),
    }
    const made = await link.call('cron.add', job)
    return { made, news: await newsOf(made, link) }
  })
  tell(args, shell, { news, headline: made.deduplicated ? 'Nothing new was made; an equal job exists:' : 'Added job' })
  return EXIT.ok
}

/** The job after which it fires may be named as jobs are. */
async function namedSchedule(schedule: ScheduleWish | undefined, link: Link): Promise<ScheduleWish | undefined> {
  return schedule?.kind === 'after' ? { ...schedule, job: await resolveJobId(schedule.job, link) } : schedule
}

function isApart({ kind }: PayloadWish): boolean {
  return kind === 'agentTurn' || kind === 'command'
}

/** `--session main` with a message keeps its meaning: the gateway refuses the pair in the family's words. */
function newPayload(args: Arguments): PayloadWish {
  const payload = readPayload(args)
  const isWhole = payload && (payload.kind !== 'agentTurn' || payload.message !== undefined)
  if (!payload || !isWhole) throw args.usage('What shall it do? Give --message, --system-event, --text or --command.')
  if (payload.kind !== 'agentTurn') return payload
  return args.has('deliver') && !args.has('channel') ? { ...payload, channel: 'last' } : payload
}

export const edit: Run = async (args, shell) => {
  jobReference(args)
  const schedule = readSchedule(args, BEFORE_ASKING)
  const when = readWhen(args)
  const patch: Patch = {
    ...readRest(args),
    ...(when !== undefined && { when }),
    ...switched(args, { on: 'enable', off: 'disable', as: 'enabled' }),
    ...(args.has('clear-agent') && { agentId: null }),
    ...optionalPayload(readPayload(args)),
  }
  if (args.has('agent') && args.has('clear-agent'))
    throw args.usage('--agent and --clear-agent contradict each other; give one.')
  if (Object.keys(patch).length === 0 && !schedule && !readPolicy(args, BEFORE_ASKING))
    throw args.usage('What shall change? Name at least one thing.')
  return change(args, shell, { patch, headline: 'Changed job' })
}

function optionalPayload(payload: PayloadWish | undefined): Pick<Patch, 'payload'> {
  return payload ? { payload } : {}
}

export const enable: Run = (args, shell) => change(args, shell, { patch: { enabled: true }, headline: 'Enabled job' })
export const disable: Run = (args, shell) =>
  change(args, shell, { patch: { enabled: false }, headline: 'Disabled job' })

async function change(
  args: Arguments,
  shell: Shell,
  { patch, headline }: { patch: Patch; headline: string },
): Promise<number> {
  const reference = jobReference(args)
  const news = await withGateway(args, shell, async link => {
    const id = await resolveJobId(reference, link)
    const now = await nowAt(link, args, shell)
    const schedule = await namedSchedule(readSchedule(args, now), link)
    const policy = readPolicy(args, now)
    const whole = { ...(await ofItsKind(patch, id, link)), ...(schedule && { schedule }), ...(policy && { policy }) }
    const job = await link.call('cron.update', { id, patch: whole, idempotencyKey: shell.random.uuid() })
    return newsOf(job, link)
  })
  tell(args, shell, { news, headline })
  return EXIT.ok
}

/** Time-out and delivery are a turn's where nothing else is named; of a job that runs a command they are that one's. */
async function ofItsKind(patch: Patch, id: string, { call }: Link): Promise<Patch> {
  const { payload } = patch
  if (payload?.kind !== 'agentTurn' || payload.message !== undefined) return patch
  const [job] = (await call('cron.list', { id })).jobs
  return job?.payload.kind === 'command' ? { ...patch, payload: { ...payload, kind: 'command' } } : patch
}

/** A local time without --tz is one of the gateway's zone, which is the user's; only then it is asked for. */
async function nowAt({ call }: Link, args: Arguments, shell: Shell): Promise<{ nowMs: number; zone: string }> {
  const isLocal = ['at', 'start', 'end'].some(flag => args.has(flag)) && !args.has('tz')
  const zone = isLocal ? (await call('cron.status', {})).zone : shell.zone
  return { nowMs: shell.clock.now(), zone }
}

function tell(args: Arguments, shell: Shell, { news, headline }: { news: JobNews; headline: string }): void {
  const job: Job = news.job
  if (args.has('json')) writeJson(shell, job)
  else shell.stdout.write(describeJob(headline, news, paintFor(shell.color)))
  if (!news.schedulerOn) shell.stderr.write('The scheduler is switched off; no job runs until it is on.\n')
}
