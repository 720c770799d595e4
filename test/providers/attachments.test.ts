// Files and what is too long, as the adapters over the AI SDK send and hear them: bytes of images, texts under their
// names, words for what cannot be shown; and which refusals mean that a shorter request may pass.
import { APICallError } from '@ai-sdk/provider'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeClock } from '../../src/base/node/world.ts'
import { openAiCompatibleModel } from '../../src/providers/ai-sdk/openai-compatible.ts'
import { isTooLong } from '../../src/providers/ai-sdk/too-long.ts'
import { chooseModel } from '../../src/providers/choice.ts'
import type { ModelEvent, ModelMessage } from '../../src/providers/model.ts'
import { createOfflineModel } from '../../src/providers/offline/offline-model.ts'
import { CONTEXT_LENGTH_MAX, traitsOf } from '../../src/providers/traits.ts'
import { type ModelServer, startModelServer } from '../fakes/model-server.ts'

const API = { api: 'openai-completions', silenceMsMax: 60_000 } as const
const NOTHING = { fallbacks: [], keyNames: {}, zone: 'UTC' }

let server: ModelServer
beforeAll(async () => {
  server = await startModelServer()
})
afterAll(() => server.close())

async function ask(messages: ModelMessage[]): Promise<ModelEvent | undefined> {
  const { baseUrl } = server
  const choice = chooseModel({ ...NOTHING, providers: { fake: { ...API, baseUrl } }, primary: 'fake/m1' })
  if (choice.kind !== 'openai-completions') throw new Error('not reached')
  let last: ModelEvent | undefined
  const request = { system: '', zone: 'UTC', messages, tools: [], signal: new AbortController().signal }
  for await (const event of openAiCompatibleModel(choice, { fetch, clock: nodeClock }).stream(request)) last = event
  return last
}

describe('files of a message', () => {
  test('images and PDFs go as their bytes, a text under its name, and what has no bytes in words', async () => {
    await ask([
      {
        role: 'user',
        text: 'look',
        attachments: [
          { name: 'cat.png', mime: 'image/png', bytes: 3, content: new Uint8Array([1, 2, 3]) },
          { name: 'notes.md', mime: 'text/markdown', bytes: 6, content: new TextEncoder().encode('# Grüße') },
          { name: 'dog.png', mime: 'image/png', bytes: 9 },
          { name: 'bill.pdf', mime: 'application/pdf', bytes: 5, content: new TextEncoder().encode('%PDF-') },
          { name: 'said.ogg', mime: 'audio/ogg', bytes: 9 },
        ],
      },
    ])
    const sent = server.asks.at(-1)?.messages[1]?.content as unknown as { type: string; [more: string]: unknown }[]
    expect(sent).toEqual([
      { type: 'text', text: 'look' },
      { type: 'image_url', image_url: { url: 'data:image/png;base64,AQID' } },
      { type: 'text', text: 'Attached file notes.md (text/markdown):\n# Grüße' },
      { type: 'text', text: 'System: An image was attached (dog.png, image/png) and could not be shown.' },
      { type: 'file', file: { filename: 'bill.pdf', file_data: 'data:application/pdf;base64,JVBERi0=' } },
      { type: 'text', text: 'System: A file was attached (said.ogg, audio/ogg) and could not be shown.' },
    ])
  })

  test('the offline model says that it looks at none, and answers what was asked', async () => {
    const model = createOfflineModel({ now: () => Date.UTC(2026, 0, 1), zone: 'UTC' })
    const say = async (attachments: { attachments?: { name: string; mime: string; bytes: number }[] }) => {
      const summary = { role: 'user', text: 'System: so far.', isSummary: true } as const
      const messages = [summary, { role: 'user', text: 'help', ...attachments } as const]
      let text = ''
      const request = { system: '', zone: 'UTC', messages, tools: [], signal: new AbortController().signal }
      for await (const event of model.stream(request)) if (event.type === 'done') text = event.text
      return text
    }
    const plain = await say({})
    const cat = { name: 'cat.png', mime: 'image/png', bytes: 3 }
    expect(await say({ attachments: [cat] })).toBe(
      `I cannot see images or read files; I have not looked at cat.png.\n\n${plain}`,
    )
    expect(plain).not.toContain('so far')
  })
})

describe('a request that is too long', () => {
  const refusal = (statusCode: number, message: string, responseBody = '') =>
    new APICallError({ message, url: 'http://x', requestBodyValues: {}, statusCode, responseBody })

  test('is told by what the provider says, as a failure of its own kind, and is not tried again as it is', async () => {
    server.answer(() => ({
      status: 400,
      body: JSON.stringify({ error: { message: 'too many tokens', code: 'context_length_exceeded' } }),
    }))
    expect(await ask([{ role: 'user', text: 'go' }])).toMatchObject({ type: 'failed', kind: 'too-long' })
    server.answer(() => ({ status: 400, body: JSON.stringify({ error: { message: 'max_tokens is too large' } }) }))
    expect(await ask([{ role: 'user', text: 'go' }])).toMatchObject({ type: 'failed', kind: 'refused' })
  })

  test.each([
    "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
    'prompt is too long: 210000 tokens > 200000 maximum',
    'input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000',
    'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).',
    'the request exceeds the available context size. try increasing the context size or enable context shift',
  ])('%s', words => {
    expect(isTooLong(refusal(400, words))).toBe(true)
    expect(isTooLong(refusal(500, words))).toBe(false)
  })

  test.each(['image exceeds 5 MB maximum', 'messages: at least one message is required', 'string too long'])(
    'is something else: %s',
    words => expect(isTooLong(refusal(400, words))).toBe(false),
  )
})

describe('models.providers.*.models', () => {
  const models = [
    { id: 'small', contextWindow: 8_000, input: ['text'] },
    { id: 'org/seeing', input: ['text', 'image'] },
    { id: 'reading', input: ['text', 'pdf', 'audio'] },
  ]
  const g = { ...API, api: 'google-generative-ai', baseUrl: 'http://x', models } as const
  const providers = { p: { ...API, baseUrl: 'http://x', models }, a: { ...g, api: 'anthropic-messages' as const }, g }
  const config = { ...NOTHING, providers, primary: undefined }

  test('says how much a model takes and which files; of others nothing is known', () => {
    expect(traitsOf(config, 'p/small')).toEqual({ lengthMax: 24_000, takes: [] })
    expect(traitsOf(config, 'p/org/seeing')).toEqual({ lengthMax: CONTEXT_LENGTH_MAX, takes: ['image'] })
    expect(traitsOf(config, 'p/other')).toEqual({ lengthMax: CONTEXT_LENGTH_MAX, takes: ['image'] })
    expect(traitsOf(config, 'p/reading').takes).toEqual(['pdf'])
    for (const name of ['other', 'org/seeing']) {
      expect(traitsOf(config, `a/${name}`).takes).toEqual(['image', 'pdf'])
      expect(traitsOf(config, `g/${name}`).takes).toEqual(['image', 'pdf', 'audio', 'video'])
    }
    expect(traitsOf(config, 'g/small').takes).toEqual([])
    expect(traitsOf(config, 'sluice/offline').takes).toEqual([])
  })
})
