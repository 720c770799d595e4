// What the engine is handed: the store, the things that can wait, the runner, the tools, and the functions by which it
// reaches rooms that it may not import.
import type { Clock } from '../base/world.ts'
import type { Joins, Standing } from '../coordination/joins.ts'
import type { Lanes } from '../coordination/lanes.ts'
import type { Pool, Slots } from '../coordination/slots.ts'
import type { WaitGraph } from '../coordination/wait-graph.ts'
import type { ModelChoice } from '../providers/choice.ts'
import type { ModelUsage } from '../providers/model.ts'
import type { ModelTraits } from '../providers/traits.ts'
import type { NewNotice, RunEnd, Store } from '../store/port.ts'
import type { ApprovalRow, RunRow } from '../store/rows.ts'
import type { ToolCaller } from '../tools/tool.ts'
import type { Toolbox } from '../tools/toolbox.ts'
import type { Persona } from './prompt.ts'
import type { Publish } from './run-events.ts'
import type { Runner } from './runner.ts'

/** Between tries at a write that the disk refuses. */
export const RETRY_MS = 1_000
export const RETRY_MS_MAX = 30_000

/** Whose tools are asked for: a turn with what its job lets it have, or a session's turns. */
export type ToolUser = Pick<RunRow, 'sessionKey' | 'agentId'> & Partial<Pick<RunRow, 'rules'>>

/** What the config says of turns; read anew by each turn, so that all change at once. */
export interface TurnSettings {
  readonly zone: string
  readonly timeoutMs: number
  readonly toolboxFor: (run: ToolUser) => Toolbox
  /** Who an agent is to its turns. */
  readonly personaOf: (agentId: string) => Persona
  readonly traitsOf: (ref: string) => ModelTraits
  readonly chooseModel: (ref: string | undefined, run: RunRow) => ModelChoice
  /** Why the model must not be asked now, because a cap is reached. */
  readonly capReached: (run: RunRow, model: string) => string | undefined
  /** Millionths of a US dollar; undefined where no price is known. */
  readonly costOf: (model: string, usage: ModelUsage) => number | undefined
}

/** A tool call of a turn, as its surroundings know it. `id` is `<entry>:<ordinal>`. */
export interface CallName {
  readonly id: string
  readonly tool: string
  /** An earlier attempt may have made this very call. */
  readonly resumed: boolean
}

export interface EngineParts {
  readonly store: Store
  readonly clock: Clock
  readonly publish: Publish
  readonly graph: WaitGraph
  readonly lanes: Lanes
  readonly slots: Slots
  readonly joins: Joins<RunRow>
  readonly approvals: Joins<ApprovalRow>
  readonly runner: Runner
  readonly settings: () => TurnSettings
  /** Makes what a tool of this turn is handed to reach the gateway; its calls are the turn's own. */
  readonly reachFor: (run: RunRow, standing: Standing, call: CallName) => { call: ToolCaller; cause: () => string }
  /** When a run that failed so is tried again by its job's policy; undefined: it ends. */
  readonly retryAt: (run: RunRow, end: RunEnd) => number | undefined
  /** Whether a run that was to begin or be tried again later still is: its job is there and switched on. */
  readonly isWanted: (run: RunRow) => boolean
  /** Its end as its job sees it, which also wants it delivered, with the files that its reply names. Does not reject. */
  readonly endFor: <E extends RunEnd>(run: RunRow, end: E) => E | Promise<E>
  /** What a finished run tells another session, if anything. */
  readonly noticeFor: (run: RunRow, end: RunEnd) => NewNotice | undefined
  readonly log: (level: 'info' | 'warn' | 'error', message: string, fields?: Readonly<Record<string, unknown>>) => void
}

/** The pools in which a run takes its place. */
export function poolsOf(run: RunRow): Pool[] {
  return [
    'turns',
    ...(run.jobId === undefined ? [] : ['jobs']),
    ...(run.source === 'spawn' ? ['subagents'] : []),
    `agent:${run.agentId}`,
  ]
}

export function providerPool(modelRef: string): Pool {
  return `provider:${modelRef.split('/')[0]}`
}
