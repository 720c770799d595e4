// A person's message with its files, as the parts that a provider takes: texts as text under their name, all else as files.
// What has no bytes here cannot be shown, and is said in words, so that the model does not speak of what it did not see.
import type { LanguageModelV4FilePart, LanguageModelV4TextPart } from '@ai-sdk/provider'
import { MINUTE } from '../../base/durations.ts'
import { formatInstant } from '../../base/zoned-time.ts'
import { kindOfFile } from '../../protocol/attachments.ts'
import type { ModelAttachment, ModelMessage } from '../model.ts'

type UserMessage = Extract<ModelMessage, { role: 'user' }>
type Part = LanguageModelV4TextPart | LanguageModelV4FilePart

/** The time stands with each message and not in the system prompt: what was said before is then the same in each request. */
export function userContent({ text, sentAtMs, attachments = [] }: UserMessage, zone: string): Part[] {
  const sentAt = sentAtMs === undefined ? '' : `[${formatInstant(Math.floor(sentAtMs / MINUTE) * MINUTE, zone)}] `
  const words = sentAt + text
  // A file may come without a word, and an empty text is refused by some.
  const said: Part[] = words.trim() === '' && attachments.length > 0 ? [] : [{ type: 'text', text: words }]
  return [...said, ...attachments.map(partOf)]
}

function partOf({ name, mime, content }: ModelAttachment): Part {
  const kind = kindOfFile(mime)
  if (!content) {
    const what = kind === 'image' ? 'An image' : 'A file'
    return { type: 'text', text: `System: ${what} was attached (${name}, ${mime}) and could not be shown.` }
  }
  if (kind !== 'text') return { type: 'file', mediaType: mime, filename: name, data: { type: 'data', data: content } }
  return { type: 'text', text: `Attached file ${name} (${mime}):\n${new TextDecoder().decode(content)}` }
}
