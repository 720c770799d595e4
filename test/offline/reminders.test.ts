// What requests for reminders become: the exact call, with times worked out by hand for Monday 2026-11-23 10:00 Berlin.
import { describe, expect, it } from 'vitest'
import { ask, at, cron, every, jobAdded } from './harness.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

type Schedule = ReturnType<typeof at> | ReturnType<typeof cron> | ReturnType<typeof every>

const ONE_SHOTS: readonly (readonly [phrase: string, text: string, schedule: Schedule])[] = [
  ['remind me in 5 seconds to stretch', 'stretch', at('2026-11-23T10:00:05+01:00')],
  ['in 20 minutes tell me to call mum', 'call mum', at('2026-11-23T10:20:00+01:00')],
  ['remind me to call Bob at 17:30', 'call Bob', at('2026-11-23T17:30:00+01:00')],
  ['remind me at 5pm to stretch', 'stretch', at('2026-11-23T17:00:00+01:00')],
  ['at 5 pm remind me to leave', 'leave', at('2026-11-23T17:00:00+01:00')],
  ['remind me at 5 p.m. to leave', 'leave', at('2026-11-23T17:00:00+01:00')],
  ['remind me tomorrow at 7:30 to run', 'run', at('2026-11-24T07:30:00+01:00')],
  ['tomorrow at 7:30 remind me to run', 'run', at('2026-11-24T07:30:00+01:00')],
  ['remind me to run tomorrow at 7:30', 'run', at('2026-11-24T07:30:00+01:00')],
  ['remind me on Friday at noon to eat', 'eat', at('2026-11-27T12:00:00+01:00')],
  ['remind me on 24 December at 18:00 to sing', 'sing', at('2026-12-24T18:00:00+01:00')],
  ['remind me 2026-12-24 18:00 to sing', 'sing', at('2026-12-24T18:00:00+01:00')],
  ['remind me at 2026-12-24T18:00 to sing', 'sing', at('2026-12-24T18:00:00+01:00')],
  ['remind me at 2026-12-24T18:00Z to sing', 'sing', at('2026-12-24T19:00:00+01:00')],
  ['remind me on 24.12.2026 at 18:00 to sing', 'sing', at('2026-12-24T18:00:00+01:00')],
  ['remind me on 24.12. at 18:00 to sing', 'sing', at('2026-12-24T18:00:00+01:00')],
  ['remind me on 12/24/2026 at 18:00 to sing', 'sing', at('2026-12-24T18:00:00+01:00')],
  ['remind me on December 24th, 2026 at 6pm to sing', 'sing', at('2026-12-24T18:00:00+01:00')],
  ['remind me on the 24th of December at 6 pm to sing', 'sing', at('2026-12-24T18:00:00+01:00')],
  ['remind me on Thursday, 24 December at 9 to shop', 'shop', at('2026-12-24T09:00:00+01:00')],
  ['remind me tonight at 8 to watch the film', 'watch the film', at('2026-11-23T20:00:00+01:00')],
  ['remind me at 8 tonight to watch the film', 'watch the film', at('2026-11-23T20:00:00+01:00')],
  ['remind me tonight at 12 to sleep', 'sleep', at('2026-11-24T00:00:00+01:00')],
  ['remind me tonight at midnight to sleep', 'sleep', at('2026-11-24T00:00:00+01:00')],
  ['remind me at 12am to sleep', 'sleep', at('2026-11-24T00:00:00+01:00')],
  ['please remind me in half an hour to drink water', 'drink water', at('2026-11-23T10:30:00+01:00')],
  ['can you remind me in an hour and a half to leave?', 'leave', at('2026-11-23T11:30:00+01:00')],
  ['hey, could you remind me in five minutes to check the oven', 'check the oven', at('2026-11-23T10:05:00+01:00')],
  ['remind me to check the oven in twenty-five minutes please', 'check the oven', at('2026-11-23T10:25:00+01:00')],
  ['remind me in one and a half hours to go', 'go', at('2026-11-23T11:30:00+01:00')],
  ['remind me in 1.5 hours to go', 'go', at('2026-11-23T11:30:00+01:00')],
  ['remind me in 1h30m to go', 'go', at('2026-11-23T11:30:00+01:00')],
  ['remind me in two hours and fifteen minutes to go', 'go', at('2026-11-23T12:15:00+01:00')],
  ['remind me in a quarter of an hour to go', 'go', at('2026-11-23T10:15:00+01:00')],
  ['remind me in a couple of hours to go', 'go', at('2026-11-23T12:00:00+01:00')],
  ['an hour from now remind me to go', 'go', at('2026-11-23T11:00:00+01:00')],
  ['remind me in 45 min to move the car', 'move the car', at('2026-11-23T10:45:00+01:00')],
  ['ping me in 10 mins to check the build', 'check the build', at('2026-11-23T10:10:00+01:00')],
  ['remind me in two days to call', 'call', at('2026-11-25T10:00:00+01:00')],
  ['remind me in 2 weeks at 9 to renew', 'renew', at('2026-12-07T09:00:00+01:00')],
  ['remind me in 3 months to check the tyres', 'check the tyres', at('2027-02-23T10:00:00+01:00')],
  ['remind me at 7 to wake the kids', 'wake the kids', at('2026-11-24T07:00:00+01:00')],
  ['remind me at 11 to wake the kids', 'wake the kids', at('2026-11-23T11:00:00+01:00')],
  ['remind me at 7 in the evening to cook', 'cook', at('2026-11-23T19:00:00+01:00')],
  ['remind me this evening at 7 to cook', 'cook', at('2026-11-23T19:00:00+01:00')],
  ['remind me this afternoon at 3 to nap', 'nap', at('2026-11-23T15:00:00+01:00')],
  ['remind me tomorrow morning at 8 to buy bread.', 'buy bread', at('2026-11-24T08:00:00+01:00')],
  ['remind me the day after tomorrow at 8am to pack', 'pack', at('2026-11-25T08:00:00+01:00')],
  ['remind me next week on Monday at 9 to plan', 'plan', at('2026-11-30T09:00:00+01:00')],
  ['remind me on Tuesday next week at 9 to plan', 'plan', at('2026-12-01T09:00:00+01:00')],
  ['remind me next Monday at 9 to plan', 'plan', at('2026-11-30T09:00:00+01:00')],
  ['remind me this Sunday at 9 to rest', 'rest', at('2026-11-29T09:00:00+01:00')],
  ['remind me on Monday at 9 to plan', 'plan', at('2026-11-30T09:00:00+01:00')],
  ['remind me on Monday at 18:00 to plan', 'plan', at('2026-11-23T18:00:00+01:00')],
  ['remind me Sat at 9 to rest', 'rest', at('2026-11-28T09:00:00+01:00')],
  ['remind me on the 24th at 9 to pay', 'pay', at('2026-11-24T09:00:00+01:00')],
  ['remind me on the 5th at 9 to pay', 'pay', at('2026-12-05T09:00:00+01:00')],
  ['remind me on 3 January at 9 to pay', 'pay', at('2027-01-03T09:00:00+01:00')],
  ['remind me on 29 February at 9 to celebrate', 'celebrate', at('2028-02-29T09:00:00+01:00')],
  ['remind me at half past seven to eat', 'eat', at('2026-11-24T07:30:00+01:00')],
  ['remind me at quarter to 8 pm to eat', 'eat', at('2026-11-23T19:45:00+01:00')],
  ['remind me at ten to eight to go', 'go', at('2026-11-24T07:50:00+01:00')],
  ['remind me at five to go', 'go', at('2026-11-24T05:00:00+01:00')],
  ['remind me at nine thirty to go', 'go', at('2026-11-24T09:30:00+01:00')],
  ["remind me at 9 o'clock to go", 'go', at('2026-11-24T09:00:00+01:00')],
  ['remind me at 17.30 to go', 'go', at('2026-11-23T17:30:00+01:00')],
  ['remind me at 1730 to go', 'go', at('2026-11-23T17:30:00+01:00')],
  ['remind me at 17:30:15 to go', 'go', at('2026-11-23T17:30:15+01:00')],
  ['remind me to call Ken at 9 Tokyo time', 'call Ken', at('2026-11-24T09:00:00+09:00')],
  ['remind me at 21:00 UTC to deploy', 'deploy', at('2026-11-23T21:00:00Z')],
  ['remind me at 9:00 europe/paris to call', 'call', at('2026-11-24T09:00:00+01:00')],
  ['remind me tomorrow at 9 in New York to call Jane', 'call Jane', at('2026-11-24T09:00:00-05:00')],
  ['remind me tomorrow at 9 to book a hotel in Paris', 'book a hotel in Paris', at('2026-11-24T09:00:00+01:00')],
  ['remind me to book a hotel in Paris tomorrow at 9', 'book a hotel in Paris', at('2026-11-24T09:00:00+01:00')],
  ['remind me to book the 10:30 train tomorrow at 9', 'book the 10:30 train', at('2026-11-24T09:00:00+01:00')],
  ['remind me tomorrow at 9 to book a table at 19:00', 'book a table at 19:00', at('2026-11-24T09:00:00+01:00')],
  [
    'remind me in 20 minutes to tell Ann about Friday at 9',
    'tell Ann about Friday at 9',
    at('2026-11-23T10:20:00+01:00'),
  ],
  ['remind me tomorrow to call Bob at 9', 'call Bob', at('2026-11-24T09:00:00+01:00')],
  ['tomorrow remind me at 9 to call Bob', 'call Bob', at('2026-11-24T09:00:00+01:00')],
  ['remind me at 9 tomorrow to call Bob', 'call Bob', at('2026-11-24T09:00:00+01:00')],
  ['set a reminder for tomorrow at 9 to call Bob', 'call Bob', at('2026-11-24T09:00:00+01:00')],
  ['set a reminder for 7 to call Bob', 'call Bob', at('2026-11-24T07:00:00+01:00')],
  ['I need a reminder to call Bob tomorrow at 9', 'call Bob', at('2026-11-24T09:00:00+01:00')],
  ['set an alarm for 7:30 called gym', 'gym', at('2026-11-24T07:30:00+01:00')],
  ['wake me up at 7:15', 'wake up', at('2026-11-24T07:15:00+01:00')],
  ['remind me about the meeting at 17:00', 'the meeting', at('2026-11-23T17:00:00+01:00')],
  ['let me know at 16:00 that the store closes', 'the store closes', at('2026-11-23T16:00:00+01:00')],
  ['remind me at 17:00: call Bob', 'call Bob', at('2026-11-23T17:00:00+01:00')],
  ['remind me at 17:00 "every day, if it rains"', 'every day, if it rains', at('2026-11-23T17:00:00+01:00')],
  ['remind me not to forget the keys at 18:00', "don't forget the keys", at('2026-11-23T18:00:00+01:00')],
  ['remind me at 18:00 to say thanks', 'say thanks', at('2026-11-23T18:00:00+01:00')],
  ['remind me to stretch in 5 minutes, thanks!', 'stretch', at('2026-11-23T10:05:00+01:00')],
  ['remind me at 18:00 to ask Bob if he is coming', 'ask Bob if he is coming', at('2026-11-23T18:00:00+01:00')],
  ['remind me to email Dr. Smith at 15:00', 'email Dr. Smith', at('2026-11-23T15:00:00+01:00')],
  ['REMIND ME AT 18:00 TO EAT', 'EAT', at('2026-11-23T18:00:00+01:00')],
  ['remind me to sit where we sat at 18:00', 'sit where we sat', at('2026-11-23T18:00:00+01:00')],
]

