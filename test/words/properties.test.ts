// What the words say is what happens. Schedules are made at random with a meaning of their own; their words are read back,
// and the next times are held against the naive model of cron, which shares no code with either. Single dates are held
// against chrono, an independent reader.
import * as chrono from 'chrono-node'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Schedule } from '../../src/protocol/job.ts'
import { nextOccurrences } from '../../src/scheduler/next-occurrence.ts'
import { scheduleInWords } from '../../src/words/describe.ts'
import { readSchedule } from '../../src/words/read.ts'
import { firings, type ModelSchedule, walk } from '../scheduler/naive-cron.ts'

const [MINUTE, DAY] = [60_000, 86_400_000]
/** All zones here keep to quarters of an hour, so the walk of the model may. */
const GRAIN = 15
const ZONES = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'UTC']
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const ENDINGS: Readonly<Record<number, string>> = { 1: 'st', 2: 'nd', 3: 'rd', 21: 'st', 22: 'nd', 31: 'st' }
const MONTH_DAYS: readonly number[] = [1, 2, 3, 11, 13, 21, 22, 30, 31]
const PLACES = ['first', 'second', 'third', 'fourth', 'fifth']

const pad = (value: number) => String(value).padStart(2, '0')
const list = (words: readonly string[]) => words.join(', ').replace(/, ([^,]*)$/, ' and $1')
const dateOf = (midnightMs: number) => new Date(midnightMs).getUTCDate()
const dayOf = (midnightMs: number) => new Date(midnightMs).getUTCDay()
const some = (max: number) => fc.uniqueArray(fc.integer({ min: 0, max }), { minLength: 1, maxLength: 3 })

/** Words, and on which days they mean (a day is given by its midnight, as if in UTC). */
type Days = readonly [words: string, includes: (midnightMs: number) => boolean]
const days: fc.Arbitrary<Days> = fc.oneof(
  fc.constantFrom<Days>(
    ['every day', () => true],
    ['every weekday', midnight => dayOf(midnight) % 6 !== 0],
    ['weekends', midnight => dayOf(midnight) % 6 === 0],
    ['on the last day of every month', midnight => dateOf(midnight + DAY) === 1],
  ),
  some(6).map(
    (these): Days => [
      `every ${list(these.map(day => WEEKDAYS[day] ?? ''))}`,
      midnight => these.includes(dayOf(midnight)),
    ],
  ),
  fc
    .uniqueArray(fc.constantFrom(...MONTH_DAYS), { minLength: 1, maxLength: 3 })
    .map(
      (these): Days => [
        `on the ${list(these.map(day => `${day}${ENDINGS[day] ?? 'th'}`))} of every month`,
        midnight => these.includes(dateOf(midnight)),
      ],
    ),
  fc
    .tuple(some(4), some(6))
    .map(
      ([places, these]): Days => [
        `on the ${list(places.map(place => PLACES[place] ?? ''))} ${list(these.map(day => WEEKDAYS[day] ?? ''))} of each month`,
        midnight => these.includes(dayOf(midnight)) && places.includes(Math.ceil(dateOf(midnight) / 7) - 1),
      ],
    ),
  fc
    .integer({ min: 0, max: 6 })
    .map(
      (day): Days => [
        `the last ${WEEKDAYS[day]} of every month`,
        midnight => dayOf(midnight) === day && dateOf(midnight + 7 * DAY) <= 7,
      ],
    ),
)

interface Case {
  readonly words: string
  /** One for each time of the day. */
  readonly models: readonly ModelSchedule[]
}

const any = { text: '*', allows: () => true }
const only = (value: number) => ({ text: String(value), allows: (n: number) => n === value })
const modelOf = (ofDay: number, includes: Days[1]): ModelSchedule => ({
  minute: only(ofDay % 60),
  hour: only(Math.floor(ofDay / 60)),
  day: { text: 'these', allows: includes },
  month: any,
  weekday: any,
})
const clock = (ofDay: number) => `${pad(Math.floor(ofDay / 60))}:${pad(ofDay % 60)}`

/** Times of the day are multiples of `grain` minutes. */
const timed = (grain: number) =>
  fc
    .tuple(days, some(23), fc.integer({ min: 0, max: 60 / grain - 1 }))
    .map(([[words, includes], hours, minute]): Case => {
      const times = hours.map(hour => hour * 60 + minute * grain)
      return { words: `${words} at ${list(times.map(clock))}`, models: times.map(time => modelOf(time, includes)) }
    })

