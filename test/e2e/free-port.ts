// A port for what is to keep its port over restarts, or whose own address is in its config. It lies below those that
// kernels hand out by themselves (from 32768 on Linux, 49152 elsewhere): one of those may be some connection's own end by
// the time it is listened at, since thousands of connections are made beside these tests.
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { within } from './bound.ts'

const [FROM, TO] = [20_000, 32_768]

/** One that nobody has at the moment. */
export async function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const look = () => {
    const port = randomInt(FROM, TO)
    const server = createServer()
    server.on('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? look() : reject(error)))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(port)))
  }
  look()
  return await within(promise, 'a free port')
}
