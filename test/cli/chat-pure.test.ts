import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { whatWouldRun } from '../../src/cli/approvals.ts'
import { Canvas } from '../../src/cli/chat/canvas.ts'
import { readCommand } from '../../src/cli/chat/commands.ts'
import { applyKey, type Editor, EMPTY_EDITOR } from '../../src/cli/chat/editor.ts'
import { Flow } from '../../src/cli/chat/flow.ts'
import { type Key, NOTHING_HELD, readKeys } from '../../src/cli/chat/keys.ts'
import { type Live, repaint, rowsAboveCursor } from '../../src/cli/chat/live-area.ts'
import { layoutPrompt } from '../../src/cli/chat/prompt.ts'
import { paintFor } from '../../src/cli/text/paint.ts'
import { reveal, sanitize } from '../../src/cli/text/sanitize.ts'
import { textWidth, truncate, wrap } from '../../src/cli/text/width.ts'

const KEYS = [
  'enter',
  'newline',
  'backspace',
  'delete',
  'left',
  'right',
  'up',
  'down',
  'home',
  'end',
  'word-left',
  'word-right',
  'kill-before',
  'kill-after',
  'kill-word',
  'clear-screen',
  'interrupt',
  'eof',
  'suspend',
] as const
const anyText = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('日本', 'é', '👩‍👩‍👧', '\u0301', 'a b', '🇩🇪'),
)
const anyKey: fc.Arbitrary<Key> = fc.oneof(
  fc.record({ kind: fc.constantFrom('text' as const, 'paste' as const), text: anyText }),
  fc.record({ kind: fc.constantFrom('paste' as const), text: fc.array(anyText).map(lines => lines.join('\r')) }),
  fc.record({ kind: fc.constantFrom(...KEYS) }),
)

function type(...inputs: string[]): { editor: Editor; sent: string[] } {
  let [editor, held] = [EMPTY_EDITOR, NOTHING_HELD]
  const sent: string[] = []
  for (const input of inputs) {
    const read = readKeys(held, input)
    held = read.held
    for (const key of read.keys) {
      const next = applyKey(editor, key)
      editor = next.editor
      if (next.action?.kind === 'submit') sent.push(next.action.text)
    }
  }
  return { editor, sent }
}
const shown = ({ items }: Editor) => items.map(item => item.shown ?? item.text).join('')

describe('keys and editor', () => {
  test('any keys: the cursor stays within, and the prompt never is wider than the terminal', () => {
    fc.assert(
      fc.property(
        fc.array(anyKey, { maxLength: 60 }),
        fc.integer({ min: 2, max: 120 }),
        fc.integer({ min: 1, max: 30 }),
        (keys, columns, rowsMax) => {
          let editor = EMPTY_EDITOR
          for (const key of keys) editor = applyKey(editor, key).editor
          expect(editor.cursor).toBeGreaterThanOrEqual(0)
          expect(editor.cursor).toBeLessThanOrEqual(editor.items.length)
          const { rows, cursor } = layoutPrompt(editor, { columns, rowsMax })
          expect(rows.length).toBeLessThanOrEqual(rowsMax)
          expect(cursor.row).toBeLessThan(rows.length)
          expect(cursor.column).toBeLessThan(Math.max(3, columns))
          for (const row of rows) expect(textWidth(row)).toBeLessThanOrEqual(Math.max(2, columns - 1))
        },
      ),
    )
  })

  test('any bytes, cut anywhere, make the same keys', () => {
    const bytes = fc
      .array(
        fc.constantFrom(
          'a',
          '\u001b',
          '[',
          'A',
          '200~',
          '201~',
          '\r',
          '1;5C',
          'é',
          'O',
          '\u0003',
          '\u001b[200~',
          '\u001b[201~',
        ),
      )
      .map(parts => parts.join(''))
    fc.assert(
      fc.property(bytes, fc.nat(), (input, at) => {
        const cut = input.length === 0 ? 0 : at % input.length
        const whole = type(input)
        const halves = type(input.slice(0, cut), input.slice(cut))
        expect([halves.sent, shown(halves.editor), halves.editor.cursor]).toEqual([
          whole.sent,
          shown(whole.editor),
          whole.editor.cursor,
        ])
      }),
    )
  })

  test('what is typed is what is sent', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), text => {
        const wanted = sanitize(text).trim()
        expect(type(`\u001b[200~${text}\u001b[201~`, '\r').sent).toEqual(wanted === '' ? [] : [wanted])
      }),
    )
  })

  test.each([
    ['hello\u0002\u0002X', 'helXlo'],
    ['one two\u0017three', 'one three'],
    ['abc\u0001X\u0005Y', 'XabcY'],
    ['abc\u0015x', 'x'],
    ['日本語\u007f', '日本'],
    ['a👩‍👩‍👧\u007f', 'a'],
    ['e', 'e'],
    ['e\u0301\u007f', ''],
    ['ab\u001b[D\u001b[3~', 'a'],
    ['one two\u001bbX', 'one Xtwo'],
    ['a\u001b[99~b\u001b[?1;2cc', 'abc'],
    ['a\u0007\u0000b', 'ab'],
  ])('%j leaves %j', (input, left) => {
    expect(shown(type(input).editor)).toBe(left)
  })

  test('a paste of fifty lines is one short item, edited around and sent as one', () => {
    const lines = Array.from({ length: 50 }, (_, index) => `line ${index}`)
    const { editor, sent } = type('see: ', `\u001b[200~${lines.join('\r')}\u001b[20`, '1~', ' ok')
    expect(shown(editor)).toBe('see: [pasted 50 lines] ok')
    expect(sent).toEqual([])
    expect(type('see: ', `\u001b[200~${lines.join('\r')}\u001b[201~`, ' ok\r').sent).toEqual([
      `see: ${lines.join('\n')} ok`,
    ])
    expect(shown(type(`\u001b[200~a\rb\u001b[201~\u007f`).editor)).toBe('')
  })

  test('history keeps the draft; a repeated line is kept once', () => {
    expect(shown(type('one\r', 'two\r', 'two\r', 'draft', '\u001b[A', '\u001b[A').editor)).toBe('one')
    expect(shown(type('one\r', 'draft', '\u001b[A', '\u001b[B').editor)).toBe('draft')
  })

  test.each([
    ['/help', 'command'],
    ['/QUIT ', 'command'],
    ['/etc/hosts what is it', 'message'],
    ['/', 'message'],
    ['hi /stop', 'message'],
    ['/stpo', 'unknown'],
  ])('%j is a %s', (text, kind) => {
    expect(readCommand(text).kind).toBe(kind)
  })
})

