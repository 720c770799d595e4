// A page as text: what a reader would see, whatever the page holds, in time that grows with its length alone.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type PageOptions, pageText } from '../../src/tools/web-text.ts'

const read = (html: string, options: Partial<PageOptions> = {}) =>
  pageText(html, { mode: 'markdown', base: 'https://example.org/a/b', lengthMax: 10_000, ...options })

describe('what a reader sees', () => {
  test.each([
    ['plain', 'plain'],
    ['<p>one</p><p>two</p>', 'one\n\ntwo'],
    ['<div><div><div>a</div></div></div><div>b</div>', 'a\nb'],
    ['a<br>b<br/>c', 'a\nb\nc'],
    ['  much \n\t space  <b> and </b>  more ', 'much space and more'],
    ['no<b>gap</b>here', 'nogaphere'],
    ['<h1>T</h1><h3>S</h3>x', '# T\n\n### S\n\nx'],
    ['<ul><li>a</li><li>b <i>c</i></li></ul>', '- a\n- b c'],
    ['<table><tr><td>a</td><td>b</td></tr><tr><th>c</th></tr></table>', 'a b\nc'],
    ['<pre>a\n  b &lt;\n</pre>c', 'a\n  b <\n\nc'],
    ['<script>if (a < b) alert("</p>")</script>x<STYLE>p{}</style >y', 'xy'],
    ['a<!-- <p>no</p> -->b<!-->c', 'ab'],
    ['<!doctype html><?xml version="1"?>x', 'x'],
    ['1 < 2 && 3 > 2 <3', '1 < 2 && 3 > 2 <3'],
    ['&amp;&lt;&gt;&quot;&apos;&#39;&#x41;&nbsp;z', "&<>\"''A z"],
    ['&amp;lt; &unknown; &#0; &#1114112; &#xFFFFFF; & &;', '&lt; &unknown; &#0; &#1114112; &#xFFFFFF; & &;'],
    ['<a href="/x?a=1&amp;b=2">link</a>!', '[link](https://example.org/x?a=1&b=2)!'],
    ["<a class=q href='c'>one <b>two</b></a>", '[one two](https://example.org/a/c)'],
    ['<a href=d>x</a> <a>y</a> <a href="#z">z</a>', '[x](https://example.org/a/d) y z'],
    ['<a href="/i"><img src=x></a>after', 'after'],
    ['<a href="/open">never closed', '[never closed](https://example.org/open)'],
    ['text <unclosed', 'text'],
    ['x<script>never closed', 'x'],
    ['', ''],
  ])('%j', (html, text) => {
    expect(read(html)).toMatchObject({ text, cut: false })
  })

  test('the title is told apart', () => {
    expect(read('<head><title> A &amp;\n B </title><meta></head><body>x<svg><title>no</title></svg></body>')).toEqual({
      title: 'A & B',
      text: 'x',
      cut: false,
    })
  })

  test('the words alone', () => {
    const html = '<h1>T</h1><ul><li><a href="/x">a</a></li></ul>'
    expect(read(html, { mode: 'text' }).text).toBe('T\n\na')
  })
})

describe('limits', () => {
  test.each([
    [99, false],
    [100, false],
    [101, true],
  ])('of %i characters with room for 100: cut is %s', (length, cut) => {
    const page = read('x'.repeat(length), { lengthMax: 100 })
    expect([page.text.length, page.cut]).toEqual([Math.min(length, 100), cut])
  })

  test('what comes after enough text is not looked at', () => {
    expect(read(`${'<p>word</p>'.repeat(100)}<title>late</title>`, { lengthMax: 50 })).toMatchObject({
      title: '',
      cut: true,
    })
  })

  test.each([
    '<',
    '<a',
    '<a href="',
    '<script',
    '<script>',
    '<!--',
    '</',
    '<p>',
    '&',
    '&#',
    ' ',
    '<b> </b>',
    '<a href=x>',
    '<pre>',
    "<a href='x",
    'href= ',
  ])('a page of nothing but %j is read in steps that its length bounds', piece => {
    // What grows with the square of the length would take hours here, not the moment that the bound of all tests allows.
    const page = read(piece.repeat(Math.ceil(1_048_576 / piece.length)), { lengthMax: 50_000 })
    expect(page.text.length).toBeLessThanOrEqual(50_000)
  })

  test('any text is read to its end, and none of its markup is left', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '<p>',
        '</p>',
        '<a href="/x">',
        '</a>',
        '<li>',
        '<pre>',
        '</pre>',
        '<br>',
        '<!-- x -->',
        '<b',
        '>',
      ),
      fc.stringMatching(/^[\w &;#\n]{0,6}$/),
    )
    fc.assert(
      fc.property(fc.array(piece), pieces => {
        const { text, cut } = read(pieces.join(''))
        expect(cut).toBe(false)
        expect(text).not.toMatch(/<(p|\/p|a |\/a|li|pre|\/pre|br)|<!--/)
      }),
    )
  })
})
