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
export const startThread: StartLink = (folder, handler) =>
  startThreadAt(workerUrl('writer', import.meta.url), folder, handler)

/** The same with another entry of that thread. */
export function startThreadAt(entry: URL, folder: string, handler: WriterHandler): WriterLink {
  const worker = new Worker(entry, {
    workerData: { folder },
    name: 'store-writer',
    resourceLimits: HEAP,
  })
  let over = false
  const ended = new Promise<void>(resolve => {
    worker.on('exit', code => {
      if (!over) handler.lost(new Error(`The store's writer thread ended with code ${code}`))
      over = true
      resolve()
    })
  })
  worker.on('error', error => {
    if (!over) handler.lost(error instanceof Error ? error : new Error(String(error)))
    over = true
  })
  worker.on('message', (message: FromWriter) => {
    if (message.type === 'closed' || message.type === 'refused') over = true
    handler.message(message)
  })
  return { post: messages => worker.postMessage(messages), ended }
}
