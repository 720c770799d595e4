// What handlers are handed. They translate a call into store functions, the engine and the scheduler; they keep nothing.
import type { DeviceTokens } from '../access/device-token.ts'
import type { Presence } from '../access/presence.ts'
import type { Clock, Random } from '../base/world.ts'
import type { Channel } from '../channels/port.ts'
import type { Settings } from '../config/load.ts'
import type { Joins } from '../coordination/joins.ts'
import type { Lanes } from '../coordination/lanes.ts'
import type { Slots } from '../coordination/slots.ts'
import type { WaitGraph } from '../coordination/wait-graph.ts'
import type { Exchange } from '../delivery/exchange.ts'
import type { CallCounts } from '../dispatch/call-counts.ts'
import type { Caller } from '../dispatch/caller.ts'
import type { Dispatcher } from '../dispatch/dispatcher.ts'
import type { GatewayEvent } from '../dispatch/event-hub.ts'
import type { ModelLists } from '../providers/lists.ts'
import type { Heartbeats } from '../scheduler/heartbeat.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import type { Store } from '../store/port.ts'
import type { ApprovalRow, RunRow } from '../store/rows.ts'
import type { Toolbox } from '../tools/toolbox.ts'
import type { TurnEngine } from '../turns/engine.ts'
import type { ToolUser } from '../turns/engine-parts.ts'
import type { Control } from './control.ts'
import type { WrittenLog } from './logs.ts'

/** How the store and the starts before this one are. */
export interface Condition {
  /** `not-checked`, `checking`, `ok`, `damaged: …` or `unknown: …`; it changes while a check goes on. */
  readonly integrity: () => string
  /** Why turns and jobs are held back since the start; undefined: they are not. */
  readonly heldBack: string | undefined
}

export interface GatewayFacts {
  readonly condition: Condition
  readonly version: string
  readonly stateDir: string
  readonly logFile: WrittenLog
  readonly zone: string
  readonly startedAtMs: number
  /** Ref of the model that answers by default. */
  readonly modelRef: string
  /** The same for an agent. */
  readonly modelOf: (agentId: string) => string
  readonly loopDelayMs: () => { p50: number; p99: number; max: number }
  readonly memoryBytes: () => number
  readonly pid: number
}

export interface MethodParts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly engine: TurnEngine
  readonly scheduler: Scheduler
  readonly heartbeats: Heartbeats
  readonly presence: Presence
  readonly channels: readonly Pick<Channel, 'id' | 'capabilities'>[]
  readonly joins: Joins<RunRow>
  readonly approvals: Joins<ApprovalRow>
  readonly lanes: Lanes
  readonly slots: Slots
  readonly graph: WaitGraph
  readonly facts: GatewayFacts
  /** The present ones: they are replaced as one value. */
  readonly settings: () => Settings
  readonly publish: (event: GatewayEvent) => void
  /** Told that something is owed to a channel's chats; says how the channels fare. */
  readonly delivery: Pick<Exchange, 'poke' | 'reports'>
  /** What the dispatcher counts of its calls. */
  readonly counts: CallCounts
  /** Open connections of clients. */
  readonly connections: () => number
  readonly control: Control
  /** For tools that are called without a turn. */
  readonly outside: {
    readonly call: Dispatcher['call']
    /** The tools that turns of a session have, by its policy. */
    readonly toolboxOf: (user: ToolUser) => Toolbox
  }
  /** Makes and opens the tokens of devices. */
  readonly deviceTokens: DeviceTokens
  /** Ends the connections of some callers; who asks for that himself is answered first. */
  readonly cut: (whose: (caller: Caller) => boolean, why: { reason: string; asker: Caller }) => void
  /** What the providers say they have. */
  readonly lists: ModelLists
}
