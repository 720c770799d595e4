// Makes of Markdown, as models write it, the text that Telegram shows and the entities that say how. Nothing has to be
// escaped and nothing can fail to parse: what is not understood is shown as it was written. Pure; the text is never longer
// than the Markdown, so what fits as Markdown fits as text.
import { type Entity, readLine } from './inline-markdown.ts'

export interface Formatted {
  readonly text: string
  /** Sorted, each within the text and not empty; two either are apart or one is within the other. */
  readonly entities: readonly Entity[]
}

/** What is being written: lines so far, and what is shown of them. */
interface Page {
  text: string
  readonly entities: Entity[]
}

const FENCE = /^[ \t]*(`{3,}|~{3,})[ \t]*([^\s`]*)[^`]*$/
const HEADING = /^ {0,3}#{1,6}[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$/
const QUOTE = /^ {0,3}> ?(.*)$/
const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/

export function formatted(markdown: string): Formatted {
  const page: Page = { text: '', entities: [] }
  const lines = markdown.toWellFormed().split('\n')
  let at = 0
  while (at < lines.length) {
    const count = fence(page, lines, at) || table(page, lines, at) || quote(page, lines, at)
    if (count === 0) line(page, lines[at] ?? '')
    at += count || 1
  }
  const text = page.text.trimEnd()
  return text === '' ? { text: markdown.toWellFormed(), entities: [] } : { text, entities: tidied(page.entities, text) }
}

function put(page: Page, { text, entities = [] }: { text: string; entities?: readonly Entity[] }): void {
  const at = page.text.length
  page.text += `${text}\n`
  page.entities.push(...entities.map(entity => ({ ...entity, offset: entity.offset + at })))
}

/** A block of code, to its end or the end of all; answers its lines, or 0 where none begins. */
function fence(page: Page, lines: readonly string[], at: number): number {
  const [, mark, language = ''] = FENCE.exec(lines[at] ?? '') ?? []
  if (mark === undefined) return 0
  const end = lines.findIndex(
    (text, index) => index > at && text.trim().startsWith(mark) && /^[ \t]*[`~]+\s*$/.test(text),
  )
  const code = lines.slice(at + 1, end < 0 ? undefined : end).join('\n')
  const entity = { type: 'pre', offset: 0, length: code.length, ...(language && { language }) } as const
  if (code !== '') put(page, { text: code, entities: [entity] })
  return (end < 0 ? lines.length : end + 1) - at
}

/** Columns stay under each other only in type of one width. */
function table(page: Page, lines: readonly string[], at: number): number {
  const [head = '', rule = ''] = lines.slice(at, at + 2)
  if (!head.includes('|') || !rule.includes('|') || !TABLE_RULE.test(rule)) return 0
  const after = lines.findIndex((text, index) => index > at + 1 && !text.includes('|'))
  const text = lines.slice(at, after < 0 ? undefined : after).join('\n')
  put(page, { text, entities: [{ type: 'pre', offset: 0, length: text.length }] })
  return (after < 0 ? lines.length : after) - at
}

function quote(page: Page, lines: readonly string[], at: number): number {
  const after = lines.findIndex((text, index) => index >= at && !QUOTE.test(text))
  const quoted = lines.slice(at, after < 0 ? undefined : after)
  if (quoted.length === 0) return 0
  const start = page.text.length
  for (const text of quoted) line(page, QUOTE.exec(text)?.[1] ?? '')
  page.entities.push({ type: 'blockquote', offset: start, length: page.text.length - 1 - start })
  return quoted.length
}

function line(page: Page, markdown: string): void {
  const heading = HEADING.exec(markdown)?.[1]
  const { text, entities } = readLine(heading ?? markdown)
  if (heading === undefined) put(page, { text, entities })
  else put(page, { text, entities: [{ type: 'bold', offset: 0, length: text.length }, ...entities] })
}

const STYLES: readonly Entity['type'][] = ['bold', 'italic', 'strikethrough']

/** Code takes no style, so styles end before it and go on behind it; all within the text, none empty, in order. */
function tidied(entities: readonly Entity[], text: string): Entity[] {
  const codes = entities.filter(({ type }) => type === 'code').sort((a, b) => a.offset - b.offset)
  return entities
    .flatMap(entity => (STYLES.includes(entity.type) ? around(entity, codes) : [entity]))
    .map(entity => ({ ...entity, length: Math.min(entity.length, text.length - entity.offset) }))
    .filter(({ length }) => length > 0)
    .sort((a, b) => a.offset - b.offset || b.length - a.length)
}

function around(style: Entity, codes: readonly Entity[]): Entity[] {
  const pieces: Entity[] = []
  const end = style.offset + style.length
  let from = style.offset
  for (const code of codes) {
    if (code.offset < from || code.offset + code.length > end) continue
    pieces.push({ ...style, offset: from, length: code.offset - from })
    from = code.offset + code.length
  }
  return [...pieces, { ...style, offset: from, length: end - from }]
}
