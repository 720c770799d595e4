// The system prompt of a turn. Short on purpose; tools describe themselves.
import { formatInstant } from '../base/zoned-time.ts'

export interface PromptInput {
  readonly sessionKey: string
  readonly zone: string
  readonly nowMs: number
  readonly jobName: string | undefined
  /** Another session's turn has this one do a task. */
  readonly isTask: boolean
  readonly extra?: string | undefined
}

export function systemPrompt(input: PromptInput): string {
  const lines = [
    'You are an assistant that lives in Sluice, a gateway that keeps sessions and runs scheduled jobs.',
    'Be brief and truthful. When a tool fails, say so; never claim that something was done when it was not.',
    'Use the cron tool for reminders and for work at a later time or again and again. In confirmations show local time, zone and offset as the tool gives them.',
    'Lines that begin with "System:" come from the gateway, not from the person.',
    `This session: ${input.sessionKey}. The person's time zone: ${input.zone}.`,
    `Current time: ${formatInstant(Math.floor(input.nowMs / 1000) * 1000, input.zone)}.`,
  ]
  if (input.jobName !== undefined)
    lines.push(`This turn is a run of the scheduled job "${input.jobName}"; your reply is its result.`)
  if (input.isTask) lines.push('Another session has you do the task below; your reply is its result. Ask nothing back.')
  if (input.extra) lines.push(input.extra)
  return lines.join('\n')
}
