// What crosses between the store's client and its writer, and the two ways to carry it: a worker thread, or the same
// thread (tests, the simulator, tools). Messages are plain data; both ways copy them, so neither side can share state.
import { Worker } from 'node:worker_threads'
import type { ErrorData } from '../../base/errors.ts'
import { workerUrl } from '../../base/node/worker-url.ts'
import type { WriteName } from '../port.ts'

export interface WriteMessage {
  readonly type: 'write'
  readonly id: number
  readonly name: WriteName
  readonly args: unknown
}
export type ToWriter = WriteMessage | { readonly type: 'cancel'; readonly id: number } | { readonly type: 'close' }

export type Answer =
  | { readonly id: number; readonly value: unknown; readonly repeated: boolean }
  | { readonly id: number; readonly error: ErrorData }

/** A durable event as its row has it; the payload is JSON text, so that live and replayed events are equal. */
export interface EventData {
  readonly seq: number
  readonly event: string
  readonly payload: string
}

export type FromWriter =
  /** `damage`: what a look at the file found, in SQLite's words. */
  | { readonly type: 'ready'; readonly epoch: number; readonly damage: string | undefined }
  | { readonly type: 'refused'; readonly error: ErrorData }
  /** What one commit decided: sent after COMMIT returned, never before (L1). `jobs`: they or their ledger may be others now. */
  | {
      readonly type: 'group'
      readonly answers: readonly Answer[]
      readonly events: readonly EventData[]
      readonly jobs: boolean
    }
  | { readonly type: 'closed' }

export interface WriterHandler {
  message(message: FromWriter): void
  /** The writer is gone without having been asked to. */
  lost(error: Error): void
}

/** A writer that can be posted to; it starts when linked and answers `ready` or `refused` first. */
export interface WriterLink {
  /** Throws when the messages cannot be copied; none of them is then posted. */
  post(messages: readonly ToWriter[]): void
  /** Resolves when nothing of the writer is left. */
  ended: Promise<void>
}

/** The writer's own memory is messages in passing; a small young generation keeps it so. */
const HEAP = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 256 }

export type StartLink = (folder: string, handler: WriterHandler) => WriterLink

/** The writer in a thread of its own, so that a slow disk never stops this one (W8). */
export const startThread: StartLink = (folder, handler) => warmThread()(folder, handler)

/**
 * A thread that loads what a writer needs while its starter does other things. What is answered links it, once: until
 * then it has opened nothing, and keeps no process alive. One that dies before is said to be lost when it is linked.
 */
export function warmThread(entry: URL = workerUrl('writer', import.meta.url)): StartLink {
  const worker = new Worker(entry, { name: 'store-writer', resourceLimits: HEAP })
  worker.unref()
  const lost = Promise.withResolvers<Error>()
  worker.on('error', error => lost.resolve(error instanceof Error ? error : new Error(String(error))))
  const ended = new Promise<void>(resolve => {
    worker.on('exit', code => {
      lost.resolve(new Error(`The store's writer thread ended with code ${code}`))
      resolve()
    })
  })
  return (folder, handler) => {
    let over = false
    worker.on('message', (message: FromWriter) => {
      if (message.type === 'closed' || message.type === 'refused') over = true
      handler.message(message)
    })
    void lost.promise.then(error => {
      if (!over) handler.lost(error)
    })
    worker.ref()
    worker.postMessage(folder)
    return { post: messages => worker.postMessage(messages), ended }
  }
}
