// Looks for times in the text of a reminder that may not be meant as text: the remains of a date that was not
// understood, a day whose time stands elsewhere, a second time. It never decides for the person; it stops the reminder.
import { monthNamed, weekdayNamed } from '../../words/dates.ts'
import { readBetween } from '../../words/recurrence.ts'
import { phrases, skipWords, type Token, wordAt } from '../../words/tokens.ts'
import { isTimeOnly, readTrailingWhen, readWhen, type WhenSpec } from '../../words/when.ts'

/** For a text after a whole time: a sentence for the person, or undefined when its times belong to the text. */
export function timeAfter(text: readonly Token[], when: WhenSpec): string | undefined {
  if (text.every(token => token.quoted)) return undefined
  const trailing = readTrailingWhen(text, 1)?.spec
  if (isTimeOnly(when) && ((trailing && !isTimeOnly(trailing)) || namesOpenDay(text))) {
    return 'It names a day apart from the time; put the two together, or the text in quotation marks.'
  }
  if (when.recur?.kind === 'interval' && (trailing || namesBetween(text))) return TWO_TIMES
  if (isTimeOnly(when) && nearlyNamesDay(text.at(-1)?.word ?? '')) return 'The last word may be a misspelt day.'
  const zoned = when.times && when.zone === undefined && wordAt(text, text.length - 1) === 'time'
  return zoned ? 'The text ends like a time zone; put the zone next to the time.' : undefined
}

/** The same for a text before its time. */
export function timeBefore(text: readonly Token[], when: WhenSpec): string | undefined {
  if (text.every(token => token.quoted)) return undefined
  if (danglesBeforeTime(text, when)) return 'I did not understand the words before the time.'
  if (when.recur?.kind === 'interval' && namesBetween(text)) return TWO_TIMES
  if (namesSecondTime(text)) return 'It names more than one time; put the text in quotation marks if one belongs to it.'
  return isTimeOnly(when) && namesOpenDay(text)
    ? 'It names a day apart from the time; put the two together, or the text in quotation marks.'
    : undefined
}

const TWO_TIMES = 'It names an interval and another time; put the two together.'

/** "every hour | stand up between 9 and 17". */
function namesBetween(text: readonly Token[]): boolean {
  return text.some((_, at) => readBetween(text, at))
}

/** "call Alice at 9 and Bob | at 10"; a bare "10:30" as in "the 10:30 train" is a name and no time. */
function namesSecondTime(text: readonly Token[]): boolean {
  return text.some((token, at) => {
    const read = at > 0 ? readWhen(text, at)?.value : undefined
    return read && (read.delay || read.recur || (read.times && /^(at|@.*)$/.test(token.word)))
  })
}

const DETERMINERS = new Set(['the', 'my', 'our', 'your', 'his', 'her', 'their', 'a', 'an', 'this'])

/** "go tomorrow to the gym | at 9"; "the Friday report" names no day of its own. */
function namesOpenDay(text: readonly Token[]): boolean {
  // "pay on the last day of the month | at 9": it is not said of which.
  if (skipWords(text, text.length - 3, 'of the month') !== undefined) return true
  return text.some((_, at) => {
    const read = at > 0 ? readWhen(text, at)?.value : undefined
    return Boolean(read?.date || read?.part) && !DETERMINERS.has(wordAt(text, at - 1))
  })
}

const DANGLING = new Set(
  (
    'before after by until till for from since about around near between of to with and or not but the a an my your our ' +
    'every each next last past this than as because if when approximately roughly almost nearly maybe perhaps possibly ' +
    'probably at except only starting beginning ending no never is was are were be will exactly every other also then'
  ).split(' '),
)
const LEADS_TO_TIME = new Set(
  'at on by in around about until till before after from every each the past to next this last coming for'.split(' '),
)

/**
 * Whether the words right before a time at the end of the sentence belong to that time and were not understood:
 * "pay rent on the 45th | at 9", "call Bob on Blursday | at 9", "eat maybe | at 9". The text must not swallow them.
 */
function danglesBeforeTime(text: readonly Token[], when: WhenSpec): boolean {
  const last = text.at(-1)
  if (!last || last.quoted) return false
  const before = wordAt(text, text.length - 2)
  if (DANGLING.has(last.word) || looksLikeTime(last.word)) return true
  // "plan the week" is something to do; "in some weeks" is a time that was not understood.
  if (/^(hours?|minutes?|days?|weeks?|months?)$/.test(last.word) && !/^(the|my|our)$/.test(before)) return true
  if (/\d/.test(last.word) && (LEADS_TO_TIME.has(before) || monthNamed(before) !== undefined)) return true
  if (readTrailingWhen(text, 1)) return true
  const day = LEADS_TO_TIME.has(before) && /day$/.test(last.word) && !WORDS_LIKE_DAYS.has(last.word)
  return day || (isTimeOnly(when) && nearlyNamesDay(last.word))
}

function looksLikeTime(word: string): boolean {
  if (word.length > 3 && (weekdayNamed(word) !== undefined || monthNamed(word) !== undefined)) return true
  return /^\d+[:.]\d+|^\d+(st|nd|rd|th|am|pm)$|^(am|pm|o'clock)$/.test(word)
}

const WORDS_LIKE_DAYS = new Set(
  phrases('day, birthday, holiday, workday, weekday, someday, everyday, midday, payday, yesterday, today'),
)
const DAY_WORDS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday', 'tomorrow', 'tonight']
const SLIPS_MAX = 2

/** A misspelt day: near enough to one that leaving it in the text would be a guess. */
function nearlyNamesDay(word: string): boolean {
  return (
    word.length >= 5 &&
    !WORDS_LIKE_DAYS.has(word) &&
    DAY_WORDS.some(day => word !== day && slips(word, day) <= SLIPS_MAX)
  )
}

/** Levenshtein distance. */
function slips(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (const [j, other] of [...b].entries()) {
      next.push(Math.min((row[j] ?? 0) + (letter === other ? 0 : 1), (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
