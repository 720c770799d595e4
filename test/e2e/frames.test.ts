// Whatever comes in over a connection, the gateway goes on: it answers health on that connection, answers in the shapes
// of the protocol, and never by a defect of ours. fast-check prints the seed of a failure.
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { CATALOGUE, type MethodName } from '../../src/protocol/catalogue.ts'
import { type ModelServer, startModelServer } from '../fakes/model-server.ts'
import { type GatewayProcess, Scope } from './gateway-process.ts'
import { RawSocket } from './raw-socket.ts'
import { anyJson, type JsonSchema, valuesOf } from './schema-values.ts'

/** They take the gateway away from under the other calls; test/methods and test/e2e/restart.test.ts try them. */
const TAKEN_OUT: readonly string[] = ['gateway.restart', 'config.patch']
const METHODS = (Object.keys(CATALOGUE) as MethodName[]).filter(name => !TAKEN_OUT.includes(name))
const scope = new Scope()
let model: ModelServer
let gateway: GatewayProcess

beforeAll(async () => {
  model = await startModelServer()
  scope.onEnd(() => model.close())
  const config = {
    models: { providers: { fake: { baseUrl: model.baseUrl } } },
    agents: { defaults: { model: { primary: 'fake/m1' } } },
  }
  gateway = await scope.gateway({ config })
})

// Of all that is in this file, nothing was a defect, and the gateway ends cleanly after it.
afterAll(async () => {
  await gateway.stop()
  const bad = gateway.log().filter(({ msg, level }) => msg === 'a request failed by our fault' || Number(level) >= 50)
  await scope.end()
  expect(bad).toEqual([])
})

/** Sends all of it over one connection and looks whether the gateway is well. */
async function survives(frames: readonly unknown[]): Promise<RawSocket> {
  const connection = new Scope()
  const socket = await RawSocket.connected(gateway, connection)
  try {
    for (const frame of frames) socket.send(frame)
    expect(await socket.ask('health')).toMatchObject({ ok: true, payload: { ok: true } })
    expect(socket.faults).toEqual([])
    return socket
  } finally {
    await connection.end()
  }
}

async function holdsFor<T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => Promise<unknown>, numRuns: number) {
  await fc.assert(
    fc.asyncProperty(arbitrary, async value => void (await property(value))),
    { numRuns },
  )
}

test('any text', async () => {
  await holdsFor(fc.array(fc.string({ unit: 'binary' }), { maxLength: 20 }), survives, 40)
})

test('any bytes', async () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array))
  await holdsFor(fc.array(bytes, { maxLength: 20 }), survives, 20)
})

test('any JSON', async () => {
  // JSON text, because a bare string would go out as it is.
  const json = anyJson.map(value => JSON.stringify(value))
  await holdsFor(fc.array(json, { maxLength: 30 }), survives, 60)
})

test('any frame that looks like a request', async () => {
  const frame = fc
    .record(
      {
        type: fc.oneof(fc.constant('req'), anyJson),
        id: fc.oneof(fc.string({ unit: 'binary' }), anyJson),
        method: fc.oneof(fc.constantFrom(...METHODS), fc.string({ unit: 'binary' }), anyJson),
        params: anyJson,
        more: anyJson,
      },
      { requiredKeys: ['type'] },
    )
    .map(value => JSON.stringify(value))
  await holdsFor(fc.array(frame, { maxLength: 30 }), survives, 60)
})

test.each(METHODS)('any params for %s', async method => {
  const schema = z.toJSONSchema(CATALOGUE[method].params, { io: 'input', unrepresentable: 'any' }) as JsonSchema
  const requests = fc.array(valuesOf(schema), { minLength: 1, maxLength: 20 })
  await holdsFor(
    requests,
    async all => {
      await survives(all.map((params, index) => JSON.stringify({ type: 'req', id: `r${index}`, method, params })))
    },
    20,
  )
})

test('deep nesting, as a frame and as params of every method', async () => {
  const shapes = [
    { open: '[', close: ']' },
    { open: '{"a":', close: '}', inside: '1' },
    { open: '{"job":', close: '}', inside: '{}' },
    { open: '{"__proto__":', close: '}', inside: '{}' },
  ]
  for (const { open, close, inside = '' } of shapes) {
    for (const depth of [10, 1_000, 20_000]) {
      const deep = open.repeat(depth) + inside + close.repeat(depth)
      const requests = METHODS.flatMap(method => [
        `{"type":"req","id":"params","method":"${method}","params":${deep}}`,
        `{"type":"req","id":"member","method":"${method}","params":{"schedule":${deep}}}`,
      ])
      await survives([deep, `{"type":"req","id":${deep},"method":"health"}`, ...requests])
    }
  }
})

test('ids, methods and keys of 400 KB', async () => {
  const long = 'x'.repeat(400_000)
  const socket = await survives([
    { type: 'req', id: long, method: 'health' },
    { type: 'req', id: 'method', method: long },
    { type: 'req', id: 'key', method: 'cron.list', params: { [long]: 1 } },
    { type: 'req', id: 'session', method: 'chat.history', params: { sessionKey: long } },
    { type: 'req', id: 'job', method: 'cron.runs', params: { id: long } },
  ])
  expect(socket.answers(long)).toMatchObject([{ ok: true }])
  expect(socket.answers('method')[0]?.error?.message.length).toBeLessThan(200)
})

test('a refusal is no longer than what it refuses by much: 30,000 unknown keys', async () => {
  const params = Object.fromEntries(Array.from({ length: 30_000 }, (_, index) => [`k${index}`, 0]))
  const socket = await survives([{ type: 'req', id: 'keys', method: 'cron.list', params }])
  const [answer] = socket.answers('keys')
  expect(answer).toMatchObject({ ok: false, error: { code: 'INVALID_REQUEST' } })
  expect(answer?.error?.message.length).toBeLessThan(10_000)
})

test.each([
  { ids: 'ids of their own', idOf: (index: number) => `open-${index}` },
  { ids: 'one id', idOf: () => 'same' },
])('more open requests than a connection may have are refused at once: $ids', async ({ idOf }) => {
  const connection = new Scope()
  const socket = await RawSocket.connected(gateway, connection)
  const params = { runId: 'nobody', timeoutMs: 3_600_000 }
  for (let index = 0; index < 1_001; index += 1) {
    socket.send({ type: 'req', id: idOf(index), method: 'agent.wait', params })
  }
  expect(await socket.answer(idOf(1_000))).toMatchObject({
    ok: false,
    error: { code: 'UNAVAILABLE', retryable: true, details: { code: 'BUSY', outcome: 'not-started' } },
  })
  await connection.end()
  await survives([])
})
