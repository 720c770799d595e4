// What a method declares of itself. Handlers, client types, CLI help, routes, tools and docs are derived from the
// declarations in methods/; there is no second list.
import type * as z from 'zod'

export const SCOPES = [
  'operator.read',
  'operator.write',
  'operator.admin',
  'operator.approvals',
  'operator.pairing',
] as const
export type Scope = (typeof SCOPES)[number]

/**
 * What a repeat of the same call with the same key may do (T1). `read`: run again. `transactional`: effect and answer are
 * one commit, the repeat gives the first answer. `attach`: the repeat gives the run's present state. `none`: never run
 * again without a result; the repeat answers `unknown`.
 */
export type Replay = 'read' | 'transactional' | 'attach' | 'none'

/** Facts that leniency needs and only the caller has. */
export interface LeniencyContext {
  /** Zone of a bare local time; UTC when absent (protocol 3 clients). */
  readonly zone?: string
}

export interface MethodDeclaration<P extends z.ZodType = z.ZodType, R extends z.ZodType = z.ZodType> {
  readonly summary: string
  readonly params: P
  readonly result: R
  readonly scope: Scope
  /**
   * The tool whose permission covers it: what a process started by a turn may call is what that turn's tools could.
   * Without one, such a process may only read.
   */
  readonly tool?: string
  readonly replay: Replay
  /** Bound on the work of the call, from the start of execution; a wait it makes has its own bound in its params. */
  readonly deadlineMs: number
  /** Params that are right, shown with a refusal of others. */
  readonly example?: unknown
  /** Known lenient forms, applied before validation. */
  readonly lenient?: (params: unknown, context: LeniencyContext) => unknown
}

export function method<P extends z.ZodType, R extends z.ZodType>(declaration: MethodDeclaration<P, R>) {
  return declaration
}
