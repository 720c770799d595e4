// `POST /v1/chat/completions`, as clients of that API know it: a request is a turn of an agent, whole or streamed. It
// knows the wire of that API and nothing of how a turn comes about.
import * as z from 'zod'
import { SECOND } from '../../base/durations.ts'
import { errorToData, SluiceError } from '../../base/errors.ts'
import { BUFFERED_BYTES_MAX } from '../../protocol/limits.ts'
import { promptOf, refuseTools, textOf, Unsaid } from './prompt.ts'
import type { Ask, ErrorShape, Reply } from './reply.ts'
import { Sse } from './sse.ts'
import { type TurnParts, takeTurn, type Used, type Wanted } from './turn.ts'

const messageSchema = z.looseObject({ role: z.string(), content: z.unknown().optional() })
const requestSchema = z.looseObject({
  model: z.string().max(200).nullish(),
  messages: z.array(messageSchema),
  stream: z.boolean().nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  user: z.string().min(1).nullish(),
})

const MODEL_DEFAULT = 'sluice'

/** The error that clients of these APIs expect: the type says whose fault it is. */
export const apiError: ErrorShape = (error, status) => ({
  error: {
    message: error.message,
    type: status === 401 ? 'unauthorized' : status < 500 ? 'invalid_request_error' : 'api_error',
    param: null,
    code: errorToData(error).code,
  },
})

export async function chatCompletions(parts: TurnParts, ask: Ask): Promise<Reply | undefined> {
  const request = parsed(requestSchema, ask.body)
  refuseTools(request)
  const lines = request.messages.map(({ role, content }) => ({ role, text: textOf(content) }))
  const { model, user } = request
  const wanted: Wanted = { ...promptOf(lines, 'messages'), model, user, family: 'openai' }
  const common = {
    id: `chatcmpl_${parts.random.uuid()}`,
    created: Math.floor(parts.clock.now() / SECOND),
    model: model ?? MODEL_DEFAULT,
  }
  if (request.stream) {
    await stream(parts, ask, { wanted, common, withUsage: request.stream_options?.include_usage === true })
    return undefined
  }
  const { text: content, used } = await takeTurn(parts, ask, wanted)
  const message = { role: 'assistant', content, refusal: null }
  const choices = [{ index: 0, message, logprobs: null, finish_reason: 'stop' }]
  return { status: 200, json: { ...common, object: 'chat.completion', choices, usage: usageOf(used) } }
}

interface Streamed {
  readonly wanted: Wanted
  readonly common: { readonly id: string; readonly created: number; readonly model: string }
  readonly withUsage: boolean
}

async function stream(parts: TurnParts, ask: Ask, { wanted, common, withUsage }: Streamed): Promise<void> {
  const unsaid = new Unsaid()
  let sse: Sse | undefined
  const send = (more: object) => sse?.send({ data: { ...common, object: 'chat.completion.chunk', ...more } })
  const chunk = (delta: object, finish_reason: string | null = null) =>
    send({ choices: [{ index: 0, delta, logprobs: null, finish_reason }] })
  const reply = takeTurn(parts, ask, {
    ...wanted,
    hearing: {
      accepted: () => {
        sse = new Sse(ask.response, parts.clock)
        chunk({ role: 'assistant', content: '' })
      },
      said: (text, isNew) => {
        unsaid.hear(text, isNew)
        // What a slow reader is not sent now is sent with what comes later, or at the end.
        if (sse && sse.waitingBytes <= BUFFERED_BYTES_MAX) chunk({ content: unsaid.take() })
      },
    },
  })
  try {
    const { text, used } = await reply
    const rest = unsaid.rest(text)
    if (rest !== '') chunk({ content: rest })
    chunk({}, 'stop')
    if (withUsage) send({ choices: [], usage: usageOf(used) })
  } catch (error) {
    if (!sse) throw error
    sse.send({ data: apiError(asApiError(error), 502) })
  }
  sse?.send({ data: '[DONE]' })
  sse?.end()
}

function usageOf({ input, cached, output }: Used): object {
  return {
    ...{ prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
    prompt_tokens_details: { cached_tokens: cached },
  }
}

export function asApiError(error: unknown): SluiceError {
  return error instanceof SluiceError ? error : new SluiceError('INTERNAL', 'The turn failed.', { cause: error })
}

/** Throws INVALID_REQUEST with the first thing that is wrong. */
export function parsed<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const at = issue?.path.map(String).join('.')
  throw new SluiceError('INVALID_REQUEST', at ? `${at}: ${issue?.message}` : 'The body must be a JSON object.')
}
