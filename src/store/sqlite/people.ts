// Who may talk on channels: rows of people and strangers, their small reads and their writes. A stranger who is let in is
// a person in the commit that owes them the word for it; owners are asked in the commit that notes the stranger.
import { SluiceError } from '../../base/errors.ts'
import type { OwnerQuestion, PeopleReads, PersonName, PersonRow, StrangerRow } from '../port-people.ts'
import { onceSame } from './keys.ts'
import { queueTo } from './sends.ts'
import { fresh, type Tx, type WriteFunctions } from './tx.ts'

/** As for all small reads. */
const ROWS_MAX = 500
/** Any channel takes a message of so many UTF-16 units. */
const TEXT_LENGTH_MAX = 100
/** Owners of a channel who are asked of a stranger. */
const OWNERS_ASKED_MAX = 20

const FIND_PERSON = 'SELECT * FROM people WHERE channel_id = ? AND person_id = ?'
const LET_IN = `INSERT OR REPLACE INTO people (channel_id, person_id, name, handle, let_in_at_ms, let_in_by, owner_chat_id)
  VALUES (:channelId, :personId, :name, :handle, :nowMs, :by, :ownerChatId)`
const SHUT_OUT = 'DELETE FROM people WHERE channel_id = ? AND person_id = ?'
const END_OWNER = `UPDATE people SET owner_chat_id = NULL
  WHERE channel_id = ? AND person_id = ? AND owner_chat_id IS NOT NULL`
const OWNER_CHATS = `SELECT DISTINCT owner_chat_id AS chatId FROM people WHERE channel_id = ? AND owner_chat_id IS NOT NULL
  ORDER BY owner_chat_id LIMIT ${OWNERS_ASKED_MAX}`
const FIND_STRANGER = 'SELECT * FROM strangers WHERE channel_id = ? AND person_id = ? AND expires_at_ms > ?'
const FIND_CODE = 'SELECT * FROM strangers WHERE code = ? AND expires_at_ms > ? AND denied_by IS NULL'
const DENY = 'UPDATE strangers SET denied_by = :by WHERE channel_id = :channelId AND person_id = :personId'
const DROP_EXPIRED = 'DELETE FROM strangers WHERE expires_at_ms <= ?'
const DROP_STRANGER = 'DELETE FROM strangers WHERE channel_id = ? AND person_id = ?'
const COUNT_STRANGERS = 'SELECT count(*) AS n FROM strangers WHERE channel_id = ?'
const INSERT_STRANGER = `INSERT INTO strangers (channel_id, person_id, name, handle, code, chat_id, message_id,
    created_at_ms, expires_at_ms)
  VALUES (:channelId, :personId, :name, :handle, :code, :chatId, :messageId, :createdAtMs, :expiresAtMs)`

interface NameColumns {
  readonly channel_id: string
  readonly person_id: string
  readonly name: string | null
  readonly handle: string | null
}

interface PersonColumns extends NameColumns {
  readonly let_in_at_ms: number
  readonly let_in_by: string
  readonly owner_chat_id: string | null
}

interface StrangerColumns extends NameColumns {
  readonly code: string
  readonly chat_id: string
  readonly message_id: string
  readonly created_at_ms: number
  readonly expires_at_ms: number
  readonly denied_by: string | null
}

function nameOf({ channel_id, person_id, name, handle }: NameColumns): PersonName {
  return {
    ...{ channelId: channel_id, personId: person_id },
    ...(name !== null && { name }),
    ...(handle !== null && { handle }),
  }
}

function toPerson(row: PersonColumns): PersonRow {
  const { owner_chat_id: ownerChatId } = row
  const letIn = { letInAtMs: row.let_in_at_ms, letInBy: row.let_in_by }
  return { ...nameOf(row), ...letIn, ...(ownerChatId !== null && { ownerChatId }) }
}

function toStranger(row: StrangerColumns): StrangerRow {
  return {
    ...nameOf(row),
    ...{ code: row.code, chatId: row.chat_id, messageId: row.message_id },
    ...{ createdAtMs: row.created_at_ms, expiresAtMs: row.expires_at_ms },
    ...(row.denied_by !== null && { deniedBy: row.denied_by }),
  }
}

