// Methods that find, set, end and fill sessions, on the production rooms.
import { afterEach, describe, expect, test } from 'vitest'
import { inlineRunner } from '../../src/turns/perform.ts'
import { settled } from '../fakes/clock.ts'
import { type House, type HouseOptions, openHouse, type Play, text } from '../fakes/house.ts'

const open: House[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close()
})
async function house(play: Play = () => text('said'), options: HouseOptions = {}): Promise<House> {
  const made = await openHouse(play, options)
  open.push(made)
  return made
}
const say = (one: House, sessionKey: string, message: string) =>
  one.call('agent', { sessionKey, message, idempotencyKey: message })
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => 'not refused',
    (error: Error) => error.message,
  )

const PROVIDERS = { models: { providers: { p: { baseUrl: 'http://127.0.0.1:1/v1' } } } }

describe('sessions.preview and sessions.resolve', () => {
  test('the last lines of each session, cut; a missing one and an empty one say so', async () => {
    const one = await house(() => text('an answer that is long enough to be cut'))
    await say(one, 'a', 'hello')
    await one.call('sessions.reset', { key: 'empty' })
    const { previews } = await one.call('sessions.preview', { keys: ['a', 'nobody', 'empty'], maxChars: 20 })
    expect(previews).toEqual([
      {
        key: 'a',
        status: 'ok',
        items: [
          { role: 'user', text: 'hello' },
          { role: 'assistant', text: 'an answer that is l…' },
        ],
      },
      { key: 'nobody', status: 'missing', items: [] },
      { key: 'empty', status: 'empty', items: [] },
    ])
    expect((await one.call('sessions.preview', { keys: ['a'], limit: 1 })).previews[0]?.items).toHaveLength(1)
  })

  test('by key, label or transcript; what is wrong is said as clients know it', async () => {
    const one = await house()
    await say(one, 'a', 'hello')
    await one.call('sessions.patch', { key: 'a', label: 'Work' })
    const sessionId = one.store.read.session('agent:main:a')?.sessionId as string
    for (const by of [{ key: 'A' }, { label: 'Work' }, { sessionId }]) {
      expect(await one.call('sessions.resolve', by)).toEqual({ ok: true, key: 'agent:main:a' })
    }
    const said = [{}, { key: 'a', label: 'Work' }, { key: 'b' }, { label: 'Home' }]
    expect(await Promise.all(said.map(params => refusal(one.call('sessions.resolve', params))))).toEqual([
      'Either key, sessionId, or label is required',
      'Provide either key, sessionId, or label (not multiple)',
      'No session found: b',
      'No session found with label: Home',
    ])
  })
})

