// Who may connect, and as what: one function, deny by default. Scopes come from what the server grants, never from what
// the client declares; a device identity that is not verified here gives nothing.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { ConnectParams } from '../protocol/connect.ts'
import { SCOPES, type Scope } from '../protocol/method.ts'

export type Decision =
  | { readonly granted: true; readonly principal: string; readonly scopes: ReadonlySet<Scope> }
  | { readonly granted: false; readonly code: 'INVALID_REQUEST' | 'NOT_PAIRED'; readonly message: string }

const ALL: ReadonlySet<Scope> = new Set(SCOPES)

/** The holder of the gateway's token is its operator; it may ask for less than all. */
export function decide(params: ConnectParams, token: string): Decision {
  if (params.role !== undefined && params.role !== 'operator') {
    return { granted: false, code: 'INVALID_REQUEST', message: 'invalid role' }
  }
  const presented = params.auth?.token ?? params.auth?.password
  if (!presented && !params.device) return { granted: false, code: 'NOT_PAIRED', message: 'device identity required' }
  if (!presented) return refused(params, 'token missing')
  if (!equal(presented, token)) return refused(params, 'token mismatch')
  const asked = params.scopes?.filter((scope): scope is Scope => ALL.has(scope as Scope))
  const scopes: ReadonlySet<Scope> = asked && asked.length > 0 ? new Set(asked) : new Set(['operator.admin'])
  return { granted: true, principal: 'operator', scopes }
}

function refused(params: ConnectParams, cause: string): Decision {
  const hint =
    params.client.id === 'cli' ? 'set gateway.remote.token to match gateway.auth.token' : 'provide gateway auth token'
  return { granted: false, code: 'INVALID_REQUEST', message: `unauthorized: gateway ${cause} (${hint})` }
}

/** Compares in time that does not depend on where they differ, nor on their lengths. */
export function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
