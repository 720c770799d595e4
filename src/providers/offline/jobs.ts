// Jobs as the cron tool hands them over, read without trust: another gateway version, a cut-off result or an error may
// stand in their place. Finding the job that a person means is here too, and answers all candidates, never the best.
import { type Schedule, scheduleSchema } from '../../protocol/job.ts'
import type { Target } from './intent.ts'
import { wordsOf } from './targets.ts'

export interface JobView {
  readonly id: string
  readonly name: string
  /** What it says or asks; empty when it cannot be seen. */
  readonly text: string
  readonly enabled: boolean
  readonly schedule: Schedule | undefined
  readonly nextRunAtMs: number | undefined
}

type Fields = Readonly<Record<string, unknown>>

export function asFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

export function asText(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function asNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

export function readJob(value: unknown): JobView | undefined {
  const fields = asFields(value)
  const id = asText(fields.id)
  if (id === '') return undefined
  const payload = asFields(fields.payload)
  const schedule = scheduleSchema.safeParse(fields.schedule)
  const text = asText(payload.text) || asText(payload.message)
  return {
    id,
    name: asText(fields.name) || text || id,
    text,
    enabled: fields.enabled !== false,
    schedule: schedule.success ? schedule.data : undefined,
    nextRunAtMs: asNumber(asFields(fields.state).nextRunAtMs),
  }
}

/** A one-shot that has run is over: nobody who asks what is scheduled means it. */
function isOver(value: unknown): boolean {
  const { enabled, schedule, state } = asFields(value)
  return enabled === false && asFields(schedule).kind === 'at' && asFields(state).lastStatus !== undefined
}

export function readJobs(value: unknown): readonly JobView[] {
  return asList(asFields(value).jobs)
    .filter(job => !isOver(job))
    .map(readJob)
    .filter(job => job !== undefined)
}

/** The jobs that a target may mean, in their order; exactly one means that it is certain. */
export function jobsMeant(target: Target, jobs: readonly JobView[]): readonly JobView[] {
  switch (target.kind) {
    case 'ordinal': {
      const job = target.place === -1 ? jobs.at(-1) : jobs[target.place - 1]
      return job ? [job] : []
    }
    case 'named':
      return jobsNamed(target.words, jobs)
    case 'that':
    case 'only':
      return jobs
  }
}

/** A job whose whole name or text is meant comes before jobs that merely contain the words. */
function jobsNamed(words: readonly string[], jobs: readonly JobView[]): readonly JobView[] {
  const wanted = words.join(' ')
  const exact = jobs.filter(job => job.id === wanted || [job.name, job.text].some(text => telling(text) === wanted))
  if (exact.length > 0) return exact
  return jobs.filter(job => {
    const known = new Set([...wordsOf(job.name), ...wordsOf(job.text)])
    return words.every(word => known.has(word))
  })
}

const ARTICLES = new Set(['the', 'my', 'our', 'a', 'an'])

function telling(text: string): string {
  return wordsOf(text)
    .filter(word => !ARTICLES.has(word))
    .join(' ')
}