const windows = (grain: number) =>
  fc
    .record({
      from: fc.integer({ min: 0, max: 900 / grain }),
      steps: fc.integer({ min: 1, max: 480 / grain }),
      every: fc.integer({ min: 1, max: 300 / grain }),
      weekdays: fc.option(fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 7 })),
    })
    .map(({ from, steps, every, weekdays }): Case => {
      const step = Math.min(every, steps) * grain
      const [first, last] = [from * grain, (from + steps) * grain]
      const times = Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, index) => first + index * step)
      const on = weekdays ? ` on ${list(weekdays.map(day => `${WEEKDAYS[day]}s`))}` : ''
      return {
        words: `every ${step} minutes between ${clock(first)} and ${clock(last)}${on}`,
        models: times.map(time => modelOf(time, midnight => !weekdays || weekdays.includes(dayOf(midnight)))),
      }
    })
const cases = (grain: number) => fc.oneof(timed(grain), windows(grain))

/** Stretches with a change of clocks in them, longer than a month. */
const STRETCHES = ZONES.flatMap(zone =>
  ['2026-02-25T00:00Z', '2026-10-01T00:00Z'].map(from => {
    const fromMs = Date.parse(from)
    return { zone, fromMs, window: walk(zone, [fromMs - DAY, fromMs + 40 * DAY], GRAIN * MINUTE) }
  }),
)

function read(words: string, zone: string, now: number) {
  const reading = readSchedule(words, { now, zone })
  if (!reading.ok) throw new Error(`${words}: ${reading.problem}`)
  return reading
}

test('what is read in words fires when the words say, across changes of clocks', () => {
  fc.assert(
    fc.property(cases(GRAIN), fc.constantFrom(...STRETCHES), ({ words, models }, { zone, fromMs, window }) => {
      const { schedule } = read(words, zone, fromMs)
      const expected = [...new Set(models.flatMap(model => firings(model, window)))]
        .filter(atMs => atMs > fromMs)
        .sort((a, b) => a - b)
      const wanted = { zone: 'UTC', createdAtMs: fromMs, count: expected.length + 1 }
      const fired = [...nextOccurrences(schedule, fromMs, wanted)].filter(atMs => atMs < fromMs + 40 * DAY)
      expect(fired).toEqual(expected)
    }),
    { numRuns: 150 },
  )
})

test('a schedule in words is read back as itself', () => {
  const at = fc
    .integer({ min: 0, max: 40_000_000 })
    .map((minutes): Schedule => ({ kind: 'at', atMs: minutes * MINUTE + 1.8e12 }))
  const every = fc
    .integer({ min: 1, max: 10_000_000 })
    .map((seconds): Schedule => ({ kind: 'every', everyMs: seconds * 1_000 }))
  const here = { now: 1.75e12, zone: 'Europe/Berlin' }
  const spoken = fc
    .tuple(cases(1), fc.constantFrom(...ZONES))
    .map(([{ words }, zone]) => read(words, zone, here.now).schedule)
  fc.assert(
    fc.property(fc.oneof(at, every, spoken), fc.constantFrom(...ZONES), (schedule, zone) => {
      const words = scheduleInWords(schedule, zone)
      const again = readSchedule(words, here)
      // The second of two equal readings has no words of its own: its offset is refused rather than read as the first.
      if (!again.ok && schedule.kind === 'at') expect(again.problem).toMatch(/^The offset/)
      else expect(again).toEqual({ ok: true, schedule, words })
    }),
    { numRuns: 1_000 },
  )
})

test('single dates mean what an independent reader takes them for', () => {
  const time = fc
    .tuple(fc.integer({ min: 13, max: 23 }), fc.integer({ min: 0, max: 59 }))
    .map(([h, m]) => `${h}:${pad(m)}`)
  const date = fc.integer({ min: 21_000, max: 40_000 }).map(day => new Date(day * DAY))
  const name = (which: Date, options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' }).format(which)
  const phrase = fc.oneof(
    fc.integer({ min: 1, max: 999 }).chain(n => fc.constantFrom(`in ${n} minutes`, `in ${n} hours`)),
    time.chain(t => fc.constantFrom(`at ${t}`, `tomorrow at ${t}`, `${t} tomorrow`)),
    fc
      .tuple(date, time)
      .chain(([d, t]) =>
        fc.constantFrom(
          `on ${name(d, { day: 'numeric', month: 'long', year: 'numeric' })} at ${t}`,
          `${name(d, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })} at ${t}`,
          `${d.toISOString().slice(0, 10)} ${t}`,
        ),
      ),
  )
  const now = Date.parse('2026-11-23T09:00:00Z')
  fc.assert(
    fc.property(phrase, words => {
      const [other] = chrono.parse(words, { instant: new Date(now), timezone: 0 }, { forwardDate: true })
      expect(other?.text).toBe(words)
      expect(read(words, 'UTC', now).schedule).toEqual({ kind: 'at', atMs: other?.date().getTime() })
    }),
    { numRuns: 300 },
  )
})
