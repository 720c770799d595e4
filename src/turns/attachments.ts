// The files of a context, given to the model as bytes: the newest first, so many and so large in all. What is left out,
// and what its model cannot see, is still named, so that the model can say so.
import { kindOfFile } from '../protocol/attachments.ts'
import type { ModelMessage } from '../providers/model.ts'
import type { ContextMessage } from './context.ts'

/** Files whose bytes go with one request, and their size in all; each further one is only named. */
export const SHOWN_MAX = 20
export const SHOWN_BYTES_MAX = 10_000_000

export interface Showing {
  /** The bytes of a blob, if they are still kept. */
  readonly read: (blob: string) => Uint8Array | undefined | Promise<Uint8Array | undefined>
  /** The kinds of files that the model takes, beside texts. */
  readonly takes: readonly string[]
}

export async function withContents(messages: readonly ContextMessage[], showing: Showing): Promise<ModelMessage[]> {
  const room = { count: SHOWN_MAX, bytes: SHOWN_BYTES_MAX }
  const shown: ModelMessage[] = []
  for (const message of messages.toReversed()) {
    if (message.role !== 'user' || !message.attachments) {
      shown.push(message as ModelMessage)
      continue
    }
    const attachments = []
    for (const attachment of message.attachments) attachments.push(await withContent(attachment, showing, room))
    shown.push({ ...message, attachments })
  }
  return shown.reverse()
}

type Attachment = NonNullable<Extract<ContextMessage, { role: 'user' }>['attachments']>[number]

async function withContent(
  { blob, mime, name, bytes }: Attachment,
  { read, takes }: Showing,
  room: { count: number; bytes: number },
) {
  const kind = kindOfFile(mime)
  const fits = room.count > 0 && bytes <= room.bytes && (kind === 'text' || takes.includes(kind))
  const content = fits ? await read(blob) : undefined
  if (content) {
    room.count -= 1
    room.bytes -= bytes
  }
  return { name, mime, bytes, ...(content && { content }) }
}
