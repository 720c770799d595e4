// A provider's failure as one sentence with the fix, for a person. It never shows a body or a header, which may hold
// secrets; of the error's own words it shows a line at most, without the key.
import { APICallError } from '@ai-sdk/provider'
import { HOUR, SECOND } from '../../base/durations.ts'
import type { ServedChoice } from '../choice.ts'
import type { ModelEvent, ModelFailure, ModelFailureKind } from '../model.ts'
import { isTooLong } from './too-long.ts'

/** A longer pause than this is not believed. */
const RETRY_AFTER_MS_MAX = HOUR

const MAKE_ROOM = 'Shorten the message, or begin a new conversation.'

export function failure(kind: ModelFailureKind, message: string, retryAfterMs?: number): ModelFailure {
  return { type: 'failed', kind, message, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

export function cutOff(ref: string): ModelFailure {
  return failure('cut-off', `${ref} stopped in the middle of its answer. Send the message again.`)
}

export function aborted(): ModelEvent {
  return failure('aborted', 'The answer was stopped.')
}

/** What to check when what comes back is no such API. */
export function checkApi({ provider, kind }: ServedChoice): string {
  return `Check that models.providers.${provider}.baseUrl is the base URL of an API of the kind ${kind}, then send the message again.`
}

/** Any error of a provider's call or stream. */
export function failureOf(choice: ServedChoice, error: unknown): ModelFailure {
  if (APICallError.isInstance(error) && isTooLong(error)) {
    return failure('too-long', `The conversation is longer than what ${choice.ref} takes. ${MAKE_ROOM}`)
  }
  const status = statusOf(error)
  if (status !== undefined) return ofStatus(choice, status, error)
  const reason = wordsOf(choice, error)
  if (APICallError.isInstance(error) || UNREACHABLE.test(reason)) {
    return failure(
      'unavailable',
      `${choice.ref} cannot be reached (${reason}). Check models.providers.${choice.provider}.baseUrl and that it runs.`,
    )
  }
  // The SDK's own errors quote what was sent; a person is not shown garbage.
  const detail = error instanceof Error && error.name.startsWith('AI_') ? 'not the wire format' : reason
  return failure('garbled', `${choice.ref} sent an answer that is not understood (${detail}). ${checkApi(choice)}`)
}

const NO_CREDIT = /insufficient_quota|credit balance is too low/i
const UNREACHABLE = /ECONNREFUSED|ENOTFOUND|fetch failed|connect|socket|terminated|other side closed/i

function ofStatus(choice: ServedChoice, status: number, error: unknown): ModelFailure {
  const { ref, provider } = choice
  const section = `models.providers.${provider}`
  if (status === 401 || status === 403) {
    return failure('auth', `${ref} refused the key (${status}). Set ${keyPlace(choice)} to a valid one.`)
  }
  if (status === 402 || saysNoCredit(error)) {
    return failure('auth', `${ref} has no credit left. Add credit with the provider, or choose another model.`)
  }
  if (status === 404) {
    return failure('not-found', `${ref} does not exist there (404). Check the model's name and ${section}.baseUrl.`)
  }
  if (status === 408 || status === 504) {
    return failure('timed-out', `${ref} took too long to answer (${status}). Try again later, or choose another model.`)
  }
  if (status === 429) {
    const words = `${ref} is rate limited (429). Wait a moment, or choose another model.`
    return failure('rate-limited', words, retryAfterMs(error))
  }
  if (status >= 500) {
    const words = `${ref} is failing (${status}). Try again later, or choose another model.`
    return failure('unavailable', words, retryAfterMs(error))
  }
  if (status < 300) return failure('garbled', `${ref} sent an answer that is not understood. ${checkApi(choice)}`)
  return failure('refused', `${ref} refused the request (${status}): ${wordsOf(choice, error)}`)
}

/** Some tell it as a rate limit, or as a bad request. */
function saysNoCredit(error: unknown): boolean {
  return APICallError.isInstance(error) && NO_CREDIT.test(`${error.message} ${error.responseBody ?? ''}`)
}

function keyPlace({ provider, keyFrom }: ServedChoice): string {
  return keyFrom === undefined ? `models.providers.${provider}.apiKey` : `${keyFrom} (in the environment)`
}

/** Of a response, or of an error that a provider reports inside its stream by the name of its type. */
function statusOf(error: unknown): number | undefined {
  if (APICallError.isInstance(error)) return error.statusCode
  const { statusCode, status, type, code } = flat(error)
  if (typeof statusCode === 'number') return statusCode
  if (typeof status === 'number') return status
  if (typeof code === 'number') return code
  const named = [type, code, status].find(name => typeof name === 'string' && Object.hasOwn(STATUS_OF, name))
  return named === undefined ? undefined : STATUS_OF[named as string]
}

/** Names that providers give their errors, and the status that says the same. */
const STATUS_OF: Readonly<Record<string, number>> = {
  authentication_error: 401,
  permission_error: 403,
  not_found_error: 404,
  rate_limit_error: 429,
  rate_limit_exceeded: 429,
  insufficient_quota: 402,
  billing_error: 402,
  RESOURCE_EXHAUSTED: 429,
  overloaded_error: 529,
  api_error: 500,
  server_error: 500,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  timeout_error: 504,
  DEADLINE_EXCEEDED: 504,
}

/** The error and the one that it wraps, as one record. */
function flat(error: unknown): Readonly<Record<string, unknown>> {
  if (typeof error !== 'object' || error === null) return {}
  const inner = (error as { error?: unknown }).error
  return typeof inner === 'object' && inner !== null ? { ...error, ...inner } : { ...error }
}

/** `retry-after` in seconds, or `retry-after-ms`, which some send instead. */
function retryAfterMs(error: unknown): number | undefined {
  if (!APICallError.isInstance(error)) return undefined
  const headers = error.responseHeaders ?? {}
  const exact = Number(headers['retry-after-ms'] ?? Number.NaN)
  const after = headers['retry-after']
  const found = [exact, Number(after ?? Number.NaN) * SECOND].find(ms => Number.isFinite(ms) && ms >= 0)
  return found === undefined ? undefined : Math.min(found, RETRY_AFTER_MS_MAX)
}

function wordsOf({ apiKey }: ServedChoice, error: unknown): string {
  const { message } = flat(error)
  const words = error instanceof Error ? error.message : typeof message === 'string' ? message : String(error)
  const hidden = apiKey === undefined || apiKey === '' ? words : words.replaceAll(apiKey, '…')
  const text = hidden.replaceAll(/\s+/g, ' ').trim()
  return text.length > 200 ? `${text.slice(0, 199)}…` : text
}
