// A conversation as the AI SDK writes it. What one provider's API wants that others do not is said by the caller in
// `PromptNeeds`, never asked by a provider's name here.
import type { LanguageModelV4FunctionTool, LanguageModelV4Message, SharedV4ProviderOptions } from '@ai-sdk/provider'
import type { ModelMessage, ModelRequest } from '../model.ts'
import { userContent } from './attachments.ts'

export interface PromptNeeds {
  /** Thoughts have to come back with the calls that followed them; as they are not kept, it thinks before its calls only. */
  readonly wantsThoughtsBack?: boolean
  /** The conversation begins with the person and ends with the person or a result. */
  readonly personAround?: boolean
  /** What marks the end of a part that will come again as it is, for the provider's prompt cache. */
  readonly cacheMark?: SharedV4ProviderOptions
}

const BEFORE = '(The conversation so far begins here.)'
const AFTER = '(Go on.)'

export function toPrompt(request: ModelRequest, needs: PromptNeeds): LanguageModelV4Message[] {
  const { cacheMark } = needs
  const messages = needs.personAround ? personAround(request.messages) : request.messages
  const marked = (isMarked: boolean) => (cacheMark && isMarked ? { providerOptions: cacheMark } : {})
  return [
    { role: 'system', content: request.system, ...marked(true) },
    // All so far comes again with the next step and the next turn.
    ...messages.map((message, index) => ({
      ...toMessage(message, request.zone),
      ...marked(index === messages.length - 1),
    })),
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

function toMessage(message: ModelMessage, zone: string): LanguageModelV4Message {
  switch (message.role) {
    case 'user':
      return { role: 'user', content: userContent(message, zone) }
    case 'assistant':
      return {
        role: 'assistant',
        content: [
          ...(message.text === '' ? [] : [{ type: 'text' as const, text: message.text }]),
          ...message.calls.map(call => ({
            type: 'tool-call' as const,
            toolCallId: wireId(call.id),
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
            toolCallId: wireId(message.callId),
            toolName: message.name,
            output: { type: message.isError ? 'error-text' : 'text', value: message.text },
          },
        ],
      }
  }
}

/** `7:0` as every provider takes it: letters, digits, `_` and `-` alone. */
function wireId(id: string): string {
  return `call_${id.replaceAll(/[^\w-]/g, '_')}`
}
