// A conversation as the AI SDK writes it. What one provider's API wants that others do not is said by the caller in
// `PromptNeeds`, never asked by a provider's name here.
import type {
  LanguageModelV4FunctionTool,
  LanguageModelV4Message,
  LanguageModelV4ToolResultPart,
  SharedV4ProviderOptions,
} from '@ai-sdk/provider'
import type { ModelCall, ModelMessage, ModelRequest } from '../model.ts'
import { userContent } from './attachments.ts'

export interface PromptNeeds {
  /** Thoughts have to come back with the calls that followed them; as they are not kept, it thinks before its calls only. */
  readonly wantsThoughtsBack?: boolean
  /** The conversation begins with the person and ends with the person or a result; what the model said in a row is one message. */
  readonly personAround?: boolean
  /** What marks the end of a part that will come again as it is, for the provider's prompt cache. */
  readonly cacheMark?: SharedV4ProviderOptions
}

const BEFORE = '(The conversation so far begins here.)'
const AFTER = '(Go on.)'

export function toPrompt(request: ModelRequest, needs: PromptNeeds): LanguageModelV4Message[] {
  const { cacheMark } = needs
  const said = request.messages.filter(message => !isEmpty(message))
  const around = needs.personAround === true
  const messages = joined(around ? personAround(said) : said, { zone: request.zone, answersToo: around })
  const marked = (isMarked: boolean) => (cacheMark && isMarked ? { providerOptions: cacheMark } : {})
  return [
    { role: 'system', content: request.system, ...marked(true) },
    // All so far comes again with the next step and the next turn.
    ...messages.map((message, index) => ({ ...message, ...marked(index === messages.length - 1) })),
  ]
}

export function toTools(request: ModelRequest, { cacheMark }: PromptNeeds): LanguageModelV4FunctionTool[] {
  return request.tools.map((tool, index) => ({
    type: 'function',
    name: tool.name,
    description: tool.description,
    inputSchema: tool.parameters,
    ...(cacheMark && index === request.tools.length - 1 && { providerOptions: cacheMark }),
  }))
}

/** A notice may stand at either end: the session said it, and nobody asked. */
function personAround(messages: readonly ModelMessage[]): readonly ModelMessage[] {
  const first = messages[0]?.role === 'user' ? [] : [{ role: 'user' as const, text: BEFORE }]
  const last = messages.at(-1)?.role === 'assistant' ? [{ role: 'user' as const, text: AFTER }] : []
  return [...first, ...messages, ...last]
}

/** An answer without words or calls: no provider takes it back. */
function isEmpty(message: ModelMessage): boolean {
  return message.role === 'assistant' && isBlank(message.text) && message.calls.length === 0
}

function isBlank(text: string): boolean {
  return text.trim() === ''
}

/**
 * Results side by side become one message, as Gemini wants all of an answer's calls together. So do the model's own words
 * with `answersToo`, as it refuses calls that follow others; elsewhere the texts of one message run into each other.
 */
function joined(
  messages: readonly ModelMessage[],
  { zone, answersToo }: { readonly zone: string; readonly answersToo: boolean },
): LanguageModelV4Message[] {
  const all: LanguageModelV4Message[] = []
  for (const message of messages) {
    const next = toMessage(message, zone)
    const last = all.at(-1)
    if (last?.role === 'tool' && next.role === 'tool') last.content.push(...next.content)
    else if (answersToo && last?.role === 'assistant' && next.role === 'assistant') last.content.push(...next.content)
    else all.push(next)
  }
  return all
}

function toMessage(message: ModelMessage, zone: string): LanguageModelV4Message {
  switch (message.role) {
    case 'user':
      return { role: 'user', content: userContent(message, zone) }
    case 'assistant':
      return {
        role: 'assistant',
        // Some refuse a text of blanks alone, as models send before their calls.
        content: [
          ...(isBlank(message.text) ? [] : [{ type: 'text' as const, text: message.text }]),
          ...message.calls.map(toCall),
        ],
      }
    case 'tool':
      return { role: 'tool', content: [toResult(message)] }
  }
}

/** Arguments that were no JSON object are shown as one, as no provider takes anything else back. */
function toCall({ id, name, args }: ModelCall) {
  const isObject = typeof args === 'object' && args !== null && !Array.isArray(args)
  return {
    ...{ type: 'tool-call' as const, toolCallId: wireId(id), toolName: name },
    input: isObject ? args : { arguments: args },
  }
}

function toResult(result: Extract<ModelMessage, { role: 'tool' }>): LanguageModelV4ToolResultPart {
  const { callId, name, text, isError } = result
  return {
    ...{ type: 'tool-result', toolCallId: wireId(callId), toolName: name },
    output: { type: isError ? 'error-text' : 'text', value: text },
  }
}

/** `7:0` as every provider takes it: letters, digits, `_` and `-` alone. */
function wireId(id: string): string {
  return `call_${id.replaceAll(/[^\w-]/g, '_')}`
}
