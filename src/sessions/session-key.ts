// Session keys: `agent:<agent>:<rest>`, lower case. Made canonical before lanes are chosen, so that two spellings of a
// session can never run side by side; callers are answered in the form they used.
import { SluiceError } from '../base/errors.ts'

export const MAIN_KEY = 'main'

export interface SessionName {
  readonly key: string
  readonly agentId: string
}

const AGENT_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/

/** `main` and `` are the main session of the agent; `x` is `agent:<agent>:x`; a whole key may name another agent. */
export function canonicalSession(raw: string, agentId: string): SessionName {
  if (!AGENT_ID.test(agentId)) throw noAgent(agentId)
  const text = raw.trim().toLowerCase()
  if (text === '' || text === MAIN_KEY) return { key: `agent:${agentId}:${MAIN_KEY}`, agentId }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it refuses.
  if (/[\u0000-\u001f\u007f\s]/.test(text)) {
    throw new SluiceError(
      'INVALID_REQUEST',
      `a session key has no spaces or control characters: ${JSON.stringify(raw.slice(0, 60))}`,
    )
  }
  if (!text.startsWith('agent:')) return { key: `agent:${agentId}:${text}`, agentId }
  const [, agent, ...rest] = text.split(':')
  if (!agent || rest.length === 0 || rest.join('') === '') {
    throw new SluiceError(
      'INVALID_REQUEST',
      `a session key has the form agent:<agent>:<rest>: ${JSON.stringify(raw.slice(0, 60))}`,
    )
  }
  if (!AGENT_ID.test(agent)) throw noAgent(agent)
  return { key: text, agentId: agent }
}

function noAgent(agentId: string): SluiceError {
  const shown = JSON.stringify(agentId.slice(0, 60))
  return new SluiceError(
    'INVALID_REQUEST',
    `an agent id is up to 64 letters, digits, - and _, such as "main": ${shown} is none`,
  )
}

export function jobSession(agentId: string, jobId: string): SessionName {
  return { key: `agent:${agentId}:cron:${jobId.toLowerCase()}`, agentId }
}

const TASK = 'subagent'

/** The session of a task; the task of a task carries its maker's name before its own. */
export function taskSession(task: { agentId: string; id: string; maker: string | undefined }): SessionName {
  const { agentId, id, maker } = task
  if (!AGENT_ID.test(agentId)) throw noAgent(agentId)
  const before = maker !== undefined && taskDepth(maker) > 0 ? `${maker.split(':').slice(2).join(':')}:` : ''
  return { key: `agent:${agentId}:${before}${TASK}:${id}`, agentId }
}

/** How many tasks led to this session: 0 for one that people talk to. */
export function taskDepth(sessionKey: string): number {
  return sessionKey.split(':').filter((part, index) => index >= 2 && part === TASK).length
}