const noteStranger: WriteFunctions['noteStranger'] = (tx, { stranger, question, openMax, nowMs }) => {
  const { channelId, personId } = stranger
  const known = tx.get<StrangerColumns>(FIND_STRANGER, [channelId, personId, nowMs])
  if (known) return fresh(toStranger(known))
  tx.run(DROP_EXPIRED, [nowMs])
  if ((tx.get<{ n: number }>(COUNT_STRANGERS, [channelId])?.n ?? 0) >= openMax) return fresh(undefined)
  tx.run(INSERT_STRANGER, { ...stranger, name: stranger.name ?? null, handle: stranger.handle ?? null })
  for (const { chatId } of tx.all<{ chatId: string }>(OWNER_CHATS, [channelId])) {
    tell(tx, { id: `asks:${channelId}:${personId}:${nowMs}:${chatId}`, channelId, chatId, ...question, nowMs })
  }
  return fresh(stranger)
}

interface Told extends OwnerQuestion {
  readonly id: string
  readonly channelId: string
  readonly chatId: string
  readonly nowMs: number
}

function tell(tx: Tx, { id, channelId, chatId, text, buttons, textLengthMax, nowMs }: Told): void {
  const owed = { id, sessionKey: `channel:${channelId}:${chatId}`, text, buttons, source: 'control' as const }
  queueTo(tx, { channelId, chatId, textLengthMax }, { owed, nowMs })
}

type Coded = { code: string; channelId?: string; nowMs: number }

function requireStranger(tx: Tx, { code, channelId, nowMs }: Coded): StrangerColumns {
  const row = tx.get<StrangerColumns>(FIND_CODE, [code, nowMs])
  if (row && row.channel_id === (channelId ?? row.channel_id)) return row
  const message = `Nobody has the code ${code}; it was used or denied, or it may be over. Who waits: sluice pairing list`
  throw new SluiceError('INVALID_REQUEST', message, { outcome: 'not-started' })
}

function requirePerson(tx: Tx, channelId: string, personId: string): PersonRow {
  return toPerson(tx.get<PersonColumns>(FIND_PERSON, [channelId, personId]) as PersonColumns)
}

const letIn: WriteFunctions['letIn'] = (tx, args) =>
  onceSame(tx, args, () => {
    const { by, text, nowMs, isOwner } = args
    const { channel_id: channelId, person_id: personId, chat_id: chatId, name, handle } = requireStranger(tx, args)
    tx.run(LET_IN, { channelId, personId, name, handle, nowMs, by, ownerChatId: isOwner ? chatId : null })
    tx.run(DROP_STRANGER, [channelId, personId])
    const id = `let-in:${channelId}:${personId}:${nowMs}`
    tell(tx, { id, channelId, chatId, text, buttons: undefined, textLengthMax: TEXT_LENGTH_MAX, nowMs })
    return requirePerson(tx, channelId, personId)
  })

const denyStranger: WriteFunctions['denyStranger'] = (tx, args) =>
  onceSame(tx, args, () => {
    const stranger = toStranger(requireStranger(tx, args))
    const { channelId, personId } = stranger
    tx.run(DENY, { channelId, personId, by: args.by })
    return { ...stranger, deniedBy: args.by }
  })

const shutOut: WriteFunctions['shutOut'] = (tx, args) =>
  onceSame(tx, args, () => {
    const { channelId, personId, isOwnerOnly } = args
    return { removed: tx.run(isOwnerOnly ? END_OWNER : SHUT_OUT, [channelId, personId]).changes > 0 }
  })

export const peopleWrites = { noteStranger, letIn, denyStranger, shutOut }

type Params = readonly (string | number)[]
type Select = <R>(sql: string) => { all(params: Params): R[]; get(params: Params): R | undefined }

export function peopleReads(select: Select): PeopleReads {
  const one = select<PersonColumns>(FIND_PERSON)
  const page = select<PersonColumns>('SELECT * FROM people ORDER BY let_in_at_ms DESC, channel_id, person_id LIMIT ?')
  const oneStranger = select<StrangerColumns>(FIND_STRANGER)
  const open = select<StrangerColumns>(
    'SELECT * FROM strangers WHERE expires_at_ms > ? ORDER BY created_at_ms, code LIMIT ?',
  )
  return {
    person(channelId, personId) {
      const row = one.get([channelId, personId])
      return row && toPerson(row)
    },
    people: limit => page.all([Math.min(limit, ROWS_MAX)]).map(toPerson),
    stranger({ channelId, personId, nowMs }) {
      const row = oneStranger.get([channelId, personId, nowMs])
      return row && toStranger(row)
    },
    strangers: ({ nowMs, limit }) => open.all([nowMs, Math.min(limit, ROWS_MAX)]).map(toStranger),
  }
}
