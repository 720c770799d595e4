// What handlers are handed. They translate a call into store functions, the engine and the scheduler; they keep nothing.
import type { Clock, Random } from '../base/world.ts'
import type { Joins } from '../coordination/joins.ts'
import type { Lanes } from '../coordination/lanes.ts'
import type { Slots } from '../coordination/slots.ts'
import type { WaitGraph } from '../coordination/wait-graph.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import type { Store } from '../store/port.ts'
import type { RunRow } from '../store/rows.ts'
import type { TurnEngine } from '../turns/engine.ts'

export interface GatewayFacts {
  readonly version: string
  readonly stateDir: string
  readonly zone: string
  readonly startedAtMs: number
  /** Ref of the model that answers by default. */
  readonly modelRef: string
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
  readonly joins: Joins<RunRow>
  readonly lanes: Lanes
  readonly slots: Slots
  readonly graph: WaitGraph
  readonly facts: GatewayFacts
}
