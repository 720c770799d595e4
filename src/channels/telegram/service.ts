// The Bot API, as the rest of this folder uses it: grammY's typed calls over the world's own fetch, and one place that
// says what an error means for a send. No text that leaves this file has the token in it. grammY's build for the web is
// what fits: it stands on fetch and signals as Node has them, where its other one brings its own.
import { Api, GrammyError, HttpError } from 'grammy/web'
import { SECOND } from '../../base/durations.ts'
import { pause } from '../../base/pause.ts'
import type { Clock, Fetch } from '../../base/world.ts'
import { ChannelError } from '../port.ts'

const API_ROOT = 'https://api.telegram.org'
/** A call that shows nothing to people and is not answered so long is given up on. */
const CALL_TIMEOUT_MS = 15 * SECOND
/** Of Node, for a connection that was never made: nothing can have gone out on it. */
const CONNECT_SYSCALLS = ['connect', 'getaddrinfo']
const CONNECT_TIMEOUT = 'UND_ERR_CONNECT_TIMEOUT'

/** grammY's own kind of signal; Node's does all that it needs. */
export type CallSignal = NonNullable<Parameters<Api['raw']['getMe']>[0]>
export const callSignal = (signal: AbortSignal): CallSignal => signal as unknown as CallSignal

export interface ServiceOptions {
  readonly token: string
  /** Without a slash at its end. Absent: Telegram's own. */
  readonly apiRoot?: string | undefined
  readonly fetch: Fetch
  readonly clock: Clock
}

export interface Service {
  readonly api: Api['raw']
  /** What went wrong, for a send: what became of it. */
  readonly failure: (thrown: unknown) => ChannelError
  /** Runs a call that may not take long; its signal aborts with the given one, and when it takes `timeoutMs`. */
  readonly bounded: <T>(
    call: (signal: CallSignal) => Promise<T>,
    bound?: { readonly timeoutMs?: number; readonly signal?: AbortSignal },
  ) => Promise<T>
  /** The bytes of a file that `getFile` named. */
  readonly download: (path: string, signal: AbortSignal) => Promise<Response>
}

export function serviceOf({ token, apiRoot = API_ROOT, fetch, clock }: ServiceOptions): Service {
  const root = apiRoot.replace(/\/+$/, '')
  type OwnFetch = NonNullable<NonNullable<ConstructorParameters<typeof Api>[1]>['fetch']>
  const { raw } = new Api(token, { apiRoot: root, fetch: fetch as unknown as OwnFetch })
  // Its second half alone is the secret, however the rest of an address is written.
  const clean = (text: string) => text.replaceAll(token, '<token>').replaceAll(token.split(':')[1] || token, '<token>')
  return {
    api: raw,
    failure: thrown => failureOf(thrown, clean),
    bounded: async (call, { timeoutMs = CALL_TIMEOUT_MS, signal } = {}) => {
      const over = new AbortController()
      const both = AbortSignal.any(signal ? [signal, over.signal] : [over.signal])
      const done = new AbortController()
      void pause(clock, timeoutMs, done.signal).then(() => over.abort())
      return await call(callSignal(both)).finally(() => done.abort())
    },
    download: async (path, signal) => await fetch(`${root}/file/bot${token}/${path}`, { signal }),
  }
}

function failureOf(thrown: unknown, clean: (text: string) => string): ChannelError {
  if (thrown instanceof ChannelError) return thrown
  if (thrown instanceof GrammyError) return refusal(thrown, clean(thrown.description))
  const cause = thrown instanceof HttpError ? thrown.error : thrown
  const words = clean(reason(cause))
  if (neverLeft(cause)) return new ChannelError('transient', `Telegram was not reached: ${words}.`)
  return new ChannelError('unconfirmed', `Telegram did not answer: ${words}.`)
}

function refusal({ error_code: code, parameters }: GrammyError, description: string): ChannelError {
  const words = `Telegram refused: ${description}`
  const { retry_after: seconds = 1 } = parameters
  if (code === 429) return new ChannelError('transient', words, { retryAfterMs: seconds * SECOND })
  // The bot itself is refused, not the message: it can be sent once the token is right.
  if (code === 401 || code === 404)
    return new ChannelError('transient', `Telegram does not know the token: ${description}`)
  return new ChannelError(code >= 500 ? 'unconfirmed' : 'permanent', words)
}

/** Whether the request cannot have reached anybody. */
function neverLeft(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.every(neverLeft)
  if (!(error instanceof Error)) return false
  const { code, syscall } = error as NodeJS.ErrnoException
  if (code === CONNECT_TIMEOUT || (syscall !== undefined && CONNECT_SYSCALLS.includes(syscall))) return true
  return error.cause !== undefined && neverLeft(error.cause)
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  if (error.cause instanceof Error) return reason(error.cause)
  return error.message === '' ? (code ?? error.name) : error.message
}
