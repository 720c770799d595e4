// Turns carried through the production rooms, without threads and on a test's clock.
import { afterEach, describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import type { ChatEvent } from '../../src/protocol/events.ts'
import { inlineRunner } from '../../src/turns/perform.ts'
import { FakeClock, settled } from '../fakes/clock.ts'
import { calls, type House, type HouseOptions, openHouse, type Play, text } from '../fakes/house.ts'

const open: House[] = []
async function house(play: Play, options?: HouseOptions): Promise<House> {
  const made = await openHouse(play, options)
  open.push(made)
  return made
}
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

const agent = (one: House, message: string, { sessionKey = 'main', key = message } = {}) =>
  one.call('agent', { message, sessionKey, idempotencyKey: key })
const chats = (one: House, runId: string) =>
  one.events.flatMap(event => {
    const payload = event.payload as ChatEvent
    return event.event === 'chat' && payload.runId === runId ? [payload] : []
  })

const FOLLOWUP = { config: { messages: { queue: { mode: 'followup' } } } }

describe('a turn', () => {
  test('L1, L2: is accepted, journaled and answered; the transcript is its entries', async () => {
    const one = await house(({ messages }) =>
      messages.at(-1)?.role === 'user' ? calls({ name: 'session_status', args: {} }) : text('fine'),
    )
    const final = await agent(one, 'how are you?')
    expect(final).toMatchObject({ status: 'ok', result: { payloads: [{ text: 'fine' }] } })
    expect(one.store.read.runEntries('how are you?').map(entry => entry.body.kind)).toEqual([
      'input',
      'attempt',
      'message',
      'result',
      'attempt',
      'message',
      'end',
    ])
    const history = await one.call('chat.history', { sessionKey: 'main' })
    expect(history.messages.map(message => message.role)).toEqual(['user', 'assistant', 'toolResult', 'assistant'])
  })

  test('one turn at a time per session; the second is said to be queued and is answered', async () => {
    const gate = Promise.withResolvers<void>()
    const one = await house(async ({ messages }) => {
      const last = messages.at(-1)
      if (last?.role === 'user' && last.text === 'first') await gate.promise
      return text(`to ${last?.role === 'user' ? last.text : ''}`)
    }, FOLLOWUP)
    const send = (message: string) => one.call('chat.send', { message, sessionKey: 'main', idempotencyKey: message })
    expect(await send('first')).toEqual({ runId: 'first', status: 'started', ahead: 0 })
    expect(await send('second')).toEqual({ runId: 'second', status: 'started', ahead: 1, queueMode: 'followup' })
    expect(await one.call('sessions.status', { key: 'agent:main:main' })).toMatchObject({ state: 'running' })
    gate.resolve()
    expect(await one.call('agent.wait', { runId: 'second' })).toMatchObject({ status: 'ok' })
    expect(chats(one, 'second').at(-1)).toMatchObject({
      state: 'final',
      sessionKey: 'main',
      message: { content: [{ text: 'to second' }] },
    })
  })

  test('T1: the same key again is the same run, and other words under it are refused', async () => {
    const one = await house(() => text('done'))
    await agent(one, 'hello', { key: 'k' })
    const again = await agent(one, 'hello', { key: 'k' })
    expect(again).toMatchObject({ runId: 'k', status: 'ok' })
    await expect(agent(one, 'other', { key: 'k' })).rejects.toMatchObject({ code: 'CONFLICT' })
    expect(one.store.read.entries('agent:main:main', 100).filter(entry => entry.body.kind === 'input')).toHaveLength(1)
  })
})

describe('W7: control never queues', () => {
  test('W7: with the only slot taken, a running and a queued turn are stopped, and reads answer', async () => {
    const one = await house(({ signal }) => untilAborted(signal), {
      config: { agents: { defaults: { maxConcurrent: 1 } } },
    })
    const running = agent(one, 'running').catch((error: SluiceError) => error)
    await settled()
    const queued = agent(one, 'queued').catch((error: SluiceError) => error)
    const elsewhere = agent(one, 'elsewhere', { sessionKey: 'other' }).catch((error: SluiceError) => error)
    await settled()
    expect(await one.call('status')).toMatchObject({ runs: { running: 1, queued: 2, slots: 1 } })
    expect(await one.call('cron.list')).toEqual({ jobs: [], total: 0 })
    expect(await one.call('chat.abort', { sessionKey: 'main' })).toMatchObject({
      aborted: true,
      runIds: ['running', 'queued'],
    })
    expect([await running, await queued].map(error => (error as SluiceError).details?.state)).toEqual([
      'aborted',
      'aborted',
    ])
    expect(await one.call('chat.abort', { sessionKey: 'other' })).toMatchObject({ aborted: true })
    await elsewhere
    expect(await one.call('status')).toMatchObject({ runs: { running: 0, queued: 0, parked: 0 } })
    expect(one.store.read.run('queued')).toMatchObject({ state: 'aborted', attempt: 0 })
  })

  test('T3: a runner that ignores its abort is let go after a moment; its late entries are refused', async () => {
    const late = Promise.withResolvers<void>()
    const outcome = Promise.withResolvers<unknown>()
    const one = await house(() => text(''), {
      runner: {
        run: async (_, link) => {
          await late.promise
          await link.attempt('late').then(outcome.resolve, outcome.resolve)
          return { state: 'ok', reply: 'too late' }
        },
        abandon: () => undefined,
        close: async () => undefined,
      },
    })
    const running = agent(one, 'stuck').catch((error: SluiceError) => error)
    await settled()
    await one.call('chat.abort', { sessionKey: 'main' })
    await one.clock.advance(5_000)
    expect(await running).toMatchObject({ details: { state: 'aborted' } })
    late.resolve()
    expect(await outcome.promise).toMatchObject({ code: 'STALE' })
    one.play(() => text(''))
    expect(one.parts.lanes.heldCount).toBe(0)
  })
})

describe('W6: time-outs of turns', () => {
  test('W6: a turn that works too long is stopped and says so; the session goes on', async () => {
    const one = await house(({ signal }) => untilAborted(signal), {
      config: { agents: { defaults: { timeoutSeconds: 30 } } },
    })
    const running = agent(one, 'slow').catch((error: SluiceError) => error)
    await settled()
    await one.clock.advance(30_000)
    expect(await running).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('30000 ms of work') })
    expect(chats(one, 'slow').at(-1)).toMatchObject({ state: 'aborted', stopReason: 'timeout' })
    one.play(() => text('back'))
    expect(await agent(one, 'next')).toMatchObject({ status: 'ok' })
  })
})

