// Values for a JSON Schema: mostly fitting, at their edges too, and now and then of another kind, so that a fuzzed call
// gets past the door often enough to shake the room behind it.
import fc from 'fast-check'

export interface JsonSchema {
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly minimum?: number
  readonly maximum?: number
}

const NUMBERS = [0, 1, -1, 0.5, 999, 1_000, 60_000, 8.64e15, 8.64e15 + 1, 2 ** 31, 2 ** 53 - 1, -(2 ** 53), 1e308]
const TEXTS = [
  '',
  ' ',
  'main',
  'agent:main:main',
  'agent:main:',
  '* * * * *',
  '0 0 30 2 *',
  'Europe/Berlin',
  'a\u0000b',
]
const LONE_SURROGATE = '\ud800'

const anyText = fc.oneof(
  fc.constantFrom(...TEXTS, LONE_SURROGATE, '__proto__', 'constructor'),
  fc.string({ unit: 'binary', maxLength: 50 }),
  fc.string({ maxLength: 20 }),
)
const anyNumber = fc.oneof(fc.constantFrom(...NUMBERS), fc.integer(), fc.double({ noNaN: true }))

export const anyJson = fc.oneof(fc.jsonValue(), anyText, anyNumber)

/** Nine of ten fit. */
export function valuesOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 9, arbitrary: fitting(schema) }, { weight: 1, arbitrary: anyJson })
}

function fitting(schema: JsonSchema): fc.Arbitrary<unknown> {
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return fc.oneof(...choices.map(valuesOf))
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum) return fc.constantFrom(...schema.enum)
  switch (schema.type) {
    case 'object':
      return objectsOf(schema)
    case 'array':
      return fc.array(valuesOf(schema.items ?? {}), { maxLength: 5 })
    case 'string':
      return anyText
    case 'integer':
    case 'number':
      return numbersOf(schema)
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    default:
      return anyJson
  }
}

function objectsOf({ properties = {}, required = [] }: JsonSchema): fc.Arbitrary<unknown> {
  const known = fc.record(
    Object.fromEntries(Object.entries(properties).map(([key, schema]) => [key, valuesOf(schema)])),
    { requiredKeys: [...required] },
  )
  const more = fc.oneof(
    { weight: 9, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: fc.dictionary(anyText, anyJson, { maxKeys: 2 }) },
  )
  return fc.tuple(known, more).map(([fields, extra]) => ({ ...extra, ...fields }))
}

function numbersOf({ minimum, maximum }: JsonSchema): fc.Arbitrary<number> {
  const min = Math.ceil(minimum ?? 0)
  const max = Math.floor(Math.min(maximum ?? 1e9, 2 ** 53 - 1))
  return fc.oneof(fc.integer({ min, max }), fc.constantFrom(min, max), anyNumber)
}
