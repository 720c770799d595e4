// Who calls. Made by a transport or by a turn's link from what it knows itself; never carried in a frame.
import type { Standing } from '../coordination/joins.ts'
import type { MethodDeclaration, Scope } from '../protocol/method.ts'

/** The turn a call is made in: what it stands in, and what its jobs and messages belong to. */
export interface TurnCaller {
  readonly runId: string
  readonly sessionKey: string
  readonly agentId: string
  readonly jobId: string | undefined
  /** Turns that led to this one. */
  readonly hops: number
  /** `<entry>:<ordinal>` of the tool call. */
  readonly callId: string
  readonly standing: Standing
  /** Present for a process that the turn started: whether that turn lives and its tools cover the method. */
  readonly allows?: (method: Pick<MethodDeclaration, 'scope' | 'tool'>) => boolean
}

export interface Caller {
  /** Effects are keyed by it (T1): `operator`, or `session:<key>` inside a turn. */
  readonly principal: string
  /** For logs and for people: `cli`, `the turn of agent:main:main`. */
  readonly label: string
  readonly scopes: ReadonlySet<Scope>
  /** Present when the call is made by a turn's tool: its authority is the tool policy, not scopes. */
  readonly turn?: TurnCaller
  /** The chat in which a person wrote, told by its channel; replies go there. */
  readonly route?: { readonly channelId: string; readonly chatId: string; readonly textLengthMax: number }
  /** What the model is shown before a message's words: who speaks, in a chat of several. Commands are read without it. */
  readonly preface?: string
  /** The device it connected with, and whether that device's token let it in. */
  readonly device?: { readonly deviceId: string; readonly role: string; readonly byToken: boolean }
  /** Zone in which this caller's bare local times are meant; undefined: UTC (protocol 3 clients). */
  readonly zone?: string
}

/** `operator.admin` always suffices; write includes read. A turn has its tools instead, and never approves. */
export function mayCall(caller: Caller, method: Pick<MethodDeclaration, 'scope' | 'tool'>): boolean {
  const { scope } = method
  if (caller.turn) {
    if (scope === 'operator.approvals' || scope === 'operator.pairing') return false
    return caller.turn.allows?.(method) ?? true
  }
  if (caller.scopes.has('operator.admin') || caller.scopes.has(scope)) return true
  return scope === 'operator.read' && caller.scopes.has('operator.write')
}
