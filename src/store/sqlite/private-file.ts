// Files beside the store that must be there whole or not at all: made private, finished under another name, synced, and
// put in place by a rename. It never opens a file that SQLite may have open in this process.
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { codeOf } from './failures.ts'

/** What SQLite may leave beside a database. */
const SIDES = ['-wal', '-shm', '-journal']

/**
 * Creates an empty file with mode 0600 unless there is one. It never opens an existing file: closing a second
 * descriptor of it would drop the locks that SQLite holds on it for this whole process.
 */
export function createPrivateFile(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    if ((statSync(file).mode & 0o077) !== 0) chmodSync(file, 0o600)
  }
}

/** An empty private file where whatever a process that died had left of it is gone. */
export function beginAnew(file: string): void {
  removeDatabase(file)
  createPrivateFile(file)
}

export function removeDatabase(file: string): void {
  for (const path of [file, ...SIDES.map(side => `${file}${side}`)]) rmSync(path, { force: true })
}

export function removeSides(file: string): void {
  for (const side of SIDES) rmSync(`${file}${side}`, { force: true })
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Gives a finished file its name, in place of what had it: its content is on disk before, its name after. */
export function putInPlace(finished: string, file: string): void {
  sync(finished)
  renameSync(finished, file)
  sync(dirname(file))
}

/** A second name for a file, or a copy where the disk has no second names. Throws EEXIST when the name is taken. */
export function keepAs(file: string, name: string): void {
  try {
    linkSync(file, name)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw error
    copyFileSync(file, name, constants.COPYFILE_EXCL)
    sync(name)
  }
}
