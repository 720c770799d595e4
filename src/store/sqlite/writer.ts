// The entry of the writer's thread: takes what its port brings, drains it, commits in groups until nothing waits. All
// that it does is in the core; a defect there ends this thread, and the client then says that the store is lost.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { errorToData } from '../../base/errors.ts'
import type { FromWriter, ToWriter } from './link.ts'
import { WriterCore } from './writer-core.ts'

function serve(port: NonNullable<typeof parentPort>, folder: string): void {
  const emit = (message: FromWriter) => port.postMessage(message)
  let writer: WriterCore
  try {
    writer = new WriterCore({ folder, emit })
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

if (parentPort) serve(parentPort, workerData.folder)
