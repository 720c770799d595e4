// Turns that come in by HTTP: a hook's, which needs nothing of the scheduler, and those that a turn's own process asks its
// gateway for, with room for one turn at a time.
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { within } from '../e2e/bound.ts'
import { settled } from '../fakes/clock.ts'
import { calls, text } from '../fakes/house.ts'
import { HOOK_TOKEN, HTTP_CONFIG, type HttpHouse, openHttpHouse } from '../transports/http-house.ts'

let house: HttpHouse
beforeEach(async () => {
  house = await openHttpHouse(() => text('said'))
})
afterEach(() => house.close())

const job = { name: 'a', schedule: { kind: 'every', everyMs: 3_600_000 }, payload: { kind: 'message', text: 'x' } }
const hook = (name: string, body: unknown) =>
  house.ask(`/hooks/${name}`, { body, headers: { authorization: `Bearer ${HOOK_TOKEN}` } })

test('WAIT-36 W2: a hook’s turn needs nothing of the scheduler, which goes on while it runs', async () => {
  const speak = Promise.withResolvers<void>()
  house.play(async () => {
    await speak.promise
    return text('done')
  })
  const { json } = await hook('agent', { message: 'take long' })
  await settled()
  const payload = { kind: 'message', text: 'ring' }
  const { id } = await house.call('cron.add', { name: 'a', schedule: { kind: 'every', everyMs: 60_000 }, payload })
  await house.clock.advance(60_000)
  expect(house.store.read.run(json.runId)?.state).toBe('running')
  expect(house.store.read.occurrences(id, 9)).toMatchObject([{ state: 'ok' }])
  expect((await house.rpc('cron.list')).status).toBe(200)
  speak.resolve()
  await settled()
  expect(house.store.read.run(json.runId)?.state).toBe('ok')
})

describe('a turn’s process that calls its own gateway by HTTP, with room for one turn', () => {
  type Ran = (headers: Record<string, string>) => Promise<unknown>

  /** Answers what `run` answers in the middle of a turn of the main session, as a process of it would do it. */
  async function during(run: Ran): Promise<unknown> {
    const ran = Promise.withResolvers<unknown>()
    const processes = {
      find: async () => '/bin/asks',
      run: async ({ env }: { env: Readonly<Record<string, string>> }) => {
        await run({ authorization: '', 'x-sluice-cause': env.SLUICE_CAUSE ?? '' }).then(ran.resolve, ran.reject)
        return { exitCode: 0, signal: null, output: '', cut: 0 }
      },
    }
    const config = {
      ...HTTP_CONFIG,
      agents: { defaults: { maxConcurrent: 1 } },
      tools: { exec: { security: 'full', ask: 'off' } },
    }
    await house.close()
    house = await openHttpHouse(() => text('said'), { config, world: { processes } })
    house.play(({ messages }) =>
      JSON.stringify(messages).includes('begin') && messages.length === 1
        ? calls({ name: 'exec', args: { command: ['asks'] } })
        : text('said'),
    )
    await house.call('chat.send', { sessionKey: 'main', message: 'begin', idempotencyKey: 'begin' })
    return await within(ran.promise, 'the process')
  }
  const completion = (sessionKey: string, headers: Record<string, string>) =>
    house.ask('/v1/chat/completions', {
      body: { messages: [{ role: 'user', content: 'hello' }] },
      headers: { ...headers, 'x-sluice-session-key': sessionKey },
    })

  test('WAIT-42 W4: is refused at once where it would wait for itself, with the cycle', async () => {
    expect(await during(headers => completion('main', headers))).toMatchObject({
      status: 409,
      json: { error: { code: 'WOULD_DEADLOCK', message: expect.stringContaining('would wait for itself') } },
    })
  })

  test('WAIT-42 W5: gives another session’s turn its room, and is answered', async () => {
    const answer = await during(headers => completion('agent:main:other', headers))
    expect(answer).toMatchObject({ status: 200, json: { choices: [{ message: { content: 'said' } }] } })
  })

  test('WAIT-42 W1: is that turn in all it calls, and may do no more than its tools', async () => {
    const answers = await during(async headers => [
      await house.rpc('cron.add', job, headers),
      await house.rpc('device.pair.list', {}, headers),
      await house.ask('/tools/invoke', { body: { tool: 'cron', action: 'list' }, headers }),
      await house.ask('/events', { method: 'GET', headers }),
    ])
    const forbidden = { status: 403 }
    const madeBy = { kind: 'agent', sessionKey: 'agent:main:main' }
    expect(answers).toMatchObject([{ status: 200, json: { madeBy } }, forbidden, forbidden, forbidden])
  })

  test('W1: a cause that is kept is nobody once its call has ended', async () => {
    const kept = (await during(async headers => headers)) as Record<string, string>
    await settled()
    expect((await house.rpc('health', {}, kept)).status).toBe(401)
  })
})

test('WAIT-42 W1: a turn that fetches an address of its own gateway is refused by name', async () => {
  await house.close()
  house = await openHttpHouse(() => text('said'), { config: { tools: { web: { fetch: { enabled: true } } } } })
  house.address.url = house.url.replace('http:', 'ws:')
  const { port } = new URL(house.url)
  for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
    const sessionKey = `agent:main:fetches-${host.replaceAll(/\W/g, '-')}`
    let result = ''
    house.play(({ messages }) => {
      if (messages.length === 1) {
        return calls({ name: 'web_fetch', args: { url: `http://${host}:${port}/v1/chat/completions` } })
      }
      result = JSON.stringify(messages.at(-1))
      return text('done')
    })
    await house.call('chat.send', { sessionKey, message: 'begin', idempotencyKey: sessionKey })
    await within(house.call('agent.wait', { runId: sessionKey }), 'the turn')
    expect(result).toContain('that is this gateway; use its tools')
  }
})
