// What runs say while they speak is told soon, and in bounded numbers however many of them there are.
import { expect, test } from 'vitest'
import type { RunRow } from '../../src/store/rows.ts'
import { RunEvents, Speaking } from '../../src/turns/run-events.ts'
import { FakeClock } from '../fakes/clock.ts'

const WORDS = 60
const WORD_EVERY_MS = 50

/** How many times `runs` that speak side by side are told of, and what was told of the first. */
async function told(runs: number) {
  const clock = new FakeClock()
  const speaking = new Speaking()
  const texts: string[] = []
  let count = 0
  const events = Array.from({ length: runs }, (_, at) => {
    const publish = ({ event, payload }: { event: string; payload: unknown }) => {
      if (event !== 'agent') return
      count += 1
      if (at === 0) texts.push((payload as { data: { delta: string } }).data.delta)
    }
    const run = { runId: `r${at}`, sessionKey: 'agent:main:main', echoKey: 'main', source: 'chat', attempt: 1 }
    return new RunEvents(run as RunRow, { clock, publish, speaking })
  })
  for (let word = 0; word < WORDS; word += 1) {
    for (const one of events) one.delta(`${word} `)
    await clock.advance(WORD_EVERY_MS)
  }
  for (const one of events) one.flush()
  return { perSecond: count / ((WORDS * WORD_EVERY_MS) / 1_000), text: texts.join(''), left: speaking.count }
}
const ALL = Array.from({ length: WORDS }, (_, word) => `${word} `).join('')

test('W8: while few speak each word is told as it comes', async () => {
  const { perSecond, text, left } = await told(2)
  expect(perSecond).toBe((2 * 1_000) / WORD_EVERY_MS)
  expect({ text, left }).toEqual({ text: ALL, left: 0 })
})

test('W8: while many speak they are told of less often, and nothing is left out', async () => {
  const { perSecond, text, left } = await told(250)
  expect(perSecond).toBeLessThan(2_500)
  expect({ text, left }).toEqual({ text: ALL, left: 0 })
})
