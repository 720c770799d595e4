// What a turn's tool calls reach the gateway by: a function call as that turn (W1), and, for processes that a tool starts,
// a signed cause with which they come in as that same turn. Nothing here opens a connection.
import { MINUTE } from '../base/durations.ts'
import { asSluiceError, SluiceError } from '../base/errors.ts'
import type { Clock } from '../base/world.ts'
import type { Settings } from '../config/load.ts'
import type { Standing } from '../coordination/joins.ts'
import type { Caller } from '../dispatch/caller.ts'
import type { Dispatcher } from '../dispatch/dispatcher.ts'
import type { Scope } from '../protocol/method.ts'
import type { RunRow } from '../store/rows.ts'
import type { ToolCaller } from '../tools/tool.ts'
import type { TurnEngine } from '../turns/engine.ts'
import type { CallName } from '../turns/engine-parts.ts'

const NO_SCOPES: ReadonlySet<Scope> = new Set()
/** A cause is void when its call has ended; this is only how long one could be kept at all. */
const CAUSE_SLACK_MS = MINUTE

interface CauseData {
  readonly runId: string
  readonly attempt: number
  readonly callId: string
  readonly expiresAtMs: number
}

export interface ReachParts {
  readonly clock: Clock
  readonly settings: () => Settings
  readonly call: Dispatcher['call']
  readonly causes: {
    sign(cause: CauseData): string
    verify(text: string): { readonly cause: CauseData } | { readonly refused: string }
  }
  readonly engine: () => TurnEngine
}

export class TurnReach {
  readonly #parts: ReachParts

  constructor(parts: ReachParts) {
    this.#parts = parts
  }

  /** A tool's way to the gateway. Its first call has the key of its journal entry. */
  of(run: RunRow, standing: Standing, name: CallName): { call: ToolCaller; cause: () => string } {
    const { clock, settings, call, causes } = this.#parts
    const caller = this.#caller(run, standing, name.id)
    const deadlineMs = settings().toolTimeoutsMs.get(name.tool)
    const bounds = { signal: standing.deadline.signal, ...(deadlineMs !== undefined && { deadlineMs }) }
    let calls = 0
    return {
      call: async (method, params) => {
        calls += 1
        const key = calls === 1 ? name.id : `${name.id}.${calls}`
        const answer = call(method, params, { caller, key, ...bounds })
        return (await (name.resumed ? answer.catch(asResumed) : answer)) as never
      },
      cause: () => {
        const expiresAtMs = clock.now() + settings().exec.timeoutMs + CAUSE_SLACK_MS
        return causes.sign({ runId: run.runId, attempt: run.attempt, callId: name.id, expiresAtMs })
      },
    }
  }

  /** The caller that a process with this cause is, while the call that started it is under way. */
  callerOf(text: string): Caller | undefined {
    const verified = this.#parts.causes.verify(text)
    if ('refused' in verified) return undefined
    const { cause } = verified
    const during = () => this.#parts.engine().during(cause)
    const turn = during()
    if (!turn) return undefined
    const { run, standing, toolbox } = turn
    const caller = this.#caller(run, standing, cause.callId)
    return {
      ...caller,
      label: `a process of ${caller.label}`,
      turn: {
        ...caller.turn,
        // A process that outlives its call is nobody any more.
        allows: ({ scope, tool }) =>
          during() === turn && (tool === undefined ? scope === 'operator.read' : toolbox.has(tool)),
      },
    }
  }

  #caller(run: RunRow, standing: Standing, callId: string) {
    const { runId, sessionKey, agentId, jobId, hops } = run
    return {
      principal: `session:${sessionKey}`,
      label: `the turn of ${sessionKey}`,
      scopes: NO_SCOPES,
      turn: { runId, sessionKey, agentId, jobId, hops, callId, standing },
      zone: this.#parts.settings().zone,
    } satisfies Caller
  }
}

/** A repeat that was not begun says nothing of the first time. */
function asResumed(thrown: unknown): never {
  const error = asSluiceError(thrown)
  if (error.outcome !== 'not-started') throw error
  throw new SluiceError(error.code, `${error.message} Whether an earlier attempt did it is unknown.`, {
    outcome: 'unknown',
  })
}
