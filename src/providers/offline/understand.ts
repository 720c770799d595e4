// From a message to its one meaning. Readers are asked in turn and each takes the whole message or nothing; where none
// does, the answer is `unclear`. Pure and without a clock: the same words always mean the same.

import { tokenise } from '../../words/tokens.ts'
import { readCommand } from './commands.ts'
import { type Intent, unclear } from './intent.ts'
import { readMessageRequest } from './messages.ts'
import { readQuestion, readSmallTalk } from './questions.ts'
import { readReminderRequest } from './reminder-request.ts'
import { isNegated } from './text-traps.ts'

export const MESSAGE_LENGTH_MAX = 2_000

const READERS = [readSmallTalk, readQuestion, readMessageRequest, readCommand, readReminderRequest]

export function understand(message: string): Intent {
  if (message.length > MESSAGE_LENGTH_MAX) {
    return unclear(`It is longer than ${MESSAGE_LENGTH_MAX} characters, which is more than I read.`)
  }
  const tokens = tokenise(message)
  if (tokens.length === 0) return unclear('It holds no words.')
  if (tokens.every(token => token.quoted)) return unclear('It is a quotation, not a request.')
  for (const read of READERS) {
    const intent = read(tokens)
    if (intent) return intent
  }
  return unclear(isNegated(tokens) ? 'It says not to, or may say so.' : 'I know no request of that form.', message)
}
