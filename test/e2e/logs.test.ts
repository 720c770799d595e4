// The log of a real gateway is followed while it is put aside again and again: each line is seen once, in its order.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Scope } from './gateway-process.ts'
import { RawSocket } from './raw-socket.ts'

const CONNECTIONS = 30
const scope = new Scope()
afterAll(() => scope.end())

test('who follows the log is shown each line once, across its files', async () => {
  const gateway = await scope.gateway({ config: { logging: { maxFileMb: 0.001, keepFiles: 100 } } })
  const { call } = await gateway.client()
  const seen: string[] = []
  let cursor = 0
  const follow = async () => {
    const { lines, ...tail } = await call('logs.tail', { cursor })
    expect([tail.reset, tail.truncated]).toEqual([undefined, undefined])
    cursor = tail.cursor
    seen.push(...lines)
  }
  const closed = () => seen.filter(line => line.includes('"connection closed"')).length
  for (let count = 1; count <= CONNECTIONS; count += 1) {
    const brief = new Scope()
    await RawSocket.connected(gateway, brief)
    await brief.end()
    while (closed() < count) await follow()
  }
  // Its files are looked at when none is put aside any more: while that is done, one is not there for a moment.
  await gateway.stop()
  const folder = join(gateway.stateDir, 'logs')
  const numberOf = (name: string) => Number(/\.(\d+)$/.exec(name)?.[1] ?? 0)
  const written = readdirSync(folder)
    .toSorted((one, other) => numberOf(other) - numberOf(one))
    .flatMap(name => readFileSync(join(folder, name), 'utf8').match(/^\{.*\}$/gm) ?? [])
  expect(readdirSync(folder).length).toBeGreaterThan(5)
  const times = (lines: readonly string[]) => lines.map(line => JSON.parse(line).time)
  expect(times(seen)).toEqual(times(written.slice(0, seen.length)))
})
