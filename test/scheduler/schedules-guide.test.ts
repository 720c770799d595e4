// The guide to schedules tells the truth: each row of its table of instants, each default, each flag.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../../src/cli/catalogue.ts'
import { policyOf } from '../../src/protocol/job-policy.ts'
import { policySchema } from '../../src/protocol/job-policy-schema.ts'
import { nextOccurrences, validateSchedule } from '../../src/scheduler/next-occurrence.ts'
import { readSchedule } from '../../src/words/read.ts'

const GUIDE = readFileSync(new URL('../../docs/guides/schedules.md', import.meta.url), 'utf8')
const rows = GUIDE.split('\n')
  .filter(line => line.startsWith('| `'))
  .map(line =>
    line
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim()),
  )
const word = (cell = '') => /`([^`]*)`/.exec(cell)?.[1] ?? ''

describe('when clocks change', () => {
  const examples = rows.filter(([, , from = '']) => /^\d{4}-/.test(from))
  test.each(examples)('%s in %s from %s', (...[expression, zone = '', from = '', fires = '']) => {
    const expected = fires.split(', ').map(text => Date.parse(text))
    const context = { zone, createdAtMs: 0, count: expected.length }
    const schedule = { kind: 'cron' as const, expr: word(expression) }
    expect([...nextOccurrences(schedule, Date.parse(from), context)]).toEqual(expected)
  })

  test('there are examples, and 31 February is refused', () => {
    expect(examples.length).toBeGreaterThan(5)
    expect(() => validateSchedule({ kind: 'cron', expr: '0 0 31 2 *' }, 'UTC', 0)).toThrow('never fires')
  })
})

describe('in plain words', () => {
  const here = { now: Date.parse('2026-11-23T10:00:00+01:00'), zone: 'Europe/Berlin' }
  const spoken = rows.filter(row => row.length === 2)
  test.each(spoken)('%s: %s', (cell = '', reading = '') => {
    for (const [, words = ''] of cell.matchAll(/`([^`]+)`/g)) {
      const expected = reading.startsWith('not: ')
        ? { ok: false, problem: expect.any(String) }
        : { ok: true, schedule: expect.anything(), words: reading }
      expect(readSchedule(words, here)).toEqual(expected)
    }
  })

  test('there are examples of both', () => {
    expect(spoken.filter(([, reading = '']) => reading.startsWith('not: ')).length).toBeGreaterThan(5)
    expect(spoken.length).toBeGreaterThan(18)
  })
})

test('every member of a policy is there, with its flag and its default', () => {
  const members = rows.filter(([, flag = '']) => flag.includes('`--'))
  const names = members.flatMap(([cell = '']) => [...cell.matchAll(/`(\w+)`/g)].map(([, name]) => name as string))
  expect(names.toSorted()).toEqual(Object.keys(policySchema.shape).toSorted())
  const flags = COMMANDS.find(({ name }) => name === 'cron add')?.flags ?? {}
  const named = members.flatMap(([, cell = '']) => [...cell.matchAll(/--([\w-]+)/g)].map(([, name]) => name as string))
  expect(named.filter(name => !(name in flags))).toEqual([])
  const defaults = policyOf({}) as unknown as Record<string, unknown>
  for (const [name, , given] of members) {
    const holds = defaults[word(name)]
    expect([word(name), given === 'none' ? undefined : word(given)]).toEqual([
      word(name),
      typeof holds === 'object' ? JSON.stringify(holds) : holds === undefined ? undefined : String(holds),
    ])
  }
})
