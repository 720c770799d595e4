// What a message does while a turn of its session runs, in each queue mode: on the production rooms, with the model held
// at a gate, and across crashes.
import { afterEach, describe, expect, test } from 'vitest'
import type { SluiceError } from '../../src/base/errors.ts'
import type { ChatEvent } from '../../src/protocol/events.ts'
import { settled } from '../fakes/clock.ts'
import { calls, type House, type HouseOptions, openHouse, type Play, text } from '../fakes/house.ts'

const MAIN = 'agent:main:main'
const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

async function house(play: Play, options: HouseOptions = {}): Promise<House> {
  const made = await openHouse(play, options)
  open.push(made)
  return made
}

const modeOf = (mode: string) => ({ config: { messages: { queue: { mode } } } })
const send = (one: House, key: string) =>
  one.call('chat.send', { sessionKey: 'main', message: key, idempotencyKey: key })
const wait = (one: House, runId: string) => one.call('agent.wait', { runId })

/** What people wrote that the model was shown, once for each of its answers. */
function gated() {
  const gates: (() => void)[] = []
  const seen: string[][] = []
  const play: Play = async ({ messages, signal }) => {
    seen.push(messages.flatMap(message => (message.role === 'user' ? [message.text] : [])))
    const { promise, resolve } = Promise.withResolvers<void>()
    gates.push(resolve)
    signal.addEventListener('abort', () => resolve())
    await promise
    return signal.aborted ? { type: 'failed', kind: 'aborted', message: 'aborted' } : text(`answer ${seen.length}`)
  }
  return { play, seen, open: async () => settled().then(() => gates.shift()?.()) }
}

function chats(one: House, runId: string): ChatEvent[] {
  return one.events.flatMap(({ event, payload }) => {
    const chat = payload as ChatEvent
    return event === 'chat' && chat.runId === runId && chat.state !== 'delta' ? [chat] : []
  })
}

const transcript = (one: House) =>
  one.store.read.entries(MAIN, 100).flatMap(({ body }) => {
    if (body.kind === 'input') return [`user: ${body.text}`]
    return body.kind === 'message' ? [`assistant: ${body.text}`] : []
  })

