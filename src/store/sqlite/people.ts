// Who may talk on channels: rows of people and strangers, their small reads and their writes. A stranger who is let in is
// a person in the commit that owes them the word for it.
import { SluiceError } from '../../base/errors.ts'
import type { PeopleReads, PersonName, PersonRow, StrangerRow } from '../port-people.ts'
import { onceSame } from './keys.ts'
import { queueTo } from './sends.ts'
import { fresh, type Tx, type WriteFunctions } from './tx.ts'

/** As for all small reads. */
const ROWS_MAX = 500
/** Any channel takes a message of so many UTF-16 units. */
const TEXT_LENGTH_MAX = 100

const FIND_PERSON = 'SELECT * FROM people WHERE channel_id = ? AND person_id = ?'
const LET_IN = `INSERT OR REPLACE INTO people (channel_id, person_id, name, handle, let_in_at_ms, let_in_by)
  VALUES (:channelId, :personId, :name, :handle, :nowMs, :by)`
const SHUT_OUT = 'DELETE FROM people WHERE channel_id = ? AND person_id = ?'
const FIND_STRANGER = 'SELECT * FROM strangers WHERE channel_id = ? AND person_id = ? AND expires_at_ms > ?'
const FIND_CODE = 'SELECT * FROM strangers WHERE code = ? AND expires_at_ms > ?'
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
}

interface StrangerColumns extends NameColumns {
  readonly code: string
  readonly chat_id: string
  readonly message_id: string
  readonly created_at_ms: number
  readonly expires_at_ms: number
}

function nameOf({ channel_id, person_id, name, handle }: NameColumns): PersonName {
  return {
    ...{ channelId: channel_id, personId: person_id },
    ...(name !== null && { name }),
    ...(handle !== null && { handle }),
  }
}

function toPerson(row: PersonColumns): PersonRow {
  return { ...nameOf(row), letInAtMs: row.let_in_at_ms, letInBy: row.let_in_by }
}

function toStranger(row: StrangerColumns): StrangerRow {
  return {
    ...nameOf(row),
    ...{ code: row.code, chatId: row.chat_id, messageId: row.message_id },
    ...{ createdAtMs: row.created_at_ms, expiresAtMs: row.expires_at_ms },
  }
}

const noteStranger: WriteFunctions['noteStranger'] = (tx, { stranger, openMax, nowMs }) => {
  const { channelId, personId } = stranger
  const known = tx.get<StrangerColumns>(FIND_STRANGER, [channelId, personId, nowMs])
  if (known) return fresh(toStranger(known))
  tx.run(DROP_EXPIRED, [nowMs])
  if ((tx.get<{ n: number }>(COUNT_STRANGERS, [channelId])?.n ?? 0) >= openMax) return fresh(undefined)
  tx.run(INSERT_STRANGER, { ...stranger, name: stranger.name ?? null, handle: stranger.handle ?? null })
  return fresh(stranger)
}

function requirePerson(tx: Tx, channelId: string, personId: string): PersonRow {
  return toPerson(tx.get<PersonColumns>(FIND_PERSON, [channelId, personId]) as PersonColumns)
}

const letIn: WriteFunctions['letIn'] = (tx, args) =>
  onceSame(tx, args, () => {
    const { code, by, text, nowMs } = args
    const row = tx.get<StrangerColumns>(FIND_CODE, [code, nowMs])
    if (!row) {
      const message = `Nobody has the code ${code}; it may be over. Who waits: sluice pairing list`
      throw new SluiceError('INVALID_REQUEST', message, { outcome: 'not-started' })
    }
    const { channel_id: channelId, person_id: personId, chat_id: chatId, name, handle } = row
    tx.run(LET_IN, { channelId, personId, name, handle, nowMs, by })
    tx.run(DROP_STRANGER, [channelId, personId])
    const owed = { id: `let-in:${channelId}:${personId}:${nowMs}`, sessionKey: `channel:${channelId}:${chatId}`, text }
    const route = { channelId, chatId, textLengthMax: TEXT_LENGTH_MAX }
    queueTo(tx, route, { owed: { ...owed, source: 'control' }, nowMs })
    return requirePerson(tx, channelId, personId)
  })

const shutOut: WriteFunctions['shutOut'] = (tx, args) =>
  onceSame(tx, args, () => ({ removed: tx.run(SHUT_OUT, [args.channelId, args.personId]).changes > 0 }))

export const peopleWrites = { noteStranger, letIn, shutOut }

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
