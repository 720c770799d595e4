// One GET from the public internet, and from nowhere else. The check of addresses is part of the connection's own look-up,
// so that a name cannot mean another address a moment later. It follows no redirect, keeps no connection and no cookie.
import { promises as dns, type LookupAddress } from 'node:dns'
import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { SluiceError } from '../errors.ts'
import type { PublicAnswer, PublicGet } from '../world.ts'
import { isPublicAddress } from './public-address.ts'

export interface Network {
  readonly resolve: (host: string) => Promise<readonly LookupAddress[]>
  readonly isPublic: (address: string) => boolean
}

// No compressed answers: a small one could unfold to any size.
const HEADERS = { 'user-agent': 'sluice', accept: 'text/html, text/*;q=0.9, */*;q=0.5', 'accept-encoding': 'identity' }

export const publicGet: PublicGet = publicGetFrom({
  resolve: host => dns.lookup(host, { all: true }),
  isPublic: isPublicAddress,
})

export function publicGetFrom(network: Network): PublicGet {
  return async (url, { bytesMax, signal }) => {
    const host = url.hostname.replace(/^\[|\]$/g, '')
    // An address is connected to without a look-up.
    if (isIP(host) !== 0 && !network.isPublic(host)) throw notPublic(host, host)
    signal.throwIfAborted()
    const open = url.protocol === 'https:' ? httpsRequest : httpRequest
    const request = open(url, { agent: false, headers: HEADERS, lookup: checkedLookup(network), signal })
    // Whoever awaits the answer hears of it; an error that comes later still must not end the process.
    request.on('error', () => undefined)
    request.end()
    try {
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      return { status: response.statusCode ?? 0, headers: headersOf(response), ...(await read(response, bytesMax)) }
    } catch (error) {
      throw signal.aborted ? signal.reason : unanswered(host, error as NodeJS.ErrnoException)
    } finally {
      request.destroy()
    }
  }
}

function checkedLookup({ resolve, isPublic }: Network): LookupFunction {
  return (host, options, callback) => {
    const answer = (addresses: readonly LookupAddress[]) => {
      const inside = addresses.find(({ address }) => !isPublic(address))
      const [first] = addresses
      if (inside) callback(notPublic(host, inside.address), [])
      else if (options.all || !first) callback(null, [...addresses])
      else callback(null, first.address, first.family)
    }
    resolve(host).then(answer, error => callback(error, []))
  }
}

function unanswered(host: string, error: NodeJS.ErrnoException): SluiceError {
  if (error instanceof SluiceError) return error
  return new SluiceError('UNAVAILABLE', `${host} did not answer: ${error.code ?? error.message}.`, { cause: error })
}

function notPublic(host: string, address: string): SluiceError {
  const means = host === address ? 'is' : `means ${address}, which is`
  const message = `${host} ${means} on this machine or in a private network, and only public addresses are fetched.`
  return new SluiceError('FORBIDDEN', message, { outcome: 'not-started' })
}

function headersOf({ headers }: IncomingMessage): PublicAnswer['headers'] {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value?.toString()]))
}

async function read(response: IncomingMessage, bytesMax: number): Promise<Pick<PublicAnswer, 'body' | 'cut'>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    chunks.push(chunk)
    size += chunk.length
    if (size > bytesMax) break
  }
  return { body: Buffer.concat(chunks).subarray(0, bytesMax), cut: size > bytesMax }
}
