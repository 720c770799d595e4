// Total maps from our error codes to the wire and back, and the wording of a params error. A new code in base/errors.ts
// does not compile until it stands here.
import type * as z from 'zod'
import { asSluiceError, type ErrorCode, type Outcome, SluiceError } from '../base/errors.ts'
import type { WireError } from './frames.ts'

const WIRE_CODE: Readonly<Record<ErrorCode, WireError['code']>> = {
  INVALID_REQUEST: 'INVALID_REQUEST',
  NOT_FOUND: 'UNAVAILABLE',
  UNAUTHORIZED: 'INVALID_REQUEST',
  FORBIDDEN: 'INVALID_REQUEST',
  CONFLICT: 'INVALID_REQUEST',
  ALREADY_RUNNING: 'UNAVAILABLE',
  WOULD_DEADLOCK: 'UNAVAILABLE',
  LIMIT: 'INVALID_REQUEST',
  CANCELLED: 'UNAVAILABLE',
  BUSY: 'UNAVAILABLE',
  TIMEOUT: 'AGENT_TIMEOUT',
  UNAVAILABLE: 'UNAVAILABLE',
  MODEL_FAILED: 'UNAVAILABLE',
  STORE_FAILED: 'UNAVAILABLE',
  STALE: 'UNAVAILABLE',
  INTERNAL: 'UNAVAILABLE',
}

/** What HTTP says of them. Only what is our own fault is a 500; a CANCELLED one is the caller's doing. */
export const HTTP_STATUS: Readonly<Record<ErrorCode, number>> = {
  INVALID_REQUEST: 400,
  NOT_FOUND: 404,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  CONFLICT: 409,
  ALREADY_RUNNING: 409,
  WOULD_DEADLOCK: 409,
  LIMIT: 429,
  CANCELLED: 409,
  BUSY: 503,
  TIMEOUT: 504,
  UNAVAILABLE: 503,
  MODEL_FAILED: 502,
  STORE_FAILED: 503,
  STALE: 500,
  INTERNAL: 500,
}

/** Clients show only the message; our code, outcome and details travel in `details`. */
export function toWireError(thrown: unknown): WireError {
  const error = asSluiceError(thrown)
  const details = { ...error.details, code: error.code, ...(error.outcome && { outcome: error.outcome }) }
  return {
    code: WIRE_CODE[error.code],
    // Family scripts match `Error: unknown cron job id: x`.
    message: error.code === 'NOT_FOUND' ? `Error: ${error.message}` : error.message,
    details,
    ...(error.retryAfterMs !== undefined && { retryable: true, retryAfterMs: error.retryAfterMs }),
  }
}

/** The error a client throws; a gateway that sends no code of ours is still understood. */
export function fromWireError(wire: WireError): SluiceError {
  const { code, outcome, ...details } = (wire.details ?? {}) as { code?: ErrorCode; outcome?: Outcome }
  const known = code !== undefined && code in WIRE_CODE
  return new SluiceError(
    known ? code : wire.code === 'INVALID_REQUEST' ? 'INVALID_REQUEST' : 'UNAVAILABLE',
    wire.message,
    {
      details,
      ...(outcome && { outcome }),
      ...(wire.retryAfterMs !== undefined && { retryAfterMs: wire.retryAfterMs }),
    },
  )
}

/** A refusal names so many faults, and is no longer than so many characters. */
const ISSUES_TOLD_MAX = 10
const REFUSAL_LENGTH_MAX = 2_000

/** For what no schema sees: why, which field of the job, and a value that would do there. Clients match the beginning. */
export function refusedAt(path: string, why: string, example: unknown): SluiceError {
  const message = `${why} (at ${path}; for example ${JSON.stringify(example)})`
  return new SluiceError('INVALID_REQUEST', message, { outcome: 'not-started' })
}

/** `invalid <method> params: at /schedule/expr: …; at root: unexpected property 'x'`; scripts match the beginning. */
/** `example`: params that would be taken. */
export function paramsError(method: string, error: z.ZodError, example?: unknown): SluiceError {
  const parts = error.issues.slice(0, ISSUES_TOLD_MAX).flatMap(issue => {
    const pointer = issue.path.length === 0 ? '' : `/${issue.path.map(String).join('/')}`
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.slice(0, ISSUES_TOLD_MAX).map(key => `at ${pointer || 'root'}: unexpected property '${key}'`)
    }
    return [pointer ? `at ${pointer}: ${issue.message}` : issue.message]
  })
  const told = parts.slice(0, ISSUES_TOLD_MAX).join('; ')
  const cut = told.length > REFUSAL_LENGTH_MAX ? `${told.slice(0, REFUSAL_LENGTH_MAX)}…` : told
  const right = example === undefined ? '' : `. For example: ${JSON.stringify(example)}`
  return new SluiceError('INVALID_REQUEST', `invalid ${method} params: ${cut}${right}`)
}
