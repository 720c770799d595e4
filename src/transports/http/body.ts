// Reads the body of a request: at most so many bytes, nested at most so deep, and JSON. It stops reading what is too much
// and parses nothing before its depth is known, so that no body costs more than its own length.
import type { IncomingMessage } from 'node:http'
import { SluiceError } from '../../base/errors.ts'

export const BODY_DEPTH_MAX = 64

/** A body larger than its route takes; its status has no code of ours. */
export class TooLarge extends SluiceError {
  constructor(bytesMax: number) {
    super('INVALID_REQUEST', `The body is larger than ${bytesMax} bytes, the limit of this path.`)
  }
}

/** `{}` for no body. Throws TooLarge, INVALID_REQUEST, or CANCELLED when the client is gone. */
export async function readJson(request: IncomingMessage, bytesMax: number): Promise<unknown> {
  const text = await readText(request, bytesMax)
  if (text.trim() === '') return {}
  if (depthOf(text) > BODY_DEPTH_MAX) {
    throw new SluiceError('INVALID_REQUEST', `The body is nested deeper than ${BODY_DEPTH_MAX} levels.`)
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new SluiceError('INVALID_REQUEST', String(error))
  }
}

async function readText(request: IncomingMessage, bytesMax: number): Promise<string> {
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    throw new SluiceError('INVALID_REQUEST', 'The body is compressed; send it as it is.')
  }
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw new TooLarge(bytesMax)
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length
      if (bytes > bytesMax) throw new TooLarge(bytesMax)
      chunks.push(chunk as Buffer)
    }
  } catch (error) {
    if (error instanceof SluiceError) throw error
    throw new SluiceError('CANCELLED', 'The client was gone before its request was whole.', { outcome: 'not-started' })
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** How deep brackets stand in each other outside of texts; also of what is no JSON. */
export function depthOf(text: string): number {
  let [depth, deepest] = [0, 0]
  let isText = false
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (isText) {
      if (code === BACKSLASH) at += 1
      else if (code === QUOTE) isText = false
    } else if (code === QUOTE) isText = true
    else if (OPENING.has(code)) {
      depth += 1
      deepest = Math.max(deepest, depth)
    } else if (CLOSING.has(code)) depth -= 1
  }
  return deepest
}

const QUOTE = 34
const BACKSLASH = 92
const OPENING = new Set([91, 123])
const CLOSING = new Set([93, 125])
