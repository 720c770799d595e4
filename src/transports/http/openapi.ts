// The description of the HTTP interface as OpenAPI 3.1, derived from the catalogue. It is no second list: what is here is what `/rpc` runs, and the few other paths say what they are in words.
import * as z from 'zod'
import { CATALOGUE, declarationOf, type MethodName } from '../../protocol/catalogue.ts'
import { RPC_PREFIX } from './rpc.ts'

const SCHEMA = { target: 'draft-2020-12', unrepresentable: 'any' } as const
const KEY_PARAMETER = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  schema: { type: 'string', maxLength: 300 },
  description: 'A repeat with the same key and params is answered as the first time, and changes nothing.',
}
const ERROR_SCHEMA = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'string' },
        message: { type: 'string' },
        outcome: { enum: ['not-started', 'cancelled', 'committed', 'unknown', 'continues'] },
        retryAfterMs: { type: 'number' },
        details: { type: 'object' },
      },
    },
  },
}

/** The paths of all methods: some milliseconds of work, always with the same outcome. */
export function methodPaths(): readonly (readonly [string, object])[] {
  return (Object.keys(CATALOGUE) as MethodName[]).map(name => [`${RPC_PREFIX}${name}`, operationOf(name)])
}

/** `others`: the paths beside the methods, with their verb and what they are. */
export function openApi(
  version: string,
  methods: ReturnType<typeof methodPaths>,
  others: readonly { path: string; verb: string; summary: string }[],
): object {
  const rest = others.map(({ path, verb, summary }) => [
    path,
    { [verb.toLowerCase()]: { summary, responses: { 200: { description: 'As said.' }, default: refusal() } } },
  ])
  return {
    openapi: '3.1.0',
    info: { title: 'Sluice', version },
    security: [{ token: [] }],
    paths: Object.fromEntries([...methods, ...rest]),
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { Error: ERROR_SCHEMA },
    },
  }
}

function operationOf(name: MethodName): object {
  const { summary, params, result, scope, replay } = declarationOf(name)
  return {
    post: {
      operationId: name,
      summary,
      description: `Needs the scope ${scope}.`,
      ...(replay !== 'read' && { parameters: [KEY_PARAMETER] }),
      requestBody: { content: json(withoutDialect(z.toJSONSchema(params, { ...SCHEMA, io: 'input' }))) },
      responses: {
        200: { description: 'The result.', content: json(withoutDialect(z.toJSONSchema(result, SCHEMA))) },
        default: refusal(),
      },
    },
  }
}

function refusal(): object {
  return { description: 'An error.', content: json({ $ref: '#/components/schemas/Error' }) }
}

function json(schema: object): object {
  return { 'application/json': { schema } }
}

/** It is that of the document. */
function withoutDialect({ $schema: _, ...schema }: Record<string, unknown>): object {
  return schema
}
