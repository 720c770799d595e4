// The words in which a session is told how work ended that it had asked for.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { quoteWords } from '../../src/base/command-words.ts'
import { formatted } from '../../src/channels/telegram/formatting.ts'
import { TEXT_LENGTH_MAX } from '../../src/channels/telegram/sending.ts'
import { announcementOf, questionOf } from '../../src/store/announcement.ts'
import { chunksOf } from '../../src/store/chunks.ts'
import type { RunRow } from '../../src/store/rows.ts'

function ended(more: Partial<RunRow>): RunRow {
  return { runId: 'r1', sessionKey: 'agent:helper:task:1', source: 'spawn', state: 'ok', ...more } as RunRow
}

test('a task says its label, how it ended, and what it found or why it did not', () => {
  const task = (more: Partial<RunRow>) => announcementOf(ended({ label: 'look it up', ...more }))
  const head = 'System: the task "look it up" has ended:'
  expect(task({ reply: 'blue' })).toBe(`${head} ok.\nFindings:\nblue`)
  expect(task({ state: 'failed', error: 'no key' })).toBe(`${head} failed.\nFindings:\nno key`)
  expect(task({ state: 'aborted', error: 'stopped' })).toBe(`${head} stopped.\nFindings:\nstopped`)
  expect(task({ state: 'timed-out', error: '60 s', reply: 'half' })).toBe(`${head} timed out.\nFindings:\nhalf`)
  expect(task({})).toBe(`${head} ok.\nFindings:\n(no reply)`)
})

test('a task without a label is named by its session, as the turn that asked for it knows it', () => {
  const head = 'System: the task "agent:helper:task:1" has ended: ok.'
  expect(announcementOf(ended({ reply: 'blue' }))).toBe(`${head}\nFindings:\nblue`)
})

test('a session that was sent a message has answered it', () => {
  const said = (more: Partial<RunRow>) => announcementOf(ended({ source: 'session', label: 'x', ...more }))
  const head = 'System: session agent:helper:task:1 has answered your message:\n'
  expect(said({ reply: 'fine' })).toBe(`${head}fine`)
  expect(said({ state: 'failed', error: 'no key' })).toBe(`${head}no key`)
})

test('a question to a person shows the tool and exactly what would run', () => {
  const approval = { id: 'a', callId: '1:0', askedIn: 'main', request: {}, whatHash: '', expiresAtMs: 0 }
  expect(questionOf({ ...approval, tool: 'exec', text: 'git push' })).toBe(
    'May exec run this? Answer yes or no.\n```\ngit push\n```',
  )
})

test('a chat that reads Markdown shows each character of what would run, whatever stands in it', () => {
  const approval = { id: 'a', callId: '1:0', askedIn: 'main', request: {}, whatHash: '', expiresAtMs: 0, tool: 'exec' }
  const marks = [
    '[a](https://b;evil)',
    '<https://b>',
    '**',
    '__',
    '~~',
    '`',
    '```',
    '~~~',
    '\\*',
    '> #',
    '|-|',
    "'",
    '\n',
    ' ',
  ]
  const word = fc.array(fc.oneof(fc.constantFrom(...marks), fc.string()), { maxLength: 4 }).map(parts => parts.join(''))
  const shown = (text: string) =>
    chunksOf(questionOf({ ...approval, text }), TEXT_LENGTH_MAX).map(piece => formatted(piece).text)
  const head = 'May exec run this? Answer yes or no.\n'
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 8 }), words => {
      const text = `${quoteWords(words)} (in /work)`
      expect(shown(text)).toEqual([head + text])
    }),
  )
  const long = quoteWords(Array(1_000).fill('[a](https://b)'))
  expect(shown(long).length).toBeGreaterThan(1)
  expect(shown(long).join('').replaceAll(/\s/g, '')).toBe((head + long).replaceAll(/\s/g, ''))
})
