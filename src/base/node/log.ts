// The log: JSON lines in a file of the state folder, 0600. No secret is ever given to it.
import { closeSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs'
import { dirname } from 'node:path'
import { pino } from 'pino'

export type LogLevel = 'info' | 'warn' | 'error'
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void

/** Some bytes of a file, and how large all of it is. */
interface FilePart {
  readonly bytes: Buffer
  readonly size: number
}

export interface LogFile {
  readonly log: Log
  readonly written: {
    readonly path: string
    readonly read: (from: (size: number) => number, max: number) => FilePart | undefined
  }
  setLevel(level: string): void
  /** Writes what is still in memory. */
  flush(): void
}

export function openLog(path: string, level: string): LogFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const destination = pino.destination({ dest: path, sync: false, mode: 0o600, append: true })
  const logger = pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination)
  // A log that cannot be written must not stop the gateway; the disk's state shows in the store.
  destination.on('error', () => undefined)
  return {
    written: { path, read: (from, max) => readFrom(path, from, max) },
    log: (at, message, fields) => logger[at](fields ?? {}, message),
    setLevel: next => {
      logger.level = next
    },
    flush: () => {
      try {
        destination.flushSync()
      } catch {
        // Not opened yet, or the disk refuses: there is nowhere to say it.
      }
    },
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
