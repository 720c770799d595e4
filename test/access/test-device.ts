// A device of a client, with a key of its own: what it says in `connect`, signed as the family's clients sign.
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { signedText } from '../../src/access/device.ts'
import type { ConnectParams } from '../../src/protocol/connect.ts'

export const CLIENT = { id: 'cli', version: 'dev', platform: 'linux', mode: 'cli' } as const

/** What is signed, and what is changed after it was signed. */
export interface Signing {
  readonly signedAt: number
  /** Undefined: the old form, without one. */
  readonly nonce?: string | undefined
  readonly after?: Partial<ConnectParams>
}

export class TestDevice {
  readonly id: string
  readonly publicKey: string
  readonly pem: string
  readonly #key: KeyObject

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    this.publicKey = String(publicKey.export({ format: 'jwk' }).x)
    this.pem = publicKey.export({ type: 'spki', format: 'pem' }) as string
    this.id = createHash('sha256').update(Buffer.from(this.publicKey, 'base64url')).digest('hex')
    this.#key = privateKey
  }

  signed(text: string): string {
    return sign(null, Buffer.from(text), this.#key).toString('base64url')
  }

  connect(more: Partial<ConnectParams>, { signedAt, nonce, after }: Signing): ConnectParams {
    const { id, publicKey } = this
    const device = { id, publicKey, signature: 'x', signedAt, ...(nonce !== undefined && { nonce }) }
    const params = { minProtocol: 3, maxProtocol: 3, client: CLIENT, role: 'operator', ...more, device }
    return { ...params, device: { ...device, signature: this.signed(signedText(params)) }, ...after }
  }
}
