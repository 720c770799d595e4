// The known lenient spellings of a job, turned into the one spelling of job.ts before it is validated, and the rules of
// a patch after it. It never repairs what it does not know: anything else is left as it came, for the closed schema to
// refuse. Pure; knows no store and no clock.
import { DAY, MINUTE } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import { withoutUndefined } from '../base/without-undefined.ts'
import { instantOf, isZone, type WallTime, wallAsUtc } from '../base/zoned-time.ts'
import { refusedAt } from './error-codes.ts'
import type { Job, JobPatch, Payload } from './job.ts'
import { patchedPolicy } from './job-policy.ts'
import type { LeniencyContext } from './method.ts'

type Fields = Readonly<Record<string, unknown>>

/** Params of cron.add. Members of the call itself, which are ours, are kept when the job is wrapped. */
const CALL_MEMBERS = ['dedupe', 'allowDuplicate', 'idempotencyKey']

/**
 * Params of cron.add: unwraps `data` or `job`, fixes known spellings, adds the defaults of a new job (enabled, next
 * heartbeat, and the session target that its payload needs).
 */
export function lenientJobInput(params: unknown, context: LeniencyContext): unknown {
  if (!isFields(params)) return params
  const inner = unwrapped(params)
  const call = Object.fromEntries(Object.entries(params).filter(([key]) => CALL_MEMBERS.includes(key)))
  const fields = inner === params ? params : { ...call, ...inner }
  return withDefaults(withoutBlankDescription(lenientFields(fields, context)))
}

/** Params of cron.update: the same spellings in its `patch`, which gets no defaults. */
export function lenientJobPatch(params: unknown, context: LeniencyContext): unknown {
  if (!isFields(params) || !isFields(params.patch)) return params
  return { ...params, patch: lenientFields(unwrapped(params.patch), context) }
}

/** Params of cron.preview: the same spellings of its schedule. */
export function lenientPreview(params: unknown, context: LeniencyContext): unknown {
  return isFields(params) ? lenientFields(params, context) : params
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Once only: a wrapper in a wrapper is refused. */
export function unwrapped(fields: Fields): Fields {
  if (isFields(fields.data)) return fields.data
  if (isFields(fields.job)) return fields.job
  return fields
}

function lenientFields(fields: Fields, context: LeniencyContext): Fields {
  const { agentId, enabled, payload, when, ...others } = fields
  // `when` is a schedule in words; beside another schedule it is left for the schema to refuse.
  const isSpoken = typeof when === 'string' && fields.schedule === undefined
  const schedule = isSpoken ? { kind: 'words', words: when } : fields.schedule
  return {
    ...others,
    ...(when !== undefined && !isSpoken && { when }),
    ...(agentId !== undefined && lenientAgentId(agentId)),
    ...(enabled !== undefined && { enabled: lenientEnabled(enabled) }),
    ...(schedule !== undefined && { schedule: isFields(schedule) ? lenientSchedule(schedule, context) : schedule }),
    ...(payload !== undefined && { payload: isFields(payload) ? lenientPayload(payload) : payload }),
  }
}

/** A blank id is dropped; one of which nothing would be left is kept as it is and found to be unknown. */
function lenientAgentId(agentId: unknown): Fields {
  if (typeof agentId !== 'string') return { agentId }
  if (agentId.trim() === '') return {}
  const clean = agentId
    .trim()
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return { agentId: clean === '' ? agentId : clean }
}

function lenientEnabled(enabled: unknown): unknown {
  const word = typeof enabled === 'string' ? enabled.trim().toLowerCase() : undefined
  return word === 'true' || word === 'false' ? word === 'true' : enabled
}

function lenientSchedule(schedule: Fields, context: LeniencyContext): Fields {
  const kind = schedule.kind ?? inferredKind(schedule)
  if (kind !== 'at') return kind === undefined ? schedule : { ...schedule, kind }
  const { at, atMs, ...others } = schedule
  const fromAtMs = typeof atMs === 'string' ? (parseInstant(atMs, context.zone) ?? atMs) : atMs
  const fromAt = typeof at === 'string' ? parseInstant(at, context.zone) : undefined
  // Two members that disagree are both kept, and refused by the schema: a guess could fire at the wrong time.
  const usesAt = fromAt !== undefined && (fromAtMs === undefined || fromAtMs === fromAt)
  const instant = usesAt ? fromAt : fromAtMs
  const keepsAt = at !== undefined && !usesAt
  return { ...others, kind, ...(keepsAt && { at }), ...(instant !== undefined && { atMs: instant }) }
}

function inferredKind({ at, atMs, everyMs, expr, words }: Fields): string | undefined {
  if (typeof atMs === 'number' || typeof atMs === 'string' || typeof at === 'string') return 'at'
  if (typeof everyMs === 'number') return 'every'
  if (typeof expr === 'string') return 'cron'
  return typeof words === 'string' ? 'words' : undefined
}

/** `provider` is the former name of `channel`, which wins over it. */
function lenientPayload(payload: Fields): Fields {
  const { provider, ...others } = payload
  const names = [payload.channel, provider].filter(name => name !== undefined)
  if (!names.every(name => typeof name === 'string')) return payload
  const channel = names.find(name => name.trim() !== '')
  return channel !== undefined ? { ...others, channel: channel.trim().toLowerCase() } : others
}

function withoutBlankDescription(fields: Fields): Fields {
  const { description, ...others } = fields
  return typeof description === 'string' && description.trim() === '' ? others : fields
}

const SESSION_TARGETS: Readonly<Record<Payload['kind'], string>> = {
  systemEvent: 'main',
  agentTurn: 'isolated',
  message: 'main',
  command: 'isolated',
}

function withDefaults(fields: Fields): Fields {
  const kind = isFields(fields.payload) ? fields.payload.kind : undefined
  const sessionTarget = Object.entries(SESSION_TARGETS).find(([known]) => known === kind)?.[1]
  return {
    enabled: true,
    wakeMode: 'next-heartbeat',
    ...(sessionTarget && { sessionTarget }),
    ...withoutUndefined(fields),
  }
}

const DATE_TIME = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]\d\d:\d\d)?$/

