// What is on the screen of a chat: rows that are done, and below them the live area. Turns marks of the transcript into
// rows, and decides what the live area shows. Draws through one function that takes characters; owns no connection.
import type { Paint } from '../text/paint.ts'
import { truncate, wrap } from '../text/width.ts'
import { type Editor, EMPTY_EDITOR } from './editor.ts'
import { Flow } from './flow.ts'
import { erase, type Live, type Row, repaint, type Tone } from './live-area.ts'
import { layoutPrompt } from './prompt.ts'
import type { Mark } from './transcript.ts'

export interface Size {
  readonly columns: number
  readonly rows: number
}

export interface CanvasEdge {
  readonly write: (text: string) => void
  readonly size: () => Size
  readonly paint: Paint
}

/** Rows that the live area leaves free at the top, so that something of the conversation is always seen. */
const ROWS_LEFT_FREE = 4
const COLUMNS_MIN = 4

export class Canvas {
  readonly #edge: CanvasEdge
  readonly #flow = new Flow()
  readonly #tools = new Map<string, string>()
  #drawn: Live | undefined
  /** Whole rows that wait for the next drawing. */
  #committed: Row[] = []
  /** Is there an empty row above what comes next? */
  #spaced = true
  editor: Editor = EMPTY_EDITOR
  /** Lines on what goes on and what waits, above the prompt. */
  notes: readonly string[] = []

  constructor(edge: CanvasEdge) {
    this.#edge = edge
  }

  /** Writes lines for good, broken between words. */
  say(text: string, tone: Tone = 'plain'): void {
    this.#endText()
    this.#commit(wrap(text, this.#columns()), tone)
  }

  /** Sets what comes next apart. */
  space(): void {
    this.#endText()
    if (!this.#spaced) this.#commit([''], 'plain')
    this.#spaced = true
  }

  show(mark: Mark): void {
    switch (mark.kind) {
      case 'append':
        this.#commit(this.#flow.append(mark.text, this.#columns()), 'plain')
        break
      case 'break':
        this.#endText()
        break
      case 'tool-start':
        this.#endText()
        this.#tools.set(mark.callId, mark.label)
        break
      case 'tool-end':
        this.#tools.delete(mark.callId)
        this.say(`· ${mark.label} ${mark.isError ? '✗' : '✓'}`, 'dim')
        break
      case 'begin':
      case 'notice':
      case 'ended':
        break
    }
  }

  draw(): void {
    const next = this.#live()
    this.#edge.write(
      repaint(this.#drawn, { committed: this.#committed, next, columns: this.#edge.size().columns }, this.#edge.paint),
    )
    this.#drawn = next
    this.#committed = []
  }

  /** Empties the screen; the scrollback stays. */
  clearScreen(): void {
    this.#edge.write('\u001b[H\u001b[2J')
    this.#drawn = undefined
    this.draw()
  }

  /** Takes the live area away, for good or until the next drawing. */
  leave(): void {
    this.#endText()
    const rows = this.#committed.map(
      ({ text, tone }) => `${tone === 'plain' ? text : this.#edge.paint[tone](text)}\r\n`,
    )
    this.#edge.write(erase(this.#drawn, this.#edge.size().columns) + rows.join(''))
    this.#drawn = undefined
    this.#committed = []
  }

  #columns(): number {
    return Math.max(COLUMNS_MIN, this.#edge.size().columns - 1)
  }

  #commit(rows: readonly string[], tone: Tone): void {
    this.#committed.push(...rows.map(text => ({ text, tone })))
    if (rows.length > 0) this.#spaced = rows.at(-1) === ''
  }

  #endText(): void {
    this.#commit(this.#flow.finish(this.#columns()), 'plain')
  }

  #live(): Live {
    const { columns, rows } = this.#edge.size()
    const open = this.#flow.openRow(this.#columns())
    const above: Row[] = [
      ...(open === undefined ? [] : [{ text: open, tone: 'plain' as const }]),
      ...[...this.#tools.values()].map(label => ({ text: `· ${label} …`, tone: 'dim' as const })),
      ...this.notes.map(text => ({ text, tone: 'dim' as const })),
    ]
      .slice(-Math.max(1, rows - ROWS_LEFT_FREE))
      .map(({ text, tone }) => ({ text: truncate(text, columns), tone }))
    const prompt = layoutPrompt(this.editor, { columns, rowsMax: Math.max(1, rows - ROWS_LEFT_FREE - above.length) })
    return {
      rows: [...above, ...prompt.rows.map(text => ({ text, tone: 'bold' as const }))],
      cursor: { row: above.length + prompt.cursor.row, column: prompt.cursor.column },
    }
  }
}
