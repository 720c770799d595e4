// The bottom of the screen that is drawn over and over: an open row, notes, the prompt. Whole rows above it are written
// once and then belong to the terminal's scrollback. Pure: from what was drawn and what shall be, the characters to write.
import type { Paint } from '../text/paint.ts'
import { graphemes, graphemeWidth, textWidth } from '../text/width.ts'

export type Tone = keyof Paint | 'plain'

export interface Row {
  readonly text: string
  readonly tone: Tone
}

export interface Live {
  /** None wider than the terminal when it is drawn: the terminal would break it, and what is above be erased with it. */
  readonly rows: readonly Row[]
  readonly cursor: { readonly row: number; readonly column: number }
}

const HIDE = '\u001b[?25l'
const SHOW = '\u001b[?25h'

/**
 * Writes `committed` for good and draws `next` below it, over what `drawn` left there. `columns` is the width now: rows
 * drawn at a greater one have been broken by the terminal since.
 */
export function repaint(
  drawn: Live | undefined,
  change: { committed: readonly Row[]; next: Live; columns: number },
  paint: Paint,
): string {
  const { committed, next, columns } = change
  const painted = ({ text, tone }: Row) => (tone === 'plain' ? text : paint[tone](text))
  const whole = committed.map(row => `${painted(row)}\r\n`).join('')
  const live = next.rows.map(painted).join('\r\n')
  const below = next.rows.length - 1 - next.cursor.row
  return [
    HIDE,
    erase(drawn, columns),
    whole,
    live,
    '\r',
    below > 0 ? `\u001b[${below}A` : '',
    next.cursor.column > 0 ? `\u001b[${next.cursor.column}C` : '',
    SHOW,
  ].join('')
}

/** Takes the live area away and leaves the cursor where it began. */
export function erase(drawn: Live | undefined, columns: number): string {
  if (!drawn) return ''
  const above = rowsAboveCursor(drawn, columns)
  return `\r${above > 0 ? `\u001b[${above}A` : ''}\u001b[J`
}

export function rowsAboveCursor({ rows, cursor }: Live, columns: number): number {
  const full = rows.slice(0, cursor.row).reduce((sum, row) => sum + brokenInto(row.text, columns), 0)
  return full + Math.floor(cursor.column / Math.max(1, columns))
}

/** How many rows the terminal makes of one; a wide character is never cut in two. */
function brokenInto(text: string, columns: number): number {
  if (textWidth(text) <= columns) return 1
  let [rows, used] = [1, 0]
  for (const grapheme of graphemes(text)) {
    const width = graphemeWidth(grapheme)
    if (used + width > columns) {
      rows += 1
      used = 0
    }
    used += width
  }
  return rows
}
