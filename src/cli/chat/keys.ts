// What a terminal in raw mode sends, as keys: control characters, escape sequences, bracketed pastes, text. Pure: a
// sequence cut in two by the terminal is held until the rest comes. What is not known is dropped, never typed.

export type KeyName =
  | 'enter'
  | 'newline'
  | 'backspace'
  | 'delete'
  | 'left'
  | 'right'
  | 'up'
  | 'down'
  | 'home'
  | 'end'
  | 'word-left'
  | 'word-right'
  | 'kill-before'
  | 'kill-after'
  | 'kill-word'
  | 'clear-screen'
  | 'interrupt'
  | 'eof'
  | 'suspend'

export type Key = { readonly kind: 'text' | 'paste'; readonly text: string } | { readonly kind: KeyName }

/** What has come of a sequence so far, and of a paste that has not ended. */
export interface KeysHeld {
  readonly rest: string
  readonly paste: string | undefined
}
export const NOTHING_HELD: KeysHeld = { rest: '', paste: undefined }

const ESC = '\u001b'
const PASTE_BEGIN = `${ESC}[200~`
const PASTE_END = `${ESC}[201~`
const WHOLE_SEQUENCE = new RegExp(`^${ESC}(?:\\[[0-?]*[ -/]*[@-~]|O[ -~]|[^[O])`)
const BEGUN_SEQUENCE = new RegExp(`^${ESC}(?:\\[[0-?]*[ -/]*|O)$`)
/** An escape sequence longer than this is none; it must not swallow what is typed after it. */
const SEQUENCE_LENGTH_MAX = 32

const CONTROLS: Readonly<Record<string, KeyName>> = {
  '\r': 'enter',
  '\n': 'newline',
  '\u0001': 'home',
  '\u0002': 'left',
  '\u0003': 'interrupt',
  '\u0004': 'eof',
  '\u0005': 'end',
  '\u0006': 'right',
  '\u0008': 'backspace',
  '\u000b': 'kill-after',
  '\u000c': 'clear-screen',
  '\u000e': 'down',
  '\u0010': 'up',
  '\u0015': 'kill-before',
  '\u0017': 'kill-word',
  '\u001a': 'suspend',
  '\u007f': 'backspace',
}
/** After ESC; the forms of the common terminals. */
const SEQUENCES: Readonly<Record<string, KeyName>> = {
  '[A': 'up',
  '[B': 'down',
  '[C': 'right',
  '[D': 'left',
  '[H': 'home',
  '[F': 'end',
  OA: 'up',
  OB: 'down',
  OC: 'right',
  OD: 'left',
  OH: 'home',
  OF: 'end',
  '[1~': 'home',
  '[4~': 'end',
  '[7~': 'home',
  '[8~': 'end',
  '[3~': 'delete',
  '[1;5C': 'word-right',
  '[1;5D': 'word-left',
  '[1;3C': 'word-right',
  '[1;3D': 'word-left',
  b: 'word-left',
  f: 'word-right',
  '\r': 'newline',
  '\n': 'newline',
  '\u007f': 'kill-word',
}

export function readKeys(held: KeysHeld, chunk: string): { keys: Key[]; held: KeysHeld } {
  const keys: Key[] = []
  let paste = held.paste
  let input = held.rest + chunk
  while (input !== '') {
    if (paste !== undefined) {
      const end = input.indexOf(PASTE_END)
      if (end < 0) {
        const kept = partialLength(input, PASTE_END)
        return {
          keys,
          held: { rest: input.slice(input.length - kept), paste: paste + input.slice(0, input.length - kept) },
        }
      }
      keys.push({ kind: 'paste', text: paste + input.slice(0, end) })
      paste = undefined
      input = input.slice(end + PASTE_END.length)
    } else if (input.startsWith(PASTE_BEGIN)) {
      paste = ''
      input = input.slice(PASTE_BEGIN.length)
    } else {
      const step = readOne(input)
      if (!step) return { keys, held: { rest: input, paste } }
      if (step.key) keys.push(step.key)
      input = input.slice(step.length)
    }
  }
  return { keys, held: { rest: '', paste } }
}

/** How many characters at the end of `input` could be the beginning of `marker`. */
function partialLength(input: string, marker: string): number {
  for (let length = Math.min(marker.length - 1, input.length); length > 0; length -= 1) {
    if (marker.startsWith(input.slice(-length))) return length
  }
  return 0
}

/** The first key of the input; undefined while its sequence is not whole. */
function readOne(input: string): { key?: Key; length: number } | undefined {
  const first = input[0] ?? ''
  if (first === ESC) return readSequence(input)
  const control = CONTROLS[first]
  if (control) return { key: { kind: control }, length: 1 }
  if (isControl(first)) return { length: 1 }
  let length = 1
  while (length < input.length && !isControl(input[length] ?? '')) length += 1
  return { key: { kind: 'text', text: input.slice(0, length) }, length }
}

function isControl(character: string): boolean {
  const code = character.charCodeAt(0)
  return code < 0x20 || (code >= 0x7f && code < 0xa0)
}

function readSequence(input: string): { key?: Key; length: number } | undefined {
  if (input.length === 1) return undefined
  const [match] = WHOLE_SEQUENCE.exec(input) ?? []
  if (match === undefined) {
    // Neither whole nor the beginning of one: drop the escape alone.
    const isBegun = BEGUN_SEQUENCE.test(input) && input.length <= SEQUENCE_LENGTH_MAX
    return isBegun ? undefined : { length: 1 }
  }
  const name = SEQUENCES[match.slice(1)]
  return name
    ? { key: { kind: name }, length: match.length }
    : { length: match.startsWith(`${ESC}${ESC}`) ? 1 : match.length }
}
