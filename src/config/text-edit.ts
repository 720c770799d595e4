// Changes values of a JSON5 text and leaves all else as it was written: comments, order, quotes, layout. What is changed is
// only what differs; whatever this cannot keep is written anew as plain JSON, never wrongly. Pure.
import { isDeepStrictEqual } from 'node:util'
import JSON5 from 'json5'
import { type Member, type Node, nodeOf } from './json5-text.ts'
import { isRecord } from './secrets.ts'

const INDENT = '  '

interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** How this text is written. */
interface Style {
  readonly text: string
  readonly eol: string
  /** Quoted names and double quotes. */
  readonly isJson: boolean
}

/** The text, which JSON5 can parse, with as few changes as make it mean `after`. */
export function editedText(text: string, after: unknown): string {
  // Plain data, as both sides of a comparison have to be.
  const wanted: unknown = JSON.parse(plainText(after))
  try {
    const root = nodeOf(text)
    const edits = editsFor({ node: root, before: JSON5.parse(text), after: wanted }, styleOf(text, root))
    const edited = applied(text, edits)
    if (isDeepStrictEqual(JSON5.parse(edited), wanted)) return edited
  } catch {
    // Deeper than we can follow, or written in a way that we do not know: it is written anew.
  }
  return plainText(after)
}

export function plainText(value: unknown): string {
  return `${JSON.stringify(value, null, INDENT)}\n`
}

function styleOf(text: string, root: Node): Style {
  const first = root.kind === 'object' ? root.members[0] : undefined
  return { text, eol: text.includes('\r\n') ? '\r\n' : '\n', isJson: first !== undefined && text[first.start] === '"' }
}

function applied(text: string, edits: readonly Edit[]): string {
  // From the end, so that places stay right; of two at one place the later comes to stand behind.
  return edits
    .map((edit, index) => ({ edit, index }))
    .sort((a, b) => b.edit.start - a.edit.start || b.index - a.index)
    .reduce((result, { edit }) => result.slice(0, edit.start) + edit.text + result.slice(edit.end), text)
}

interface Change {
  readonly node: Node
  readonly before: unknown
  readonly after: unknown
}

function editsFor({ node, before, after }: Change, style: Style): Edit[] {
  if (isDeepStrictEqual(before, after)) return []
  if (node.kind === 'object' && isRecord(before) && isRecord(after)) return objectEdits(node, { before, after }, style)
  if (node.kind === 'array' && Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    return node.items.flatMap((item, index) =>
      editsFor({ node: item, before: before[index], after: after[index] }, style),
    )
  }
  return [{ start: node.start, end: node.end, text: written(after, indentAt(node.start, style), style) }]
}

type ObjectNode = Extract<Node, { kind: 'object' }>
type Record_ = Readonly<Record<string, unknown>>

function objectEdits(node: ObjectNode, { before, after }: { before: Record_; after: Record_ }, style: Style): Edit[] {
  const { members } = node
  const kept = members.filter(({ name }) => Object.hasOwn(after, name))
  const added = Object.entries(after).filter(([name]) => !Object.hasOwn(before, name))
  if (kept.length === 0 && !hasComment(style.text.slice(node.start, node.end))) {
    return [{ start: node.start, end: node.end, text: written(after, indentAt(node.start, style), style) }]
  }
  const last = kept.at(-1)
  const endsWithComma = members.at(-1)?.comma !== undefined
  const edits = members.filter(member => !kept.includes(member)).map(member => removal(member, style))
  if (added.length === 0 && last?.comma !== undefined && !endsWithComma) {
    edits.push({ start: last.comma, end: last.comma + 1, text: '' })
  }
  // A name that is written twice means its last value.
  const meant = kept.filter((member, index) => !kept.slice(index + 1).some(({ name }) => name === member.name))
  for (const { name, value } of meant) {
    edits.push(...editsFor({ node: value, before: before[name], after: after[name] }, style))
  }
  if (added.length === 0) return edits
  if (last && last.comma === undefined) edits.push({ start: last.value.end, end: last.value.end, text: ',' })
  return [...edits, addition(node, { added, endsWithComma }, style)]
}

/** Takes a member out, with its line where it has one to itself. */
function removal(member: Member, { text }: Style): Edit {
  const before = /\r?\n[ \t]*$/.exec(text.slice(0, member.start))
  const isAlone = before !== null && /^[ \t]*(\r?\n|$)/.test(text.slice(member.end))
  const gap = /[ \t]*$/.exec(text.slice(0, member.start))?.[0].length ?? 0
  return { start: isAlone ? before.index : member.start - gap, end: member.end, text: '' }
}

function addition(
  node: ObjectNode,
  { added, endsWithComma }: { added: readonly (readonly [string, unknown])[]; endsWithComma: boolean },
  style: Style,
): Edit {
  const { text, eol } = style
  const [first] = node.members
  const inner = text.slice(node.start + 1, node.end - 1)
  const place = node.start + 1 + inner.trimEnd().length
  const hasLines =
    text.slice(node.start, first?.start ?? node.end).includes('\n') || text.slice(place, node.end).includes('\n')
  const ownIndent = indentAt(node.start, style)
  const indent = !hasLines ? ownIndent : first ? indentAt(first.start, style) : ownIndent + INDENT
  const lines = added.map(([name, value]) => `${keyOf(name, style)}: ${written(value, indent, style)}`)
  const gap = hasLines ? eol + indent : ' '
  const comma = endsWithComma ? ',' : ''
  return { start: place, end: place, text: `${gap}${lines.join(`,${gap}`)}${comma}` }
}

function keyOf(name: string, { isJson }: Style): string {
  if (!isJson && /^[A-Za-z_$][\w$]*$/.test(name)) return name
  return isJson ? JSON.stringify(name) : JSON5.stringify(name)
}

function written(value: unknown, indent: string, { isJson, eol }: Style): string {
  const text = isJson ? JSON.stringify(value, null, INDENT) : JSON5.stringify(value, null, INDENT)
  return text.replaceAll('\n', eol + indent)
}

/** The white space with which the line of a place begins. */
function indentAt(place: number, { text }: Style): string {
  const line = text.slice(text.lastIndexOf('\n', place - 1) + 1, place)
  return /^[ \t]*/.exec(line)?.[0] ?? ''
}

function hasComment(text: string): boolean {
  return text.includes('//') || text.includes('/*')
}