const RECURRING: readonly (readonly [phrase: string, text: string, schedule: Schedule])[] = [
  ['every weekday at 9 in Berlin say good morning', 'good morning', cron('0 9 * * 1-5')],
  ['say good morning every weekday at 9 in Berlin', 'good morning', cron('0 9 * * 1-5')],
  ['every weekday in Berlin at 9 say good morning', 'good morning', cron('0 9 * * 1-5')],
  ['remind me every weekday at 8 to work', 'work', cron('0 8 * * 1-5')],
  ['on the first Monday of every month at 9 remind me to eat', 'eat', cron('0 9 * * 1#1')],
  ['remind me to pay on the last day of every month at 9', 'pay', cron('0 9 L * *')],
  ['every day at 8:00 remind me to take pills', 'take pills', cron('0 8 * * *')],
  ['remind me every day to take pills at 8', 'take pills', cron('0 8 * * *')],
  ['daily at 7 remind me to journal', 'journal', cron('0 7 * * *')],
  ['set a daily reminder at 8 to take pills', 'take pills', cron('0 8 * * *')],
  ['set a nightly reminder at 9 to lock up', 'lock up', cron('0 21 * * *')],
  ['every day at 8 am New York time say hi', 'hi', cron('0 8 * * *', 'America/New_York')],
  ['every day at 9 UTC say hi', 'hi', cron('0 9 * * *', 'UTC')],
  ['every Monday and Thursday at 18:15 remind me to train', 'train', cron('15 18 * * 1,4')],
  ['every Mon, Wed and Fri at 6:30am remind me to train', 'train', cron('30 6 * * 1,3,5')],
  ['remind me every Mon/Wed/Fri at 7 to train', 'train', cron('0 7 * * 1,3,5')],
  ['remind me Mon-Fri at 9 to clock in', 'clock in', cron('0 9 * * 1-5')],
  ['remind me Monday to Friday at 8 to work', 'work', cron('0 8 * * 1-5')],
  ['on Mondays at 9 remind me to plan', 'plan', cron('0 9 * * 1')],
  ['weekly on Mondays at 9 remind me to plan', 'plan', cron('0 9 * * 1')],
  ['every week on Monday at 9 remind me to plan', 'plan', cron('0 9 * * 1')],
  ['weekdays at 9:30 remind me to join standup', 'join standup', cron('30 9 * * 1-5')],
  ['weekends at 10 remind me to water plants', 'water plants', cron('0 10 * * 0,6')],
  ['remind me to take out the bins every Tuesday at 20:00', 'take out the bins', cron('0 20 * * 2')],
  ['every evening at 8 remind me to read', 'read', cron('0 20 * * *')],
  ['each morning at 7 say good morning!', 'good morning!', cron('0 7 * * *')],
  ['every Friday afternoon at 4 remind me to write the weekly report', 'write the weekly report', cron('0 16 * * 5')],
  ['every day at 9 and 17 remind me to check mail', 'check mail', cron('0 9,17 * * *')],
  ['remind me every day at noon and midnight to pray', 'pray', cron('0 0,12 * * *')],
  ['on the 1st of every month at 9 remind me to pay rent', 'pay rent', cron('0 9 1 * *')],
  ['every month on the 15th at noon remind me to invoice', 'invoice', cron('0 12 15 * *')],
  ['every month at noon on the 15th remind me to invoice', 'invoice', cron('0 12 15 * *')],
  ['remind me on the 1st and 15th of every month at 9 to pay', 'pay', cron('0 9 1,15 * *')],
  ['monthly on the 5th at 9 remind me to pay', 'pay', cron('0 9 5 * *')],
  ['remind me on the first day of every month at 9 to pay', 'pay', cron('0 9 1 * *')],
  ['every year on 24 December at 18:00 say merry Christmas', 'merry Christmas', cron('0 18 24 12 *')],
  ['remind me every 24 December at 18:00 to call grandma', 'call grandma', cron('0 18 24 12 *')],
  ['once a day at 9 remind me to stretch', 'stretch', cron('0 9 * * *')],
  ['remind me to plan the week every Friday at 16:00', 'plan the week', cron('0 16 * * 5')],
  ['every 90 minutes remind me to drink', 'drink', every(90 * MINUTE)],
  ['every hour remind me to stand up', 'stand up', every(HOUR)],
  ['hourly remind me to stand up', 'stand up', every(HOUR)],
  ['remind me to drink every half hour', 'drink', every(30 * MINUTE)],
  ['every hour and a half remind me to drink', 'drink', every(90 * MINUTE)],
  ['every other hour remind me to drink', 'drink', every(2 * HOUR)],
  ['every three hours remind me to drink', 'drink', every(3 * HOUR)],
  ['create a reminder to water the plants every 3 days', 'water the plants', every(72 * HOUR)],
  ['every 10 seconds say tick', 'tick', every(10_000)],
  ['every day at 9 remind me to run for 20 minutes', 'run for 20 minutes', cron('0 9 * * *')],
  ['create a job every weekday at 9 that says good morning', 'good morning', cron('0 9 * * 1-5')],
  ['send me a message every weekday at 9 saying good morning', 'good morning', cron('0 9 * * 1-5')],
]

