// A port for a gateway that is to keep its port over restarts, or whose own address is in its config.
import { createServer } from 'node:net'
import { within } from './bound.ts'

/** One that nobody has at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer()
  const { promise, resolve } = Promise.withResolvers<number>()
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as { port: number }
    server.close(() => resolve(port))
  })
  return await within(promise, 'a free port')
}
