// The end of the log, line by line, by byte cursor: whoever has read to a cursor asks for what came after it. A line that
// is not whole yet is left for the next time.
import type { Params, Result } from '../protocol/catalogue.ts'

const LINES_DEFAULT = 500
const BYTES_DEFAULT = 250_000
const NEWLINE = 0x0a

const LEVELS: Readonly<Record<string, string>> = { 30: 'INFO', 40: 'WARN', 50: 'ERROR' }
const OUR_LINE = /^\{"level":(\d+),(.*)"msg":("(?:[^"\\]|\\.)*")\}$/

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
  // Who asks for the last lines misses nothing of what was asked for.
  const truncated = skipped || (cursor !== undefined && lines.length > limit)
  return {
    ...{ file: file.path, cursor: start + Math.max(from, until), size, lines: lines.slice(-limit).map(shown) },
    ...(truncated && { truncated }),
    ...(reset && { reset }),
  }
}

/** The family's clients look for level and message under names of their own; these are added to ours. */
function shown(line: string): string {
  const [, level = '', rest, msg] = OUR_LINE.exec(line) ?? []
  if (msg === undefined) return line
  return `{"_meta":{"logLevelName":"${LEVELS[level] ?? level}"},"level":${level},${rest}"0":${msg},"msg":${msg}}`
}