describe('a request for a reminder is one exact call', () => {
  it.each([...ONE_SHOTS, ...RECURRING])('%s', async (phrase, text, schedule) => {
    const { calls, text: said } = await ask(phrase)
    expect(said).toBe('')
    expect(calls.map(({ name, args }) => ({ name, args }))).toEqual([
      {
        name: 'cron',
        args: {
          action: 'add',
          job: {
            name: text,
            enabled: true,
            ...(schedule.kind === 'at' && { deleteAfterRun: true }),
            schedule,
            sessionTarget: 'main',
            wakeMode: 'now',
            payload: { kind: 'message', text },
          },
        },
      },
    ])
  })

  it('cuts a long name at a word and keeps the text whole', async () => {
    const text = `write ${'word '.repeat(30)}end`
    const job = jobAdded(await ask(`remind me at 18:00 to ${text}`))
    expect(job.payload.text).toBe(text)
    expect(job.name.length).toBeLessThanOrEqual(60)
    expect(job.name).toMatch(/^write word .*word…$/)
  })

  it('counts from the clock and the zone that it is given', async () => {
    const setting = { now: Date.parse('2026-07-01T23:30:00Z'), zone: 'Asia/Tokyo' }
    expect(jobAdded(await ask('remind me tomorrow at 9 to go', setting)).schedule).toEqual(
      at('2026-07-03T09:00:00+09:00'),
    )
  })
})
