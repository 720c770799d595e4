// Several agents in one gateway: what each one is to its turns, who is refused by name, what turns of one may have others
// do, and what becomes of a job whose agent is gone.
import { afterEach, describe, expect, test } from 'vitest'
import { loopback } from '../../src/channels/loopback/loopback.ts'
import type { Job } from '../../src/protocol/job.ts'
import { inlineRunner } from '../../src/turns/perform.ts'
import { settled } from '../fakes/clock.ts'
import { calls, type House, type HouseOptions, openHouse, type Play, text } from '../fakes/house.ts'

const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})

const models = { providers: { test: { baseUrl: 'http://127.0.0.1:1/v1' } } }
const list = [
  {
    id: 'ann',
    name: 'Ann',
    workspace: '/srv/ann',
    model: { primary: 'test/large', fallbacks: ['test/spare'] },
    identity: { name: 'Annie', theme: 'dry and kind', emoji: '🦊' },
    tools: { deny: ['cron'] },
    subagents: { allowAgents: ['bob'] },
  },
  { id: 'bob', tools: { allow: ['cron', 'sessions_list', 'exec', 'nothing'] }, subagents: { model: 'test/small' } },
]
const CONFIG = {
  models,
  agents: { defaults: { model: { primary: 'test/usual', fallbacks: ['test/second'] } }, list },
  tools: { exec: { security: 'full', ask: 'off' }, deny: ['gateway'] },
}

async function house(play: Play, options: HouseOptions = {}): Promise<House> {
  const one = await openHouse(play, { config: CONFIG, ...options })
  open.push(one)
  return one
}

const ask = (one: House, sessionKey: string, message = 'go') =>
  one.call('agent', { message, sessionKey, idempotencyKey: `${sessionKey} ${message}` })
const quiet: Play = () => text('done')
/** Each call is made once, one after another; then what was answered is said. */
const calling =
  (name: string, args: object, within?: string): Play =>
  ({ messages, system }) => {
    const last = messages.at(-1)
    if (within !== undefined && !system.includes(`This session: ${within}.`)) return text('another')
    return last?.role === 'user' ? calls({ name, args }) : text(JSON.stringify(last))
  }
/** All that a finished call of `agent` says. */
const said = async (answer: Promise<unknown>) => JSON.stringify(await answer)

