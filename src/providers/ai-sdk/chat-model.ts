// A model behind an AI SDK provider, through the provider's own streaming call. The SDK's loop and retries are not
// used: the turn's loop is ours, and tools are handed over without a way to run them (L2).
import {
  APICallError,
  type LanguageModelV4,
  type LanguageModelV4Message,
  type LanguageModelV4StreamPart,
} from '@ai-sdk/provider'
import type {
  Model,
  ModelCall,
  ModelEvent,
  ModelFailureKind,
  ModelMessage,
  ModelRequest,
  ModelUsage,
} from '../model.ts'
import { userContent } from './attachments.ts'
import { isTooLong } from './too-long.ts'

/** Longest reply text and tool-call input that is kept of one answer; a model that sends more is cut off as garbled. */
const ANSWER_LENGTH_MAX = 2_000_000

export function chatModel(ref: string, language: LanguageModelV4): Model {
  return { ref, stream: request => streamChat(ref, language, request) }
}

async function* streamChat(ref: string, language: LanguageModelV4, request: ModelRequest): AsyncGenerator<ModelEvent> {
  const answer = new Answer()
  try {
    const { stream } = await language.doStream({
      prompt: toPrompt(request),
      tools: request.tools.map(tool => ({
        type: 'function',
        name: tool.name,
        description: tool.description,
        inputSchema: tool.parameters,
      })),
      abortSignal: request.signal,
    })
    for await (const part of stream) {
      const text = answer.take(part)
      if (text) yield { type: 'delta', text }
      if (answer.length > ANSWER_LENGTH_MAX) break
    }
    yield answer.end(ref)
  } catch (error) {
    if (request.signal.aborted) yield aborted()
    else yield answer.length > 0 ? cutOff(ref) : failed(ref, error)
  }
}

const MAKE_ROOM = 'Shorten the message, or begin a new conversation.'
const CHECK_API = 'Check that models.providers.*.baseUrl is an OpenAI-compatible API, then send the message again.'

/** Gathers one answer from its parts. */
class Answer {
  #text = ''
  #inputLength = 0
  readonly #calls: ModelCall[] = []
  #usage: ModelUsage | undefined
  #finish: string | undefined
  #error: unknown

  get length(): number {
    return this.#text.length + this.#inputLength
  }

  /** Takes a part; answers text to show, if it has any. */
  take(part: LanguageModelV4StreamPart): string | undefined {
    switch (part.type) {
      case 'text-delta':
        this.#text += part.delta
        return part.delta
      case 'tool-input-delta':
        this.#inputLength += part.delta.length
        return undefined
      case 'tool-call':
        this.#calls.push({ id: part.toolCallId, name: part.toolName, args: parseArgs(part.input) })
        return undefined
      case 'finish':
        this.#finish = part.finishReason.unified
        this.#usage = usageOf(part.usage)
        return undefined
      case 'error':
        this.#error ??= part.error
        return undefined
      default:
        return undefined
    }
  }

