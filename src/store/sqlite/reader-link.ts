// What crosses between the store's client and its thread for large reads, and how that thread is started. It is started
// by the first large read and costs nothing before, nor some time after the last: each wakes it anew.
import { Worker } from 'node:worker_threads'
import type { ErrorData } from '../../base/errors.ts'
import { workerUrl } from '../../base/node/worker-url.ts'
import type { LargeReadName } from '../port.ts'

export interface ToReader {
  readonly id: number
  readonly name: LargeReadName
  readonly args: readonly unknown[]
}

export type FromReader =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: ErrorData }

export interface ReaderHandler {
  message(message: FromReader): void
  /** Nothing was answered for a while; told again after each answer that it stays the newest. */
  quiet(): void
  /** The thread is gone; why, in words. Told once. */
  ended(reason: string): void
}

export interface ReaderLink {
  /** Throws when the arguments cannot be copied. */
  post(message: ToReader): void
  end(): Promise<unknown>
}

export type StartReader = (folder: string, handler: ReaderHandler) => ReaderLink

/** Answers are megabytes in passing; what is beyond this ends the thread, and that read with it. */
const HEAP = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 512 }
/** A thread that has nothing to do still holds more than ten megabytes. */
const QUIET_MS = 60_000

export const startReader: StartReader = (folder, handler) => {
  const worker = new Worker(workerUrl('reader', import.meta.url), {
    workerData: { folder },
    name: 'store-reader',
    resourceLimits: HEAP,
  })
  const quiet = setTimeout(() => handler.quiet(), QUIET_MS).unref()
  let reason = ''
  worker.on('message', (message: FromReader) => handler.message(message))
  worker.on('message', () => quiet.refresh())
  worker.on('error', error => {
    reason = error instanceof Error ? error.message : String(error)
  })
  worker.on('exit', code => handler.ended(reason || `it ended with code ${code}`))
  return { post: message => worker.postMessage(message), end: () => worker.terminate() }
}
