// The flags of `cron add` and `cron edit` as the parts of a job. Refuses what contradicts itself before anything is sent;
// what only the gateway can judge (an expression, a model) is left to it.
import { splitWords } from '../base/command-words.ts'
import { formatDuration, parseDuration } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import { withoutUndefined } from '../base/without-undefined.ts'
import { formatInstant, isZone } from '../base/zoned-time.ts'
import type { ParamsInput } from '../protocol/catalogue.ts'
import { parseInstant } from '../protocol/job-leniency.ts'
import { AFTER_ENDS, type Budget, CATCH_UPS, OVERLAPS, type PolicyInput } from '../protocol/job-policy.ts'
import type { Arguments } from './arguments.ts'

type Patch = ParamsInput<'cron.update'>['patch']
export type ScheduleWish = NonNullable<Patch['schedule']>
export type PayloadWish = NonNullable<Patch['payload']>

/** What is needed to read a time: now, and the zone of times that name none. */
export interface Now {
  readonly nowMs: number
  readonly zone: string
}

const EVERY_MS_MIN = 1_000
const SCHEDULE_FLAGS = ['when', 'cron', 'every', 'at', 'in', 'after'] as const
const PAYLOAD_FLAGS = ['message', 'system-event', 'text', 'command'] as const
const MODEL_FLAGS = ['model', 'fallbacks', 'thinking', 'tools']
const TURN_FLAGS = [
  ...MODEL_FLAGS,
  'timeout-seconds',
  'deliver',
  'no-deliver',
  'channel',
  'to',
  'best-effort-deliver',
  'no-best-effort-deliver',
]

export function readSchedule(args: Arguments, now: Now): ScheduleWish | undefined {
  const given = onlyOne(args, SCHEDULE_FLAGS)
  const tz = args.text('tz')
  if (tz !== undefined && !isZone(tz)) {
    throw args.usage(`--tz "${tz}" is no zone that is known here; give an IANA name such as Europe/Berlin or UTC.`)
  }
  if (tz !== undefined && given !== 'cron' && given !== 'at') {
    throw args.usage(
      given
        ? `--tz says nothing for --${given}; leave it out.`
        : '--tz goes with --cron or --at; give one of them too.',
    )
  }
  if (args.has('after-on') && given !== 'after') throw args.usage('--after-on goes with --after; give it too.')
  if (given === undefined) return undefined
  const value = args.required(given)
  switch (given) {
    case 'when':
      return { kind: 'words', words: value }
    case 'cron':
      return { kind: 'cron', expr: cronExpression(value, args), ...(tz !== undefined && { tz }) }
    case 'every':
      return { kind: 'every', everyMs: span(given, value, args) }
    case 'after':
      return { kind: 'after', job: value, on: args.oneOf('after-on', AFTER_ENDS) ?? 'ok' }
    case 'in':
      return { kind: 'at', atMs: now.nowMs + span(given, value, args) }
    case 'at':
      return { kind: 'at', atMs: instant(value, { ...now, zone: tz ?? now.zone }, args) }
  }
}

function cronExpression(value: string, args: Arguments): string {
  const expression = value.trim().replace(/\s+/g, ' ')
  const fields = expression.split(' ').length
  const isNickname = /^@\w+$/.test(expression)
  if (fields === 5 || fields === 6 || isNickname) return expression
  throw args.usage(`--cron needs 5 or 6 fields in one pair of quotes, such as '0 9 * * 1-5'; "${value}" has ${fields}.`)
}

function span(flag: string, value: string, args: Arguments): number {
  const durationMs = parseDuration(value.replace(/^\+/, ''))
  if (durationMs === undefined) {
    throw args.usage(`--${flag} needs a duration with its unit, such as 90m, 1h30m or 2d, not "${value}".`)
  }
  if (flag === 'every' && durationMs < EVERY_MS_MIN) throw args.usage(`--every must be at least 1s, not ${value}.`)
  return durationMs
}

const CLOCK = /^(\d{1,2}):(\d\d)$/

function instant(value: string, now: Now, args: Arguments): number {
  const relativeMs = parseDuration(value.replace(/^\+/, ''))
  if (relativeMs !== undefined) return now.nowMs + relativeMs
  const atMs = CLOCK.test(value.trim()) ? nextClock(value.trim(), now) : parseInstant(value, now.zone)
  if (atMs === undefined) {
    throw args.usage(`--at "${value}" is no time; write 2026-12-24T18:00 (local), 2026-12-24T18:00Z, 18:00 or +20m.`)
  }
  if (atMs > now.nowMs) return atMs
  const ago = formatDuration(now.nowMs - atMs)
  throw args.usage(`--at ${formatInstant(atMs, now.zone)} is in the past (${ago} ago); give a later time, or +20m.`)
}

