// Calls made up from the schemas of all methods, valid and mutated, over a WebSocket and HTTP: the gateway goes on, and
// nothing that the caller sent is answered as a fault of ours. Over HTTP each answer is as /openapi.json says.
// SLUICE_GENERATED_CALLS=20000 makes more of them.
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { CATALOGUE, type MethodName } from '../../src/protocol/catalogue.ts'
import { type ModelServer, startModelServer } from '../fakes/model-server.ts'
import { within } from './bound.ts'
import { type GatewayProcess, Scope } from './gateway-process.ts'
import { RawSocket } from './raw-socket.ts'
import { type JsonSchema, valuesOf } from './schema-values.ts'

const CALLS = Number(process.env.SLUICE_GENERATED_CALLS ?? 2_000)
const AT_ONCE = 50
/** They take the gateway away from under the other calls, or change how it is configured. */
const TAKEN_OUT: readonly string[] = [
  'gateway.restart',
  'config.patch',
  'config.set',
  'config.apply',
  'device.token.rotate',
]
const METHODS = (Object.keys(CATALOGUE) as MethodName[]).filter(name => !TAKEN_OUT.includes(name))

const scope = new Scope()
let model: ModelServer
let gateway: GatewayProcess
/** What the description says of the answers of a method, and of every refusal. */
const described = new Map<string, ValidateFunction>()

beforeAll(async () => {
  model = await startModelServer()
  scope.onEnd(() => model.close())
  const config = {
    models: { providers: { fake: { baseUrl: model.baseUrl } } },
    agents: { defaults: { model: { primary: 'fake/m1' } } },
  }
  gateway = await scope.gateway({ config })
  await readDescription()
})
afterAll(async () => {
  await gateway.stop()
  const bad = gateway.log().filter(({ msg, level }) => msg === 'a request failed by our fault' || Number(level) >= 50)
  await scope.end()
  expect(bad).toEqual([])
})

const httpUrl = (path: string) => `${gateway.url.replace(/^ws/, 'http')}${path}`

interface Description {
  readonly paths: Readonly<
    Record<string, { post: { responses: { '200': { content: Record<string, { schema: object }> } } } }>
  >
  readonly components: { readonly schemas: { readonly Error: object } }
}

async function readDescription(): Promise<void> {
  const authorization = `Bearer ${gateway.token}`
  const { paths, components } = (await (
    await fetch(httpUrl('/openapi.json'), { headers: { authorization } })
  ).json()) as Description
  const ajv = new Ajv2020({ strict: false })
  described.set('error', ajv.compile(components.schemas.Error))
  for (const method of METHODS) {
    const answers = paths[`/rpc/${method}`]?.post.responses['200'].content['application/json']
    described.set(method, ajv.compile(answers?.schema ?? false))
  }
}

interface Made {
  readonly method: string
  readonly params: unknown
}

// Each schema is read once: reading it anew for each call took most of the time.
const call: fc.Arbitrary<Made> = fc.oneof(
  ...METHODS.map(method =>
    valuesOf(z.toJSONSchema(CATALOGUE[method].params, { io: 'input', unrepresentable: 'any' }) as JsonSchema).map(
      params => ({
        method,
        // A wait that nobody ends is no answer to look at.
        params: bounded(params),
      }),
    ),
  ),
)

function bounded(params: unknown): unknown {
  if (typeof params !== 'object' || params === null || Array.isArray(params)) return params
  const { timeoutMs, timeoutSeconds, waitSeconds, ...rest } = params as Record<string, unknown>
  const bound = (name: string, value: unknown) =>
    value === undefined ? {} : { [name]: typeof value === 'number' ? 0 : value }
  return {
    ...rest,
    ...bound('timeoutMs', timeoutMs),
    ...bound('timeoutSeconds', timeoutSeconds),
    ...bound('waitSeconds', waitSeconds),
  }
}

async function overHttp({ method, params }: Made): Promise<string | undefined> {
  const url = httpUrl(`/rpc/${method}`)
  const headers = { authorization: `Bearer ${gateway.token}` }
  const signal = AbortSignal.timeout(2_000)
  try {
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(params) ?? '', signal })
    const answer = (await response.json()) as { error?: { code?: string; message?: string } } | null
    const error = answer?.error
    if (response.status === 500) return `${response.status} ${JSON.stringify(error)}`
    const asDescribed = described.get(response.ok ? method : 'error') as ValidateFunction
    if (!asDescribed(answer)) return `${response.status} is not as described: ${JSON.stringify(asDescribed.errors)}`
    return response.ok || typeof error?.code === 'string' ? undefined : `${response.status} without a code`
  } catch (error) {
    // Some calls wait for what does not come; their wait is over.
    return signal.aborted ? undefined : String(error)
  }
}

test(
  `${CALLS} calls`,
  async () => {
    const connection = new Scope()
    const made = fc.sample(call, CALLS)
    const socket = await RawSocket.connected(gateway, connection)
    const wrong: unknown[] = []
    const asked = new Map<string, string>()
    try {
      for (let from = 0; from < made.length; from += AT_ONCE) {
        const batch = made.slice(from, from + AT_ONCE)
        const [half, other] = [batch.slice(0, AT_ONCE / 2), batch.slice(AT_ONCE / 2)]
        for (const [index, { method, params }] of half.entries()) {
          asked.set(`${from}-${index}`, method)
          socket.send({ type: 'req', id: `${from}-${index}`, method, params })
        }
        const answers = await within(Promise.all(other.map(overHttp)), 'the answers')
        for (const [index, answer] of answers.entries()) if (answer !== undefined) wrong.push([other[index], answer])
      }
      expect(await socket.ask('health')).toMatchObject({ ok: true })
      await socket.until('an answer to every call', ({ type, id = '' }) => {
        if (type === 'res') asked.delete(id)
        return asked.size === 0
      })
      expect(wrong).toEqual([])
      expect(socket.faults).toEqual([])
    } finally {
      await connection.end()
    }
  },
  30_000 + CALLS * 15,
)