describe('W4, W5: sessions that wait for each other', () => {
  /** Session `a` sends to `b` and waits; `b` answers, or sends back. */
  const talk =
    (back: boolean): Play =>
    ({ messages }) => {
      const last = messages.at(-1)
      if (last?.role === 'tool') return text(`heard ${last.text}`)
      const words = last?.role === 'user' ? last.text : ''
      if (words === 'start') return calls({ name: 'sessions_send', args: { sessionKey: 'b', message: 'ping' } })
      if (back) return calls({ name: 'sessions_send', args: { sessionKey: 'agent:main:a', message: 'pong' } })
      return text('pong')
    }
  const config = { agents: { defaults: { maxConcurrent: 1 } } }

  test('W5: with one slot for all, the sender parks and the other answers', async () => {
    const one = await house(talk(false), { config })
    const final = await agent(one, 'start', { sessionKey: 'a' })
    expect(JSON.stringify(final)).toContain('pong')
    expect(one.parts.slots.takenCount + one.parts.slots.parkedCount).toBe(0)
  })

  test('who waits for what is listed and announced while it lasts', async () => {
    const gate = Promise.withResolvers<void>()
    const answers = talk(false)
    const one = await house(async ask => {
      if (ask.messages.at(-1)?.role === 'user' && JSON.stringify(ask.messages.at(-1)).includes('ping'))
        await gate.promise
      return await answers(ask)
    })
    const talking = agent(one, 'start', { sessionKey: 'a' })
    await settled()
    const { waits } = await one.call('waits.list')
    expect(waits).toMatchObject([
      { who: 'the turn of agent:main:a', what: 'the turn of agent:main:b', untilMs: one.clock.now() + 30_000 },
    ])
    await one.clock.advance(1_000)
    expect((await one.call('status')).waits).toMatchObject([{ waitingMs: 1_000 }])
    expect(one.events.filter(event => event.event === 'waits').at(-1)).toMatchObject({
      payload: { waits: [{ who: 'the turn of agent:main:a' }] },
    })
    gate.resolve()
    await talking
    await one.clock.advance(1_000)
    expect(one.events.filter(event => event.event === 'waits').at(-1)).toMatchObject({ payload: { waits: [] } })
  })

  test('W4: sending back is refused at once with the cycle, leaves nothing behind, and both turns end', async () => {
    const one = await house(talk(true), { config })
    const final = await agent(one, 'start', { sessionKey: 'a' })
    expect(JSON.stringify(final)).toContain('WOULD_DEADLOCK')
    expect(JSON.stringify(final)).toContain('session agent:main:a, which is held by the turn of agent:main:a')
    expect(one.store.read.liveRuns('agent:main:a')).toEqual([])
    expect(one.parts.graph.list()).toEqual([])
  })

  test('W4: a message to oneself that waits is refused; without waiting it is the next input', async () => {
    const one = await house(({ messages }) => {
      const last = messages.at(-1)
      if (last?.role === 'tool') return text(last.text)
      if (last?.role === 'user' && last.text === 'wait')
        return calls({ name: 'sessions_send', args: { sessionKey: 'MAIN', message: 'me' } })
      if (last?.role === 'user' && last.text === 'go') {
        return calls({ name: 'sessions_send', args: { sessionKey: 'main', message: 'me', timeoutSeconds: 0 } })
      }
      return text('heard myself')
    })
    expect(JSON.stringify(await agent(one, 'wait'))).toContain('WOULD_DEADLOCK')
    expect(JSON.stringify(await agent(one, 'go'))).toContain('accepted')
    await settled()
    const history = await one.call('chat.history', { sessionKey: 'main' })
    expect(JSON.stringify(history.messages.at(-1))).toContain('heard myself')
  })
})

