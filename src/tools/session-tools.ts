// The session tools under the names that agents know: list, history, send, spawn, status, and the list of agents.
import * as z from 'zod'
import { SluiceError } from '../base/errors.ts'
import { type Tool, type ToolCaller, tool } from './tool.ts'

const KINDS = ['main', 'group', 'cron', 'hook', 'node', 'other'] as const
const SEND_TIMEOUT_SECONDS = 30
/** Among so many of the newest those of some kinds are looked for. */
const SESSIONS_LOOKED_MAX = 500

const sessionsList = tool({
  name: 'sessions_list',
  description: 'List sessions, newest first.',
  parameters: z.object({
    kinds: z.array(z.enum(KINDS)).optional(),
    limit: z.number().int().min(1).max(200).optional(),
    activeMinutes: z.number().int().min(1).optional(),
    messageLimit: z.number().int().min(0).max(20).optional().describe('How many of the last messages of each to show.'),
  }),
  replay: 'safe',
  run: async (args, { call }) => {
    const { limit = 50, messageLimit } = args
    const { sessions } = await call('sessions.list', {
      limit: args.kinds ? SESSIONS_LOOKED_MAX : limit,
      ...(args.activeMinutes !== undefined && { activeMinutes: args.activeMinutes }),
    })
    const rows = sessions.map(row => ({ ...row, kind: kindOf(row.key) }))
    const kept = rows.filter(row => args.kinds?.includes(row.kind) ?? true).slice(0, limit)
    if (!messageLimit) return { count: kept.length, sessions: kept }
    const shown = kept.map(async row => {
      const { messages } = await call('chat.history', { sessionKey: row.key, limit: messageLimit })
      return { ...row, messages }
    })
    return { count: kept.length, sessions: await Promise.all(shown) }
  },
})

const sessionsHistory = tool({
  name: 'sessions_history',
  description: 'Show the messages of a session (default: this one), oldest first.',
  parameters: z.object({
    sessionKey: z.string().optional(),
    limit: z.number().int().min(1).max(200).optional(),
    includeTools: z.boolean().optional(),
  }),
  replay: 'safe',
  run: async (args, { call, sessionKey }) => {
    const history = await call('chat.history', { sessionKey: args.sessionKey ?? sessionKey, limit: args.limit ?? 30 })
    const messages = args.includeTools
      ? history.messages
      : history.messages.filter(message => message.role !== 'toolResult')
    return { sessionKey: history.sessionKey, messages }
  },
})

const sessionsSend = tool({
  name: 'sessions_send',
  description:
    'Send a message to another session and wait for its reply; timeoutSeconds 0 does not wait. A wait that would wait for itself is refused at once.',
  parameters: z.object({
    sessionKey: z.string().optional(),
    label: z.string().optional().describe('Of the session, instead of its key.'),
    message: z.string(),
    timeoutSeconds: z.number().min(0).max(3_600).optional(),
  }),
  replay: 'safe',
  run: async (args, { call }) =>
    await call('sessions.send', {
      sessionKey: await keyOf(args, call),
      message: args.message,
      timeoutSeconds: args.timeoutSeconds ?? SEND_TIMEOUT_SECONDS,
    }),
})

const sessionsSpawn = tool({
  name: 'sessions_spawn',
  description:
    'Have a task done in a session of its own. Without waitSeconds it answers at once, and this session is told later how it ended; with waitSeconds it waits for the result. Say everything the task needs: it does not see this conversation.',
  parameters: z.object({
    task: z.string(),
    label: z.string().optional().describe('A short name for it.'),
    agentId: z.string().optional(),
    model: z.string().optional(),
    thinking: z.string().optional(),
    runTimeoutSeconds: z.number().int().min(0).max(86_400).optional(),
    timeoutSeconds: z.number().int().min(0).max(86_400).optional().describe('The same as runTimeoutSeconds.'),
    cleanup: z.enum(['keep', 'delete']).optional(),
    waitSeconds: z.number().min(0).max(3_600).optional(),
  }),
  replay: 'safe',
  run: ({ timeoutSeconds, runTimeoutSeconds = timeoutSeconds, ...args }, { call }) =>
    call('sessions.spawn', { ...args, ...(runTimeoutSeconds !== undefined && { runTimeoutSeconds }) }),
})

const agentsList = tool({
  name: 'agents_list',
  description: 'List the agents of this gateway, whose ids sessions_spawn takes.',
  parameters: z.object({}),
  replay: 'safe',
  run: (_, { call }) => call('agents.list', {}),
})

const sessionStatus = tool({
  name: 'session_status',
  description: 'Say what a session (default: this one) is and does: model, time and zone, state, tokens.',
  parameters: z.object({ sessionKey: z.string().optional() }),
  replay: 'safe',
  run: (args, { call, sessionKey }) => call('sessions.status', { key: args.sessionKey ?? sessionKey }),
})

export const SESSION_TOOLS: readonly Tool[] = [
  sessionsList,
  sessionsHistory,
  sessionsSend,
  sessionsSpawn,
  agentsList,
  sessionStatus,
]

async function keyOf(
  { sessionKey, label }: { sessionKey?: string | undefined; label?: string | undefined },
  call: ToolCaller,
): Promise<string> {
  if (sessionKey !== undefined) return sessionKey
  if (label !== undefined) return (await call('sessions.resolve', { label })).key
  throw new SluiceError('INVALID_REQUEST', 'sessions_send needs "sessionKey" or "label"; use sessions_list to find one')
}

function kindOf(key: string): (typeof KINDS)[number] {
  const rest = key.split(':').slice(2)
  if (rest[0] === 'main') return 'main'
  if (rest[0] === 'cron' || rest[0] === 'hook') return rest[0]
  return rest.includes('group') ? 'group' : 'other'
}
