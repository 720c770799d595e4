// The catalogue over HTTP: who may ask, what an error is, what a repeat with its key is, and that bodies are bounded.
import { request } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FAILURES_MAX } from '../../src/access/failures.ts'
import { ERROR_CODES, SluiceError } from '../../src/base/errors.ts'
import { CATALOGUE } from '../../src/protocol/catalogue.ts'
import { HTTP_STATUS } from '../../src/protocol/error-codes.ts'
import { FRAME_BYTES_MAX } from '../../src/protocol/limits.ts'
import { BODY_DEPTH_MAX, depthOf } from '../../src/transports/http/body.ts'
import { within } from '../e2e/bound.ts'
import { settled } from '../fakes/clock.ts'
import { text } from '../fakes/house.ts'
import { type HttpHouse, openHttpHouse } from './http-house.ts'

let isLocal = true
let house: HttpHouse
beforeEach(async () => {
  isLocal = true
  house = await openHttpHouse(() => text('said'), { isLocal: () => isLocal })
})
afterEach(() => house.close())

const every = { kind: 'every', everyMs: 3_600_000 }
const job = (name: string) => ({ name, schedule: every, payload: { kind: 'message', text: name } })
const jobs = () => house.store.read.jobCount({ includeDisabled: true })

describe('who asks', () => {
  test.each([
    { what: 'nothing', headers: { authorization: '' } },
    { what: 'a wrong token', headers: { authorization: 'Bearer wrong' } },
    { what: 'a cause that is none', headers: { 'x-sluice-cause': 'abc.def' } },
  ])('with $what is refused, and nothing happens', async ({ headers }) => {
    const { status, json, headers: answered } = await house.ask('/rpc/cron.add', { body: job('a'), headers })
    expect(status).toBe(401)
    expect(json).toEqual({ error: { message: 'Unauthorized', type: 'unauthorized', code: 'UNAUTHORIZED' } })
    expect(answered.get('www-authenticate')).toBe('Bearer')
    expect(jobs()).toBe(0)
    expect(house.proven()).toBe(0)
  })

  test('from elsewhere who guesses waits, also with the right token; who asks rightly is proven', async () => {
    isLocal = false
    expect((await house.rpc('health')).status).toBe(200)
    expect(house.proven()).toBe(1)
    const wrong = { authorization: 'Bearer wrong' }
    for (let n = 0; n < FAILURES_MAX; n += 1) expect((await house.rpc('health', {}, wrong)).status).toBe(401)
    const { status, headers } = await house.ask('/rpc/health', { body: {} })
    expect(status).toBe(429)
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await house.ask('/nothing', { headers: wrong })).status).toBe(429)
  })

  test('a hook’s token opens hooks alone, and the gateway’s opens no hook', async () => {
    const hook = { authorization: 'Bearer the-token-of-hooks' }
    expect((await house.rpc('health', {}, hook)).status).toBe(401)
    expect((await house.ask('/hooks/wake', { body: { text: 'x' } })).status).toBe(401)
  })
})

describe('calls', () => {
  test('each method of the catalogue is there, and answers or refuses as its own', async () => {
    for (const name of Object.keys(CATALOGUE)) {
      const { status, json } = await house.rpc(name, { 'no such param': 1 })
      expect([400, 200], `${name}: ${JSON.stringify(json)}`).toContain(status)
      if (status === 400) expect(json.error.message).toMatch(new RegExp(`^invalid ${name} params:`))
    }
  })

  test('T1: a repeat with its key is answered as the first time and adds nothing; other params are refused', async () => {
    const key = { 'idempotency-key': 'k1' }
    const first = await house.rpc('cron.add', job('a'), key)
    expect(first.status).toBe(200)
    expect(await house.rpc('cron.add', job('a'), key)).toEqual(first)
    const other = await house.rpc('cron.add', job('b'), key)
    expect(other).toMatchObject({ status: 409, json: { error: { code: 'CONFLICT' } } })
    expect(jobs()).toBe(1)
  })

  test('T1: the key of the header is the key that a method wants in its params', async () => {
    const message = { sessionKey: 'main', message: 'hello' }
    expect((await house.rpc('chat.send', message)).status).toBe(400)
    const key = { 'idempotency-key': 'run-1' }
    expect(await house.rpc('chat.send', message, key)).toMatchObject({ json: { runId: 'run-1' } })
    const twice = await house.rpc('chat.send', { ...message, idempotencyKey: 'run-2' }, key)
    expect(twice).toMatchObject({ status: 400, json: { error: { message: expect.stringMatching(/differ/) } } })
  })

  test('W6: a request that is dropped ends only its wait: the turn goes on', async () => {
    const speaking = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    house.play(async () => {
      asked.resolve()
      await speaking.promise
      return text('done')
    })
    await house.rpc('chat.send', { sessionKey: 'main', message: 'hello', idempotencyKey: 'r1' })
    await within(asked.promise, 'the model')
    const [begun, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<unknown>()]
    const call = house.dispatcher.call.bind(house.dispatcher)
    house.dispatcher.call = (name, params, options) => {
      const work = call(name, params, options)
      work.then(ended.resolve, ended.resolve)
      begun.resolve()
      return work
    }
    const gone = new AbortController()
    const waiting = house.ask('/rpc/agent.wait', { body: { runId: 'r1', timeoutMs: 60_000 }, signal: gone.signal })
    waiting.catch(() => undefined)
    await within(begun.promise, 'the wait')
    gone.abort()
    await expect(waiting).rejects.toThrow()
    expect(await within(ended.promise, 'the end of the wait')).toMatchObject({ code: 'CANCELLED' })
    speaking.resolve()
    await settled()
    const { json } = await house.rpc('agent.wait', { runId: 'r1', timeoutMs: 60_000 })
    expect(json).toMatchObject({ runId: 'r1', status: 'ok' })
  })
})

