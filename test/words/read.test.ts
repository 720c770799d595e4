// Plain words for when: what they are read as, and what is asked back. Expected schedules are written by hand.
import { describe, expect, test } from 'vitest'
import { readSchedule } from '../../src/words/read.ts'

/** Monday 23 November 2026, 10:00 in Berlin. */
const here = { now: Date.parse('2026-11-23T10:00:00+01:00'), zone: 'Europe/Berlin' }
const at = (iso: string) => ({ kind: 'at', atMs: Date.parse(iso) })
const cron = (expr: string, tz = 'Europe/Berlin') => ({ kind: 'cron', expr, tz })
const between = (minutes: number, [from, to]: [string, string], more: { weekdays?: number[]; tz?: string } = {}) => {
  const { weekdays, tz = 'Europe/Berlin' } = more
  return { kind: 'every', everyMs: minutes * 60_000, between: { from, to, ...(weekdays && { weekdays }) }, tz }
}

test.each([
  ['every weekday at 9', cron('0 9 * * 1-5')],
  ['the first Monday of each month at noon in Tokyo', cron('0 12 * * 1#1', 'Asia/Tokyo')],
  ['on the first and third Tuesday of every month at 18:30', cron('30 18 * * 2#1,2#3')],
  ['the last Friday of every month at 5pm', cron('0 17 * * 5#L')],
  ['every month on the first Monday at 9', cron('0 9 * * 1#1')],
  ['every last Friday of the month at 9', cron('0 9 * * 5#L')],
  ['the last day of every month at 9', cron('0 9 L * *')],
  ['every month on the last day at 9', cron('0 9 L * *')],
  ['on the 15th and last day of every month at noon', cron('0 12 15,L * *')],
  ['every 90 minutes between 8 and 18', between(90, ['08:00', '18:00'])],
  ['every hour on weekdays between 9 and 17', between(60, ['09:00', '17:00'], { weekdays: [1, 2, 3, 4, 5] })],
  ['every hour between 9 and 17 every day', between(60, ['09:00', '17:00'])],
  ['hourly from 9am to 5:30pm', between(60, ['09:00', '17:30'])],
  ['every 30 minutes between 9 and 17 on weekdays', between(30, ['09:00', '17:00'], { weekdays: [1, 2, 3, 4, 5] })],
  [
    'every Monday and Friday every half hour between 9 and 17 in New York',
    between(30, ['09:00', '17:00'], { weekdays: [1, 5], tz: 'America/New_York' }),
  ],
  ['every Monday, Wednesday and Friday at 9 and 17', cron('0 9,17 * * 1,3,5')],
  ['Mon-Fri at 8:30', cron('30 8 * * 1-5')],
  ['every day at 18:00 Europe/Paris', cron('0 18 * * *', 'Europe/Paris')],
  ['every 2 weeks', { kind: 'every', everyMs: 1_209_600_000 }],
  ['in 20 minutes', at('2026-11-23T10:20:00+01:00')],
  ['in 30 hours, please', at('2026-11-24T16:00:00+01:00')],
  ['tomorrow at 7:30', at('2026-11-24T07:30:00+01:00')],
  ['on 24 December at 18:00', at('2026-12-24T18:00:00+01:00')],
  ['Thu 2026-12-24 18:00 Europe/Berlin (+01:00)', at('2026-12-24T18:00:00+01:00')],
  ['at 9 on Friday in Tokyo', at('2026-11-27T09:00:00+09:00')],
])('%s', (words, schedule) => {
  expect(readSchedule(words, here)).toEqual({ ok: true, schedule, words: expect.any(String) })
})

