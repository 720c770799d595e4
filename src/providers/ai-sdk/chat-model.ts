// A model behind an AI SDK provider, through the provider's own streaming call. The SDK's loop and retries are not
// used: the turn's loop is ours, and tools are handed over without a way to run them (L2). A provider that says nothing
// for too long is given up.
import type {
  LanguageModelV4,
  LanguageModelV4StreamPart,
  LanguageModelV4Usage,
  SharedV4ProviderOptions,
} from '@ai-sdk/provider'
import { formatDuration } from '../../base/durations.ts'
import type { Clock } from '../../base/world.ts'
import type { ServedChoice } from '../choice.ts'
import type { Model, ModelCall, ModelEvent, ModelFailure, ModelRequest, ModelUsage } from '../model.ts'
import { aborted, checkApi, cutOff, failure, failureOf } from './failures.ts'
import { type PromptNeeds, toPrompt, toTools } from './prompt.ts'
import { Silence } from './silence.ts'

/** Longest reply text and tool-call input that is kept of one answer; a model that sends more is cut off as garbled. */
const ANSWER_LENGTH_MAX = 2_000_000

export interface Spoken {
  readonly choice: ServedChoice
  readonly language: LanguageModelV4
  readonly clock: Clock
  readonly needs?: PromptNeeds
  /** Given with each request. */
  readonly options?: SharedV4ProviderOptions
}

export function chatModel(spoken: Spoken): Model {
  return { ref: spoken.choice.ref, stream: request => streamChat(spoken, request) }
}

async function* streamChat(spoken: Spoken, request: ModelRequest): AsyncGenerator<ModelEvent> {
  const { choice } = spoken
  const answer = new Answer(choice, request)
  const silence = new Silence(spoken.clock, choice.silenceMsMax)
  try {
    for await (const part of await ask(spoken, request, silence.signal)) {
      silence.heard()
      const text = answer.take(part)
      if (text) yield { type: 'delta', text }
      if (answer.length > ANSWER_LENGTH_MAX) break
    }
    const note = answer.note()
    if (note !== undefined) yield { type: 'delta', text: note }
    yield answer.end()
  } catch (error) {
    const broken = () => (answer.length > 0 ? cutOff(choice.ref) : failureOf(choice, error))
    yield request.signal.aborted ? aborted() : answer.failed(silence.signal.aborted ? tooSilent(choice) : broken())
  } finally {
    silence.close()
  }
}

async function ask({ language, needs = {}, options }: Spoken, request: ModelRequest, silence: AbortSignal) {
  const { stream } = await language.doStream({
    prompt: toPrompt(request, needs),
    tools: toTools(request, needs),
    abortSignal: AbortSignal.any([request.signal, silence]),
    ...thinkingOf(request, needs),
    ...(options && { providerOptions: options }),
  })
  return stream
}

function thinkingOf({ thinking, messages }: ModelRequest, { wantsThoughtsBack }: PromptNeeds) {
  if (thinking === undefined || (wantsThoughtsBack && messages.at(-1)?.role === 'tool')) return {}
  return { reasoning: thinking === 'off' ? ('none' as const) : thinking }
}

function tooSilent({ ref, provider, silenceMsMax }: ServedChoice): ModelFailure {
  return failure(
    'timed-out',
    `${ref} said nothing for ${formatDuration(silenceMsMax)} and was given up. Try again later, choose another model, ` +
      `or raise models.providers.${provider}.timeoutSeconds.`,
  )
}

/** Finish reasons by which an answer is not whole, in words. */
const STOPPED: Readonly<Record<string, string>> = {
  length: 'reached the limit of one answer. Ask it to go on, ask for less, or lower its thinking level.',
  'content-filter': 'was stopped by its content filter. Ask in other words, or choose another model.',
}

/** Gathers one answer from its parts. */
class Answer {
  readonly #choice: ServedChoice
  /** Who has seen the results of its calls may have nothing to add. */
  readonly #mayBeEmpty: boolean
  #text = ''
  #inputLength = 0
  readonly #calls: ModelCall[] = []
  #usage: ModelUsage | undefined
  #finish: string | undefined
  #error: unknown

  constructor(choice: ServedChoice, { messages }: ModelRequest) {
    this.#choice = choice
    this.#mayBeEmpty = messages.at(-1)?.role === 'tool'
  }

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

  end(): ModelEvent {
    const { ref } = this.#choice
    if (this.#error !== undefined) return this.failed(this.#broken(this.#error))
    if (this.length > ANSWER_LENGTH_MAX) {
      const words = `${ref} sent an answer of over ${ANSWER_LENGTH_MAX} characters; it was cut off.`
      return this.failed(failure('garbled', words))
    }
    if (this.#finish === undefined || this.#finish === 'interrupted') return this.failed(cutOff(ref))
    if (this.#finish === 'error') {
      return this.failed(failure('unavailable', `${ref} reported an error while it answered. Try again.`))
    }
    if (this.#text === '' && this.#calls.length === 0) {
      const stopped = this.#stopped()
      if (stopped !== undefined) return failure('refused', stopped)
      if (this.#finish !== 'stop' || !this.#mayBeEmpty) {
        return failure(
          'garbled',
          `${ref} sent an empty answer (finish reason ${this.#finish}). ${checkApi(this.#choice)}`,
        )
      }
    }
    return { type: 'done', text: this.#text, calls: this.#calls, ...(this.#usage && { usage: this.#usage }) }
  }

  /** What is put after the words of an answer that its model did not end. */
  note(): string | undefined {
    const stopped = this.#stopped()
    if (stopped === undefined || this.#error !== undefined || this.#text === '' || this.#calls.length > 0)
      return undefined
    const note = `\n\n(${stopped})`
    this.#text += note
    return note
  }

  #stopped(): string | undefined {
    const why = this.#finish === undefined ? undefined : STOPPED[this.#finish]
    return why === undefined ? undefined : `${this.#choice.ref} ${why}`
  }

  /** An answer that began well and is then not understood was cut in the middle of a line. */
  #broken(error: unknown): ModelFailure {
    const failed = failureOf(this.#choice, error)
    return failed.kind === 'garbled' && this.length > 0 ? cutOff(this.#choice.ref) : failed
  }

  /** The failure, with what was said before it. */
  failed(failed: ModelFailure): ModelFailure {
    return this.#text === '' ? failed : { ...failed, said: this.#text }
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

/** Only what the provider told; an unknown number is left out, never zero. */
function usageOf({ inputTokens, outputTokens }: LanguageModelV4Usage): ModelUsage {
  return {
    ...(inputTokens.total !== undefined && { inputTokens: inputTokens.total }),
    ...(outputTokens.total !== undefined && { outputTokens: outputTokens.total }),
    ...(inputTokens.cacheRead ? { cacheReadTokens: inputTokens.cacheRead } : {}),
    ...(inputTokens.cacheWrite ? { cacheWriteTokens: inputTokens.cacheWrite } : {}),
  }
}
