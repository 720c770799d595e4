// Text that comes in pieces, as rows of the screen: rows that are whole are given out at once, the last one stays open.
// Escape sequences cut in two by the pieces are held until they can be taken out whole.
import { sanitize } from '../text/sanitize.ts'
import { wrap } from '../text/width.ts'

const ESC = '\u001b'
const CUT_SEQUENCE = new RegExp(`${ESC}[^A-Za-z]{0,64}$|\\r$`)

export class Flow {
  #open = ''
  #held = ''
  #isOpen = false

  /** The row that is not whole yet; undefined when no text is open. */
  openRow(columns: number): string | undefined {
    return this.#isOpen ? (wrap(this.#open, columns).at(-1) ?? '') : undefined
  }

  /** Rows that no later piece can change. */
  append(piece: string, columns: number): string[] {
    const text = this.#held + piece
    this.#held = CUT_SEQUENCE.exec(text)?.[0] ?? ''
    this.#open += sanitize(text.slice(0, text.length - this.#held.length))
    // Models like to begin with empty lines.
    if (!this.#isOpen) this.#open = this.#open.replace(/^\s*\n/, '')
    this.#isOpen ||= this.#open !== ''
    const rows = wrap(this.#open, columns)
    this.#open = rows.pop() ?? ''
    return rows
  }

  /** Ends the text; answers its last rows. */
  finish(columns: number): string[] {
    const rows = this.#isOpen && this.#open.trim() !== '' ? wrap(this.#open, columns) : []
    this.#open = ''
    this.#held = ''
    this.#isOpen = false
    return rows
  }
}
