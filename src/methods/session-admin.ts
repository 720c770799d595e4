// Handlers that find, set, end and fill sessions. A session that is deleted has its turns stopped first, and nobody waits
// for them: what they still say is kept with the old transcript.

import { SluiceError } from '../base/errors.ts'
import { formatInstant } from '../base/zoned-time.ts'
import type { Caller } from '../dispatch/caller.ts'
import type { Call, Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import { chooseModel } from '../providers/choice.ts'
import { canonicalSession, MAIN_KEY } from '../sessions/session-key.ts'
import type { Entry, SessionRow } from '../store/rows.ts'
import { checkHandOn, mayTalk, sessionNamed } from './agents.ts'
import type { MethodParts } from './parts.ts'
import { accept } from './runs.ts'

const KEYS_MAX = 64
const PREVIEW_ITEMS = 12
const PREVIEW_CHARS = 240
/** Entries that are read for a preview: several may belong to one line. */
const PREVIEW_ENTRIES_MAX = 60

type SessionAdminMethods =
  | 'sessions.preview'
  | 'sessions.resolve'
  | 'sessions.patch'
  | 'sessions.delete'
  | 'chat.inject'
  | 'wake'

export function sessionAdminHandlers(parts: MethodParts): Pick<Handlers, SessionAdminMethods> {
  return {
    'sessions.preview': async call => ({
      ts: parts.clock.now(),
      previews: await Promise.all(
        call.params.keys.slice(0, KEYS_MAX).map(key => preview({ parts, caller: call.caller }, key, call.params)),
      ),
    }),
    'sessions.resolve': call => ({ ok: true, key: resolve(parts, call) }),
    'sessions.patch': call => patchSession(parts, call),
    'sessions.delete': call => deleteSession(parts, call),
    'chat.inject': call => inject(parts, call),
    wake: call => wake(parts, call),
  }
}

type Preview = Result<'sessions.preview'>['previews'][number]

async function preview(
  { parts, caller }: { parts: MethodParts; caller: Caller },
  rawKey: string,
  { limit = PREVIEW_ITEMS, maxChars = PREVIEW_CHARS }: { limit?: number | undefined; maxChars?: number | undefined },
): Promise<Preview> {
  const { store } = parts
  const { key } = sessionNamed(parts, rawKey, { caller })
  if (!store.read.session(key)) return { key: rawKey, status: 'missing', items: [] }
  const entries = await store.readLarge.entries(key, PREVIEW_ENTRIES_MAX)
  const items = entries.flatMap(previewed).slice(-limit)
  const cut = items.map(({ role, text }) => ({
    role,
    text: text.length > maxChars ? `${cutAt(text, maxChars)}…` : text,
  }))
  return { key: rawKey, status: items.length === 0 ? 'empty' : 'ok', items: cut }
}

/** Never within a character. */
function cutAt(text: string, length: number): string {
  const cut = text.slice(0, length - 1)
  return cut.isWellFormed() ? cut : cut.slice(0, -1)
}

function previewed({ body }: Entry): Preview['items'] {
  switch (body.kind) {
    case 'input':
    case 'decision':
      return [{ role: body.text.startsWith('System: ') ? 'system' : 'user', text: body.text }]
    case 'notice':
      return [{ role: 'assistant', text: body.text }]
    case 'message': {
      const tools = body.calls.map(call => ({ role: 'tool' as const, text: call.name }))
      return [...(body.text === '' ? [] : [{ role: 'assistant' as const, text: body.text }]), ...tools]
    }
    default:
      return []
  }
}

function resolve(parts: MethodParts, { params, caller }: Call<'sessions.resolve'>): string {
  const { store } = parts
  const { key, sessionId, label } = params
  const named = [key, sessionId, label].filter(name => name !== undefined)
  if (named.length === 0) throw new SluiceError('INVALID_REQUEST', 'Either key, sessionId, or label is required')
  if (named.length > 1)
    throw new SluiceError('INVALID_REQUEST', 'Provide either key, sessionId, or label (not multiple)')
  const found =
    key === undefined
      ? store.read.sessionNamed({
          ...(label !== undefined && { label }),
          ...(sessionId !== undefined && { sessionId }),
        })
      : store.read.session(sessionNamed(parts, key, { ...params, caller }).key)
  // One that a turn may not reach is none for it, by whatever it is named.
  const { turn } = caller
  if (found && (!turn || mayTalk(parts.settings(), turn.agentId, found.agentId))) return found.key
  const what = label === undefined ? `: ${key ?? sessionId}` : ` with label: ${label}`
  throw new SluiceError('INVALID_REQUEST', `No session found${what}`)
}

async function patchSession(parts: MethodParts, call: Call<'sessions.patch'>): Promise<Result<'sessions.patch'>> {
  const { key: rawKey, idempotencyKey: _, ...set } = call.params
  const session = sessionNamed(parts, rawKey, call)
  if (!parts.store.read.session(session.key)) checkHandOn(parts, undefined, session.agentId)
  // Refused here, or the session's next turn would fail by it.
  if (set.model) chooseModel(parts.settings().models, set.model)
  if (set.spawnedBy && !session.key.includes(':subagent:'))
    throw new SluiceError('INVALID_REQUEST', 'spawnedBy is only supported for subagent:* sessions')
  const patch = Object.fromEntries(
    Object.entries(set).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, patched(name, value)] as const],
    ),
  )
  const { value } = await parts.store.write.patchSession(
    {
      ...{ sessionKey: session.key, agentId: session.agentId, patch, nowMs: parts.clock.now() },
      ...(call.key && { key: call.key }),
    },
    { signal: call.signal },
  )
  return { ok: true, path: `${parts.facts.stateDir}/sluice.db`, key: session.key, entry: entryOf(value) }
}

