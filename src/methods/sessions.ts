// Handlers that show sessions and chats. What they show is derived from journal, runs and notices.
import { MINUTE } from '../base/durations.ts'
import { formatInstant } from '../base/zoned-time.ts'
import type { Call, Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import { chatMessage } from '../protocol/events.ts'
import type { SessionName } from '../sessions/session-key.ts'
import type { Attachment, Entry, RunRow, SessionRow } from '../store/rows.ts'
import { callId } from '../turns/loop.ts'
import { checkHandOn, mayTalk, sessionNamed } from './agents.ts'
import type { MethodParts } from './parts.ts'

/** Characters of messages that one history answer may carry; older ones are left out. */
const HISTORY_LENGTH_MAX = 4_000_000
/** Journal entries read for one history answer. */
const HISTORY_ENTRIES_MAX = 500
const UNREAD_MAX = 100
const SESSIONS_MAX = 100

type SessionMethods =
  | 'chat.history'
  | 'chat.unread'
  | 'chat.markRead'
  | 'sessions.list'
  | 'sessions.reset'
  | 'sessions.status'

export function sessionHandlers(parts: MethodParts): Pick<Handlers, SessionMethods> {
  const { store, clock } = parts
  return {
    'chat.history': async call => {
      const { key } = sessionNamed(parts, call.params.sessionKey, call)
      const session = store.read.session(key)
      const limit = call.params.limit ?? 200
      const entries = await store.readLarge.entries(key, HISTORY_ENTRIES_MAX)
      const messages = entries.flatMap(shownMessages).slice(-limit)
      return {
        sessionKey: call.params.sessionKey,
        ...(session && { sessionId: session.sessionId }),
        messages: withinLength(messages),
        thinkingLevel: session?.settings.thinkingLevel ?? 'off',
      }
    },
    'chat.unread': async call => {
      const rows = await store.readLarge.unreadNotices(
        sessionNamed(parts, call.params.sessionKey, call).key,
        UNREAD_MAX,
      )
      return { notices: rows.map(({ jobId, ...notice }) => ({ ...notice, ...(jobId !== undefined && { jobId }) })) }
    },
    'chat.markRead': async call => {
      const { value } = await store.write.markNoticesRead(
        { ids: call.params.ids, nowMs: clock.now() },
        { signal: call.signal },
      )
      return { ok: true, marked: value.marked }
    },
    'sessions.list': call => listSessions(parts, call),
    'sessions.reset': async call => {
      const session = sessionNamed(parts, call.params.key, call)
      if (!store.read.session(session.key)) checkHandOn(parts, undefined, session.agentId)
      const { value } = await store.write.resetSession(
        { sessionKey: session.key, agentId: session.agentId, ...(call.key && { key: call.key }), nowMs: clock.now() },
        { signal: call.signal },
      )
      return { ok: true, key: session.key, entry: { sessionId: value.sessionId, updatedAt: value.updatedAtMs } }
    },
    'sessions.status': call => sessionStatus(parts, sessionNamed(parts, call.params.key, call)),
  }
}

function listSessions(parts: MethodParts, { params, caller }: Call<'sessions.list'>): Result<'sessions.list'> {
  const now = parts.clock.now()
  const { turn } = caller
  // What a turn is not shown takes no place of what it is.
  const agentId = params.agentId?.toLowerCase() ?? (parts.settings().agentToAgent.enabled ? undefined : turn?.agentId)
  const all = parts.store.read.sessions({
    limit: params.limit ?? SESSIONS_MAX,
    ...(agentId !== undefined && { agentId }),
    ...(params.search !== undefined && { search: params.search }),
    ...(params.activeMinutes !== undefined && { updatedSinceMs: now - params.activeMinutes * MINUTE }),
  })
  const rows = turn ? all.filter(row => mayTalk(parts.settings(), turn.agentId, row.agentId)) : all
  const [modelProvider = '', ...model] = parts.facts.modelRef.split('/')
  return {
    ts: now,
    path: `${parts.facts.stateDir}/sluice.db`,
    count: rows.length,
    defaults: { modelProvider, model: model.join('/') },
    sessions: rows.map(row => toRow(parts, row)),
  }
}

function toRow(parts: MethodParts, row: SessionRow): Result<'sessions.list'>['sessions'][number] {
  return {
    key: row.key,
    kind: row.key.includes(':group:') || row.key.includes(':channel:') ? 'group' : 'direct',
    sessionId: row.sessionId,
    updatedAt: row.updatedAtMs,
    inputTokens: row.inputTokens,
    outputTokens: row.outputTokens,
    totalTokens: row.inputTokens + row.outputTokens,
    ...(row.label !== undefined && { label: row.label }),
    ...(row.lastMessage !== undefined && { lastMessagePreview: row.lastMessage }),
    state: stateOf(parts, row.key),
  }
}

function stateOf(parts: MethodParts, key: string): 'idle' | 'running' | 'queued' {
  if (parts.lanes.holder(key) !== undefined) return 'running'
  return parts.lanes.waiting(key).length > 0 ? 'queued' : 'idle'
}

function sessionStatus(parts: MethodParts, { key, agentId }: SessionName): Result<'sessions.status'> {
  const session = parts.store.read.session(key)
  return {
    sessionKey: key,
    model: session?.settings.model ?? parts.facts.modelOf(agentId),
    zone: parts.facts.zone,
    now: formatInstant(Math.floor(parts.clock.now() / 1000) * 1000, parts.facts.zone),
    state: stateOf(parts, key),
    runs: parts.store.read.liveRuns(key).map(run => ({
      runId: run.runId,
      status: run.state as Extract<RunRow['state'], 'queued' | 'running'>,
      ...(run.startedAtMs !== undefined && { startedAt: run.startedAtMs }),
    })),
    inputTokens: session?.inputTokens ?? 0,
    outputTokens: session?.outputTokens ?? 0,
    unread: parts.store.read.unreadCount(key, UNREAD_MAX),
  }
}

/** One journal entry as the messages that clients of the protocol show. */
function shownMessages(entry: Entry): Result<'chat.history'>['messages'] {
  const { body, createdAtMs } = entry
  switch (body.kind) {
    case 'input': {
      const message = chat('user', body.text, createdAtMs)
      return [{ ...message, content: [...message.content, ...(body.attachments ?? []).map(shownAttachment)] }]
    }
    case 'decision':
      return [chat('user', body.text, createdAtMs)]
    case 'notice':
      return [chat('assistant', body.text, createdAtMs)]
    case 'message': {
      const text = body.text === '' ? [] : [{ type: 'text', text: body.text }]
      const calls = body.calls.map(call => ({
        type: 'toolCall',
        id: callId(entry.id, call.ordinal),
        name: call.name,
        arguments: call.args,
      }))
      const [provider = '', ...model] = body.model.split('/')
      return [
        {
          role: 'assistant',
          content: [...text, ...calls],
          timestamp: createdAtMs,
          provider,
          model: model.join('/'),
          usage: body.usage ?? {},
        },
      ]
    }
    case 'result': {
      const message = chat('toolResult', body.text, createdAtMs)
      return [
        { ...message, toolCallId: callId(body.message, body.ordinal), toolName: body.name, isError: body.isError },
      ]
    }
    case 'attempt':
    case 'compaction':
    case 'end':
      return []
  }
}

/** Without its bytes: a history is small. */
function shownAttachment({ blob, mime, name, bytes }: Attachment) {
  return { type: 'attachment', mimeType: mime, fileName: name, bytes, blob }
}

function chat(role: 'user' | 'assistant' | 'toolResult', text: string, timestamp: number) {
  const message = chatMessage(role, text, timestamp)
  return { ...message, content: [...message.content] }
}

function withinLength<M>(messages: M[]): M[] {
  let total = 0
  for (let index = messages.length - 1; index >= 0; index -= 1) {
    total += JSON.stringify(messages[index]).length
    if (total > HISTORY_LENGTH_MAX) return messages.slice(index + 1)
  }
  return messages
}
