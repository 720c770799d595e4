// The port to a tool. A tool reaches the gateway only through the `call` it is handed; it takes no gateway address and
// opens no connection to it (W1). What it throws becomes a result that the model can read.
import type * as z from 'zod'
import type { MethodName, ParamsInput, Result } from '../protocol/catalogue.ts'

/** Calls a method as the turn: its authority, its place in the wait graph, its idempotency key. */
export type ToolCaller = <M extends MethodName>(method: M, params: ParamsInput<M>) => Promise<Result<M>>

export interface ToolContext {
  readonly call: ToolCaller
  readonly sessionKey: string
  readonly agentId: string
  readonly zone: string
  readonly signal: AbortSignal
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