describe('steer, the default', () => {
  test('L1: a message joins the turn at its next step, consumed in the entry that shows it, and its run ends there', async () => {
    const asked: string[][] = []
    const tool = Promise.withResolvers<void>()
    const one = await house(async ({ messages }) => {
      asked.push(messages.flatMap(message => (message.role === 'user' ? [message.text] : [])))
      if (asked.length > 1) return text('both done')
      await tool.promise
      return calls({ name: 'cron', args: { action: 'list' } })
    })
    await send(one, 'first')
    await settled()
    expect(await send(one, 'second')).toEqual({ runId: 'second', status: 'started', ahead: 1, queueMode: 'steer' })
    tool.resolve()
    expect(await wait(one, 'first')).toMatchObject({ status: 'ok' })
    expect(asked).toEqual([['first'], ['first', 'second']])
    expect(one.store.read.runEntries('first').map(({ body }) => body.kind)).toEqual([
      ...['input', 'attempt', 'message', 'result', 'attempt', 'input', 'message', 'end'],
    ])
    expect(one.store.read.run('second')).toMatchObject({ state: 'ok', mergedInto: 'first', attempt: 0 })
    expect(chats(one, 'second')).toEqual([expect.objectContaining({ state: 'final', mergedInto: 'first' })])
    expect(await send(one, 'second')).toEqual({ runId: 'second', status: 'ok' })
  })

  test('L1: a turn does not end while a message is unconsumed: what comes before its last answer is answered in it', async () => {
    const { play, seen, open: next } = gated()
    const one = await house(play)
    await send(one, 'first')
    await settled()
    await send(one, 'second')
    await send(one, 'third')
    await next()
    await settled()
    expect(await send(one, 'second')).toMatchObject({ status: 'in_flight' })
    await next()
    expect(await wait(one, 'third')).toMatchObject({ status: 'ok' })
    expect(seen).toEqual([['first'], ['first', 'second', 'third']])
    expect(transcript(one)).toEqual([
      ...['user: first', 'assistant: answer 1', 'user: second', 'user: third', 'assistant: answer 2'],
    ])
    expect(one.parts.lanes.heldCount + one.parts.lanes.waitingCount).toBe(0)
    expect(one.parts.graph.list()).toEqual([])
  })

  test('W6: who waited for the message waits for the turn that took it, and a stop of either stops that', async () => {
    const { play, open: next } = gated()
    const one = await house(play)
    await send(one, 'first')
    await settled()
    await send(one, 'second')
    const waited = wait(one, 'second')
    await next()
    await settled()
    const late = wait(one, 'second')
    expect(await one.call('chat.abort', { sessionKey: 'main', runId: 'second' })).toMatchObject({ runIds: ['first'] })
    expect(await Promise.all([waited, late])).toMatchObject([{ status: 'error' }, { status: 'error' }])
    expect(await send(one, 'second')).toMatchObject({ status: 'error' })
  })

  test('L4: a message that joins a turn nobody is told of is answered all the same', async () => {
    const { play, open: next } = gated()
    const one = await house(play)
    void one.call('agent', { sessionKey: 'main', message: 'by a program', idempotencyKey: 'program' })
    await settled()
    await send(one, 'by a person')
    await next()
    await next()
    await wait(one, 'by a person')
    expect(one.store.read.unreadNotices(MAIN, 10)).toMatchObject([
      { id: 'reply:program', text: 'answer 1\n\nanswer 2' },
    ])
  })

  test('a turn that writes to its own session, and a program, have turns of their own', async () => {
    const one = await house(({ messages }) => {
      const last = messages.at(-1)
      return last?.role === 'user' && last.text === 'first'
        ? calls({ name: 'sessions_send', args: { sessionKey: 'main', message: 'to myself', timeoutSeconds: 0 } })
        : text('done')
    })
    await send(one, 'first')
    await settled()
    expect(transcript(one)).toHaveLength(5)
    expect(one.store.read.entries(MAIN, 100).filter(({ body }) => body.kind === 'end')).toHaveLength(2)
  })

  test('a message after a reset is for the new transcript', async () => {
    const { play, seen, open: next } = gated()
    const one = await house(play)
    await send(one, 'first')
    await settled()
    await one.call('sessions.reset', { key: 'main' })
    await send(one, 'anew')
    await next()
    await next()
    await wait(one, 'anew')
    expect(seen).toEqual([['first'], ['anew']])
  })

  test('L2: after a crash the turn goes on with what had joined it, which is answered once', async () => {
    const { play, open: next } = gated()
    const first = await openHouse(play)
    await send(first, 'first')
    await settled()
    await send(first, 'second')
    await next()
    await settled()
    await send(first, 'third')
    await first.leave()
    const asked: string[][] = []
    const one = await house(
      ({ messages }) => {
        asked.push(messages.flatMap(message => (message.role === 'user' ? [message.text] : [])))
        return text('all three')
      },
      { folder: first.folder, clock: first.clock },
    )
    expect(await wait(one, 'third')).toMatchObject({ status: 'ok' })
    expect(await wait(one, 'second')).toMatchObject({ status: 'ok' })
    expect(asked).toEqual([['first', 'second', 'third']])
    expect(transcript(one)).toEqual([
      ...['user: first', 'assistant: answer 1', 'user: second', 'user: third', 'assistant: all three'],
    ])
  })

  test('the limit of steps is on what a turn does by itself: what a person adds begins it anew', async () => {
    let step = 0
    const one = await house(async () => {
      step += 1
      if (step === 39) await send(one, 'go on')
      return step < 60 ? calls({ name: 'cron', args: { action: 'get', id: `${step}` } }) : text('at last')
    })
    await send(one, 'first')
    expect(await wait(one, 'first')).toMatchObject({ status: 'ok' })
  })
})

