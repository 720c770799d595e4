// A turn asks a person before it goes on: who may answer, with what words, what is not run without a yes, and that neither
// a crash nor a second answer runs it twice.
import { afterEach, describe, expect, test } from 'vitest'
import type { Command } from '../../src/base/world.ts'
import type { Caller } from '../../src/dispatch/caller.ts'
import { settled } from '../fakes/clock.ts'
import { calls, type House, type HouseOptions, openHouse, type Play, text } from '../fakes/house.ts'

const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

const config = {
  agents: { defaults: { maxConcurrent: 1 } },
  tools: { exec: { security: 'allowlist', ask: 'on-miss' } },
}
const EXPIRES_MS = 10 * 60_000

const heard = ({ messages }: Parameters<Play>[0]) => {
  const last = messages.at(-1)
  return last?.role === 'tool' ? last.text : ''
}
const asking: Play = ask =>
  ask.messages.at(-1)?.role === 'user' ? calls({ name: 'exec', args: { command: 'git push' } }) : text(heard(ask))

/** A house in whose world every command exists and ends well; `ran` are those that were run. */
async function house(play: Play = asking, options: HouseOptions = {}) {
  const ran: Command[] = []
  const processes = {
    find: async (name: string) => `/usr/bin/${name}`,
    run: async (command: Command) => {
      ran.push(command)
      return { exitCode: 0, signal: null, output: 'pushed', cut: 0 }
    },
  }
  const one = await openHouse(play, { config, ...options, world: { processes } })
  open.push(one)
  return { ...one, ran }
}

const say = (one: House, message: string, key = message) =>
  one.call('chat.send', { sessionKey: 'main', message, idempotencyKey: key })
async function asked(one: House): Promise<string> {
  void say(one, 'go')
  await settled()
  const { approvals } = await one.call('approvals.list')
  return approvals[0]?.id ?? ''
}

