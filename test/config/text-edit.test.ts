// A config that is changed keeps what a person wrote around the change, and means exactly what was asked for.
import fc from 'fast-check'
import JSON5 from 'json5'
import { describe, expect, test } from 'vitest'
import { editedText, plainText } from '../../src/config/text-edit.ts'

const FILE = `// mine
{
  gateway: { port: 1234 /* odd */, auth: {} },
  // the zone
  agents: {
    defaults: {
      userTimezone: 'Europe/Berlin', // home
    },
  },
  cron: {
    enabled: true // why
  }
}
`

function changed(change: (config: Record<string, Record<string, unknown>>) => void, text = FILE): string {
  const config = JSON5.parse(text)
  change(config)
  return editedText(text, config)
}

describe('only what changes is written', () => {
  test('a value', () => {
    const next = changed(config => {
      Object.assign(config.gateway as object, { port: 5 })
    })
    expect(next).toBe(FILE.replace('1234', '5'))
  })

  test('a new key, beside others on one line and on lines of its own', () => {
    expect(changed(config => void Object.assign(config.gateway as object, { bind: 'loopback' }))).toBe(
      FILE.replace('auth: {} }', "auth: {}, bind: 'loopback' }"),
    )
    expect(changed(config => void Object.assign(config.agents?.defaults as object, { timeoutSeconds: 5 }))).toBe(
      FILE.replace('// home\n', '// home\n      timeoutSeconds: 5,\n'),
    )
    expect(changed(config => void Object.assign(config.cron as object, { maxConcurrentRuns: 2 }))).toBe(
      FILE.replace('true // why\n', 'true, // why\n    maxConcurrentRuns: 2\n'),
    )
    expect(changed(config => void Object.assign(config, { tools: { deny: ['x'] } }))).toBe(
      FILE.replace(/\n {2}\}\n\}\n$/, "\n  },\n  tools: {\n    deny: [\n      'x',\n    ],\n  }\n}\n"),
    )
  })

  test('a key that goes takes its line with it', () => {
    expect(changed(config => void delete config.cron)).toBe(
      FILE.replace(/\n {2}cron: [\s\S]*$/, '\n}\n').replace('  },\n}', '  }\n}'),
    )
    expect(changed(config => void delete (config.gateway as { port?: number }).port)).toBe(
      FILE.replace(' port: 1234 /* odd */,', ''),
    )
  })

  test('JSON stays JSON', () => {
    const text = '{\n  "a": 1,\n  "b": {"c": [1]}\n}\n'
    const next = editedText(text, { b: { c: [2] }, 'd e': 'x' })
    expect(next).toBe('{\n  "b": {"c": [2]},\n  "d e": "x"\n}\n')
    expect(JSON.parse(next)).toEqual({ b: { c: [2] }, 'd e': 'x' })
  })
})

const name = fc.constantFrom('a', 'b', 'port', 'x y', '__proto__', "it's", 'ä', '0')
const leaf = fc.oneof(
  fc.string({ maxLength: 5 }),
  fc.integer(),
  fc.boolean(),
  fc.constantFrom('//', '/* */', '"', "'", ','),
)
const { config } = fc.letrec(tie => ({
  config: fc.dictionary(name, tie('value'), { maxKeys: 4 }),
  value: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('value'), { maxLength: 3 }), tie('config')),
})) as { config: fc.Arbitrary<Record<string, unknown>> }

/** Writes a value as people might: any quotes, spaces, comments and commas that JSON5 allows. */
function scrawled(value: unknown, next: (max: number) => number): string {
  const gap = () => ['', ' ', '\n', '\n    ', ' /* kept */ ', ' // kept\n', '\r\n'][next(6)] as string
  const quoted = (text: string) => (next(1) === 0 ? JSON.stringify(text) : JSON5.stringify(text))
  const list = (items: readonly string[], [open, close]: readonly [string, string]) =>
    `${open}${items.join(`${gap()},`)}${gap()}${items.length > 0 && next(1) === 0 ? ',' : ''}${gap()}${close}`
  if (Array.isArray(value))
    return list(
      value.map(item => gap() + scrawled(item, next) + gap()),
      ['[', ']'],
    )
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? quoted(value) : String(value)
  const members = Object.entries(value).map(([key, child]) => {
    const bare = /^[a-z]+$/.test(key) && next(1) === 0
    return `${gap()}${bare ? key : quoted(key)}${gap()}:${gap()}${scrawled(child, next)}`
  })
  return list(members, ['{', '}'])
}

const scrawl = fc.tuple(config, fc.array(fc.nat(6), { minLength: 5, maxLength: 30 })).map(([value, picks]) => {
  let at = 0
  const next = (max: number) => {
    at += 1
    return (picks[at % picks.length] as number) % (max + 1)
  }
  return { value, text: `// kept\n${scrawled(value, next)}` }
})
const count = (text: string) => text.split('kept').length

test('whatever is asked for, the text means that afterwards, and nothing else', () => {
  fc.assert(
    fc.property(scrawl, config, ({ value, text }, after) => {
      expect(JSON5.parse(text)).toEqual(value)
      expect(editedText(text, value)).toBe(text)
      const next = editedText(text, after)
      expect(JSON5.parse(next)).toEqual(JSON5.parse(plainText(after)))
    }),
    { numRuns: 300 },
  )
})

test('a key that is added or given another value costs no comment outside of it', () => {
  fc.assert(
    fc.property(scrawl, fc.constantFrom('a', 'new'), leaf, ({ value, text }, key, to) => {
      fc.pre(typeof value[key] !== 'object')
      expect(count(editedText(text, { ...value, [key]: to }))).toBe(count(text))
    }),
    { numRuns: 300 },
  )
})

test('a text written in a way that cannot be kept is written anew, whole', () => {
  expect(editedText('{ a: 1 // one\r}', { a: 1, b: 2 })).toBe(plainText({ a: 1, b: 2 }))
})
