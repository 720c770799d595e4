// Takes what a person wrote in a chat of a channel through the one door, once (T4): what it becomes is on disk before the
// channel acknowledges it (L1). What is no turn, a command's answer or a refusal, is owed to the chat as a control
// answer. It waits for no turn; who may talk, its gate says.
import { formatDuration, MINUTE } from '../base/durations.ts'
import { asSluiceError, ERROR_CODES } from '../base/errors.ts'
import { declarationOf, type MethodName, type ParamsInput, type Result } from '../protocol/catalogue.ts'
import type { Scope } from '../protocol/method.ts'
import type { Route } from '../store/port.ts'
import { type Asking, commandOf, type Told } from './commands.ts'
import { type ChannelFile, fetched } from './files.ts'
import type { Knock } from './gate.ts'
import { shownName, shownWords } from './names.ts'
import { decide } from './owners.ts'
import type { ReceiverParts } from './receiver.ts'

export interface InboundMessage extends Knock {
  readonly text: string
  readonly files?: readonly ChannelFile[]
  readonly edited?: true
  readonly atMs: number
  readonly forwardedFrom?: string
  readonly answers?: { readonly from?: string; readonly text: string }
}

/** Who writes in a chat writes and decides there, and looks at nothing else. */
const WRITER: ReadonlySet<Scope> = new Set(['operator.write', 'operator.approvals'])

const HANDS_ON: ReadonlySet<Scope> = new Set(['operator.write'])
/** Who wrote before that is told of as such: "in ten minutes" was said then. */
const LATE_MS = 10 * MINUTE

/** Of an earlier message that is answered, which the agent may not remember. */
const ANSWERED_LENGTH_MAX = 300

/** What became of a message: it is a turn's, it was answered at once, or it was not heard. */
export type Received = 'taken' | 'answered' | 'dropped'

/** Resolves once what became of the message is on disk. Rejects where nothing was, and it is to be handed on again. */
export async function receive(parts: ReceiverParts, message: InboundMessage): Promise<Received> {
  const { store, clock, gate, textLengthMax, sessionOf, poke } = parts
  const { channelId, chatId, messageId } = message
  const id = `control:${channelId}:${chatId}:${messageId}`
  if (store.read.send(`${id}#1`)) return 'answered'
  const verdict = await gate.judge(message)
  const sessionKey = sessionOf(message)
  const route = { channelId, chatId, textLengthMax }
  const told = verdict.heard ? await answerOf(parts, message, { sessionKey, route }) : verdict.told
  const { text, buttons } = typeof told === 'object' ? told : { text: told, buttons: undefined }
  if (text !== undefined) await store.write.queueControl({ id, sessionKey, route, text, buttons, nowMs: clock.now() })
  poke()
  if (!verdict.heard) return 'dropped'
  return text === undefined ? 'taken' : 'answered'
}

type From = { readonly sessionKey: string; readonly route: Route }

/** What the person is told at once; undefined where a turn will answer. */
async function answerOf(parts: ReceiverParts, message: InboundMessage, from: From): Promise<Told> {
  const { files = [], text, forwardedFrom } = message
  // Words of others decide nothing here.
  const told = files.length === 0 && forwardedFrom === undefined ? commandOf(text) : undefined
  try {
    return await (told
      ? told.command.answer(askingOf(parts, message, { ...from, words: told.words }))
      : send(parts, message, from))
  } catch (error) {
    const refusal = asSluiceError(error)
    // The world may come right, and the message is still with its channel. A full queue is no reason to keep it there: it
    // would stand before the chat's next message, which may be a stop.
    if (ERROR_CODES[refusal.code] === 'world' && refusal.details?.queue !== 'full') throw refusal
    return refusal.message
  }
}

async function send(parts: ReceiverParts, message: InboundMessage, { sessionKey, route }: From) {
  const { chatId, messageId, text, files = [], forwardedFrom } = message
  const whose =
    forwardedFrom === undefined ? '' : `[hands on a message of ${shownName({ id: '?', name: forwardedFrom })}] `
  const attachments = await fetched(files, { clock: parts.clock, bytesMax: parts.fileBytesMax() })
  const params = {
    sessionKey,
    // A file may come without a word.
    message: text.trim() === '' && attachments.length > 0 ? `${whose}(a file)` : `${whose}${text}`,
    idempotencyKey: runIdOf(message),
    ...(attachments.length > 0 && { attachments }),
  }
  const preface = prefaceOf(message, parts.clock.now())
  const scopes = forwardedFrom === undefined ? WRITER : HANDS_ON
  const from = { key: `${chatId}:${messageId}`, route, scopes, ...(preface !== '' && { preface }) }
  const { aborted } = (await parts.call('chat.send', params, from)) as { aborted?: boolean }
  if (aborted === undefined) return undefined
  return aborted ? 'Stopped.' : 'Nothing was running here.'
}

/** The run that a message asks for. */
export function runIdOf({ channelId, chatId, messageId }: Pick<Knock, 'channelId' | 'chatId' | 'messageId'>): string {
  return `channel:${channelId}:${chatId}:${messageId}`
}

/** An edited message is a new one that says what it is: the turn that was told the old words may have acted on them. */
function prefaceOf({ from, group, edited, atMs, answers }: InboundMessage, nowMs: number): string {
  const lateMs = nowMs - atMs
  const said = [
    ...(group ? [shownName(from)] : []),
    ...(answers
      ? [`answers ${shownWords(answers.from ?? 'you', 60)}: “${shownWords(answers.text, ANSWERED_LENGTH_MAX)}”`]
      : []),
    ...(edited ? ['corrects an earlier message'] : []),
    ...(lateMs < LATE_MS ? [] : [`written ${formatDuration(lateMs)} ago`]),
  ]
  return said.length === 0 ? '' : `[${said.join(', ')}] `
}

function askingOf(
  parts: ReceiverParts,
  message: InboundMessage,
  { sessionKey, route, words }: From & { words: string },
): Asking {
  const { store, clock, call, actionBytesMax } = parts
  const { channelId, chatId, messageId } = message
  const key = `${chatId}:${messageId}`
  return {
    ...{ store, channelId, chatId, sessionKey, words, actionBytesMax, nowMs: clock.now() },
    call: async <M extends MethodName>(method: M, params: ParamsInput<M>) => {
      const scopes = new Set([declarationOf(method).scope])
      return (await call(method, params as object, { key, route, scopes })) as Result<M>
    },
    decide: verb => decide(parts, message, { verb, code: words, key }),
  }
}
