// The files of a message that came by a channel, as `chat.send` takes them. They are fetched only here, when their person
// is known to be welcome, within bounds of size and time: a message is taken with all its files or not at all, and its
// person is told which one it was.
import { SECOND } from '../base/durations.ts'
import { SluiceError } from '../base/errors.ts'
import { pause } from '../base/pause.ts'
import type { Clock } from '../base/world.ts'
import { ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX, type AttachmentInput } from '../protocol/attachments.ts'

/** All files of one message. */
export const FETCH_TIMEOUT_MS = 30 * SECOND

export interface ChannelFile {
  readonly name: string
  readonly mediaType?: string
  readonly size?: number
  fetch(bytesMax: number, signal: AbortSignal): Promise<Uint8Array>
}

/** Throws INVALID_REQUEST, in words for the person. */
export async function fetched(
  files: readonly ChannelFile[],
  { clock, bytesMax }: { clock: Clock; bytesMax: number },
): Promise<AttachmentInput[]> {
  if (files.length > ATTACHMENTS_MAX) throw refused(`A message takes at most ${ATTACHMENTS_MAX} files.`)
  const over = new AbortController()
  const late = pause(clock, FETCH_TIMEOUT_MS, over.signal).then(() => {
    throw new Error('it took too long')
  })
  // Nobody may be left to hear of it.
  late.catch(() => undefined)
  try {
    const most = Math.min(bytesMax, ATTACHMENT_BYTES_MAX)
    return await Promise.all(files.map(file => fetchedOne(file, { most, late, signal: over.signal })))
  } finally {
    over.abort()
  }
}

interface Fetching {
  readonly most: number
  readonly late: Promise<never>
  readonly signal: AbortSignal
}

async function fetchedOne(file: ChannelFile, { most, late, signal }: Fetching): Promise<AttachmentInput> {
  const { name, mediaType, size = 0 } = file
  if (size > most) throw refused(`The file ${name} is larger than ${most} bytes.`)
  try {
    const bytes = await Promise.race([file.fetch(most, signal), late])
    const content = Buffer.from(bytes).toString('base64')
    return { fileName: name, content, ...(mediaType !== undefined && { mimeType: mediaType }) }
  } catch (error) {
    throw refused(`The file ${name} could not be fetched: ${error instanceof Error ? error.message : String(error)}.`)
  }
}

function refused(why: string): SluiceError {
  return new SluiceError('INVALID_REQUEST', `${why} Your message was not taken; send it again without it.`, {
    outcome: 'not-started',
  })
}
