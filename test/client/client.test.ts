import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeClock } from '../../src/base/node/world.ts'
import type { Clock } from '../../src/base/world.ts'
import { connectGateway } from '../../src/client/client.ts'
import type { Socket } from '../../src/client/socket.ts'
import { type FakeGateway, fakeGateway, HELLO } from '../cli/fake-gateway.ts'
import { FakeClock } from '../fakes/clock.ts'

let gateway: FakeGateway
beforeEach(async () => {
  gateway = await fakeGateway({ token: 'right' })
})
afterEach(() => gateway.close())

const connect = (options: Partial<Parameters<typeof connectGateway>[0]> = {}) =>
  connectGateway({ url: gateway.url, token: 'right', client: { id: 'cli', mode: 'cli' }, clock: nodeClock, ...options })

describe('handshake', () => {
  test('waits for the challenge, then says who it is', async () => {
    const client = await connect()
    expect(client.hello.snapshot.sessionDefaults.mainSessionKey).toBe('agent:main:main')
    expect(gateway.connects[0]?.params).toMatchObject({
      minProtocol: 3,
      maxProtocol: 3,
      role: 'operator',
      scopes: ['operator.admin', 'operator.approvals', 'operator.pairing'],
      auth: { token: 'right' },
      client: { id: 'cli', mode: 'cli' },
    })
    client.close()
  })

  test('a wrong token is refused in the words of the gateway, and says what to do', async () => {
    await expect(connect({ token: 'wrong' })).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringMatching(/gateway token mismatch.*SLUICE_GATEWAY_TOKEN/s),
    })
  })

  test('nobody there: says how to start one', async () => {
    await gateway.close()
    await expect(connect({ startCommand: '/opt/sluice gateway' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: `No gateway answers at ${gateway.url}. Start one with: /opt/sluice gateway`,
      outcome: 'not-started',
    })
  })

  test('an address that is none', async () => {
    await expect(connect({ url: 'nonsense' })).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
  })

  test('a peer that never speaks runs into the time-out', async () => {
    const { clock, socket, advance } = silentWorld()
    const connecting = connect({ clock, openSocket: () => socket, timeoutMs: 500 })
    advance(500)
    await expect(connecting).rejects.toMatchObject({ code: 'TIMEOUT', outcome: 'not-started' })
  })
})

describe('calls', () => {
  test('an answer, and a refusal with its code', async () => {
    gateway.answers('cron.status', { enabled: true })
    gateway.on('cron.list', ({ refuse }) =>
      refuse({ code: 'UNAVAILABLE', message: 'Error: no', details: { code: 'BUSY', outcome: 'not-started' } }),
    )
    const client = await connect()
    expect(await client.call('cron.status', {})).toEqual({ enabled: true })
    await expect(client.call('cron.list', {})).rejects.toMatchObject({ code: 'BUSY', outcome: 'not-started' })
    client.close()
  })

  test('agent: two answers with one id', async () => {
    gateway.on('agent', ({ answer, asked }) => {
      answer({ runId: asked.params.idempotencyKey, status: 'accepted' })
      answer({ runId: asked.params.idempotencyKey, status: 'ok', summary: 'completed' })
    })
    const client = await connect()
    const early: unknown[] = []
    const params = { message: 'hi', idempotencyKey: 'k' }
    const final = await client.call('agent', params, { onEarly: payload => early.push(payload) })
    expect([early, final.status]).toEqual([[{ runId: 'k', status: 'accepted' }], 'ok'])
    expect((await client.call('agent', params)).status).toBe('accepted')
    client.close()
  })

  test('a close with calls pending: each says that its fate is unknown, and how the connection closed', async () => {
    gateway.on('cron.add', ({ drop }) => drop(1012, 'service restart'))
    gateway.on('agent', ({ answer }) => answer({ runId: 'r1', status: 'accepted' }))
    const client = await connect()
    const run = client.call('agent', { message: 'x', idempotencyKey: 'k' }, { onEarly: () => undefined })
    const add = client.callUntyped('cron.add', {})
    await expect(add).rejects.toMatchObject({
      outcome: 'unknown',
      message: expect.stringContaining('1012 service restart'),
      details: { closeCode: 1012, closeReason: 'service restart', method: 'cron.add' },
    })
    await expect(run).rejects.toMatchObject({ outcome: 'unknown', details: { runId: 'r1' } })
    expect(await client.closed).toEqual({ code: 1012, reason: 'service restart' })
    await expect(client.call('health', {})).rejects.toMatchObject({ outcome: 'not-started' })
  })

  test('a time-out ends the wait and says so; a late answer harms nothing', async () => {
    let answerLate: (() => void) | undefined
    gateway.on('cron.list', ({ answer }) => {
      answerLate = () => answer({ jobs: [] })
    })
    gateway.answers('cron.status', { enabled: true })
    const client = await connect()
    await expect(client.call('cron.list', {}, { timeoutMs: 20 })).rejects.toMatchObject({
      code: 'TIMEOUT',
      outcome: 'unknown',
      message: expect.stringContaining('may still do it'),
    })
    answerLate?.()
    expect(await client.call('cron.status', {})).toEqual({ enabled: true })
    client.close()
  })

  test('a time-out after acceptance names the run that goes on', async () => {
    gateway.on('agent', ({ answer }) => answer({ runId: 'r9', status: 'accepted' }))
    const clock = new FakeClock()
    const client = await connect({ clock })
    const { promise: accepted, resolve } = Promise.withResolvers<unknown>()
    const wait = client.call('agent', { message: 'x', idempotencyKey: 'k' }, { timeoutMs: 50, onEarly: resolve })
    await Promise.race([accepted, wait])
    clock.leap(50)
    await expect(wait).rejects.toMatchObject({ outcome: 'continues', details: { runId: 'r9' } })
    client.close()
  })

  test('a signal ends the wait', async () => {
    gateway.on('cron.list', () => undefined)
    const client = await connect()
    const controller = new AbortController()
    const wait = client.call('cron.list', {}, { signal: controller.signal })
    controller.abort()
    await expect(wait).rejects.toMatchObject({ code: 'CANCELLED', outcome: 'unknown' })
    await expect(client.call('cron.list', {}, { signal: controller.signal })).rejects.toMatchObject({
      outcome: 'not-started',
    })
    client.close()
  })
})

