// How a text that is too long for one message is split.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { chunksOf } from '../../src/store/chunks.ts'

const bare = (text: string) => text.replaceAll(/\s/g, '')
const fenceLines = (text: string) => text.split('\n').filter(line => /^ {0,3}```/.test(line))

const prose = fc.oneof(
  fc.lorem({ maxCount: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 300 }).map(text => text.replaceAll(/[`~]/g, '')),
  fc.constantFrom(
    '👩‍👩‍👧‍👦'.repeat(60),
    '\u200f\u05e9\u05dc\u05d5\u05dd\u200b'.repeat(60),
    'x'.repeat(500),
    '\n\n',
    '   ',
  ),
)
const code = fc
  .record({
    info: fc.constantFrom('', 'ts', 'a very long info string indeed, with words'),
    body: fc.lorem({ maxCount: 90 }),
  })
  .map(({ info, body }) => `\`\`\`${info}\n${body.replaceAll('. ', '\n')}\n\`\`\``)
const document = fc
  .array(fc.oneof({ arbitrary: prose, weight: 2 }, { arbitrary: code, weight: 1 }), { maxLength: 6 })
  .map(parts => parts.join('\n\n'))

test('L4: pieces are within the length, not blank, whole characters, and together the text', () => {
  fc.assert(
    fc.property(document, fc.integer({ min: 100, max: 700 }), (text, lengthMax) => {
      const chunks = chunksOf(text, lengthMax)
      for (const chunk of chunks) {
        expect(chunk.length).toBeLessThanOrEqual(lengthMax)
        expect(chunk.trim()).not.toBe('')
        if (text.isWellFormed()) expect(chunk.isWellFormed()).toBe(true)
        // A block that was cut is closed, and opened again.
        expect(fenceLines(chunk).length % 2).toBe(0)
      }
      // What is added to a block that is cut, and nothing else, is not the text's own.
      const isAdded = (line: string) => /^ {0,3}```/.test(line)
      const own = (of: string) =>
        bare(
          of
            .split('\n')
            .filter(line => !isAdded(line))
            .join('\n'),
        )
      expect(own(chunks.join('\n'))).toBe(own(text))
      if (text.length <= lengthMax && text.trim() !== '') expect(chunks).toEqual([text])
    }),
    { numRuns: 400 },
  )
})

test('L4: a cut prefers the end of a paragraph, then of a line, then of a word, and no character is cut', () => {
  const words = (count: number) => Array.from({ length: count }, () => 'word').join(' ')
  expect(chunksOf(`${words(14)}\n\n${words(10)}\n${words(9)}`, 100)).toEqual([words(14), `${words(10)}\n${words(9)}`])
  expect(chunksOf(`${words(14)}\n${words(10)}`, 100)).toEqual([words(14), words(10)])
  expect(chunksOf(words(25), 100)).toEqual([words(20), words(5)])
  const family = '👩‍👩‍👧‍👦'
  expect(chunksOf(family.repeat(10), 100)).toEqual([family.repeat(9), family])
})

test('L4: a block of code moves to the next piece whole; one that fits in none is closed and opened again', () => {
  const block = `\`\`\`ts\n${'let x = 1\n'.repeat(6)}\`\`\``
  const intro = 'Here is what I would write, all of it:'
  expect(chunksOf(`${intro}\n${block}`, 100)).toEqual([intro, block])
  const long = `\`\`\`ts\n${'let x = 1\n'.repeat(12)}\`\`\``
  const lines = (count: number) => Array.from({ length: count }, () => 'let x = 1').join('\n')
  expect(chunksOf(long, 100)).toEqual([`\`\`\`ts\n${lines(9)}\n\`\`\``, `\`\`\`ts\n${lines(3)}\n\`\`\``])
})

test('L4: a block within a list is closed and opened again where it is cut; code within a line is no block', () => {
  const code = Array.from({ length: 30 }, (_, at) => `    step(${at})`).join('\n')
  const pieces = chunksOf(`- first:\n\n    \`\`\`js\n${code}\n    \`\`\`\n- then go on`, 200)
  expect(pieces.length).toBeGreaterThan(2)
  for (const piece of pieces) expect(piece.match(/^ *```/gm)?.length ?? 0).toBe(piece.includes('step') ? 2 : 0)
  const words = Array.from({ length: 30 }, () => 'word').join(' ')
  expect(chunksOf(`\`\`\`npm ci\`\`\` first\n${words}`, 100).join(' ').split('npm ci')).toHaveLength(2)
})
