// Every limit of the offline model, at its edge.
import { describe, expect, it } from 'vitest'
import type { ModelMessage } from '../../src/providers/model.ts'
import { NAME_LENGTH_MAX } from '../../src/providers/offline/flow-remind.ts'
import { JOBS_SHOWN_MAX } from '../../src/providers/offline/flow-targets.ts'
import { MESSAGE_LENGTH_MAX } from '../../src/providers/offline/understand.ts'
import { AHEAD_MS_MAX, DELAY_MS_MIN } from '../../src/words/resolve.ts'
import { ASKED_BACK, ask, at, Conversation, jobAdded, NOW, request } from './harness.ts'

async function isAskedBack(phrase: string): Promise<boolean> {
  const { calls, text } = await ask(phrase)
  return calls.length === 0 && text.includes(ASKED_BACK)
}

describe('limits', () => {
  it('a message', async () => {
    const long = (length: number) => 'remind me at 18:00 to '.padEnd(length, 'x')
    expect(await isAskedBack(long(MESSAGE_LENGTH_MAX))).toBe(false)
    expect(await isAskedBack(long(MESSAGE_LENGTH_MAX + 1))).toBe(true)
  })

  it('a delay and an interval', async () => {
    expect(jobAdded(await ask('remind me in 1 second to go')).schedule.atMs).toBe(NOW + DELAY_MS_MIN)
    expect(await isAskedBack('remind me in 0.999 seconds to go')).toBe(true)
    expect(jobAdded(await ask('every second say tick')).schedule).toEqual({ kind: 'every', everyMs: DELAY_MS_MIN })
    expect(await isAskedBack('every 0.999 seconds say tick')).toBe(true)
  })

  it('the part that is named', async () => {
    const part = /\(“(.*)”\)/.exec((await ask(`remind me at 18:00 blur ${'x'.repeat(300)}`)).text)?.[1]
    expect(part).toHaveLength(120)
  })

  it('how far ahead', async () => {
    const days = AHEAD_MS_MAX / 86_400_000
    expect(jobAdded(await ask(`remind me in ${days * 24} hours to go`)).schedule.atMs).toBe(NOW + AHEAD_MS_MAX)
    expect(await isAskedBack(`remind me in ${days * 24 + 1} hours to go`)).toBe(true)
    expect(await isAskedBack(`remind me in ${days + 1} days to go`)).toBe(true)
    expect(await isAskedBack('remind me on 1 January 2199 at 9 to go')).toBe(true)
  })

  it('a name', async () => {
    const exact = 'x'.repeat(NAME_LENGTH_MAX)
    expect(jobAdded(await ask(`remind me at 18:00 to ${exact}`)).name).toBe(exact)
    expect(jobAdded(await ask(`remind me at 18:00 to ${exact}x`)).name).toBe(`${'x'.repeat(NAME_LENGTH_MAX - 1)}…`)
  })

  it('the jobs in one answer', async () => {
    const talk = new Conversation()
    for (let place = 0; place <= JOBS_SHOWN_MAX; place++) {
      talk.add(`job ${place}`, at(`2026-11-24T09:${String(place).padStart(2, '0')}:00+01:00`))
    }
    const text = await talk.say('list jobs')
    expect(text).toContain(`\n${JOBS_SHOWN_MAX}. “job ${JOBS_SHOWN_MAX - 1}”`)
    expect(text).toContain('(and 1 more)')
    expect(text).not.toContain(`“job ${JOBS_SHOWN_MAX}”`)
  })
})

describe('what is over', () => {
  it('a one-shot that has run is not scheduled any more, a paused job still is', async () => {
    const job = (id: string, more: object) => ({
      ...{ id, name: id, enabled: false, payload: { kind: 'message', text: id }, state: {} },
      ...more,
    })
    const over = job('over', { schedule: { kind: 'at', atMs: 1 }, state: { lastStatus: 'ok', lastRunAtMs: 1 } })
    const paused = job('paused', { schedule: { kind: 'every', everyMs: 3_600_000 }, state: { lastStatus: 'ok' } })
    const messages: ModelMessage[] = [
      { role: 'user', text: 'what is scheduled?' },
      { role: 'assistant', text: '', calls: [{ id: 'x', name: 'cron', args: { action: 'list' } }] },
      {
        role: 'tool',
        callId: 'x',
        name: 'cron',
        text: JSON.stringify({ jobs: [over, paused], total: 2 }),
        isError: false,
      },
    ]
    const { text } = await request(messages)
    expect(text).toContain('“paused”')
    expect(text).not.toContain('“over”')
  })
})
