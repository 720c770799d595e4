// Splits a text that is too long for one message of a channel. Pure, and done once, when the text is owed: a piece keeps
// its text however often it is tried. It cuts at paragraphs, lines and words, never within a character, and where a code
// block has to be cut, the fence is closed and opened again. It knows no markup but fences.

interface Fence {
  /** Offset of its opening line. */
  readonly at: number
  readonly mark: string
  /** The line that opens it again. */
  readonly opening: string
}

/** As channels read it: in a list it may stand far in, and what has the mark again behind it is code within a line. */
const FENCE_LINE = /^[ \t]*(`{3,}(?!.*`)|~{3,})(.*)$/
/** Longer info strings are not repeated. */
const OPENING_LENGTH_MAX = 24
/** With less room for its code, a block is cut as any other text. */
const BODY_LENGTH_MIN = 16
/** How far a hard cut looks beyond itself for the end of a character made of several. */
const CHARACTER_LENGTH_MAX = 64
const characters = new Intl.Segmenter()

/** The pieces in order, each of at most `lengthMax` (at least 100) UTF-16 units, none blank. A text that fits is one. */
export function chunksOf(text: string, lengthMax: number): string[] {
  const chunks: string[] = []
  let rest = text.trim() === '' ? '' : text
  while (rest.length > lengthMax) {
    const { chunk, after } = cut(rest, lengthMax)
    if (chunk.trim() !== '') chunks.push(chunk)
    rest = after
  }
  if (rest.trim() !== '') chunks.push(rest)
  return chunks
}

function cut(text: string, lengthMax: number): { chunk: string; after: string } {
  const { paragraph, line, fence } = survey(text, lengthMax)
  const at = [paragraph, line].find(place => place >= lengthMax / 2) ?? fence?.at
  if (at !== undefined && at > 0)
    return { chunk: text.slice(0, at).trimEnd(), after: text.slice(at).replace(/^\s*\n/, '') }
  const body = fence ? text.indexOf('\n') + 1 : 0
  // Without the line that closes the block.
  const room = fence ? lengthMax - fence.mark.length - 1 - body : lengthMax
  if (!fence || room < BODY_LENGTH_MIN) {
    const end = within(text, lengthMax, ' ')
    return { chunk: text.slice(0, end).trimEnd(), after: text.slice(end).replace(/^ /, '') }
  }
  const end = body + within(text.slice(body), room, '\n')
  const after = text.slice(end).replace(/^\n/, '')
  return { chunk: `${text.slice(0, end)}\n${fence.mark}`, after: `${fence.opening}\n${after}` }
}

/** The last of the separators in the second half, else the end of the last whole character. */
function within(text: string, lengthMax: number, separator: string): number {
  const found = text.lastIndexOf(separator, lengthMax)
  if (found >= lengthMax / 2) return found
  const near = text.slice(0, lengthMax + CHARACTER_LENGTH_MAX)
  const at = characters.segment(near).containing(lengthMax)?.index ?? lengthMax
  if (at > 0 && at > lengthMax - CHARACTER_LENGTH_MAX) return at
  return text.slice(0, lengthMax).isWellFormed() ? lengthMax : lengthMax - 1
}

/** Where the last paragraph and line outside code blocks begin (or the last block ends) in the first `length`, and the block that is open there. */
function survey(text: string, length: number): { paragraph: number; line: number; fence: Fence | undefined } {
  let fence: Fence | undefined
  let [paragraph, lineAt, at] = [0, 0, 0]
  let wasBlank = false
  for (const line of text.slice(0, length).split('\n')) {
    if (!fence) {
      lineAt = at
      if (wasBlank) paragraph = at
    }
    wasBlank = line.trim() === ''
    const end = at + line.length
    // What the cut leaves of the last line may look like a fence that it is not.
    if (end < length || text[end] === '\n') {
      const wasOpen = fence !== undefined
      fence = afterLine(fence, line, at)
      if (wasOpen && !fence) lineAt = end
    }
    at = end + 1
  }
  return { paragraph, line: lineAt, fence }
}

function afterLine(fence: Fence | undefined, line: string, at: number): Fence | undefined {
  const [, mark = '', info = ''] = FENCE_LINE.exec(line) ?? []
  if (mark === '') return fence
  if (fence) return mark.startsWith(fence.mark) && info.trim() === '' ? undefined : fence
  return { at, mark, opening: line.length <= OPENING_LENGTH_MAX ? line : mark }
}
