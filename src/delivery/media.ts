// The files that a reply names, for a chat that takes files: a line `MEDIA:<path>` alone, outside of code, is taken out of
// the text, and the file at that path in the agent's folder goes after it. What cannot be sent stays as a sentence that
// says so. The bytes are read once, when the reply is owed, so that every attempt sends the same ones.
import { asSluiceError } from '../base/errors.ts'
import type { ReadWithin } from '../base/world.ts'
import { ATTACHMENTS_BYTES_MAX, ATTACHMENTS_MAX, FILE_NAME_LENGTH_MAX } from '../protocol/attachments.ts'
import type { NewAttachment, RunEnd } from '../store/port.ts'

const LINE = /^[ \t]*MEDIA:[ \t]*(`?)(\S.*?)\1[ \t]*$/
const FENCE = /^ {0,3}(```|~~~)/
const CONTROLS = /\p{Cc}/gu
/** By the end of a file's name; what shows a chat more than a name of it. */
const MIMES: Readonly<Record<string, string>> = {
  ...{ png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg', webp: 'image/webp', gif: 'image/gif' },
  ...{ ogg: 'audio/ogg', oga: 'audio/ogg', opus: 'audio/opus', mp3: 'audio/mpeg', mp4: 'video/mp4' },
  ...{ pdf: 'application/pdf', txt: 'text/plain', md: 'text/markdown', csv: 'text/csv', json: 'application/json' },
}

export interface MediaSource {
  readonly read: ReadWithin
  /** The folder of the agent. */
  readonly folder: string
  /** Of one file; 0: the chat takes none. */
  readonly bytesMax: number
}

/** What there is of a reply for eyes, while it is written. */
export function withoutMedia(text: string): string {
  return text.replaceAll(/^[ \t]*MEDIA:.*$/gm, '')
}

/** Whether a reply may name files at all. */
export function mayNameFiles({ state, reply }: RunEnd): boolean {
  return state === 'ok' && /^[ \t]*MEDIA:/m.test(reply ?? '')
}

/** The end with its files, and the reply without their lines. Does not reject. */
export async function withMedia<E extends RunEnd>(end: E, source: MediaSource): Promise<E> {
  const files: NewAttachment[] = []
  const lines: string[] = []
  let isCode = false
  for (const line of (end.reply ?? '').split('\n')) {
    if (FENCE.test(line)) isCode = !isCode
    const path = isCode ? undefined : LINE.exec(line)?.[2]
    if (path === undefined) lines.push(line)
    else {
      const found = await fileAt(path, source, files)
      if (typeof found === 'string') lines.push(`(The file ${path} was not sent: ${found}.)`)
      else files.push(found)
    }
  }
  // A reply is never without a word: what is shown of it meanwhile becomes that.
  const text = lines.join('\n').trim() || files.map(({ name }) => name).join('\n')
  return { ...end, reply: text, ...(files.length > 0 && { files }) }
}

async function fileAt(path: string, source: MediaSource, before: readonly NewAttachment[]) {
  const { read, folder, bytesMax } = source
  if (bytesMax === 0) return 'this chat takes no files'
  if (before.length >= ATTACHMENTS_MAX) return `a reply has at most ${ATTACHMENTS_MAX} files`
  const room = ATTACHMENTS_BYTES_MAX - before.reduce((sum, { content }) => sum + content.byteLength, 0)
  try {
    const content = await read(folder, path, Math.min(bytesMax, room))
    const name = (path.split(/[\\/]/).at(-1) ?? path).replaceAll(CONTROLS, '').slice(-FILE_NAME_LENGTH_MAX)
    const mime = MIMES[name.split('.').at(-1)?.toLowerCase() ?? ''] ?? 'application/octet-stream'
    return { name, mime, content }
  } catch (error) {
    return asSluiceError(error).message
  }
}
