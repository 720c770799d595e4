// The log: JSON lines in a file, 0600. One that has grown is put aside under a number, whole, and a new one is begun, whose
// first line says how many bytes went before it: so a byte has one place in the whole log, whatever is put aside, removed
// or started anew. The oldest goes. No secret is ever given to it.
import {
  appendFile,
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { pino } from 'pino'

export type LogLevel = 'info' | 'warn' | 'error'
export type Log = (level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>) => void

/** One file of the log. */
interface LogPart {
  readonly file: string
  /** Where it begins in the whole log, and how large it is; bytes. */
  readonly from: number
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
    /** Newest first. */
    readonly parts: () => Iterable<LogPart>
    readonly read: (part: LogPart, start: number) => Buffer
  }
  set(bounds: LogBounds): void
  /** No more is said: what is still in memory is written before the process ends. */
  flush(): void
}

export function openLog(path: string, bounds: LogBounds): LogFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  let { bytesMax, filesMax } = bounds
  removeFrom(path, filesMax + 1)
  const present = headOf(path)
  let before = bytesBefore(present)
  let bytes = present?.size ?? 0
  let fullAt = bytesMax
  /** Lines that come while the last ones of the present file are on their way to the disk. */
  let held: string[] | undefined
  const put = (line: string) => {
    if (held) {
      held.push(line)
      return
    }
    destination.write(line)
    bytes += Buffer.byteLength(line)
    if (bytes >= fullAt) held = []
  }
  let isOver = false
  const goOn = (isWritten: boolean) => {
    if (isOver) process.off('exit', atExit)
    if (!held) return
    const lines = held
    held = undefined
    const end = before + Math.max(bytes, headOf(path)?.size ?? 0)
    const first = firstLine(end)
    if (isWritten && putAside(path, filesMax, first)) {
      before = end
      bytes = Buffer.byteLength(first)
    }
    // Where the disk refuses it goes on in the one file, and is tried again after as much again.
    fullAt = bytes + bytesMax
    for (const line of lines) put(line)
  }
  const destination = new Destination(path, goOn)
  const release = () => {
    for (const line of held ?? []) destination.write(line)
    held = undefined
  }
  const atExit = () => {
    release()
    destination.flush()
  }
  process.on('exit', atExit)
  const logger = pino({ level: bounds.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write: put })
  return {
    written: { path, parts: () => partsOf(path), read: ({ file, size }, start) => readPart(file, start, size) },
    log: (at, message, fields) => logger[at](fields ?? {}, message),
    set: next => {
      logger.level = next.level
      bytesMax = next.bytesMax
      fullAt = bytesMax
      filesMax = next.filesMax
      removeFrom(path, filesMax + 1)
    },
    flush: () => {
      isOver = true
      release()
      if (destination.isWriting) return
      destination.flush()
      process.off('exit', atExit)
    },
  }
}

/** Characters that wait for a disk that refuses them; a line that comes beyond is left out. */
export const WAITING_LENGTH_MAX = 1_048_576

/** A log that cannot be written must not stop the gateway, nor its end, nor fill its memory; the disk's state shows in the store. */
class Destination {
  readonly #path: string
  readonly #idle: (isWritten: boolean) => void
  #waiting = ''
  #underWay = ''

  /** `idle` hears when all that waited is written, and when the disk refused; that is tried again with the next line. */
  constructor(path: string, idle: (isWritten: boolean) => void) {
    this.#path = path
    this.#idle = idle
  }

  write(line: string): void {
    const length = this.#underWay.length + this.#waiting.length + line.length
    if (length <= WAITING_LENGTH_MAX) this.#waiting += line
    if (this.#underWay === '') this.#next()
  }

  /** What waits follows what is being written. */
  get isWriting(): boolean {
    return this.#underWay !== ''
  }

  /** For the end of the process, tried once. What is just being written then may come twice, rather than not at all. */
  flush(): void {
    try {
      appendFileSync(this.#path, this.#underWay + this.#waiting, { mode: 0o600 })
      this.#waiting = ''
    } catch {
      // The disk refuses: there is nowhere to say it.
    }
  }

  #next(): void {
    this.#underWay = this.#waiting
    this.#waiting = ''
    appendFile(this.#path, this.#underWay, { mode: 0o600 }, error => {
      const goesOn = this.#waiting !== ''
      if (error) this.#waiting = this.#underWay + this.#waiting
      this.#underWay = ''
      if (goesOn) this.#next()
      else this.#idle(!error)
    })
  }
}

const HEAD_BYTES = 200
const FIRST_LINE = /^\{"level":30,"time":"[^"]*","bytesBefore":(\d+),/

function firstLine(bytesBefore: number): string {
  const time = new Date().toISOString()
  return `${JSON.stringify({ level: 30, time, bytesBefore, msg: 'the log goes on in a new file' })}\n`
}

/** One that does not say it is taken for the first. */
function bytesBefore(head: ReturnType<typeof headOf>): number {
  return Number(FIRST_LINE.exec(head?.text ?? '')?.[1] ?? 0)
}

function nameOf(path: string, number: number): string {
  return number === 0 ? path : `${path}.${number}`
}

/** The file becomes `.1`, that `.2`, and so on; what is beyond is removed. The next one is there at once, with its first line. */
function putAside(path: string, filesMax: number, first: string): boolean {
  try {
    removeFrom(path, filesMax)
    for (let number = filesMax - 1; number >= 0; number -= 1) {
      const from = nameOf(path, number)
      if (statSync(from, { throwIfNoEntry: false })) renameSync(from, nameOf(path, number + 1))
    }
    appendFileSync(path, first, { mode: 0o600 })
    return true
  } catch {
    return false
  }
}

/** The file of this number goes, and all that are older. */
function removeFrom(path: string, first: number): void {
  for (let number = first; statSync(nameOf(path, number), { throwIfNoEntry: false }); number += 1) {
    rmSync(nameOf(path, number), { force: true })
  }
}

/** As far as each file says where it begins, and none is missing between. */
function* partsOf(path: string): Generator<LogPart> {
  let until = Number.POSITIVE_INFINITY
  for (let number = 0; ; number += 1) {
    const file = nameOf(path, number)
    const head = headOf(file)
    if (!head) return
    const from = bytesBefore(head)
    if (from + head.size > until) return
    until = from
    yield { file, from, size: head.size }
  }
}

function headOf(path: string): { text: string; size: number } | undefined {
  const size = statSync(path, { throwIfNoEntry: false })?.size
  return size === undefined ? undefined : { text: readPart(path, 0, Math.min(size, HEAD_BYTES)).toString(), size }
}

/** Bytes of a file, from and before a place in it. */
function readPart(path: string, start: number, end: number): Buffer {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(Math.max(0, end - start))
    return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, start))
  } finally {
    closeSync(file)
  }
}
