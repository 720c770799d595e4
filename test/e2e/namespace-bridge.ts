// Lets those in a network namespace reach servers of the test process: a process in there listens on the same ports of its
// own loopback, and hands on by files (unix sockets), which know no networks. No address of this machine is opened.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { within } from './bound.ts'
import type { Scope } from './gateway-process.ts'

const LISTEN = `
const { connect, createServer } = require('node:net')
for (const [port, path] of JSON.parse(process.argv[1])) {
  const server = createServer(near => {
    const far = connect(path)
    for (const [one, other] of [[near, far], [far, near]]) one.on('error', () => other.destroy()).pipe(other)
  })
  server.listen(port, '127.0.0.1', () => process.stdout.write('x'))
}
`

export async function bridge(scope: Scope, under: readonly string[], ports: readonly number[]): Promise<void> {
  const folder = scope.stateDir()
  const places = ports.map(port => [port, join(folder, String(port))] as const)
  for (const [port, path] of places) {
    const server = createServer(far => {
      const near = connect(port, '127.0.0.1')
      for (const [one, other] of [[near, far] as const, [far, near] as const]) {
        one.on('error', () => other.destroy()).pipe(other)
      }
    })
    server.listen(path)
    await once(server, 'listening')
    scope.onEnd(() => void server.close())
  }
  const [command = '', ...words] = [...under, process.execPath, '-e', LISTEN, JSON.stringify(places)]
  const inside = spawn(command, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  scope.onEnd(() => void inside.kill('SIGKILL'))
  let ready = 0
  const { promise, resolve } = Promise.withResolvers<void>()
  inside.stdout.on('data', (chunk: Buffer) => {
    ready += chunk.length
    if (ready === ports.length) resolve()
  })
  await within(promise, 'the ways out of the namespace')
}