describe('L2: after a crash', () => {
  test('L2, T1: the turn goes on from its last entry; its keyed effect is there once', async () => {
    const clock = new FakeClock()
    const gate = Promise.withResolvers<never>()
    const job = { name: 'n', schedule: { kind: 'every', everyMs: 3_600_000 }, payload: { kind: 'message', text: 't' } }
    const before = await openHouse(
      async ({ messages }) =>
        messages.at(-1)?.role === 'user' ? calls({ name: 'cron', args: { action: 'add', job } }) : await gate.promise,
      { clock },
    )
    void agent(before, 'plan').catch(() => undefined)
    await settled()
    expect(before.store.read.jobCount({ includeDisabled: true })).toBe(1)
    await before.leave()
    const asked: string[][] = []
    const after = await house(
      ({ messages }) => {
        asked.push(messages.map(message => message.role))
        return text('planned')
      },
      { clock, folder: before.folder },
    )
    expect(await after.call('agent.wait', { runId: 'plan' })).toMatchObject({ status: 'ok' })
    expect(asked).toEqual([['user', 'assistant', 'tool']])
    expect(after.store.read.jobCount({ includeDisabled: true })).toBe(1)
    expect(after.store.read.run('plan')).toMatchObject({ attempt: 2, state: 'ok', reply: 'planned' })
  })

  test('a runner that is lost is replaced, and a turn that always loses it is given up', async () => {
    let lost = 0
    const real = inlineRunner(() => ({
      ref: 'test/model',
      async *stream() {
        yield text('at last')
      },
    }))
    const losing = (times: number): HouseOptions => ({
      runner: {
        ...real,
        run: (...args) => {
          lost += 1
          return lost <= times ? Promise.reject(new SluiceError('UNAVAILABLE', 'thread gone')) : real.run(...args)
        },
      },
    })
    const one = await house(() => text(''), losing(2))
    expect(await agent(one, 'go')).toMatchObject({ status: 'ok' })
    expect(one.store.read.run('go')).toMatchObject({ attempt: 3 })
    lost = 0
    const other = await house(() => text(''), losing(99))
    await expect(agent(other, 'go')).rejects.toMatchObject({
      message: expect.stringContaining('given up: 3 attempts were lost'),
    })
    expect(lost).toBe(3)
  })
})

async function untilAborted(signal: AbortSignal) {
  if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
  return { type: 'failed', kind: 'aborted', message: 'stopped' } as const
}
