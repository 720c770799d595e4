// What a route is handed and what it answers with. A route sees no socket, except where it streams; errors travel as the
// catalogue's code with all that it says, and the status is derived from the code.
import type { ServerResponse } from 'node:http'
import { SECOND } from '../../base/durations.ts'
import { asSluiceError, errorToData, SluiceError } from '../../base/errors.ts'
import type { Caller } from '../../dispatch/caller.ts'
import { HTTP_STATUS } from '../../protocol/error-codes.ts'

export interface Ask {
  readonly path: string
  readonly caller: Caller
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** The body as JSON; `{}` where there is none. */
  readonly body: unknown
  /** Aborts when the client is gone before it was answered. */
  readonly signal: AbortSignal
  readonly response: ServerResponse
}

export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as JSON; `text` wins over it. */
  readonly json?: unknown
  readonly text?: string
}

/** How a route's callers expect to be told of an error. */
export type ErrorShape = (error: SluiceError, status: number) => unknown

export const KEY_HEADER = 'idempotency-key'
const KEY_LENGTH_MAX = 300

export const plainError: ErrorShape = error => ({ error: errorToData(error) })

/** Another client that was told not to try again does not make a second turn of it. */
export function errorReply(thrown: unknown, shape: ErrorShape): Reply {
  const error = asSluiceError(thrown)
  const status = HTTP_STATUS[error.code]
  const { retryAfterMs, outcome } = error
  return {
    status,
    headers: {
      ...(retryAfterMs !== undefined && { 'retry-after': String(Math.ceil(retryAfterMs / SECOND)) }),
      ...(outcome !== undefined && outcome !== 'not-started' && { 'x-should-retry': 'false' }),
    },
    json: shape(error, status),
  }
}

/** `key` of the config would switch on what is at this path. */
export function notFound(path: string, key?: string): SluiceError {
  const advice = key === undefined ? 'What there is stands in /openapi.json.' : `Set ${key} to true in the config.`
  const message = `There is nothing at ${path.slice(0, 100)}${key === undefined ? '' : ' yet'}. ${advice}`
  return new SluiceError('NOT_FOUND', message)
}

/** The one value of a header. */
export function header(headers: Ask['headers'], name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** A header of ours, or the family's of the same meaning: `session-key` is `x-sluice-session-key`. */
export function ownHeader(headers: Ask['headers'], name: string): string | undefined {
  return header(headers, `x-sluice-${name}`) ?? header(headers, `x-clawdbot-${name}`)
}

export function keyOf({ headers }: Pick<Ask, 'headers'>): string | undefined {
  const key = header(headers, KEY_HEADER)
  if (key !== undefined && key.length > KEY_LENGTH_MAX) {
    throw new SluiceError('INVALID_REQUEST', `The Idempotency-Key has more than ${KEY_LENGTH_MAX} characters.`)
  }
  return key
}
