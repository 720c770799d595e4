// The port to a tool. A tool reaches the gateway only through the `call` it is handed; it takes no gateway address and
// opens no connection to it (W1). What it throws becomes a result that the model can read.
import type * as z from 'zod'
import type { MethodName, ParamsInput, Result } from '../protocol/catalogue.ts'

/** Calls a method as the turn: its authority, its place in the wait graph, its idempotency key. */
export type ToolCaller = <M extends MethodName>(method: M, params: ParamsInput<M>) => Promise<Result<M>>

/** What a person is asked: exactly what would run, as a line for people and as data for clients. */
export interface ApprovalAsk {
  readonly text: string
  readonly request: Readonly<Record<string, unknown>>
  readonly timeoutMs: number
}

/** `note` is what the person wrote instead of yes or no. */
export type ApprovalAnswer =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly why: 'denied' | 'expired'; readonly note?: string }

export interface ToolContext {
  readonly call: ToolCaller
  readonly sessionKey: string
  readonly agentId: string
  readonly zone: string
  readonly signal: AbortSignal
  /** Waits for something outside this process: the turn's slot is given back and its time stands still (W5, W6). */
  readonly outside: <T>(wait: () => Promise<T>) => Promise<T>
  /** A token by which a process that this call starts is known as this turn (W1); void once the call has ended. */
  readonly cause: () => string
  /**
   * Asks a person and waits for the answer (W7). Before it answers `allowed` it is on disk that the call begins, so that
   * it is not done again after a crash. Rejects when the turn ends meanwhile.
   */
  readonly approve: (ask: ApprovalAsk) => Promise<ApprovalAnswer>
}

/** After a crash, may a call without a result run again? `safe`: it reads, or its effect has a key (T1). */
export type ToolReplay = 'safe' | 'never'

export interface Tool<P extends z.ZodType = z.ZodType> {
  readonly name: string
  readonly description: string
  readonly parameters: P
  readonly replay: ToolReplay
  readonly run: (params: z.output<P>, context: ToolContext) => Promise<unknown>
}

export function tool<P extends z.ZodType>(definition: Tool<P>): Tool {
  return definition as unknown as Tool
}
