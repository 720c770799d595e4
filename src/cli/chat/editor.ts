// The line being typed: items, a cursor between them, and the lines typed before. Pure: a key makes the next state and
// perhaps an action. A paste of several lines is one item, shown short and sent whole.
import { sanitize } from '../text/sanitize.ts'
import { graphemes } from '../text/width.ts'
import type { Key } from './keys.ts'

export interface Item {
  /** What is sent. */
  readonly text: string
  /** What is seen, when it is not the text itself. */
  readonly shown?: string
}

export interface Editor {
  readonly items: readonly Item[]
  /** Before which item the cursor stands: 0 to items.length. */
  readonly cursor: number
  readonly history: readonly (readonly Item[])[]
  /** Which line of the history is shown; history.length is the one being typed. */
  readonly place: number
  readonly draft: readonly Item[]
}

export type Action =
  | { readonly kind: 'submit'; readonly text: string; readonly shown: string }
  | { readonly kind: 'interrupt' | 'eof' | 'suspend' | 'clear-screen' }

export const EMPTY_EDITOR: Editor = { items: [], cursor: 0, history: [], place: 0, draft: [] }
const HISTORY_MAX = 500

export function applyKey(editor: Editor, key: Key): { editor: Editor; action?: Action } {
  switch (key.kind) {
    case 'text':
      return { editor: insert(editor, key.text) }
    case 'paste':
      return { editor: paste(editor, key.text) }
    case 'newline':
      return { editor: insertItems(editor, [{ text: '\n' }]) }
    case 'enter':
      return submit(editor)
    case 'eof':
      return editor.items.length === 0
        ? { editor, action: { kind: 'eof' } }
        : { editor: remove(editor, editor.cursor, editor.cursor + 1) }
    case 'interrupt':
    case 'suspend':
    case 'clear-screen':
      return { editor, action: { kind: key.kind } }
    default:
      return { editor: edit(editor, key.kind) }
  }
}

type EditKey = Exclude<
  Key['kind'],
  'text' | 'paste' | 'newline' | 'enter' | 'eof' | 'interrupt' | 'suspend' | 'clear-screen'
>

function edit(editor: Editor, key: EditKey): Editor {
  const { cursor, items } = editor
  switch (key) {
    case 'backspace':
      return remove(editor, cursor - 1, cursor)
    case 'delete':
      return remove(editor, cursor, cursor + 1)
    case 'kill-before':
      return remove(editor, 0, cursor)
    case 'kill-after':
      return remove(editor, cursor, items.length)
    case 'kill-word':
      return remove(editor, wordStart(editor), cursor)
    case 'left':
      return moveTo(editor, cursor - 1)
    case 'right':
      return moveTo(editor, cursor + 1)
    case 'home':
      return moveTo(editor, 0)
    case 'end':
      return moveTo(editor, items.length)
    case 'word-left':
      return moveTo(editor, wordStart(editor))
    case 'word-right':
      return moveTo(editor, wordEnd(editor))
    case 'up':
      return recall(editor, editor.place - 1)
    case 'down':
      return recall(editor, editor.place + 1)
  }
}

export function clear(editor: Editor): Editor {
  return { ...editor, items: [], cursor: 0, place: editor.history.length, draft: [] }
}

/** As one character the terminal may send what belongs to the one before: it is segmented anew with it. */
function insert(editor: Editor, typed: string): Editor {
  const text = sanitize(typed)
  const before = editor.items[editor.cursor - 1]
  if (!before || before.shown !== undefined || before.text === '\n') return insertItems(editor, itemsOf(text))
  const joined = itemsOf(before.text + text)
  const without = remove(editor, editor.cursor - 1, editor.cursor)
  return insertItems(without, joined)
}

function itemsOf(text: string): Item[] {
  return graphemes(text).map(grapheme => ({ text: grapheme }))
}

function paste(editor: Editor, pasted: string): Editor {
  // Terminals send the line breaks of a paste as carriage returns.
  const text = sanitize(pasted.replace(/\r\n?/g, '\n'))
  const lines = text.replace(/\n$/, '').split('\n').length
  if (lines === 1) return insert(editor, text.replace(/\n$/, ''))
  return insertItems(editor, [{ text, shown: `[pasted ${lines} lines]` }])
}

function insertItems(editor: Editor, items: readonly Item[]): Editor {
  const { cursor } = editor
  return {
    ...editor,
    items: [...editor.items.slice(0, cursor), ...items, ...editor.items.slice(cursor)],
    cursor: cursor + items.length,
  }
}

function remove(editor: Editor, from: number, to: number): Editor {
  const start = Math.max(0, from)
  const items = [...editor.items.slice(0, start), ...editor.items.slice(to)]
  return { ...editor, items, cursor: Math.min(start, items.length) }
}

function moveTo(editor: Editor, cursor: number): Editor {
  return { ...editor, cursor: Math.max(0, Math.min(editor.items.length, cursor)) }
}

const isSpace = (item: Item | undefined) => item !== undefined && item.shown === undefined && /^\s/.test(item.text)

function wordStart({ items, cursor }: Editor): number {
  let start = cursor
  while (start > 0 && isSpace(items[start - 1])) start -= 1
  while (start > 0 && !isSpace(items[start - 1])) start -= 1
  return start
}

function wordEnd({ items, cursor }: Editor): number {
  let end = cursor
  while (end < items.length && isSpace(items[end])) end += 1
  while (end < items.length && !isSpace(items[end])) end += 1
  return end
}

function recall(editor: Editor, place: number): Editor {
  const { history } = editor
  if (place < 0 || place > history.length) return editor
  const draft = editor.place === history.length ? editor.items : editor.draft
  const items = place === history.length ? draft : (history[place] ?? [])
  return { ...editor, items, cursor: items.length, place, draft }
}

function submit(editor: Editor): { editor: Editor; action?: Action } {
  const text = editor.items
    .map(item => item.text)
    .join('')
    .trim()
  if (text === '') return { editor: clear(editor) }
  const shown = editor.items
    .map(item => item.shown ?? item.text)
    .join('')
    .trim()
  const isRepeat =
    editor.history
      .at(-1)
      ?.map(item => item.text)
      .join('') === editor.items.map(item => item.text).join('')
  const history = isRepeat ? editor.history : [...editor.history, editor.items].slice(-HISTORY_MAX)
  return { editor: clear({ ...editor, history }), action: { kind: 'submit', text, shown } }
}
