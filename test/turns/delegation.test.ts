// One turn has another session do something: it waits or is told later, once; stopping it stops what it asked for; and
// turns that set each other going come to an end.
import { afterEach, describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import { settled } from '../fakes/clock.ts'
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

type Ask = Parameters<Play>[0]
const sessionOf = ({ system }: Ask) => /This session: (\S+)\. /.exec(system)?.[1] ?? ''
const isTask = (ask: Ask) => sessionOf(ask).includes(':subagent:')
const isFirst = ({ messages }: Ask) => messages.at(-1)?.role === 'user'
const heard = ({ messages }: Ask) => {
  const last = messages.at(-1)
  return last?.role === 'assistant' ? '' : (last?.text ?? '')
}
const spawn = (args: object) => calls({ name: 'sessions_spawn', args: { task: 'look it up', label: 'look', ...args } })

const agent = (one: House, message: string, sessionKey = 'main') =>
  one.call('agent', { message, sessionKey, idempotencyKey: message })
const ofOne = { agents: { defaults: { maxConcurrent: 1, subagents: { maxConcurrent: 1 } } } }
const toldRuns = (one: House, sessionKey = 'agent:main:main') =>
  one.store.read.entries(sessionKey, 100).filter(({ runId }) => runId?.startsWith('told:'))

/** Main spawns when it is asked, and repeats what it hears; a task answers `found` when the gate is open. */
function spawning(args: object, gate: Promise<unknown> = Promise.resolve()): Play {
  return async ask => {
    if (isTask(ask)) {
      await gate
      return text('found')
    }
    return isFirst(ask) && heard(ask) === 'go' ? spawn(args) : text(`heard ${heard(ask)}`)
  }
}

describe('sessions_spawn', () => {
  test('W5: with room for one turn a task that is waited for runs, and its result is taken, not told', async () => {
    const one = await house(spawning({ waitSeconds: 60 }), { config: ofOne })
    const final = await agent(one, 'go')
    expect(JSON.stringify(final)).toContain('found')
    await settled()
    expect(toldRuns(one)).toEqual([])
    const status = await one.call('status')
    expect(status).toMatchObject({ runs: { running: 0, queued: 0, parked: 0 }, waits: [] })
  })

  test('a task that is not waited for is told once, as the next input of the session that asked', async () => {
    const gate = Promise.withResolvers<void>()
    const one = await house(spawning({}, gate.promise), { config: ofOne })
    expect(JSON.stringify(await agent(one, 'go'))).toContain('accepted')
    gate.resolve()
    await settled()
    const inputs = toldRuns(one).filter(({ body }) => body.kind === 'input')
    expect(inputs).toHaveLength(1)
    expect(JSON.stringify(inputs)).toMatch(/task \\"look\\" has ended: ok.*found/)
    const { notices } = await one.call('chat.unread', { sessionKey: 'main' })
    expect(notices.map(notice => notice.text)).toEqual([expect.stringContaining('heard System: the task')])
  })

  test('W6: a wait that times out says that the task goes on; its result is told later, once', async () => {
    const gate = Promise.withResolvers<void>()
    const one = await house(spawning({ waitSeconds: 5 }, gate.promise))
    const final = agent(one, 'go')
    await settled()
    await one.clock.advance(5_000)
    expect(JSON.stringify(await final)).toContain('told its reply when it has ended')
    expect(toldRuns(one)).toEqual([])
    gate.resolve()
    await settled()
    expect(toldRuns(one).filter(({ body }) => body.kind === 'input')).toHaveLength(1)
  })

  test('T1: a turn that is lost while it waits attaches to the same task, and hears its result once', async () => {
    const gate = Promise.withResolvers<void>()
    const play = spawning({ waitSeconds: 600 }, gate.promise)
    const before = await openHouse(play, { config: ofOne })
    void agent(before, 'go').catch(() => undefined)
    await settled()
    const { clock, folder } = before
    await before.leave()
    const after = await house(play, { config: ofOne, clock, folder })
    await settled()
    gate.resolve()
    expect(await after.call('agent.wait', { runId: 'go' })).toMatchObject({ status: 'ok' })
    await settled()
    expect(after.store.read.run('go')?.reply).toContain('found')
    expect(toldRuns(after)).toEqual([])
    const tasks = await after.call('sessions.list', { search: 'subagent' })
    expect(tasks.sessions.filter(({ key }) => key.includes(':subagent:'))).toHaveLength(1)
  })

  test('W4: a task that waits for the session that waits for it is refused at once', async () => {
    const config = { ...ofOne, tools: { subagents: { tools: { allow: ['sessions_send'] } } } }
    const one = await house(
      ask => {
        if (!isTask(ask)) return isFirst(ask) ? spawn({ waitSeconds: 60 }) : text(heard(ask))
        return isFirst(ask)
          ? calls({ name: 'sessions_send', args: { sessionKey: 'main', message: 'and?' } })
          : text(heard(ask))
      },
      { config },
    )
    expect(JSON.stringify(await agent(one, 'go'))).toContain('WOULD_DEADLOCK')
  })

  test('a task has fewer tools, is told that it is one, and goes no deeper and no wider than the limits', async () => {
    const tools: string[][] = []
    const config = {
      agents: { defaults: { subagents: { maxDepth: 1, maxChildren: 2 } } },
      tools: { subagents: { tools: { allow: ['sessions_spawn'] } } },
    }
    const gate = Promise.withResolvers<void>()
    const one = await house(
      async ask => {
        if (!isTask(ask))
          return isFirst(ask) && heard(ask) === 'go'
            ? calls(...['1', '2', '3'].map(task => ({ name: 'sessions_spawn', args: { task } })))
            : text('main')
        tools.push(ask.system.split('\n'))
        if (isFirst(ask)) return spawn({})
        await gate.promise
        return text(heard(ask))
      },
      { config },
    )
    await agent(one, 'go')
    await settled()
    const results = one.store.read.runEntries('go').flatMap(({ body }) => (body.kind === 'result' ? [body] : []))
    expect(results.map(({ isError }) => isError)).toEqual([false, false, true])
    expect(results[2]?.text).toContain('LIMIT')
    gate.resolve()
    await settled()
    expect(JSON.stringify(toldRuns(one))).toContain('handed on 1 levels deep')
    expect(tools[0]).toContain('Another session has you do the task below; your reply is its result. Ask nothing back.')
  })
})

describe('stopping', () => {
  test('W7: /stop ends a turn and the tasks it would be told of, down to the last, and nobody is told', async () => {
    const config = { tools: { subagents: { tools: { allow: ['sessions_spawn'] } } } }
    const one = await house(
      ask => {
        if (isFirst(ask) && (!isTask(ask) || sessionOf(ask).split(':subagent:').length === 2))
          return spawn({ waitSeconds: 600 })
        return untilAborted(ask.signal)
      },
      { config },
    )
    void agent(one, 'go').catch(() => undefined)
    await settled()
    expect(await one.call('status')).toMatchObject({ runs: { running: 3 } })
    const stopped = await one.call('chat.send', { sessionKey: 'main', message: '/stop', idempotencyKey: 's' })
    expect(stopped).toMatchObject({ ok: true, aborted: true })
    expect((stopped as { runIds: string[] }).runIds).toHaveLength(3)
    await settled()
    await one.clock.advance(10_000)
    expect(await one.call('status')).toMatchObject({ runs: { running: 0, queued: 0, parked: 0 }, waits: [] })
    expect(toldRuns(one)).toEqual([])
  })

  test('W7: a task that goes on after its turn has ended is stopped with the session, and nobody is told', async () => {
    const one = await house(ask => (isTask(ask) ? untilAborted(ask.signal) : isFirst(ask) ? spawn({}) : text('asked')))
    await agent(one, 'go')
    await settled()
    expect(await one.call('chat.abort', { sessionKey: 'main' })).toMatchObject({ aborted: true })
    await settled()
    expect(await one.call('status')).toMatchObject({ runs: { running: 0 } })
    expect(toldRuns(one)).toEqual([])
  })

  test('W7: who stops a turn is not told later what it had asked of a session, which goes on', async () => {
    const gate = Promise.withResolvers<void>()
    const one = await house(async ask => {
      if (sessionOf(ask) === 'agent:main:b') await gate.promise
      else if (isFirst(ask)) return calls({ name: 'sessions_send', args: { sessionKey: 'b', message: 'and?' } })
      return text('done')
    })
    void agent(one, 'go').catch(() => undefined)
    await settled()
    const [asked] = one.store.read.liveChildren('agent:main:main')
    expect(await one.call('chat.abort', { sessionKey: 'main' })).toMatchObject({ runIds: ['go'] })
    await settled()
    gate.resolve()
    expect(await one.call('agent.wait', { runId: asked?.runId ?? '' })).toMatchObject({ status: 'ok' })
    await settled()
    expect(toldRuns(one)).toEqual([])
  })

  test('who stops only the task leaves its session to be told', async () => {
    const one = await house(ask =>
      isTask(ask) ? untilAborted(ask.signal) : isFirst(ask) && heard(ask) === 'go' ? spawn({}) : text('noted'),
    )
    await agent(one, 'go')
    await settled()
    const [task] = one.store.read.liveChildren('agent:main:main')
    await one.call('chat.abort', { sessionKey: task?.sessionKey ?? '' })
    await settled()
    expect(JSON.stringify(toldRuns(one))).toContain('has ended: stopped')
  })
})

describe('rounds and queues', () => {
  test('two sessions that answer each other for ever are ended by the limit of turns in a row', async () => {
    let turns = 0
    const one = await house(ask => {
      turns += 1
      if (!isFirst(ask)) return text(heard(ask))
      const other = sessionOf(ask) === 'agent:main:a' ? 'b' : 'a'
      return calls({ name: 'sessions_send', args: { sessionKey: other, message: 'and you?', timeoutSeconds: 0 } })
    })
    await agent(one, 'begin', 'a')
    await settled()
    const all = ['a', 'b'].flatMap(key => one.store.read.entries(`agent:main:${key}`, 100))
    const refused = all.filter(({ body }) => body.kind === 'result' && body.isError)
    expect(refused).toHaveLength(1)
    expect(JSON.stringify(refused)).toContain('a message by a person begins anew')
    // 5 turns of each, and the one that began.
    expect(all.filter(({ body }) => body.kind === 'input')).toHaveLength(11)
    expect(turns).toBe(22)
  })

  test('W6: a session with a full queue refuses one more message with BUSY; nothing of it is kept', async () => {
    const gate = Promise.withResolvers<void>()
    const one = await house(
      async () => {
        await gate.promise
        return text('done')
      },
      { config: { messages: { queue: { cap: 2, mode: 'followup' } } } },
    )
    const send = (key: string) => one.call('chat.send', { sessionKey: 'main', message: key, idempotencyKey: key })
    await send('1')
    await send('2')
    const refused = await send('3').catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(SluiceError)
    expect(refused).toMatchObject({ code: 'BUSY', outcome: 'not-started', retryAfterMs: expect.any(Number) })
    expect(await send('2')).toMatchObject({ status: 'in_flight' })
    gate.resolve()
    await settled()
    expect(await send('3')).toMatchObject({ status: 'started' })
  })
})

function untilAborted(signal: AbortSignal): Promise<{ type: 'failed'; kind: 'aborted'; message: string }> {
  const { promise, resolve } = Promise.withResolvers<{ type: 'failed'; kind: 'aborted'; message: string }>()
  signal.addEventListener('abort', () => resolve({ type: 'failed', kind: 'aborted', message: 'aborted' }))
  return promise
}
