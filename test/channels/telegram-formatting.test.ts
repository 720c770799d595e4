// Markdown as Telegram shows it: what models write looks as they meant it, and nothing that anybody writes can fail.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Formatted, formatted } from '../../src/channels/telegram/formatting.ts'
import { chunksOf } from '../../src/store/chunks.ts'

/** The text with each entity around what it covers, as `type(…)`. */
function drawn({ text, entities }: Formatted): string {
  const at = (place: number) => [
    ...entities.filter(({ offset, length }) => offset + length === place).map(() => ')'),
    ...entities
      .filter(({ offset }) => offset === place)
      .map(({ type, url, language }) => `${type}${url ?? language ?? ''}(`),
  ]
  return [...Array(text.length + 1).keys()].flatMap(place => [...at(place), text.charAt(place)]).join('')
}

describe('what models write', () => {
  const cases: Readonly<Record<string, readonly [markdown: string, shown: string]>> = {
    emphasis: ['**a** *b* __c__ _d_ ~~e~~', 'bold(a) italic(b) bold(c) italic(d) strikethrough(e)'],
    'emphasis within emphasis': ['**a *b* c** ***d***', 'bold(a italic(b) c) bold(italic(d))'],
    'what only looks like emphasis': [
      '2 * 3 * 4, snake_case_name, **/*.ts, a ** b',
      '2 * 3 * 4, snake_case_name, **/*.ts, a ** b',
    ],
    'marks without an end': ['**a *b ~~c `d [e](f', '**a *b ~~c `d [e](f'],
    escapes: ['\\*a\\* \\`b\\`', '*a* `b`'],
    code: ['`a*b*` and ``c`d``', 'code(a*b*) and code(c`d)'],
    'code takes no style': ['**run `npm i` now**', 'bold(run )code(npm i)bold( now)'],
    links: ['[**a**](https://x.y/z_(1)) <https://q.r>', 'text_linkhttps://x.y/z_(1)(a) https://q.r'],
    'links to nowhere': ['[a](javascript:x) [b](/c)', '[a](javascript:x) [b](/c)'],
    'pictures are links': ['![cat](https://x.y/c.png)', 'text_linkhttps://x.y/c.png(cat)'],
    headings: ['# Title\n## `f` of it ##', 'bold(Title)\ncode(f)bold( of it)'],
    lists: ['- **a**\n* b\n1. c', '- bold(a)\n* b\n1. c'],
    quotes: ['> a\n> **b**\n\nc', 'blockquote(a\nbold(b))\n\nc'],
    blocks: ['```ts\nlet *a* = 1\n\n```\nb', 'prets(let *a* = 1\n)\nb'],
    'a block without an end': ['a\n~~~\n**b**', 'a\npre(**b**)'],
    tables: ['| a | b |\n|---|---|\n| 1 | 2 |\nc', 'pre(| a | b |\n|---|---|\n| 1 | 2 |)\nc'],
    'only marks': ['```\n```', '```\n```'],
  }
  for (const [name, [markdown, shown]] of Object.entries(cases)) {
    test(name, () => expect(drawn(formatted(markdown))).toBe(shown))
  }

  test('offsets count UTF-16 units, beyond emoji, right-to-left and zero-width text', () => {
    const text = '👩‍👩‍👧 **שלום** \u200b`naïve` **\u202eabc\u202c** 🏳️‍🌈 *né*'
    expect(drawn(formatted(text))).toBe('👩‍👩‍👧 bold(שלום) \u200bcode(naïve) bold(\u202eabc\u202c) 🏳️‍🌈 italic(né)')
  })

  test('20,000 characters with code go in pieces, each shown whole and none too long', () => {
    const code = Array.from({ length: 400 }, (_, line) => `const line_${line} = ${line} * 2 // **not bold**`).join('\n')
    const pieces = chunksOf(`# Report\n\nHere **it** is:\n\n\`\`\`ts\n${code}\n\`\`\`\n\nThe *end*.`, 4_096)
    expect(pieces.length).toBeGreaterThanOrEqual(5)
    const shown = pieces.map(formatted)
    expect(shown.every(({ text }) => text.length <= 4_096)).toBe(true)
    const blocks = shown.flatMap(({ text, entities }) =>
      entities.filter(({ type }) => type === 'pre').map(({ offset, length }) => text.slice(offset, offset + length)),
    )
    expect(blocks.join('\n')).toBe(code)
    expect(shown.flatMap(({ entities }) => entities).filter(({ type }) => type === 'bold').length).toBe(2)
  })
})

describe('whatever anybody writes', () => {
  const marks = fc.constantFrom(
    ...[
      '*',
      '**',
      '***',
      '_',
      '__',
      '~~',
      '~',
      '`',
      '``',
      '```',
      '\n',
      '\n\n',
      '> ',
      '# ',
      '- ',
      '[',
      '](https://a.b)',
      '|',
    ],
    ...['\n|---|\n', '\\', ' ', 'a', 'B1', '.', '👍🏽', 'ש', '\u200d', '\ud83d', '<https://c.d>', '![', ')'],
  )
  const markdown = fc.array(marks, { maxLength: 60 }).map(parts => parts.join(''))

  test('L4: it is never longer than it was, and every entity is within it, not empty and not across another', () => {
    fc.assert(
      fc.property(markdown, source => {
        const { text, entities } = formatted(source)
        expect(text.length).toBeLessThanOrEqual(source.length)
        expect(text.isWellFormed()).toBe(true)
        entities.forEach((entity, index) => {
          const end = entity.offset + entity.length
          expect(entity.offset >= 0 && entity.length > 0 && end <= text.length).toBe(true)
          expect(text.slice(0, entity.offset).isWellFormed() && text.slice(0, end).isWellFormed()).toBe(true)
          for (const other of entities.slice(index + 1)) {
            const otherEnd = other.offset + other.length
            expect(other.offset >= end || otherEnd <= end, `${entity.type} across ${other.type}`).toBe(true)
            const isCode = entity.type === 'code' || entity.type === 'pre'
            expect(isCode && other.offset < end && other.length !== entity.length, 'something within code').toBe(false)
          }
        })
      }),
      { numRuns: 2_000 },
    )
  })

  test('words are never lost', () => {
    const word = fc.stringMatching(/^[a-zé😀]{1,8}$/u)
    fc.assert(
      fc.property(fc.array(fc.oneof(word, marks), { maxLength: 40 }), parts => {
        const letters = (text: string) => text.replaceAll(/[^é😀]/gu, '')
        const source = parts.join('')
        // What stands behind the fence of a block is its language, and no word.
        fc.pre(!/```|~~~/.test(source))
        expect(letters(formatted(source).text)).toBe(letters(source))
      }),
    )
  })
})