describe('the other modes', () => {
  test('followup: each message has a turn of its own, one after the other', async () => {
    const { play, seen, open: next } = gated()
    const one = await house(play, modeOf('followup'))
    for (const key of ['first', 'second', 'third']) await send(one, key)
    for (const _ of seen.concat([[], [], []])) await next()
    await wait(one, 'third')
    expect(seen).toEqual([['first'], ['first', 'second'], ['first', 'second', 'third']])
  })

  test('collect: all that wait share the next turn', async () => {
    const { play, seen, open: next } = gated()
    const one = await house(play, modeOf('collect'))
    await send(one, 'first')
    await settled()
    await send(one, 'second')
    await send(one, 'third')
    await next()
    await next()
    expect(await wait(one, 'third')).toMatchObject({ status: 'ok' })
    expect(seen).toEqual([['first'], ['first', 'second', 'third']])
    expect(one.store.read.run('third')).toMatchObject({ mergedInto: 'second' })
  })

  test('W6: collect: who waited for a message before it was collected hears of the end of the turn that took it', async () => {
    const { play, open: next } = gated()
    const one = await house(play, modeOf('collect'))
    await send(one, 'first')
    await settled()
    await send(one, 'second')
    await send(one, 'third')
    const waited = wait(one, 'third')
    await next()
    await settled()
    expect(one.parts.lanes.waitingCount).toBe(0)
    await next()
    expect(await waited).toMatchObject({ status: 'ok' })
    expect([one.parts.joins.waitingCount, one.parts.lanes.heldCount]).toEqual([0, 0])
    expect(one.parts.graph.nameOf('run:third')).toBe('run:third')
  })

  test('interrupt: the turn is stopped, and so are messages that wait; the new one runs', async () => {
    const { play, seen, open: next } = gated()
    const one = await house(play, modeOf('interrupt'))
    await send(one, 'first')
    await settled()
    expect(await send(one, 'second')).toMatchObject({ status: 'started' })
    await settled()
    expect(chats(one, 'first')).toMatchObject([{ state: 'aborted' }])
    await next()
    await next()
    expect(await wait(one, 'second')).toMatchObject({ status: 'ok' })
    expect(seen).toEqual([['first'], ['first', 'second']])
  })

  test('L2: interrupt: a turn that a crash kept from being stopped does not come back', async () => {
    const { play } = gated()
    const first = await openHouse(play, modeOf('interrupt'))
    await send(first, 'first')
    await settled()
    // Accepted, and the crash comes before anything is stopped.
    await first.store.write.acceptMessage({
      run: {
        ...{ runId: 'second', sessionKey: MAIN, echoKey: MAIN, agentId: 'main', text: 'second', source: 'chat' },
        queueMode: 'interrupt',
      },
      nowMs: first.clock.now(),
    })
    await first.leave()
    const one = await house(() => text('the second'), {
      folder: first.folder,
      clock: first.clock,
      ...modeOf('interrupt'),
    })
    expect(await wait(one, 'second')).toMatchObject({ status: 'ok' })
    expect(one.store.read.run('first')).toMatchObject({ state: 'aborted' })
  })

  test('reject: a busy session refuses with BUSY, and nothing of it is kept', async () => {
    const { play, open: next } = gated()
    const one = await house(play, modeOf('reject'))
    await send(one, 'first')
    const refused = await send(one, 'second').catch((error: SluiceError) => error)
    expect(refused).toMatchObject({ code: 'BUSY', outcome: 'not-started', retryAfterMs: expect.any(Number) })
    expect(one.store.read.run('second')).toBeUndefined()
    await next()
    await wait(one, 'first')
    expect(await send(one, 'second')).toMatchObject({ status: 'started' })
    await next()
    await wait(one, 'second')
  })
})
