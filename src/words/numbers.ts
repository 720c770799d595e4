// Numbers and places in a row, in digits and in English words, up to what a reminder needs. It reads no fractions
// ("half an hour" is a span, see spans.ts) and no signs: a negative count is not understood.
import { type Read, type Token, wordAt } from './tokens.ts'

const SMALL =
  'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen ' +
  'eighteen nineteen'
const TENS = ['', '', 'twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety']
const ORDINALS =
  'zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth ' +
  'fifteenth sixteenth seventeenth eighteenth nineteenth twentieth'

const CARDINAL_OF = new Map(SMALL.split(' ').map((word, value) => [word, value]))
const TENS_OF = new Map(TENS.map((word, ten) => [word, ten * 10]).slice(2) as [string, number][])
const ORDINAL_OF = new Map<string, number>([
  ...ORDINALS.split(' ').map((word, n) => [word, n] as const),
  ['thirtieth', 30],
])
for (const [ten, tenValue] of TENS_OF) {
  for (let unit = 1; unit <= 9; unit++) {
    const [cardinal, ordinal] = [SMALL.split(' ')[unit], ORDINALS.split(' ')[unit]]
    CARDINAL_OF.set(`${ten}-${cardinal}`, tenValue + unit)
    ORDINAL_OF.set(`${ten}-${ordinal}`, tenValue + unit)
  }
  CARDINAL_OF.set(ten, tenValue)
}

/** `5`, `1.5`, `five`, `twenty five`, `twenty-five`, `a hundred`; `a` and `an` count one. */
export function readCount(tokens: readonly Token[], at: number): Read<number> {
  const word = wordAt(tokens, at)
  if (/^\d{1,9}(\.\d{1,3})?$/.test(word)) return { value: Number(word), next: at + 1 }
  if (wordAt(tokens, at + 1) === 'hundred') {
    const hundreds = word === 'a' ? 1 : CARDINAL_OF.get(word)
    return hundreds && hundreds < 10 ? { value: hundreds * 100, next: at + 2 } : undefined
  }
  if (word === 'a' || word === 'an') return { value: 1, next: at + 1 }
  return readCardinal(tokens, at)
}

/** A whole number in digits or words, without `a` and `an`. */
export function readCardinal(tokens: readonly Token[], at: number): Read<number> {
  const word = wordAt(tokens, at)
  if (/^\d{1,9}$/.test(word)) return { value: Number(word), next: at + 1 }
  const value = CARDINAL_OF.get(word)
  if (value === undefined) return undefined
  const unit = CARDINAL_OF.get(wordAt(tokens, at + 1))
  if (TENS_OF.has(word) && unit !== undefined && unit >= 1 && unit <= 9) return { value: value + unit, next: at + 2 }
  return { value, next: at + 1 }
}

/** `1st`, `22nd`, `first`, `twenty-second`; the ending of digits must be the right one. */
export function readOrdinal(tokens: readonly Token[], at: number): Read<number> {
  const word = wordAt(tokens, at)
  const digits = /^(\d{1,3})(st|nd|rd|th)$/.exec(word)
  if (digits) {
    const value = Number(digits[1])
    return ordinalEnding(value) === digits[2] ? { value, next: at + 1 } : undefined
  }
  const tens = TENS_OF.get(word)
  const unit = ORDINAL_OF.get(wordAt(tokens, at + 1))
  if (tens !== undefined && unit !== undefined && unit < 10) return { value: tens + unit, next: at + 2 }
  const value = ORDINAL_OF.get(word)
  return value === undefined ? undefined : { value, next: at + 1 }
}

export function ordinalEnding(value: number): string {
  const teens = value % 100 >= 11 && value % 100 <= 13
  return (teens ? undefined : ['th', 'st', 'nd', 'rd'][value % 10]) ?? 'th'
}
