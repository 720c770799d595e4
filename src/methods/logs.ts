// The end of the log, line by line, by byte cursor: whoever has read to a cursor asks for what came after it, also where
// that began in a file that was put aside meanwhile. A line that is not whole yet is left for the next time.
import type { Params, Result } from '../protocol/catalogue.ts'

const LINES_DEFAULT = 500
const BYTES_DEFAULT = 250_000
const NEWLINE = 0x0a

const LEVELS: Readonly<Record<string, string>> = { 30: 'INFO', 40: 'WARN', 50: 'ERROR' }
const OUR_LINE = /^\{"level":(\d+),(.*)"msg":("(?:[^"\\]|\\.)*")\}$/

interface Part {
  readonly file: string
  /** Where it begins in the whole log, and how large it is; bytes. */
  readonly from: number
  readonly size: number
}

/** A log that others write to. */
export interface WrittenLog {
  readonly path: string
  /** Its files, newest first. */
  readonly parts: () => Iterable<Part>
  /** Bytes of a file, from a place in it to its end. */
  readonly read: (part: Part, start: number) => Buffer
}

export function tailLog(
  log: WrittenLog,
  { cursor, limit = LINES_DEFAULT, maxBytes = BYTES_DEFAULT }: Params<'logs.tail'>,
): Result<'logs.tail'> {
  const [newest] = log.parts()
  if (!newest) return { file: log.path, cursor: 0, size: 0, lines: [], ...((cursor ?? 0) > 0 && { reset: true }) }
  const size = newest.from + newest.size
  const reset = cursor !== undefined && cursor > size
  const wanted = reset ? newest.from : (cursor ?? 0)
  const start = Math.max(wanted, size - maxBytes)
  const lines: string[] = []
  let [end, isGone] = [start, cursor !== undefined]
  for (const part of partsSince(log, start)) {
    const from = Math.max(0, start - part.from)
    const whole = wholeLines(log.read(part, from), from > 0 && start > wanted)
    lines.push(...whole.lines)
    end = part.from + from + whole.until
    isGone &&= part.from > start
  }
  // Who asks for the last lines misses nothing of what was asked for.
  const truncated = start > wanted || isGone || (cursor !== undefined && lines.length > limit)
  return {
    ...{ file: log.path, cursor: end, size, lines: lines.slice(-limit).map(shown) },
    ...(truncated && { truncated }),
    ...(reset && { reset }),
  }
}

/** Where bytes were skipped, what is left of a line is no line. */
function wholeLines(bytes: Buffer, isCut: boolean): { lines: readonly string[]; until: number } {
  const first = isCut ? bytes.indexOf(NEWLINE) + 1 : 0
  const until = Math.max(first, bytes.lastIndexOf(NEWLINE) + 1)
  return { lines: until > first ? bytes.toString('utf8', first, until - 1).split('\n') : [], until }
}

/** Oldest first: the file that a place is in, and all after it; those that there still are. */
function partsSince(log: WrittenLog, start: number): Part[] {
  const parts: Part[] = []
  for (const part of log.parts()) {
    parts.unshift(part)
    if (part.from <= start) break
  }
  return parts
}

/** The family's clients look for level and message under names of their own; these are added to ours. */
function shown(line: string): string {
  const [, level = '', rest, msg] = OUR_LINE.exec(line) ?? []
  if (msg === undefined) return line
  return `{"_meta":{"logLevelName":"${LEVELS[level] ?? level}"},"level":${level},${rest}"0":${msg},"msg":${msg}}`
}
