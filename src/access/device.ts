// Whether a device is the one it names: its id is the hash of its key, and its key signed this very connection. It grants
// nothing: what a device may do was decided when it was let in.
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { MINUTE } from '../base/durations.ts'
import type { ConnectParams } from '../protocol/connect.ts'

/** How far a signature's time may be from ours. */
const SIGNED_AGO_MS_MAX = 10 * MINUTE
const RAW_KEY_BYTES = 32
/** Longer ones are no Ed25519 key or signature in any form. */
const KEY_LENGTH_MAX = 1_000

type Device = NonNullable<ConnectParams['device']>

/** Who connects, as its socket and the gateway know it. */
export interface Peer {
  /** Where it comes from; behind a proxy that is trusted, what that proxy says. */
  readonly address: string
  /** On this machine, and through no proxy. */
  readonly isLocal: boolean
  /** What this connection was challenged with. */
  readonly nonce: string
}

export type Identity = { readonly publicKey: string } | { readonly refused: string }

/** `publicKey` is the raw key as base64url, in whichever form it came. */
export function identify(params: ConnectParams & { device: Device }, peer: Peer, nowMs: number): Identity {
  const { device } = params
  const key = readKey(device.publicKey)
  if (!key) return { refused: 'device public key invalid' }
  if (device.id !== createHash('sha256').update(key.raw).digest('hex')) return { refused: 'device identity mismatch' }
  if (Math.abs(nowMs - device.signedAt) > SIGNED_AGO_MS_MAX) return { refused: 'device signature expired' }
  if (device.nonce === undefined && !peer.isLocal) return { refused: 'device nonce required' }
  if (device.nonce !== undefined && device.nonce !== peer.nonce) return { refused: 'device nonce mismatch' }
  if (!isSigned(params, key.key)) return { refused: 'device signature invalid' }
  return { publicKey: key.raw.toString('base64url') }
}

function isSigned(params: ConnectParams & { device: Device }, key: KeyObject): boolean {
  const { signature } = params.device
  if (signature.length > KEY_LENGTH_MAX) return false
  return verify(null, Buffer.from(signedText(params)), key, Buffer.from(signature, 'base64url'))
}

/** The scopes in it are those asked for, before any default; the token is what was sent, or nothing. */
export function signedText({ client, role, scopes, auth, device }: ConnectParams & { device: Device }): string {
  const { id, signedAt, nonce } = device
  const version = nonce === undefined ? 'v1' : 'v2'
  const asked = (scopes ?? []).join(',')
  const fields = [version, id, client.id, client.mode, role ?? 'operator', asked, signedAt, auth?.token ?? '']
  return [...fields, ...(nonce === undefined ? [] : [nonce])].join('|')
}

function readKey(text: string): { raw: Buffer; key: KeyObject } | undefined {
  if (text.length > KEY_LENGTH_MAX) return undefined
  try {
    const isPem = text.includes('BEGIN')
    const key = isPem
      ? createPublicKey(text)
      : createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: text.replace(/=+$/, '') }, format: 'jwk' })
    if (key.asymmetricKeyType !== 'ed25519') return undefined
    const raw = Buffer.from(String(key.export({ format: 'jwk' }).x), 'base64url')
    return raw.length === RAW_KEY_BYTES ? { raw, key } : undefined
  } catch {
    // Whatever the library calls it: it is no key.
    return undefined
  }
}
