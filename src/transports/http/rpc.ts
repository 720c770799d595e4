// `POST /rpc/<method>`: the catalogue over HTTP. The body is the params, the answer is the result; the key of a repeat is
// a header. It knows no method by name.
import { SluiceError } from '../../base/errors.ts'
import type { Dispatcher } from '../../dispatch/dispatcher.ts'
import { declarationOf, isMethodName } from '../../protocol/catalogue.ts'
import { type Ask, keyOf, notFound, type Reply } from './reply.ts'

export const RPC_PREFIX = '/rpc/'

export async function rpc(dispatcher: Pick<Dispatcher, 'call'>, ask: Ask): Promise<Reply> {
  const method = decoded(ask.path.slice(RPC_PREFIX.length))
  const key = keyOf(ask)
  const params = key === undefined ? ask.body : withKey(method, ask.body, key)
  try {
    const { caller, signal } = ask
    return { status: 200, json: await dispatcher.call(method, params, { caller, signal, ...(key && { key }) }) }
  } catch (error) {
    // Only after the dispatcher has looked at the caller: names are told to those who may have them.
    if (!isMethodName(method) && error instanceof SluiceError && error.code === 'INVALID_REQUEST') {
      throw notFound(ask.path)
    }
    throw error
  }
}

/** Some methods want the key among their params, where a WebSocket has it; a header is enough for them, too. */
function withKey(method: string, params: unknown, key: string): unknown {
  const isRecord = typeof params === 'object' && params !== null && !Array.isArray(params)
  if (!isRecord || !takesKey(method)) return params
  const { idempotencyKey } = params as { readonly idempotencyKey?: unknown }
  if (idempotencyKey !== undefined && idempotencyKey !== key) {
    throw new SluiceError('INVALID_REQUEST', 'The Idempotency-Key header and params.idempotencyKey differ.')
  }
  return { ...params, idempotencyKey: key }
}

export function takesKey(method: string): boolean {
  if (!isMethodName(method)) return false
  const { params } = declarationOf(method)
  return 'shape' in params && Object.hasOwn(params.shape as object, 'idempotencyKey')
}

function decoded(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
