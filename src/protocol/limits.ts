// The numbers of protocol 3: version, port, limits, close codes. No schema is loaded with them, as every CLI command
// needs one or two.

export const PROTOCOL_VERSION = 3
export const DEFAULT_PORT = 18_789
export const FRAME_BYTES_MAX = 524_288
/** Bytes waiting for one slow client; above it droppable events are skipped and others end the connection. */
export const BUFFERED_BYTES_MAX = 1_572_864
/** Bytes of what one client asked for that may wait for it to read; more ends the connection. An answer may be long. */
export const UNREAD_ANSWERS_BYTES_MAX = 16 * 1024 * 1024
/** Bytes that may wait for all clients together; above it the slow ones are treated as above. */
export const BUFFERED_BYTES_ALL_MAX = 64 * 1024 * 1024
/** What may come over a connection before it has said who it is. */
export const UNPROVEN_BYTES_MAX = 65_536
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
