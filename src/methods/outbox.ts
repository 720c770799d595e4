// Handlers that show what a channel's chats are still owed, and have it sent again. Nothing is sent here: rows change, and
// whoever carries them is told to look.
import type { Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import { canonicalSession } from '../sessions/session-key.ts'
import type { SendRow } from '../store/rows.ts'
import { mayTalk } from './agents.ts'
import type { MethodParts } from './parts.ts'

const LISTED_MAX = 50

export function outboxHandlers(parts: MethodParts): Pick<Handlers, 'outbox.list' | 'outbox.resend'> {
  const { store, clock, delivery, settings } = parts
  return {
    'outbox.list': ({ params, caller: { turn } }) => {
      const open = store.read.openSends(params.limit ?? LISTED_MAX)
      const agentOf = ({ sessionKey }: SendRow) => canonicalSession(sessionKey, settings().defaultAgent).agentId
      // A process of a turn is told what its turn may read.
      const told = open.filter(send => !turn || mayTalk(settings(), turn.agentId, agentOf(send)))
      return { sends: told.map(shown) }
    },
    'outbox.resend': async ({ params, key, signal }) => {
      const asked = { id: params.id, ...(key && { key }), nowMs: clock.now() }
      const { value } = await store.write.resend(asked, { signal })
      delivery.poke()
      return { ok: true, queued: value.queued, state: value.send.state }
    },
  }
}

function shown(row: SendRow): Result<'outbox.list'>['sends'][number] {
  const { id, sessionKey, source, text, state, attempt, dueAtMs, error, createdAtMs, expiresAtMs } = row
  return {
    ...{
      id,
      sessionKey,
      channel: row.channelId,
      chat: row.chatId,
      source,
      text,
      state,
      attempt,
      createdAtMs,
      expiresAtMs,
    },
    ...(dueAtMs !== undefined && { dueAtMs }),
    ...(error !== undefined && { error }),
  }
}
