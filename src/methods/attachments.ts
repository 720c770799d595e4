// Decodes the files of a message and refuses what is not taken, each by its name and with the bound. What an image or a
// PDF is, its bytes say: what a client calls it must agree. A message is taken with all its files or not at all.
import { SluiceError } from '../base/errors.ts'
import {
  ATTACHMENT_BYTES_MAX,
  ATTACHMENTS_BYTES_MAX,
  type AttachmentInput,
  FILE_NAME_LENGTH_MAX,
  kindOfFile,
  TEXT_FILE_BYTES_MAX,
} from '../protocol/attachments.ts'
import type { NewAttachment } from '../store/port.ts'

/** The first bytes of files in hex, by what they are. */
const KNOWN: readonly (readonly [string, RegExp])[] = [
  ['image/png', /^89504e470d0a1a0a/],
  ['image/jpeg', /^ffd8ff/],
  ['image/gif', /^47494638(37|39)61/],
  ['image/webp', /^52494646.{8}57454250/],
  ['application/pdf', /^255044462d/],
]
const HEAD_BYTES = 16
const MIME = /^[\w.+-]+\/[\w.+-]+$/
const DATA_URL = /^data:([\w.+-]+\/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,/
/** What base64 has not, and a filling that does not end it. */
const NOT_BASE64 = /[^A-Za-z0-9+/=\s]|=[^=\s]/
const CONTROLS = /\p{Cc}/gu

/** Throws INVALID_REQUEST. */
export function readAttachments(inputs: readonly AttachmentInput[] = []): NewAttachment[] {
  const read = inputs.map(readOne)
  const bytes = read.reduce((sum, { content }) => sum + content.byteLength, 0)
  if (bytes > ATTACHMENTS_BYTES_MAX)
    throw refused('attachments', `have ${bytes} bytes in all; a message takes ${ATTACHMENTS_BYTES_MAX}`)
  return read
}

function readOne({ mimeType, fileName, content: encoded }: AttachmentInput, index: number): NewAttachment {
  const name = clean(fileName) || `attachment ${index + 1}`
  const url = DATA_URL.exec(encoded)
  const base64 = encoded.slice(url?.[0].length ?? 0)
  // Not decoded to be measured: what is too large is refused before it takes its size once more.
  if (base64.length * 0.75 > ATTACHMENT_BYTES_MAX + 3)
    throw refused(name, `is larger than ${ATTACHMENT_BYTES_MAX} bytes`)
  if (NOT_BASE64.test(base64)) throw refused(name, 'is not base64')
  const content = Buffer.from(base64, 'base64')
  if (content.byteLength === 0) throw refused(name, 'is empty')
  if (content.byteLength > ATTACHMENT_BYTES_MAX) throw refused(name, `is larger than ${ATTACHMENT_BYTES_MAX} bytes`)
  const said = (mimeType ?? url?.[1])?.toLowerCase().split(';')[0]?.trim()
  return { name, mime: mimeOf({ name, said, content }), content }
}

function mimeOf({ name, said, content }: { name: string; said: string | undefined; content: Buffer }): string {
  const head = content.toString('hex', 0, HEAD_BYTES)
  const known = KNOWN.find(([, begins]) => begins.test(head))?.[0]
  if (known !== undefined && (said === undefined || kindOfFile(said) === kindOfFile(known))) return known
  const mime = said ?? 'text/plain'
  const kind = kindOfFile(mime)
  if (kind === 'image') throw refused(name, `is ${mime} and no PNG, JPEG, GIF or WebP image`)
  if (known !== undefined || kind === 'pdf' || !MIME.test(mime)) throw refused(name, `is called ${mime} and is none`)
  if (kind !== 'text') return mime
  if (!isText(content)) throw refused(name, `is no ${mime} in UTF-8`)
  if (content.byteLength > TEXT_FILE_BYTES_MAX)
    throw refused(name, `is a text file of more than ${TEXT_FILE_BYTES_MAX} bytes`)
  return mime
}

function isText(content: Buffer): boolean {
  try {
    return !new TextDecoder('utf-8', { fatal: true }).decode(content).includes('\0')
  } catch {
    return false
  }
}

/** Models and people read it in a line. */
function clean(fileName = ''): string {
  return fileName.replaceAll(CONTROLS, '').trim().slice(0, FILE_NAME_LENGTH_MAX)
}

function refused(name: string, why: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', `attachment ${name} ${why}. The message was not taken.`, {
    outcome: 'not-started',
    details: { attachment: name },
  })
}
