// The shapes in which sessions wait for each other or for themselves: a message to oneself, a circle, a parent that holds
// what its child needs, an announcement to one who is busy, two names for one session.
import { expect, test } from 'vitest'
import { Gate, resultOf } from '../e2e/scripted-model.ts'
import { atEachLimit, cron, send } from './house.ts'

const dueNow = () => ({ kind: 'at', atMs: Date.now() }) as const

atEachLimit(house => {
  test('WAIT-09 W4: a session that sends to itself and waits is refused at once; without waiting it is its next input', async () => {
    const { model } = house
    model.script('agent:main:self', send('SELF'), send('self', { timeoutSeconds: 0 }), ask => ({
      text: JSON.stringify([0, 1].map(index => resultOf(ask, index))),
    }))
    const second = new Gate()
    model.script('agent:main:self', second.hold({ text: 'and again' }))
    await house.chat('self', 'begin', 'self-1')
    const [refused, accepted] = JSON.parse(await house.reply('self-1'))
    expect(refused).toMatchObject({ code: 'WOULD_DEADLOCK', outcome: 'not-started' })
    expect(refused.cycle[0]).toBe('run:self-1')
    expect(refused.cycle.at(-1)).toBe('run:self-1')
    expect(refused.error).toContain('timeoutSeconds 0')
    expect(accepted).toMatchObject({ status: 'accepted', runId: expect.any(String) })
    await second.reached
    second.open()
    expect(await house.reply(accepted.runId)).toBe('and again')
    expect(await house.inputsOf('self')).toEqual(['begin', 'System: message from session agent:main:self:\nto self'])
  })

  test('WAIT-10 W4: a circle of sessions is refused where it would close, by name, and all of them end', async () => {
    const { model, client } = house
    const before = (await client.call('waits.list', {})).refused
    model.script('agent:main:a', send('b'), ask => ({ text: `A: ${resultOf(ask, 0).reply}` }))
    model.script('agent:main:b', send('c'), ask => ({ text: `B: ${resultOf(ask, 0).reply}` }))
    model.script('agent:main:c', send('a'), ask => ({ text: `C: ${ask.results[0]}` }))
    await house.chat('a', 'begin', 'a-1')
    const reply = await house.reply('a-1')
    expect(reply).toMatch(/^A: B: C: \{/)
    const refused = JSON.parse(reply.slice('A: B: C: '.length))
    expect(refused).toMatchObject({ code: 'WOULD_DEADLOCK', outcome: 'not-started' })
    for (const name of ['a', 'b', 'c']) expect(refused.error).toContain(`the turn of agent:main:${name}`)
    expect(await house.inputsOf('a')).toEqual(['begin'])
    expect(await client.call('waits.list', {})).toEqual({ waits: [], refused: before + 1 })
  })

  test('WAIT-11 W5: a chain of sessions, each waiting for the next, is answered back to its beginning', async () => {
    const { model } = house
    const chain = ['k0', 'k1', 'k2', 'k3', 'k4']
    for (const [index, key] of chain.entries()) {
      const next = chain[index + 1]
      if (next) model.script(`agent:main:${key}`, send(next), ask => ({ text: `${key} ${resultOf(ask, 0).reply}` }))
      else model.script(`agent:main:${key}`, { text: key })
    }
    await house.chat('k0', 'begin', 'k0-1')
    expect(await house.reply('k0-1')).toBe('k0 k1 k2 k3 k4')
  })

  test('WAIT-12 W5: when parents fill every place and each waits for a child, the children have room', async () => {
    const { model, client, limit } = house
    const names = Array.from({ length: 2 * limit }, (_, index) => `parent-${index}`)
    const gates = names.map(name => {
      const gate = new Gate()
      const ask = send(`child-of-${name}`)
      model.script(`agent:main:${name}`, gate.hold(ask), done => ({ text: String(resultOf(done, 0).reply) }))
      model.script(`agent:main:child-of-${name}`, { text: `child of ${name}` })
      return gate
    })
    for (const name of names) await house.chat(name, 'begin', `${name}-1`)
    await Promise.all(gates.slice(0, limit).map(gate => gate.reached))
    expect((await client.call('status', {})).runs).toMatchObject({ running: limit, queued: limit })
    for (const gate of gates) gate.open()
    const replies = await Promise.all(names.map(name => house.reply(`${name}-1`)))
    expect(replies).toEqual(names.map(name => `child of ${name}`))
  })

  test('WAIT-13 W6: a wait that ends at its bound names the run that goes on, whose reply is told later, once', async () => {
    const { model, limit } = house
    const gate = new Gate()
    model.script('agent:main:late', gate.hold({ text: 'late' }))
    const wait = send('late', { timeoutSeconds: 0.5 })
    model.script(
      'agent:main:hasty',
      wait,
      ask => ({ text: `${ask.results[0]}` }),
      ask => ({ text: `heard ${ask.user}` }),
    )
    await house.chat('hasty', 'begin', 'hasty-1')
    await gate.reached
    await house.waited('hasty-1', /^run:/)
    // The wait is over. With one place the held turn has it, and the answer is used once that turn has come to its end.
    if (limit > 1) expect(JSON.parse(await house.reply('hasty-1'))).toMatchObject({ status: 'timeout' })
    expect(gate.isOpen).toBe(false)
    gate.open()
    const { status, runId } = JSON.parse(await house.reply('hasty-1'))
    expect([status, await house.reply(runId)]).toEqual(['timeout', 'late'])
    const told = 'System: session agent:main:late has answered your message:\nlate'
    expect(await house.reply(`told:${runId}`)).toBe(`heard ${told}`)
    expect(await house.inputsOf('hasty')).toEqual(['begin', told])
    expect([house.asksOf('late'), house.asksOf('hasty')]).toEqual([1, 3])
  })

  test('WAIT-14 W2: a reply is handed over once, and nobody goes on talking by himself', async () => {
    const { model } = house
    model.script('agent:main:ping', send('pong'), ask => ({ text: `heard ${resultOf(ask, 0).reply}` }))
    model.script('agent:main:pong', { text: 'pong' })
    await house.chat('ping', 'begin', 'ping-1')
    expect(await house.reply('ping-1')).toBe('heard pong')
    await house.expectIdle()
    expect([house.asksOf('ping'), house.asksOf('pong')]).toEqual([2, 1])
    expect(await house.inputsOf('ping')).toEqual(['begin'])
  })

  test('WAIT-15 W2: what is announced to a session that talks is kept for it without waiting', async () => {
    const { client, model } = house
    const payload = { kind: 'message', text: 'the tea is ready' }
    const gate = new Gate()
    model.script(
      'agent:main:busy',
      cron({ action: 'add', job: { name: 'tea', schedule: dueNow(), payload } }),
      gate.hold({ calls: [{ name: 'sessions_history', args: { sessionKey: 'busy' } }] }),
      ask => ({ text: `seen: ${JSON.stringify(resultOf(ask, 1)).includes('the tea is ready')}` }),
    )
    await house.chat('busy', 'begin', 'busy-1')
    await gate.reached
    const told = await client.events.notice('the tea is ready')
    expect(told).toMatchObject({ sessionKey: 'agent:main:busy', notice: { source: 'job' } })
    const { notices } = await client.call('chat.unread', { sessionKey: 'busy' })
    expect(notices).toMatchObject([{ text: 'the tea is ready' }])
    expect(await client.call('chat.markRead', { ids: notices.map(({ id }) => id) })).toMatchObject({ marked: 1 })
    expect(gate.isOpen).toBe(false)
    gate.open()
    expect(await house.reply('busy-1')).toBe('seen: true')
    expect(house.asksOf('busy')).toBe(3)
  })

  test('WAIT-16 W2: all spellings of a session are one lane, and its transcript has one writer', async () => {
    const { client } = house
    const gate = await house.heldTurn('alias', 'alias-1', [{ text: 'first' }, { text: 'second' }, { text: 'third' }])
    const spelled = ['AGENT:main:alias', ' Alias ']
    for (const [index, key] of spelled.entries()) {
      expect(await house.chat(key, `as ${index}`, `alias-${index + 2}`)).toMatchObject({ ahead: index + 1 })
    }
    const { state, runs } = await client.call('sessions.status', { key: 'agent:MAIN:alias' })
    expect([state, runs.map(({ status }) => status)]).toEqual(['running', ['running', 'queued', 'queued']])
    expect(house.asksOf('alias')).toBe(1)
    gate.open()
    expect(await Promise.all([1, 2, 3].map(n => house.reply(`alias-${n}`)))).toEqual(['first', 'second', 'third'])
    const { messages } = await client.call('chat.history', { sessionKey: 'alias' })
    expect(messages.map(({ content }) => content[0]?.text)).toEqual([
      'begin',
      'first',
      'as 0',
      'second',
      'as 1',
      'third',
    ])
  })

  test('WAIT-17 W2: events for a session that talks are inputs in their order, and none is lost', async () => {
    const { client, model } = house
    const gate = await house.heldTurn('main', 'main-1', [{ text: 'talked' }])
    const texts = ['one', 'two']
    const heard = texts.map(text => {
      const answered = Promise.withResolvers<string>()
      model.script('agent:main:main', ask => {
        answered.resolve(ask.user)
        return { text }
      })
      return answered.promise
    })
    const jobs = []
    for (const text of texts) {
      const payload = { kind: 'systemEvent', text } as const
      const job = await client.call('cron.add', {
        ...{ name: text, schedule: dueNow(), payload, sessionTarget: 'main', wakeMode: 'now', enabled: true },
      })
      await client.events.cron(job.id, 'started')
      jobs.push(job)
    }
    expect((await client.call('sessions.status', { key: 'main' })).runs).toHaveLength(3)
    expect(gate.isOpen).toBe(false)
    gate.open()
    expect(await house.reply('main-1')).toBe('talked')
    expect((await Promise.all(heard)).map(text => /\] (\w+)$/.exec(text)?.[1])).toEqual(texts)
    for (const job of jobs) expect(await client.events.cron(job.id, 'finished')).toMatchObject({ status: 'ok' })
  })

  test('WAIT-18 W2 W7: a session that talks is reset at once; the turn ends in its old transcript', async () => {
    const { client, model } = house
    const gate = await house.heldTurn('fresh', 'fresh-1', [{ text: 'old' }, { text: 'new' }])
    const before = (await client.call('chat.history', { sessionKey: 'fresh' })).sessionId
    const reset = await client.call('sessions.reset', { key: 'fresh' })
    expect(reset).toMatchObject({ ok: true, key: 'agent:main:fresh' })
    expect(reset.entry.sessionId).not.toBe(before)
    expect(gate.isOpen).toBe(false)
    gate.open()
    expect(await house.reply('fresh-1')).toBe('old')
    await house.chat('fresh', 'hello', 'fresh-2')
    expect(await house.reply('fresh-2')).toBe('new')
    const last = model.asks('agent:main:fresh').at(-1)
    expect(last?.messages.map(({ role }) => role)).toEqual(['system', 'user'])
  })
})
