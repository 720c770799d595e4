// The end of the log, line by line, by byte cursor: whoever has read to a cursor asks for what came after it. A line that
// is not whole yet is left for the next time.
import type { Params, Result } from '../protocol/catalogue.ts'

const LINES_DEFAULT = 500
const BYTES_DEFAULT = 250_000
const NEWLINE = 0x0a

/** A log that others write to. */
export interface WrittenLog {
  readonly path: string
  /** Bytes from `from`, at most `bytesMax`, and how large the file is; undefined: there is none. */
  readonly read: (from: (size: number) => number, bytesMax: number) => { bytes: Buffer; size: number } | undefined
}

export function tailLog(
  file: WrittenLog,
  { cursor, limit = LINES_DEFAULT, maxBytes = BYTES_DEFAULT }: Params<'logs.tail'>,
): Result<'logs.tail'> {
  const begin = (size: number) => {
    const reset = cursor !== undefined && cursor > size
    const wanted = cursor === undefined || reset ? 0 : cursor
    const start = Math.max(wanted, size - maxBytes)
    return { start, reset, skipped: start > wanted }
  }
  const found = file.read(size => begin(size).start, maxBytes)
  if (!found) return { file: file.path, cursor: 0, size: 0, lines: [], ...((cursor ?? 0) > 0 && { reset: true }) }
  const { bytes, size } = found
  const { start, reset, skipped } = begin(size)
  // Where bytes were skipped, what is left of a line is no line.
  const from = skipped ? bytes.indexOf(NEWLINE) + 1 : 0
  const until = bytes.lastIndexOf(NEWLINE) + 1
  const lines = until > from ? bytes.toString('utf8', from, until - 1).split('\n') : []
  const truncated = skipped || lines.length > limit
  return {
    ...{ file: file.path, cursor: start + Math.max(from, until), size, lines: lines.slice(-limit) },
    ...(truncated && { truncated }),
    ...(reset && { reset }),
  }
}
