// What the model sees: built from journal entries by pairing calls and results, so that neither can be alone (L2).
// Pure. A call of an ended turn without a result is shown as interrupted; the present turn's open calls are handed back.
import type { ModelMessage } from '../providers/model.ts'
import type { Entry } from '../store/rows.ts'
import { callId, type TurnCall } from './loop.ts'

/** Characters of transcript that go to a model; older turns are left out whole. */
export const CONTEXT_LENGTH_MAX = 300_000
export const INTERRUPTED = JSON.stringify({ status: 'error', error: 'interrupted, outcome unknown' })

export interface TurnContext {
  readonly messages: readonly ModelMessage[]
  /** Calls of the present turn's last message that have no result yet. */
  readonly pending: readonly TurnCall[]
  /** Texts of the present turn's messages so far. */
  readonly said: readonly string[]
  /** The present turn's last message asks for nothing more. */
  readonly answered: boolean
}

/** `runId` is the present turn. Entries are of one session, in order. */
export function buildContext(entries: readonly Entry[], runId: string): TurnContext {
  const results = new Map<string, ResultBody>()
  for (const { body } of entries) if (body.kind === 'result') results.set(callId(body.message, body.ordinal), body)
  const messages: ModelMessage[] = []
  const pending: TurnCall[] = []
  // A message whose calls are still open comes last, whatever was told to the session since: their results follow it.
  const open: ModelMessage[] = []
  for (const entry of entries) {
    const { body } = entry
    if (body.kind === 'input') messages.push(inputMessage(body))
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
  const own = entries.flatMap(({ runId: ofRun, body }) => (ofRun === runId ? [body] : []))
  const spoken = own.flatMap(body => (body.kind === 'message' || body.kind === 'input' ? [body] : [])).at(-1)
  return {
    messages: withinLength([...messages, ...open]),
    pending,
    said: own.flatMap(body => (body.kind === 'message' && body.text !== '' ? [body.text] : [])),
    // What a person wrote after the last answer has none yet.
    answered: spoken?.kind === 'message' && spoken.calls.length === 0,
  }
}

export function inputMessage({ text }: Extract<Entry['body'], { kind: 'input' }>): ModelMessage {
  return { role: 'user', text }
}

type ResultBody = Extract<Entry['body'], { kind: 'result' }>

/** The result of a call; of an ended turn's call that has none, that it was interrupted. */
function resultMessage(call: TurnCall, result: ResultBody | undefined, ended: boolean): ModelMessage[] {
  if (!result && !ended) return []
  const { text, isError } = result ?? { text: INTERRUPTED, isError: true }
  return [{ role: 'tool', callId: call.id, name: call.name, text, isError }]
}

/** Leaves out the oldest messages, up to a user message, so that a call never loses its result. */
function withinLength(messages: readonly ModelMessage[]): readonly ModelMessage[] {
  let total = 0
  let start: number | undefined
  for (let index = messages.length - 1; index >= 0; index -= 1) {
    const message = messages[index] as ModelMessage
    total += lengthOf(message)
    if (total > CONTEXT_LENGTH_MAX && start !== undefined) return messages.slice(start)
    if (message.role === 'user') start = index
  }
  return messages
}

function lengthOf(message: ModelMessage): number {
  return message.role === 'assistant' ? message.text.length + JSON.stringify(message.calls).length : message.text.length
}
