// From "the first one" or "the stretch reminder" to exactly one job. What the person was shown decides what a place in
// the list means; where nothing matches, or several do, the candidates are named and nothing is done.
import { jobSpokenOf, jobsShown, lastStep } from './conversation.ts'
import { jobLines } from './describe.ts'
import type { Target } from './intent.ts'
import { type JobView, jobsMeant, readJobs } from './jobs.ts'
import { call, type Decision, failureOf, type Scene, say } from './scene.ts'

type Found = { readonly job: JobView } | { readonly decision: Decision }

/** Jobs shown in one answer; the rest is counted. */
export const JOBS_SHOWN_MAX = 50

export const LIST_CALL = { action: 'list', includeDisabled: true } as const

/** The fresh list, once it was asked for; else the step that gets it. */
export function freshJobs(scene: Scene): { readonly jobs: readonly JobView[] } | { readonly decision: Decision } {
  const step = lastStep(scene.steps, 'cron', 'list')
  if (!step) return { decision: call(scene, 'cron', LIST_CALL) }
  const failure = failureOf(step)
  return failure ? { decision: say(failure) } : { jobs: readJobs(step.result?.data) }
}

/** Finds the one job; `fresh` asks the scheduler even where the conversation knows the job already. */
export function findJob(scene: Scene, target: Target, fresh = false): Found {
  const known = knownTarget(scene, target)
  if (known === 'nothing' || (known && 'job' in known && fresh)) {
    const list = freshJobs(scene)
    if ('decision' in list) return list
    if (known === 'nothing') return oneOf(scene, target, list.jobs)
    const now = list.jobs.find(job => job.id === known.job.id)
    return now ? { job: now } : { decision: say(`“${known.job.name}” does not exist any more. Nothing was changed.`) }
  }
  return known
}

/** What the conversation alone says about the target. */
function knownTarget(scene: Scene, target: Target): Found | 'nothing' {
  if (target.kind === 'that') {
    const job = jobSpokenOf(scene.before)
    return job ? { job } : 'nothing'
  }
  if (target.kind !== 'ordinal') return 'nothing'
  const shown = jobsShown(scene.before, scene.zone)
  if (shown === undefined) return 'nothing'
  if (shown === 'unmatched') return unmatched(scene)
  const [job] = jobsMeant(target, shown)
  return job ? { job } : { decision: say(noneText(scene, target, shown)) }
}

/** A list was shown that is not ours to count in: show ours, and let the person choose again. */
function unmatched(scene: Scene): Found {
  const list = freshJobs(scene)
  if ('decision' in list) return list
  const lead =
    'I cannot tell which list you are counting in, so nothing was changed. This is what is scheduled; please say it again:'
  return { decision: say(`${lead}\n${shownLines(list.jobs, scene.zone)}`) }
}

function oneOf(scene: Scene, target: Target, jobs: readonly JobView[]): Found {
  const meant = jobsMeant(target, jobs)
  const [job] = meant
  // "it" without a job that was spoken of may mean anything, even where there is only one.
  if (job && meant.length === 1 && target.kind !== 'that') return { job }
  if (!job) return { decision: say(noneText(scene, target, jobs)) }
  const lead =
    'I am not sure which one is meant, so nothing was changed. Please say which, by its number or with more of its words:'
  return { decision: say(`${lead}\n${shownLines(meant, scene.zone)}`) }
}

function noneText(scene: Scene, target: Target, jobs: readonly JobView[]): string {
  if (jobs.length === 0) return 'Nothing is scheduled, so there is nothing to change.'
  const said = 'said' in target ? ` “${target.said}”` : ''
  return `I found no job for${said || ' that'}, so nothing was changed. There is:\n${shownLines(jobs, scene.zone)}`
}

export function shownLines(jobs: readonly JobView[], zone: string): string {
  const rest = jobs.length - JOBS_SHOWN_MAX
  const lines = jobLines(jobs.slice(0, JOBS_SHOWN_MAX), zone)
  return rest > 0 ? `${lines}\n(and ${rest} more)` : lines
}
