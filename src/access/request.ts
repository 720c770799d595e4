// What an HTTP request or an upgrade is judged by before any frame is read: where it really comes from, whether it asked
// for this gateway by a name of its own (else a page whose name was pointed at this address could speak to it, DNS
// rebinding), whether it comes from a page of elsewhere, and that it carries no secret in its link. Pure.
import { familyOf, isLoopback, type Networks, plainAddress } from '../base/addresses.ts'

export interface RequestFacts {
  /** As `node:http` gives them: small letters. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly url: string
  /** The other end of the socket. */
  readonly remoteAddress: string | undefined
  /** Our end of it. */
  readonly localAddress: string | undefined
}

export interface RequestPolicy {
  /** Names of this gateway beside `localhost` and addresses; small letters, without a port. */
  readonly names: ReadonlySet<string>
  /** Proxies whose headers are believed. */
  readonly trustedProxies: Networks
}

export type RequestJudgement =
  | { readonly refused: { readonly status: number; readonly message: string } }
  | { readonly from: { readonly address: string; readonly isLocal: boolean } }

const PROXY_HEADERS = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'x-real-ip', 'via']
const SECRET_IN_LINK = /^(token|password|auth|access_token|authorization)$/i

export function judgeRequest(facts: RequestFacts, policy: RequestPolicy): RequestJudgement {
  const refused = refusalOf(facts, policy)
  return refused ? { refused } : { from: originOf(facts, policy) }
}

function refusalOf({ headers, url }: RequestFacts, { names }: RequestPolicy) {
  const host = single(headers.host)
  const name = nameOf(host)
  if (name === undefined || !isOurs(name, names)) {
    const shown = name === undefined ? 'that name' : JSON.stringify(name.slice(0, 100))
    return refusal(
      403,
      `This gateway does not answer to ${shown}. Use its address, or add the name to gateway.allowedHosts in its config.`,
    )
  }
  const origin = single(headers.origin)
  if (origin !== undefined && !isSameOrigin(origin, host as string)) {
    return refusal(403, 'Pages of other origins may not speak to this gateway.')
  }
  if ([...queryOf(url)].some(key => SECRET_IN_LINK.test(key))) {
    return refusal(
      400,
      'A secret in a link ends up in histories and logs, so it is not taken from there. Send it in the connect frame, or in a header: Authorization: Bearer <token>.',
    )
  }
  return undefined
}

function refusal(status: number, message: string) {
  return { status, message }
}

/** The last address that no trusted proxy vouches for; what a proxy that is not trusted says is nothing. */
function originOf({ headers, remoteAddress, localAddress }: RequestFacts, { trustedProxies }: RequestPolicy) {
  const address = plainAddress(remoteAddress ?? '')
  const isProxied = PROXY_HEADERS.some(name => headers[name] !== undefined)
  if (!isProxied) return { address, isLocal: isLoopback(address) || address === plainAddress(localAddress ?? '') }
  if (!trustedProxies.has(address)) return { address, isLocal: false }
  const forwarded = listOf(headers['x-forwarded-for'])
  const named = forwarded.length > 0 ? forwarded : listOf(headers['x-real-ip'])
  const client = named.reverse().find(hop => !trustedProxies.has(hop))
  return { address: client !== undefined && familyOf(client) ? client : address, isLocal: false }
}

function listOf(header: string | readonly string[] | undefined): string[] {
  const text = typeof header === 'string' ? header : (header ?? []).join(',')
  return text
    .split(',')
    .map(hop => plainAddress(hop.trim()))
    .filter(hop => hop !== '')
}

function single(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined
}

/** The name in a Host header, without its port. */
function nameOf(host: string | undefined): string | undefined {
  const url = host === undefined || /[/?#@\\\s]/.test(host) ? null : URL.parse(`http://${host}`)
  return url?.hostname
}

function isOurs(name: string, names: ReadonlySet<string>): boolean {
  return familyOf(name.replace(/^\[(.*)\]$/, '$1')) !== undefined || name === 'localhost' || names.has(name)
}

/** The page is of the very host that was asked, which is ours. */
function isSameOrigin(origin: string, host: string): boolean {
  const url = URL.parse(origin)
  if (!url || !/^https?:$/.test(url.protocol)) return false
  return url.host === URL.parse(`${url.protocol}//${host}`)?.host
}

function queryOf(url: string): Iterable<string> {
  const at = url.indexOf('?')
  return at < 0 ? [] : new URLSearchParams(url.slice(at)).keys()
}
