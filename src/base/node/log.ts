// The log: JSON lines in a file, 0600. One that has grown is put aside under a number, and a new one is begun; the oldest
// goes. No secret is ever given to it.
import { closeSync, fstatSync, mkdirSync, openSync, readSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { pino } from 'pino'

export type LogLevel = 'info' | 'warn' | 'error'
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void

/** Some bytes of a file, and how large all of it is. */
interface FilePart {
  readonly bytes: Buffer
  readonly size: number
}

export interface LogBounds {
  readonly level: string
  /** Bytes at which the file is put aside. */
  readonly bytesMax: number
  /** How many of those put aside are kept. */
  readonly filesMax: number
}

export interface LogFile {
  readonly log: Log
  readonly written: {
    readonly path: string
    readonly read: (from: (size: number) => number, max: number) => FilePart | undefined
  }
  set(bounds: LogBounds): void
  /** Writes what is still in memory. */
  flush(): void
}

export function openLog(path: string, bounds: LogBounds): LogFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  let { bytesMax, filesMax } = bounds
  let bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  let destination = destinationOn(path)
  const write = (line: string) => {
    destination.write(line)
    bytes += Buffer.byteLength(line)
    if (bytes < bytesMax) return
    // Where the disk refuses it goes on in the one file, and is tried again after as much again.
    bytes = 0
    if (!putAside(path, filesMax)) return
    // What it holds in memory follows into the file that was put aside.
    destination.end()
    destination = destinationOn(path)
  }
  const logger = pino({ level: bounds.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write })
  return {
    written: { path, read: (from, max) => readFrom(path, from, max) },
    log: (at, message, fields) => logger[at](fields ?? {}, message),
    set: next => {
      logger.level = next.level
      bytesMax = next.bytesMax
      filesMax = next.filesMax
    },
    flush: () => {
      try {
        destination.flushSync()
      } catch {
        // The disk refuses: there is nowhere to say it.
      }
    },
  }
}

/** A log that cannot be written must not stop the gateway; the disk's state shows in the store. */
function destinationOn(path: string) {
  const destination = pino.destination({ dest: path, sync: false, mode: 0o600, append: true })
  destination.on('error', () => undefined)
  return destination
}

/** The file becomes `.1`, that `.2`, and so on; what is beyond is removed. */
function putAside(path: string, filesMax: number): boolean {
  try {
    rmSync(`${path}.${filesMax}`, { force: true })
    for (let number = filesMax - 1; number >= 0; number -= 1) {
      const from = number === 0 ? path : `${path}.${number}`
      if (statSync(from, { throwIfNoEntry: false })) renameSync(from, `${path}.${number + 1}`)
    }
    if (filesMax === 0) rmSync(path, { force: true })
    return true
  } catch {
    return false
  }
}

/** Bytes of a file from a place that follows from its size; undefined: there is no such file. */
export function readFrom(path: string, from: (size: number) => number, bytesMax: number): FilePart | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    const { size } = fstatSync(file)
    const start = from(size)
    const bytes = Buffer.alloc(Math.max(0, Math.min(bytesMax, size - start)))
    return { bytes: bytes.subarray(0, readSync(file, bytes, 0, bytes.length, start)), size }
  } finally {
    closeSync(file)
  }
}