/**
 * The instant a text names: digits are epoch milliseconds, otherwise `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM[:SS[.fraction]]`
 * (or a space for the T) with `Z`, `+HH:MM` or neither. Without one it is local time in `zone` (as next-occurrence.ts
 * decides daylight saving), or UTC when there is no zone; an unknown zone is INVALID_REQUEST. Undefined for anything else, and for days that do not exist.
 */
export function parseInstant(text: string, zone?: string): number | undefined {
  const trimmed = text.trim()
  if (/^\d{1,16}$/.test(trimmed)) return Number(trimmed)
  const [, year, month, day, hour, minute, second, fraction, offset] = DATE_TIME.exec(trimmed) ?? []
  if (year === undefined) return undefined
  const wall = {
    year: Number(year),
    month: Number(month),
    day: Number(day),
    hour: Number(hour ?? 0),
    minute: Number(minute ?? 0),
    second: Number(second ?? 0),
  }
  const shift = parseOffset(offset)
  if (!isReading(wall) || shift === undefined) return undefined
  const fractionMs = Number((fraction ?? '').padEnd(3, '0').slice(0, 3))
  if (offset !== undefined || zone === undefined) return wallAsUtc(wall) - shift + fractionMs
  if (!isZone(zone)) throw new SluiceError('INVALID_REQUEST', `RangeError: Invalid time zone specified: ${zone}`)
  const match = instantOf(wall, zone)
  return match.kind === 'gap' ? match.instantMs : match.instantMs + fractionMs
}

/** A day with a time that a calendar and a clock can show. */
function isReading(wall: WallTime): boolean {
  const { year, month, day, hour, minute, second } = wall
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return false
  const midnight = { year, hour: 0, minute: 0, second: 0 }
  const firstOfNext = month === 12 ? { ...midnight, year: year + 1, month: 1 } : { ...midnight, month: month + 1 }
  const monthMs = wallAsUtc({ ...firstOfNext, day: 1 }) - wallAsUtc({ ...midnight, month, day: 1 })
  return day >= 1 && day <= monthMs / DAY
}

/** `Z` and no offset at all are zero; undefined for an offset that no clock shows. */
function parseOffset(offset: string | undefined): number | undefined {
  if (offset === undefined || offset === 'Z') return 0
  const [hours, minutes] = [Number(offset.slice(1, 3)), Number(offset.slice(4))]
  if (hours > 23 || minutes > 59) return undefined
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * MINUTE
}

/**
 * The job with a patch applied; the job given is left as it is, so that a refused patch changes nothing. Schedule and
 * isolation are replaced whole, a payload of the same kind is merged member by member (none can be cleared), one of
 * another kind must bring its text. A policy is merged member by member; null takes one back. A null or blank agentId and a blank description clear theirs. State and times are
 * left to the caller, who also owes the result a checkPairing.
 */
export function applyJobPatch(job: Job, patch: JobPatch): Job {
  const { payload, agentId, description, policy, when, ...others } = patch
  const patched: Job = { ...job, ...withoutUndefined(others), payload: patchedPayload(job.payload, payload) }
  if (policy !== undefined) patched.policy = patchedPolicy(job.policy ?? {}, policy)
  if (when === null) delete patched.when
  else if (when !== undefined) patched.when = when
  if (agentId !== undefined) {
    if (agentId === null || agentId.trim() === '') delete patched.agentId
    else patched.agentId = agentId
  }
  if (description !== undefined) {
    if (description.trim() === '') delete patched.description
    else patched.description = description
  }
  return patched
}

function patchedPayload(payload: Payload, patch: JobPatch['payload']): Payload {
  if (!patch) return payload
  const given = withoutUndefined(patch)
  if (patch.kind === payload.kind) return { ...payload, ...given } as Payload
  const text = { agentTurn: 'message', command: 'argv', systemEvent: 'text', message: 'text' }[patch.kind]
  if (!(text in given)) {
    const why = `cron.update payload.kind="${patch.kind}" requires ${text}`
    throw refusedAt('/payload', why, { kind: patch.kind, [text]: text === 'argv' ? ['df', '-h'] : 'Look at the post' })
  }
  return given as Payload
}

/** A main job speaks to its session, an isolated one runs a turn of its own; plain text and commands go with either. */
export function checkPairing(sessionTarget: Job['sessionTarget'], payload: Payload): void {
  if (payload.kind === 'message' || payload.kind === 'command') return
  const needed = sessionTarget === 'main' ? 'systemEvent' : 'agentTurn'
  if (payload.kind === needed) return
  const why = `${sessionTarget} cron jobs require payload.kind="${needed}"`
  throw refusedAt('/sessionTarget', why, SESSION_TARGETS[payload.kind])
}
