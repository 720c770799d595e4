// Traps around who comes in: a device that waits for a person's yes, and a store that takes no write, are in nobody
// else's way.
import { expect, test } from 'vitest'
import { CLIENT, TestDevice } from '../access/test-device.ts'
import { RawSocket } from '../e2e/raw-socket.ts'
import { heldStore } from './held-store.ts'
import { atEachLimit, type House } from './house.ts'

const ELSEWHERE = { 'x-forwarded-for': '203.0.113.9' }

/** What a device is answered that says who it is with its signature. */
async function signed({ gateway, scope }: House, device: TestDevice, headers: Record<string, string> = {}) {
  const socket = new RawSocket(gateway.url, { headers })
  scope.onEnd(() => socket.terminate())
  const { payload } = await socket.challenged()
  const at = { signedAt: Date.now(), nonce: String(payload?.nonce) }
  const params = device.connect({ client: CLIENT, auth: { token: gateway.token } }, at)
  return { socket, answer: socket.ask('connect', params) }
}

atEachLimit(house => {
  test('WAIT-43 W7: while a device waits to be let in and nobody can write, who is known comes in and is answered', async () => {
    const [known, stranger, late] = [new TestDevice(), new TestDevice(), new TestDevice()]
    expect(await (await signed(house, known)).answer).toMatchObject({ ok: true })
    expect(await (await signed(house, stranger, ELSEWHERE)).answer).toMatchObject({ ok: false })
    expect((await house.client.call('device.pair.list', {})).pending).toHaveLength(1)
    const gate = await house.heldTurn('talks', 'talks-1')
    const release = heldStore(house)
    // This one has to be written down first, and waits for that alone.
    const waiting = await signed(house, late)
    let isLateIn = false
    void waiting.answer.then(() => {
      isLateIn = true
    })
    const again = await signed(house, known)
    expect(await again.answer).toMatchObject({ ok: true })
    expect(await again.socket.ask('health')).toMatchObject({ ok: true })
    const { client } = await house.gateway.client()
    expect((await client.call('status', {})).runs).toMatchObject({ running: 1 })
    client.close()
    expect((await house.gateway.cli(['waits', '--json'])).code).toBe(0)
    expect(isLateIn).toBe(false)
    expect(gate.isOpen).toBe(false)
    release()
    expect(await waiting.answer).toMatchObject({ ok: true })
    gate.open()
    expect(await house.reply('talks-1')).toBe('held')
  })
})