  end(ref: string): ModelEvent {
    if (this.#error !== undefined) return failed(ref, this.#error)
    if (this.length > ANSWER_LENGTH_MAX)
      return failure('garbled', `${ref} sent an answer of over ${ANSWER_LENGTH_MAX} characters; it was cut off.`)
    if (this.#finish === undefined || this.#finish === 'interrupted') return cutOff(ref)
    if (this.#finish === 'error')
      return failure('unavailable', `${ref} reported an error while it answered. Try again.`)
    if (this.#text === '' && this.#calls.length === 0) {
      return failure('garbled', `${ref} sent an empty answer (finish reason ${this.#finish}). ${CHECK_API}`)
    }
    return { type: 'done', text: this.#text, calls: this.#calls, ...(this.#usage && { usage: this.#usage }) }
  }
}

/** Arguments that are no JSON stay text; the tool then refuses them in words the model can act on. */
function parseArgs(input: string): unknown {
  if (input.trim() === '') return {}
  try {
    return JSON.parse(input)
  } catch {
    return input
  }
}

function usageOf(usage: {
  inputTokens: { total: number | undefined }
  outputTokens: { total: number | undefined }
}): ModelUsage {
  return {
    ...(usage.inputTokens.total !== undefined && { inputTokens: usage.inputTokens.total }),
    ...(usage.outputTokens.total !== undefined && { outputTokens: usage.outputTokens.total }),
  }
}

function toPrompt(request: ModelRequest): LanguageModelV4Message[] {
  return [{ role: 'system', content: request.system }, ...request.messages.map(toMessage)]
}

function toMessage(message: ModelMessage): LanguageModelV4Message {
  switch (message.role) {
    case 'user':
      return { role: 'user', content: userContent(message) }
    case 'assistant':
      return {
        role: 'assistant',
        content: [
          ...(message.text === '' ? [] : [{ type: 'text' as const, text: message.text }]),
          ...message.calls.map(call => ({
            type: 'tool-call' as const,
            toolCallId: call.id,
            toolName: call.name,
            input: call.args,
          })),
        ],
      }
    case 'tool':
      return {
        role: 'tool',
        content: [
          {
            type: 'tool-result',
            toolCallId: message.callId,
            toolName: message.name,
            output: { type: message.isError ? 'error-text' : 'text', value: message.text },
          },
        ],
      }
  }
}

function failure(kind: ModelFailureKind, message: string, retryAfterMs?: number): ModelEvent {
  return { type: 'failed', kind, message, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

function cutOff(ref: string): ModelEvent {
  return failure('cut-off', `${ref} stopped in the middle of its answer. Send the message again.`)
}

function aborted(): ModelEvent {
  return failure('aborted', 'The answer was stopped.')
}

/** A provider's error as one sentence with the fix; never its body, which may hold secrets. */
function failed(ref: string, error: unknown): ModelEvent {
  if (!APICallError.isInstance(error)) {
    const reason = error instanceof Error ? error.message : String(error)
    // The SDK's own errors quote what was sent; a person is not shown garbage.
    const detail = error instanceof Error && error.name.startsWith('AI_') ? 'not the wire format' : shorten(reason)
    const unreachable = /ECONNREFUSED|ENOTFOUND|fetch failed|connect|socket|terminated|other side closed/i.test(reason)
    return unreachable
      ? failure(
          'unavailable',
          `${ref} cannot be reached (${shorten(reason)}). Check models.providers.*.baseUrl and that it runs.`,
        )
      : failure('garbled', `${ref} sent an answer that is not understood (${detail}). ${CHECK_API}`)
  }
  const provider = ref.split('/')[0]
  if (isTooLong(error)) return failure('too-long', `The conversation is longer than what ${ref} takes. ${MAKE_ROOM}`)
  switch (error.statusCode) {
    case 401:
    case 403:
      return failure(
        'auth',
        `${ref} refused the key (${error.statusCode}). Set models.providers.${provider}.apiKey to a valid one.`,
      )
    case 404:
      return failure(
        'not-found',
        `${ref} does not exist there (404). Check the model's name and models.providers.${provider}.baseUrl.`,
      )
    case 429:
      return failure(
        'rate-limited',
        `${ref} is rate limited (429). Wait a moment, or choose another model.`,
        retryAfter(error),
      )
    case undefined:
      return failure(
        'unavailable',
        `${ref} cannot be reached (${shorten(error.message)}). Check models.providers.${provider}.baseUrl and that it runs.`,
      )
    default:
      if (error.statusCode >= 500)
        return failure(
          'unavailable',
          `${ref} is failing (${error.statusCode}). Try again later, or choose another model.`,
        )
      if (error.statusCode < 300)
        return failure(
          'garbled',
          `${ref} sent an answer that is not understood. Check that ${`models.providers.${provider}.baseUrl`} is an OpenAI-compatible API.`,
        )
      return failure('refused', `${ref} refused the request (${error.statusCode}): ${shorten(error.message)}`)
  }
}

function retryAfter(error: APICallError): number | undefined {
  const seconds = Number(error.responseHeaders?.['retry-after'])
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, 3600) * 1000 : undefined
}

function shorten(words: string): string {
  const text = words.replaceAll(/\s+/g, ' ').trim()
  return text.length > 200 ? `${text.slice(0, 199)}…` : text
}
