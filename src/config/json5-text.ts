// Where each value of a JSON5 text stands, so that one of them can be changed and the rest stay as a person wrote it. It
// reads places, not values, and only texts that the parser has accepted.
import JSON5 from 'json5'

interface Span {
  readonly start: number
  /** After the last character. */
  readonly end: number
}

export interface Member extends Span {
  readonly name: string
  readonly value: Node
  /** Where its comma is; undefined: the last member may have none. */
  readonly comma: number | undefined
}

export type Node =
  | (Span & { readonly kind: 'object'; readonly members: readonly Member[] })
  | (Span & { readonly kind: 'array'; readonly items: readonly Node[] })
  | (Span & { readonly kind: 'scalar' })

const TRIVIA = /(?:\s|\/\/[^\n\r\u2028\u2029]*|\/\*[\s\S]*?\*\/)*/y
const SCALAR = /"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|[^\s,:[\]{}/"']+/y

/** The root value of a text that JSON5 can parse. */
export function nodeOf(text: string): Node {
  return new Reader(text).value()
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(): Node {
    this.#skip(TRIVIA)
    const start = this.#at
    switch (this.#text[start]) {
      case '{': {
        const members = this.#list('}', () => this.#member())
        return { kind: 'object', start, end: this.#at, members }
      }
      case '[': {
        const items = this.#list(']', () => {
          const item = this.value()
          this.#comma()
          return item
        })
        return { kind: 'array', start, end: this.#at, items }
      }
      default:
        this.#skip(SCALAR)
        return { kind: 'scalar', start, end: this.#at }
    }
  }

  #list<T>(close: string, read: () => T): T[] {
    const found: T[] = []
    this.#at += 1
    for (;;) {
      this.#skip(TRIVIA)
      if (this.#at >= this.#text.length) throw new Error('a list or object of a parsed text has no end')
      if (this.#text[this.#at] === close) break
      found.push(read())
    }
    this.#at += 1
    return found
  }

  #member(): Member {
    const start = this.#at
    this.#skip(SCALAR)
    const [name = ''] = Object.keys(JSON5.parse(`{${this.#text.slice(start, this.#at)}:0}`))
    this.#skip(TRIVIA)
    this.#at += 1
    const value = this.value()
    const comma = this.#comma()
    return { name, start, value, comma, end: comma === undefined ? value.end : comma + 1 }
  }

  /** Goes past a comma, if one follows; else stays where it is. */
  #comma(): number | undefined {
    const before = this.#at
    this.#skip(TRIVIA)
    const comma = this.#at
    if (this.#text[comma] !== ',') {
      this.#at = before
      return undefined
    }
    this.#at += 1
    return comma
  }

  #skip(pattern: RegExp): void {
    pattern.lastIndex = this.#at
    this.#at += pattern.exec(this.#text)?.[0].length ?? 0
  }
}
