// The words of courtesy around a request, which change nothing about it: `hey`, `please`, `could you`. Only whole
// known phrases are skipped; anything else in front of a request may change its meaning and is left for the reader.
import { phrases, skipAnyPhrase, type Token } from '../../words/tokens.ts'
import { skipPoliteEnd } from '../../words/when.ts'

const ASKING = phrases(
  'can you, could you, would you, can you please, could you please, would you please, will you please, ' +
    'would you mind',
)
const COURTESY = phrases(
  'please, pls, plz, kindly, hey, hi, hello, hey there, hi there, ok, okay, just, also, sluice, so, ' +
    "i need you to, i want you to, i'd like you to, i would like you to, be sure to, go ahead and",
)

interface Opening {
  readonly next: number
  /** Opened as a question that asks for something, so a question mark at the end is courtesy too. */
  readonly asks: boolean
}

export function readOpening(tokens: readonly Token[], at: number): Opening {
  const asking = skipAnyPhrase(tokens, at, ASKING)
  const next = asking ?? skipAnyPhrase(tokens, at, COURTESY)
  if (next === undefined) return { next: at, asks: false }
  const rest = readOpening(tokens, next)
  return { next: rest.next, asks: rest.asks || asking !== undefined }
}

/** Where the courtesy at the end begins; the length when there is none. */
export function politeEnd(tokens: readonly Token[]): number {
  for (let at = 1; at < tokens.length; at++) {
    if (skipPoliteEnd(tokens, at) === tokens.length) return at
  }
  return tokens.length
}

export function endsAsQuestion(tokens: readonly Token[]): boolean {
  return tokens.at(-1)?.after.includes('?') ?? false
}
