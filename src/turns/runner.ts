// The port to whatever runs turns: in this thread, in a worker thread, later in a sandbox. A runner holds no state of a
// turn that matters: all of it is in the journal, kept by the gateway over the link that the turn already has (W1).
import type { ModelChoice } from '../providers/choice.ts'
import type { ModelCall, ModelMessage, ModelUsage, Thinking, ToolSpec } from '../providers/model.ts'
import type { RunEnd } from '../store/port.ts'
import type { FailureKind } from '../store/rows.ts'
import type { CallResult, LoopAnswer, TurnCall, TurnLimits } from './loop.ts'
import type { PromptFolder } from './prompt-files.ts'

/** All that a runner needs to begin; cloneable. */
export interface TurnTask {
  readonly runId: string
  readonly model: ModelChoice
  readonly system: string
  /** Of the person. */
  readonly zone: string
  /** Whose files follow it. */
  readonly promptFiles?: PromptFolder
  readonly messages: readonly ModelMessage[]
  readonly pending: readonly TurnCall[]
  readonly said: readonly string[]
  readonly answered: boolean
  readonly tools: readonly ToolSpec[]
  readonly thinking?: Thinking
  readonly limits: TurnLimits
}

export interface TurnMessage {
  readonly text: string
  readonly calls: readonly ModelCall[]
  readonly model: string
  readonly usage?: ModelUsage
  /** It broke off, and the turn ends with it. */
  readonly isCut?: true
}

/** What a turn asks of its gateway. Each promise resolves after the commit; it rejects when the turn must end. */
export interface TurnLink {
  /** A model is about to be asked; `because` says why it is asked instead of the one before. */
  attempt(model: string, because?: string): Promise<LoopAnswer>
  message(message: TurnMessage): Promise<LoopAnswer>
  /** Runs the call and commits its result. */
  invoke(call: TurnCall): Promise<CallResult>
  delta(text: string): void
}

export interface TurnOutcome {
  readonly state: 'ok' | 'failed' | 'aborted' | 'timed-out'
  readonly reply: string
  readonly error?: string
  /** Of a failed one; absent: `permanent`. */
  readonly failure?: FailureKind
  /** Its last request was longer than the model takes, and nothing of an answer to it was shown. */
  readonly tooLong?: true
  /** Of a command. */
  readonly outcome?: NonNullable<RunEnd['outcome']>
  readonly exitCode?: number
  readonly summary?: string
}

export interface Runner {
  /**
   * Runs a turn to its end. Rejects with a SluiceError only when the runner itself was lost or the link refused an
   * entry; the turn is then not ended and its journal says how far it came.
   */
  run(task: TurnTask, link: TurnLink, signal: AbortSignal): Promise<TurnOutcome>
  /**
   * The turn did not heed its abort and was let go: nothing of it may reach its link any more. A runner that does not
   * answer at all is ended, and its other turns are reported lost. Never waits.
   */
  abandon(runId: string): void
  close(): Promise<void>
}
