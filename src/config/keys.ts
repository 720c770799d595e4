// Every key that changes behaviour, with what it means and may be, read from the schema: for the reference, for editors of
// the config, and to say what is allowed. The schema has no second description.
import * as z from 'zod'
import { configSchema } from './schema.ts'

export interface ConfigKey {
  /** `*` stands for a name that people choose, or for a place in a list. */
  readonly path: string
  readonly description: string
  /** What may stand there, in words. */
  readonly allowed: string
  readonly default?: unknown
  readonly secret: boolean
}

type JsonSchema = Readonly<Record<string, unknown>>

/** JSON Schema of the file. A secret may also be a reference to a file. */
export function configJsonSchema(): JsonSchema {
  return z.toJSONSchema(configSchema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      if (jsonSchema.secret !== true || jsonSchema.type !== 'string') return
      const { type, minLength, description, default: byDefault, secret } = jsonSchema
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key]
      Object.assign(jsonSchema, { description, secret, ...(byDefault !== undefined && { default: byDefault }) })
      jsonSchema.anyOf = [
        { type, ...(minLength !== undefined && { minLength }) },
        { type: 'object', properties: { file: { type: 'string' } }, required: ['file'], additionalProperties: false },
      ]
    },
  }) as JsonSchema
}

export function configKeys(): ConfigKey[] {
  const keys: ConfigKey[] = []
  walk(z.toJSONSchema(configSchema, { io: 'input' }) as JsonSchema, [], keys)
  return keys
}

function walk(schema: JsonSchema, path: readonly string[], keys: ConfigKey[]): void {
  if (typeof schema.description === 'string') keys.push(keyOf(schema, schema.description, path))
  const below: [string, unknown][] = [
    ...Object.entries((schema.properties ?? {}) as JsonSchema),
    ['*', schema.additionalProperties],
    ['*', schema.items],
  ]
  for (const [name, child] of below) if (isSchema(child)) walk(child, [...path, name], keys)
  for (const one of alternatives(schema)) if (one.type === 'object') walk(one, path, keys)
}

function keyOf(schema: JsonSchema, description: string, path: readonly string[]): ConfigKey {
  return {
    path: path.join('.'),
    description,
    allowed: allowedOf(schema),
    secret: schema.secret === true,
    ...('default' in schema && { default: schema.default }),
  }
}

function allowedOf(schema: JsonSchema): string {
  const { type, enum: values, const: only, minimum, maximum, items, format } = schema
  if (only !== undefined) return JSON.stringify(only)
  if (Array.isArray(values)) return values.map(value => JSON.stringify(value)).join(', ')
  const several = alternatives(schema)
  if (several.length > 0) return several.map(allowedOf).join(' or ')
  switch (type) {
    case 'integer':
      return `a whole number from ${minimum} to ${maximum}`
    case 'boolean':
      return 'true or false'
    case 'array':
      return `a list, each ${isSchema(items) ? allowedOf(items) : 'anything'}`
    case 'object':
      return isSchema(schema.additionalProperties) && !schema.properties
        ? `an object, each ${allowedOf(schema.additionalProperties)}`
        : 'an object'
    default:
      return format === 'uri' ? 'a URL' : 'a text'
  }
}

function alternatives({ anyOf }: JsonSchema): readonly JsonSchema[] {
  return Array.isArray(anyOf) ? anyOf.filter(isSchema) : []
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null
}
