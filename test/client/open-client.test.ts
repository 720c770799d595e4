// The client library: the same calls and events over HTTP, a WebSocket and in process; a lost answer is asked for again
// under its key and done once; and nothing of Node is in what a browser loads.
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { SluiceError } from '../../src/base/errors.ts'
import { nodeClock } from '../../src/base/node/world.ts'
import type { Fetch } from '../../src/base/world.ts'
import type { GatewayEvent } from '../../src/client/client.ts'
import { type Client, clientOver, inProcessLink, openClient } from '../../src/client/library.ts'
import type { LinkCall } from '../../src/client/link.ts'
import { TRIES_MAX } from '../../src/client/open-client.ts'
import { within } from '../e2e/bound.ts'
import { type GatewayProcess, Scope } from '../e2e/gateway-process.ts'
import { FakeClock, settled } from '../fakes/clock.ts'
import { text } from '../fakes/house.ts'
import { type HttpHouse, openHttpHouse, TOKEN } from '../transports/http-house.ts'

const job = (name: string) =>
  ({ name, schedule: { kind: 'every', everyMs: 3_600_000 }, payload: { kind: 'message', text: 'x' } }) as never

class Heard {
  readonly events: GatewayEvent[] = []
  caughtUp = 0
  #look: () => void = () => undefined
  readonly listener = {
    event: (event: GatewayEvent) => {
      this.events.push(event)
      this.#look()
    },
    caughtUp: () => {
      this.caughtUp += 1
      this.#look()
    },
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#look = () => {
      if (holds()) resolve()
    }
    this.#look()
    await within(promise, () => `${what}; heard: ${JSON.stringify(this.events.map(({ event, seq }) => [event, seq]))}`)
  }

  get jobs(): string[] {
    return this.events.flatMap(({ event, payload }) =>
      event === 'cron' && payload.action === 'added' ? [payload.jobId] : [],
    )
  }
}

describe.each(['http', 'web-socket', 'in-process'] as const)('over %s', kind => {
  let house: HttpHouse
  let scope: Scope
  let client: Client
  beforeEach(async () => {
    scope = new Scope()
    if (kind === 'web-socket') {
      const gateway: GatewayProcess = await scope.gateway()
      client = openClient({ url: gateway.url, token: gateway.token, openSocket: url => new WebSocket(url) })
    } else {
      house = await openHttpHouse(() => text('said'))
      scope.onEnd(() => house.close())
      client = kind === 'http' ? openClient({ url: house.url, token: TOKEN }) : inProcess(house)
    }
    scope.onEnd(() => client.close())
  })
  afterEach(() => scope.end())

  test('calls are answered, refused as the gateway refuses, and done once under a key', async () => {
    expect(await client.call('health', {})).toMatchObject({ ok: true })
    await expect(client.call('cron.remove', { id: '' } as never)).rejects.toMatchObject({ code: 'INVALID_REQUEST' })
    const first = await client.call('cron.add', job('a'), { key: 'k1' })
    expect(await client.call('cron.add', job('a'), { key: 'k1' })).toEqual(first)
    await expect(client.call('cron.add', job('b'), { key: 'k1' })).rejects.toMatchObject({ code: 'CONFLICT' })
    expect((await client.call('cron.list', {})).jobs).toHaveLength(1)
    const wait = client.call('agent.wait', { runId: 'nobody', timeoutMs: 3_600_000 }, { timeoutMs: 1 })
    await expect(wait).rejects.toMatchObject({ code: 'TIMEOUT', outcome: 'unknown' })
  })

  test('L5: events are heard once and in order, from where an earlier listener stopped', async () => {
    const heard = new Heard()
    const stop = client.listen(heard.listener)
    await heard.until('the beginning', () => heard.caughtUp === 1)
    const first = await client.call('cron.add', job('a'))
    await heard.until('the first job', () => heard.jobs.length === 1)
    stop()
    const since = heard.events.findLast(({ seq }) => seq !== undefined)?.seq ?? 0
    const missed = await client.call('cron.add', job('b'))
    const again = new Heard()
    client.listen(again.listener, { since })
    await again.until('what was missed', () => again.caughtUp === 1)
    const third = await client.call('cron.add', job('c'))
    await again.until('the third job', () => again.jobs.length === 2)
    expect([heard.jobs, again.jobs]).toEqual([[first.id], [missed.id, third.id]])
  })
})

function inProcess(house: HttpHouse): Client {
  const caller = { principal: 'operator', label: 'embedder', scopes: new Set(['operator.admin'] as const) }
  const link = inProcessLink({
    call: (method, params, options) => house.dispatcher.call(method, params, { caller, ...options }),
    listen: listener => house.hub.listen(event => listener(event as GatewayEvent)),
    lastSeq: () => house.store.read.lastSeq(),
  })
  return clientOver(link, nodeClock)
}