describe('sessions.patch', () => {
  test('its queue mode and its policy hold for just this session, and null takes them back', async () => {
    const gate = Promise.withResolvers<void>()
    const one = await house(() => gate.promise.then(() => text('said')))
    const send = (sessionKey: string, key: string) =>
      one.call('chat.send', { sessionKey, message: key, idempotencyKey: key })
    await one.call('sessions.patch', { key: 'a', queueMode: 'collect' })
    for (const key of ['a', 'b']) await send(key, `${key}1`)
    await settled()
    expect(await send('a', 'a2')).toMatchObject({ queueMode: 'collect' })
    expect(await send('b', 'b2')).toMatchObject({ queueMode: 'steer' })
    await one.call('sessions.patch', { key: 'a', queueMode: null, sendPolicy: 'deny' })
    expect(await refusal(send('a', 'a3'))).toBe('send blocked by session policy')
    await one.call('sessions.patch', { key: 'a', sendPolicy: null })
    expect(await send('a', 'a4')).toMatchObject({ queueMode: 'steer' })
    gate.resolve()
    await settled()
  })

  test('its model answers its turns, until a reset; one that nobody serves is refused', async () => {
    const one = await house(undefined, { config: PROVIDERS })
    const asked: string[] = []
    const two = await house(undefined, { config: PROVIDERS, runner: probe(asked) })
    expect(await refusal(one.call('sessions.patch', { key: 'a', model: 'nobody/m' }))).toContain('nobody')
    const { entry } = await two.call('sessions.patch', { key: 'a', model: 'p/big' })
    expect(entry).toMatchObject({ providerOverride: 'p', modelOverride: 'big' })
    for (const key of ['a', 'b']) await say(two, key, key)
    await two.call('sessions.patch', { key: 'b', model: 'p/small' })
    // Who answers next, whoever answered last.
    expect(await two.call('sessions.status', { key: 'b' })).toMatchObject({ model: 'p/small' })
    await two.call('sessions.reset', { key: 'a' })
    await say(two, 'a', 'again')
    expect(asked).toEqual(['p/big', 'sluice/offline', 'sluice/offline'])
  })

  test('the model that is told is the one that answers next, whatever answered last', async () => {
    const one = await house(undefined, { config: PROVIDERS, runner: probe([]) })
    const told = async () => (await one.call('sessions.status', { key: 'a' })).model
    const usual = await told()
    const patch = (model: string | null) => one.call('sessions.patch', { key: 'a', model })
    await say(one, 'a', 'one')
    for (const [model, expected] of [
      ['p/big', 'p/big'],
      [null, usual],
      ['p/big', 'p/big'],
    ] as const) {
      await patch(model)
      expect(await told()).toBe(expected)
      await say(one, 'a', `after ${expected} ${model}`)
    }
    await one.call('sessions.reset', { key: 'a' })
    expect(await told()).toBe(usual)
  })

  test('a session of an agent that there is none of is not made, by a reset neither', async () => {
    const one = await house()
    for (const call of [
      one.call('sessions.patch', { key: 'agent:typo:main', label: 'x' }),
      one.call('sessions.reset', { key: 'agent:typo:main' }),
    ]) {
      expect(await refusal(call)).toContain('There is no agent "typo"')
    }
    expect((await one.call('sessions.list', {})).sessions.map(({ key }) => key)).not.toContain('agent:typo:main')
  })

  test('T1: who asks again whether a message was taken is told so, also when the session was closed since', async () => {
    const one = await house()
    const sent = { sessionKey: 'a', message: 'hi', idempotencyKey: 'a1' }
    await one.call('chat.send', sent)
    await settled()
    await one.call('sessions.patch', { key: 'a', sendPolicy: 'deny' })
    expect(await one.call('chat.send', sent)).toEqual({ runId: 'a1', status: 'ok' })
    for (const method of ['chat.send', 'agent'] as const) {
      expect(await refusal(one.call(method, { ...sent, idempotencyKey: `a-${method}` }))).toBe(
        'send blocked by session policy',
      )
    }
  })

  test('what a turn uses after its session began anew is no use of the new one', async () => {
    const gate = Promise.withResolvers<void>()
    const one = await house(() =>
      gate.promise.then(() => ({ ...text('said'), usage: { inputTokens: 100, outputTokens: 10 } })),
    )
    await one.call('chat.send', { sessionKey: 'a', message: 'hi', idempotencyKey: 'a1' })
    await settled()
    await one.call('sessions.reset', { key: 'a' })
    gate.resolve()
    await settled()
    const { sessions } = await one.call('sessions.list', { search: ':a' })
    expect(sessions).toMatchObject([{ inputTokens: 0, outputTokens: 0 }])
    await say(one, 'a', 'next')
    expect((await one.call('sessions.list', { search: ':a' })).sessions).toMatchObject([
      { inputTokens: 100, outputTokens: 10 },
    ])
  })

  test('two sessions have no label in common; what is kept for clients comes back', async () => {
    const one = await house()
    await one.call('sessions.patch', { key: 'a', label: 'Work', thinkingLevel: 'high' })
    expect(await refusal(one.call('sessions.patch', { key: 'b', label: 'Work' }))).toBe('label already in use: Work')
    expect(await refusal(one.call('sessions.patch', { key: 'b', spawnedBy: 'x' }))).toContain('subagent')
    const again = await one.call('sessions.patch', { key: 'a', thinkingLevel: 'off', verboseLevel: 'on' })
    expect(again.entry).toMatchObject({ label: 'Work', verboseLevel: 'on' })
    expect(again.entry).not.toHaveProperty('thinkingLevel')
    expect((await one.call('sessions.list')).sessions).toMatchObject([{ key: 'agent:main:a', label: 'Work' }])
  })
})

