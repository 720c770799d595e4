// The conversation as the flows need it: the message to answer, what tools have said since, and which jobs the person
// was shown last. All of it is derived from the messages on each request; nothing is remembered between requests.
import type { ModelMessage } from '../model.ts'
import { jobLine } from './describe.ts'
import { asFields, asText, type JobView, readJob, readJobs } from './jobs.ts'

/** A tool call and what became of it; without a result nobody knows. */
export interface Step {
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
  readonly result: { readonly data: unknown; readonly text: string; readonly isError: boolean } | undefined
}

/** A message of the person with everything up to the next one. */
export interface Exchange {
  readonly text: string
  readonly steps: readonly Step[]
  /** The last text of the assistant; empty while there is none. */
  readonly reply: string
}

/** Who speaks in a group, and what is answered; not that it is old, corrects another or is another's: it was not made for those. */
const SPEAKER = /^\[(?!hands on |(.*, )?(corrects an earlier message|written [^,\]]+ ago)[,\]])[^[\]\n]+\] /

export function exchangesOf(all: readonly ModelMessage[]): readonly Exchange[] {
  // A summary is nothing that anybody asked for.
  const messages = all.filter(message => message.role !== 'user' || !message.isSummary)
  const starts = messages.flatMap((message, index) => (message.role === 'user' ? [index] : []))
  return starts.map((start, place) => exchangeOf(messages.slice(start, starts[place + 1])))
}

function exchangeOf(messages: readonly ModelMessage[]): Exchange {
  const [first, ...rest] = messages
  const steps = rest.flatMap(message =>
    message.role === 'assistant'
      ? message.calls.map(call => ({ name: call.name, args: asFields(call.args), result: resultOf(call.id, rest) }))
      : [],
  )
  const reply = rest
    .flatMap(message => (message.role === 'assistant' && message.text !== '' ? [message.text] : []))
    .at(-1)
  return { text: first?.role === 'user' ? first.text.replace(SPEAKER, '') : '', steps, reply: reply ?? '' }
}

function resultOf(callId: string, messages: readonly ModelMessage[]): Step['result'] {
  const found = messages.find(message => message.role === 'tool' && message.callId === callId)
  if (found?.role !== 'tool') return undefined
  return { data: parseJson(found.text), text: found.text, isError: found.isError || isErrorData(parseJson(found.text)) }
}

function isErrorData(data: unknown): boolean {
  return asFields(data).status === 'error' && asText(asFields(data).error) !== ''
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The last call of a tool (and of an action of it). */
export function lastStep(steps: readonly Step[], name: string, action?: string): Step | undefined {
  return steps.findLast(step => step.name === name && (action === undefined || step.args.action === action))
}

export function stepsOf(steps: readonly Step[], action: string): readonly Step[] {
  return steps.filter(step => step.name === 'cron' && step.args.action === action)
}

const CHANGING_ACTIONS = ['add', 'update', 'remove', 'run']

export function changingSteps(steps: readonly Step[]): readonly Step[] {
  return steps.filter(step => step.name === 'sessions_send' || CHANGING_ACTIONS.includes(asText(step.args.action)))
}

/**
 * The jobs that the person saw last, in that order. The numbered lines of the reply are matched one by one, so that a
 * shorter list of candidates counts as what it was. `unmatched`: a list was shown, but not one that is known here.
 */
export function jobsShown(before: readonly Exchange[], zone: string): readonly JobView[] | 'unmatched' | undefined {
  for (const { steps, reply } of before.toReversed()) {
    const list = lastStep(steps, 'cron', 'list')?.result
    if (!list || list.isError) continue
    const lines = reply.split('\n').filter(line => /^\s*\d+[.)] /.test(line))
    const jobs = readJobs(list.data)
    if (lines.length > 0) return matchLines(lines, jobs, zone) ?? 'unmatched'
    if (changingSteps(steps).length === 0 && reply !== '') return jobs
  }
  return undefined
}

function matchLines(lines: readonly string[], jobs: readonly JobView[], zone: string): readonly JobView[] | undefined {
  const left = new Set(jobs)
  const matched: JobView[] = []
  for (const [index, line] of lines.entries()) {
    const named = [...left].filter(job => line.includes(job.name))
    const job =
      [...left].find(each => jobLine(index + 1, each, zone) === line) ?? (named.length === 1 ? named[0] : undefined)
    if (!job) return undefined
    left.delete(job)
    matched.push(job)
  }
  return matched
}

/** The job that `it` means: the one made, changed or shown alone in the latest exchange about jobs. */
export function jobSpokenOf(before: readonly Exchange[]): JobView | undefined {
  for (const { steps } of before.toReversed()) {
    const cron = steps.filter(step => step.name === 'cron')
    if (cron.length === 0) continue
    const made = cron.filter(step => step.args.action === 'add' || step.args.action === 'update')
    if (made.length > 1) return undefined
    if (made[0]) return made[0].result?.isError ? undefined : readJob(made[0].result?.data)
    if (changingSteps(cron).length > 0) return undefined
    const jobs = readJobs(lastStep(cron, 'cron', 'list')?.result?.data)
    return jobs.length === 1 ? jobs[0] : undefined
  }
  return undefined
}