describe('T1: a call whose answer is lost', () => {
  let house: HttpHouse
  beforeEach(async () => {
    house = await openHttpHouse(() => text('said'))
  })
  afterEach(() => house.close())

  /** Loses the answers to the first calls. */
  function losing(count: number): { fetch: Fetch; sent: () => number } {
    let sent = 0
    return {
      sent: () => sent,
      fetch: async (input, init) => {
        const response = await fetch(input, init)
        sent += 1
        if (sent > count) return response
        await response.text()
        throw new TypeError('the line broke')
      },
    }
  }
  const jobs = () => house.store.read.jobCount({ includeDisabled: true })

  test('is made again under its key, and has happened once', async () => {
    const line = losing(2)
    const client = openClient({ url: house.url, token: TOKEN, fetch: line.fetch, clock: nodeClock })
    expect(await client.call('cron.add', job('a'), { key: 'k' })).toMatchObject({ name: 'a' })
    expect([line.sent(), jobs()]).toEqual([3, 1])
  })

  test('is not made again without one: what became of it is not known, and that is said', async () => {
    const line = losing(1)
    const client = openClient({ url: house.url, token: TOKEN, fetch: line.fetch })
    const asked = client.call('cron.add', job('a'))
    await expect(asked).rejects.toMatchObject({ code: 'UNAVAILABLE', outcome: 'unknown' })
    expect([line.sent(), jobs()]).toEqual([1, 1])
  })
})

describe('repeating', () => {
  async function triesFor(error: SluiceError, key?: string): Promise<number> {
    const clock = new FakeClock()
    const calls: LinkCall[] = []
    const link = {
      call: (call: LinkCall) => {
        calls.push(call)
        return Promise.reject(error)
      },
      listen: () => () => undefined,
      close: () => undefined,
    }
    const ended = clientOver(link, clock).call('cron.list', {}, key === undefined ? {} : { key })
    ended.catch(() => undefined)
    for (let n = 0; n < 2 * TRIES_MAX; n += 1) await clock.advance(10_000)
    await expect(ended).rejects.toBe(error)
    return calls.length
  }
  const error = (
    code: 'BUSY' | 'UNAVAILABLE' | 'INVALID_REQUEST' | 'WOULD_DEADLOCK',
    outcome?: 'not-started' | 'unknown' | 'committed',
  ) => new SluiceError(code, 'no', outcome ? { outcome } : {})

  test.each([
    { code: 'BUSY', outcome: 'not-started', key: undefined, tries: TRIES_MAX },
    { code: 'UNAVAILABLE', outcome: 'unknown', key: undefined, tries: 1 },
    { code: 'UNAVAILABLE', outcome: 'unknown', key: 'k', tries: TRIES_MAX },
    { code: 'UNAVAILABLE', outcome: 'committed', key: 'k', tries: 1 },
    { code: 'INVALID_REQUEST', outcome: undefined, key: 'k', tries: 1 },
    { code: 'WOULD_DEADLOCK', outcome: 'not-started', key: 'k', tries: 1 },
  ] as const)('$code, $outcome, key $key: sent $tries times', async ({ code, outcome, key, tries }) => {
    expect(await triesFor(error(code, outcome), key)).toBe(tries)
  })
})

describe('a gateway that does not answer the handshake', () => {
  const silent = () => ({ send: () => undefined, close: () => undefined, addEventListener: () => undefined })
  const opened = () => {
    const clock = new FakeClock()
    return { clock, client: openClient({ url: 'ws://127.0.0.1:1', clock, openSocket: silent }) }
  }

  test('W6: holds a call no longer than it said', async () => {
    const { clock, client } = opened()
    const call = client.call('health', {}, { timeoutMs: 50 })
    const ended = expect(call).rejects.toMatchObject({ code: 'TIMEOUT', outcome: 'unknown' })
    await clock.advance(50)
    await within(ended, 'the end of the wait')
  })

  test('W6: holds no call of a client that was closed, also not one that would be made again', async () => {
    const { client } = opened()
    const call = client.call('cron.add', job('a'), { key: 'k' })
    client.close()
    const ended = expect(call).rejects.toMatchObject({ code: 'CANCELLED', outcome: 'unknown' })
    await within(ended, 'the end of the wait')
  })
})

test('a stream that has gone silent, as one of a network that is gone, is asked for again from where it was', async () => {
  const clock = new FakeClock()
  const asked: (string | undefined)[] = []
  const told: number[] = []
  const fetch: Fetch = async (_, { headers } = {}) => {
    asked.push((headers as Record<string, string>)['last-event-id'])
    const body = new ReadableStream<Uint8Array>({
      start: stream => {
        stream.enqueue(new TextEncoder().encode('id: 7\nevent: cron\ndata: {}\n\n'))
        clock.after(30_000, () => stream.enqueue(new TextEncoder().encode(': open\n\n')))
      },
    })
    return new Response(body)
  }
  const client = openClient({ url: 'http://gateway', clock, fetch })
  client.listen({ event: ({ seq = 0 }) => told.push(seq) })
  await settled()
  await clock.advance(74_000)
  expect(asked).toEqual([undefined])
  await clock.advance(2_000)
  await settled()
  expect([asked, told]).toEqual([
    [undefined, '7'],
    [7, 7],
  ])
  client.close()
})

test('an address of another kind is refused in words', () => {
  expect(() => openClient({ url: 'ftp://x' })).toThrow(/no address of a gateway; an example: http/)
})

test('a browser can load it: nothing of Node, and no schema library, is in it', async () => {
  const entry = fileURLToPath(new URL('../../src/client/library.ts', import.meta.url))
  const { outputFiles, metafile } = await build({
    entryPoints: [entry],
    ...{ bundle: true, write: false, metafile: true, platform: 'browser', format: 'esm', logLevel: 'silent' },
  })
  const inputs = Object.keys(metafile.inputs)
  expect(inputs.filter(path => /node_modules|base\/node/.test(path))).toEqual([])
  expect(outputFiles[0]?.text).not.toMatch(/['"]node:|\bprocess\.env|\bBuffer\./)
})
