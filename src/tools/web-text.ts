// A web page as text that a model can read: one pass, in time that grows with the page's length alone, whatever it holds,
// and never for longer than the control loop can spare. It knows little HTML on purpose, runs nothing and loads nothing.

export interface PageOptions {
  /** `markdown` keeps headings, list marks and links; `text` the words alone. */
  readonly mode: 'markdown' | 'text'
  /** What links are relative to. */
  readonly base: string
  readonly lengthMax: number
}

export interface PageText {
  readonly title: string
  readonly text: string
  /** The page goes on. */
  readonly cut: boolean
}

/** Tags that are looked at; a page with more than that says it all, or nothing, before. */
const TAGS_MAX = 50_000
const HREF_LENGTH_MAX = 2_000
const TITLE_LENGTH_MAX = 300
/** Not for readers; left out with all that is inside. */
const SKIPPED = new Set(['script', 'style', 'noscript', 'template', 'svg', 'iframe', 'title'])
const LINE = new Set('br div li tr dt dd nav header footer aside main form option'.split(' '))
const PARAGRAPH = new Set('p h1 h2 h3 h4 h5 h6 ul ol dl table pre blockquote section article hr'.split(' '))
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: ' ' }

export function pageText(html: string, options: PageOptions): PageText {
  const lines = new Lines()
  const { lengthMax } = options
  let at = 0
  let title = ''
  for (let tags = 0; at < html.length && tags < TAGS_MAX && lines.length < lengthMax; tags += 1) {
    const open = html.indexOf('<', at)
    lines.words(html.slice(at, open < 0 ? html.length : open))
    const { name, inside, end } = open < 0 ? { name: '', inside: '', end: html.length } : markupAt(html, open)
    at = SKIPPED.has(name) ? endOf(html, name, end) : end
    if (name === 'title') title ||= plain(html.slice(end, at)).slice(0, TITLE_LENGTH_MAX)
    else if (name === '<') lines.words(name)
    else tag(lines, name, { inside, options })
  }
  lines.link(undefined)
  const text = lines.text()
  return { title, text: text.slice(0, lengthMax), cut: at < html.length || text.length > lengthMax }
}

/** What stands at a `<`: a tag's name (`/` before that of an end), nothing for a comment, `<` for a mere sign. */
function markupAt(html: string, open: number): { name: string; inside: string; end: number } {
  if (html.startsWith('<!--', open)) return { name: '', inside: '', end: after(html, '-->', open + 4) }
  if (!/[a-z/!?]/i.test(html[open + 1] ?? '')) return { name: '<', inside: '', end: open + 1 }
  const end = after(html, '>', open)
  const inside = html.slice(open + 1, end)
  return { name: /^\/?[a-z0-9]*/i.exec(inside)?.[0].toLowerCase() ?? '', inside, end }
}

function tag(lines: Lines, name: string, { inside, options }: { inside: string; options: PageOptions }): void {
  const element = name.replace('/', '')
  if (PARAGRAPH.has(element)) lines.break(2)
  else if (LINE.has(element)) lines.break(1)
  else if (element === 'td' || element === 'th') lines.words(' ')
  if (element === 'pre') lines.preformatted = name === 'pre'
  if (options.mode === 'text') return
  if (/^h[1-6]$/.test(name)) lines.words(`${'#'.repeat(Number(name[1]))} `)
  else if (name === 'li') lines.words('- ')
  else if (element === 'a') lines.link(name === 'a' ? hrefOf(inside, options.base) : undefined)
}

function hrefOf(inside: string, base: string): string | undefined {
  const [, double, single, bare] = /\bhref\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/i.exec(inside) ?? []
  const href = decoded((double ?? single ?? bare ?? '').slice(0, HREF_LENGTH_MAX))
  if (href === '' || href.startsWith('#')) return undefined
  return URL.parse(href, base)?.href
}

/** Where a mark ends, or the end of the page. */
function after(html: string, mark: string, from: number): number {
  const found = html.indexOf(mark, from)
  return found < 0 ? html.length : found + mark.length
}

/** Where the element's end tag begins. */
function endOf(html: string, name: string, from: number): number {
  const end = new RegExp(`</${name}`, 'gi')
  end.lastIndex = from
  return end.exec(html)?.index ?? html.length
}

function decoded(text: string): string {
  return text.replace(/&(#\d{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,4});/gi, (whole, entity: string) => {
    if (!entity.startsWith('#')) return ENTITIES[entity.toLowerCase()] ?? whole
    const code = Number(entity.replace(/^#(x?)/i, (_, x) => (x ? '0x' : '')))
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })
}

function plain(text: string): string {
  return decoded(text).replace(/\s+/g, ' ').trim()
}

/** Text as it grows: gaps become one space, and there is at most one empty line. */
class Lines {
  preformatted = false
  #text = ''
  /** Line breaks at the end so far; at the beginning none is wanted. */
  #breaks = 2
  #gap = false
  #link: { readonly href: string; open: boolean } | undefined

  get length(): number {
    return this.#text.length
  }

  words(raw: string): void {
    const words = this.preformatted ? decoded(raw) : plain(raw)
    if (!this.preformatted && raw !== raw.trimStart()) this.#gap = true
    if (words === '') return
    if (this.#gap && this.#breaks === 0) this.#text += ' '
    if (this.#link && !this.#link.open) this.#text += '['
    if (this.#link) this.#link.open = true
    this.#text += words
    this.#breaks = words.endsWith('\n') ? 1 : 0
    this.#gap = !this.preformatted && raw !== raw.trimEnd()
  }

  break(count: number): void {
    for (; this.#breaks < count; this.#breaks += 1) this.#text += '\n'
    this.#gap = false
  }

  /** Ends the link that is open, if it had words, and begins another. */
  link(href: string | undefined): void {
    if (this.#link?.open) this.#text += `](${this.#link.href})`
    this.#link = href === undefined ? undefined : { href, open: false }
  }

  text(): string {
    return this.#text.trimEnd()
  }
}
