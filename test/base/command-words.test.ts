// A command line means to us what it means to a shell, or nothing. The shell of this machine is the judge.
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { quoteWords, splitWords } from '../../src/base/command-words.ts'

/** The words that `sh` makes of a line, with globbing off. */
function wordsOfShell(line: string): string[] {
  const told = execFileSync('/bin/sh', ['-f', '-c', `printf '%s\\0' begin ${line}`], { encoding: 'utf8' })
  return told.split('\0').slice(1, -1)
}

describe('splitting', () => {
  test.each([
    ['git commit -m "two words"', ['git', 'commit', '-m', 'two words']],
    ["echo 'it'\\''s' a\\ b \"c\"d", ['echo', "it's", 'a b', 'cd']],
    ['  ls   -l\t*.ts ~ #x  ', ['ls', '-l', '*.ts', '~', '#x']],
    ['x "" \'\'', ['x', '', '']],
    ['grep "a\\"b\\\\c\\nd\\$e" f', ['grep', 'a"b\\c\\nd$e', 'f']],
    ["printf '%s|%s;$x`' y", ['printf', '%s|%s;$x`', 'y']],
    ['a \\\n  b"c\\\nd"\\\ne', ['a', 'bcde']],
    ["git commit -m 'one\ntwo'", ['git', 'commit', '-m', 'one\ntwo']],
    ['sluice cron add --schedule "0 */6 * * *"', ['sluice', 'cron', 'add', '--schedule', '0 */6 * * *']],
    ['', []],
  ])('%j', (line, words) => {
    expect(splitWords(line)).toEqual(words)
  })

  test.each([
    ['a | b', '"|"'],
    ['a;b', '";"'],
    ['a && b', '"&"'],
    ['a > f', '">"'],
    ['a < f', '"<"'],
    ['echo $HOME', '"$"'],
    ['echo "$HOME"', '"$"'],
    ['echo "x `id`"', '"`"'],
    ['echo `id`', '"`"'],
    ['(id)', '"("'],
    ['a\nb', '"\\n"'],
    ['a\rb', '"\\r"'],
    ["echo 'open", "a quote (')"],
    ['echo "open \\"', 'a quote (")'],
    ['echo \\', 'an escape (\\)'],
  ])('%j is refused, by name, with what to do instead', (line, name) => {
    const split = () => splitWords(line)
    expect(split).toThrow(name)
    expect(split).toThrow(/array of words.*\["sh", "-c", "…"\]/)
  })

  test('whatever is understood, sh understands the same', () => {
    const piece = fc.constantFrom(...'ab*~=-\'"\\ \t\n|;&<>$`()é'.split(''), "'x y'", '"x y"', '\\ ')
    // Words that begin with ~ or # mean something else to a shell; that is told to models and not compared.
    const line = fc
      .array(piece, { maxLength: 12 })
      .map(pieces => pieces.join(''))
      .filter(text => !/~/.test(text))
    let understood = 0
    fc.assert(
      fc.property(line, text => {
        let words: string[]
        try {
          words = splitWords(text)
        } catch {
          return
        }
        understood += 1
        expect(words).toEqual(wordsOfShell(text))
      }),
      { numRuns: 200 },
    )
    expect(understood).toBeGreaterThan(10)
  })
})

describe('what a person is shown', () => {
  test.each([
    [['git', 'commit', '-m', 'two words'], "git commit -m 'two words'"],
    [['echo', "it's", '', '$x'], "echo 'it'\\''s' '' '$x'"],
    [['./run', 'a\u3164', 'b\u00a0c', 'd\u2800', 'e f'], "./run $'a\\u{3164}' $'b\\u{a0}c' $'d\\u{2800}' 'e f'"],
    [['rm', 'a\nb', '\u001b[2K', 'x\u202ey'], "rm $'a\\u{a}b' $'\\u{1b}[2K' $'x\\u{202e}y'"],
  ])('%j', (words, line) => {
    expect(quoteWords(words)).toBe(line)
  })

  test('one line without anything unseen, which reads back as the same words', () => {
    const word = fc.string({ unit: 'grapheme', maxLength: 8 })
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), words => {
        const line = quoteWords(words)
        expect(line).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
        if (!line.includes("$'")) expect(splitWords(line)).toEqual(words)
      }),
    )
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 8 }), any => {
        expect(quoteWords([any])).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u)
      }),
    )
  })
})
