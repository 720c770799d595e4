// What is judged before any frame is read: names of elsewhere (DNS rebinding), pages of elsewhere, secrets in links, and
// what proxies say of whom they speak for.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bindingOf } from '../../src/access/binding.ts'
import { networkOf } from '../../src/access/failures.ts'
import { judgeRequest } from '../../src/access/request.ts'
import { networksOf } from '../../src/base/addresses.ts'

const policy = { names: new Set(['box', 'box.local']), trustedProxies: networksOf(['10.1.0.0/16', 'fd00::7']) }

type Headers = Record<string, string>
const judge = (headers: Headers, more: { url?: string; remote?: string; local?: string } = {}) => {
  const { url = '/', remote = '127.0.0.1', local = '127.0.0.1' } = more
  const facts = { headers: { host: '127.0.0.1:18789', ...headers }, url, remoteAddress: remote, localAddress: local }
  return judgeRequest(facts, policy)
}
const refusal = (...args: Parameters<typeof judge>) => {
  const judged = judge(...args)
  return 'refused' in judged ? judged.refused.status : undefined
}

describe('the name that was asked for', () => {
  test.each([
    '127.0.0.1:18789',
    '127.0.0.1',
    'localhost:1',
    'LOCALHOST',
    '[::1]:18789',
    '100.64.1.2:1',
    'box',
    'Box.local:9',
  ])('%s is ours', host => expect(refusal({ host })).toBeUndefined())

  test.each([
    'evil.example',
    'evil.example:18789',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'box.evil.example',
    '',
    'a b',
    '127.0.0.1@evil.example',
    'evil.example/127.0.0.1',
    'evil.example#127.0.0.1',
  ])('"%s" is none of ours', host => expect(refusal({ host })).toBe(403))

  test('no name that is not ours passes, whatever it looks like', () => {
    const name = fc.oneof(fc.domain(), fc.webAuthority({ withPort: true, withUserInfo: true }), fc.string())
    fc.assert(
      fc.property(name, host => {
        const passed = refusal({ host }) === undefined
        const isAddress = /^(\d|\[|0x)/i.test(host)
        if (passed && !isAddress) expect(host).toMatch(/^(localhost|box|box\.local)(:\d*)?$/i)
      }),
    )
  })

  test('there must be one', () => {
    expect(judgeRequest({ headers: {}, url: '/', remoteAddress: '::1', localAddress: '::1' }, policy)).toHaveProperty(
      'refused',
    )
  })
})

describe('pages', () => {
  test.each([
    ['http://127.0.0.1:18789', '127.0.0.1:18789'],
    ['https://box', 'box'],
    ['http://box:80', 'box'],
  ])('one of %s may speak to %s', (origin, host) => expect(refusal({ origin, host })).toBeUndefined())

  test.each([
    ['https://evil.example', '127.0.0.1:18789'],
    ['http://127.0.0.1:3000', '127.0.0.1:18789'],
    ['http://localhost:18789', '127.0.0.1:18789'],
    ['null', '127.0.0.1:18789'],
    ['', '127.0.0.1:18789'],
    ['file://127.0.0.1:18789', '127.0.0.1:18789'],
    ['chrome-extension://127.0.0.1:18789', '127.0.0.1:18789'],
    ['http://evil.example', 'evil.example'],
  ])('one of "%s" may not speak to %s', (origin, host) => expect(refusal({ origin, host })).toBe(403))
})

test.each(['/?token=x', '/ws?a=1&token=x', '/?Password=x', '/?access_token=', '/?%74oken=x'])(
  'a secret in the link %s is refused',
  url => expect(refusal({}, { url })).toBe(400),
)

describe('where it comes from', () => {
  const from = (...args: Parameters<typeof judge>) => {
    const judged = judge(...args)
    return 'from' in judged ? [judged.from.address, judged.from.isLocal] : judged
  }

  test('this machine is loopback, or an address of its own', () => {
    expect(from({})).toEqual(['127.0.0.1', true])
    expect(from({}, { remote: '::ffff:127.0.0.1', local: '::ffff:127.0.0.1' })).toEqual(['127.0.0.1', true])
    expect(from({}, { remote: '100.64.0.9', local: '100.64.0.9' })).toEqual(['100.64.0.9', true])
    expect(from({}, { remote: '100.64.0.8', local: '100.64.0.9' })).toEqual(['100.64.0.8', false])
  })

  test('what a proxy says that is not trusted is nothing, and what it carries is not of this machine', () => {
    for (const name of ['x-forwarded-for', 'x-real-ip', 'forwarded', 'x-forwarded-proto', 'via']) {
      expect(from({ [name]: '127.0.0.1' })).toEqual(['127.0.0.1', false])
      expect(from({ [name]: '127.0.0.1' }, { remote: '10.9.0.1' })).toEqual(['10.9.0.1', false])
    }
  })

  test('a trusted one names the client, which is whom no trusted proxy vouches for', () => {
    const remote = '10.1.2.3'
    expect(from({ 'x-forwarded-for': '1.2.3.4' }, { remote })).toEqual(['1.2.3.4', false])
    expect(from({ 'x-forwarded-for': '127.0.0.1, 6.6.6.6, 10.1.9.9' }, { remote })).toEqual(['6.6.6.6', false])
    expect(from({ 'x-forwarded-for': '127.0.0.1' }, { remote })).toEqual(['127.0.0.1', false])
    expect(from({ 'x-real-ip': '1.2.3.4' }, { remote: 'fd00::7' })).toEqual(['1.2.3.4', false])
    expect(from({ 'x-forwarded-for': 'nonsense' }, { remote })).toEqual([remote, false])
  })

  test('nothing that a client writes makes it one of this machine', () => {
    const header = fc.constantFrom('x-forwarded-for', 'x-real-ip', 'forwarded', 'x-forwarded-host', 'via')
    const value = fc.oneof(fc.constantFrom('127.0.0.1', '::1', 'for=127.0.0.1', 'localhost'), fc.string())
    fc.assert(
      fc.property(fc.dictionary(header, value, { noNullPrototype: true }), headers => {
        expect(from(headers, { remote: '10.9.0.1', local: '10.0.0.1' })).toMatchObject([expect.anything(), false])
      }),
    )
  })
})

test('whoever has one IPv6 address has its network', () => {
  expect(['2001:db8:1:2:3::1', '2001:db8:1:2::9', '::1', '10.0.0.1'].map(networkOf)).toEqual([
    '2001:db8:1:2',
    '2001:db8:1:2',
    '0:0:0:0',
    '10.0.0.1',
  ])
})

describe('where it listens', () => {
  const bind = (to: string, addresses: string[] = ['127.0.0.1', '192.168.0.2']) =>
    bindingOf(to, { addresses, isEncrypted: false })

  test('loopback, everywhere, an address', () => {
    expect(bind('loopback').hosts).toEqual([{ host: '127.0.0.1' }, { host: '::1', wished: true }])
    expect(bind('lan').hosts).toEqual([{ host: '0.0.0.0' }])
    expect(bind('192.168.0.2')).toMatchObject({
      hosts: [{ host: '192.168.0.2' }],
      reach: expect.stringContaining('Other machines'),
    })
    expect(bind('127.0.0.2').reach).toBe(bind('loopback').reach)
  })

  test('tailnet is the one address of it, or refused with what to do', () => {
    for (const edge of ['100.64.0.0', '100.127.255.255'])
      expect(bind('tailnet', ['10.0.0.1', edge]).hosts).toEqual([{ host: edge }])
    for (const none of ['100.63.255.255', '100.128.0.0', '192.168.0.2']) {
      expect(() => bind('tailnet', [none])).toThrow(/no address in 100\.64\.0\.0\/10\. Connect it/)
    }
    expect(() => bind('tailnet', ['100.64.0.1', '100.64.0.2'])).toThrow(
      /several .*one of them: 100\.64\.0\.1, 100\.64\.0\.2/,
    )
  })
})
