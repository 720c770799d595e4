// Who calls. Made by a transport or by a turn's link from what it knows itself; never carried in a frame.
import type { Standing } from '../coordination/joins.ts'
import type { Scope } from '../protocol/method.ts'

/** The turn a call is made in: what it stands in, and what its jobs and messages belong to. */
export interface TurnCaller {
  readonly runId: string
  readonly sessionKey: string
  readonly agentId: string
  readonly jobId: string | undefined
  readonly standing: Standing
}

export interface Caller {
  /** Effects are keyed by it (T1): `operator`, or `session:<key>` inside a turn. */
  readonly principal: string
  /** For logs and for people: `cli`, `the turn of agent:main:main`. */
  readonly label: string
  readonly scopes: ReadonlySet<Scope>
  /** Present when the call is made by a turn's tool: its authority is the tool policy, not scopes. */
  readonly turn?: TurnCaller
  /** Zone in which this caller's bare local times are meant; undefined: UTC (protocol 3 clients). */
  readonly zone?: string
}

/** `operator.admin` always suffices; write includes read. */
export function mayCall(caller: Caller, scope: Scope): boolean {
  if (caller.turn) return scope !== 'operator.approvals' && scope !== 'operator.pairing'
  if (caller.scopes.has('operator.admin') || caller.scopes.has(scope)) return true
  return scope === 'operator.read' && caller.scopes.has('operator.write')
}
