// Who may connect, and as what: one function, deny by default. Scopes come from what the server grants, never from what
// the client declares; a device identity that is not verified here gives nothing, and who shows a cause is the turn that
// it names or nobody (W1).
import type { ConnectParams } from '../protocol/connect.ts'
import { SCOPES, type Scope } from '../protocol/method.ts'
import type { DeviceRow, DeviceTokenRow } from '../store/port-devices.ts'
import { identify, type Peer } from './device.ts'
import { isToken } from './device-token.ts'
import { isSecret, type Secrets } from './secrets.ts'

/** What the gateway knows, and the client cannot say. `Turn` is whatever stands for a caller that is a turn. */
export interface Known<Turn> {
  readonly secrets: Secrets
  /** The turn of a cause that is valid while the call lives that started the process. */
  readonly turnOf: (cause: string) => Turn | undefined
  readonly device: (deviceId: string) => DeviceRow | undefined
  readonly nowMs: number
}

export interface Refusal {
  readonly granted: false
  readonly code: 'INVALID_REQUEST' | 'NOT_PAIRED'
  readonly message: string
  /** It presented something that was wrong; such attempts are counted. */
  readonly isFailure: boolean
}

/** A device that is the one it names, and whose person may let it in. */
export interface Unpaired {
  readonly granted: false
  readonly wants: { readonly publicKey: string; readonly scopes: readonly Scope[] }
  /** It is let in without a question: who asks is on this machine, and has its secret. */
  readonly silently: boolean
}

export interface Grant {
  readonly granted: true
  readonly principal: string
  readonly scopes: ReadonlySet<Scope>
  readonly device?: { readonly deviceId: string; readonly token: DeviceTokenRow; readonly presented: boolean }
}

export type Decision<Turn> = Grant | { readonly granted: true; readonly turn: Turn } | Refusal | Unpaired

export const OPERATOR_ROLE = 'operator'
const ALL: ReadonlySet<string> = new Set<string>(SCOPES)
const CONTROL_UI = 'clawdbot-control-ui'

const CAUSE_REFUSED =
  'unauthorized: the turn that started this process has ended, or its SLUICE_CAUSE is not valid; ' +
  'a process that is to call as itself must unset SLUICE_CAUSE'

/** Decides about a handshake from what it presents, where it comes from, and what is known here. Changes nothing. */
export function decide<Turn extends object>(params: ConnectParams, peer: Peer, known: Known<Turn>): Decision<Turn> {
  if ((params.role ?? OPERATOR_ROLE) !== OPERATOR_ROLE) return refuse('invalid role')
  if (params.auth?.cause !== undefined) {
    const turn = known.turnOf(params.auth.cause)
    return turn ? { granted: true, turn } : refuse(CAUSE_REFUSED, { isFailure: true })
  }
  const { device } = params
  return device ? decideDevice({ ...params, device }, peer, known) : decideBare(params, known.secrets)
}

/** Without a device: who has the gateway's secret is its operator, and may ask for less than all. */
function decideBare(params: ConnectParams, secrets: Secrets): Refusal | Grant {
  if (params.client.id === CONTROL_UI) return refuse('control ui requires HTTPS or localhost (secure context)')
  if (!params.auth?.token && !params.auth?.password) {
    return refuse('device identity required', { code: 'NOT_PAIRED' })
  }
  if (!hasSecret(params, secrets)) return unauthorized(params, secrets)
  return { granted: true, principal: 'operator', scopes: new Set(askedFor(params)) }
}

function decideDevice<Turn>(
  params: ConnectParams & { device: NonNullable<ConnectParams['device']> },
  peer: Peer,
  known: Known<Turn>,
): Refusal | Unpaired | Grant {
  const identity = identify(params, peer, known.nowMs)
  if ('refused' in identity) return refuse(identity.refused, { isFailure: true })
  const deviceId = params.device.id
  const found = known.device(deviceId)?.tokens.find(row => row.role === OPERATOR_ROLE)
  const token = found?.revokedAtMs === undefined ? found : undefined
  const scopes = askedFor(params)
  const covered = token !== undefined && scopes.every(scope => covers(token.scopes, scope))
  const bySecret = hasSecret(params, known.secrets)
  const byToken = covered && params.auth?.token !== undefined && isToken(params.auth.token, token)
  if (!bySecret && !byToken) return unauthorized(params, known.secrets)
  if (!covered) return { granted: false, wants: { publicKey: identity.publicKey, scopes }, silently: peer.isLocal }
  return {
    granted: true,
    principal: `device:${deviceId}`,
    scopes: new Set(scopes),
    device: { deviceId, token, presented: byToken },
  }
}

/** What a client asks for, of what there is; one that names nothing means all. */
function askedFor({ scopes = [] }: ConnectParams): Scope[] {
  if (scopes.length === 0) return ['operator.admin']
  return [...new Set(scopes)].filter((scope): scope is Scope => ALL.has(scope))
}

/** Whether these scopes include another; admin includes all. */
export function covers(scopes: Iterable<string>, scope: string): boolean {
  const held = new Set(scopes)
  return held.has('operator.admin') || held.has(scope)
}

function hasSecret({ auth }: ConnectParams, secrets: Secrets): boolean {
  const { token, password } = auth ?? {}
  // Clients have one place for what their person typed; either place is looked at for either secret.
  return [token, password].some(presented => presented !== undefined && isSecret(presented, secrets))
}

function unauthorized({ client, auth }: ConnectParams, { password }: Secrets): Refusal {
  const what = password === undefined ? 'token' : 'password'
  const cause = auth?.token || auth?.password ? 'mismatch' : 'missing'
  const hint =
    client.id === 'cli' ? `set gateway.remote.${what} to match gateway.auth.${what}` : `provide gateway auth ${what}`
  return refuse(`unauthorized: gateway ${what} ${cause} (${hint})`, { isFailure: cause === 'mismatch' })
}

function refuse(message: string, more: Partial<Pick<Refusal, 'code' | 'isFailure'>> = {}): Refusal {
  return { granted: false, code: 'INVALID_REQUEST', message, isFailure: false, ...more }
}
