// A conversation as other programs send it, whole each time, as one message to a session: what the system says apart,
// what was said before in order, and what is said now. What a session cannot take is refused, never left out.
import { SluiceError } from '../../base/errors.ts'

export interface Line {
  readonly role: string
  readonly text: string
}

export interface Prompt {
  readonly system: string
  readonly text: string
}

const TEXT_PARTS: ReadonlySet<string> = new Set(['text', 'input_text', 'output_text', 'refusal'])
const SYSTEM_ROLES: ReadonlySet<string> = new Set(['system', 'developer'])
const SPEAKERS: Readonly<Record<string, string>> = { user: 'User', assistant: 'Assistant' }

export function promptOf(lines: readonly Line[], field: string): Prompt {
  const system = lines.filter(({ role }) => SYSTEM_ROLES.has(role)).map(({ text }) => text)
  const said = lines.filter(({ role, text }) => !SYSTEM_ROLES.has(role) && text.trim() !== '')
  if (!said.some(({ role }) => role === 'user')) {
    throw new SluiceError('INVALID_REQUEST', `Missing user message in \`${field}\`.`)
  }
  return { system: system.join('\n\n'), text: folded(said) }
}

function folded(said: readonly Line[]): string {
  const last = said.at(-1) as Line
  if (said.length === 1) return last.text
  const spoken = ({ role, text }: Line) => `${SPEAKERS[role] ?? 'Tool'}: ${text}`
  const before = said.slice(0, -1).map(spoken).join('\n')
  return `[What was said before]\n${before}\n\n[Now]\n${last.role === 'user' ? last.text : spoken(last)}`
}

/** The text of a message's content: a text, or parts of which each is one. */
export function textOf(content: unknown): string {
  if (content === null || content === undefined) return ''
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) throw new SluiceError('INVALID_REQUEST', 'The content of a message is no text.')
  return content.map(textOfPart).join('\n')
}

function textOfPart(part: unknown): string {
  const { type, text, refusal } = (part ?? {}) as { type?: unknown; text?: unknown; refusal?: unknown }
  const said = text ?? refusal
  if (typeof type === 'string' && TEXT_PARTS.has(type) && typeof said === 'string') return said
  const what = typeof type === 'string' ? type.slice(0, 50) : 'that has no type'
  throw new SluiceError('INVALID_REQUEST', `A content part ${what} is not supported here; send text.`)
}

/** The agent has tools of its own; those of a client would never be called, so they are not taken in silence. */
export function refuseTools(body: Readonly<Record<string, unknown>>): void {
  const given = [body.tools, body.functions].some(tools => Array.isArray(tools) && tools.length > 0)
  if (given && body.tool_choice !== 'none') {
    throw new SluiceError(
      'INVALID_REQUEST',
      'Tools of the client are not supported: the agent uses its own. Send none.',
    )
  }
}

/** A reply that is told message by message as cumulative texts, and sent on as far as its reader keeps up. */
export class Unsaid {
  /** Of the messages before the present one. */
  #before = ''
  #message = ''
  #sent = 0

  hear(text: string, isNew: boolean): void {
    if (isNew && this.#message !== '') this.#before += `${this.#message}\n\n`
    this.#message = text
  }

  /** What was heard since the last time. */
  take(): string {
    const whole = this.#before + this.#message
    const more = whole.slice(this.#sent)
    this.#sent = whole.length
    return more
  }

  /** What is missing of the reply at its end. */
  rest(reply: string): string {
    const sent = (this.#before + this.#message).slice(0, this.#sent)
    return reply.startsWith(sent) ? reply.slice(sent.length) : `\n\n${reply}`
  }
}
