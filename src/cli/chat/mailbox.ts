// Messages on their way to the gateway. Each has its key for life: one that was not acknowledged is sent again with it
// after a lost connection, one that was acknowledged never is. Knows no screen.
import { asSluiceError, type SluiceError } from '../../base/errors.ts'
import type { Result } from '../../protocol/catalogue.ts'
import { isConnectionLoss, type LastingLink } from './link.ts'

export type Ack = Extract<Result<'chat.send'>, { runId: string }>

export interface MailboxListener {
  acknowledged(key: string, ack: Ack): void
  refused(key: string, error: SluiceError): void
}

export class Mailbox {
  readonly #link: LastingLink
  readonly #sessionKey: string
  readonly #listener: MailboxListener
  readonly #unacknowledged = new Map<string, string>()

  constructor(link: LastingLink, sessionKey: string, listener: MailboxListener) {
    this.#link = link
    this.#sessionKey = sessionKey
    this.#listener = listener
  }

  get waiting(): number {
    return this.#unacknowledged.size
  }

  send(key: string, message: string): void {
    this.#unacknowledged.set(key, message)
    if (this.#link.isUp) void this.#post(key, message)
  }

  /** After a connection came back. */
  sendAgain(): void {
    for (const [key, message] of this.#unacknowledged) void this.#post(key, message)
  }

  async #post(key: string, message: string): Promise<void> {
    try {
      // No time-out: while the connection lives the answer will come, and a second sending would win nothing.
      const ack = await this.#link.call('chat.send', { sessionKey: this.#sessionKey, message, idempotencyKey: key })
      this.#unacknowledged.delete(key)
      if ('runId' in ack) this.#listener.acknowledged(key, ack)
    } catch (thrown) {
      const error = asSluiceError(thrown)
      if (isConnectionLoss(error)) return
      this.#unacknowledged.delete(key)
      this.#listener.refused(key, error)
    }
  }
}
