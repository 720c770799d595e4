// The flows about jobs that exist: list, cancel, cancel all (after a second word), pause, resume, run now, and what
// ran. Each finds its place from the calls made so far; none repeats a call that changed something.
import { formatInstant } from '../../base/zoned-time.ts'
import { addDays, compareDates, dateIn } from '../../words/calendar.ts'
import { lastStep, type Step, stepsOf } from './conversation.ts'
import { jobInWords } from './describe.ts'
import { findJob, freshJobs, LIST_CALL, shownLines } from './flow-targets.ts'
import type { Intent, TargetedKind } from './intent.ts'
import { asFields, asList, asNumber, asText, type JobView, readJob, readJobs } from './jobs.ts'
import { askBack } from './replies.ts'
import { call, type Decision, failureOf, knownJob, missingTool, type PlannedCall, type Scene, say } from './scene.ts'

export function list(scene: Scene, { nextOnly }: Extract<Intent, { kind: 'list' }>): Decision {
  const found = freshJobs(scene)
  if ('decision' in found) return found.decision
  const { jobs } = found
  if (jobs.length === 0) return say('Nothing is scheduled.')
  const [first] = jobs
  if (nextOnly && first) return say(`Next is ${jobInWords(first, scene.zone)}.`)
  const total = asNumber(asFields(lastStep(scene.steps, 'cron', 'list')?.result?.data).total) ?? jobs.length
  return say(`${total === 1 ? 'One job is' : `${total} jobs are`} scheduled:\n${shownLines(jobs, scene.zone)}`)
}

/** The call that a targeted command makes once its job is certain. */
function callFor(kind: TargetedKind, jobId: string): PlannedCall['args'] {
  switch (kind) {
    case 'cancel':
      return { action: 'remove', jobId }
    case 'pause':
      return { action: 'update', jobId, patch: { enabled: false } }
    case 'resume':
      return { action: 'update', jobId, patch: { enabled: true } }
    case 'run':
      return { action: 'run', jobId }
    case 'job-history':
      return { action: 'runs', jobId, limit: RUNS_SHOWN_MAX }
  }
}

export function targeted(scene: Scene, { kind, target }: Extract<Intent, { kind: TargetedKind }>): Decision {
  const action = asText(callFor(kind, '').action)
  const done = lastStep(scene.steps, 'cron', action)
  if (done) return say(report(scene, kind, done))
  const found = findJob(scene, target)
  return 'decision' in found ? found.decision : call(scene, 'cron', callFor(kind, found.job.id))
}

function report(scene: Scene, kind: TargetedKind, step: Step): string {
  const failure = failureOf(step)
  if (failure) return failure
  const data = asFields(step.result?.data)
  const job = knownJob(scene, asText(step.args.jobId))
  const name = `“${job?.name ?? asText(step.args.jobId)}”`
  switch (kind) {
    case 'cancel':
      return data.removed === false
        ? `${name} did not exist any more; nothing was changed.`
        : `Cancelled: ${job ? jobInWords(job, scene.zone) : name}.`
    case 'pause':
    case 'resume':
      return reportSwitch(scene, readJob(step.result?.data), { name, paused: kind === 'pause' })
    case 'run':
      return reportRun(name, data)
    case 'job-history':
      return reportHistory(scene, name, step)
  }
}

function reportSwitch(
  scene: Scene,
  job: JobView | undefined,
  { name, paused }: { name: string; paused: boolean },
): string {
  if (!job) return `${name} is ${paused ? 'paused' : 'on again'}.`
  return `${paused ? 'Paused' : 'On again'}: ${jobInWords(job, scene.zone)}.`
}

function reportRun(name: string, data: Readonly<Record<string, unknown>>): string {
  if (data.ran !== false) return `${name} runs now${asText(data.runId) && ` (run ${asText(data.runId)})`}.`
  return `${name} was not run: ${asText(data.reason) || 'the gateway gave no reason'}.`
}

const RUNS_SHOWN_MAX = 10

interface RunView {
  readonly ts: number
  readonly line: string
}

function readRuns(scene: Scene, step: Step): readonly RunView[] {
  return asList(asFields(step.result?.data).entries).flatMap(value => {
    const entry = asFields(value)
    const ts = asNumber(entry.ts)
    if (ts === undefined) return []
    const jobId = asText(entry.jobId) || asText(step.args.jobId)
    const detail = asText(entry.error) || asText(entry.summary)
    const name = knownJob(scene, jobId)?.name ?? jobId
    return [
      {
        ts,
        line: `- ${formatInstant(ts, scene.zone)}: “${name}” ${asText(entry.status)}${detail && `, ${detail}`}`,
      },
    ]
  })
}

