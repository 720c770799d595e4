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
const LINK =
  /^!?\[((?:[^[\]\\]|\\.)*)\]\(<?((?:https?|tg|mailto|ftp):[^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)>?(?:\s+"[^"]*")?\)/i
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

/** What is taken from where one stands, and what is shown of it. */
interface Piece {
  readonly taken: string
  readonly text: string
  readonly type?: Entity['type']
  readonly url?: string
}

const PIECES: readonly ((rest: string) => Piece | undefined)[] = [
  rest => from(PLAIN.exec(rest), ([taken]) => ({ taken, text: taken })),
  rest => from(ESCAPED.exec(rest), ([taken, text = '']) => ({ taken, text })),
  rest => from(CODE.exec(rest), ([taken, , code = '']) => ({ taken, text: unpadded(code), type: 'code' })),
  rest =>
    from(LINK.exec(rest), ([taken, label = '', url = '']) => ({
      ...{ taken, url, type: 'text_link' },
      text: readLine(label).text || url,
    })),
  rest => from(AUTOLINK.exec(rest), ([taken, text = '']) => ({ taken, text })),
  // Backticks that close nothing are taken whole, so that each is looked at once.
  rest => from(/^(?:`+|.)/s.exec(rest), ([taken]) => ({ taken, text: taken })),
]

function from(found: RegExpExecArray | null, piece: (found: RegExpExecArray) => Piece): Piece | undefined {
  return found ? piece(found) : undefined
}

function unpadded(code: string): string {
  return /^ .*\S.* $/.test(code) ? code.slice(1, -1) : code
}

/** Takes what is no emphasis; answers how much it took. */
function readLiteral({ tokens, spans }: Line, rest: string): number {
  for (const piece of PIECES) {
    const { taken, text, type, url } = piece(rest) ?? { taken: '', text: '' }
    if (taken === '') continue
    tokens.push({ text })
    if (type) spans.push({ type, from: tokens.length - 1, to: tokens.length, ...(url !== undefined && { url }) })
    return taken.length
  }
  return rest.length
}

/** Takes a run of emphasis marks, if one stands here; answers its length. */
function readRun(line: Line, markdown: string, at: number): number {
  const [run = ''] = RUN.exec(markdown.slice(at)) ?? []
  if (run === '') return 0
  const mark = run.slice(0, 1)
  const { canOpen, canClose } = flanking(markdown, at, run)
  let left = run.length
  if (canClose && (mark !== '~' || run.length === 2)) left = close(line, { mark, canOpen, runLength: run.length })
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
    if (place < 0) return left
    left -= end(line, place, left)
  }
  return left
}

/** Ends the emphasis that this opener began, and what stands open within it; answers how many marks that took. */
function end({ tokens, spans, openers }: Line, place: number, left: number): number {
  const from = openers[place] as number
  const token = tokens[from] as Token
  const count = token.text.length >= 2 && left >= 2 ? 2 : 1
  const strong = token.opener?.mark === '~' ? 'strikethrough' : 'bold'
  spans.push({ type: count === 2 ? strong : 'italic', from: from + 1, to: tokens.length })
  token.text = token.text.slice(count)
  openers.length = token.text === '' ? place : place + 1
  return count
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
