// Hooks: how other programs wake the main session or have a turn run, with a token that opens nothing else. What they
// bring is accepted durably before they are answered; the answers are those that senders of the family know.
import * as z from 'zod'
import { SluiceError } from '../../base/errors.ts'
import type { Caller } from '../../dispatch/caller.ts'
import type { Dispatcher } from '../../dispatch/dispatcher.ts'
import type { Result } from '../../protocol/catalogue.ts'
import { type Ask, type ErrorShape, header, keyOf, ownHeader, type Reply } from './reply.ts'

export const HOOK_CALLER: Caller = { principal: 'hook', label: 'a hook', scopes: new Set(['operator.write']) }

const wakeSchema = z.object({ text: z.string(), mode: z.enum(['now', 'next-heartbeat']).optional() })
const agentFields = [
  'message',
  'name',
  'sessionKey',
  'agentId',
  'wakeMode',
  'deliver',
  'channel',
  'to',
  'model',
  'thinking',
  'timeoutSeconds',
]

export const hookError: ErrorShape = error => ({ ok: false, error: error.message })

/** The token that a hook shows: as Bearer, or in a header of its own. */
export function hookToken(headers: Ask['headers']): string | undefined {
  return /^Bearer +(\S.*)$/i.exec(header(headers, 'authorization') ?? '')?.[1] ?? ownHeader(headers, 'token')
}

export async function hookWake(dispatcher: Pick<Dispatcher, 'call'>, ask: Ask): Promise<Reply> {
  const { text, mode = 'now' } = fields(wakeSchema, ask.body, 'text required')
  if (text.trim() === '') throw new SluiceError('INVALID_REQUEST', 'text required')
  await dispatcher.call('wake', { text, mode }, optionsOf(ask))
  return { status: 200, json: { ok: true, mode } }
}

export async function hookAgent(dispatcher: Pick<Dispatcher, 'call'>, ask: Ask): Promise<Reply> {
  const body = fields(z.looseObject({ message: z.string().trim().min(1) }), ask.body, 'message required')
  // Senders send all they have; what is none of ours is left out.
  const params = Object.fromEntries(Object.entries(body).filter(([name]) => agentFields.includes(name)))
  const { runId } = (await dispatcher.call('hooks.agent', params, optionsOf(ask))) as Result<'hooks.agent'>
  return { status: 202, json: { ok: true, runId } }
}

function optionsOf(ask: Ask) {
  const key = keyOf(ask)
  return { caller: ask.caller, signal: ask.signal, ...(key !== undefined && { key }) }
}

function fields<S extends z.ZodType>(schema: S, body: unknown, missing: string): z.output<S> {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const [name] = issue?.path ?? []
  const isMissing = name === undefined || missing.startsWith(String(name))
  throw new SluiceError('INVALID_REQUEST', isMissing ? missing : `${String(name)}: ${issue?.message}`)
}