/** `18:00` is the next time the clock shows it: today or tomorrow. */
function nextClock(text: string, { nowMs, zone }: Now): number | undefined {
  const [hour = '', minute = ''] = text.split(':')
  for (const dayMs of [0, 86_400_000]) {
    const [, date] = formatInstant(nowMs + dayMs, zone).split(' ')
    const atMs = parseInstant(`${date}T${hour.padStart(2, '0')}:${minute}`, zone)
    if (atMs === undefined || atMs > nowMs) return atMs
  }
  return undefined
}

/** For an edit `kind` may come from the job; flags of a turn mean a turn. */
export function readPayload(args: Arguments): PayloadWish | undefined {
  const given = onlyOne(args, PAYLOAD_FLAGS)
  const turnFlag = TURN_FLAGS.find(flag => args.has(flag))
  if (given === 'system-event' || given === 'text') {
    if (turnFlag)
      throw args.usage(`--${turnFlag} belongs to a turn of the agent; it goes with --message, not with --${given}.`)
    return { kind: given === 'text' ? 'message' : 'systemEvent', text: args.required(given) }
  }
  const commandFlag = ['workdir', 'env'].find(flag => args.has(flag))
  if (given === 'command') return readCommand(args)
  if (commandFlag) throw args.usage(`--${commandFlag} goes with --command; give it too.`)
  if (given === undefined && turnFlag === undefined) return undefined
  const timeoutSeconds = seconds(args, 'timeout-seconds')
  return {
    kind: 'agentTurn',
    ...(given === 'message' && { message: args.required('message') }),
    ...texts(args, ['model', 'thinking']),
    ...lists(args, ['fallbacks', 'tools']),
    ...(timeoutSeconds !== undefined && { timeoutSeconds }),
    ...readDelivery(args),
  }
}

function readDelivery(args: Arguments) {
  return {
    ...texts(args, ['channel', 'to']),
    ...switched(args, { on: 'deliver', off: 'no-deliver', as: 'deliver' }),
    ...switched(args, { on: 'best-effort-deliver', off: 'no-best-effort-deliver', as: 'bestEffortDeliver' }),
  }
}

function readCommand(args: Arguments): PayloadWish {
  const modelFlag = MODEL_FLAGS.find(flag => args.has(flag))
  if (modelFlag) throw args.usage(`--${modelFlag} is for a model; a command asks none. Leave it out.`)
  const timeoutSeconds = seconds(args, 'timeout-seconds')
  const cwd = args.text('workdir')
  return {
    kind: 'command',
    argv: words(args, 'command'),
    ...(cwd !== undefined && { cwd }),
    ...(timeoutSeconds !== undefined && { timeoutSeconds }),
    ...lists(args, ['env']),
    ...readDelivery(args),
  }
}

/** The command that decides; null takes it back. */
export function readWhen(args: Arguments): Patch['when'] {
  const timeoutSeconds = seconds(args, 'when-timeout-seconds')
  if (args.has('clear-when')) return null
  if (args.has('when-command'))
    return { argv: words(args, 'when-command'), ...(timeoutSeconds !== undefined && { timeoutSeconds }) }
  if (timeoutSeconds !== undefined) throw args.usage('--when-timeout-seconds goes with --when-command; give it too.')
  return undefined
}

function seconds(args: Arguments, flag: string): number | undefined {
  return args.whole(flag, { min: 1, max: 86_400 })
}

function words(args: Arguments, flag: string): string[] {
  try {
    return splitWords(args.required(flag))
  } catch (error) {
    throw error instanceof SluiceError ? args.usage(`--${flag}: ${error.message}`) : error
  }
}

/** All that is neither schedule nor payload. */
export function readRest(args: Arguments): Omit<Patch, 'policy' | 'when'> {
  const [name, description, agentId] = [args.text('name'), args.text('description'), args.text('agent')]
  const wakeMode = args.oneOf('wake', ['now', 'next-heartbeat'])
  const sessionTarget = args.oneOf('session', ['main', 'isolated'])
  const isolation = readIsolation(args)
  return {
    ...(name !== undefined && { name: args.required('name') }),
    ...(description !== undefined && { description }),
    ...(agentId !== undefined && { agentId }),
    ...(wakeMode && { wakeMode }),
    ...(sessionTarget && { sessionTarget }),
    ...(isolation && { isolation }),
    ...switched(args, { on: 'delete-after-run', off: 'keep-after-run', as: 'deleteAfterRun' }),
  }
}