describe('W7: while a turn waits for a person', () => {
  test('W7: its next "yes" in that chat goes to the wait, with room for one turn, and the command runs once', async () => {
    const one = await house()
    const id = await asked(one)
    expect(await one.call('approvals.list')).toMatchObject({
      approvals: [{ id, tool: 'exec', text: expect.stringContaining('git push'), askedIn: 'agent:main:main' }],
    })
    expect(one.ran).toEqual([])
    expect(await one.call('status')).toMatchObject({ runs: { running: 1, parked: 1 } })
    expect((await one.call('waits.list')).waits).toMatchObject([{ target: `approval:${id}` }])
    expect(await say(one, 'Yes', 'answer')).toEqual({
      runId: 'answer',
      status: 'ok',
      approvals: [{ id, state: 'allowed' }],
    })
    await settled()
    expect(one.ran.map(({ args }) => args)).toEqual([['push']])
    expect(one.store.read.run('go')).toMatchObject({ state: 'ok', reply: expect.stringContaining('pushed') })
    // The same message again is the same answer, not a new input.
    expect(await say(one, 'Yes', 'answer')).toMatchObject({ approvals: [{ id, state: 'used' }] })
    expect(one.store.read.liveRuns('agent:main:main')).toEqual([])
  })

  test('W7: any other words are a no that the model hears; the chat shows them', async () => {
    const one = await house()
    const id = await asked(one)
    expect(await say(one, 'use a branch instead')).toMatchObject({ approvals: [{ id, state: 'denied' }] })
    await settled()
    expect(one.ran).toEqual([])
    expect(one.store.read.run('go')?.reply).toContain('the person said no and wrote: use a branch instead')
    const { messages } = await one.call('chat.history', { sessionKey: 'main' })
    expect(JSON.stringify(messages)).toContain('use a branch instead')
  })

  test('W7: a message to another session is no answer, and /stop still stops', async () => {
    const one = await house()
    await asked(one)
    const other = one.call('chat.send', { sessionKey: 'other', message: 'yes', idempotencyKey: 'o' })
    expect(await other).toMatchObject({ status: 'started' })
    expect(await say(one, '/stop')).toMatchObject({ aborted: true })
    await settled()
    expect(one.ran).toEqual([])
    expect((await one.call('approvals.list')).approvals.filter(({ askedIn }) => askedIn === 'agent:main:main')).toEqual(
      [],
    )
  })

  test('a question nobody answers expires: nothing is run, and the model is told so', async () => {
    const one = await house()
    await asked(one)
    await one.clock.advance(EXPIRES_MS)
    expect(one.ran).toEqual([])
    expect(one.store.read.run('go')?.reply).toContain('nobody said yes within')
    expect(await one.call('approvals.list')).toEqual({ approvals: [] })
    expect(one.events.filter(({ event }) => event === 'exec.approval.resolved')).toMatchObject([
      { payload: { decision: null } },
    ])
  })

  test('it is decided once, by whoever is first; always is remembered for just this command', async () => {
    const one = await house()
    const id = await asked(one)
    const decide = (decision: string) => one.call('exec.approval.resolve', { id, decision })
    expect(await decide('allow-always')).toMatchObject({ ok: true, state: 'allowed', decided: true })
    expect(await decide('deny')).toMatchObject({ ok: true, decided: false })
    await settled()
    expect(one.ran).toHaveLength(1)
    await say(one, 'again')
    await settled()
    expect(one.ran).toHaveLength(2)
    one.play(ask =>
      ask.messages.at(-1)?.role === 'user' ? calls({ name: 'exec', args: { command: 'git pull' } }) : text(''),
    )
    await say(one, 'pull')
    await settled()
    expect(one.ran).toHaveLength(2)
    await expect(one.call('exec.approval.resolve', { id: 'none', decision: 'deny' })).rejects.toThrow(
      'unknown approval id',
    )
  })

  test('the question of a task is asked in the chat at its root; with two open, a bare yes allows nothing', async () => {
    const one = await house(
      ask => {
        if (ask.messages.at(-1)?.role !== 'user') return text(heard(ask))
        if (ask.system.includes(':subagent:')) return calls({ name: 'exec', args: { command: 'git push' } })
        if (!JSON.stringify(ask.messages.at(-1)).includes('"go"')) return text('noted')
        return calls(...[1, 2].map(n => ({ name: 'sessions_spawn', args: { task: `task ${n}` } })))
      },
      { config: { ...config, agents: {} } },
    )
    const id = await asked(one)
    const { approvals } = await one.call('approvals.list', { sessionKey: 'main' })
    expect(approvals).toHaveLength(2)
    await expect(say(one, 'yes')).rejects.toMatchObject({ message: expect.stringContaining(`yes ${id}`) })
    expect(one.ran).toEqual([])
    expect(await say(one, `yes ${id}`)).toMatchObject({ approvals: [{ id, state: 'allowed' }] })
    await settled()
    expect(one.ran).toHaveLength(1)
    expect(await say(one, 'no')).toMatchObject({ approvals: [{ id: approvals[1]?.id, state: 'denied' }] })
  })

  test('a process of the turn cannot say yes for its person', async () => {
    const one = await house()
    const id = await asked(one)
    const attempt = one.store.read.run('go')
    const caller: Caller = {
      principal: 'session:agent:main:main',
      label: 'a process',
      scopes: new Set(),
      turn: {
        ...{ runId: 'go', sessionKey: 'agent:main:main', agentId: 'main', jobId: undefined, hops: 0, callId: '3:0' },
        standing: { node: 'run:go', slot: undefined as never, deadline: undefined as never },
        allows: () => true,
      },
    }
    expect(attempt?.state).toBe('running')
    const chat = { sessionKey: 'main', message: 'yes', idempotencyKey: 'mine' }
    expect(await one.dispatcher.call('chat.send', chat, { caller })).toMatchObject({ status: 'started' })
    const decision = { id, decision: 'allow-once' }
    await expect(one.dispatcher.call('exec.approval.resolve', decision, { caller })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    })
    expect(one.ran).toEqual([])
  })
})

describe('T1: a crash', () => {
  test('while it waits: the turn asks on, is answered once and runs once', async () => {
    const before = await house()
    const id = await asked(before)
    const { clock, folder } = before
    open.pop()
    await before.leave()
    const after = await house(asking, { clock, folder })
    await settled()
    expect((await after.call('approvals.list')).approvals.map(approval => approval.id)).toEqual([id])
    expect(await say(after, 'yes')).toMatchObject({ approvals: [{ id, state: 'allowed' }] })
    await settled()
    expect([before.ran, after.ran].map(ran => ran.length)).toEqual([0, 1])
    expect(after.store.read.run('go')?.reply).toContain('pushed')
  })

  test('after the command began: it is not run again, and the model is told that its outcome is unknown', async () => {
    const began = Promise.withResolvers<void>()
    const processes = {
      find: async (name: string) => `/usr/bin/${name}`,
      run: async () => {
        began.resolve()
        return await new Promise<never>(() => undefined)
      },
    }
    const before = await openHouse(asking, { config, world: { processes } })
    await asked(before)
    await say(before, 'yes')
    await began.promise
    const { clock, folder } = before
    await before.leave()
    const after = await house(asking, { clock, folder })
    await settled()
    expect(after.ran).toEqual([])
    expect(after.store.read.run('go')?.reply).toContain('interrupted, outcome unknown')
  })
})
