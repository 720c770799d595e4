// IP addresses as text, and lists of them. It opens no socket: of the platform's network module only the arithmetic.
import { BlockList, isIP } from 'node:net'

const MAPPED = /^::ffff:(?=\d+\.)/i
const BITS_MAX = { 4: 32, 6: 128 } as const

/** 4 or 6; undefined for what is no address. */
export function familyOf(text: string): 4 | 6 | undefined {
  const family = isIP(text)
  return family === 4 || family === 6 ? family : undefined
}

/** An IPv4 address that came by an IPv6 socket is that address. */
export function plainAddress(address: string): string {
  return address.replace(MAPPED, '')
}

export function isLoopback(address: string): boolean {
  return /^127(\.\d+){3}$/.test(address) || address === '::1'
}

/** Whether it is an address or a network such as 10.0.0.0/8. */
export function isNetwork(text: string): boolean {
  const [head = '', bits, ...rest] = text.split('/')
  const family = familyOf(head)
  if (family === undefined || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= BITS_MAX[family])
}

export interface Networks {
  has(address: string): boolean
}

/** Of texts that are networks. */
export function networksOf(texts: readonly string[]): Networks {
  const list = new BlockList()
  for (const text of texts) {
    const [head = '', bits] = text.split('/')
    const family = familyOf(head) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(head, family)
    else list.addSubnet(head, Number(bits), family)
  }
  return {
    has: address => {
      const family = familyOf(address)
      return family !== undefined && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
    },
  }
}
