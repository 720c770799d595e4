// Tokens of devices: derived from a key that only this gateway has, so that the same device is given the same token again
// although nothing but its hash is kept. It keeps nothing itself.
import { createHash, createHmac } from 'node:crypto'
import { isSameSecret } from '../base/same-secret.ts'
import type { Random } from '../base/world.ts'
import type { DeviceTokenRow, TokenSeal } from '../store/port-devices.ts'

const SALT_BYTES = 16
/** Hex characters of a token, as the family's are. */
const TOKEN_LENGTH = 32

export class DeviceTokens {
  readonly #key: () => string
  readonly #random: Pick<Random, 'hex'>

  /** `key`: 32 random bytes as hex, the same at every start; asked for when the first device comes. */
  constructor(key: () => string, random: Pick<Random, 'hex'>) {
    this.#key = key
    this.#random = random
  }

  /** What a new token is kept as. */
  seal(): TokenSeal {
    const salt = this.#random.hex(SALT_BYTES)
    return { salt, hash: hashOf(this.#derive(salt)) }
  }

  /** The token of a seal; undefined when it was made with another key, as after a restored backup. */
  open({ salt, hash }: TokenSeal): string | undefined {
    const token = this.#derive(salt)
    return isSameSecret(hashOf(token), hash) ? token : undefined
  }

  #derive(salt: string): string {
    return createHmac('sha256', Buffer.from(this.#key(), 'hex')).update(salt).digest('hex').slice(0, TOKEN_LENGTH)
  }
}

/** Whether this is the token of that hash; who holds the row looks whether it was revoked. */
export function isToken(presented: string, { hash }: Pick<DeviceTokenRow, 'hash'>): boolean {
  return isSameSecret(hashOf(presented), hash)
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
