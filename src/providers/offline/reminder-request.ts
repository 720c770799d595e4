// Reads a request for a reminder or a recurring message: courtesy, when, the asking words, when, what, when. The time
// may stand before or after the text, once; every word must have its place, or the request is unclear and says where.

import { readRecurrence } from '../../words/recurrence.ts'
import { AT, phrases, type Read, skipAnyPhrase, skipWords, type Token, textOf, wordAt } from '../../words/tokens.ts'
import { mergeWhen, missingIn, readTrailingWhen, readWhen, type WhenSpec } from '../../words/when.ts'
import { type Intent, type Unclear, unclear } from './intent.ts'
import { endsAsQuestion, politeEnd, readOpening } from './polite.ts'
import { isNegated, trapIn } from './text-traps.ts'
import { timeAfter, timeBefore } from './time-traps.ts'

type Style = 'remind' | 'tell' | 'say' | 'wake' | 'reminder'

interface Trigger {
  readonly style: Style
  readonly when: WhenSpec
}

const TRIGGERS: readonly (readonly [Style, readonly string[]])[] = [
  ['remind', ['remind me', 'remind us']],
  [
    'tell',
    phrases(
      'tell me, notify me, ping me, alert me, nudge me, message me, text me, let me know, inform me, ' +
        'poke me, send me a message, send me a note, write me, tell us, notify us',
    ),
  ],
  ['wake', ['wake me', 'wake me up']],
  ['say', ['say']],
]
const MAKING = phrases(
  'set, set up, create, add, make, make me, schedule, give me, send me, set me, put in, i need, ' +
    "i want, i'd like, i would like, set myself, get me",
)
const REMINDERS = phrases(
  'reminder, alarm, notification, alert, reminder for me, recurring reminder, new reminder, ' +
    'quick reminder, job, cron job, message, scheduled message',
)

interface Sentence {
  readonly tokens: readonly Token[]
  readonly style: Style
  readonly when: WhenSpec
  /** Where the text starts, and the word that led to it. */
  readonly textAt: number
  readonly connector: string
  readonly asks: boolean
}

/** Undefined when the message does not look like a request for a reminder at all. */
export function readReminderRequest(tokens: readonly Token[]): Intent | undefined {
  const opening = readOpening(tokens, 0)
  const front = readWhen(tokens, opening.next)
  const second = readOpening(tokens, front?.next ?? opening.next)
  const trigger = readTrigger(tokens, second.next)
  if (!trigger) return looksLikeRequest(tokens, front?.next ?? opening.next, front?.value)
  const asks = opening.asks || second.asks
  if (endsAsQuestion(tokens) && !asks && trigger.value.style !== 'say') {
    return unclear('It is a question, and I am not sure that a reminder is wanted.')
  }
  const when = mergeWhen(front?.value ?? {}, trigger.value.when)
  const middle = readMiddle(tokens, trigger)
  const whole = when && mergeWhen(when, middle?.value ?? {})
  if (!whole) return unclear('It names two times that do not fit together.')
  return readText(tokens, { style: trigger.value.style, when: whole, at: middle?.next ?? trigger.next, asks })
}

function readTrigger(tokens: readonly Token[], at: number): Read<Trigger> {
  for (const [style, asking] of TRIGGERS) {
    const next = skipAnyPhrase(tokens, at, asking)
    if (next !== undefined) return { value: { style, when: {} }, next }
  }
  const making = skipAnyPhrase(tokens, at, MAKING)
  const article =
    making === undefined ? undefined : skipAnyPhrase(tokens, making, ['a', 'an', 'another', 'one', 'me a', 'me an'])
  const often = article === undefined ? undefined : readRecurrence(tokens, article)
  const noun = skipAnyPhrase(tokens, often?.next ?? article ?? at, REMINDERS)
  if (noun === undefined || (making !== undefined && article === undefined)) return undefined
  return { value: { style: 'reminder', when: often?.value ?? {} }, next: noun }
}

/** `set a reminder for tomorrow at 9`, `set an alarm for 7`: the `for` counts only when a time follows. */
function readMiddle(tokens: readonly Token[], trigger: { value: Trigger; next: number }): Read<WhenSpec> {
  const after = trigger.value.style === 'reminder' ? skipWords(tokens, trigger.next, 'for') : undefined
  if (after === undefined) return readWhen(tokens, trigger.next)
  return readWhen(tokens, after) ?? readWhen(tokens.with(trigger.next, AT), trigger.next)
}

function looksLikeRequest(tokens: readonly Token[], at: number, front: WhenSpec | undefined): Unclear | undefined {
  const inside = tokens.some((_, index) => /^(remind|reminder|reminders|reminding)$/.test(wordAt(tokens, index)))
  if (!inside && !front) return undefined
  if (isNegated(tokens)) return unclear('It says not to, or may say so.')
  if (at >= tokens.length) return unclear('It says when, but not what to remind you of.')
  return unclear('It is not a plain request.', textOf(tokens.slice(at)))
}

/** Finds the words that lead to the text, then reads the text itself. */
function readText(tokens: readonly Token[], read: { style: Style; when: WhenSpec; at: number; asks: boolean }): Intent {
  const { style, when, at, asks } = read
  if (at >= tokens.length || politeFrom(tokens, at)) return withoutText(style, when)
  const connector = brokenBefore(tokens, at) ? undefined : readConnector(tokens, at, style)
  if (!connector) {
    const why =
      Object.keys(when).length > 0 ? 'I did not understand what follows the time.' : 'I did not understand this part.'
    return unclear(why, textOf(tokens.slice(at)))
  }
  const sentence: Sentence = { tokens, style, when, textAt: connector.next, connector: connector.value, asks }
  if (connector.next >= tokens.length) return withoutText(style, when)
  return Object.keys(when).length > 0 && missingIn(when) === undefined ? timeThenText(sentence) : textThenTime(sentence)
}

