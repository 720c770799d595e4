// A model server that speaks the OpenAI chat completions wire and answers from a script. A script that awaits a gate
// holds the turn for as long as a test wants: what has answered by then did not wait for the turn.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface WireMessage {
  readonly role: 'system' | 'user' | 'assistant' | 'tool'
  readonly content: string | null
  readonly tool_calls?: readonly { id: string; function: { name: string; arguments: string } }[]
  readonly tool_call_id?: string
}

export interface ModelAsk {
  readonly model: string
  readonly messages: readonly WireMessage[]
  readonly tools: readonly string[]
  /** Text of the last user message. */
  readonly user: string
  /** Results of the tools called since the last user message, in order. */
  readonly results: readonly string[]
  readonly authorization: string | undefined
}

export type ModelReply =
  | { readonly text: string; readonly chunks?: number; readonly hold?: Promise<void> }
  | { readonly calls: readonly { readonly name: string; readonly args: unknown }[]; readonly text?: string }
  | { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> }
  | { readonly garbage: string }
  /** Streams the text, then drops the connection. */
  | { readonly cutAfter: string }

export type Script = (ask: ModelAsk) => ModelReply | Promise<ModelReply>

export interface ModelServer {
  readonly baseUrl: string
  readonly asks: readonly ModelAsk[]
  answer(script: Script): void
  close(): Promise<void>
}

export async function startModelServer(script: Script = () => ({ text: 'hello' })): Promise<ModelServer> {
  const asks: ModelAsk[] = []
  let current = script
  const server = createServer((request, response) => {
    serve(request, response, ask => {
      asks.push(ask)
      return current(ask)
    }).catch(() => response.destroy())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asks,
    answer: next => {
      current = next
    },
    close: () => {
      server.closeAllConnections()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

async function serve(request: IncomingMessage, response: ServerResponse, script: Script): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const ask = toAsk(JSON.parse(Buffer.concat(chunks).toString('utf8')), request.headers.authorization)
  const reply = await script(ask)
  if (response.destroyed) return
  if ('status' in reply) {
    response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers })
    response.end(reply.body ?? JSON.stringify({ error: { message: `scripted ${reply.status}`, type: 'scripted' } }))
    return
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  if ('garbage' in reply) {
    response.end(reply.garbage)
    return
  }
  await stream(response, ask.model, reply)
}

async function stream(
  response: ServerResponse,
  model: string,
  reply: Exclude<ModelReply, { status: number } | { garbage: string }>,
): Promise<void> {
  const send = (delta: object, finish: string | null = null, usage?: object) => {
    const choice = { index: 0, delta, finish_reason: finish }
    const body = {
      id: 'scripted',
      object: 'chat.completion.chunk',
      created: 1,
      model,
      choices: [choice],
      ...(usage && { usage }),
    }
    response.write(`data: ${JSON.stringify(body)}\n\n`)
  }
  send({ role: 'assistant', content: '' })
  if ('cutAfter' in reply) {
    send({ content: reply.cutAfter })
    await new Promise<void>(resolve => response.write(': flush\n\n', () => resolve()))
    response.destroy()
    return
  }
  if (reply.text !== undefined && reply.text !== '') {
    const count = 'chunks' in reply ? (reply.chunks ?? 1) : 1
    const size = Math.ceil(reply.text.length / count)
    for (let at = 0; at < reply.text.length; at += size) {
      send({ content: reply.text.slice(at, at + size) })
      if ('hold' in reply && reply.hold && at === 0) await reply.hold
    }
  }
  const calls = 'calls' in reply ? reply.calls : []
  calls.forEach((call, index) => {
    const args = typeof call.args === 'string' ? call.args : JSON.stringify(call.args)
    send({
      tool_calls: [{ index, id: `call_${index}`, type: 'function', function: { name: call.name, arguments: args } }],
    })
  })
  send({}, calls.length > 0 ? 'tool_calls' : 'stop', { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 })
  response.end('data: [DONE]\n\n')
}

function toAsk(
  body: { model: string; messages: WireMessage[]; tools?: { function: { name: string } }[] },
  authorization: string | undefined,
): ModelAsk {
  const messages = body.messages.map(undated)
  const lastUser = messages.findLastIndex(message => message.role === 'user')
  const after = messages.slice(lastUser + 1)
  return {
    model: body.model,
    messages,
    tools: (body.tools ?? []).map(tool => tool.function.name),
    user: textOf(messages[lastUser]),
    results: after.filter(message => message.role === 'tool').map(textOf),
    authorization,
  }
}

/** A message without the time at which it was written: scripts go by the words. */
function undated(message: WireMessage): WireMessage {
  if (message.role !== 'user' || typeof message.content !== 'string') return message
  return { ...message, content: message.content.replace(/^\[\w{3} \d{4}-\d\d-\d\d \d\d:\d\d [^\]]*\] /, '') }
}

function textOf(message: WireMessage | undefined): string {
  const content: unknown = message?.content
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return ''
  return content.map(part => (part as { text?: string }).text ?? '').join('')
}