/** That thinking is off is what holds without a setting. */
function patched(name: string, value: string | null): string | null {
  return name === 'thinkingLevel' && value === 'off' ? null : value
}

function entryOf({ sessionId, updatedAtMs, label, settings, inputTokens, outputTokens }: SessionRow) {
  const { model, ...rest } = settings
  const [providerOverride, ...modelOverride] = model?.split('/') ?? []
  return {
    ...{ sessionId, updatedAt: updatedAtMs, inputTokens, outputTokens, totalTokens: inputTokens + outputTokens },
    ...(label !== undefined && { label }),
    ...(model !== undefined && { providerOverride, modelOverride: modelOverride.join('/') }),
    ...rest,
  }
}

async function deleteSession(parts: MethodParts, call: Call<'sessions.delete'>): Promise<Result<'sessions.delete'>> {
  const { store, engine } = parts
  const { key, agentId } = sessionNamed(parts, call.params.key, call)
  if (key === canonicalSession(MAIN_KEY, agentId).key) {
    throw new SluiceError('INVALID_REQUEST', `Cannot delete the main session (${key}).`, { outcome: 'not-started' })
  }
  // What was written to it since it was deleted is no business of a repeat.
  if (!call.key || !store.read.firstAnswer(call.key)) {
    await engine.stop({ runs: store.read.liveRuns(key), children: store.read.liveChildren(key) }, 'stop')
  }
  const { value } = await store.write.deleteSession(
    { sessionKey: key, nowMs: parts.clock.now(), ...(call.key && { key: call.key }) },
    { signal: call.signal },
  )
  return { ok: true, key, deleted: value.deleted, archived: value.sessionId === undefined ? [] : [value.sessionId] }
}

async function inject(parts: MethodParts, call: Call<'chat.inject'>): Promise<Result<'chat.inject'>> {
  const { sessionKey, message, label } = call.params
  const { key, agentId } = sessionNamed(parts, sessionKey, call)
  const nowMs = parts.clock.now()
  const text = label ? `[${label}]\n\n${message}` : message
  const notice = {
    id: `inject-${parts.random.uuid()}`,
    sessionKey: key,
    agentId,
    text,
    source: 'gateway',
    atMs: nowMs,
  } as const
  const { value } = await parts.store.write.tellSession(
    { notice, nowMs, ...(call.key && { key: call.key }) },
    { signal: call.signal },
  )
  return { ok: true, messageId: value.id.slice('inject-'.length) }
}

async function wake(parts: MethodParts, call: Call<'wake'>): Promise<Result<'wake'>> {
  const text = call.params.text.trim()
  if (text === '') return { ok: false }
  await tellMain(parts, call, text)
  return { ok: true }
}

/** An event that the main session of the default agent reads at its next free moment. */
export async function tellMain(
  parts: MethodParts,
  { caller, key, signal }: Pick<Call<'wake' | 'system-event'>, 'caller' | 'key' | 'signal'>,
  text: string,
): Promise<void> {
  const { clock, facts, random } = parts
  const session = sessionNamed(parts, MAIN_KEY)
  const stamp = formatInstant(Math.floor(clock.now() / 1000) * 1000, facts.zone)
  const run = {
    ...{ runId: key ? `${key.method}:${key.principal}:${key.key}` : random.uuid(), sessionKey: session.key },
    ...{ echoKey: session.key, agentId: session.agentId, text: `System: [${stamp}] ${text}`, source: 'event' as const },
  }
  await accept(parts, run, { caller, key, signal })
}
