// The three frames of protocol 3 and their limits. Frames are closed: what is ours travels inside payloads and
// `error.details`, never beside them, because clients drop a frame with an unknown key.
import { z } from 'zod'

export const PROTOCOL_VERSION = 3
export const DEFAULT_PORT = 18_789
export const FRAME_BYTES_MAX = 524_288
/** Bytes waiting for one slow client; above it droppable events are skipped and others end the connection. */
export const BUFFERED_BYTES_MAX = 1_572_864
export const TICK_INTERVAL_MS = 30_000
export const HANDSHAKE_TIMEOUT_MS = 10_000
export const CLOSE_REASON_BYTES_MAX = 120

export const CLOSE = {
  normal: 1000,
  protocolMismatch: 1002,
  refused: 1008,
  tooLarge: 1009,
  serviceRestart: 1012,
} as const

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
