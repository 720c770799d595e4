// The tool that reads the web: where it goes, where it refuses to go, and what it makes of what comes back. The network is
// a table of answers.
import { describe, expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import type { PublicAnswer, PublicGet } from '../../src/base/world.ts'
import type { ToolContext } from '../../src/tools/tool.ts'
import { Toolbox } from '../../src/tools/toolbox.ts'
import { webFetchTool } from '../../src/tools/web-fetch.ts'
import { FakeClock, settled } from '../fakes/clock.ts'

interface Given {
  readonly status?: number
  readonly headers?: PublicAnswer['headers']
  readonly body?: string | Uint8Array
  readonly cut?: boolean
}

const html = (body: string): Given => ({ headers: { 'content-type': 'text/html; charset=utf-8' }, body })
const to = (location: string, status = 302): Given => ({ status, headers: { location } })

function web(pages: Readonly<Record<string, Given>>, get?: PublicGet) {
  const asked: string[] = []
  const clock = new FakeClock()
  const abort = new AbortController()
  let outside = 0
  const answer: PublicGet = async (url, { bytesMax }) => {
    expect([outside, bytesMax], 'the slot is parked, and a limit given').toEqual([1, 1_048_576])
    asked.push(url.href)
    const {
      status = 200,
      headers = { 'content-type': 'text/plain' },
      body = '',
      cut = false,
    } = pages[url.href] ?? { status: 404 }
    return { status, headers, body: typeof body === 'string' ? new TextEncoder().encode(body) : body, cut }
  }
  const tool = webFetchTool({ get: get ?? answer, clock, gatewayPort: () => 4711 })
  const context = {
    signal: abort.signal,
    outside: async <T>(wait: () => Promise<T>): Promise<T> => {
      outside += 1
      return await wait().finally(() => {
        outside -= 1
      })
    },
  } as ToolContext
  const box = new Toolbox([tool], { allow: undefined, deny: [] })
  const fetch = async (args: object) => {
    const { text, isError } = await box.run({ name: 'web_fetch', args }, context)
    return { ...JSON.parse(text), isError }
  }
  return { fetch, asked, clock, abort, box }
}

describe('what comes back', () => {
  test('a page, with its title, as text', async () => {
    const { fetch } = web({ 'https://a.test/': html('<title>T</title><h1>H</h1><a href="/b">b</a>') })
    expect(await fetch({ url: 'https://a.test' })).toEqual({
      url: 'https://a.test/',
      status: 200,
      contentType: 'text/html',
      title: 'T',
      text: '# H\n\n[b](https://a.test/b)',
      isError: false,
    })
    expect(await fetch({ url: 'https://a.test', extractMode: 'text' })).toMatchObject({ text: 'H\n\nb' })
  })

  test.each(['text/plain', 'application/json', 'application/ld+json', 'application/rss+xml', 'text/csv'])(
    '%s as it is',
    async type => {
      const { fetch } = web({ 'https://a.test/': { headers: { 'content-type': type }, body: '{"<b>": 1}' } })
      expect(await fetch({ url: 'https://a.test' })).toMatchObject({ text: '{"<b>": 1}', contentType: type })
    },
  )

  test('its charset is heeded, and one that nobody knows does no harm', async () => {
    const body = new Uint8Array([0x66, 0xfc, 0x72])
    const page = (charset: string): Given => ({ headers: { 'content-type': `text/plain; charset=${charset}` }, body })
    const { fetch } = web({ 'https://a.test/': page('"ISO-8859-1"'), 'https://b.test/': page('nonsense') })
    expect(await fetch({ url: 'https://a.test' })).toMatchObject({ text: 'für' })
    expect(await fetch({ url: 'https://b.test' })).toMatchObject({ text: 'f\ufffdr' })
  })

  test('a page that is not there is an answer too', async () => {
    expect(await web({}).fetch({ url: 'https://a.test/gone' })).toMatchObject({ status: 404, text: '', isError: false })
  })

  test.each([
    ['image/png', {}, 'is image/png'],
    ['application/pdf', {}, 'is application/pdf'],
    ['text/html', { 'content-encoding': 'gzip' }, 'is compressed (gzip)'],
  ])('%s %j is no text, and is said', async (type, headers, error) => {
    const { fetch } = web({ 'https://a.test/': { headers: { 'content-type': type, ...headers }, body: 'x' } })
    expect(await fetch({ url: 'https://a.test' })).toMatchObject({
      isError: true,
      error: expect.stringContaining(error),
    })
  })

  test('what is cut is said to be: by maxChars, by default, and by the limit of bytes', async () => {
    const { fetch } = web({
      'https://a.test/': { body: 'x'.repeat(20_001) },
      'https://b.test/': { body: 'x'.repeat(20_000) },
      'https://c.test/': { body: 'x', cut: true },
    })
    const sizes = async (args: object) => {
      const { text, truncated } = await fetch(args)
      return [text.length, truncated]
    }
    expect(await sizes({ url: 'https://a.test' })).toEqual([20_000, true])
    expect(await sizes({ url: 'https://b.test' })).toEqual([20_000, undefined])
    expect(await sizes({ url: 'https://b.test', maxChars: 100 })).toEqual([100, true])
    expect(await sizes({ url: 'https://c.test' })).toEqual([1, true])
  })

  test('a refusal of the network is a result with its outcome', async () => {
    const { fetch } = web({}, () =>
      Promise.reject(new SluiceError('FORBIDDEN', 'a.test means 10.0.0.1', { outcome: 'not-started' })),
    )
    expect(await fetch({ url: 'https://a.test' })).toMatchObject({ code: 'FORBIDDEN', outcome: 'not-started' })
  })
})

describe('where it goes', () => {
  test.each([301, 302, 303, 307, 308])('a redirect (%i) is followed, relative to where it came from', async status => {
    const { fetch, asked } = web({ 'http://a.test/x/y': to('../z', status), 'http://a.test/z': html('here') })
    expect(await fetch({ url: 'http://a.test/x/y' })).toMatchObject({ url: 'http://a.test/z', text: 'here' })
    expect(asked).toEqual(['http://a.test/x/y', 'http://a.test/z'])
  })

  test('five redirects are followed, and no sixth', async () => {
    const chain = (length: number) => ({
      ...Object.fromEntries(Array.from({ length }, (_, at) => [`http://a.test/${at}`, to(`/${at + 1}`)])),
      [`http://a.test/${length}`]: html('end'),
    })
    expect(await web(chain(5)).fetch({ url: 'http://a.test/0' })).toMatchObject({ text: 'end' })
    const { fetch, asked } = web(chain(6))
    expect(await fetch({ url: 'http://a.test/0' })).toMatchObject({
      isError: true,
      error: expect.stringContaining('5 times'),
    })
    expect(asked).toHaveLength(6)
  })

  test.each([
    'http://localhost:4711/',
    'http://LOCALHOST.:4711/x',
    'http://sub.localhost:4711/',
    'http://127.0.0.1:4711/',
    'http://127.9.9.9:4711/',
    'http://2130706433:4711/',
    'http://0:4711/',
    'http://[::1]:4711/',
    'http://[::]:4711/',
    'http://[::ffff:127.0.0.1]:4711/',
    'https://127.0.0.1:4711/',
  ])('W1: %s is this gateway, also behind a redirect: it is named, and not dialled', async own => {
    const { fetch, asked } = web({ 'http://a.test/': to(own) })
    const refused = {
      isError: true,
      error: 'Not fetched: that is this gateway; use its tools.',
      outcome: 'not-started',
    }
    expect(await fetch({ url: own })).toMatchObject(refused)
    expect(await fetch({ url: 'http://a.test/' })).toMatchObject(refused)
    expect(asked).toEqual(['http://a.test/'])
  })

  test.each([
    ['ftp://a.test/', 'no http or https'],
    ['file:///etc/passwd', 'no http or https'],
    ['ws://127.0.0.1:4711', 'no http or https'],
    ['a.test', 'no http or https'],
    ['http://', 'no http or https'],
    ['http://user@a.test/', 'name or password'],
    ['http://:pass@a.test/', 'name or password'],
  ])('%s is refused, also behind a redirect', async (url, error) => {
    const { fetch, asked } = web({ 'http://b.test/': to(url) })
    expect(await fetch({ url })).toMatchObject({ isError: true, error: expect.stringContaining(error) })
    expect(asked).toEqual([])
    // As a place relative to another one, a bare word and an empty host mean something.
    if (!/:\/\/./.test(url)) return
    expect(await fetch({ url: 'http://b.test/' })).toMatchObject({ error: expect.stringContaining(error) })
  })

  test('after a crash it is not asked again: a GET may have done something', () => {
    expect(web({}).box.replayOf('web_fetch')).toBe('never')
  })
})

describe('W6: its time', () => {
  const silent: PublicGet = (_url, { signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

  test('20 s for all of it, redirects included', async () => {
    let gets = 0
    const { fetch, clock } = web({}, async (url, options) => {
      gets += 1
      if (gets > 1) return await silent(url, options)
      await clock.advance(15_000)
      return { status: 302, headers: { location: '/b' }, body: new Uint8Array(), cut: false }
    })
    const result = fetch({ url: 'http://a.test/' })
    await settled()
    await settled()
    await settled()
    expect(gets).toBe(2)
    await clock.advance(5_000)
    expect(await result).toMatchObject({ code: 'TIMEOUT', isError: true })
    expect(clock.timers).toBe(0)
  })

  test('it ends with its turn', async () => {
    const { fetch, abort } = web({}, silent)
    const result = fetch({ url: 'http://a.test/' })
    abort.abort(new SluiceError('CANCELLED', 'The turn was stopped.'))
    expect(await result).toMatchObject({ code: 'CANCELLED' })
  })
})
