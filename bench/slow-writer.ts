// The writer's thread on a disk whose fsync takes long: after each COMMIT, which has synced the log by then, it blocks for
// as long as it was told. The core, the loop and the link are the gateway's own.
import { parentPort } from 'node:worker_threads'
import { serveWriter } from '../src/store/sqlite/writer-loop.ts'

/** Milliseconds. */
export const FSYNC_MS = 50

const never = new Int32Array(new SharedArrayBuffer(4))

/** Stands in for COMMIT. */
export function slowCommit(commit: () => void): void {
  commit()
  Atomics.wait(never, 0, 0, FSYNC_MS)
}

if (parentPort) serveWriter(parentPort, { commit: slowCommit })
