// The slash commands of a chat: what they are called, and the texts of /help and /status. What begins with a slash and is
// no command (a path) is a message.
import { formatDuration } from '../../base/durations.ts'
import type { Result } from '../../protocol/catalogue.ts'
import { sanitize } from '../text/sanitize.ts'
import { didYouMean } from '../usage.ts'

const NAMES = ['help', 'stop', 'new', 'compact', 'status', 'quit', 'exit'] as const
export type CommandName = (typeof NAMES)[number]

export type Read =
  | { readonly kind: 'message' }
  | { readonly kind: 'command'; readonly name: CommandName }
  | { readonly kind: 'unknown'; readonly message: string }

export function readCommand(text: string): Read {
  const [, word] = /^\/([a-z]+)$/i.exec(text.trim()) ?? []
  if (word === undefined) return { kind: 'message' }
  const name = NAMES.find(each => each === word.toLowerCase())
  if (name) return { kind: 'command', name }
  const near = didYouMean(word.toLowerCase(), NAMES)
  return {
    kind: 'unknown',
    message: `There is no command /${word}.${near ? ` Did you mean /${near}?` : ''} All: /help`,
  }
}

export const HELP_LINES = [
  '/help    this',
  '/stop    stop the reply and what is queued (Ctrl-C: the reply alone)',
  '/new     begin a new conversation; the agent forgets this one',
  '/compact have the oldest part of this conversation summarised; the agent goes on from the summary',
  '/status  session, model, runs, jobs',
  '/quit    leave (so does Ctrl-D)',
  'A question (?) of a turn is answered by your next message: yes, always, no, or why not.',
  'Up and down: lines typed before. Alt-Enter or Ctrl-J: a new line. A message sent meanwhile is queued.',
]

const RUN_ID_SHOWN = 8

export function statusLines(session: Result<'sessions.status'>, gateway: Result<'status'> | undefined): string[] {
  const runs = session.runs.map(({ runId, status }) => `${status} ${runId.slice(0, RUN_ID_SHOWN)}`)
  return [
    `session  ${session.sessionKey}, ${runs.length > 0 ? runs.join(', ') : session.state}`,
    `model    ${session.model}`,
    `tokens   ${session.inputTokens} in, ${session.outputTokens} out`,
    `time     ${session.now}`,
    ...(gateway
      ? [
          `gateway  version ${gateway.version}, up ${formatDuration(gateway.uptimeMs)}, state in ${gateway.stateDir}`,
          `runs     ${gateway.runs.running} running, ${gateway.runs.queued} queued, ${gateway.runs.slots} slots`,
        ]
      : []),
  ].map(sanitize)
}