describe('what a gateway may send', () => {
  test('garbage and unknown events are survived', async () => {
    gateway.on('cron.status', ({ raw, event, answer }) => {
      for (const text of [
        '',
        '{',
        'null',
        '[]',
        '7',
        '{"type":"res"}',
        '{"type":"res","id":"999","ok":true}',
        '{"type":"?"}',
      ])
        raw(text)
      raw('{"type":"event","event":5}')
      raw('{"type":"event","event":"chat"}')
      event('of-the-future', { x: 1 })
      answer({ enabled: false })
    })
    const client = await connect()
    const heard: string[] = []
    client.onEvent(({ event }) => heard.push(event))
    expect(await client.call('cron.status', {})).toEqual({ enabled: false })
    expect(heard).toEqual(['of-the-future'])
    client.close()
  })

  test('no frame for two ticks: closed as dead; any frame puts it off', async () => {
    const { clock, socket, advance, receive, closes } = silentWorld()
    const connecting = connect({ clock, openSocket: () => socket })
    receive({ type: 'event', event: 'connect.challenge', payload: {} })
    receive({ type: 'res', id: '1', ok: true, payload: HELLO })
    const client = await connecting
    advance(59_000)
    receive({ type: 'event', event: 'tick', payload: { ts: 1 } })
    advance(59_000)
    expect(closes).toEqual([])
    const pending = client.call('health', {})
    advance(1_000)
    expect(closes).toEqual([[4000, 'tick timeout']])
    expect(await client.closed).toEqual({ code: 4000, reason: 'tick timeout' })
    await expect(pending).rejects.toMatchObject({ outcome: 'unknown' })
  })
})

/** A socket without a network and a clock that is set by hand. */
function silentWorld() {
  let nowMs = 0
  const timers = new Map<object, { atMs: number; callback: () => void }>()
  const clock: Clock = {
    now: () => nowMs,
    monotonic: () => nowMs,
    after(delayMs, callback) {
      const timer = { cancel: () => void timers.delete(timer) }
      timers.set(timer, { atMs: nowMs + delayMs, callback })
      return timer
    },
  }
  const listeners: ((event: { data: unknown }) => void)[] = []
  const closes: unknown[] = []
  const socket: Socket = {
    send: () => undefined,
    close: (code, reason) => void (code === 1000 || closes.push([code, reason])),
    addEventListener: (type: string, listener: (event: never) => void) => {
      if (type === 'message') listeners.push(listener as (event: { data: unknown }) => void)
    },
  }
  return {
    clock,
    socket,
    closes,
    receive: (frame: object) => {
      for (const listener of listeners) listener({ data: JSON.stringify(frame) })
    },
    advance: (durationMs: number) => {
      nowMs += durationMs
      for (const [timer, { atMs, callback }] of [...timers]) {
        if (atMs > nowMs) continue
        timers.delete(timer)
        callback()
      }
    },
  }
}
