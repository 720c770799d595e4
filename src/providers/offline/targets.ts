// Which job a command means: a place in the list (`the first one`, `#2`), words of its name (`the stretch reminder`),
// `it`, or `the reminder`. Reads only; finding the job, and asking when there are none or several, is for the flows.

import { readCardinal, readOrdinal } from '../../words/numbers.ts'
import { phrases, skipAnyPhrase, skipWords, type Token, wordAt } from '../../words/tokens.ts'
import type { Target } from './intent.ts'

const NOUNS = ['reminder', 'job', 'alarm', 'task', 'one', 'entry', 'item', 'message', 'cron job', 'scheduled job']
const NOUN_WORDS = new Set(['reminder', 'job', 'alarm', 'task', 'one', 'entry', 'item', 'cron'])
const DETERMINERS = new Set(['the', 'my', 'our', 'that', 'this', 'a', 'an', 'of', 'in', 'on', 'from', 'list'])
const CONNECTORS = ['to', 'about', 'that says', 'called', 'named', 'for', 'saying', 'of', 'which says', 'with the name']
const LIST_ENDS = ['in the list', 'on the list', 'from the list', 'of the list', 'in my list', 'on my list', 'of them']
const THAT = ['it', 'that', 'that one', 'this one', 'this', 'that reminder', 'that job', 'this reminder', 'this job']
const ALL = phrases(
  'all, everything, them all, all of them, all reminders, all my reminders, all of my reminders, ' +
    'all the reminders, all jobs, all my jobs, all of my jobs, all the jobs, all of the reminders, ' +
    'every reminder, every job, my reminders, all alarms, all my alarms, the reminders, all the alarms',
)
const LAST = new Set(['last', 'final'])

export function isAll(tokens: readonly Token[]): boolean {
  return skipAnyPhrase(tokens, 0, ALL) === tokens.length
}

/** All tokens must belong to the one target. */
export function readTarget(tokens: readonly Token[]): Target | undefined {
  if (tokens.length === 0) return undefined
  if (skipAnyPhrase(tokens, 0, THAT) === tokens.length) return { kind: 'that' }
  return readPlace(tokens) ?? readNamed(tokens)
}

function readPlace(tokens: readonly Token[]): Target | undefined {
  const start = skipAnyPhrase(tokens, 0, ['the', 'my', 'the very']) ?? 0
  const place = placeAt(tokens, start) ?? numberedAt(tokens, start)
  if (!place || place.value === 0) return undefined
  const noun = skipAnyPhrase(tokens, place.next, NOUNS) ?? place.next
  const end = skipAnyPhrase(tokens, noun, LIST_ENDS) ?? noun
  return end === tokens.length ? { kind: 'ordinal', place: place.value, said: saidBy(tokens) } : undefined
}

function placeAt(tokens: readonly Token[], at: number) {
  const word = wordAt(tokens, at)
  if (LAST.has(word)) return { value: -1, next: at + 1 }
  if (word === 'next') return { value: 1, next: at + 1 }
  return readOrdinal(tokens, at)
}

/** `number 2`, `reminder 2`, `#2`, `2`. */
function numberedAt(tokens: readonly Token[], at: number) {
  const noun = skipAnyPhrase(tokens, at, ['reminder', 'job', 'alarm', 'task', 'entry', 'item']) ?? at
  const named = skipAnyPhrase(tokens, noun, ['number', 'nr', 'no']) ?? noun
  const hash = /^#(\d{1,4})$/.exec(wordAt(tokens, named))
  if (hash) return { value: Number(hash[1]), next: named + 1 }
  const count = readCardinal(tokens, named)
  const lone = named > at || (tokens.length === 1 && /^\d/.test(wordAt(tokens, at)))
  return lone && count && count.value <= 9_999 ? count : undefined
}

/** Words left of the name once articles, the noun and what joins them are taken away; in order, none twice. */
function readNamed(tokens: readonly Token[]): Target | undefined {
  const said = saidBy(tokens)
  const quoted = tokens.find(token => token.quoted)
  const plain = tokens.filter(token => !token.quoted)
  if (quoted) {
    const only = plain.every(
      token => NOUN_WORDS.has(token.word) || DETERMINERS.has(token.word) || CONNECTORS.includes(token.word),
    )
    return only ? { kind: 'named', words: wordsOf(quoted.bare), said } : undefined
  }
  const named = withoutNoun(tokens)
  const words = named.map(token => token.word).filter(word => word !== '')
  if (words.length === 0) return { kind: 'only' }
  const telling = words.filter(word => !DETERMINERS.has(word))
  return telling.length > 0 ? { kind: 'named', words: telling.flatMap(wordsOf), said } : undefined
}

function withoutNoun(tokens: readonly Token[]): readonly Token[] {
  const start = skipAnyPhrase(tokens, 0, ['the', 'my', 'our', 'that', 'this', 'the one']) ?? 0
  const noun = skipAnyPhrase(tokens, start, NOUNS)
  if (noun !== undefined) return tokens.slice(skipAnyPhrase(tokens, noun, CONNECTORS) ?? noun)
  if (skipWords(tokens, 0, 'the one') !== undefined)
    return tokens.slice(skipAnyPhrase(tokens, start, CONNECTORS) ?? start)
  const last = wordAt(tokens, tokens.length - 1)
  return tokens.slice(start, NOUN_WORDS.has(last) ? -1 : undefined)
}

function saidBy(tokens: readonly Token[]): string {
  return tokens.map(token => token.bare).join(' ')
}

/** The words of a name or text, as targets are compared with them. */
export function wordsOf(text: string): readonly string[] {
  return (
    text
      .normalize('NFD')
      .replaceAll(/\p{M}/gu, '')
      .toLowerCase()
      .match(/[\p{L}\p{N}']+/gu) ?? []
  )
}
