// The World as Node gives it. The one file that reads clocks, draws randomness and touches the disk for the gateway
// (the SQLite adapter has its own files); processes and the public network have theirs beside it.
import { randomBytes, randomUUID } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unwatchFile,
  watchFile,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { Clock, Files, Processes, Random, World } from '../world.ts'

/** Looked at, not listened to: this works on every file system, for links and for files that are replaced. */
const WATCH_INTERVAL_MS = 1_000
const TIMER_MS_MAX = 2 ** 31 - 1

export const nodeClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(0, delayMs), TIMER_MS_MAX))
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
}

export const nodeRandom: Random = {
  uuid: () => randomUUID(),
  hex: bytes => randomBytes(bytes).toString('hex'),
}

export const nodeFiles: Files = {
  readText(path) {
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
  },
  writePrivateText(path, text) {
    const temporary = `${path}.${process.pid}.new`
    const file = openSync(temporary, 'w', 0o600)
    try {
      writeSync(file, text)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
    const folder = openSync(dirname(path), 'r')
    try {
      fsyncSync(folder)
    } finally {
      closeSync(folder)
    }
  },
  ensurePrivateFolder(path) {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o700)
  },
}

/** Loaded with its first use, as is the network below: no command of the CLI needs them, and each pays for what is here. */
const nodeProcesses: Processes = {
  find: async (name, from) => (await import('./processes.ts')).findExecutable(name, from),
  run: async command => (await import('./processes.ts')).runCommand(command, nodeClock),
}

export const nodeWorld: World = {
  clock: nodeClock,
  random: nodeRandom,
  fetch: (input, init) => globalThis.fetch(input, init),
  publicGet: async (url, options) => (await import('./public-get.ts')).publicGet(url, options),
  files: nodeFiles,
  readWithin: async (folder, path, bytesMax) => (await import('./read-within.ts')).readWithin(folder, path, bytesMax),
  watchFile: (path, changed) => {
    const listener = () => changed()
    watchFile(path, { persistent: false, interval: WATCH_INTERVAL_MS }, listener)
    return { stop: () => unwatchFile(path, listener) }
  },
  processes: nodeProcesses,
}
