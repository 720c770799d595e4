// Sockets that have not shown who they are, from one address and from many: the places are few, and the oldest go.
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { expect, test } from 'vitest'
import { UNPROVEN_MAX, UNPROVEN_OF_ADDRESS_MAX, Unproven } from '../../src/transports/unproven.ts'

class FakeSocket extends EventEmitter {
  readonly remoteAddress: string
  readonly remotePort: number
  destroyed = false

  constructor(remoteAddress: string, remotePort: number) {
    super()
    this.remoteAddress = remoteAddress
    this.remotePort = remotePort
  }

  destroy(): void {
    this.destroyed = true
    this.emit('close')
  }
}

function flood(unproven: Unproven, addresses: number, ofEach: number): FakeSocket[] {
  return Array.from({ length: addresses * ofEach }, (_, index) => {
    const socket = new FakeSocket(`192.0.2.${index % addresses}`, index)
    unproven.add(socket as unknown as Socket)
    return socket
  })
}
const alive = (sockets: readonly FakeSocket[]) => sockets.filter(({ destroyed }) => !destroyed)

test('of one address, and of all together, there are so many; one more ends the oldest', () => {
  const one = flood(new Unproven(), 1, UNPROVEN_OF_ADDRESS_MAX + 10)
  expect(alive(one)).toEqual(one.slice(10))
  const many = flood(new Unproven(), 100, UNPROVEN_MAX / 100 + 1)
  expect(alive(many)).toEqual(many.slice(many.length - UNPROVEN_MAX))
})

test('one that is proven, or gone, holds no place', () => {
  const unproven = new Unproven()
  const [proven, gone, ...others] = flood(unproven, 1, UNPROVEN_OF_ADDRESS_MAX) as [FakeSocket, FakeSocket]
  unproven.prove(proven)
  gone.destroy()
  const more = [7_001, 7_002, 7_003].map(port => new FakeSocket('192.0.2.0', port))
  for (const socket of more) unproven.add(socket as unknown as Socket)
  expect(alive([proven, ...others, ...more])).toEqual([proven, ...(others as FakeSocket[]).slice(1), ...more])
})

test('a port that is taken again before the end of its socket is told holds one place, and can lose it', () => {
  const unproven = new Unproven()
  const old = new FakeSocket('192.0.2.0', 0)
  // As with a real socket, its end is told some time after.
  old.destroy = () => undefined
  unproven.add(old as unknown as Socket)
  const more = (from: number) =>
    Array.from({ length: UNPROVEN_OF_ADDRESS_MAX }, (_, at) => {
      const socket = new FakeSocket('192.0.2.0', from + at)
      unproven.add(socket as unknown as Socket)
      return socket
    })
  const others = more(1)
  const again = new FakeSocket('192.0.2.0', 0)
  unproven.add(again as unknown as Socket)
  old.emit('close')
  const newest = more(1_000)
  expect(alive([...others, again, ...newest])).toEqual(newest)
})
