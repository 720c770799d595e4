// Reads what asks and changes nothing: lists, history, status, time, help, small talk. Each question is a small
// vocabulary: every word of the message must be in it, and the words that make the question must occur.

import { phrases, skipAnyPhrase, type Token, textOf, wordAt } from '../../words/tokens.ts'
import { readZone } from '../../words/zones.ts'
import { type Intent, type Mood, unclear } from './intent.ts'
import { politeEnd, readOpening } from './polite.ts'

interface Vocabulary {
  /** Words one of which must begin the question. */
  readonly first: ReadonlySet<string>
  /** Of each set at least one word must occur. */
  readonly needed: readonly ReadonlySet<string>[]
  readonly allowed: ReadonlySet<string>
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '))

function vocabulary(first: string, needed: readonly string[], allowed: string): Vocabulary {
  return { first: words(first), needed: needed.map(words), allowed: words([first, ...needed, allowed].join(' ')) }
}

const NOUNS =
  'reminder reminders job jobs alarm alarms task tasks schedule schedules scheduled planned upcoming coming agenda'
const SHOWING = "list show display give see view what what's whats which"

const LIST = vocabulary(
  `${SHOWING} are is do any how my all the upcoming pending active current scheduled planned reminders jobs alarms anything there`,
  [NOUNS],
  'me my all of the any i we have got there are is do does for now right currently current active open pending up next anything ' +
    'everything still running existing cron many list on here',
)
const NEXT = vocabulary(
  "what what's whats when when's which show",
  ['next'],
  "the is my up comes reminder job alarm one me does scheduled coming i'm will be are run runs fire due",
)
const WHAT_RAN = vocabulary(
  'what which did has have show list anything recent job',
  ['ran run runs fired happened executed'],
  'today yesterday recently lately last so far jobs reminders job reminder has have did any anything just the my me already been ' +
    'recent history all night',
)
const JOB_HISTORY = vocabulary(
  'job jobs run reminder reminders scheduler cron show the',
  ['job jobs run reminder reminders scheduler cron', 'history log runs'],
  'me my of all the',
)
const CONVERSATION = vocabulary(
  "what what's show display history conversation chat our the read view see list",
  ['history talk talked talking said say discuss discussed conversation chat transcript messages'],
  'did we i you about show me our the my last so far earlier before have been just of this session recent is in read conversation chat',
)
const SESSIONS = vocabulary(
  `${SHOWING} sessions my all are active open how`,
  ['sessions'],
  'me my all of the any are there is open active running do i we have got exist currently now current right many',
)
const STATUS = vocabulary(
  "status health how what what's show session gateway system is are state",
  ['status health running state'],
  "is your the my show me session gateway system current currently how are you things everything ok okay all well up what what's check still of this",
)
const IDENTITY = vocabulary(
  "which what who are is why how what's",
  phrases(
    'you your model this, ' +
      'model who name what ai bot human robot offline online llm gpt claude real assistant person machine',
  ),
  'are you is this an a the which what who why how do i add set up configure connect use real exactly model am talking to your name using running',
)
const TIME = vocabulary(
  "what what's whats tell the current time date day local show",
  ['time date day'],
  "is it the now right current currently today today's tell me please of day exact local my here show",
)
const HELP = vocabulary(
  'help what how commands examples usage i show',
  ['help commands examples usage can do work use understand'],
  'what can you do how does this it work me i need some please else for show the with to use are commands your list of available should say ask you',
)

const GREETINGS = phrases(
  'hi, hello, hey, yo, hi there, hello there, hey there, good morning, good afternoon, good evening, ' +
    'good day, greetings, morning, hallo',
)
const THANKS = phrases(
  'thanks, thank you, thx, ty, cheers, thanks a lot, many thanks, thank you very much, ' +
    'thank you so much, thanks so much, much appreciated',
)
const FAREWELLS = phrases(
  'bye, goodbye, bye bye, see you, see you later, see you tomorrow, good night, goodnight, ciao, ' +
    'later, take care, cu',
)
const FINE = [
  'how are you',
  'how are you doing',
  'how do you do',
  'how is it going',
  "how's it going",
  'are you there',
  'are you ok',
  'you there',
  "what's up",
  'whats up',
]
const ACKNOWLEDGED = phrases(
  'ok, okay, great, nice, cool, perfect, good, got it, fine, alright, all right, yes, no, sure, ' +
    'never mind, nevermind, nothing, well done, awesome, super, yep, nope, very good, good job, ' +
    'forget it, nice one, lol, haha, wow',
)
const MOODS: readonly (readonly [Mood, readonly string[]])[] = [
  ['fine', FINE],
  ['greeting', GREETINGS],
  ['thanks', THANKS],
  ['farewell', FAREWELLS],
  ['acknowledged', ACKNOWLEDGED],
]

export function readSmallTalk(tokens: readonly Token[]): Intent | undefined {
  const moods: Mood[] = []
  for (let at = 0; at < tokens.length; ) {
    const found = MOODS.map(([mood, phrases]) => ({ mood, next: skipAnyPhrase(tokens, at, phrases) ?? at }))
    const longest = found.reduce((best, each) => (each.next > best.next ? each : best))
    if (longest.next === at) return undefined
    moods.push(longest.mood)
    at = longest.next
  }
  const mood = MOODS.find(([each]) => moods.includes(each))?.[0]
  return mood && { kind: 'small-talk', mood }
}

export function readQuestion(tokens: readonly Token[]): Intent | undefined {
  const asked = tokens.slice(0, politeEnd(tokens))
  const spoken = asked.slice(readOpening(asked, 0).next)
  if (spoken.length === 0 || isBroken(spoken)) return undefined
  return readByVocabulary(spoken) ?? readTimeQuestion(spoken)
}

/** Two sentences are two questions; the second might be anything. */
function isBroken(tokens: readonly Token[]): boolean {
  return tokens.slice(0, -1).some(token => /[.;!?\n]/.test(token.after))
}

function readByVocabulary(tokens: readonly Token[]): Intent | undefined {
  const simple: readonly (readonly [Vocabulary, () => Intent])[] = [
    [NEXT, () => ({ kind: 'list', nextOnly: true })],
    [LIST, () => ({ kind: 'list', nextOnly: false })],
    [SESSIONS, () => ({ kind: 'sessions' })],
    [STATUS, () => ({ kind: 'status' })],
    [HELP, () => ({ kind: 'help' })],
    [IDENTITY, () => ({ kind: 'identity' })],
    [WHAT_RAN, () => ({ kind: 'what-ran', day: dayIn(tokens) })],
    [JOB_HISTORY, () => ({ kind: 'what-ran', day: 'any' })],
    [CONVERSATION, () => ({ kind: 'conversation' })],
  ]
  return simple.find(([known]) => isWholly(tokens, known))?.[1]()
}

function isWholly(tokens: readonly Token[], { first, needed, allowed }: Vocabulary): boolean {
  if (!first.has(wordAt(tokens, 0))) return false
  if (!tokens.every(token => allowed.has(token.word))) return false
  return needed.every(set => tokens.some(token => set.has(token.word)))
}

function dayIn(tokens: readonly Token[]): 'today' | 'yesterday' | 'any' {
  const said = (word: string) => tokens.some(token => token.word === word)
  if (said('today')) return 'today'
  return said('yesterday') ? 'yesterday' : 'any'
}

/** `what time is it`, `what time is it in Tokyo`, `the time in New York`, `what is the Tokyo time`. */
function readTimeQuestion(tokens: readonly Token[]): Intent | undefined {
  if (isWholly(tokens, TIME)) return { kind: 'time', zone: undefined }
  for (let at = 1; at < tokens.length; at++) {
    const head = tokens.slice(0, at)
    if (!head.every(token => TIME.allowed.has(token.word)) || !TIME.first.has(wordAt(tokens, 0))) break
    const zone = readZone(tokens, at)
    const end = zone && (skipAnyPhrase(tokens, zone.next, ['now', 'right now']) ?? zone.next)
    const asked = tokens.some(token => token.word === 'time' || token.word === 'date' || token.word === 'day')
    if (zone && asked && end === tokens.length) return { kind: 'time', zone: zone.value || undefined }
    if (wordAt(tokens, at) === 'in' && isWholly(head, TIME)) {
      return unclear(
        'I do not know that place; a city or a zone such as Europe/Paris would do.',
        textOf(tokens.slice(at)),
      )
    }
  }
  return undefined
}
