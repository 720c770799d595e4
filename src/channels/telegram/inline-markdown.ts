// Reads the markup within one line of Markdown: emphasis, code, links, escapes. It never fails,
// and what it does not understand stays as it was written. The rules for emphasis are CommonMark's, so that
// `snake_case`, `2 * 3` and globs stay whole.

/** A stretch of text that is shown differently. Offsets and lengths are UTF-16 units of the text that is shown. */
export interface Entity {
  readonly type: 'bold' | 'italic' | 'strikethrough' | 'code' | 'pre' | 'blockquote' | 'text_link'
  readonly offset: number
  readonly length: number
  readonly url?: string
  readonly language?: string
}
/** A piece of the line. An opener gives its marks to the emphasis that it begins; what is left of them is text. */
interface Token {
  text: string
  readonly opener?: { readonly mark: string; readonly canClose: boolean; readonly runLength: number }
}

interface Span {
  readonly type: Entity['type']
  readonly from: number
  readonly to: number
  readonly url?: string
}

interface Line {
  readonly tokens: Token[]
  readonly spans: Span[]
  /** Places of the openers in `tokens`, outermost first. */
  readonly openers: number[]
}

const ESCAPED = /^\\([!-/:-@[-`{-~])/
const CODE = /^(`+)(?!`)(.*?[^`])\1(?!`)/
const LINK = /^!?\[((?:[^[\]\\]|\\.)*)\]\(<?((?:https?|tg|mailto|ftp):[^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)>?(?:\s+"[^"]*")?\)/i
const AUTOLINK = /^<((?:https?|mailto|tg):[^\s<>]+)>/i
const RUN = /^(?:\*+|_+|~+)/
const PLAIN = /^[^\\`![<*_~]+/
const SPACE = /^[\s\p{Z}]?$/u
const PUNCTUATION = /^[\p{P}\p{S}]$/u

export function readLine(markdown: string): { readonly text: string; readonly entities: readonly Entity[] } {
  const line: Line = { tokens: [], spans: [], openers: [] }
  let at = 0
  while (at < markdown.length) {
    const rest = markdown.slice(at)
    at += readRun(line, markdown, at) || readLiteral(line, rest)
  }
  return shown(line)
}

/** Takes what is no emphasis; answers how much it took, at least one unit. */
function readLiteral({ tokens, spans }: Line, rest: string): number {
  const add = (text: string, type?: Entity['type'], url?: string) => {
    tokens.push({ text })
    if (type && text !== '') spans.push({ type, from: tokens.length - 1, to: tokens.length, ...(url && { url }) })
  }
  const [plain = ''] = PLAIN.exec(rest) ?? []
  if (plain !== '') {
    add(plain)
    return plain.length
  }
  const [escaped = '', character = ''] = ESCAPED.exec(rest) ?? []
  const [code = '', , inner = ''] = CODE.exec(rest) ?? []
  const [link = '', label = '', url = ''] = LINK.exec(rest) ?? []
  const [autolink = '', address = ''] = AUTOLINK.exec(rest) ?? []
  if (escaped !== '') add(character)
  else if (code !== '') add(/^ .*\S.* $/.test(inner) ? inner.slice(1, -1) : inner, 'code')
  else if (link !== '') add(readLine(label).text || url, 'text_link', url)
  else if (autolink !== '') add(address)
  else {
    // Backticks that close nothing are taken whole: looking again at each would cost the line's length each time.
    const [ticks = rest.slice(0, 1)] = /^`+/.exec(rest) ?? []
    add(ticks)
    return ticks.length
  }
  return (escaped || code || link || autolink).length
}

/** Takes a run of emphasis marks, if one stands here; answers its length. */
function readRun(line: Line, markdown: string, at: number): number {
  const [run = ''] = RUN.exec(markdown.slice(at)) ?? []
  if (run === '') return 0
  const mark = run.slice(0, 1)
  const { canOpen, canClose } = flanking(markdown, at, run)
  let left = run.length
  if (canClose) left = close(line, { mark, canOpen, runLength: run.length })
  if (left === 0) return run.length
  const text = mark.repeat(left)
  const isOpener = canOpen && (mark === '~' ? run.length === 2 : run.length <= 3)
  if (isOpener) line.openers.push(line.tokens.length)
  line.tokens.push(isOpener ? { text, opener: { mark, canClose, runLength: run.length } } : { text })
  return run.length
}

function flanking(markdown: string, at: number, run: string): { canOpen: boolean; canClose: boolean } {
  const before = markdown.slice(0, at).at(-1) ?? ''
  const after = markdown.slice(at + run.length, at + run.length + 1)
  const isLoose = (character: string) => SPACE.test(character) || PUNCTUATION.test(character)
  const isLeft = !SPACE.test(after) && (!PUNCTUATION.test(after) || isLoose(before))
  const isRight = !SPACE.test(before) && (!PUNCTUATION.test(before) || isLoose(after))
  if (!run.startsWith('_')) return { canOpen: isLeft, canClose: isRight }
  return {
    canOpen: isLeft && (!isRight || PUNCTUATION.test(before)),
    canClose: isRight && (!isLeft || PUNCTUATION.test(after)),
  }
}

/** Ends what these marks can end, innermost first; answers how many marks are left. */
function close(line: Line, run: { mark: string; canOpen: boolean; runLength: number }): number {
  let left = run.runLength
  while (left > 0) {
    const place = line.openers.findLastIndex(index => matches(line.tokens[index] as Token, run))
    const from = line.openers[place]
    const token = from === undefined ? undefined : line.tokens[from]
    if (from === undefined || !token || (run.mark === '~' && left !== 2)) return left
    const count = token.text.length >= 2 && left >= 2 ? 2 : 1
    const type = run.mark === '~' ? 'strikethrough' : count === 2 ? 'bold' : 'italic'
    line.spans.push({ type, from: from + 1, to: line.tokens.length })
    token.text = token.text.slice(count)
    left -= count
    line.openers.length = token.text === '' ? place : place + 1
  }
  return left
}

/** One run that can both open and close is not torn apart where CommonMark would not ("rule of three"). */
function matches({ opener }: Token, { mark, canOpen, runLength }: Parameters<typeof close>[1]): boolean {
  if (opener?.mark !== mark) return false
  if (!opener.canClose && !canOpen) return true
  return (opener.runLength + runLength) % 3 !== 0 || (opener.runLength % 3 === 0 && runLength % 3 === 0)
}

function shown({ tokens, spans }: Line): { text: string; entities: Entity[] } {
  const offsets = [0]
  for (const { text } of tokens) offsets.push((offsets.at(-1) ?? 0) + text.length)
  const entities = spans.map(({ type, from, to, url }) => {
    const offset = offsets[from] ?? 0
    return { type, offset, length: (offsets[to] ?? offset) - offset, ...(url !== undefined && { url }) }
  })
  return { text: tokens.map(({ text }) => text).join(''), entities: entities.filter(({ length }) => length > 0) }
}