describe('sessions.delete', () => {
  test('W7: its turn is stopped and nobody waits for it; the session begins anew with its next message', async () => {
    const gate = Promise.withResolvers<void>()
    const one = await house(({ signal }) => {
      signal.addEventListener('abort', () => gate.resolve())
      return gate.promise.then(() => (signal.aborted ? { type: 'failed', kind: 'aborted', message: '' } : text('new')))
    })
    await one.call('chat.send', { sessionKey: 'a', message: 'hi', idempotencyKey: 'k' })
    await settled()
    await one.call('sessions.patch', { key: 'a', label: 'Work' })
    const { archived } = await one.call('sessions.delete', { key: 'a' })
    expect(archived).toHaveLength(1)
    await settled()
    expect(await one.call('agent.wait', { runId: 'k' })).toMatchObject({ status: 'error' })
    expect(await one.call('sessions.list')).toMatchObject({ count: 0 })
    expect((await one.call('chat.history', { sessionKey: 'a' })).messages).toEqual([])
    expect(await one.call('sessions.delete', { key: 'a' })).toMatchObject({ deleted: false, archived: [] })
    await say(one, 'a', 'anew')
    const { messages, sessionId } = await one.call('chat.history', { sessionKey: 'a' })
    expect(messages).toHaveLength(2)
    expect(archived).not.toContain(sessionId)
    expect(one.store.read.session('agent:main:a')).toMatchObject({ label: undefined, settings: {} })
    expect(await refusal(one.call('sessions.delete', { key: 'main' }))).toBe(
      'Cannot delete the main session (agent:main:main).',
    )
  })
})

describe('texts that are no turns', () => {
  test('chat.inject is said by the assistant, kept unread and shown to the model; a missing session is refused', async () => {
    const seen: string[] = []
    const one = await house(({ messages }) => {
      seen.push(messages.map(message => `${message.role}: ${message.text}`).join(' | '))
      return text('said')
    })
    expect(await refusal(one.call('chat.inject', { sessionKey: 'a', message: 'x' }))).toBe('session not found')
    await say(one, 'a', 'hello')
    const { messageId } = await one.call('chat.inject', { sessionKey: 'a', message: 'by the way', label: 'Ops' })
    expect(one.store.read.unreadNotices('agent:main:a', 9)).toMatchObject([{ id: `inject-${messageId}` }])
    await say(one, 'a', 'and?')
    expect(seen[1]).toContain('assistant: [Ops]\n\nby the way')
  })

  test('wake is an event of the main session, read at once when it is free; blank text is none', async () => {
    const one = await house()
    expect(await one.call('wake', { mode: 'now', text: 'the door rang' })).toEqual({ ok: true })
    await settled()
    const [first] = one.store.read.entries('agent:main:main', 9)
    expect(first?.body).toMatchObject({ kind: 'input', text: expect.stringMatching(/^System: \[.*\] the door rang$/) })
    expect(await one.call('wake', { mode: 'next-heartbeat', text: '  ' })).toEqual({ ok: false })
  })

  test('an agent says its name', async () => {
    const one = await house(undefined, { config: { agents: { list: [{ id: 'ops', name: 'Opal' }] } } })
    expect(await one.call('agent.identity.get')).toEqual({ agentId: 'main', name: 'Assistant', avatar: 'A' })
    expect(await one.call('agent.identity.get', { agentId: 'ops' })).toMatchObject({ name: 'Opal', avatar: 'O' })
  })
})

function probe(asked: string[]) {
  return inlineRunner(choice => {
    asked.push(choice.ref)
    return {
      ref: choice.ref,
      async *stream() {
        yield text('said')
      },
    }
  })
}