describe('each agent has', () => {
  test('its own models, with those of all where it names none', async () => {
    const chains: unknown[] = []
    const runner = inlineRunner(choice => {
      chains.push(choice.kind === 'chain' ? choice.links.map(({ ref }) => ref) : choice.ref)
      throw new Error('no model in this test')
    })
    const one = await house(quiet, { runner })
    for (const key of ['agent:ann:x', 'agent:bob:x', 'main']) await ask(one, key).catch(() => undefined)
    expect(chains).toEqual([
      ['test/large', 'test/spare'],
      ['test/usual', 'test/second'],
      ['test/usual', 'test/second'],
    ])
    expect(await one.call('sessions.status', { key: 'agent:ann:new' })).toMatchObject({ model: 'test/large' })
    expect(await one.call('sessions.status', { key: 'new' })).toMatchObject({ model: 'test/usual' })
  })

  test('its own tools, never more than all have', async () => {
    const one = await house(quiet)
    const names = (agentId: string) =>
      one.parts.outside.toolboxOf({ agentId, sessionKey: `agent:${agentId}:main` }).descriptions.map(({ name }) => name)
    expect(names('main')).toContain('cron')
    expect(names('main')).not.toContain('gateway')
    expect(names('ann')).toEqual(names('main').filter(name => name !== 'cron'))
    expect(names('bob').sort()).toEqual(['cron', 'exec', 'sessions_list'])
  })

  test('its own folder: its files are in its prompt, and its commands run there', async () => {
    const folders: string[] = []
    const processes = {
      find: async (name: string) => `/usr/bin/${name}`,
      run: async ({ cwd }: { cwd: string }) => {
        folders.push(cwd)
        return { exitCode: 0, signal: null, output: '', cut: 0 }
      },
    }
    const prompts: string[] = []
    const play: Play = request => {
      prompts.push(request.system)
      return calling('exec', { command: 'ls' })(request)
    }
    const one = await house(play, { world: { processes } })
    const usual = `${one.folder}/workspace`
    one.files['/srv/ann/SOUL.md'] = 'Likes foxes.'
    one.files[`${usual}/AGENTS.md`] = 'Only for the default agent.'
    one.files[`${usual}/USER.md`] = 'x'.repeat(20_001)
    for (const key of ['agent:ann:x', 'agent:bob:x', 'main']) await ask(one, key)
    expect(folders).toEqual(['/srv/ann', `${usual}-bob`, usual])
    const [ann, , bob, , main] = prompts
    expect(ann).toContain('You are Annie, an assistant')
    expect(ann).toContain('Your manner: dry and kind.')
    expect(ann).toMatch(/\n\n# \/srv\/ann\/SOUL\.md\nLikes foxes\.$/)
    expect(bob).not.toContain('# ')
    expect(main).toContain('You are an assistant that lives')
    expect(main).toContain('Only for the default agent.')
    expect(main).toMatch(/USER\.md\nx{20000}… \(cut: 1 more characters\)$/)
  })

  test('a file that cannot be read is named, and stops nobody', async () => {
    let prompt = ''
    const one = await house(({ system }) => {
      prompt = system
      return text('done')
    })
    Object.defineProperty(one.files, '/srv/ann/USER.md', {
      get: () => {
        throw new Error('EIO')
      },
    })
    await ask(one, 'agent:ann:x')
    expect(prompt).toContain('# /srv/ann/USER.md\n(It cannot be read: EIO)')
  })

  test('a face: clients are told its name and what is shown for it', async () => {
    const one = await house(quiet)
    const { agents, defaultId } = await one.call('agents.list')
    expect(defaultId).toBe('main')
    expect(agents).toEqual([
      { id: 'main' },
      { id: 'ann', name: 'Ann', identity: { name: 'Annie', theme: 'dry and kind', emoji: '🦊' } },
      { id: 'bob' },
    ])
    const who = (params: object) => one.call('agent.identity.get', params)
    expect(await who({ agentId: 'Ann' })).toEqual({ agentId: 'ann', name: 'Annie', avatar: '🦊' })
    expect(await who({ sessionKey: 'agent:bob:x' })).toEqual({ agentId: 'bob', name: 'Assistant', avatar: 'A' })
    await expect(who({ agentId: 'eve' })).rejects.toThrow('There is no agent "eve". Use one of: main, ann, bob;')
  })
})

test('an agent that the config does not name takes nothing, by whatever way, and what there was can be read', async () => {
  const one = await house(quiet)
  const refused = {
    code: 'INVALID_REQUEST',
    outcome: 'not-started',
    message: expect.stringContaining('main, ann, bob'),
  }
  const to = { sessionKey: 'agent:eve:main', message: 'hi' }
  const job = { name: 'j', schedule: { kind: 'every', everyMs: 60_000 }, payload: { kind: 'agentTurn', message: 'x' } }
  const ways = [
    ['chat.send', { ...to, idempotencyKey: 'a' }],
    ['agent', { message: 'hi', agentId: 'Eve', idempotencyKey: 'b' }],
    ['sessions.send', to],
    ['sessions.spawn', { task: 'x', agentId: 'eve' }],
    ['hooks.agent', { message: 'x', agentId: 'eve' }],
    ['cron.add', { ...job, agentId: 'eve' }],
  ] as const
  for (const [method, params] of ways) await expect(one.call(method, params)).rejects.toMatchObject(refused)
  expect(one.store.read.sessions({ limit: 9 })).toEqual([])
  expect(one.store.read.jobCount({ includeDisabled: true })).toBe(0)
  expect(await one.call('chat.history', { sessionKey: 'agent:eve:main' })).toMatchObject({ messages: [] })
})

test('where none is named the default agent is meant, and in a turn its own', async () => {
  const agents = { list: [{ id: 'ann', default: true }, { id: 'bob' }] }
  const one = await house(calling('session_status', { sessionKey: 'main' }), { config: { agents } })
  await ask(one, 'main')
  await one.call('wake', { text: 'up', mode: 'now' })
  await settled()
  expect(one.store.read.sessions({ limit: 9 }).map(({ key }) => key)).toEqual(['agent:ann:main'])
  expect(await said(ask(one, 'agent:bob:x'))).toContain('agent:bob:main')
  expect(await one.call('health')).toMatchObject({ defaultAgentId: 'ann' })
  expect(await one.call('agents.list')).toMatchObject({ defaultId: 'ann' })
})

const ofBob = {
  principal: 'session:agent:bob:x',
  label: 'the turn of agent:bob:x',
  scopes: new Set(),
  turn: { agentId: 'bob', sessionKey: 'agent:bob:x', allows: () => true },
}

describe('turns of one agent', () => {
  test('have others do tasks only as the config says, with the model of tasks', async () => {
    const one = await house(calling('sessions_spawn', { task: 'x', agentId: 'bob' }, 'agent:ann:x'))
    const spawned = await said(ask(one, 'agent:ann:x'))
    await settled()
    const [, runId = ''] = /(spawn:[^"\\]+)/.exec(spawned) ?? []
    const task = { agentId: 'bob', model: 'test/small', sessionKey: expect.stringMatching(/^agent:bob:subagent:/) }
    expect(one.store.read.run(runId)).toMatchObject(task)
    one.play(calling('sessions_spawn', { task: 'x', agentId: 'ann' }, 'agent:main:x'))
    const refusal = await said(ask(one, 'agent:main:x'))
    expect(refusal).toContain('FORBIDDEN')
    expect(refusal).toContain('it may use: main. Nothing was started')
    one.play(calling('agents_list', {}))
    const listed = await said(ask(one, 'agent:ann:y'))
    expect(listed).toContain('bob')
    expect(listed).not.toMatch(/id\W+main/)
  })

  test('reach sessions of another only where both may talk', async () => {
    const talk = (agentToAgent: object) => ({ ...CONFIG, tools: { agentToAgent } })
    const reach = async (config: object) => {
      const one = await house(quiet, { config })
      await ask(one, 'agent:bob:secret', 'hidden')
      one.play(calling('sessions_history', { sessionKey: 'agent:bob:secret' }))
      const history = await said(ask(one, 'agent:ann:x'))
      one.play(calling('sessions_list', {}))
      const listed = await said(ask(one, 'agent:ann:x', 'list'))
      return [history.includes('hidden'), listed.includes('agent:bob:secret')]
    }
    expect(await reach(CONFIG)).toEqual([false, false])
    expect(await reach(talk({ enabled: true }))).toEqual([true, true])
    expect(await reach(talk({ enabled: true, allow: ['ann'] }))).toEqual([false, false])
    expect(await reach(talk({ enabled: true, allow: ['ann', 'bob'] }))).toEqual([true, true])
    expect(await reach(talk({ enabled: true, allow: ['*'] }))).toEqual([true, true])
  })

  test('are shown their own sessions, however many others there are of late', async () => {
    const one = await house(quiet)
    await ask(one, 'agent:bob:mine')
    await one.clock.advance(1_000)
    for (let at = 0; at < 3; at += 1) await ask(one, `agent:ann:${at}`)
    one.play(calling('sessions_list', { limit: 2 }))
    expect(await said(ask(one, 'agent:bob:main', 'list'))).toContain('agent:bob:mine')
    one.play(calling('sessions_list', { limit: 1, kinds: ['other'] }))
    const listed = await said(ask(one, 'agent:bob:main', 'others'))
    expect(listed).toContain('agent:bob:mine')
    expect(listed).not.toContain('agent:ann')
  })

  test('have no process that is told what was said to another, nor what its chats are owed', async () => {
    const told = async (agentToAgent: object) => {
      const line = loopback({ dedupesSends: true, fault: () => ({ kind: 'lost' }) })
      const run = async ({ env }: { env: Readonly<Record<string, string>> }) => {
        const caller = one.reach.callerOf(String(env.SLUICE_CAUSE))
        if (!caller) throw new Error('the cause is nobody')
        const answers = ['status', 'outbox.list'].map(method => one.dispatcher.call(method, {}, { caller }))
        return { exitCode: 0, signal: null, output: JSON.stringify(await Promise.all(answers)), cut: 0 }
      }
      const world = { processes: { find: async (name: string) => `/bin/${name}`, run } }
      const config = { ...CONFIG, tools: { ...CONFIG.tools, agentToAgent } }
      const one = await house(quiet, { config, world, channels: [line] })
      one.play(() => text('hidden from others'))
      await ask(one, 'agent:ann:secret', 'a secret')
      await one.call('send', { to: '1', message: 'hidden in a chat', channel: line.id, idempotencyKey: 's' })
      one.play(calling('exec', { command: 'sluice' }))
      const heard = await said(ask(one, 'agent:bob:x'))
      expect(heard).toContain('agent:bob:x')
      return [heard.includes('a secret') || heard.includes('hidden from others'), heard.includes('hidden in a chat')]
    }
    expect(await told({})).toEqual([false, false])
    expect(await told({ enabled: true })).toEqual([true, true])
  })

  test('are shown no job of another, and run and remove none', async () => {
    const job = { name: 'hers', schedule: { kind: 'every', everyMs: 3_600_000 } }
    const one = await house(quiet)
    const { id } = await one.call('cron.add', { ...job, agentId: 'ann', payload: { kind: 'agentTurn', message: 'x' } })
    await one.call('cron.add', { ...job, name: 'his', agentId: 'bob', payload: { kind: 'message', text: 'x' } })
    await one.call('cron.run', { id, mode: 'force', wait: true })
    let asked = 0
    const told = async (agent: string, action: string, more: object = {}) => {
      asked += 1
      one.play(calling('cron', { action, ...more }))
      return await said(ask(one, `agent:${agent}:x`, `${action} ${asked}`))
    }
    const listed = await told('bob', 'list')
    expect([listed.includes('his'), listed.includes('hers')]).toEqual([true, false])
    expect(listed).toMatch(/total\W+1\b/)
    expect(await told('bob', 'history')).not.toContain(id)
    expect(await told('bob', 'runs', { jobId: id })).not.toContain('finished')
    expect(await told('bob', 'next', { jobId: id })).toContain('unknown cron job id')
    for (const action of ['run', 'remove']) expect(await told('bob', action, { jobId: id })).toContain('may not have')
    const { jobs, total } = await one.call('cron.list', {})
    expect([jobs.length, total]).toEqual([2, 2])
    const { entries } = await one.call('cron.runs', { id })
    expect(entries).toHaveLength(1)
    const talking = { ...CONFIG, tools: { ...CONFIG.tools, agentToAgent: { enabled: true } } }
    one.parts.control.apply(one.parts.control.config.load(JSON.stringify(talking)))
    expect(await told('bob', 'list')).toContain('hers')
    expect(await told('bob', 'history')).toContain('finished')
    await one.call('cron.remove', { id })
    one.parts.control.apply(one.parts.control.config.load(JSON.stringify(CONFIG)))
    expect(await told('bob', 'runs', { jobId: id })).not.toContain('finished')
  })

  test('name, see and count no job of another through what their own jobs wait for', async () => {
    const one = await house(quiet)
    const payload = { kind: 'message', text: 'x' } as const
    const every = { kind: 'every', everyMs: 3_600_000 } as const
    const hers = await one.call('cron.add', { name: 'hers', schedule: every, agentId: 'ann', payload })
    const after = { kind: 'after', job: hers.id, on: 'ok' } as const
    const ofBobs = async (method: Parameters<typeof one.dispatcher.call>[0], params: object) =>
      (await one.dispatcher.call(method, params as never, { caller: ofBob as never, key: `${asked++}` })) as Job
    let asked = 0
    const refusal = (job: string) =>
      ofBobs('cron.add', { name: 'x', schedule: { ...after, job }, payload }).catch(({ code, message, details }) =>
        JSON.stringify([code, message, details]).replaceAll(job, 'it'),
      )
    expect(await refusal(hers.id)).toBe(await refusal('nobody'))
    const off = { name: 'off', schedule: after, payload, enabled: false }
    const waits = await ofBobs('cron.add', off)
    for (const patch of [{ enabled: true }, { schedule: after, enabled: true }])
      await expect(ofBobs('cron.update', { id: waits.id, patch })).rejects.toThrow(`there is no job "${hers.id}"`)
    expect(await ofBobs('cron.list', { id: hers.id })).toEqual({ jobs: [], total: 0 })
    // One that is named is shown also while it is off.
    expect(await one.call('cron.list', { id: waits.id })).toMatchObject({ jobs: [{ id: waits.id }], total: 1 })
    // What a person has tied together works, and its own side may be changed.
    await one.call('cron.update', { id: waits.id, patch: { enabled: true } })
    await ofBobs('cron.update', { id: waits.id, patch: { name: 'renamed' } })
    expect(JSON.stringify(await ofBobs('cron.next', { id: waits.id }))).not.toContain('hers')
    expect(await one.call('cron.next', { id: waits.id })).toMatchObject({ words: expect.stringContaining('"hers"') })
    expect([await ofBobs('cron.status', {}), await one.call('cron.status', {})]).toMatchObject([
      { jobs: 1 },
      { jobs: 2 },
    ])
    const his = await ofBobs('cron.add', { name: 'his', schedule: every, payload })
    const follows = { schedule: { ...after, job: his.id }, payload }
    const secret = await one.call('cron.add', { ...follows, name: 'secret', agentId: 'ann' })
    const own = await ofBobs('cron.add', { ...follows, name: 'own' })
    const end = { schedule: { ...after, job: secret.id }, payload, name: 'end', agentId: 'bob', enabled: true }
    const { id: job } = await one.call('cron.add', end)
    const circle = await ofBobs('cron.update', { id: his.id, patch: { schedule: { ...after, job } } }).catch(String)
    expect(circle).toContain(`"his", which waits for "end", which waits for "${secret.id}", which waits for "his"`)
    await one.call('cron.remove', { id: job })
    const removed = await ofBobs('cron.remove', { id: his.id })
    expect(removed).toMatchObject({ waiting: [{ id: own.id, name: 'own' }] })
    await one.call('cron.remove', { id: hers.id })
    const told = JSON.stringify(await ofBobs('cron.list', { includeDisabled: true } as never))
    expect(told).toContain('that it waits for is gone')
    for (const kept of ['hers', secret.id]) expect(told).not.toContain(kept)
  })

  test('read the last messages of sessions in their list, and send to one by its label', async () => {
    const one = await house(quiet)
    await ask(one, 'agent:main:y', 'remember the milk')
    await one.call('sessions.patch', { key: 'agent:main:y', label: 'shopping' })
    one.play(calling('sessions_list', { messageLimit: 1 }))
    const listed = await said(ask(one, 'agent:main:x'))
    expect(listed).toContain('done')
    expect(listed).not.toContain('remember the milk')
    const send = (more: object) => calling('sessions_send', { message: 'and bread', timeoutSeconds: 0, ...more })
    one.play(send({ label: 'shopping' }))
    expect(await said(ask(one, 'agent:main:x', 'one'))).toContain('agent:main:y')
    one.play(send({}))
    expect(await said(ask(one, 'agent:main:x', 'two'))).toContain('sessions_send needs')
  })

  test('find no session of another by its label', async () => {
    const one = await house(quiet)
    await ask(one, 'agent:ann:x')
    await one.call('sessions.patch', { key: 'agent:ann:x', label: 'hers' })
    const found = await one.call('sessions.resolve', { label: 'hers' })
    expect(found).toMatchObject({ key: 'agent:ann:x' })
    // A process of a turn asks so.
    const asked = one.dispatcher.call('sessions.resolve', { label: 'hers' }, { caller: ofBob as never })
    await expect(asked).rejects.toThrow('No session found with label: hers')
  })

  test('give no job to an agent that may do more, nor change one of it', async () => {
    const job = { name: 'j', schedule: { kind: 'every', everyMs: 3_600_000 }, payload: { kind: 'message', text: 'x' } }
    const one = await house(calling('cron', { action: 'add', job: { ...job, agentId: 'ann' } }))
    expect(await said(ask(one, 'agent:bob:x'))).toContain('may not have')
    const { id } = await one.call('cron.add', { ...job, agentId: 'ann' })
    one.play(calling('cron', { action: 'update', jobId: id, patch: { payload: { kind: 'message', text: 'y' } } }))
    expect(await said(ask(one, 'agent:bob:x', 'change'))).toContain('may not have')
    const { jobs } = await one.call('cron.list', {})
    expect(jobs).toMatchObject([{ payload: { text: 'x' } }])
  })
})

describe('a job', () => {
  const every = { kind: 'every', everyMs: 60_000 } as const
  const turn = {
    name: 't',
    schedule: every,
    payload: { kind: 'agentTurn', message: 'work' },
    sessionTarget: 'isolated',
  }
  const event = { name: 'e', schedule: every, payload: { kind: 'systemEvent', text: 'look' }, sessionTarget: 'main' }
  const note = { name: 'm', schedule: every, payload: { kind: 'message', text: 'tea' } }

  test('runs as its agent, in a session of its own or in its main one, and tells that one', async () => {
    const one = await house(quiet)
    const { id } = await one.call('cron.add', { ...turn, agentId: 'ann' })
    await one.call('cron.add', { ...event, agentId: 'bob' })
    await one.clock.advance(61_000)
    const keys = one.store.read.sessions({ limit: 9 }).map(({ key, agentId }) => [key, agentId])
    expect(keys.sort()).toEqual([
      [`agent:ann:cron:${id}`, 'ann'],
      ['agent:ann:main', 'ann'],
      ['agent:bob:main', 'bob'],
    ])
    expect(one.store.read.unreadNotices('agent:ann:main', 9)).toMatchObject([{ text: 'done' }])
  })

  test.each([
    ['a turn', turn],
    ['an event', event],
    ['a text', note],
  ])('of an agent that is gone fails in the ledger and says so, to who is there: %s', async (_, job) => {
    const one = await house(quiet)
    const { id } = await one.call('cron.add', { ...job, agentId: 'bob' })
    one.parts.control.apply(one.parts.control.config.load(JSON.stringify({ ...CONFIG, agents: {} })))
    await one.clock.advance(61_000)
    const { entries } = await one.call('cron.runs', { id })
    expect(entries).toMatchObject([{ status: 'error', error: expect.stringContaining('There is no agent "bob"') }])
    const told = one.store.read.unreadNotices('agent:main:main', 9)
    expect(told).toMatchObject([{ text: expect.stringContaining('There is no agent "bob"') }])
    await one.call('cron.update', { id, patch: { enabled: false } })
  })
})

test('a chat is of the agent that a binding names, from the next message on', async () => {
  const channel = loopback({ dedupesSends: true })
  const bindings = [
    { agentId: 'bob', match: { channel: 'loopback' } },
    { agentId: 'ann', match: { channel: 'loopback', peer: { kind: 'dm', id: '7' } } },
    { agentId: 'ann', match: { channel: 'loopback', guildId: 'g' } },
  ]
  const one = await house(quiet, { channels: [channel], config: { ...CONFIG, bindings } })
  const write = async (chatId: string, messageId: string) => {
    await channel.say({ messageId, chatId, from: { id: 'p', name: 'Ada' }, text: 'hello', atMs: 0 })
    await settled()
  }
  await write('7', 'm1')
  await write('8', 'm2')
  one.parts.control.apply(one.parts.control.config.load(JSON.stringify(CONFIG)))
  await write('7', 'm3')
  const keys = one.store.read.sessions({ limit: 9 }).map(({ key }) => key)
  expect(keys.sort()).toEqual(['agent:ann:loopback:7', 'agent:bob:loopback:8', 'agent:main:loopback:7'])
  expect(channel.seen.map(({ text }) => text)).toEqual(['done', 'done', 'done'])
})
