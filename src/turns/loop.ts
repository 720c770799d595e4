// The loop of one turn: ask the model, hand out its message, run its calls, ask again. A pure function of its context,
// model, tools and signal; it keeps no journal and knows no gateway. Whoever pulls it commits each event before it
// pulls the next (L2). A model that fails is data: the loop ends, it never throws.
import {
  type Model,
  type ModelCall,
  type ModelEvent,
  type ModelFailure,
  type ModelMessage,
  type ModelUsage,
  PASSING,
  type Thinking,
  type ToolSpec,
} from '../providers/model.ts'
import type { FailureKind } from '../store/rows.ts'

export interface TurnLimits {
  /** Model answers in one turn. */
  readonly stepsMax: number
  /** Calls with the same name and arguments, one after the other. */
  readonly identicalCallsMax: number
}
export const TURN_LIMITS: TurnLimits = { stepsMax: 40, identicalCallsMax: 5 }

/** A call as the journal numbers it: `id` is `<entry>:<ordinal>`, never the provider's. */
export interface TurnCall extends ModelCall {
  readonly entry: number
  readonly ordinal: number
  /** Left open by an earlier attempt: whether it ran is not known. */
  readonly resumed?: boolean
}

export interface CallResult {
  readonly text: string
  readonly isError: boolean
}

export interface LoopInput {
  readonly model: Model
  readonly system: string
  /** Of the person. */
  readonly zone: string
  /** Up to where the turn stands; a resumed turn's own messages are in it. */
  readonly messages: readonly ModelMessage[]
  /** Calls of the last message that have no result yet (a resumed turn). */
  readonly pending: readonly TurnCall[]
  /** Texts of the turn's messages so far (a resumed turn). */
  readonly said: readonly string[]
  /** The last message asked for nothing more: only the end was not written. */
  readonly answered: boolean
  readonly tools: readonly ToolSpec[]
  readonly thinking?: Thinking
  /** Runs a call. A tool's failure is a result; it throws only to end the turn. */
  readonly invoke: (call: TurnCall) => Promise<CallResult>
  readonly signal: AbortSignal
  readonly limits: TurnLimits
}

export type LoopEvent =
  /** `because`: why it is another model's turn than the one's before. */
  | { readonly type: 'attempt'; readonly model: string; readonly because?: string }
  | { readonly type: 'delta'; readonly text: string }
  | {
      readonly type: 'message'
      readonly text: string
      readonly calls: readonly ModelCall[]
      readonly model: string
      readonly usage?: ModelUsage
      /** It broke off, and the turn ends. */
      readonly isCut?: true
    }

/** What the puller answers to an attempt or a message. */
export interface LoopAnswer {
  /** Of a message: the entry's number, by which its calls are known from then on. */
  readonly entry?: number
  /** Of an attempt: why the model must not be asked, as a sentence. */
  readonly refused?: string
  /** What people wrote meanwhile; it belongs to the turn now. */
  readonly merged: readonly ModelMessage[]
}

export interface LoopEnd {
  readonly state: 'ok' | 'failed' | 'aborted'
  /** All texts of the turn's messages, in order. */
  readonly reply: string
  readonly error?: string
  /** Of a failed one. */
  readonly failure?: FailureKind
  /** Its last request was longer than the model takes, and nothing of an answer to it was shown. */
  readonly tooLong?: true
}

/** Without a kind it is a limit that the turn has reached. */
type Ending = (state: LoopEnd['state'], error?: string, failure?: FailureKind) => LoopEnd

export async function* runLoop(input: LoopInput): AsyncGenerator<LoopEvent, LoopEnd, LoopAnswer> {
  const messages = [...input.messages]
  const breaker = new CallBreaker(input.limits.identicalCallsMax)
  const texts = [...input.said]
  const end: Ending = (state, error, failure = 'refused') => ({
    state,
    reply: texts.filter(text => text !== '').join('\n\n'),
    ...(error !== undefined && state === 'failed' && { error, failure }),
  })
  if (input.answered) return end('ok')
  await runCalls(input, input.pending, messages)
  for (let left = input.limits.stepsMax; left > 0; left -= 1) {
    if (input.signal.aborted) return end('aborted')
    const begun = yield { type: 'attempt', model: input.model.ref }
    if (begun.refused !== undefined) return end('failed', begun.refused)
    messages.push(...begun.merged)
    const answer = yield* ask(input, messages)
    if (answer.type === 'failed') {
      texts.push(yield* keepSaid(input, answer))
      return failedEnd(input, answer, end)
    }
    const { entry = 0, merged } = yield toMessage(input, answer)
    texts.push(answer.text)
    if (answer.calls.length === 0 && merged.length === 0) return end('ok')
    const calls = number(answer.calls, entry)
    messages.push({ role: 'assistant', text: answer.text, calls }, ...merged)
    // The limit is on what a turn does by itself: each word of a person begins it anew.
    if (begun.merged.length + merged.length > 0) left = input.limits.stepsMax + 1
    const repeated = breaker.trips(calls)
    if (repeated) return end('failed', tooManyEqual(repeated, input.limits))
    await runCalls(input, calls, messages)
  }
  return end('failed', `Stopped after ${input.limits.stepsMax} steps, the limit of one turn. Send a message to go on.`)
}

