// The flow of a new reminder: resolve against the clock, add the job, confirm what the scheduler answered. The
// confirmation is built from that answer and not from a second look at the clock, so it cannot drift from the job.
import { formatInstant, instantOf, wallTime } from '../../base/zoned-time.ts'
import type { JobInput, Schedule } from '../../protocol/job.ts'
import { compareDates, dateIn } from '../../words/calendar.ts'
import { recurrenceInWords } from '../../words/describe.ts'
import { resolveWhen, zoneOf } from '../../words/resolve.ts'
import { hourOfDay } from '../../words/time-of-day.ts'
import { isTimeOnly, type WhenSpec } from '../../words/when.ts'
import { type Step, stepsOf } from './conversation.ts'
import { nextRunOf } from './describe.ts'
import type { Intent } from './intent.ts'
import { asFields, type JobView, readJob } from './jobs.ts'
import { askBack } from './replies.ts'
import { call, type Decision, failureOf, type Scene, say } from './scene.ts'

type RemindIntent = Extract<Intent, { kind: 'remind' }>

export const NAME_LENGTH_MAX = 60

export function remind(scene: Scene, intent: RemindIntent): Decision {
  const made = stepsOf(scene.steps, 'add')
  if (made.length > 0) return say(made.map(step => confirm(scene, intent, step)).join('\n'))
  const resolved = resolveWhen(intent.when, scene)
  if (!resolved.ok) return say(askBack({ why: resolved.problem }))
  return call(scene, 'cron', { action: 'add', job: jobFor(intent.text, resolved.schedule) })
}

function jobFor(text: string, schedule: Schedule): JobInput {
  return {
    name: shortName(text),
    enabled: true,
    ...(schedule.kind === 'at' && { deleteAfterRun: true }),
    schedule,
    sessionTarget: 'main',
    wakeMode: 'now',
    payload: { kind: 'message', text },
  }
}

/** The text, cut at a word where it is long. */
function shortName(text: string): string {
  const letters = [...text.replaceAll(/\s+/g, ' ')]
  if (letters.length <= NAME_LENGTH_MAX) return letters.join('')
  const cut = letters.slice(0, NAME_LENGTH_MAX - 1).join('')
  return `${cut.replace(/\s+\S*$/, '') || cut}…`
}

function confirm(scene: Scene, { when }: RemindIntent, step: Step): string {
  const failure = failureOf(step)
  if (failure) return `${failure}\nThe reminder was not confirmed; \`what is scheduled?\` shows what exists.`
  const job = readJob(step.result?.data)
  if (!job?.schedule) return 'The gateway took it but did not show the job; `what is scheduled?` shows what exists.'
  const again = asFields(step.result?.data).deduplicated === true
  const lead = again ? 'That is set already, so nothing new was made: I will say' : 'Done: I will say'
  return [`${lead} “${job.text || job.name}” ${whenInWords(scene, job, when)}`, ...notes(scene, job, when)].join(' ')
}

/** When a job runs, with its own zone, and the person's beside it where that is another. */
export function whenInWords(scene: Scene, job: JobView, when: WhenSpec): string {
  const zone = job.schedule?.kind === 'cron' ? (job.schedule.tz ?? scene.zone) : zoneOf(when, scene)
  const recurrence = job.schedule && recurrenceInWords(job.schedule, scene.zone)
  const next = nextRunOf(job)
  if (next === undefined) return `${recurrence ?? ''}, but it has no next run.`.replace(/^, but/, 'never:')
  const own = zone === scene.zone ? '' : `, which is ${formatInstant(next, scene.zone)}`
  const shown = `${formatInstant(next, zone)}${own}.`
  return recurrence ? `${recurrence}. Next: ${shown}` : `on ${shown}`
}

/** What the person could be surprised by. */
function notes(scene: Scene, job: JobView, when: WhenSpec): readonly string[] {
  const { schedule } = job
  if (schedule?.kind === 'cron') return cronNotes(schedule.expr)
  if (schedule?.kind !== 'at' || !when.times) return []
  const zone = zoneOf(when, scene)
  const wall = wallTime(schedule.atMs, zone)
  const hour = when.times[0] && hourOfDay(when.times[0], when.part)
  const found: string[] = []
  if (isTimeOnly(when) && compareDates(wall, dateIn(scene.now, zone)) > 0) {
    found.push('That time has passed today, so this is tomorrow.')
  }
  if (hour && (hour.hour !== wall.hour || hour.minute !== wall.minute)) {
    found.push('The clocks are put forward then; this is the first moment after the gap.')
  } else if (instantOf(wall, zone).kind === 'twice') {
    found.push('The clocks are put back then; of the two moments of that name this is the first.')
  }
  return found
}

function cronNotes(expr: string): readonly string[] {
  const [, , day = '', month = ''] = expr.split(' ')
  const latest = Math.max(...day.split(',').map(Number))
  if (day === '29' && month === '2') return ['Only leap years have that day.']
  return latest > 28 && month === '*' ? [`Months without a day ${latest} are left out for that day.`] : []
}
