// What a gateway of the chaos run says to its parent beside the gateway's own words, from any of its threads, and the
// points at which it stands still until it is killed. The parent arms one point at a time by a file; nothing of it is in
// the gateway, which is the production one.
import { readFileSync, writeSync } from 'node:fs'

/** Where a process can be made to stand still. */
export type Point =
  | 'boot'
  | 'before-commit'
  | 'after-commit'
  | 'before-mark:dedupes'
  | 'before-mark:plain'
  /** In the effect's own script: it lingers after its line. */
  | 'effect'
  | 'copying'
  | 'trying'
  | 'migrating'
  | 'numbered'

export type Sign =
  | { readonly sign: 'started'; readonly url: string }
  | { readonly sign: 'reached'; readonly point: Point }
  /** A message that was handed on to the gateway is on its disk, or was refused. */
  | { readonly sign: 'taken'; readonly id: string }
  | { readonly sign: 'refused'; readonly id: string; readonly error: string }
  /** A text was shown to a person, or would have been for the second time. */
  | { readonly sign: 'seen'; readonly id: string }

/** The pipe that the parent reads. */
const PIPE = 3

export const armedFile = (folder: string) => `${folder}/armed`
export const stateDirOf = (folder: string) => `${folder}/state`
export const seenFile = (folder: string, channelId: string) => `${folder}/seen-${channelId}.jsonl`

export function give(sign: Sign): void {
  writeSync(PIPE, `${JSON.stringify(sign)}\n`)
}

export function isArmed(folder: string, point: Point): boolean {
  try {
    return readFileSync(armedFile(folder), 'utf8') === point
  } catch {
    return false
  }
}

/** Where the parent wants to kill here, the thread stands still from now on. */
export function standStill(folder: string, point: Point): void {
  if (!isArmed(folder, point)) return
  give({ sign: 'reached', point })
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0) // bound: the parent kills this process now.
}
