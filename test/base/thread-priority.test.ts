// A thread gives way by itself: the threads that answer must not be slowed with it.
import { once } from 'node:events'
import { getPriority } from 'node:os'
import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'

const MODULE = new URL('../../src/base/node/thread-priority.ts', import.meta.url).href
const THREAD = `import('${MODULE}').then(({ letOthersGoFirst }) => {
  letOthersGoFirst()
  require('node:worker_threads').parentPort.postMessage(require('node:os').getPriority())
})`

// Elsewhere than on Linux a priority is the whole process's, and is left as it is.
test.runIf(process.platform === 'linux')('W8: a thread that gives way does so alone', async () => {
  const before = getPriority()
  const thread = new Worker(THREAD, { eval: true })
  const [inThread] = await once(thread, 'message')
  await thread.terminate()
  expect(inThread).toBeGreaterThan(before)
  expect(getPriority()).toBe(before)
})
