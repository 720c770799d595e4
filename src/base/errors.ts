// The one error type that crosses our own walls, and the closed list of its codes. Maps from a code to the
// wire, HTTP and exit codes are total and live where they are used; a new code does not compile until mapped.
// Expected failures are SluiceErrors; anything else that is thrown is a defect of ours and is shown as one.

/** Whose fault it is decides who must act: the caller, the outside world, or we. */
export const ERROR_CODES = {
  INVALID_REQUEST: 'caller',
  NOT_FOUND: 'caller',
  UNAUTHORIZED: 'caller',
  FORBIDDEN: 'caller',
  CONFLICT: 'caller',
  ALREADY_RUNNING: 'caller',
  WOULD_DEADLOCK: 'caller',
  LIMIT: 'caller',
  CANCELLED: 'caller',
  BUSY: 'world',
  TIMEOUT: 'world',
  UNAVAILABLE: 'world',
  MODEL_FAILED: 'world',
  STORE_FAILED: 'world',
  STALE: 'ours',
  INTERNAL: 'ours',
} as const

export type ErrorCode = keyof typeof ERROR_CODES

/**
 * What became of the work behind a failed call (W6). `not-started`: nothing happened. `cancelled`: begun, and undone
 * or stopped. `committed`: the effect stands, `details.result` carries it. `unknown`: ask again with the same key.
 * `continues`: only the wait ended, `details.runId` names the run that goes on.
 */
export type Outcome = 'not-started' | 'cancelled' | 'committed' | 'unknown' | 'continues'

export interface ErrorExtras {
  readonly details?: Readonly<Record<string, unknown>>
  readonly outcome?: Outcome
  /** How long to wait before trying again; present only when trying again can help. */
  readonly retryAfterMs?: number
  readonly cause?: unknown
}

/** An expected failure. The message says what happened, why, and what to do next. */
export class SluiceError extends Error {
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>> | undefined
  readonly outcome: Outcome | undefined
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause })
    this.name = 'SluiceError'
    this.code = code
    this.details = extras.details
    this.outcome = extras.outcome
    this.retryAfterMs = extras.retryAfterMs
  }
}

/** The form of an error that survives structured clone, for links between threads. */
export interface ErrorData extends Omit<ErrorExtras, 'cause'> {
  readonly code: ErrorCode
  readonly message: string
}

export function errorToData(error: unknown): ErrorData {
  const failure = asSluiceError(error)
  return {
    code: failure.code,
    message: failure.message,
    ...(failure.details && { details: failure.details }),
    ...(failure.outcome && { outcome: failure.outcome }),
    ...(failure.retryAfterMs !== undefined && { retryAfterMs: failure.retryAfterMs }),
  }
}

export function errorFromData({ code, message, ...extras }: ErrorData): SluiceError {
  return new SluiceError(code, message, extras)
}

/** Whatever was thrown, as a SluiceError; what we did not expect becomes INTERNAL and keeps its cause. */
export function asSluiceError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return new SluiceError('INTERNAL', text, { cause: error })
}
