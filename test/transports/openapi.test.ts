// The description of the HTTP interface, as programs read it that know nothing of us: valid OpenAPI, every reference and
// schema of it usable, every path that it names there under its verb. That methods answer in their schemas is shown with
// the generated calls.
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { text } from '../fakes/house.ts'
import { HOOK_TOKEN, type HttpHouse, openHttpHouse } from './http-house.ts'

interface Operation {
  readonly operationId?: string
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> }
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, { schema: object }>> }>>
}
type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>

let house: HttpHouse
let served: { readonly paths: Paths }
/** With its references resolved by the validator. */
let resolved: typeof served
let judged: Awaited<ReturnType<Validator['validate']>>
beforeAll(async () => {
  house = await openHttpHouse(() => text('said'))
  served = (await house.ask('/openapi.json', { method: 'GET' })).json
  const validator = new Validator()
  judged = await validator.validate(structuredClone(served))
  resolved = validator.resolveRefs() as typeof served
})
afterAll(() => house.close())

const operationsOf = ({ paths }: typeof served) =>
  Object.entries(paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, operation]) => ({ path, verb: verb.toUpperCase(), operation })),
  )

test('it is valid OpenAPI 3.1; its references lead somewhere, and no operation is named twice', () => {
  expect(judged).toEqual({ valid: true })
  expect(JSON.stringify(served)).toContain('"$ref"')
  expect(JSON.stringify(resolved)).not.toContain('"$ref"')
  const ids = operationsOf(served).flatMap(({ operation }) => operation.operationId ?? [])
  expect(ids.length).toBeGreaterThan(50)
  expect(new Set(ids).size).toBe(ids.length)
})

test('a strict reader of JSON Schema takes each schema in it', () => {
  const ajv = new Ajv2020({ strict: true, strictTypes: false })
  for (const { path, operation } of operationsOf(resolved)) {
    for (const { content = {} } of [operation.requestBody ?? {}, ...Object.values(operation.responses)]) {
      for (const { schema } of Object.values(content)) expect(() => ajv.compile(schema), path).not.toThrow()
    }
  }
})

test('each path is there under its verb, and under no other', async () => {
  const status = async (path: string, method: string) => {
    const gone = new AbortController()
    const token = path.startsWith('/hooks') ? { authorization: `Bearer ${HOOK_TOKEN}` } : {}
    // No body that anything would be done for.
    const body = method === 'POST' ? { body: '[]' } : {}
    const answer = await house.request(path, { method, headers: token, signal: gone.signal, ...body })
    gone.abort()
    return answer.status
  }
  for (const { path, verb } of operationsOf(served)) {
    expect([200, 202, 400], path).toContain(await status(path, verb))
    expect([path, await status(path, verb === 'GET' ? 'POST' : 'GET')]).toEqual([path, 405])
  }
})