/** The flags of its policy; undefined when none is given. */
export function readPolicy(args: Arguments, now: Now): PolicyInput | undefined {
  const [catchUp, overlap] = [args.oneOf('catch-up', CATCH_UPS), args.oneOf('overlap', OVERLAPS)]
  const duration = (flag: string) => (args.has(flag) ? span(flag, args.required(flag), args) : undefined)
  const limit = { min: 0, max: 1_000_000 }
  const tz = args.has('at') || args.has('cron') ? args.text('tz') : undefined
  const bound = (flag: string) => {
    const value = args.has(flag) ? args.required(flag) : undefined
    if (value === undefined) return undefined
    const atMs = parseInstant(value, tz ?? now.zone)
    if (atMs === undefined) throw args.usage(`--${flag} "${value}" is no time; write 2026-12-24 or 2026-12-24T18:00.`)
    return atMs
  }
  const given = {
    catchUp,
    catchUpWindowMs: duration('catch-up-window'),
    overlap,
    startAtMs: bound('start'),
    endAtMs: bound('end'),
    maxRuns: args.whole('max-runs', { ...limit, min: 1 }),
    ...switched(args, { on: 'failure-alert', off: 'no-failure-alert', as: 'failureAlert' }),
    pauseAfterFailures: args.whole('pause-after', limit),
    jitterMs: duration('jitter'),
    staggerMs: duration('stagger'),
    retry: readRetry(args),
    budget: readBudget(args),
  }
  const policy: PolicyInput = withoutUndefined(given)
  return Object.keys(policy).length > 0 ? policy : undefined
}

function readRetry(args: Arguments): PolicyInput['retry'] {
  const max = args.whole('retries', { min: 0, max: 10 })
  const pauses = lists(args, ['retry-after'])['retry-after']?.map(value => span('retry-after', value, args))
  return max === undefined && !pauses
    ? undefined
    : { ...(max !== undefined && { max }), ...(pauses && { backoffMs: pauses }) }
}

const BUDGET_FLAGS = {
  'run-tokens': 'runTokens',
  'run-usd': 'runUsd',
  'day-tokens': 'dayTokens',
  'day-usd': 'dayUsd',
} as const satisfies Record<string, keyof Budget>

function readBudget(args: Arguments): Budget | undefined {
  const given = Object.entries(BUDGET_FLAGS).flatMap(([flag, member]) => {
    if (!args.has(flag)) return []
    const amount = Number(args.required(flag))
    if (amount >= 0) return [[member, amount]]
    throw args.usage(`--${flag} needs a number, such as 50000 tokens or 0.5 US dollars.`)
  })
  return given.length > 0 ? Object.fromEntries(given) : undefined
}

function readIsolation(args: Arguments): Patch['isolation'] {
  const prefix = args.text('post-prefix')
  const mode = args.oneOf('post-mode', ['summary', 'full'])
  const maxChars = args.whole('post-max-chars', { min: 0, max: 100_000 })
  if (prefix === undefined && mode === undefined && maxChars === undefined) return undefined
  return {
    ...(prefix !== undefined && { postToMainPrefix: prefix }),
    ...(mode && { postToMainMode: mode }),
    ...(maxChars !== undefined && { postToMainMaxChars: maxChars }),
  }
}

export function switched<K extends string>(
  args: Arguments,
  { on, off, as }: { on: string; off: string; as: K },
): { [P in K]?: boolean } {
  if (args.has(on) && args.has(off)) throw args.usage(`--${on} and --${off} contradict each other; give one.`)
  const value = args.has(on) ? true : args.has(off) ? false : undefined
  return (value === undefined ? {} : { [as]: value }) as { [P in K]?: boolean }
}

function texts<K extends string>(args: Arguments, names: readonly K[]): { [P in K]?: string } {
  const given = names.filter(name => args.has(name)).map(name => [name, args.required(name)])
  return Object.fromEntries(given) as { [P in K]?: string }
}

/** Of lists with commas between their parts. */
function lists<K extends string>(args: Arguments, names: readonly K[]): { [P in K]?: string[] } {
  const given = names.filter(name => args.has(name))
  const parts = (name: K) =>
    args
      .required(name)
      .split(',')
      .map(part => part.trim())
  return Object.fromEntries(given.map(name => [name, parts(name).filter(part => part !== '')])) as {
    [P in K]?: string[]
  }
}

function onlyOne<T extends string>(args: Arguments, flags: readonly T[]): T | undefined {
  const given = flags.filter(flag => args.has(flag))
  if (given.length > 1)
    throw args.usage(`Give one of ${given.map(flag => `--${flag}`).join(' and ')}, not ${given.length}.`)
  return given[0]
}
