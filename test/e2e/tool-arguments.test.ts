// Whatever a model writes as the arguments of a tool, it gets a result it can read, the turn goes on, and no result is a
// defect of ours. fast-check prints the seed of a failure.
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { CATALOGUE } from '../../src/protocol/catalogue.ts'
import { cronTool } from '../../src/tools/cron-tool.ts'
import { SESSION_TOOLS } from '../../src/tools/session-tools.ts'
import type { Tool } from '../../src/tools/tool.ts'
import { type ModelAsk, type ModelServer, startModelServer } from '../fakes/model-server.ts'
import { Scope, type TestClient } from './gateway-process.ts'
import { anyJson, type JsonSchema, valuesOf } from './schema-values.ts'

type ToolCall = { readonly name: string; readonly args: unknown }

const scope = new Scope()
const scripts = new Map<string, readonly ToolCall[]>()
const shown = new Map<string, ModelAsk>()
let model: ModelServer
let client: TestClient
let turns = 0

beforeAll(async () => {
  // A turn of `fuzz n` makes its calls, then ends; all other turns end at once.
  model = await startModelServer(ask => {
    const calls = scripts.get(ask.user)
    if (!calls) return { text: 'ok' }
    if (ask.results.length === 0) return { calls }
    shown.set(ask.user, ask)
    return { text: 'ok' }
  })
  scope.onEnd(() => model.close())
  const gateway = await scope.gateway({
    config: {
      models: { providers: { fake: { baseUrl: model.baseUrl } } },
      agents: { defaults: { model: { primary: 'fake/m1' }, maxConcurrent: 100 } },
    },
  })
  client = await gateway.client()
})
afterAll(() => scope.end())

/** The results of calls that a model makes in one message of a new session. */
async function resultsOf(calls: readonly ToolCall[]): Promise<readonly string[]> {
  turns += 1
  const message = `fuzz ${turns}`
  scripts.set(message, calls)
  await client.call('chat.send', { sessionKey: `fuzz-${turns}`, message, idempotencyKey: message })
  const end = await client.events.ended(message)
  expect(end).toMatchObject({ state: 'final' })
  return shown.get(message)?.results ?? []
}

const schemaOf = (type: z.ZodType) => z.toJSONSchema(type, { io: 'input', unrepresentable: 'any' }) as JsonSchema
const jobs = valuesOf(schemaOf(CATALOGUE['cron.add'].params))
const patches = valuesOf(schemaOf(CATALOGUE['cron.update'].params.shape.patch))
const actions = fc.constantFrom('status', 'list', 'add', 'add', 'add', 'update', 'remove', 'run', 'runs')

function argumentsFor(tool: Tool): fc.Arbitrary<unknown> {
  const fitting = valuesOf(schemaOf(tool.parameters))
  if (tool !== cronTool) return fc.oneof(fitting, anyJson)
  const jobCalls = fc.record({ action: actions, job: jobs, patch: patches }, { requiredKeys: ['action'] })
  return fc.oneof({ weight: 3, arbitrary: jobCalls }, { weight: 1, arbitrary: fitting })
}

/** A wait for a reply has its own bound, which a model may choose long; here it must not. */
function withoutLongWaits(args: unknown): unknown {
  const isObject = typeof args === 'object' && args !== null && !Array.isArray(args)
  return isObject && 'timeoutSeconds' in args ? { ...args, timeoutSeconds: 0.01 } : args
}

test.each([cronTool, ...SESSION_TOOLS].map(tool => ({ name: tool.name, tool })))(
  'any arguments for $name',
  async ({ tool }) => {
    // Equal calls in a row end a turn, by design; that is tried in test/turns/.
    const some = fc.uniqueArray(argumentsFor(tool).map(withoutLongWaits), {
      ...{ minLength: 1, maxLength: 10, selector: args => JSON.stringify(args) },
    })
    const property = fc.asyncProperty(some, async all => {
      const results = await resultsOf(all.map(args => ({ name: tool.name, args })))
      expect(results).toHaveLength(all.length)
      const defects = results.map((text, index) => ({ args: all[index], text }))
      expect(defects.filter(({ text }) => text.includes('"INTERNAL"'))).toEqual([])
    })
    await fc.assert(property, { numRuns: 25 })
  },
)

test('a tool that does not exist is named with those that do', async () => {
  const [result = ''] = await resultsOf([{ name: 'rm_rf', args: {} }])
  expect(JSON.parse(result)).toMatchObject({
    status: 'error',
    error: expect.stringMatching(/there is no tool named rm_rf; use one of: .*cron/),
  })
})

test('arguments that are no JSON are said to be wrong', async () => {
  const [result = ''] = await resultsOf([{ name: 'cron', args: '{"action":' }])
  expect(JSON.parse(result)).toMatchObject({ status: 'error', error: expect.stringMatching(/invalid arguments/) })
})
