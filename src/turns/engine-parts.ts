// What the engine is handed: the store, the things that can wait, the runner, the tools, and the functions by which it
// reaches rooms that it may not import.
import type { Clock } from '../base/world.ts'
import type { Joins, Standing } from '../coordination/joins.ts'
import type { Lanes } from '../coordination/lanes.ts'
import type { Slots } from '../coordination/slots.ts'
import type { WaitGraph } from '../coordination/wait-graph.ts'
import type { ModelChoice } from '../providers/choice.ts'
import type { NewNotice, RunEnd, Store } from '../store/port.ts'
import type { RunRow } from '../store/rows.ts'
import type { ToolCaller } from '../tools/tool.ts'
import type { Toolbox } from '../tools/toolbox.ts'
import type { Publish } from './run-events.ts'
import type { Runner } from './runner.ts'

/** Between tries at a write that the disk refuses. */
export const RETRY_MS = 1_000
export const RETRY_MS_MAX = 30_000

export interface EngineParts {
  readonly store: Store
  readonly clock: Clock
  readonly publish: Publish
  readonly graph: WaitGraph
  readonly lanes: Lanes
  readonly slots: Slots
  readonly joins: Joins<RunRow>
  readonly runner: Runner
  readonly toolbox: Toolbox
  readonly zone: string
  readonly timeoutMs: number
  readonly chooseModel: (ref: string | undefined) => ModelChoice
  /** Makes the `call` that a tool of this turn is handed; its calls are the turn's own. */
  readonly callerFor: (
    run: RunRow,
    standing: Standing,
    call: { key: string; tool: string; resumed: boolean },
  ) => ToolCaller
  /** What a finished run tells another session, if anything. */
  readonly noticeFor: (run: RunRow, end: RunEnd) => NewNotice | undefined
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void
}
