// The three frames of protocol 3. Frames are closed: what is ours travels inside payloads and
// `error.details`, never beside them, because clients drop a frame with an unknown key.
import * as z from 'zod'

const filled = z.string().min(1)

export const requestFrameSchema = z.strictObject({
  type: z.literal('req'),
  id: filled,
  method: filled,
  params: z.unknown().optional(),
})
export type RequestFrame = z.infer<typeof requestFrameSchema>

export interface WireError {
  readonly code: 'NOT_LINKED' | 'NOT_PAIRED' | 'AGENT_TIMEOUT' | 'INVALID_REQUEST' | 'UNAVAILABLE'
  readonly message: string
  readonly details?: unknown
  readonly retryable?: boolean
  readonly retryAfterMs?: number
}

export interface ResponseFrame {
  readonly type: 'res'
  readonly id: string
  readonly ok: boolean
  readonly payload?: unknown
  readonly error?: WireError
}

export interface EventFrame {
  readonly type: 'event'
  readonly event: string
  readonly payload?: unknown
  /** Only on events that survive a restart; goes up across restarts. */
  readonly seq?: number
  readonly stateVersion?: { readonly presence: number; readonly health: number }
}

export type Frame = RequestFrame | ResponseFrame | EventFrame
