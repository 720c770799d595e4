// Whatever is said: the model never throws, changes nothing that it did not understand, and makes nothing in the past.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ModelMessage } from '../../src/providers/model.ts'
import { understand } from '../../src/providers/offline/understand.ts'
import { ASKED_BACK, ask, changes, jobAdded, NOW, request, TOOL_NAMES } from './harness.ts'

const WORDS = (
  'remind me to at 9 17:30 25:00 every day weekday Monday and the of in 5 minutes an hour half tomorrow tonight on Friday 24 December say ' +
  'good morning Berlin Paris time cancel first one reminder list all not please if session main tell move , . ? " pause run what ran ' +
  "is scheduled pm noon past quarter next week month 1st 15th 31 February until zone UTC don't or then it everything yes"
).split(' ')

const soup = fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 14 }).map(words => words.join(' '))
const anything = fc.oneof(soup, fc.string({ maxLength: 80 }), fc.string({ unit: 'binary', maxLength: 40 }))
const instant = fc.integer({ min: Date.parse('2020-01-01T00:00:00Z'), max: Date.parse('2040-01-01T00:00:00Z') })
const zone = fc.constantFrom(
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'UTC',
  'Pacific/Apia',
)

const CHANGING = new Set(['remind', 'send', 'cancel', 'pause', 'resume', 'run', 'change', 'confirm-cancel-all'])

describe('properties', () => {
  it('word soup never throws, and changes nothing unless it means something', async () => {
    await fc.assert(
      fc.asyncProperty(anything, instant, zone, async (text, now, where) => {
        const { calls, events, text: said } = await ask(text, { now, zone: where })
        expect(events.at(-1)?.type).toBe('done')
        const intent = understand(text)
        if (!CHANGING.has(intent.kind)) expect(changes(calls)).toEqual([])
        if (intent.kind === 'unclear') expect(said).toContain(ASKED_BACK)
      }),
      { numRuns: 2_000 },
    )
  })

  it('a single reminder is always in the future', async () => {
    const moments = fc.constantFrom(
      'in 1 second',
      'in 90 minutes',
      'in 3 months',
      'in a year',
      'at 2:30',
      'at midnight',
      'tomorrow at 2:30',
      'at 23:59:59',
      'on Sunday at 3',
      'next week on Sunday at 2',
      'on 29 February at 9',
      'on the 31st at 9',
      'today at 12',
      'tonight at 1',
      'this Sunday at 2:30',
      'at noon',
      'on 25 October at 2:30',
      'at 9 in Tokyo',
      'at 1 at night',
      'in 2 days at 0:00',
      'on 1 January at 0:00',
    )
    await fc.assert(
      fc.asyncProperty(moments, instant, zone, async (when, now, where) => {
        const { calls } = await ask(`remind me ${when} to x`, { now, zone: where })
        for (const call of calls) {
          const { schedule } = call.args.job as { schedule: { kind: string; atMs: number } }
          expect(schedule.kind).toBe('at')
          expect(schedule.atMs).toBeGreaterThan(now)
          expect(Number.isSafeInteger(schedule.atMs)).toBe(true)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('one word too many, anywhere around the time, stops it', async () => {
    const sentence = fc.constantFrom(
      ['remind me tomorrow at 9', 'to go'],
      ['every weekday at 9 in Berlin', 'say hi'],
      ['please remind me in an hour and a half', 'to go'],
      ['on the 1st of every month at noon remind me', 'to pay'],
      ['remind me on Friday 27 November at 18:00 Tokyo time', 'to call'],
      ['set a reminder for 24 December at half past seven pm', 'to eat'],
    )
    const stray = fc.constantFrom(
      'blur',
      'never',
      'maybe',
      'if',
      'unless',
      'or',
      '25:00',
      'blursday',
      'except',
      'around',
      '%',
      '32nd',
      'Atlantis',
    )
    await fc.assert(
      fc.asyncProperty(sentence, stray, fc.nat(), async ([head = '', tail = ''], word, place) => {
        expect((await ask(`${head} ${tail}`)).calls).toHaveLength(1)
        const words = head.split(' ')
        words.splice(place % (words.length + 1), 0, word)
        const { calls, text } = await ask(`${words.join(' ')} ${tail}`)
        expect(calls).toEqual([])
        expect(text).toContain(ASKED_BACK)
      }),
      { numRuns: 1_500 },
    )
  })

  it('the text of a reminder comes back letter for letter', async () => {
    const word = fc.stringMatching(/^[b-df-hj-np-tv-zB-DF-HJ-NP-TV-Z]{3,8}$/)
    const text = fc.array(word, { minLength: 1, maxLength: 6 }).map(words => words.join(' '))
    await fc.assert(
      fc.asyncProperty(text, async what => {
        expect(jobAdded(await ask(`remind me tomorrow at 9 to "${what}"`)).payload.text).toBe(what)
      }),
      { numRuns: 200 },
    )
  })

  it('any conversation ends in one event, whatever the tools said', async () => {
    const call = fc.record({
      name: fc.constantFrom(...TOOL_NAMES),
      action: fc.constantFrom('list', 'add', 'update', 'remove', 'run', 'runs', 'status'),
      result: fc.oneof(fc.json(), fc.string()),
      isError: fc.boolean(),
    })
    const turn = fc.record({
      text: anything,
      calls: fc.array(call, { maxLength: 3 }),
      reply: fc.string({ maxLength: 60 }),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { minLength: 1, maxLength: 4 }), async turns => {
        const messages = turns.flatMap(({ text, calls, reply }, place): ModelMessage[] => [
          { role: 'user', text },
          {
            role: 'assistant',
            text: reply,
            calls: calls.map((each, i) => ({ id: `${place}-${i}`, name: each.name, args: { action: each.action } })),
          },
          ...calls.map(
            ({ name, result, isError }, i): ModelMessage => ({
              role: 'tool',
              callId: `${place}-${i}`,
              name,
              text: result,
              isError,
            }),
          ),
        ])
        const { events } = await request(messages, { now: NOW })
        expect(events.at(-1)?.type).toBe('done')
      }),
      { numRuns: 500 },
    )
  })
})
