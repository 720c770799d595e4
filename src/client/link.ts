// The port to a gateway, whichever way it is reached: calls and events. Its adapters are in-process.ts, web-socket.ts and
// http.ts. A link sends each call once and says in its error what is known of it; repeating is its holder's business.
import type { ReplayListener } from './replay.ts'

export interface LinkCall {
  readonly method: string
  readonly params: unknown
  /** Under which the call is done once, however often it is sent (T1). */
  readonly key: string | undefined
  /** Ends the wait, not the work. */
  readonly signal: AbortSignal
}

export interface Link {
  /** Rejects with a SluiceError; its outcome is `not-started` only where that is certain. */
  call(call: LinkCall): Promise<unknown>
  /** Tells the durable events after `since` (default: from now on), each once and in order, until it is stopped. */
  listen(listener: ReplayListener, since: number | undefined): () => void
  close(): void
}
