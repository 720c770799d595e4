// A command line as words, and words as a line for people. Quotes and backslashes mean what they mean to a shell; what
// only a shell can do is refused by name, never done differently.
import { SluiceError } from './errors.ts'

/** A gap; a continued line; '…'; "…" without expansions; a backslash and its character; plain text. */
const TOKEN = /([ \t]+)|\\\n|'([^']*)'|"((?:[^"\\$`]|\\[\s\S])*)"|\\([\s\S])|([^\s'"\\|;&<>$`()]+)/y

/** Globs, `~` and `#` are plain text here. */
export function splitWords(line: string): string[] {
  const words: string[] = []
  let word: string | undefined
  const token = new RegExp(TOKEN)
  while (token.lastIndex < line.length) {
    const at = token.lastIndex
    const match = token.exec(line)
    if (!match) throw notWords(line.slice(at))
    const [, gap, single, double, escaped, plain] = match
    const text = single ?? double?.replace(/\\(?:([\\"$`])|\n)/g, '$1') ?? escaped ?? plain
    if (text !== undefined) word = (word ?? '') + text
    if (gap === undefined || word === undefined) continue
    words.push(word)
    word = undefined
  }
  return word === undefined ? words : [...words, word]
}

function notWords(rest: string): SluiceError {
  const [first = ''] = rest
  const open = first === '\\' || (/['"]/.test(first) && !/^"(?:[^"\\]|\\[\s\S])*"/.test(rest))
  const what = open
    ? `the command ends inside ${first === '\\' ? 'an escape (\\)' : `a quote (${first})`}`
    : `${JSON.stringify(first === '"' ? (/(?<!\\)[$`]/.exec(rest)?.[0] ?? first) : first)} is for a shell, and the command is run without one`
  const message = `Nothing was run: ${what}. Quote it with '…', give the command as an array of words, or name a shell yourself (["sh", "-c", "…"]) where the policy allows it.`
  return new SluiceError('INVALID_REQUEST', message, { outcome: 'not-started' })
}

/** One line that a shell would read as exactly these words; what cannot be seen, or could deceive, is spelled out. */
export function quoteWords(words: readonly string[]): string {
  return words.map(quoteWord).join(' ')
}

/** What takes no ink, or only looks like a space. */
const UNSEEN = /[\p{C}\p{DI}\u2800]|(?! )\p{Z}/gu

function quoteWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  if (word.search(UNSEEN) < 0) return `'${word.replaceAll("'", "'\\''")}'`
  const spelled = word
    .replace(/[\\']/g, '\\$&')
    .replace(UNSEEN, one => `\\u{${(one.codePointAt(0) ?? 0).toString(16)}}`)
  return `$'${spelled}'`
}