function newestFirst(runs: readonly RunView[]): string {
  return [...runs]
    .sort((a, b) => b.ts - a.ts)
    .slice(0, 2 * RUNS_SHOWN_MAX)
    .map(run => run.line)
    .join('\n')
}

function reportHistory(scene: Scene, name: string, step: Step): string {
  const runs = readRuns(scene, step)
  return runs.length === 0 ? `${name} has not run yet.` : `Runs of ${name}, newest first:\n${newestFirst(runs)}`
}

/** Jobs whose runs are looked at for "what ran?". */
const JOBS_ASKED_MAX = 20
const GONE = 'Reminders that are deleted once they have run do not show here.'

export function whatRan(scene: Scene, { day }: Extract<Intent, { kind: 'what-ran' }>): Decision {
  const found = freshJobs(scene)
  if ('decision' in found) return found.decision
  const asked = stepsOf(scene.steps, 'runs')
  const [first, ...more] = found.jobs.slice(0, JOBS_ASKED_MAX).map(({ id }) => ({
    name: 'cron',
    args: { action: 'runs', jobId: id, limit: RUNS_SHOWN_MAX },
  }))
  if (!first) return say(`There are no jobs, so there is nothing to show. ${GONE}`)
  if (asked.length === 0) return { kind: 'call', calls: [first, ...more] }
  const failure = asked.map(failureOf).find(text => text !== undefined)
  const runs = asked.flatMap(step => readRuns(scene, step)).filter(run => isOn(scene, run.ts, day))
  const period = day === 'any' ? 'so far' : day
  const lead =
    runs.length === 0
      ? `None of the present jobs ran ${period}.`
      : `What ran ${period}, newest first:\n${newestFirst(runs)}`
  const rest = found.jobs.length > JOBS_ASKED_MAX ? `Only the first ${JOBS_ASKED_MAX} jobs were looked at.` : ''
  return say([lead, GONE, rest, failure ?? ''].filter(Boolean).join('\n'))
}

function isOn({ now, zone }: Scene, ts: number, day: 'today' | 'yesterday' | 'any'): boolean {
  if (day === 'any') return true
  return compareDates(dateIn(ts, zone), addDays(dateIn(now, zone), day === 'today' ? 0 : -1)) === 0
}

const CANCEL_ALL_QUESTION = 'That would cancel'

export function cancelAll(scene: Scene): Decision {
  const found = freshJobs(scene)
  if ('decision' in found) return found.decision
  const { jobs } = found
  if (jobs.length === 0) return say('Nothing is scheduled, so there is nothing to cancel.')
  const count = jobs.length === 1 ? 'this one job' : `all of these ${jobs.length} jobs`
  return say(
    `${CANCEL_ALL_QUESTION} ${count}; nothing is cancelled yet. Say \`yes, cancel all\` to do it.\n${shownLines(jobs, scene.zone)}`,
  )
}

/** A plain "yes" to that question is too little to delete everything, and must not sound as if it had. */
export function remindOfQuestion(scene: Scene): string | undefined {
  const open = scene.before.at(-1)?.reply.includes(CANCEL_ALL_QUESTION)
  return open ? 'Nothing is cancelled. To cancel all, say `yes, cancel all`.' : undefined
}

/** Only right after the question, and only the jobs that it showed. */
export function confirmCancelAll(scene: Scene): Decision {
  const removed = stepsOf(scene.steps, 'remove')
  if (removed.length > 0) return say(reportRemovals(scene, removed))
  const asked = scene.before.at(-1)
  const listed = asked && lastStep(asked.steps, 'cron', LIST_CALL.action)
  if (!listed || !asked.reply.includes(CANCEL_ALL_QUESTION)) {
    return say(askBack({ why: 'I did not ask whether to cancel all; say `cancel all reminders` first' }))
  }
  if (!scene.tools.has('cron')) return say(missingTool('cron'))
  const [first, ...more] = readJobs(listed.result?.data).map(({ id }) => ({
    name: 'cron',
    args: { action: 'remove', jobId: id },
  }))
  return first ? { kind: 'call', calls: [first, ...more] } : say('Nothing is scheduled, so there is nothing to cancel.')
}

function reportRemovals(scene: Scene, steps: readonly Step[]): string {
  const lines = steps.map(step => {
    const name = `“${knownJob(scene, asText(step.args.jobId))?.name ?? asText(step.args.jobId)}”`
    const gone = asFields(step.result?.data).removed === false
    return `- ${name}: ${failureOf(step) ?? (gone ? 'did not exist any more' : 'cancelled')}`
  })
  const failed = steps.filter(step => failureOf(step)).length
  const lead =
    failed === 0 ? `All ${steps.length} are cancelled:` : `${steps.length - failed} of ${steps.length} are cancelled:`
  return [lead, ...lines].join('\n')
}
