// Which addresses are public: a table by hand, and what must hold of all that carry a private one inside.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isPublicAddress } from '../../src/base/node/public-address.ts'

const PUBLIC = [
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '169.253.255.255',
  '172.15.255.255',
  '172.32.0.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '2606:4700:4700::1111',
  '2a00:1450:4001:80e::200e',
  '2001:200::1',
]
const NOT_PUBLIC = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '100.64.0.0',
  '100.127.255.255',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.169.254',
  '172.16.0.0',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '192.168.0.1',
  '192.168.255.255',
  '198.18.0.1',
  '198.51.100.7',
  '203.0.113.7',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::127.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '64:ff9b::a00:1',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:0:4136:e378:8000:63bf:3fff:fdd2',
  '2001:db8::1',
  '2002:7f00:1::',
  '3fff::1',
  'fc00::1',
  'fd12:3456::1',
  'fe80::1',
  'fe80::1%2',
  'fec0::1',
  'ff02::1',
  '',
  'localhost',
  '127.1',
  '0x7f000001',
]

test.each(PUBLIC)('%s is public', address => {
  expect(isPublicAddress(address)).toBe(true)
})

test.each(NOT_PUBLIC)('%j is not', address => {
  expect(isPublicAddress(address)).toBe(false)
})

test('no address of IPv6 outside the one public block is public, whatever it carries', () => {
  const word = fc.integer({ min: 0, max: 0xffff })
  const outside = word.filter(first => first >> 13 !== 1)
  fc.assert(
    fc.property(outside, fc.array(word, { minLength: 7, maxLength: 7 }), (first, rest) => {
      expect(isPublicAddress([first, ...rest].map(part => part.toString(16)).join(':'))).toBe(false)
    }),
  )
})

test('what is private in IPv4 is private in every form that holds it', () => {
  const byte = fc.integer({ min: 0, max: 255 })
  fc.assert(
    fc.property(fc.tuple(byte, byte, byte, byte), ([a, b, c, d]) => {
      const dotted = [a, b, c, d].join('.')
      const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
      for (const form of [
        `::ffff:${dotted}`,
        `::${dotted}`,
        `::ffff:0:${dotted}`,
        `64:ff9b::${dotted}`,
        `2002:${hex}::1`,
      ]) {
        expect(isPublicAddress(form), form).toBe(false)
      }
    }),
  )
})
