// Reads a file that somebody else named, and only if it is in the folder that they may name files of: what a link leads to
// counts, not what the path looks like. What is no plain file is not opened for long: it could make us wait.
import { constants } from 'node:fs'
import { type FileHandle, open, realpath } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { type ErrorCode, SluiceError } from '../errors.ts'
import type { ReadWithin } from '../world.ts'

/** The path is one without links by then; the last part may have become one. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW

export const readWithin: ReadWithin = async (folder, path, bytesMax) => {
  let file: FileHandle | undefined
  try {
    const home = await realpath(folder)
    const real = await realpath(resolve(home, path))
    if (!real.startsWith(home.endsWith(sep) ? home : home + sep)) throw refused('FORBIDDEN', `it is not in ${folder}`)
    file = await open(real, FLAGS)
    return await wholeOf(file, bytesMax)
  } catch (error) {
    if (error instanceof SluiceError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') throw refused('NOT_FOUND', 'there is no such file')
    throw refused('UNAVAILABLE', message)
  } finally {
    await file?.close()
  }
}

async function wholeOf(file: FileHandle, bytesMax: number): Promise<Uint8Array> {
  const stat = await file.stat()
  if (!stat.isFile()) throw refused('FORBIDDEN', 'it is no file')
  if (stat.size === 0) throw refused('FORBIDDEN', 'it is empty')
  if (stat.size > bytesMax) throw refused('LIMIT', `it is larger than ${bytesMax} bytes`)
  // As large as it was just now, however it grows.
  const bytes = new Uint8Array(stat.size)
  let size = 0
  while (size < bytes.length) {
    const { bytesRead } = await file.read(bytes, size, bytes.length - size, size)
    if (bytesRead === 0) break
    size += bytesRead
  }
  return bytes.subarray(0, size)
}

function refused(code: ErrorCode, why: string): SluiceError {
  return new SluiceError(code, why, { outcome: 'not-started' })
}
