// Jobs of a Clawdbot file as jobs of ours: every spelling that its versions wrote is understood, and what cannot be
// taken over is named with the reason. Pure.
import { createHash } from 'node:crypto'
import { isRecord } from '../config/secrets.ts'
import { JOB_NAME_LENGTH_MAX, type JobInput, jobInputSchema } from '../protocol/job.ts'
import { checkPairing, lenientJobInput, unwrapped } from '../protocol/job-leniency.ts'

type Fields = Readonly<Record<string, unknown>>

export interface PlannedJob {
  /** Theirs; what has none is known by what it says. */
  readonly id: string
  readonly name: string
  /** What is added; undefined: nothing, for this reason. */
  readonly job?: JobInput
  readonly why?: string
}

const KNOWN = new Set(Object.keys(jobInputSchema.shape))
/** Other names that its versions had for the same. */
const PAYLOAD_KINDS: Readonly<Record<string, string>> = {
  systemevent: 'systemEvent',
  system: 'systemEvent',
  event: 'systemEvent',
  agentturn: 'agentTurn',
  agent: 'agentTurn',
}

export type CheckSchedule = (schedule: JobInput['schedule']) => void

/** `document` is the file as parsed: an object with `jobs`, or the list alone. */
export function plannedJobs(document: unknown, nowMs: number, check: CheckSchedule): PlannedJob[] {
  const list = Array.isArray(document) ? document : isRecord(document) ? document.jobs : undefined
  return Array.isArray(list) ? list.map(raw => planned(raw, { nowMs, check })) : []
}

interface Judges {
  readonly nowMs: number
  readonly check: CheckSchedule
}

function planned(raw: unknown, judges: Judges): PlannedJob {
  const fields = isRecord(raw) ? filled({ ...raw, ...unwrapped(raw) }) : {}
  const [id] = [fields.id, fields.jobId].filter(value => typeof value === 'string' && value.trim() !== '')
  const known = {
    id: typeof id === 'string' ? id : createHash('sha256').update(JSON.stringify(raw)).digest('hex'),
    name: nameOf(fields),
  }
  const state = isRecord(fields.state) ? fields.state : {}
  const input = lenientJobInput(spelled(fields, { name: known.name, state }), {})
  const { success, data, error } = jobInputSchema.safeParse(input)
  if (!success) {
    const [issue] = error.issues
    return { ...known, why: `not understood: ${issue?.path.join('.') || 'the job'}: ${issue?.message}` }
  }
  const refused = refusalOf(data, state, judges)
  return refused === undefined ? { ...known, job: data } : { ...known, why: refused }
}

function refusalOf(job: JobInput, state: Fields, { nowMs, check }: Judges): string | undefined {
  const { schedule } = job
  if (schedule.kind === 'at' && (state.lastStatus === 'ok' || schedule.atMs <= nowMs)) return 'its time has passed'
  try {
    checkPairing(job.sessionTarget, job.payload)
    check(schedule)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Without what is theirs alone: ids, times, state, and what no version of ours knows. */
function spelled(fields: Fields, { name, state }: { name: string; state: Fields }): Fields {
  const rest = Object.fromEntries(Object.entries(fields).filter(([key]) => KNOWN.has(key)))
  const { schedule, payload } = fields
  return {
    ...rest,
    name,
    ...(isRecord(schedule) && { schedule: anchored(filled(schedule), state) }),
    ...(typeof schedule === 'string' && { schedule: { kind: 'cron', expr: schedule } }),
    ...(isRecord(payload) && { payload: spelledPayload(filled(payload)) }),
  }
}

/** An interval that counted from its last run goes on from the next one. */
function anchored(schedule: Fields, { nextRunAtMs }: Fields): Fields {
  const isLoose = typeof schedule.everyMs === 'number' && schedule.anchorMs === undefined
  return isLoose && typeof nextRunAtMs === 'number' ? { ...schedule, anchorMs: nextRunAtMs } : schedule
}

function spelledPayload({ kind, ...others }: Fields): Fields {
  const inferred = kind ?? (others.message === undefined ? 'systemEvent' : 'agentTurn')
  return { kind: PAYLOAD_KINDS[String(inferred).toLowerCase().replaceAll(/[_-]/g, '')] ?? inferred, ...others }
}

/** The job's own name, else the beginning of what it says. */
function nameOf({ name, payload }: Fields): string {
  const said = isRecord(payload) ? (payload.text ?? payload.message) : undefined
  const [text] = [name, said].filter(value => typeof value === 'string' && value.trim() !== '')
  const line = typeof text === 'string' ? text.trim().split('\n', 1)[0] : undefined
  return (line ?? 'job').slice(0, JOB_NAME_LENGTH_MAX).toWellFormed()
}

/** What is null was not set. */
function filled(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== undefined))
}
