// Who may connect, and as what: one function, deny by default. Scopes come from what the server grants, never from what
// the client declares; a device identity that is not verified here gives nothing, and who shows a cause is the turn that
// it names or nobody (W1).
import { createHash, timingSafeEqual } from 'node:crypto'
import type { ConnectParams } from '../protocol/connect.ts'
import { SCOPES, type Scope } from '../protocol/method.ts'

/** `Turn` is whatever stands for a caller that is a turn; it passes through. */
export type Decision<Turn> =
  | { readonly granted: true; readonly turn?: never; readonly principal: string; readonly scopes: ReadonlySet<Scope> }
  | { readonly granted: true; readonly turn: Turn }
  | { readonly granted: false; readonly code: 'INVALID_REQUEST' | 'NOT_PAIRED'; readonly message: string }

const ALL: ReadonlySet<Scope> = new Set(SCOPES)

const CAUSE_REFUSED =
  'unauthorized: the turn that started this process has ended, or its SLUICE_CAUSE is not valid; ' +
  'a process that is to call as itself must unset SLUICE_CAUSE'

/**
 * The holder of the gateway's token is its operator; it may ask for less than all. `turnOf` answers the turn of a cause
 * that is valid while the call lives that started the process.
 */
export function decide<Turn extends object>(
  params: ConnectParams,
  token: string,
  turnOf: (cause: string) => Turn | undefined,
): Decision<Turn> {
  if (params.role !== undefined && params.role !== 'operator') {
    return { granted: false, code: 'INVALID_REQUEST', message: 'invalid role' }
  }
  if (params.auth?.cause !== undefined) {
    const turn = turnOf(params.auth.cause)
    return turn ? { granted: true, turn } : { granted: false, code: 'INVALID_REQUEST', message: CAUSE_REFUSED }
  }
  const presented = params.auth?.token ?? params.auth?.password
  if (!presented && !params.device) return { granted: false, code: 'NOT_PAIRED', message: 'device identity required' }
  if (!presented) return refused(params, 'token missing')
  if (!equal(presented, token)) return refused(params, 'token mismatch')
  const asked = params.scopes?.filter((scope): scope is Scope => ALL.has(scope as Scope))
  const scopes: ReadonlySet<Scope> = asked && asked.length > 0 ? new Set(asked) : new Set(['operator.admin'])
  return { granted: true, principal: 'operator', scopes }
}

function refused(params: ConnectParams, cause: string): Decision<never> {
  const hint =
    params.client.id === 'cli' ? 'set gateway.remote.token to match gateway.auth.token' : 'provide gateway auth token'
  return { granted: false, code: 'INVALID_REQUEST', message: `unauthorized: gateway ${cause} (${hint})` }
}

/** Compares in time that does not depend on where they differ, nor on their lengths. */
export function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
