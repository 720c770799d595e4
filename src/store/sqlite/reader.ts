// The entry of the thread for large reads: the functions that read in place, on a connection of its own. A read that
// fails is answered as failed and costs nothing else; a defect ends this thread, and the next read starts another.
import { parentPort, workerData } from 'node:worker_threads'
import { errorToData } from '../../base/errors.ts'
import { openForReading } from './database.ts'
import type { FromReader, ToReader } from './reader-link.ts'
import { prepareReads } from './reads.ts'

function serve(port: NonNullable<typeof parentPort>, folder: string): void {
  let asked = 0
  // Nothing is remembered here: it would not be known when it is over.
  const { large } = prepareReads(openForReading(folder), () => asked)
  port.on('message', ({ id, name, args }: ToReader) => {
    asked += 1
    const read = large[name].read as (...args: unknown[]) => unknown
    let answer: FromReader
    try {
      answer = { id, value: read(...args) }
    } catch (error) {
      answer = { id, error: errorToData(error) }
    }
    port.postMessage(answer)
  })
}

if (parentPort) serve(parentPort, workerData.folder)
