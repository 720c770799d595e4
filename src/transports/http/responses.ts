// `POST /v1/responses`, as clients of that API know it: a request is a turn of an agent, whole or streamed as that API's
// sequence of events. Nothing is kept under the answer's id; a conversation is kept by `user` or a session's key.
import * as z from 'zod'
import { SECOND } from '../../base/durations.ts'
import { SluiceError } from '../../base/errors.ts'
import { BUFFERED_BYTES_MAX } from '../../protocol/limits.ts'
import { asApiError, parsed } from './chat-completions.ts'
import { type Line, promptOf, refuseTools, textOf, Unsaid } from './prompt.ts'
import type { Ask, Reply } from './reply.ts'
import { Sse } from './sse.ts'
import { type Taken, type TurnParts, takeTurn, type Used, type Wanted } from './turn.ts'

const itemSchema = z.looseObject({ type: z.string().optional(), role: z.string().optional() })
const requestSchema = z.looseObject({
  model: z.string().min(1).max(200),
  input: z.union([z.string(), z.array(itemSchema)], { error: 'give a text or a list of items' }),
  instructions: z.string().nullish(),
  stream: z.boolean().nullish(),
  user: z.string().min(1).nullish(),
  previous_response_id: z.string().nullish(),
})
type Request = z.output<typeof requestSchema>

function usageOf({ input, cached, output }: Used): object {
  return {
    ...{ input_tokens: input, input_tokens_details: { cached_tokens: cached } },
    ...{ output_tokens: output, output_tokens_details: { reasoning_tokens: 0 }, total_tokens: input + output },
  }
}

export async function responses(parts: TurnParts, ask: Ask): Promise<Reply | undefined> {
  const request = parsed(requestSchema, ask.body)
  refuseTools(request)
  if (request.previous_response_id) {
    const message = 'previous_response_id is not supported. Send `user` or the header x-sluice-session-key to go on.'
    throw new SluiceError('INVALID_REQUEST', message)
  }
  const { model, user } = request
  const wanted: Wanted = { ...promptOf(linesOf(request), 'input'), model, user, family: 'openresponses' }
  const made = new Made(request, parts)
  if (request.stream) {
    await stream(parts, ask, { wanted, made })
    return undefined
  }
  return { status: 200, json: made.response('completed', await takeTurn(parts, ask, wanted)) }
}

function linesOf({ input, instructions }: Request): Line[] {
  const system = instructions ? [{ role: 'system', text: instructions }] : []
  if (typeof input === 'string') return [...system, { role: 'user', text: input }]
  return [...system, ...input.flatMap(lineOf)]
}

function lineOf(item: z.output<typeof itemSchema>): Line[] {
  switch (item.type ?? 'message') {
    case 'message':
      return [{ role: item.role ?? 'user', text: textOf(item.content) }]
    case 'function_call':
      return [{ role: 'assistant', text: `(called ${String(item.name)} with ${String(item.arguments)})` }]
    case 'function_call_output':
      return [{ role: 'tool', text: textOf(item.output) }]
    case 'reasoning':
      return []
    default:
      throw new SluiceError('INVALID_REQUEST', `An input item ${String(item.type).slice(0, 50)} is not supported here.`)
  }
}

/** The one answer, in each of its states. */
class Made {
  readonly id: string
  readonly itemId: string
  readonly #request: Request
  readonly #createdAt: number

  constructor(request: Request, { random, clock }: Pick<TurnParts, 'random' | 'clock'>) {
    this.id = `resp_${random.uuid()}`
    this.itemId = `msg_${random.uuid()}`
    this.#request = request
    this.#createdAt = Math.floor(clock.now() / SECOND)
  }

  response(status: 'in_progress' | 'completed' | 'failed', taken?: Taken, error?: SluiceError): object {
    return {
      ...{ id: this.id, object: 'response', created_at: this.#createdAt, status, model: this.#request.model },
      output: taken ? [this.item('completed', taken.text)] : [],
      usage: taken ? usageOf(taken.used) : null,
      error: error ? { code: 'server_error', message: error.message } : null,
      ...{ incomplete_details: null, instructions: this.#request.instructions ?? null, metadata: {} },
      ...{ parallel_tool_calls: false, temperature: null, top_p: null, tool_choice: 'none', tools: [] },
    }
  }

  item(status: 'in_progress' | 'completed', text?: string): object {
    const content = text === undefined ? [] : [this.part(text)]
    return { type: 'message', id: this.itemId, role: 'assistant', status, content }
  }

  part(text: string): object {
    return { type: 'output_text', text, annotations: [], logprobs: [] }
  }
}

async function stream(parts: TurnParts, ask: Ask, { wanted, made }: { wanted: Wanted; made: Made }): Promise<void> {
  const unsaid = new Unsaid()
  let sse: Sse | undefined
  let sent = 0
  const send = (type: string, data: object) => {
    sse?.send({ event: type, data: { type, sequence_number: sent, ...data } })
    sent += 1
  }
  const at = { item_id: made.itemId, output_index: 0, content_index: 0 }
  const delta = (text: string) => send('response.output_text.delta', { ...at, delta: text, logprobs: [] })
  const reply = takeTurn(parts, ask, {
    ...wanted,
    hearing: {
      accepted: () => {
        sse = new Sse(ask.response, parts.clock)
        send('response.created', { response: made.response('in_progress') })
        send('response.in_progress', { response: made.response('in_progress') })
        send('response.output_item.added', { output_index: 0, item: made.item('in_progress') })
        send('response.content_part.added', { ...at, part: made.part('') })
      },
      said: (text, isNew) => {
        unsaid.hear(text, isNew)
        if (sse && sse.waitingBytes <= BUFFERED_BYTES_MAX) delta(unsaid.take())
      },
    },
  })
  try {
    const taken = await reply
    const { text } = taken
    const rest = unsaid.rest(text)
    if (rest !== '') delta(rest)
    send('response.output_text.done', { ...at, text, logprobs: [] })
    send('response.content_part.done', { ...at, part: made.part(text) })
    send('response.output_item.done', { output_index: 0, item: made.item('completed', text) })
    send('response.completed', { response: made.response('completed', taken) })
  } catch (error) {
    if (!sse) throw error
    send('response.failed', { response: made.response('failed', undefined, asApiError(error)) })
  }
  sse?.send({ data: '[DONE]' })
  sse?.end()
}
