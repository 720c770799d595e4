// Cuts a message into words that the grammar can read while keeping what was typed, so that the text of a reminder
// comes back letter for letter. It decides no meaning; a quoted passage is one token that no rule can look into.

export interface Token {
  /** As typed, with its punctuation; joined by spaces it gives the sentence back. */
  readonly raw: string
  /** As typed, without the punctuation around it. */
  readonly bare: string
  /** Lower case, no accents, no punctuation around it; empty for a quoted passage. */
  readonly word: string
  readonly quoted: boolean
  /** The punctuation that follows; a line break counts as punctuation. */
  readonly after: string
}

/** What a reading rule answers: the meaning of some tokens and the position after them. */
export type Read<T> = { readonly value: T; readonly next: number } | undefined

/** Stands in where a rule lets another word lead to a time. */
export const AT: Token = { raw: 'at', bare: 'at', word: 'at', quoted: false, after: '' }

const CLOSING: Readonly<Record<string, string>> = { '"': '"', '“': '”', '„': '“', '«': '»', '`': '`', "'": "'" }
const QUOTED = /(?<=^|[\s(:,-])(?:"[^"]+"|“[^”]+”|„[^“”]+[“”]|«[^»]+»|`[^`]+`|'[^']+')(?=$|[\s.,;:!?)])/gu
const TRAILING = /[.,;:!?…)\]}*_]+$/u
const LEADING = /^[([{*_¿¡]+/u
const JOINT = /^(?:[-–—,.;:!?…]+|(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\u200d|\ufe0f)+)$/u

export function fold(text: string): string {
  return text.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase()
}

export function tokenise(text: string): readonly Token[] {
  const source = text.replaceAll(/[’‘]/gu, "'")
  const tokens: Token[] = []
  let from = 0
  for (const quote of source.matchAll(QUOTED)) {
    addWords(tokens, source.slice(from, quote.index))
    tokens.push(quotedToken(quote[0]))
    from = quote.index + quote[0].length
  }
  addWords(tokens, source.slice(from))
  return tokens
}

function addWords(tokens: Token[], text: string): void {
  for (const piece of text.match(/\n+|[^\s]+/gu) ?? []) {
    if (piece.startsWith('\n')) appendJoint(tokens, '', '\n')
    else if (JOINT.test(piece)) appendJoint(tokens, piece, piece)
    else tokens.push(wordToken(piece))
  }
}

/** Punctuation and pictures that stand alone belong to the word before them. */
function appendJoint(tokens: Token[], shown: string, mark: string): void {
  const last = tokens.at(-1)
  if (!last) return
  const glued = last.quoted && /^[.,;:!?]/.test(shown)
  const space = shown === '' || glued ? '' : ' '
  tokens[tokens.length - 1] = { ...last, raw: last.raw + space + shown, after: last.after + mark }
}

function quotedToken(raw: string): Token {
  const open = raw[0] ?? ''
  const inner = raw.slice(1, raw.endsWith(CLOSING[open] ?? '') || open === '„' ? -1 : undefined).trim()
  return { raw, bare: inner, word: '', quoted: true, after: '' }
}

function wordToken(raw: string): Token {
  const bare = raw.replace(LEADING, '').replace(TRAILING, '')
  const after = TRAILING.exec(raw)?.[0] ?? ''
  return { raw, bare: bare || raw, word: wordOf(bare || raw), quoted: false, after }
}

function wordOf(bare: string): string {
  const word = fold(bare)
  if (/^(?:\d{1,2}(?::\d\d)?)?[ap]\.m$/.test(word)) return word.replaceAll('.', '')
  return word
}

export function wordAt(tokens: readonly Token[], at: number): string {
  return tokens[at]?.word ?? ''
}

/** The position after the given words when they stand here one after the other. */
export function skipWords(tokens: readonly Token[], at: number, words: string): number | undefined {
  const wanted = words.split(' ')
  return wanted.every((word, offset) => wordAt(tokens, at + offset) === word) ? at + wanted.length : undefined
}

/** The longest of several phrases that stands here. */
export function skipAnyPhrase(tokens: readonly Token[], at: number, phrases: readonly string[]): number | undefined {
  const ends = phrases.map(phrase => skipWords(tokens, at, phrase)).filter(end => end !== undefined)
  return ends.length > 0 ? Math.max(...ends) : undefined
}

/** The tokens as text: without the mark that ends a sentence, and without quotation marks around the whole. */
export function textOf(tokens: readonly Token[]): string {
  const only = tokens[0]
  if (tokens.length === 1 && only?.quoted) return only.bare
  return tokens
    .map(token => token.raw)
    .join(' ')
    .trim()
}

/** A list of phrases as one text, which reads better than a column of strings. */
export function phrases(list: string): readonly string[] {
  return list.split(', ')
}
