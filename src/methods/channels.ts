// Handlers on channels: how they fare, and who may talk there beside those whom the config names. A person who may talk
// is a row; letting one in and shutting one out holds from their next message on.
import type { Call, Handlers } from '../dispatch/dispatcher.ts'
import type { Result } from '../protocol/catalogue.ts'
import type { CHANNEL_METHODS } from '../protocol/methods/channels.ts'
import type { PersonName, PersonRow, StrangerRow } from '../store/port-people.ts'
import type { MethodParts } from './parts.ts'

const ACCOUNT = 'default'
const LISTED_MAX = 200
const QUEUED_COUNTED_MAX = 500
const WELCOME = 'You are let in. Write to me as to a person; /help says more.'

export function channelHandlers(parts: MethodParts): Pick<Handlers, keyof typeof CHANNEL_METHODS> {
  const { store, clock, delivery } = parts
  return {
    'channels.status': () => statusOf(parts),
    'channels.pairing.list': () => ({
      strangers: store.read.strangers({ nowMs: clock.now(), limit: LISTED_MAX }).map(shownStranger),
      people: store.read.people(LISTED_MAX).map(shownPerson),
    }),
    'channels.pairing.approve': async call => {
      const { owner: isOwner = false } = call.params
      const { value } = await store.write.letIn(
        { ...decided(parts, call), isOwner, text: WELCOME },
        { signal: call.signal },
      )
      delivery.poke()
      return { ok: true, person: shownPerson(value) }
    },
    'channels.pairing.deny': async call => {
      const { value } = await store.write.denyStranger(decided(parts, call), { signal: call.signal })
      return { ok: true, stranger: shownStranger(value) }
    },
    'channels.pairing.revoke': async ({ params: { channel, person, ownerOnly = false }, key, signal }) => {
      const who = { channelId: channel, personId: person, isOwnerOnly: ownerOnly }
      const asked = { ...who, ...(key && { key }), nowMs: clock.now() }
      const { value } = await store.write.shutOut(asked, { signal })
      return { ok: true, removed: value.removed }
    },
  }
}

/** What a person of a chat decides is for that channel alone. */
function decided({ clock }: MethodParts, call: Call<'channels.pairing.approve' | 'channels.pairing.deny'>) {
  const { params, caller, key } = call
  const here = caller.route && { channelId: caller.route.channelId }
  return { code: params.code, ...here, by: caller.label, ...(key && { key }), nowMs: clock.now() }
}

function shownName({ channelId, personId, name, handle }: PersonName) {
  return {
    ...{ channel: channelId, person: personId },
    ...(name !== undefined && { name }),
    ...(handle !== undefined && { handle }),
  }
}

function shownPerson(row: PersonRow): Result<'channels.pairing.approve'>['person'] {
  return { ...shownName(row), letInAtMs: row.letInAtMs, letInBy: row.letInBy, owner: row.ownerChatId !== undefined }
}

function shownStranger(row: StrangerRow): Result<'channels.pairing.list'>['strangers'][number] {
  const { code, chatId, createdAtMs, expiresAtMs, deniedBy } = row
  const denied = deniedBy !== undefined && { deniedBy }
  return { ...shownName(row), code, chat: chatId, createdAtMs, expiresAtMs, ...denied }
}

function statusOf({ clock, store, delivery }: MethodParts): Result<'channels.status'> {
  const reports = delivery.reports()
  const each = <T>(value: (report: (typeof reports)[number]) => T) =>
    Object.fromEntries(reports.map(report => [report.id, value(report)]))
  return {
    ts: clock.now(),
    channelOrder: reports.map(({ id }) => id),
    channelLabels: each(({ id }) => id),
    channelDetailLabels: each(({ id }) => id),
    channelSystemImages: {},
    channelMeta: reports.map(({ id }) => ({ id, label: id, detailLabel: id })),
    channels: each(({ phase }) => ({ configured: true, running: phase === 'running' })),
    channelAccounts: each(({ id, phase, error, account, heard, dropped, lastInboundAtMs, lastOutboundAtMs }) => [
      {
        ...{ accountId: ACCOUNT, enabled: true, configured: true, running: phase === 'running', phase, heard, dropped },
        lastError: error ?? null,
        lastInboundAt: lastInboundAtMs ?? null,
        lastOutboundAt: lastOutboundAtMs ?? null,
        ...(account !== undefined && { account }),
        queued: store.read.queuedSendCount(id, QUEUED_COUNTED_MAX),
      },
    ]),
    channelDefaultAccountId: each(() => ACCOUNT),
  }
}
