// A turn that an HTTP request asks for, for the endpoints that speak as other models do: accepted as a message like any
// other, heard while it speaks, waited for to its end. A client that is gone has no way to ask again unless it gave a
// key; without one its turn is stopped, with one it goes on and the same key tells how it ended (W6).
import { createHash } from 'node:crypto'
import { SluiceError } from '../../base/errors.ts'
import type { Clock, Random } from '../../base/world.ts'
import type { Dispatcher } from '../../dispatch/dispatcher.ts'
import type { GatewayEvent } from '../../dispatch/event-hub.ts'
import type { Result } from '../../protocol/catalogue.ts'
import { type AgentEvent, runOfStream } from '../../protocol/events.ts'
import { type Ask, keyOf, ownHeader } from './reply.ts'

export interface TurnParts {
  readonly dispatcher: Pick<Dispatcher, 'call'>
  readonly clock: Clock
  readonly random: Random
  readonly listen: (listener: (event: GatewayEvent) => void) => () => void
}

export interface Wanted {
  readonly text: string
  /** Added to the system prompt; empty: nothing. */
  readonly system: string
  /** As the client names it. */
  readonly model: string | null | undefined
  readonly user: string | null | undefined
  /** Beginning of the names of its sessions. */
  readonly family: 'openai' | 'openresponses'
  readonly hearing?: Hearing
}

export interface Hearing {
  /** It is durably taken, under this run id. */
  accepted(runId: string): void
  /** The present message so far; `isNew` when it is another one than before. */
  said(text: string, isNew: boolean): void
}

const USER_LENGTH_MAX = 200
const DEAF: Hearing = { accepted: () => undefined, said: () => undefined }

/** Tokens of the whole turn, its tools' steps included; all 0 where the model does not tell. */
export interface Used {
  readonly input: number
  readonly cached: number
  readonly output: number
}

export interface Taken {
  readonly text: string
  readonly used: Used
}

export async function takeTurn(parts: TurnParts, ask: Ask, wanted: Wanted): Promise<Taken> {
  const { caller, signal } = ask
  const key = keyOf(ask)
  const { hearing = DEAF } = wanted
  const params = await paramsOf(parts, ask, wanted)
  let runId: string | undefined
  const unlisten = parts.listen(event => {
    const told = runId === undefined ? undefined : assistantOf(event, runId)
    if (told) hearing.said(told.text, told.text === told.delta)
  })
  try {
    const early = (payload: unknown) => {
      runId = (payload as Result<'agent'>).runId
      hearing.accepted(runId)
    }
    const end = await parts.dispatcher.call('agent', params, { caller, signal, key: params.idempotencyKey, early })
    return takenOf(end as Result<'agent'>)
  } catch (error) {
    if (signal.aborted && key === undefined && runId !== undefined) {
      await parts.dispatcher.call('chat.abort', { sessionKey: params.sessionKey, runId }, { caller })
    }
    throw error
  } finally {
    unlisten()
  }
}

async function paramsOf(parts: TurnParts, ask: Ask, wanted: Wanted) {
  const { random } = parts
  const key = keyOf(ask)
  const agentId = await agentFor(parts, ask, agentOf(ask, wanted.model))
  // A repeat with its key has the same session.
  const own = key === undefined ? random.uuid() : digest(`${ask.caller.principal}\n${key}`)
  return {
    message: wanted.text,
    sessionKey: sessionOf(ask, wanted, { agentId, own }),
    ...(wanted.system !== '' && { extraSystemPrompt: wanted.system }),
    idempotencyKey: key ?? `${wanted.family}:${random.uuid()}`,
  }
}

/** A session of its own, unless the request names one. */
function sessionOf(
  { headers }: Ask,
  { user, family }: Wanted,
  { agentId, own }: { agentId: string; own: string },
): string {
  const named = ownHeader(headers, 'session-key')
  if (named !== undefined) return named
  if (user === undefined || user === null) return `agent:${agentId}:${family}:${own}`
  if (user.length > USER_LENGTH_MAX) {
    throw new SluiceError('INVALID_REQUEST', `\`user\` has more than ${USER_LENGTH_MAX} characters.`)
  }
  return `agent:${agentId}:${family}-user:${user}`
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

/** By header, else by a model such as `sluice:work`; other models' names mean the default agent. */
function agentOf({ headers }: Ask, model: Wanted['model']): string | undefined {
  const named = ownHeader(headers, 'agent-id') ?? ownHeader(headers, 'agent')
  return (named ?? /^(?:(?:sluice|clawdbot)[:/]|agent:)(.+)$/i.exec(model ?? '')?.[1])?.trim().toLowerCase()
}

async function agentFor({ dispatcher }: TurnParts, { caller }: Ask, named: string | undefined): Promise<string> {
  const { agents, defaultId } = (await dispatcher.call('agents.list', {}, { caller })) as Result<'agents.list'>
  const agentId = named ?? defaultId
  if (agents.some(({ id }) => id === agentId)) return agentId
  const known = agents.map(({ id }) => `sluice:${id}`).join(', ')
  throw new SluiceError('NOT_FOUND', `There is no agent "${agentId.slice(0, 100)}". Models here: ${known}.`)
}

function assistantOf({ event, payload }: GatewayEvent, runId: string): { text: string; delta: string } | undefined {
  if (event !== 'agent') return undefined
  const { stream, data, runId: toldAs } = payload as AgentEvent
  if (stream !== 'assistant' || runOfStream(toldAs) !== runId || !('delta' in data)) return undefined
  return data
}

interface AgentEnd {
  readonly payloads: readonly { readonly text: string }[]
  readonly meta: { readonly agentMeta: { readonly usage?: { output: number; cacheRead: number; total: number } } }
}

function takenOf({ result }: Result<'agent'>): Taken {
  const { payloads, meta } = result as AgentEnd
  const { output, cacheRead, total } = meta.agentMeta.usage ?? { output: 0, cacheRead: 0, total: 0 }
  return {
    text: payloads.map(({ text }) => text).join('\n\n'),
    used: { input: total - output, cached: cacheRead, output },
  }
}
