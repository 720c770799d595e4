// Plain words for when, as a schedule and back: `every weekday at 9`, `tomorrow at 7:30`. Each word must have its place in
// the reading; else it is said which words were not understood, and there is no schedule.
import { formatOffset, offsetMs } from '../base/zoned-time.ts'
import type { Schedule } from '../protocol/job.ts'
import { scheduleInWords, zoneOfSchedule } from './describe.ts'
import { type Here, type Resolved, resolveWhen } from './resolve.ts'
import { fold, type Token, textOf, tokenise } from './tokens.ts'
import { readWhen, skipPoliteEnd, type WhenSpec } from './when.ts'

type Reading =
  /** `words` say the schedule; read again they give the same one. */
  | { readonly ok: true; readonly schedule: Schedule; readonly words: string }
  /** One or two sentences that say what stands in the way. */
  | { readonly ok: false; readonly problem: string }

export function readSchedule(text: string, here: Here): Reading {
  // What we show has its offset behind it, which says nothing new unless it is wrong.
  const [, words = text, offset] = /^(.*\S)\s*\(([+-]\d\d:\d\d)\)$/s.exec(text.trim()) ?? []
  const tokens = tokenise(words)
  const whole = readWhole(tokens)
  if (!whole.ok) return whole
  const resolved = resolveWhen(whole.spec, here)
  if (!resolved.ok) return resolved
  const { schedule } = resolved
  const zone = whole.spec.zone || zoneOfSchedule(schedule, here.zone)
  if (offset !== undefined && !isOffset(schedule, offset, zone))
    return { ok: false, problem: `The offset ${offset} is not that of ${zone} then.` }
  return { ok: true, schedule, words: scheduleInWords(schedule, zone) }
}

function isOffset(schedule: Schedule, offset: string, zone: string): boolean {
  return schedule.kind === 'at' && formatOffset(offsetMs(schedule.atMs, zone)) === offset
}

type Whole = { readonly ok: true; readonly spec: WhenSpec } | Extract<Resolved, { ok: false }>

function readWhole(tokens: readonly Token[]): Whole {
  const read = readWhen(tokens, 0)
  const end = skipPoliteEnd(tokens, read?.next ?? 0)
  if (read && end === tokens.length) return { ok: true, spec: read.value }
  const rest = textOf(tokens.slice(end))
  const why = reasonFor(fold(textOf(tokens)), fold(rest), read?.value)
  return { ok: false, problem: `I did not understand “${rest}”.${why && ` ${why}`}` }
}

/** Why some words have no reading. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/\b(not|never|no|don't|except|but|unless|without|skip)\b/, 'A schedule cannot say an exception or “not”.'],
  [/\b(if|when|or|maybe|about|around|roughly|sometimes)\b/, 'A schedule has no conditions and no choices.'],
  [/\bof the month\b/, 'Say “of every month” if it comes again; else name the date.'],
  [/^(until|till|for|starting|from|beginning|ending)\b/, 'When a job begins and ends is for its policy to say.'],
]

function reasonFor(whole: string, rest: string, before: WhenSpec = {}): string {
  if (/\b(every|each) (other|second|third|2nd|3rd)\b|\bevery \S+ (months|years)\b/.test(whole))
    return 'One schedule cannot count weeks, months or years.'
  const known = REASONS.find(([pattern]) => pattern.test(rest))
  if (known) return known[1]
  const timed = before.recur?.kind === 'interval' && !before.recur.between && /^(at|on|in)\b/.test(rest)
  return timed ? 'An interval has no time of day; “between 8 and 18” may follow it.' : ''
}
