// A tiny model of what people in chats should have seen, held against what they have: each message that a channel was told
// is taken became one thing, a turn, an answer or a control answer; each text that was owed to a chat was sent, in order,
// once, or nobody knows and its person was told so; and nothing was seen that was not owed.
import type { Sighting } from '../../src/channels/loopback/loopback.ts'
import type { Chats, Letter } from './chats.ts'
import type { Evidence } from './evidence.ts'
import { type ChannelPlan, sessionOfChat } from './talk.ts'

interface SendRecord {
  readonly seq: number
  readonly id: string
  readonly text_id: string
  readonly channel_id: string
  readonly chat_id: string
  readonly source: string
  readonly is_control: number
  readonly text: string
  readonly state: string
  readonly attempt: number
}

interface OwedRecord {
  readonly id: string
  readonly session_key: string
  readonly text: string
  readonly state: string
  readonly created_at_ms: number
}

/** What was found of the chats, beside the rest of the evidence. */
interface Mail extends Evidence {
  readonly chats: Chats
  readonly sends: ReadonlyMap<string, SendRecord>
  /** How often somebody asked for a send once more, by its id. */
  readonly resent: ReadonlyMap<string, number>
}

export function auditChats(evidence: Evidence, chats: Chats): void {
  const rows = evidence.reader.prepare('SELECT * FROM sends ORDER BY seq').all() as SendRecord[]
  const asked = chats.letters.flatMap(({ text }) => /^\/resend (\S+)$/.exec(text)?.[1] ?? [])
  const resent = new Map([...new Set(asked)].map(id => [id, asked.filter(one => one === id).length]))
  const mail: Mail = { ...evidence, chats, sends: new Map(rows.map(row => [row.id, row])), resent }
  for (const letter of chats.letters) auditLetter(mail, letter)
  for (const plan of evidence.scenario.talk.channels) {
    for (const chatId of plan.chats) auditOwed(mail, plan, chatId)
    for (const { messageId, text } of chats.shownIn(plan.id))
      if (mail.sends.get(messageId)?.text !== text) evidence.seen.violate('chats', `${messageId} was shown, not owed`)
  }
  for (const row of rows) auditSend(mail, row)
}

const ANSWERED = `SELECT count(*) FROM keys WHERE principal = ? AND key = ?
  AND (method = 'outbox.resend' OR outcome ->> 'approval' IS NOT NULL)`

/** Taken once, as one thing. */
function auditLetter({ reader, runs, sends, seen }: Mail, letter: Letter): void {
  const { channelId, chatId, messageId, text } = letter
  const name = `${channelId}:${chatId}:${messageId}`
  const wrong = (what: string) => seen.violate('inbox', `the message ${name} (${text}) ${what}`)
  if (letter.ackedMs === undefined) wrong('is not acknowledged at rest')
  const run = runs.get(`channel:${name}`)
  const answers = Number(reader.prepare(ANSWERED).pluck().get(`channel:${channelId}`, `${chatId}:${messageId}`))
  const told = sends.get(`control:${name}#1`)
  const count = (run ? 1 : 0) + Math.min(1, answers) + (told ? 1 : 0)
  // What is said when there is nothing to be sent again follows the key of the request.
  const isResend = text.startsWith('/resend ')
  if (count === 0 || (count > 1 && !isResend)) wrong(`became ${count} things`)
  if (run && run.session_key !== sessionOfChat(channelId, chatId)) wrong(`is a turn of ${run.session_key}`)
  if (text === '/stop' && !told) wrong('is a command and was not answered')
}

const OWED = 'SELECT id, session_key, text, state, created_at_ms FROM outbox WHERE session_key = ?'

/** All that the session of a chat was told since somebody wrote there is on its way to them, whole. */
function auditOwed(mail: Mail, plan: ChannelPlan, chatId: string): void {
  const { reader, runs, seen, sends } = mail
  const sessionKey = sessionOfChat(plan.id, chatId)
  const first = [...runs.values()].find(run => run.run_id.startsWith(`channel:${plan.id}:${chatId}:`))
  const since = first?.created_at_ms ?? Number.POSITIVE_INFINITY
  for (const owed of reader.prepare(OWED).all(sessionKey) as OwedRecord[]) {
    const pieces = [...sends.values()].filter(row => row.text_id === owed.id)
    if (pieces.length === 0 && owed.created_at_ms <= since) continue
    const isWhole = bare(pieces.map(row => row.text).join('')) === bare(owed.text)
    if (!isWhole) seen.violate('chats', `${owed.id} is owed to ${sessionKey} and is cut into ${pieces.length} others`)
    if (pieces.some(row => row.text.length > plan.textLengthMax)) seen.violate('chats', `${owed.id} is too long`)
    if (owed.state === 'unread' && pieces.length > 0 && pieces.every(row => row.state === 'sent'))
      seen.violate('chats', `${owed.id} was sent and is unread`)
  }
  const shown = mail.chats.shownIn(plan.id).filter(one => one.chatId === chatId)
  for (const isControl of [0, 1]) inOrder(mail, shown, isControl)
}

const bare = (text: string) => text.replaceAll(/\s+/g, '')

/** The texts of a line are seen in the order in which they were owed, but what somebody asked for once more. */
function inOrder({ sends, resent, seen }: Mail, shown: readonly Sighting[], isControl: number): void {
  const line = shown.flatMap(({ messageId }) => sends.get(messageId) ?? [])
  const order = line.filter(row => row.is_control === isControl && !resent.has(row.id))
  for (const [index, row] of order.entries()) {
    const before = order[index - 1]
    if (before && before.seq >= row.seq) seen.violate('chats', `${row.id} was seen after ${before.id}`)
  }
}

/** A send that is over: seen once; or not to be sent, and why; or nobody knows, and its person was told that. */
function auditSend(mail: Mail, row: SendRecord): void {
  const { chats, sends, resent, seen, scenario } = mail
  const wrong = (what: string) => seen.violate('chats', `${row.id} is ${row.state}${what}`)
  const count = chats.shownIn(row.channel_id).filter(one => one.messageId === row.id).length
  const dedupes = scenario.talk.channels.find(plan => plan.id === row.channel_id)?.dedupesSends === true
  const times = dedupes ? 1 : 1 + (resent.get(row.id) ?? 0)
  if (count > times) wrong(` and was seen ${count} times`)
  const doubt = sends.get(`doubt:${row.id}:${row.attempt}#1`)
  switch (row.state) {
    case 'sent':
      if (count === 0) wrong(' and was not seen')
      return
    case 'failed':
      if (!chats.refused.has(row.id)) wrong(', and nobody refused it')
      return
    case 'unconfirmed':
      if (dedupes || (!doubt && row.source !== 'doubt')) wrong(', and nobody was told')
      return
    case 'expired':
      if (row.source !== 'approval' || isPending(mail, row)) wrong(', and its time was not over')
      return
    default:
      wrong(' at rest')
  }
}

function isPending({ reader }: Mail, { text_id }: SendRecord): boolean {
  return reader.prepare('SELECT state FROM approvals WHERE id = ?').pluck().get(text_id) === 'pending'
}
