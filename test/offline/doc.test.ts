// docs/offline-model.md and the grammar are kept in step: every example of the page is run, and every meaning that the
// model knows has an example there.
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Intent } from '../../src/providers/offline/intent.ts'
import { understand } from '../../src/providers/offline/understand.ts'
import { ASKED_BACK, ask } from './harness.ts'

const page = readFileSync(new URL('../../docs/offline-model.md', import.meta.url), 'utf8')

const EXAMPLES = page
  .split('\n')
  .map(line => /^\| (`.+`) \| (.+) \|$/.exec(line))
  .flatMap(row =>
    row ? [...(row[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, phrase]) => [phrase ?? '', row[2] ?? ''] as const) : [],
  )

/** Does not compile when a kind of intent is missing here. */
const KINDS: Record<Intent['kind'], true> = {
  remind: true,
  list: true,
  cancel: true,
  pause: true,
  resume: true,
  run: true,
  'job-history': true,
  change: true,
  'cancel-all': true,
  'confirm-cancel-all': true,
  'what-ran': true,
  conversation: true,
  sessions: true,
  send: true,
  status: true,
  identity: true,
  time: true,
  help: true,
  'small-talk': true,
  unclear: true,
}

describe('docs/offline-model.md', () => {
  it('has examples', () => {
    expect(EXAMPLES.length).toBeGreaterThan(90)
  })

  it.each(EXAMPLES)('%s: %s', async (phrase, outcome) => {
    const { calls, text } = await ask(phrase)
    const [first] = calls
    if (outcome.startsWith('asks back')) {
      expect(calls).toEqual([])
      expect(text).toContain(ASKED_BACK)
      return
    }
    if (outcome === 'answers') {
      expect(calls).toEqual([])
      expect(text).not.toContain(ASKED_BACK)
      return
    }
    const [, tool, action, kind] = /^`(\w+)(?: (\w+))?`(?: \((\w+)\))?/.exec(outcome) ?? []
    expect(first?.name).toBe(tool)
    expect(first?.args.action).toBe(action)
    expect((first?.args.job as { schedule?: { kind: string } } | undefined)?.schedule?.kind).toBe(kind)
  })

  it('has an example of every meaning', () => {
    const shown = new Set(EXAMPLES.map(([phrase]) => understand(phrase).kind))
    expect([...shown].sort()).toEqual(Object.keys(KINDS).sort())
  })
})
