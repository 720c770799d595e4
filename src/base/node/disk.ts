// What a look at a machine needs beyond the World: modes, room, what lies in a folder, whether a port is free. For commands
// that examine; the gateway itself does without.
import { chmodSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'

export const nodeDisk = {
  /** The permission bits; undefined where there is nothing. */
  modeOf: (path: string): number | undefined => {
    const mode = statSync(path, { throwIfNoEntry: false })?.mode
    return mode === undefined ? undefined : mode & 0o777
  },
  setMode: (path: string, mode: number): void => chmodSync(path, mode),
  /** Names; none where there is no folder. */
  list: (folder: string): string[] =>
    statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder) : [],
  remove: (path: string): void => rmSync(path, { force: true }),
  freeBytes: (folder: string): number | undefined => {
    if (!statSync(folder, { throwIfNoEntry: false })) return undefined
    const { bavail, bsize } = statfsSync(folder)
    return bavail * bsize
  },
  isPortFree: (port: number, host: string): Promise<boolean> => {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
    return promise
  },
}