/** A question or a new sentence between the time and the text; a greeting may end with a mark. */
function brokenBefore(tokens: readonly Token[], at: number): boolean {
  return tokens.slice(readOpening(tokens, 0).next, at).some(token => /[?!;]/.test(token.after))
}

function politeFrom(tokens: readonly Token[], at: number): boolean {
  return politeEnd(tokens) <= at
}

function withoutText(style: Style, when: WhenSpec): Intent {
  if (style !== 'wake') return unclear('It does not say what to remind you of.')
  return missingIn(when) ? unclear('It does not say at what time.') : { kind: 'remind', text: 'wake up', when }
}

const CONNECTORS: Readonly<Record<Style, readonly string[]>> = {
  remind: ['to', 'that', 'about', 'of', 'saying', 'not to'],
  reminder: ['to', 'that', 'about', 'of', 'saying', 'not to', 'that says', 'for the', 'for my', 'for our', 'called'],
  tell: ['to', 'that', 'saying', 'not to', 'that says'],
  wake: ['to'],
  say: [],
}

function readConnector(tokens: readonly Token[], at: number, style: Style): Read<string> {
  const start = followsColon(tokens, at)
  const next = skipAnyPhrase(tokens, at, CONNECTORS[style])
  if (next !== undefined) {
    const words = tokens
      .slice(at, next)
      .map(token => token.word)
      .join(' ')
    return { value: words, next: words.startsWith('for ') ? at + 1 : next }
  }
  if (start || tokens[at]?.quoted) return { value: ':', next: at }
  return style === 'say' && wordAt(tokens, at - 1) === 'say' ? { value: 'say', next: at } : undefined
}

/** `remind me at 9: call Bob`, `every day at 8 - take pills`. */
function followsColon(tokens: readonly Token[], at: number): boolean {
  return /[:–—-]/.test(tokens[at - 1]?.after ?? '')
}

/** The time is known already; a further time inside the text belongs to the text, unless it might not. */
function timeThenText({ tokens, style, when, textAt, connector, asks }: Sentence): Intent {
  const body = withoutThanks(tokens.slice(textAt))
  if (body.length === 0) return withoutText(style, when)
  const trap = misledBy(connector, body) ?? trapIn(body, when) ?? timeAfter(body, when)
  if (trap) return unclear(trap, textOf(body))
  return { kind: 'remind', text: finish(body, { style, connector, asks }), when }
}

const NO_VERBS = /^(at|on|in|by|until|till|from|for|and|or|every|each|before|after|to|of|about|around|with|not)$/

/** What follows `to` is something to do; a word that cannot begin that was meant otherwise. */
function misledBy(connector: string, text: readonly Token[]): string | undefined {
  const misled = /^(not )?to$/.test(connector) && NO_VERBS.test(wordAt(text, 0))
  return misled ? 'I did not understand the beginning of what to do.' : undefined
}

/** "please" is courtesy anywhere; thanks only where a comma or full stop sets them apart from the text. */
function withoutThanks(body: readonly Token[]): readonly Token[] {
  const end = politeEnd(body)
  const before = body[end - 1]
  const please = /^(please|pls|plz)$/.test(wordAt(body, end)) && before?.word !== 'say'
  return please || /[,.!?]/.test(before?.after ?? '') ? body.slice(0, end) : body
}

/** The time is still open, wholly or in part: it must be the very end of the sentence. */
function textThenTime({ tokens, style, when, textAt, connector, asks }: Sentence): Intent {
  const body = tokens.slice(textAt)
  const spoken = body.slice(0, politeEnd(body))
  const trailing = readTrailingWhen(spoken, 1)
  if (!trailing) return unclear(missingText(when, spoken), textOf(spoken))
  const clause = connector.startsWith('that') || (Object.keys(when).length > 0 && /^(about|of|saying)$/.test(connector))
  if (clause) {
    return unclear('The time may belong to what you want to hear; please put it before the text.', textOf(spoken))
  }
  const whole = mergeWhen(when, trailing.spec)
  if (!whole) return unclear('It names two times that do not fit together.', textOf(spoken.slice(trailing.start)))
  const missing = missingIn(whole)
  if (missing) return unclear(`It does not say ${missing === 'time' ? 'at what time' : 'on which day'}.`)
  const text = spoken.slice(0, trailing.start)
  const misplaced = misledBy(connector, text) ?? timeBefore(text, trailing.spec)
  if (misplaced) return unclear(misplaced, textOf(text))
  const trap = trapIn(text, whole)
  if (trap) return unclear(trap, textOf(text))
  return { kind: 'remind', text: finish(text, { style, connector, asks }), when: whole }
}

function missingText(when: WhenSpec, body: readonly Token[]): string {
  if (Object.keys(when).length > 0) return 'It names a day but no time.'
  const timed = body.some(token => /\d/.test(token.word))
  return timed ? 'I did not understand the time in it.' : 'It does not say at what time.'
}

function finish(text: readonly Token[], how: { style: Style; connector: string; asks: boolean }): string {
  if (text.length === 1 && text[0]?.quoted) return text[0].bare
  const marks = how.style === 'say' && !how.asks ? /[\s.,;:-]+$/ : /[\s.,;:!?-]+$/
  const words = textOf(text).replace(marks, '')
  return how.connector === 'not to' ? `don't ${words}` : words
}
