// A disk that loses its power, rebuilt from a trace: of each file, what was synced before a moment is there for sure. What
// was written and not synced is lost, or, on a disk that had begun with it, there in drawn parts. Names of files are
// there from the start; the store's open syncs their folder before anything is acknowledged.
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Prng } from '../simulation/prng.ts'
import type { TracedCall } from './trace.ts'

type FileChange = Extract<TracedCall, { kind: 'write' | 'truncate' | 'unlink' }>

class DiskFile {
  #synced: Buffer = Buffer.alloc(0)
  #size = 0
  /** Changes that no sync covers yet, in order. */
  #open: FileChange[] = []

  change(call: FileChange): void {
    // The file is another one from here on; its name is synced by whoever removes it.
    if (call.kind === 'unlink') {
      this.#open = []
      this.#size = 0
    } else this.#open.push(call)
  }

  /** A sync covers what was done when it began. */
  sync(begun: number): void {
    const image = this.#image()
    for (const change of this.#open) if (change.done < begun) image.apply(change)
    this.#open = this.#open.filter(change => change.done >= begun)
    this.#synced = image.bytes
    this.#size = image.size
  }

  #image(): Image {
    return new Image(this.#synced, this.#size)
  }

  after(parts: Prng | undefined): Buffer {
    const image = new Image(Buffer.from(this.#synced), this.#size)
    if (parts) for (const change of this.#open) image.applyPart(change, parts)
    return image.bytes.subarray(0, image.size)
  }
}

class Image {
  bytes: Buffer
  size: number

  constructor(bytes: Buffer, size: number) {
    this.bytes = bytes
    this.size = size
  }

  apply(change: FileChange): void {
    if (change.kind === 'truncate') this.size = change.size
    if (change.kind === 'write') this.#write(change.bytes, change.offset ?? this.size)
  }

  /** All of it, none of it, or its first half. */
  applyPart(change: FileChange, parts: Prng): void {
    const fate = parts.pick(['all', 'none', 'half'] as const)
    if (fate === 'none') return
    if (fate === 'all' || change.kind !== 'write') this.apply(change)
    else this.#write(change.bytes.subarray(0, change.bytes.length >> 1), change.offset ?? this.size)
  }

  #write(bytes: Buffer, offset: number): void {
    const end = offset + bytes.length
    if (end > this.bytes.length) this.bytes = Buffer.concat([this.bytes], Math.max(end, 2 * this.bytes.length))
    bytes.copy(this.bytes, offset)
    this.size = Math.max(this.size, end)
  }
}

/** The database files of one folder, as the disk has them after the calls it was told. */
export class Disk {
  readonly #files = new Map<string, DiskFile>()
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  tell(call: TracedCall): void {
    const isOurs = call.target.startsWith(`${this.#folder}/sluice.db`) && !call.target.endsWith('-shm')
    if (!isOurs) return
    const name = basename(call.target)
    const file = this.#files.get(name) ?? new DiskFile()
    this.#files.set(name, file)
    if (call.kind === 'sync') file.sync(call.begun)
    else file.change(call)
  }

  /** Writes the files as they are found after the power came back; with `parts`, with some of what was not synced. */
  writeTo(folder: string, parts?: Prng): void {
    for (const [name, file] of this.#files) {
      const bytes = file.after(parts)
      if (bytes.length > 0) writeFileSync(join(folder, name), bytes, { mode: 0o600 })
    }
  }
}
