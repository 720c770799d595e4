// L5 in the client: whatever connections are cut where, and however answers and live events mix, each durable event is
// handed on once and in order, or it is said that some cannot be. The gateway is a list of events and of listeners.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import type { GatewayClient, GatewayEvent } from '../../src/client/client.ts'
import { Replay } from '../../src/client/replay.ts'
import type { Result } from '../../src/protocol/catalogue.ts'
import { settled } from '../fakes/clock.ts'

type Page = Result<'events.since'>

const run = { runId: 'r', sessionKey: 'main', session: 'agent:main:main', startedAt: 1, text: 'so far', tools: [] }

/** Events are committed first and told afterwards; every third is not for this client. */
class Gateway {
  lastSeq = 0
  oldestSeq = 1
  #toldSeq = 0
  pageRows = 2
  fails: SluiceError | undefined
  readonly asks: { seq: number; settle: () => void }[] = []
  #listeners = new Set<(event: GatewayEvent) => void>()
  #drop: (() => void) | undefined

  static isHidden = (seq: number) => seq % 3 === 0
  static event = (seq: number) => ({ event: 'cron', payload: { seq }, seq }) as unknown as GatewayEvent

  /** Tells the live ones up to a number; those of a commit are told in order. */
  tell(untilSeq = this.#toldSeq + 1): void {
    while (this.#toldSeq < Math.min(untilSeq, this.lastSeq)) {
      this.#toldSeq += 1
      if (!Gateway.isHidden(this.#toldSeq)) this.say(Gateway.event(this.#toldSeq))
    }
  }

  get listenerCount(): number {
    return this.#listeners.size
  }

  say(event: GatewayEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  cut(): void {
    this.#drop?.()
    this.#listeners.clear()
  }

  connect(hello: object = { lastSeq: this.lastSeq }): GatewayClient {
    this.cut()
    const lost = Promise.withResolvers<never>()
    lost.promise.catch(() => undefined)
    this.#drop = () => lost.reject(new SluiceError('UNAVAILABLE', 'closed', { details: { closeCode: 1006 } }))
    const listeners = new Set<(event: GatewayEvent) => void>()
    this.#listeners = listeners
    const call = (_method: string, { seq }: { seq: number }) => {
      const answer = Promise.withResolvers<Page>()
      // An answer holds what is there when it is given; what was told before it was told before it.
      const settle = () => {
        if (this.#listeners !== listeners) return
        if (this.fails) answer.reject(this.fails)
        else answer.resolve(this.#page(seq))
      }
      this.asks.push({ seq, settle })
      return Promise.race([answer.promise, lost.promise])
    }
    return {
      hello: { snapshot: hello },
      onEvent: (listener: (event: GatewayEvent) => void) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      call,
    } as unknown as GatewayClient
  }

  #page(seq: number): Page {
    const { lastSeq, oldestSeq } = this
    const rest = { lastSeq, oldestSeq, live: [run] }
    if (seq + 1 < oldestSeq || seq > lastSeq)
      return { ...rest, events: [], nextSeq: lastSeq, more: false, tooOld: true }
    const nextSeq = Math.min(lastSeq, seq + this.pageRows)
    const seqs = Array.from({ length: nextSeq - seq }, (_, index) => seq + 1 + index)
    const events = seqs.filter(each => !Gateway.isHidden(each)).map(each => Gateway.event(each) as never)
    return { ...rest, events, nextSeq, more: nextSeq < lastSeq }
  }
}

function listening() {
  const heard: (number | string)[] = []
  const replay = new Replay({
    event: ({ event, seq }) => heard.push(seq ?? event),
    caughtUp: live => heard.push(`caught up, ${live.length} live`),
    tooOld: () => heard.push('too old'),
  })
  return { heard, replay, gateway: new Gateway() }
}

const visible = (fromSeq: number, toSeq: number) =>
  Array.from({ length: Math.max(0, toSeq - fromSeq) }, (_, index) => fromSeq + 1 + index).filter(
    seq => !Gateway.isHidden(seq),
  )
const numbers = (heard: readonly unknown[]) => heard.filter(each => typeof each === 'number')

/** Numbers that are missing between two that follow one another, unless it was said just there. */
function holesUntold(heard: readonly (number | string)[]): number[] {
  let last: number | undefined = 0
  return heard.flatMap(each => {
    if (typeof each === 'string') {
      if (each === 'too old') last = undefined
      return []
    }
    const missing = last === undefined ? [] : visible(last, each - 1)
    last = each
    return missing
  })
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.constant('commit' as const) },
  { weight: 6, arbitrary: fc.constant('tell' as const) },
  { weight: 4, arbitrary: fc.constant('answer' as const) },
  { weight: 2, arbitrary: fc.constant('cut' as const) },
  { weight: 3, arbitrary: fc.constant('connect' as const) },
)
const steps = fc.array(fc.tuple(step, fc.boolean()), { maxLength: 60 })

async function play(
  world: ReturnType<typeof listening>,
  drawn: typeof steps extends fc.Arbitrary<infer T> ? T : never,
) {
  const { gateway, replay } = world
  for (const [what, pauses] of drawn) {
    if (what === 'commit') gateway.lastSeq += 1
    if (what === 'tell') gateway.tell()
    if (what === 'answer') gateway.asks.at(-1)?.settle()
    if (what === 'cut') gateway.cut()
    if (what === 'connect') replay.follow(gateway.connect())
    if (pauses) await settled()
  }
}

/** One more connection, on which everything is answered and told. */
async function finish({ gateway, replay }: ReturnType<typeof listening>) {
  replay.follow(gateway.connect())
  for (let asked = -1; asked !== gateway.asks.length; ) {
    asked = gateway.asks.length
    gateway.asks.at(-1)?.settle()
    await settled()
  }
  gateway.tell(gateway.lastSeq)
}

describe('replay', () => {
  test('L5: whatever is cut where, each durable event is handed on once, in order', async () => {
    const property = fc.asyncProperty(steps, fc.nat(3), async (drawn, before) => {
      const world = listening()
      world.gateway.lastSeq = before
      world.replay.follow(world.gateway.connect())
      await play(world, drawn)
      await finish(world)
      expect(numbers(world.heard)).toEqual(visible(before, world.gateway.lastSeq))
      expect(world.heard).not.toContain('too old')
      expect(world.heard.at(-1) === 'caught up, 1 live' || typeof world.heard.at(-1) === 'number').toBe(true)
    })
    await fc.assert(property, { numRuns: 2_000 })
  })

  test('L5: what is no longer kept is said to be missing; all the rest is handed on once, in order', async () => {
    const property = fc.asyncProperty(fc.array(fc.tuple(steps, fc.nat(6)), { maxLength: 4 }), async rounds => {
      const world = listening()
      const { gateway, heard, replay } = world
      replay.follow(gateway.connect())
      for (const [drawn, removed] of rounds) {
        await play(world, drawn)
        gateway.oldestSeq = Math.min(gateway.lastSeq + 1, gateway.oldestSeq + removed)
      }
      const toldBefore = gateway.lastSeq
      await finish(world)
      gateway.lastSeq += 2
      gateway.tell(gateway.lastSeq)
      const seqs = numbers(heard) as number[]
      expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b))
      expect(seqs.filter(seq => seq > toldBefore)).toEqual(visible(toldBefore, gateway.lastSeq))
      expect(holesUntold(heard)).toEqual([])
    })
    await fc.assert(property, { numRuns: 300 })
  })

  test('what is missed comes before what is new, then that it is all; what runs said meanwhile is in the snapshot', async () => {
    const { gateway, heard, replay } = listening()
    gateway.pageRows = 500
    replay.follow(gateway.connect())
    gateway.asks.at(-1)?.settle()
    await settled()
    expect(heard.splice(0)).toEqual(['caught up, 1 live'])
    gateway.cut()
    gateway.lastSeq = 2
    gateway.tell(2)
    replay.follow(gateway.connect())
    gateway.lastSeq = 4
    gateway.say({ event: 'agent', payload: {} } as GatewayEvent)
    gateway.say({ event: 'tick', payload: {} } as never)
    gateway.tell(4)
    expect(heard.splice(0)).toEqual(['tick'])
    gateway.asks.at(-1)?.settle()
    gateway.lastSeq = 5
    gateway.tell(5)
    await settled()
    gateway.say({ event: 'agent', payload: {} } as GatewayEvent)
    expect(heard).toEqual([1, 2, 4, 'caught up, 1 live', 5, 'agent'])
  })

  test('L5: of what comes while an answer is awaited so much is held; the answer has the rest', async () => {
    const { gateway, heard, replay } = listening()
    gateway.pageRows = 10_000
    replay.follow(gateway.connect())
    gateway.lastSeq = 5_000
    gateway.tell(5_000)
    gateway.asks.at(-1)?.settle()
    gateway.lastSeq = 5_002
    gateway.tell(5_002)
    await settled()
    expect(numbers(heard)).toEqual(visible(0, 5_002))
  })

  test('an earlier connection is not listened to any more', async () => {
    const { gateway, heard, replay } = listening()
    let early: ((event: GatewayEvent) => void) | undefined
    const client = gateway.connect()
    const onEvent: GatewayClient['onEvent'] = listener => {
      early = listener
      return () => undefined
    }
    replay.follow({ ...client, onEvent })
    replay.follow(gateway.connect())
    gateway.asks.at(-1)?.settle()
    await settled()
    early?.(Gateway.event(7))
    expect(heard).toEqual(['caught up, 1 live'])
  })

  test('L5: a gateway that does not tell what was missed: that is said, and what comes from now on is handed on', async () => {
    const { gateway, heard, replay } = listening()
    replay.follow(gateway.connect({}))
    gateway.lastSeq = 1
    gateway.tell(1)
    gateway.lastSeq = 5
    gateway.tell(2)
    gateway.fails = new SluiceError('INVALID_REQUEST', 'unknown method: events.since')
    replay.follow(gateway.connect({ lastSeq: 4 }))
    gateway.tell(5)
    gateway.asks.at(-1)?.settle()
    await settled()
    expect(heard).toEqual([1, 2, 'too old', 5])
    expect(gateway.asks.map(({ seq }) => seq)).toEqual([2])
  })

  test('L5: a gateway on another store has other numbers: they are taken over', async () => {
    const { gateway, heard, replay } = listening()
    gateway.lastSeq = 90
    replay.follow(gateway.connect())
    gateway.lastSeq = 4
    replay.follow(gateway.connect())
    gateway.asks.at(-1)?.settle()
    await settled()
    gateway.lastSeq = 5
    gateway.tell(5)
    expect(heard).toEqual(['too old', 5])
  })

  test('of a connection that goes on nothing is kept once it has ended', () => {
    const { gateway, replay } = listening()
    replay.follow(gateway.connect())
    expect(gateway.listenerCount).toBe(1)
    replay.end()
    expect(gateway.listenerCount).toBe(0)
  })
})
