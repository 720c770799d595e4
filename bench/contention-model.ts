// The model of the `contention` bench, over the OpenAI wire: it streams its words at the pace of a fast model, then
// calls the `cron` tool, in turns to list the jobs and to add one, and never comes to an end by itself.
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { newJob, WORD_EVERY_MS, WORDS_PER_STEP } from './contention-calls.ts'

let made = 0

function chunk(delta: object, finish: string | null = null): string {
  const choices = [{ index: 0, delta, finish_reason: finish }]
  return `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'one', choices })}\n\n`
}
const BEGIN = chunk({ role: 'assistant', content: '' })
const WORD = chunk({ content: 'word ' })
const END = `${chunk({}, 'tool_calls')}data: [DONE]\n\n`

function callAfter(results: number): string {
  made += 1
  const args = results % 2 === 0 ? { action: 'list' } : { action: 'add', job: newJob(`added by a turn, ${made}`) }
  const call = { name: 'cron', arguments: JSON.stringify(args) }
  return chunk({ tool_calls: [{ index: 0, id: `call_${made}`, type: 'function', function: call }] })
}

function stream(response: ServerResponse, results: number): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(BEGIN)
  let words = 0
  const timer = setInterval(() => {
    words += 1
    response.write(WORD)
    if (words < WORDS_PER_STEP) return
    clearInterval(timer)
    response.end(callAfter(results) + END)
  }, WORD_EVERY_MS)
  response.once('close', () => clearInterval(timer))
}

const server = createServer(async (request, response) => {
  let body = ''
  for await (const part of request.setEncoding('utf8')) body += part
  // Inside of texts the quotes are escaped, so this counts the results that the model was given and nothing else.
  stream(response, body.split('"role":"tool"').length - 1)
})
server.listen(0, '127.0.0.1', () => {
  process.send?.({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` })
})
process.on('disconnect', () => process.exit())
