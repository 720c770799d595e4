// Providers through a real gateway and its runner thread: a chain of models, a key from the environment, what is used, and
// a model found when none is named.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { LLMock } from '@copilotkit/aimock'
import { afterEach, expect, test } from 'vitest'
import { textOf } from './event-log.ts'
import { Scope } from './gateway-process.ts'

const scope = new Scope()
afterEach(() => scope.end())

const NOBODY = 'http://127.0.0.1:9/v1'

async function anthropicMock(): Promise<LLMock> {
  const mock = new LLMock({ host: '127.0.0.1', port: 0 })
  await mock.start()
  scope.onEnd(() => mock.stop())
  return mock
}

test('a fallback answers with a tool in between, by a key of the environment; the switch and the usage are told', async () => {
  const mock = await anthropicMock()
  mock.on({ hasToolResult: false }, { toolCalls: [{ name: 'cron', arguments: '{"action":"list"}' }] })
  mock.on({ hasToolResult: true }, { content: 'you have no jobs', usage: { input_tokens: 7, output_tokens: 3 } })
  const cost = { input: 1, output: 1 }
  const gateway = await scope.gateway({
    config: {
      models: {
        providers: {
          down: { baseUrl: NOBODY },
          anthropic: { baseUrl: `${mock.url}/v1`, models: [{ id: 'claude-x', name: 'Claude X', cost }] },
        },
      },
      agents: { defaults: { model: { primary: 'down/m', fallbacks: ['anthropic/claude-x'] } } },
    },
    env: { ANTHROPIC_API_KEY: 'key-of-env' },
  })
  const { call, events } = await gateway.client()
  await call('chat.send', { sessionKey: 'main', message: 'which jobs?', idempotencyKey: 'p-1' })
  expect(textOf(await events.ended('p-1'))).toBe('you have no jobs')
  const switched = await events.until('the switch', ({ payload }) => 'stream' in payload && payload.stream === 'model')
  expect(switched.payload).toMatchObject({
    data: {
      phase: 'switched',
      model: 'anthropic/claude-x',
      because: expect.stringContaining('down/m cannot be reached'),
    },
  })
  expect(mock.getLastRequest()?.headers['x-api-key']).toBeDefined()
  const { messages } = await call('chat.history', { sessionKey: 'main' })
  expect(messages.at(-1)).toMatchObject({ provider: 'anthropic', model: 'claude-x' })
  const { totals } = await call('usage.cost', {})
  expect(totals.totalTokens).toBeGreaterThan(0)
  expect(totals).toMatchObject({ missingCostEntries: 0, totalCost: totals.totalTokens / 1_000_000 })
  const { stdout } = await gateway.cli(['models', 'list'])
  expect(stdout).toMatch(/anthropic\/claude-x +as no\. 2 +Claude X/)
  await gateway.stop()
  expect(gateway.log()).toContainEqual(expect.objectContaining({ msg: 'turn p-1 goes on with anthropic/claude-x' }))
})

test('with a key and no model named, one is found, said at start and in status; an unreachable list stops nothing', async () => {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({
        data: [
          { id: 'gpt-5', created: 5 },
          { id: 'gpt-5.1', created: 6 },
          { id: 'tts-1', created: 7 },
        ],
      }),
    )
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  scope.onEnd(() => new Promise(resolve => void server.close(() => resolve())))
  const { port } = server.address() as AddressInfo
  const openai = { baseUrl: `http://127.0.0.1:${port}/v1`, api: 'openai-responses' }
  const env = { OPENAI_API_KEY: 'key-of-env' }
  const gateway = await scope.gateway({ config: { models: { providers: { openai } } }, env })
  expect(gateway.output).toContain('Model      openai/gpt-5.1\n')
  expect(gateway.output).toContain("chosen from its provider's list")
  const { call } = await gateway.client()
  expect(await call('status', {})).toMatchObject({ model: 'openai/gpt-5.1' })

  const other = await scope.gateway({
    config: { models: { providers: { openai: { ...openai, baseUrl: NOBODY } } } },
    env,
  })
  expect(other.output).toContain('openai did not tell its models (it cannot be reached).')
  const client = await other.client()
  expect(await client.call('status', {})).toMatchObject({ model: 'sluice/offline' })
  expect(await client.call('models.list', {})).toMatchObject({
    models: [{ ref: 'sluice/offline', order: 1 }],
    problems: [{ provider: 'openai' }],
  })
  expect(other.output + gateway.output).not.toContain('key-of-env')
})