describe('errors', () => {
  test('each code has a status, and only what is our fault is a 500', () => {
    for (const [code, fault] of Object.entries(ERROR_CODES)) {
      expect(HTTP_STATUS[code as keyof typeof HTTP_STATUS] === 500, code).toBe(fault === 'ours')
    }
  })

  test('they carry the code, the outcome and when to come again', async () => {
    const busy = new SluiceError('BUSY', 'full', { outcome: 'not-started', retryAfterMs: 1_500 })
    house.dispatcher.call = () => Promise.reject(busy)
    const { status, json, headers } = await house.ask('/rpc/health', { body: {} })
    expect({ status, json }).toEqual({
      status: 503,
      json: { error: { code: 'BUSY', message: 'full', outcome: 'not-started', retryAfterMs: 1_500 } },
    })
    expect(headers.get('retry-after')).toBe('2')
  })

  test('a fault of ours is a 500, and is in the log', async () => {
    house.dispatcher.call = () => Promise.reject(new TypeError('a defect'))
    expect(await house.rpc('health')).toMatchObject({ status: 500, json: { error: { code: 'INTERNAL' } } })
    expect(house.httpLogged.join()).toContain('a defect')
  })

  test.each([
    { what: 'a path that is none', path: '/nothing', asking: {}, status: 404 },
    { what: 'a method that is none', path: '/rpc/cron.lst', asking: { body: {} }, status: 404 },
    { what: 'a path that cannot be read', path: '/rpc/%E0%A4%A', asking: { body: {} }, status: 404 },
    { what: 'no JSON', path: '/rpc/health', asking: { body: '{' }, status: 400 },
    {
      what: 'a body that is compressed',
      path: '/rpc/health',
      asking: { body: '{}', headers: { 'content-encoding': 'gzip' } },
      status: 400,
    },
    {
      what: 'a key that is too long',
      path: '/rpc/health',
      asking: { body: {}, headers: { 'idempotency-key': 'k'.repeat(301) } },
      status: 400,
    },
  ])('$what is a $status as JSON', async ({ path, asking, status }) => {
    const answer = await house.ask(path, asking)
    expect(answer.status).toBe(status)
    expect(answer.json.error).toMatchObject({ code: expect.any(String), message: expect.any(String) })
  })

  test.each([
    { verb: 'GET', path: '/rpc/health', allow: 'POST' },
    { verb: 'PUT', path: '/v1/responses', allow: 'POST' },
    { verb: 'POST', path: '/events', allow: 'GET' },
    { verb: 'DELETE', path: '/openapi.json', allow: 'GET' },
  ])('$verb $path is the wrong verb', async ({ verb, path, allow }) => {
    const { status, text: said, headers } = await house.ask(path, { method: verb })
    expect([status, said, headers.get('allow')]).toEqual([405, 'Method Not Allowed', allow])
  })
})

describe('bodies', () => {
  test('as large as a frame is taken, one byte more is not', async () => {
    const fits = `{"x":"${'a'.repeat(FRAME_BYTES_MAX - 8)}"}`
    expect(fits.length).toBe(FRAME_BYTES_MAX)
    expect((await house.ask('/rpc/sessions.list', { body: fits })).status).toBe(400)
    const { status, json } = await house.ask('/rpc/sessions.list', { body: `${fits} ` })
    expect([status, json.error.message]).toEqual([413, expect.stringContaining(String(FRAME_BYTES_MAX))])
  })

  test('one of unknown length is not read beyond the limit', async () => {
    const answered = Promise.withResolvers<number>()
    const sending = request(`${house.url}/rpc/sessions.list`, {
      method: 'POST',
      headers: { authorization: 'Bearer the-token-of-this-gateway' },
    })
    sending.on('error', () => undefined)
    sending.on('response', response => answered.resolve(response.statusCode ?? 0))
    for (let n = 0; n <= 8; n += 1) sending.write(' '.repeat(FRAME_BYTES_MAX / 8))
    expect(await within(answered.promise, 'the answer')).toBe(413)
    sending.destroy()
  })

  test('nested as deep as the limit is taken, one level more is not, nor one that is endless', async () => {
    const nested = (levels: number) => `{"x":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`
    const deep = async (body: string) => (await house.ask('/rpc/sessions.list', { body })).json.error.message
    expect(await deep(nested(BODY_DEPTH_MAX))).toMatch(/^invalid sessions.list params/)
    expect(await deep(nested(BODY_DEPTH_MAX + 1))).toMatch(/deeper than/)
    expect(await deep('['.repeat(200_000))).toMatch(/deeper than/)
    expect(depthOf('{"a\\"[[[":"[[[[\\\\"}')).toBe(1)
  })
})

test('the description names every method with its schema, and the other paths', async () => {
  const { status, json } = await house.ask('/openapi.json', { method: 'GET' })
  expect(status).toBe(200)
  expect(json.openapi).toBe('3.1.0')
  const paths = Object.keys(json.paths)
  for (const name of Object.keys(CATALOGUE)) expect(paths).toContain(`/rpc/${name}`)
  expect(paths).toEqual(expect.arrayContaining(['/events', '/v1/chat/completions', '/hooks/agent', '/tools/invoke']))
  const { properties } = json.paths['/rpc/chat.send'].post.requestBody.content['application/json'].schema
  expect(properties.sessionKey).toMatchObject({ type: 'string', maxLength: 300 })
  expect(JSON.stringify(json)).not.toContain('$schema')
})
