// How many columns a text takes in a terminal, and how it is cut and wrapped there, by what people see as one character
// (graphemes). A small table of wide characters stands for a terminal's own; escape sequences are not understood here.

/** Made with its first use: it takes 9 ms, and most texts are plain. */
let segmenter: Intl.Segmenter | undefined
const ASCII = /^[ -~]*$/

export function graphemes(text: string): string[] {
  if (ASCII.test(text)) return text.split('')
  segmenter ??= new Intl.Segmenter('und', { granularity: 'grapheme' })
  return Array.from(segmenter.segment(text), part => part.segment)
}

/** East Asian wide and full-width blocks, and the emoji that terminals draw wide by themselves. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x2329, 0x232a],
  [0x23e9, 0x23ec],
  [0x23f0, 0x23f0],
  [0x23f3, 0x23f3],
  [0x25fd, 0x25fe],
  [0x2614, 0x2615],
  [0x2648, 0x2653],
  [0x267f, 0x267f],
  [0x2693, 0x2693],
  [0x26a1, 0x26a1],
  [0x26aa, 0x26ab],
  [0x26bd, 0x26be],
  [0x26c4, 0x26c5],
  [0x26ce, 0x26ce],
  [0x26d4, 0x26d4],
  [0x26ea, 0x26ea],
  [0x26f2, 0x26f3],
  [0x26f5, 0x26f5],
  [0x26fa, 0x26fa],
  [0x26fd, 0x26fd],
  [0x2705, 0x2705],
  [0x270a, 0x270b],
  [0x2728, 0x2728],
  [0x274c, 0x274c],
  [0x274e, 0x274e],
  [0x2753, 0x2755],
  [0x2757, 0x2757],
  [0x2795, 0x2797],
  [0x27b0, 0x27b0],
  [0x27bf, 0x27bf],
  [0x2b1b, 0x2b1c],
  [0x2b50, 0x2b50],
  [0x2b55, 0x2b55],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa000, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe10, 0xfe19],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x1b2ff],
  [0x1f004, 0x1f004],
  [0x1f0cf, 0x1f0cf],
  [0x1f18e, 0x1f18e],
  [0x1f191, 0x1f19a],
  [0x1f1e6, 0x1f202],
  [0x1f210, 0x1f23b],
  [0x1f240, 0x1f248],
  [0x1f250, 0x1f251],
  [0x1f260, 0x1f265],
  [0x1f300, 0x1f320],
  [0x1f32d, 0x1f335],
  [0x1f337, 0x1f37c],
  [0x1f37e, 0x1f393],
  [0x1f3a0, 0x1f3ca],
  [0x1f3cf, 0x1f3d3],
  [0x1f3e0, 0x1f3f0],
  [0x1f3f4, 0x1f3f4],
  [0x1f3f8, 0x1f43e],
  [0x1f440, 0x1f440],
  [0x1f442, 0x1f4fc],
  [0x1f4ff, 0x1f53d],
  [0x1f54b, 0x1f54e],
  [0x1f550, 0x1f567],
  [0x1f57a, 0x1f57a],
  [0x1f595, 0x1f596],
  [0x1f5a4, 0x1f5a4],
  [0x1f5fb, 0x1f64f],
  [0x1f680, 0x1f6c5],
  [0x1f6cc, 0x1f6cc],
  [0x1f6d0, 0x1f6d2],
  [0x1f6d5, 0x1f6d7],
  [0x1f6dc, 0x1f6df],
  [0x1f6eb, 0x1f6ec],
  [0x1f6f4, 0x1f6fc],
  [0x1f7e0, 0x1f7eb],
  [0x1f7f0, 0x1f7f0],
  [0x1f90c, 0x1f93a],
  [0x1f93c, 0x1f945],
  [0x1f947, 0x1f9ff],
  [0x1fa70, 0x1faff],
  [0x20000, 0x3fffd],
]
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]/u
const EMOJI_STYLE = '\ufe0f'

/** 0, 1 or 2. */
export function graphemeWidth(grapheme: string): number {
  const code = grapheme.codePointAt(0) ?? 0
  if (code >= 0x20 && code < 0x7f) return grapheme.includes(EMOJI_STYLE) ? 2 : 1
  if (ZERO_WIDTH.test(grapheme)) return 0
  if (grapheme.includes(EMOJI_STYLE)) return 2
  return isWide(code) ? 2 : 1
}

function isWide(code: number): boolean {
  let [low, high] = [0, WIDE.length - 1]
  while (low <= high) {
    const middle = (low + high) >> 1
    const [from, to] = WIDE[middle] ?? [0, 0]
    if (code < from) high = middle - 1
    else if (code > to) low = middle + 1
    else return true
  }
  return false
}

export function textWidth(text: string): number {
  if (ASCII.test(text)) return text.length
  return graphemes(text).reduce((sum, grapheme) => sum + graphemeWidth(grapheme), 0)
}

/** At most `columns` wide; what is cut off is shown as `…`. */
export function truncate(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text
  let kept = ''
  let width = 0
  for (const grapheme of graphemes(text)) {
    width += graphemeWidth(grapheme)
    if (width > columns - 1) break
    kept += grapheme
  }
  return columns < 1 ? '' : `${kept}…`
}

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - textWidth(text)))
}

/**
 * Rows of at most `columns`, broken between words where that is possible, else within them. Text appended later changes
 * no row but the last, so that a stream can be printed row by row. Tabs count as one space.
 */
export function wrap(text: string, columns: number): string[] {
  return text
    .replaceAll('\t', ' ')
    .split('\n')
    .flatMap(line => wrapLine(line, Math.max(2, columns)))
}

function wrapLine(line: string, columns: number): string[] {
  const rows: string[] = []
  for (let rest = graphemes(line); ; ) {
    const fitting = countFitting(rest, columns)
    if (fitting >= rest.length) {
      rows.push(rest.join(''))
      return rows
    }
    const { end, next } = breakOf(rest, fitting)
    rows.push(rest.slice(0, end).join(''))
    rest = rest.slice(next)
  }
}

function countFitting(all: readonly string[], columns: number): number {
  let width = 0
  for (const [index, grapheme] of all.entries()) {
    width += graphemeWidth(grapheme)
    if (width > columns) return index
  }
  return all.length
}

/** Where a row ends and where the next begins; the space between them is the break, and shown in neither. */
function breakOf(all: readonly string[], fitting: number): { end: number; next: number } {
  if (all[fitting] === ' ') return { end: fitting, next: fitting + 1 }
  const space = all.lastIndexOf(' ', fitting - 1)
  const indent = all.findIndex(grapheme => grapheme !== ' ')
  return space > indent ? { end: space, next: space + 1 } : { end: fitting, next: fitting }
}
