// Where the line being typed stands on the screen: its rows and the cursor, at any width, with characters of any width.
// Rows end one column before the edge, where terminals differ in what they do with the cursor.
import { graphemes, graphemeWidth } from '../text/width.ts'
import type { Editor, Item } from './editor.ts'

export interface PromptRows {
  readonly rows: readonly string[]
  readonly cursor: { readonly row: number; readonly column: number }
}

const MARK = '> '
/** Below this width the mark costs more than it says. */
const MARKED_COLUMNS_MIN = 8

export function layoutPrompt(editor: Editor, { columns, rowsMax }: { columns: number; rowsMax: number }): PromptRows {
  const rows = new Rows(columns)
  let cursor = { row: 0, column: 0 }
  for (const [index, item] of [...editor.items, END].entries()) {
    const parts = graphemes(item.shown ?? item.text)
    // The cursor stands where its character will be: at the edge, on the next row.
    if (index === editor.cursor) cursor = rows.placeFor(parts[0] ?? ' ')
    for (const part of parts) rows.add(part)
  }
  return window({ rows: rows.rows, cursor }, Math.max(1, rowsMax))
}

const END: Item = { text: '' }

class Rows {
  readonly rows: string[]
  readonly #width: number
  readonly #indent: number
  #used: number

  constructor(columns: number) {
    this.#width = Math.max(2, columns - 1)
    this.#indent = columns >= MARKED_COLUMNS_MIN ? MARK.length : 0
    this.#used = this.#indent
    this.rows = [MARK.slice(0, this.#indent)]
  }

  add(part: string): void {
    if (part === '\n') {
      this.#break()
      return
    }
    const width = graphemeWidth(part)
    if (this.#used + width > this.#width) this.#break()
    this.rows[this.rows.length - 1] += part
    this.#used += width
  }

  placeFor(part: string): { row: number; column: number } {
    const width = part === '\n' ? 1 : graphemeWidth(part)
    if (this.#used + width > this.#width) this.#break()
    return { row: this.rows.length - 1, column: this.#used }
  }

  #break(): void {
    this.rows.push(' '.repeat(this.#indent))
    this.#used = this.#indent
  }
}

/** At most so many rows, those around the cursor. */
function window({ rows, cursor }: PromptRows, rowsMax: number): PromptRows {
  if (rows.length <= rowsMax) return { rows, cursor }
  const start = Math.max(0, Math.min(cursor.row - rowsMax + 1 + Math.floor(rowsMax / 3), rows.length - rowsMax))
  return { rows: rows.slice(start, start + rowsMax), cursor: { ...cursor, row: cursor.row - start } }
}
