// What the writer's thread does: takes what its port brings, drains it, commits in groups until nothing waits. All else is
// in the core; a defect there ends this thread, and the client then says that the store is lost.
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { errorToData } from '../../base/errors.ts'
import type { FromWriter, ToWriter } from './link.ts'
import { WriterCore, type WriterHooks } from './writer-core.ts'

/** The first message is the folder: by then this thread has loaded what it needs. */
export function serveWriter(port: MessagePort, hooks?: WriterHooks): void {
  port.once('message', (folder: string) => serve(port, folder, hooks))
}

function serve(port: MessagePort, folder: string, hooks: WriterHooks | undefined): void {
  const emit = (message: FromWriter) => port.postMessage(message)
  let writer: WriterCore
  try {
    writer = new WriterCore({ folder, emit, hooks })
  } catch (error) {
    emit({ type: 'refused', error: errorToData(error) })
    return
  }
  const receive = (messages: readonly ToWriter[]) => {
    for (const message of messages) writer.receive(message)
  }
  const drain = () => {
    for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) receive(next.message)
  }
  port.on('message', (messages: readonly ToWriter[]) => {
    receive(messages)
    drain()
    while (writer.waiting > 0) {
      writer.commitGroup(drain)
      drain()
    }
    if (!writer.closing) return
    writer.close()
    emit({ type: 'closed' })
    port.close()
  })
  emit({ type: 'ready', epoch: writer.epoch, damage: writer.damage })
}
