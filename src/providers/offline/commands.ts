// Reads commands about jobs that exist: cancel, pause, resume, run, move, and their history. The verb stands first and
// everything after it must be the target (and the new time); "don't cancel", "did you cancel" are not commands.

import { AT, phrases, skipAnyPhrase, type Token, textOf, wordAt } from '../../words/tokens.ts'
import { readWhen, type WhenSpec } from '../../words/when.ts'
import { type Intent, type TargetedKind, unclear } from './intent.ts'
import { endsAsQuestion, politeEnd, readOpening } from './polite.ts'
import { isAll, readTarget } from './targets.ts'

interface Verb {
  readonly kind: TargetedKind
  readonly words: readonly string[]
  /** Words that may close the command. */
  readonly ends: readonly string[]
}

const VERBS: readonly Verb[] = [
  {
    kind: 'cancel',
    words: phrases(
      'cancel, delete, remove, drop, erase, discard, unschedule, get rid of, call off, forget, stop, ' +
        'clear, stop reminding me to, stop reminding me about, stop reminding me of, dismiss',
    ),
    ends: ['now', 'completely', 'for good'],
  },
  {
    kind: 'pause',
    words: ['pause', 'disable', 'suspend', 'deactivate', 'mute', 'turn off', 'switch off'],
    ends: ['now', 'for now'],
  },
  {
    kind: 'resume',
    words: ['resume', 'enable', 'unpause', 'reactivate', 'activate', 're-enable', 'turn on', 'switch on', 'unmute'],
    ends: ['now', 'again'],
  },
  {
    kind: 'job-history',
    words: phrases(
      'history of, the history of, show history of, show the history of, show me the history of, ' +
        'run history of, runs of, show runs of, show the runs of, show me the runs of, show me history of, ' +
        'log of, show the log of, history for, show the history for, show the run history of, ' +
        'show me the run history of, show history for, show me the history for',
    ),
    ends: [],
  },
  {
    kind: 'run',
    words: ['run', 'trigger', 'fire', 'execute'],
    ends: ['now', 'right now', 'immediately', 'once', 'once now', 'again', 'again now'],
  },
]

const CONFIRM_ALL = phrases(
  'yes cancel all, yes cancel all reminders, yes cancel all of them, yes cancel them all, ' +
    'yes cancel everything, yes delete all, yes cancel all jobs, yes please cancel all',
)

export function readCommand(tokens: readonly Token[]): Intent | undefined {
  const spoken = tokens.slice(0, politeEnd(tokens))
  if (skipAnyPhrase(spoken, 0, CONFIRM_ALL) === spoken.length) return { kind: 'confirm-cancel-all' }
  const opening = readOpening(spoken, 0)
  const words = spoken.slice(opening.next)
  const command = readQuestion(words) ?? readVerb(words) ?? readChange(words)
  const questioned = endsAsQuestion(tokens) && !opening.asks && command?.kind !== 'job-history'
  if (command && questioned && command.kind !== 'unclear') return unclear('It is a question, not a command.')
  return command
}

/** "stop it" and "forget that" are said of many things; "cancel it" is not. */
const VAGUE = new Set(['stop', 'forget', 'drop', 'clear'])

function readVerb(words: readonly Token[]): Intent | undefined {
  for (const { kind, words: verbs, ends } of VERBS) {
    const after = skipAnyPhrase(words, 0, verbs)
    if (after === undefined) continue
    const rest = words.slice(after)
    const end = ends.length === 0 ? rest.length : endBefore(rest, ends)
    const intent = readTargeted(kind, rest.slice(0, end))
    const vague = 'target' in intent && intent.target.kind === 'that' && VAGUE.has(wordAt(words, 0))
    return vague ? unclear('I am not sure what should stop.') : intent
  }
  return undefined
}

function endBefore(rest: readonly Token[], ends: readonly string[]): number {
  for (let at = 1; at < rest.length; at++) {
    if (skipAnyPhrase(rest, at, ends) === rest.length) return at
  }
  return rest.length
}

function readTargeted(kind: TargetedKind, rest: readonly Token[]): Intent {
  if (rest.length === 0) return unclear('It does not say which one.')
  if (isAll(rest)) return kind === 'cancel' ? { kind: 'cancel-all' } : unclear('I do that for one job at a time.')
  const several = severalIn(rest)
  if (several) return unclear(several, textOf(rest))
  const target = readTarget(rest)
  return target ? { kind, target } : unclear('I did not understand which one is meant.', textOf(rest))
}

/** A target that goes on after a comma or a full stop holds something else as well. */
function severalIn(rest: readonly Token[]): string | undefined {
  if (rest.some(token => /^(not|never|don't|if|unless|except|but)$/.test(token.word)))
    return 'It sets a condition or an exception.'
  const broken = rest.slice(0, -1).some(token => /[.,;:!?\n]/.test(token.after))
  return broken ? 'It looks like more than one request; please send them one at a time.' : undefined
}

/** `when did the stretch reminder last run`, `did the first one run`. */
function readQuestion(words: readonly Token[]): Intent | undefined {
  const after = skipAnyPhrase(words, 0, ['when did', 'did'])
  if (after === undefined) return undefined
  for (const end of ['last run', 'run last', 'run', 'run today', 'last fire', 'fire']) {
    const size = end.split(' ').length
    const at = words.length - size
    if (at <= after || skipAnyPhrase(words, at, [end]) === undefined) continue
    const target = readTarget(words.slice(after, at))
    if (target && wordAt(words, after) !== 'anything') return { kind: 'job-history', target }
  }
  return undefined
}

const CHANGING = phrases(
  'move, reschedule, change, shift, push, postpone, delay, update, set, put, bring, push back, ' +
    'bring forward, change the time of, change the schedule of, edit',
)

function readChange(words: readonly Token[]): Intent | undefined {
  const after = skipAnyPhrase(words, 0, CHANGING)
  if (after === undefined) return undefined
  const rest = words.slice(after)
  // "set a reminder for 7" asks for something new.
  if (/^(a|an|another)$/.test(wordAt(rest, 0))) return undefined
  for (let at = rest.length - 1; at >= 1; at--) {
    if (!/^(to|for|until|till)$/.test(wordAt(rest, at))) continue
    const when = readWholeWhen(rest.slice(at + 1))
    if (!when) continue
    const target = severalIn(rest.slice(0, at)) ? undefined : readTarget(rest.slice(0, at))
    return target
      ? { kind: 'change', target, when }
      : unclear('I did not understand which one is meant.', textOf(rest.slice(0, at)))
  }
  if (/^(set|put|update)$/.test(wordAt(words, 0))) return undefined
  return unclear('I can move a job to another time, for example: move the first one to 18:00.', textOf(rest))
}

/** After `to` a bare number is a time as well: `move it to 9`. */
function readWholeWhen(tokens: readonly Token[]): WhenSpec | undefined {
  const read = readWhen(tokens, 0)
  if (read?.next === tokens.length) return read.value
  const led = readWhen([AT, ...tokens], 0)
  return led?.next === tokens.length + 1 ? led.value : undefined
}
