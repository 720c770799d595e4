// The words in which a session is told how work ended that it had asked for.
import { expect, test } from 'vitest'
import { announcementOf, questionOf } from '../../src/store/announcement.ts'
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
    'May exec run this? Answer yes or no.\ngit push',
  )
})
