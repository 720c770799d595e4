// The built-in model that needs no key: a deterministic adapter of the Model port over a documented grammar
// (docs/offline-model.md). It keeps no state between requests, reads the clock it is given, calls only tools that the
// request offers, and asks back whatever it does not understand whole.
import type { Model, ModelCall, ModelEvent, ModelMessage, ModelRequest } from '../model.ts'
import { type Exchange, exchangesOf } from './conversation.ts'
import { change } from './flow-change.ts'
import { cancelAll, confirmCancelAll, list, remindOfQuestion, targeted, whatRan } from './flow-jobs.ts'
import { remind } from './flow-remind.ts'
import { conversation, send, sessions, status, time } from './flow-sessions.ts'
import type { Intent } from './intent.ts'
import { askBack, HELP, IDENTITY, notReached, smallTalk, unseen } from './replies.ts'
import { type Decision, type Scene, say } from './scene.ts'
import { understand } from './understand.ts'

export interface OfflineModelOptions {
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number
  /** The person's IANA zone. */
  readonly zone: string
}

export const OFFLINE_MODEL_REF = 'sluice/offline'

export function createOfflineModel(options: OfflineModelOptions): Model {
  return { ref: OFFLINE_MODEL_REF, stream: request => answer(request, options) }
}

async function* answer(request: ModelRequest, options: OfflineModelOptions): AsyncGenerator<ModelEvent> {
  let decision: Decision
  try {
    decision = decide(request, options)
  } catch (error) {
    // The port never throws; the sentence names the defect so that it can be reported.
    yield {
      type: 'failed',
      kind: 'garbled',
      message: `The offline model failed on this conversation: ${String(error)}`,
    }
    return
  }
  const text = decision.kind === 'say' ? decision.text : ''
  for (const delta of deltasOf(text)) {
    if (request.signal.aborted) break
    yield { type: 'delta', text: delta }
  }
  if (request.signal.aborted) {
    yield { type: 'failed', kind: 'aborted', message: 'The answer was stopped.' }
    return
  }
  yield { type: 'done', text, calls: callsOf(decision, request.messages) }
}

const WORDS_PER_DELTA = 3

function deltasOf(text: string): readonly string[] {
  const words = text.match(/\S+\s*/g) ?? []
  const groups = Math.ceil(words.length / WORDS_PER_DELTA)
  return Array.from({ length: groups }, (_, group) =>
    words.slice(group * WORDS_PER_DELTA, (group + 1) * WORDS_PER_DELTA).join(''),
  )
}

/** Ids follow from the place in the conversation; one that is taken already gets a longer ending. */
function callsOf(decision: Decision, messages: readonly ModelMessage[]): readonly ModelCall[] {
  if (decision.kind === 'say') return []
  const taken = new Set(
    messages.flatMap(message => (message.role === 'assistant' ? message.calls.map(each => each.id) : [])),
  )
  return decision.calls.map(({ name, args }, index) => {
    let id = `offline-${messages.length}-${index}`
    while (taken.has(id)) id += '-again'
    return { id, name, args }
  })
}

function decide(request: ModelRequest, { now, zone }: OfflineModelOptions): Decision {
  const exchanges = exchangesOf(request.messages)
  const tools = new Set(request.tools.map(tool => tool.name))
  const here = { now: now(), zone, tools }
  const current = exchanges.at(-1)
  if (!current) return say(HELP)
  const decision = decideFor(current, { ...here, steps: current.steps, before: exchanges.slice(0, -1) })
  if (decision.kind === 'call') return decision
  return say([...unansweredBefore(exchanges, here), ...unseenIn(request.messages), decision.text].join('\n\n'))
}

/** Of the files that came with the message to answer. */
function unseenIn(messages: readonly ModelMessage[]): readonly string[] {
  const current = messages.findLast(message => message.role === 'user')
  const names = current?.role === 'user' ? current.attachments?.map(({ name }) => name) : undefined
  return names && names.length > 0 ? [unseen(names)] : []
}

function decideFor(exchange: Exchange, scene: Scene): Decision {
  return flowOf(understand(exchange.text), scene)
}

function flowOf(intent: Intent, scene: Scene): Decision {
  switch (intent.kind) {
    case 'remind':
      return remind(scene, intent)
    case 'list':
      return list(scene, intent)
    case 'cancel':
    case 'pause':
    case 'resume':
    case 'run':
    case 'job-history':
      return targeted(scene, intent)
    case 'change':
      return change(scene, intent)
    case 'cancel-all':
      return cancelAll(scene)
    case 'confirm-cancel-all':
      return confirmCancelAll(scene)
    case 'what-ran':
      return whatRan(scene, intent)
    case 'conversation':
      return conversation(scene)
    case 'sessions':
      return sessions(scene)
    case 'send':
      return send(scene, intent)
    case 'status':
      return status(scene)
    case 'identity':
      return say(IDENTITY)
    case 'time':
      return time(scene, intent.zone)
    case 'help':
      return say(HELP)
    case 'small-talk':
      return say((intent.mood === 'acknowledged' && remindOfQuestion(scene)) || smallTalk(intent.mood))
    case 'unclear':
      return say(askBack(intent, scene.steps))
  }
}

const UNANSWERED_MAX = 5

/**
 * A message may arrive while an earlier one is being worked on. What was done for that one is confirmed here too; what
 * was not is never done late, since the person may have stopped it, but named.
 */
function unansweredBefore(exchanges: readonly Exchange[], here: Omit<Scene, 'steps' | 'before'>): readonly string[] {
  const texts: string[] = []
  for (let place = exchanges.length - 2; place >= 0 && texts.length < UNANSWERED_MAX; place--) {
    const exchange = exchanges[place]
    if (exchange?.reply !== '') break
    const decision = decideFor(exchange, { ...here, steps: exchange.steps, before: exchanges.slice(0, place) })
    if (decision.kind === 'call') texts.unshift(notReached(exchange.text.trim()))
    else if (exchange.steps.length > 0) texts.unshift(decision.text)
  }
  return texts
}