function failedEnd(
  input: LoopInput,
  { kind, message, unsaid }: ModelFailure & { readonly unsaid: boolean },
  end: Ending,
): LoopEnd {
  if (kind === 'aborted' || input.signal.aborted) return end('aborted')
  const failure = PASSING.has(kind) ? 'transient' : kind === 'refused' ? 'refused' : 'permanent'
  return { ...end('failed', message, failure), ...(kind === 'too-long' && unsaid && { tooLong: true as const }) }
}

function toMessage(input: LoopInput, answer: Done): LoopEvent {
  const { text, calls, usage, model = input.model.ref } = answer
  return { type: 'message', text, calls, model, ...(usage && { usage }) }
}

/** What was said of an answer that broke off becomes a message too: a person has read it. */
async function* keepSaid(input: LoopInput, answer: ModelFailure): AsyncGenerator<LoopEvent, string, LoopAnswer> {
  const { said = '', model = input.model.ref } = answer
  if (said !== '') yield { type: 'message', text: said, calls: [], model, isCut: true }
  return said
}

function tooManyEqual(name: string, limits: TurnLimits): string {
  return `Stopped: the model called ${name} more than ${limits.identicalCallsMax} times in a row with the same arguments.`
}

type Done = Extract<ModelEvent, { type: 'done' }>
/** `unsaid`: nothing of the answer was shown before it failed. */
type Answer = Done | (ModelFailure & { readonly unsaid: boolean })

async function* ask(
  input: LoopInput,
  messages: readonly ModelMessage[],
): AsyncGenerator<LoopEvent, Answer, LoopAnswer> {
  const { model, system, zone, tools, signal, thinking } = input
  const stream = model.stream({ system, zone, messages, tools, signal, ...(thinking && { thinking }) })
  let unsaid = true
  for await (const event of stream) {
    if (event.type === 'failed') return { ...event, unsaid }
    if (event.type === 'done') return event
    if (event.type === 'delta') {
      unsaid = false
      yield event
    } else {
      const { refused } = yield { type: 'attempt', model: event.model, because: event.because }
      if (refused !== undefined) return { type: 'failed', unsaid, kind: 'refused', message: refused }
    }
  }
  return { type: 'failed', unsaid, kind: 'garbled', message: `${input.model.ref} ended without an answer.` }
}

/** One after the other, in the model's order; each result is committed by `invoke` before the next call starts. */
async function runCalls(input: LoopInput, calls: readonly TurnCall[], messages: ModelMessage[]): Promise<void> {
  for (const call of calls) {
    if (input.signal.aborted) return
    const result = await input.invoke(call)
    messages.push({ role: 'tool', callId: call.id, name: call.name, ...result })
  }
}

function number(calls: readonly ModelCall[], entry: number): TurnCall[] {
  return calls.map((call, ordinal) => ({ ...call, id: callId(entry, ordinal), entry, ordinal }))
}

export function callId(entry: number, ordinal: number): string {
  return `${entry}:${ordinal}`
}

/** Counts equal calls in a row. */
class CallBreaker {
  readonly #max: number
  #last = ''
  #count = 0

  constructor(max: number) {
    this.#max = max
  }

  /** The name of the call that makes one too many, if any. */
  trips(calls: readonly ModelCall[]): string | undefined {
    for (const call of calls) {
      const shape = JSON.stringify([call.name, call.args])
      this.#count = shape === this.#last ? this.#count + 1 : 1
      this.#last = shape
      if (this.#count > this.#max) return call.name
    }
    return undefined
  }
}
