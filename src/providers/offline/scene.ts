// What a flow may look at, and what it may answer. A flow is a pure function from a scene to the next step: it is asked
// again after each tool result and finds its place from the steps alone, so a turn can be resumed at any point.

import type { Here } from '../../words/resolve.ts'
import type { Exchange, Step } from './conversation.ts'
import { asFields, asText, type JobView, readJob, readJobs } from './jobs.ts'

export interface Scene extends Here {
  readonly tools: ReadonlySet<string>
  /** Calls made since the message that is being answered. */
  readonly steps: readonly Step[]
  /** The exchanges before it, oldest first. */
  readonly before: readonly Exchange[]
}

export interface PlannedCall {
  readonly name: string
  readonly args: Readonly<Record<string, unknown>>
}

export type Decision =
  | { readonly kind: 'say'; readonly text: string }
  | { readonly kind: 'call'; readonly calls: readonly [PlannedCall, ...PlannedCall[]] }

export const say = (text: string): Decision => ({ kind: 'say', text })

/** Plans a call, or says plainly that this session has no such tool. */
export function call(scene: Scene, name: string, args: PlannedCall['args']): Decision {
  return scene.tools.has(name) ? { kind: 'call', calls: [{ name, args }] } : say(missingTool(name))
}

export function missingTool(name: string): string {
  return `I cannot do that here: the tool \`${name}\` is not available in this session. Its tool policy decides that.`
}

/** What went wrong with a step in one sentence; undefined when it went well. */
export function failureOf(step: Step): string | undefined {
  if (!step.result) return 'I do not know whether that happened: the call was made, but its result is missing.'
  if (!step.result.isError) return undefined
  const reason = asText(asFields(step.result.data).error) || step.result.text.trim() || 'no reason was given'
  return `That did not work. The gateway says: ${reason}`
}

/** A job by its id, as the conversation knew it last. */
export function knownJob(scene: Scene, id: string): JobView | undefined {
  const steps = [...scene.before.flatMap(exchange => exchange.steps), ...scene.steps].filter(
    step => step.name === 'cron',
  )
  for (const { result } of steps.toReversed()) {
    const found = [readJob(result?.data), ...readJobs(result?.data)].find(job => job?.id === id)
    if (found) return found
  }
  return undefined
}
