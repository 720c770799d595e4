// Handlers of what clients of the family ask for when they connect: the log's end, and what Sluice does not have.
import { createHash } from 'node:crypto'
import { SluiceError } from '../base/errors.ts'
import { workspaceFor } from '../config/agents.ts'
import { judgedPatch } from '../config/editor.ts'
import type { Call, Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import type { COMPAT_METHODS } from '../protocol/methods/compat.ts'
import { MAIN_KEY } from '../sessions/session-key.ts'
import { sessionNamed } from './agents.ts'
import { take } from './config.ts'
import { effectOnce } from './effect.ts'
import { tailLog } from './logs.ts'
import type { MethodParts } from './parts.ts'

const UPDATE_ADVICE =
  'Sluice does not update itself. Install the new version the way this one was installed (with npm: npm install -g sluice), then run: sluice gateway restart. Unfinished turns go on afterwards.'

export function compatHandlers(parts: MethodParts): Pick<Handlers, keyof typeof COMPAT_METHODS> {
  const { clock, facts } = parts
  return {
    'logs.tail': ({ params }) => tailLog(facts.logFile, params),
    send: call => send(parts, call),
    'skills.status': ({ params, caller }) => ({
      workspaceDir: workspaceFor(parts.settings(), sessionNamed(parts, MAIN_KEY, { ...params, caller }).agentId),
      managedSkillsDir: `${facts.stateDir}/skills`,
      skills: [],
    }),
    'update.run': () => ({
      ok: false,
      result: { status: 'skipped', mode: 'manual', reason: UPDATE_ADVICE, steps: [] },
      restart: null,
      sentinel: null,
    }),
    'exec.approvals.get': () => shownApprovals(parts),
    'exec.approvals.set': call => effectOnce(parts, call, () => setApprovals(parts, call)),
    'node.pair.list': () => ({ pending: [], paired: [] }),
    'node.list': () => ({ ts: clock.now(), nodes: [] }),
  }
}

async function send(parts: MethodParts, call: Call<'send'>): Promise<Result<'send'>> {
  const { to, message, channel: channelId = 'whatsapp', sessionKey, mediaUrl, mediaUrls, idempotencyKey } = call.params
  const channel = parts.channels.find(({ id }) => id === channelId)
  if (!channel) throw refused(`unsupported channel: ${channelId}`)
  if (mediaUrl !== undefined || mediaUrls !== undefined) throw refused('Sluice sends texts only: leave mediaUrl out.')
  if (sessionKey !== undefined) {
    throw refused('Sluice does not copy what is sent into a session: leave sessionKey out, or use chat.inject.')
  }
  const { textLengthMax } = channel.capabilities
  const sent = {
    id: `send:${call.key?.principal ?? ''}:${idempotencyKey}`,
    sessionKey: `channel:${channelId}:${to}`,
    route: { channelId, chatId: to, textLengthMax },
    text: message,
  }
  const { value } = await parts.store.write.queueSend(
    { ...sent, ...(call.key && { key: call.key }), nowMs: parts.clock.now() },
    { signal: call.signal },
  )
  parts.delivery.poke()
  return { runId: idempotencyKey, messageId: value.id, channel: channelId, chatId: to }
}

function refused(message: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', message, { outcome: 'not-started' })
}

function shownApprovals(parts: MethodParts): Result<'exec.approvals.get'> {
  const { path, files } = parts.control.config
  const { security, ask, allow } = parts.settings().exec
  const allowlist = allow.map(pattern => ({ pattern }))
  const file = { version: 1 as const, defaults: { security, ask }, agents: { main: { allowlist } } }
  const hash = createHash('sha256').update(JSON.stringify(file)).digest('hex')
  return { path, exists: files.readText(path) !== undefined, hash, file }
}

/** What is left out of the file stays as it is in the config. */
function setApprovals(
  parts: MethodParts,
  { params, caller }: Call<'exec.approvals.set'>,
): Result<'exec.approvals.get'> {
  if (caller.turn) throw new SluiceError('FORBIDDEN', 'A turn may not change which commands turns may start.')
  if (params.baseHash !== undefined && params.baseHash !== shownApprovals(parts).hash) {
    throw refused('exec approvals changed since last load; re-run exec.approvals.get and retry')
  }
  const { config: place } = parts.control
  const { defaults, agents } = params.file
  const allow = agents?.main?.allowlist.map(({ pattern }) => pattern)
  const patch = { tools: { exec: { ...defaults, ...(allow && { allow }) } } }
  const text = place.files.readText(place.path)
  const baseHash = text === undefined ? undefined : createHash('sha256').update(text).digest('hex')
  take(parts, judgedPatch(place, { raw: JSON.stringify(patch), baseHash }))
  return shownApprovals(parts)
}
