// The words in which a session is told how work ended that one of its turns had asked for, and in which a person is
// asked. Pure, so that every adapter says the same; when they are told and how often is the adapters' business.
import type { NewApproval, RunEnd } from './port.ts'
import type { RunRow, RunState, SendRow } from './rows.ts'

const ENDED: Readonly<Record<RunState, string>> = {
  ok: 'ok',
  failed: 'failed',
  aborted: 'stopped',
  'timed-out': 'timed out',
  queued: 'not begun',
  running: 'running',
}

/** The input of the turn that tells it; `run` has ended. */
export function announcementOf(run: RunRow): string {
  const findings = run.reply ?? run.error ?? '(no reply)'
  if (run.source !== 'spawn') return `System: session ${run.sessionKey} has answered your message:\n${findings}`
  // Without a label the asking turn knows it by its session.
  return `System: the task "${run.label ?? run.sessionKey}" has ended: ${ENDED[run.state]}.\nFindings:\n${findings}`
}

/** What the person is shown in the chat in which they are asked; as code, of which no channel takes a character for a mark. */
export function questionOf({ tool, text }: NewApproval): string {
  return `May ${tool} run this? Answer yes or no.\n\`\`\`\n${text}\n\`\`\``
}

/** What a person is told whose message was not answered to the end. */
export function brokenOff({ reply, error = 'the turn failed' }: Pick<RunEnd, 'reply' | 'error'>): string {
  return reply ? `${reply}\n\nThe reply broke off here: ${error}` : `There is no reply to your message: ${error}`
}

const QUOTED_LENGTH_MAX = 60

/** What a person is told of a send of which nobody knows whether it arrived. */
export function doubtOf({ id, text }: Pick<SendRow, 'id' | 'text'>): string {
  const words = [...text.replaceAll(/\s+/g, ' ')]
  const quoted = words.length > QUOTED_LENGTH_MAX ? `${words.slice(0, QUOTED_LENGTH_MAX).join('')}...` : words.join('')
  return `This message may not have reached you: "${quoted}"\nTo have it sent again, write: /resend ${id}`
}
