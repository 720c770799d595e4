// The agents of this gateway: who they are, which one is meant where none is named, and to whom an agent's turns may hand
// work. An agent that the config does not name takes no message; what was said with it can still be read.
import { SluiceError } from '../base/errors.ts'
import type { Settings } from '../config/load.ts'
import type { Caller, TurnCaller } from '../dispatch/caller.ts'
import type { Handlers } from '../dispatch/dispatcher.ts'
import type { Params, Result } from '../protocol/catalogue.ts'
import { canonicalSession, MAIN_KEY, type SessionName } from '../sessions/session-key.ts'
import type { MethodParts } from './parts.ts'

const ASSISTANT = 'Assistant'
const ALL = '*'

type AgentParts = Pick<MethodParts, 'settings'>

export function agentHandlers(parts: MethodParts): Pick<Handlers, 'agents.list' | 'agent.identity.get'> {
  return {
    // A turn is shown those that it may use.
    'agents.list': ({ caller: { turn } }) => ({
      defaultId: parts.settings().defaultAgent,
      mainKey: MAIN_KEY,
      scope: 'per-sender',
      agents: parts
        .settings()
        .agents.filter(({ id }) => !turn || mayHandOn(parts.settings(), turn.agentId, id))
        .map(({ id, name, identity }) => ({
          id,
          ...(name !== undefined && { name }),
          ...(identity && { identity }),
        })),
    }),
    'agent.identity.get': ({ params, caller }) => identityOf(parts, params, caller),
  }
}

interface Meant {
  /** As it was asked for; spaces and case do not count. */
  readonly agentId?: string | undefined
  readonly caller?: Pick<Caller, 'turn'>
}

/**
 * The session that is meant; a key that names no agent means the named one's, else the turn's own, else the default's.
 * Throws where a turn may not reach sessions of that agent.
 */
export function sessionNamed(parts: AgentParts, key: string, { agentId, caller }: Meant = {}): SessionName {
  const session = canonicalSession(key, agentNamed(parts, agentId, caller?.turn))
  checkTalk(parts, caller?.turn, session.agentId)
  return session
}

/** As it was asked for, else the turn's own agent, else the default one. */
export function agentNamed(
  { settings }: AgentParts,
  agentId: string | null | undefined,
  turn: Pick<TurnCaller, 'agentId'> | undefined,
): string {
  return agentId?.trim().toLowerCase() || (turn?.agentId ?? settings().defaultAgent)
}

/** Whether turns of one agent may read and write in sessions of another. */
export function mayTalk({ agentToAgent }: Pick<Settings, 'agentToAgent'>, one: string, other: string): boolean {
  const { enabled, allow } = agentToAgent
  const isAllowed = (id: string) => allow.length === 0 || allow.includes(ALL) || allow.includes(id)
  return one === other || (enabled && isAllowed(one) && isAllowed(other))
}

function checkTalk({ settings }: AgentParts, turn: TurnCaller | undefined, agentId: string): void {
  if (!turn || mayTalk(settings(), turn.agentId, agentId)) return
  const message = `Turns of agent "${turn.agentId}" may not reach sessions of "${agentId}". A person may allow it in tools.agentToAgent of the config.`
  throw new SluiceError('FORBIDDEN', message, { outcome: 'not-started' })
}

export function isAgent({ agents }: Pick<Settings, 'agents'>, agentId: string): boolean {
  return agents.some(({ id }) => id === agentId)
}

export function unknownAgent({ agents }: Pick<Settings, 'agents'>, agentId: string): SluiceError {
  const known = agents.map(({ id }) => id)
  const message = `There is no agent "${agentId.slice(0, 100)}". Use one of: ${known.join(', ')}; agents.list of the config names them.`
  return new SluiceError('INVALID_REQUEST', message, { outcome: 'not-started', details: { known } })
}

/** Throws where a turn would have another agent do something that its own agent may not hand to it. */
export function checkHandOn({ settings }: AgentParts, turn: TurnCaller | undefined, agentId: string): void {
  if (!isAgent(settings(), agentId)) throw unknownAgent(settings(), agentId)
  if (!turn || mayHandOn(settings(), turn.agentId, agentId)) return
  const { agents } = settings()
  const allowed = agents.filter(({ id }) => mayHandOn(settings(), turn.agentId, id)).map(({ id }) => id)
  const message = `Agent "${turn.agentId}" may not have "${agentId}" do something; it may use: ${allowed.join(', ') || 'none'}. Nothing was started. A person may allow it in subagents.allowAgents of that agent's config.`
  throw new SluiceError('FORBIDDEN', message, { outcome: 'not-started', details: { allowed } })
}

export function mayHandOn({ agents }: Pick<Settings, 'agents'>, one: string, other: string): boolean {
  const { allowAgents = [] } = agents.find(({ id }) => id === one) ?? {}
  return one === other || allowAgents.includes(ALL) || allowAgents.includes(other)
}

function identityOf(
  parts: MethodParts,
  { sessionKey = '', agentId: asked }: Params<'agent.identity.get'>,
  caller: Caller,
): Result<'agent.identity.get'> {
  const { agentId } = sessionNamed(parts, sessionKey, { agentId: asked, caller })
  const agent = parts.settings().agents.find(({ id }) => id === agentId)
  if (!agent) throw unknownAgent(parts.settings(), agentId)
  const { identity } = agent
  const name = identity?.name ?? agent.name ?? ASSISTANT
  return { agentId, name, avatar: identity?.avatar ?? identity?.emoji ?? [...name][0] ?? '' }
}
