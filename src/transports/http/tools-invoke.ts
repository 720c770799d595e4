// `POST /tools/invoke`: one tool, called from outside. What tools there are and which of them may be called this way is
// decided behind the one door; here only the two wires are fitted together.
import * as z from 'zod'
import type { Dispatcher } from '../../dispatch/dispatcher.ts'
import type { Result } from '../../protocol/catalogue.ts'
import { parsed } from './chat-completions.ts'
import { type Ask, type ErrorShape, keyOf, type Reply } from './reply.ts'

const requestSchema = z.looseObject({
  tool: z.string().trim().min(1),
  action: z.string().optional(),
  args: z.record(z.string(), z.unknown()).optional(),
  sessionKey: z.string().min(1).optional(),
})

export const toolError: ErrorShape = (error, status) => ({
  ok: false,
  error: { type: status === 404 ? 'not_found' : 'invalid_request_error', message: error.message, code: error.code },
})

export async function toolsInvoke(dispatcher: Pick<Dispatcher, 'call'>, ask: Ask): Promise<Reply> {
  const { tool, action, args, sessionKey } = parsed(requestSchema, ask.body)
  const key = keyOf(ask)
  const { caller, signal } = ask
  const answer = (await dispatcher.call(
    'tools.invoke',
    {
      tool,
      ...(action !== undefined && { action }),
      ...(args !== undefined && { args }),
      ...(sessionKey !== undefined && { sessionKey }),
    },
    { caller, signal, ...(key !== undefined && { key }) },
  )) as Result<'tools.invoke'>
  const { isError, details } = answer
  if (!isError) return { status: 200, json: { ok: true, result: { content: answer.content, details } } }
  const { error: message = 'the tool failed', code } = details as { error?: string; code?: string }
  return { status: 400, json: { ok: false, error: { type: 'tool_error', message, ...(code && { code }) } } }
}
