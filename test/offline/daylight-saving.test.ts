// Local times that do not exist or exist twice, in Berlin: 2027-03-28 02:00 -> 03:00 and 2026-10-25 03:00 -> 02:00.
import { describe, expect, it } from 'vitest'
import { Conversation } from './harness.ts'

async function confirmed(now: string, phrase: string) {
  const talk = new Conversation({ now: Date.parse(now) })
  const text = await talk.say(phrase)
  const { schedule } = talk.jobs[0] ?? { schedule: {} }
  return { text, atMs: 'atMs' in schedule ? schedule.atMs : undefined }
}

describe('daylight saving', () => {
  it('takes the first moment after a gap, and says so', async () => {
    const { text, atMs } = await confirmed('2027-03-27T10:00:00+01:00', 'remind me tomorrow at 2:30 to wake')
    expect(atMs).toBe(Date.parse('2027-03-28T03:00:00+02:00'))
    expect(text).toContain('Sun 2027-03-28 03:00 Europe/Berlin (+02:00). The clocks are put forward then')
  })

  it('takes the first of two moments, and says so', async () => {
    const { text, atMs } = await confirmed('2026-10-24T10:00:00+02:00', 'remind me tomorrow at 2:30 to wake')
    expect(atMs).toBe(Date.parse('2026-10-25T02:30:00+02:00'))
    expect(text).toContain('(+02:00). The clocks are put back then; of the two moments of that name this is the first.')
  })

  it('keeps the time of day over days, and the length over hours', async () => {
    const days = await confirmed('2027-03-27T10:00:00+01:00', 'remind me in 1 day to go')
    expect(days.atMs).toBe(Date.parse('2027-03-28T10:00:00+02:00'))
    const hours = await confirmed('2027-03-27T10:00:00+01:00', 'remind me in 24 hours to go')
    expect(hours.atMs).toBe(Date.parse('2027-03-28T11:00:00+02:00'))
  })

  it('shows the offset that will hold, not the present one', async () => {
    const { text } = await confirmed('2027-03-27T10:00:00+01:00', 'remind me tomorrow at 9 to go')
    expect(text).toContain('Sun 2027-03-28 09:00 Europe/Berlin (+02:00)')
  })
})
