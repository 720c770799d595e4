// The words in which a session is told how work ended that one of its turns had asked for, and in which a person is
// asked. Pure, so that every adapter says the same; when they are told and how often is the adapters' business.
import type { NewApproval } from './port.ts'
import type { RunRow, RunState } from './rows.ts'

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

/** What the person is shown in the chat in which they are asked. */
export function questionOf({ tool, text }: NewApproval): string {
  return `May ${tool} run this? Answer yes or no.\n${text}`
}