describe('text on the screen', () => {
  test('rows are never too wide, and lose no word', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 2, max: 80 }), (text, columns) => {
        for (const row of wrap(text, columns)) expect(textWidth(row)).toBeLessThanOrEqual(columns)
        expect(wrap(text, columns).join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''))
        expect(textWidth(truncate(text.replaceAll('\n', ''), columns))).toBeLessThanOrEqual(columns)
      }),
    )
  })

  test('a text that streams makes the rows of the whole text', () => {
    const words = fc.array(fc.stringMatching(/^[a-z日本 \n]{1,12}$/), { maxLength: 40 })
    fc.assert(
      fc.property(words, fc.integer({ min: 4, max: 40 }), (pieces, columns) => {
        const flow = new Flow()
        const rows = pieces.flatMap(piece => flow.append(piece, columns))
        rows.push(...flow.finish(columns))
        const strip = (all: string[]) =>
          all
            .join('\n')
            .replace(/^\s*\n/, '')
            .trimEnd()
        expect(strip(rows)).toBe(strip(wrap(pieces.join(''), columns)))
      }),
    )
  })

  test('no escape sequence survives, however it is cut', () => {
    const evil =
      '\u001b[31mred\u001b[0m \u001b]0;title\u0007\u001b]52;c;aGk=\u001b\\x\u001bPdcs\u001b\\\u009b2Jy\u202eabc\r\n\tz\u0008'
    expect(sanitize(evil)).toBe('red xyabc\n\tz')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect([...sanitize(`${evil}${text}`)].filter(isDangerous)).toEqual([])
      }),
    )
    const flow = new Flow()
    flow.append('a\u001b[3', 40)
    flow.append('1mb', 40)
    expect(flow.openRow(40)).toBe('ab')
  })

  test('what a person decides by loses nothing and steers nothing', () => {
    expect(reveal('ls\u001b[8m\r\n\t"\u202e\u200b')).toBe('ls\\u{1b}[8m\\u{d}⏎\n\\u{9}"\\u{202e}\\u{200b}')
    const texts = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom('\u001b', '\n', 'a', '\u2028') }),
    )
    fc.assert(
      fc.property(texts, fc.integer({ min: 8, max: 80 }), (text, columns) => {
        const plain = text.replace(/[\\⏎]/g, '')
        const seen = reveal(plain)
        expect([...seen].filter(isDangerous)).toEqual([])
        expect(
          seen
            .replace(/⏎\n/g, '\n')
            .replace(/\\u\{([0-9a-f]+)\}/g, (_, hex) => String.fromCodePoint(Number.parseInt(hex, 16))),
        ).toBe(plain)
        for (const row of whatWouldRun({ text }, columns).split('\n')) {
          expect(row.startsWith('  │ ')).toBe(true)
          expect(textWidth(row)).toBeLessThanOrEqual(columns)
        }
      }),
    )
  })

  test('after the terminal became narrower, exactly what was drawn is taken away', () => {
    const drawn: Live = {
      rows: [
        { text: 'x'.repeat(70), tone: 'dim' },
        { text: `> ${'y'.repeat(50)}`, tone: 'bold' },
      ],
      cursor: { row: 1, column: 52 },
    }
    expect(rowsAboveCursor(drawn, 80)).toBe(1)
    expect(rowsAboveCursor(drawn, 40)).toBe(3)
    const next: Live = { rows: [{ text: '> ', tone: 'bold' }], cursor: { row: 0, column: 2 } }
    const out = repaint(drawn, { committed: [{ text: 'done', tone: 'plain' }], next, columns: 40 }, paintFor(false))
    expect(out).toBe('\u001b[?25l\r\u001b[3A\u001b[Jdone\r\n> \r\u001b[2C\u001b[?25h')
  })
})

test('what stands below the conversation and is wider than the terminal takes one row, and no other row is erased', () => {
  const written: string[] = []
  const columns = 20
  const size = () => ({ columns, rows: 24 })
  const canvas = new Canvas({ write: text => void written.push(text), size, paint: paintFor(false) })
  canvas.show({ kind: 'tool-start', callId: '1', label: 'cron add '.repeat(7) })
  canvas.notes = [`> ${'日本'.repeat(20)} (queued, 1 ahead)`]
  canvas.draw()
  canvas.draw()
  const [first = '', second = ''] = written
  const above = first.replace('\u001b[?25l', '').split('\r\n').slice(0, -1)
  expect(above).toHaveLength(2)
  for (const row of above) expect(textWidth(row)).toBeLessThanOrEqual(columns)
  expect(second.startsWith('\u001b[?25l\r\u001b[2A\u001b[J')).toBe(true)
})

function isDangerous(character: string): boolean {
  const code = character.codePointAt(0) ?? 0
  const isControl = (code < 0x20 && character !== '\n' && character !== '\t') || (code >= 0x7f && code < 0xa0)
  return isControl || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069)
}
