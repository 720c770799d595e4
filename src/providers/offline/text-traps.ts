// Looks at the words that would become the text of a reminder for signs that they are more than that: a second
// request, a condition, a correction, a recurrence, the words of someone else. A finding stops the reminder and is told
// to the person; words in quotation marks are never searched.
import { readSpan } from '../../words/spans.ts'
import { phrases, skipAnyPhrase, skipWords, type Token, wordAt } from '../../words/tokens.ts'
import { readTrailingWhen, readWhen, type WhenSpec } from '../../words/when.ts'

/** A sentence for the person, or undefined when the words are only a text. */
export function trapIn(text: readonly Token[], when: WhenSpec): string | undefined {
  if (text.every(token => token.quoted)) return undefined
  if (startsWithTime(text)) return 'The text itself begins with a time.'
  return (
    sentenceBreak(text) ??
    secondRequest(text) ??
    condition(text) ??
    correction(text) ??
    secondRecurrence(text, when) ??
    endOfRecurrence(text, when) ??
    reportedSpeech(text)
  )
}

function startsWithTime(text: readonly Token[]): boolean {
  const read = readWhen(text, 0)?.value
  return Boolean(read?.date || read?.times || read?.delay)
}

const ABBREVIATIONS = new Set(
  phrases('dr, mr, mrs, ms, prof, st, no, nr, vs, etc, jr, sr, approx, e.g, i.e, inc, ltd, tel'),
)

function sentenceBreak(text: readonly Token[]): string | undefined {
  const broken = text.slice(0, -1).some(token => {
    if (/[!?;\n]/.test(token.after)) return true
    return token.after.includes('.') && token.word.length > 1 && !ABBREVIATIONS.has(token.word)
  })
  return broken ? 'It is more than one sentence.' : undefined
}

const COMMANDS = new Set(
  phrases('cancel, delete, remove, list, show, pause, resume, move, reschedule, run, stop, clear, tell, remind'),
)
const COMMAND_OBJECTS = new Set(
  phrases('reminder, reminders, job, jobs, alarm, alarms, one, ones, everything, all, me, session'),
)
const REQUESTS = phrases(
  'remind me, remind us, reminds me, set a reminder, set an alarm, create a reminder, add a reminder, ' +
    'make a reminder, wake me',
)
const JOINING = new Set(['and', 'or', 'then', 'also', 'plus', 'but', '&'])

function secondRequest(text: readonly Token[]): string | undefined {
  const two = 'It looks like two requests in one; please send them one at a time.'
  for (const at of text.keys()) {
    if (skipAnyPhrase(text, at, REQUESTS) !== undefined) return two
    if (!isJoin(text, at)) continue
    if (COMMANDS.has(wordAt(text, at)) && text.slice(at + 1).some(token => COMMAND_OBJECTS.has(token.word))) return two
    const when = readWhen(text, at)?.value
    if (when?.times || when?.delay || when?.recur) return 'It names a second time.'
  }
  return undefined
}

function isJoin(text: readonly Token[], at: number): boolean {
  return at > 0 && (JOINING.has(wordAt(text, at - 1)) || /[,:-]/.test(text[at - 1]?.after ?? ''))
}

const CONDITIONS = phrases(
  'unless, whenever, as soon as, in case, provided, only if, only when, except, excluding, but not, ' + 'as long as',
)
const ASKING = new Set(
  phrases(
    'ask, check, see, know, find, confirm, verify, decide, test, tell, figure, remember, wonder, learn, ' +
      'look, clarify, discuss, say, write',
  ),
)

/** "ask Bob if he comes" is a text; "take an umbrella if it rains" is a condition that nobody would check. */
function condition(text: readonly Token[]): string | undefined {
  const why = 'I cannot check a condition; put the text in quotation marks if it belongs to the text.'
  for (const [at, { word }] of text.entries()) {
    if (skipAnyPhrase(text, at, CONDITIONS) !== undefined) return why
    const asked = text.slice(0, at).some(token => ASKING.has(token.word))
    if ((word === 'if' || ((word === 'when' || word === 'once') && at > 0)) && !asked) return why
  }
  return undefined
}

const CORRECTIONS = phrases(
  'actually, never mind, nevermind, scratch that, forget it, forget that, no wait, wait no, or rather, ' +
    "i mean, just kidding, on second thought, cancel that, or maybe, no no, don't do it, or don't, " +
    'not really',
)

function correction(text: readonly Token[]): string | undefined {
  const corrected = text.some((_, at) => at > 0 && skipAnyPhrase(text, at, CORRECTIONS) !== undefined)
  const taken = text.length > 1 && /^(not|no|nope)$/.test(text.at(-1)?.word ?? '')
  return corrected || taken ? 'It corrects itself, so I am not sure which part holds.' : undefined
}

const RECURRING_ADVERBS = new Set(
  phrases('daily, weekly, monthly, yearly, hourly, nightly, annually, twice, regularly, repeatedly'),
)

function secondRecurrence(text: readonly Token[], when: WhenSpec): string | undefined {
  const why = 'It may be meant to come again, and I did not understand how often.'
  if (text.some(token => token.word === 'every')) return why
  if (!when.recur && RECURRING_ADVERBS.has(text.at(-1)?.word ?? '')) return why
  return readTrailingWhen(text, 1)?.spec.recur ? why : undefined
}

const BOUNDS = ['until', 'till', 'starting', 'beginning', 'ending', 'from next', 'for the next', 'as of', 'through']
const LONG_UNITS = /^(days?|weeks?|months?|years?|times)$/

/** "take pills for two weeks" with a daily job: an end that the job would not have. */
function endOfRecurrence(text: readonly Token[], when: WhenSpec): string | undefined {
  if (!when.recur) return undefined
  const bounded = text.some((token, at) => {
    if (skipAnyPhrase(text, at, BOUNDS) !== undefined) return true
    if (token.word === 'for' && when.recur?.kind === 'interval' && readSpan(text, at + 1)) return true
    const counted = token.word === 'for' && LONG_UNITS.test(wordAt(text, at + 2))
    return counted || (LONG_UNITS.test(token.word) && token.word.endsWith('times'))
  })
  return bounded ? 'A job that ends by itself is more than I can set up.' : undefined
}

const SPEECH = new Set(['said', 'says', 'wrote', 'asked', 'told'])

function reportedSpeech(text: readonly Token[]): string | undefined {
  const at = text.findIndex((token, index) => SPEECH.has(token.word) && index >= text.length - 2)
  const reported = at >= 2 && text.slice(0, at).some(token => token.after.includes(','))
  return reported ? 'It reports what someone said.' : undefined
}

/** Words that would make a sentence the opposite of a request, for a better answer. */
export function isNegated(tokens: readonly Token[]): boolean {
  return tokens.some(
    (token, at) =>
      /^(don't|dont|never|not|no|doesn't|didn't|won't|cannot|can't)$/.test(token.word) ||
      skipWords(tokens, at, 'do not') !== undefined,
  )
}
