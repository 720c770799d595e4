// Files that come with a message, as clients send them: bounds that hold for every way in, and the schema. What the bytes
// are is judged where they are decoded.
import * as z from 'zod'

export const ATTACHMENTS_MAX = 8
export const ATTACHMENT_BYTES_MAX = 5_000_000
/** Of one message. */
export const ATTACHMENTS_BYTES_MAX = 10_000_000
export const TEXT_FILE_BYTES_MAX = 200_000
export const FILE_NAME_LENGTH_MAX = 200

const TEXTS = /^(text\/[\w.+-]+|application\/(json|xml|yaml|x-yaml|toml|javascript|x-ndjson))$/

/** What a file is to a model: `text`, `pdf`, or the first half of its type (`image`, `audio`, `video`, ...). */
export function kindOfFile(mime: string): string {
  if (TEXTS.test(mime)) return 'text'
  return mime === 'application/pdf' ? 'pdf' : (mime.split('/')[0] as string)
}

export const attachmentsSchema = z
  .array(
    z.strictObject({
      type: z.string().max(100).optional(),
      mimeType: z.string().max(100).optional(),
      fileName: z.string().optional(),
      /** Base64, with or without a data URL's beginning. */
      content: z.string().min(1, 'an attachment is empty'),
    }),
  )
  .max(ATTACHMENTS_MAX, `a message takes at most ${ATTACHMENTS_MAX} attachments`)
export type AttachmentInput = z.output<typeof attachmentsSchema>[number]
