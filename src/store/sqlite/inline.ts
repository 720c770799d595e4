// The writer in the caller's own thread, for tests, the simulator and tools: the same core behind the same link, with
// messages copied as between threads. It blocks its thread while it commits, so a gateway does not use it.
import { errorToData } from '../../base/errors.ts'
import type { StartLink, WriterHandler } from './link.ts'
import type { StartReader } from './reader-link.ts'
import { WriterCore, type WriterHooks } from './writer-core.ts'

export interface InlineOptions {
  /** Awaited before each group: holds the writer while writes and cancels queue up. */
  gate?(): Promise<void> | void
  readonly hooks?: WriterHooks
  /** A thread for large reads; default: they are made in place. */
  readonly reader?: StartReader
}

export function inlineLink(options: InlineOptions): StartLink {
  return (folder, handler) => {
    const ended = Promise.withResolvers<void>()
    const writer = openInline(folder, { handler, hooks: options.hooks })
    if (!writer) {
      ended.resolve()
      return { post: () => undefined, ended: ended.promise }
    }
    let pumping = false
    const pump = async () => {
      // The turn given up here, even without a gate, lets callers of the same moment share a commit.
      for (;;) {
        await options.gate?.()
        if (writer.waiting === 0) break
        writer.commitGroup(() => undefined)
      }
      pumping = false
      if (!writer.closing) return
      writer.close()
      handler.message({ type: 'closed' })
      ended.resolve()
    }
    return {
      ended: ended.promise,
      post(messages) {
        for (const message of structuredClone(messages)) writer.receive(message)
        if (pumping) return
        pumping = true
        pump().catch(error => {
          handler.lost(error)
          ended.resolve()
        })
      },
    }
  }
}

function openInline(folder: string, { handler, hooks }: { handler: WriterHandler; hooks: WriterHooks | undefined }) {
  try {
    const writer = new WriterCore({ folder, hooks, emit: message => handler.message(structuredClone(message)) })
    handler.message({ type: 'ready', epoch: writer.epoch, damage: writer.damage })
    return writer
  } catch (error) {
    handler.message({ type: 'refused', error: errorToData(error) })
    return undefined
  }
}
