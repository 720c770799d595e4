// Reads requests to say something to another session: `tell session main hello`, `send hello to session main`. The
// message goes out at once, so one that names a time or holds another request is asked back instead.

import { skipAnyPhrase, type Token, textOf, wordAt } from '../../words/tokens.ts'
import { readTrailingWhen } from '../../words/when.ts'
import { type Intent, unclear } from './intent.ts'
import { politeEnd, readOpening } from './polite.ts'
import { trapIn } from './text-traps.ts'

const SAYING = ['tell', 'message', 'ask', 'ping', 'notify', 'write to', 'write', 'send to', 'send', 'say to', 'text']
const JOINING = ['that', 'to say', 'the message', 'this message', 'saying', 'this']

export function readMessageRequest(tokens: readonly Token[]): Intent | undefined {
  const opening = readOpening(tokens, 0)
  const spoken = tokens.slice(opening.next)
  const after = skipAnyPhrase(spoken, 0, SAYING)
  if (after === undefined || !spoken.some(token => token.word === 'session')) return undefined
  const address = readSession(spoken, after)
  if (address) return sendTo(address.key, spoken.slice(skipAnyPhrase(spoken, address.next, JOINING) ?? address.next))
  return readTrailingAddress(spoken, after)
}

/** `session main`, `the session main`, `the main session`; answers the key as typed. */
function readSession(tokens: readonly Token[], at: number): { key: string; next: number } | undefined {
  const start = skipAnyPhrase(tokens, at, ['the', 'my']) ?? at
  const before = wordAt(tokens, start) === 'session'
  const after = !before && wordAt(tokens, start + 1) === 'session'
  const named = tokens[before ? start + 1 : start]
  return named && (before || after) ? { key: named.bare, next: start + 2 } : undefined
}

/** `send hello to session main`. */
function readTrailingAddress(tokens: readonly Token[], after: number): Intent {
  const end = politeEnd(tokens)
  for (let at = end - 2; at > after; at--) {
    if (wordAt(tokens, at) !== 'to') continue
    const address = readSession(tokens, at + 1)
    if (address?.next === end) return sendTo(address.key, tokens.slice(after, at))
  }
  return unclear('I did not understand which session is meant.', textOf(tokens.slice(after)))
}

function sendTo(sessionKey: string, message: readonly Token[]): Intent {
  if (message.length === 0) return unclear('It does not say what to send.')
  const quoted = message.every(token => token.quoted)
  if (!quoted && readTrailingWhen(message, 0)) {
    return unclear(
      'I can send to a session only at once; put the message in quotation marks if the time belongs to it.',
    )
  }
  const trap = trapIn(message, {})
  if (trap) return unclear(trap, textOf(message))
  return { kind: 'send', sessionKey, message: textOf(message) }
}
