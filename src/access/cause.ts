// Causes: by what a process that a tool started shows in which turn and call it was started (W1). Signed with a secret
// that lives as long as this process, so none outlives a restart. That a cause is genuine says nothing of whether its
// turn still lives; who holds the turns decides that. It grants nothing by itself and keeps no list.
import { createHmac } from 'node:crypto'
import { isSameSecret } from '../base/same-secret.ts'
import type { Clock } from '../base/world.ts'
import { CAUSE_LENGTH_MAX } from '../protocol/connect.ts'

export interface Cause {
  readonly runId: string
  readonly attempt: number
  /** `<entry>:<ordinal>` of the tool call. */
  readonly callId: string
  readonly expiresAtMs: number
}

export class Causes {
  readonly #secret: Buffer
  readonly #clock: Clock

  /** `secret`: 32 random bytes as hex. */
  constructor(secret: string, clock: Clock) {
    this.#secret = Buffer.from(secret, 'hex')
    this.#clock = clock
  }

  /** Text for an environment variable: what it says in base64url, a dot, its HMAC-SHA256. */
  sign({ runId, attempt, callId, expiresAtMs }: Cause): string {
    // The run's id is last: it alone may hold anything.
    const said = Buffer.from([attempt, expiresAtMs, callId, runId].join('\n')).toString('base64url')
    return `${said}.${this.#mac(said)}`
  }

  /** Only what this gateway signed and what has not expired is answered as a cause. */
  verify(text: string): { readonly cause: Cause } | { readonly refused: 'not ours' | 'expired' } {
    if (text.length > CAUSE_LENGTH_MAX) return { refused: 'not ours' }
    const [said = ''] = text.split('.', 1)
    if (!isSameSecret(`${said}.${this.#mac(said)}`, text)) return { refused: 'not ours' }
    const [attempt, expires, callId = '', ...runId] = Buffer.from(said, 'base64url').toString().split('\n')
    const expiresAtMs = Number(expires)
    if (expiresAtMs <= this.#clock.now()) return { refused: 'expired' }
    return { cause: { runId: runId.join('\n'), attempt: Number(attempt), callId, expiresAtMs } }
  }

  #mac(said: string): string {
    return createHmac('sha256', this.#secret).update(said).digest('base64url')
  }
}
