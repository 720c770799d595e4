// What the model sees: built from journal entries by pairing calls and results, so that neither can be alone (L2), from
// the newest summary on where there is one. Pure. A call of an ended turn without a result is shown as interrupted; the
// present turn's open calls are handed back.
import { kindOfFile } from '../protocol/attachments.ts'
import type { ModelMessage } from '../providers/model.ts'
import { CONTEXT_LENGTH_MAX } from '../providers/traits.ts'
import type { Attachment, Entry } from '../store/rows.ts'
import { callId, type TurnCall } from './loop.ts'

/** What an image, or another file that is no text, counts for among characters. */
export const IMAGE_LENGTH = 6_000
export const INTERRUPTED = JSON.stringify({ status: 'error', error: 'interrupted, outcome unknown' })

type UserMessage = Extract<ModelMessage, { role: 'user' }>
/** A message whose files are still only named. */
export type ContextMessage =
  | Exclude<ModelMessage, UserMessage>
  | (Omit<UserMessage, 'attachments'> & { readonly attachments?: readonly Attachment[] })

export interface TurnContext {
  readonly messages: readonly ContextMessage[]
  /** Calls of the present turn's last message that have no result yet. */
  readonly pending: readonly TurnCall[]
  /** Texts of the present turn's messages so far. */
  readonly said: readonly string[]
  /** The present turn's last message asks for nothing more. */
  readonly answered: boolean
}

export type Summary = Extract<Entry['body'], { kind: 'compaction' }>

/** The newest summary of a transcript, and the entries that are shown word for word after it. */
export function sinceSummary(entries: readonly Entry[]): { summary: Summary | undefined; live: readonly Entry[] } {
  const summary = entries.map(({ body }) => body).findLast(body => body.kind === 'compaction')
  const from = summary?.keptFrom ?? 0
  return { summary, live: entries.filter(({ id, body }) => id >= from && body.kind !== 'compaction') }
}

/** `runId` is the present turn. Entries are of one session, in order; older turns are left out whole above `lengthMax`. */
export function buildContext(entries: readonly Entry[], runId: string, lengthMax = CONTEXT_LENGTH_MAX): TurnContext {
  const { summary, live } = sinceSummary(entries)
  const results = new Map<string, ResultBody>()
  for (const { body } of live) if (body.kind === 'result') results.set(callId(body.message, body.ordinal), body)
  const messages: ContextMessage[] = []
  const pending: TurnCall[] = []
  // A message whose calls are still open comes last, whatever was told to the session since: their results follow it.
  const open: ContextMessage[] = []
  const isBegunAnew = ({ runId: ofRun, body }: Entry) => ofRun === runId && body.kind === 'message' && body.isCut
  for (const entry of live.filter(entry => isForModel(entry) && !isBegunAnew(entry))) {
    const { body } = entry
    if (body.kind === 'input') messages.push(inputMessage(body, entry.createdAtMs))
    // The person heard it in this chat, so the model did say it; providers that want turns to alternate join them.
    if (body.kind === 'notice') messages.push({ role: 'assistant', text: body.text, calls: [] })
    if (body.kind !== 'message') continue
    const calls = body.calls.map(call => ({ ...call, id: callId(entry.id, call.ordinal), entry: entry.id }))
    const unanswered = entry.runId === runId ? calls.filter(call => !results.has(call.id)) : []
    pending.push(...unanswered.map(call => ({ ...call, resumed: true })))
    const place = unanswered.length > 0 ? open : messages
    place.push({ role: 'assistant', text: body.text, calls })
    place.push(...calls.flatMap(call => resultMessage(call, results.get(call.id), entry.runId !== runId)))
  }
  const own = live.flatMap(entry => (entry.runId === runId && !isBegunAnew(entry) ? [entry.body] : []))
  const spoken = own.flatMap(body => (body.kind === 'message' || body.kind === 'input' ? [body] : [])).at(-1)
  return {
    messages: [...summaryMessage(summary), ...withinLength([...messages, ...open], lengthMax)],
    pending,
    said: own.flatMap(body => (body.kind === 'message' && body.text !== '' ? [body.text] : [])),
    // What a person wrote after the last answer has none yet.
    answered: spoken?.kind === 'message' && spoken.calls.length === 0,
  }
}

export function inputMessage(
  { text, attachments, dated }: Extract<Entry['body'], { kind: 'input' }>,
  sentAtMs: number,
): ContextMessage {
  return { role: 'user', text, ...(dated && { sentAtMs }), ...(attachments && { attachments }) }
}

function isForModel({ body }: Entry): boolean {
  return body.kind !== 'input' || !body.control
}

type ResultBody = Extract<Entry['body'], { kind: 'result' }>

function summaryMessage(summary: Summary | undefined): ContextMessage[] {
  if (!summary) return []
  const text = `System: what was said before is not shown any more. A summary of it:\n<summary>\n${summary.summary}\n</summary>`
  return [{ role: 'user', text, isSummary: true }]
}

/** The result of a call; of an ended turn's call that has none, that it was interrupted. */
function resultMessage(call: TurnCall, result: ResultBody | undefined, ended: boolean): ContextMessage[] {
  if (!result && !ended) return []
  const { text, isError } = result ?? { text: INTERRUPTED, isError: true }
  return [{ role: 'tool', callId: call.id, name: call.name, text, isError }]
}

/** Leaves out the oldest messages, up to a user message, so that a call never loses its result. */
function withinLength(messages: readonly ContextMessage[], lengthMax: number): readonly ContextMessage[] {
  let total = 0
  let start: number | undefined
  for (let index = messages.length - 1; index >= 0; index -= 1) {
    const message = messages[index] as ContextMessage
    total += lengthOf(message)
    if (total > lengthMax && start !== undefined) return messages.slice(start)
    if (message.role === 'user') start = index
  }
  return messages
}

export function lengthOf(message: ContextMessage): number {
  switch (message.role) {
    case 'user':
      return message.text.length + attachmentsLength(message.attachments)
    case 'assistant':
      return message.text.length + JSON.stringify(message.calls).length
    case 'tool':
      return message.text.length
  }
}

export function attachmentsLength(attachments: readonly Attachment[] = []): number {
  return attachments.reduce((sum, { mime, bytes }) => sum + (kindOfFile(mime) === 'text' ? bytes : IMAGE_LENGTH), 0)
}