describe('what is not understood whole is said, and nothing is guessed', () => {
  test.each([
    ['every other Friday at 9', /every other Friday.*cannot count weeks/],
    ['every second Tuesday at 9', /cannot count weeks/],
    ['every 2 months', /cannot count weeks, months/],
    ['the first weekday of every month at 9', /did not understand/],
    ['last day of the month', /Say “of every month”/],
    ['every day at 9 but not on Monday', /“but not on Monday”.*exception/],
    ['not on Monday', /“not on Monday”/],
    ['every day except Sunday at 9', /“except Sunday at 9”/],
    ['every day at 9 if it rains', /“if it rains”.*no conditions/],
    ['at 5 or 6', /“or 6”.*no choices/],
    ['every day at 9 until Friday', /“until Friday”.*policy/],
    ['every 2 days at 9', /“at 9”.*no time of day/],
    ['every day at 9 every 30 minutes between 9 and 17', /“every 30 minutes between 9 and 17”/],
    ['every 30 minutes between 9 and 17 at 10', /“at 10”/],
    ['every 15 minutes between 9 and 5', /not after the first/],
    ['every hour weekly between 9 and 17', /“weekly between 9 and 17”/],
    ['every 10 hours between 9 and 17', /fits between/],
    ['every 10 seconds between 9 and 17', /at least a minute/],
    ['every hour between 9:00:30 and 17', /set to the minute/],
    ['in 20 minutes and tomorrow at 9', /“and tomorrow at 9”/],
    ['at 9 and 17', /more than one time/],
    ['every day at 8:30 and 20:00', /same minute/],
    ['next Friday at 9', /may mean this week's or next week's/],
    ['03/04/2027 at 9', /“03\/04\/2027 at 9”/],
    ['on 31 February at 9', /“on 31 February at 9”/],
    ['every 31 February at 9', /“every 31 February at 9”/],
    ['Tue 2026-12-24 18:00', /do not fit together/],
    ['Thu 2026-12-24 18:00 Europe/Berlin (+02:00)', /offset \+02:00 is not that of Europe\/Berlin/],
    ['at 30:00', /“at 30:00”/],
    ['at 9:75', /“at 9:75”/],
    ['every day at 9:75', /“at 9:75”/],
    ['on Friday at midnight', /beginning of that day or its end/],
    ['every Friday at midnight', /beginning of that day or its end/],
    ['in 3 days at midnight', /beginning of that day or its end/],
    ['every day at 9 in San Juan', /“in San Juan”/],
    ['every day at 9 in Norfolk', /“in Norfolk”/],
    ['today at 9', /in the past/],
    ['yesterday at 9', /in the past/],
    ['every 500 milliseconds', /did not understand/],
    ['at 9 EST', /“EST”/],
    ['every day at 9 in Atlantis', /“in Atlantis”/],
    ['tomorrow', /at what time/],
    ['9', /“9”/],
    ['', /did not understand/],
  ])('%s', (words, problem) => {
    expect(readSchedule(words, here)).toEqual({ ok: false, problem: expect.stringMatching(problem) })
  })
})

describe('past midnight, and where it is another day, a day that is counted from today has two readings', () => {
  /** Half past midnight in Berlin; in New York it is still Sunday evening, in Tokyo Monday morning. */
  const night = { now: Date.parse('2026-11-23T00:30:00+01:00'), zone: 'Europe/Berlin' }

  test.each([
    ['tonight at 1', /this night or in the next/],
    ['tomorrow at 9 in New York', /another day in America\/New_York/],
    ['in 2 days at 9 in New York', /another day/],
  ])('%s', (words, problem) => {
    expect(readSchedule(words, night)).toEqual({ ok: false, problem: expect.stringMatching(problem) })
  })

  test.each([
    ['tonight at 11', '2026-11-23T23:00:00+01:00'],
    ['tonight at midnight', '2026-11-24T00:00:00+01:00'],
    ['at midnight', '2026-11-24T00:00:00+01:00'],
    ['Sunday night at 1', '2026-11-23T01:00:00+01:00'],
    ['Sunday night at 11', '2026-11-29T23:00:00+01:00'],
    ['tomorrow at 9 in Tokyo', '2026-11-24T09:00:00+09:00'],
    ['on Wednesday at 9 in New York', '2026-11-25T09:00:00-05:00'],
    ['on 24 November at 9 in New York', '2026-11-24T09:00:00-05:00'],
  ])('%s', (words, iso) => {
    expect(readSchedule(words, night)).toEqual({ ok: true, schedule: at(iso), words: expect.any(String) })
  })

  test.each(['every 24 hours', 'every 7 days'])('%s is said so that it is read as itself', words => {
    expect(readSchedule(words, night)).toMatchObject({ ok: true, words })
  })
})
