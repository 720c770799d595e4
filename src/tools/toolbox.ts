// The tools a turn may use, and the one way in which they run: policy, validation, and every outcome as text for the
// model. A tool that fails is a result; only an abort of the turn passes through.
import * as z from 'zod'
import { asSluiceError } from '../base/errors.ts'
import type { Tool, ToolContext, ToolReplay } from './tool.ts'

export interface ToolDescription {
  readonly name: string
  readonly description: string
  readonly parameters: Readonly<Record<string, unknown>>
}

export interface ToolPolicy {
  readonly allow: readonly string[] | undefined
  readonly deny: readonly string[]
}

export interface ToolResult {
  readonly text: string
  readonly isError: boolean
}

/** Longest result that is shown to a model; the rest is cut and said to be. */
export const RESULT_LENGTH_MAX = 60_000

export class Toolbox {
  readonly #tools: ReadonlyMap<string, Tool>
  readonly descriptions: readonly ToolDescription[]

  constructor(tools: readonly Tool[], policy: ToolPolicy) {
    const allowed = tools.filter(
      tool => !policy.deny.includes(tool.name) && (policy.allow?.includes(tool.name) ?? true),
    )
    this.#tools = new Map(allowed.map(tool => [tool.name, tool]))
    this.descriptions = allowed.map(({ name, description, parameters }) => ({
      name,
      description,
      parameters: z.toJSONSchema(parameters, { io: 'input', unrepresentable: 'any' }),
    }))
  }

  /** The same without those that are not named. */
  only(names: readonly string[]): Toolbox {
    return new Toolbox([...this.#tools.values()], { allow: names, deny: [] })
  }

  /** The same with one more, whatever the policy. */
  and(tool: Tool): Toolbox {
    return new Toolbox([...this.#tools.values(), tool], { allow: undefined, deny: [] })
  }

  get names(): readonly string[] {
    return [...this.#tools.keys()]
  }

  has(name: string): boolean {
    return this.#tools.has(name)
  }

  replayOf(name: string): ToolReplay {
    return this.#tools.get(name)?.replay ?? 'never'
  }

  async run(call: { name: string; args: unknown }, context: ToolContext): Promise<ToolResult> {
    const tool = this.#tools.get(call.name)
    if (!tool)
      return failure(
        call.name,
        `there is no tool named ${call.name.slice(0, 100)}; use one of: ${this.names.join(', ')}`,
      )
    const parsed = tool.parameters.safeParse(call.args)
    if (!parsed.success) return failure(call.name, `invalid arguments: ${z.prettifyError(parsed.error)}`)
    try {
      return { text: cut(JSON.stringify(await tool.run(parsed.data, context))), isError: false }
    } catch (thrown) {
      const error = asSluiceError(thrown)
      return failure(call.name, error.message, {
        code: error.code,
        ...(error.outcome && { outcome: error.outcome }),
        ...(error.retryAfterMs !== undefined && { retryAfterMs: error.retryAfterMs }),
        ...error.details,
      })
    }
  }
}

function failure(tool: string, error: string, extras: Readonly<Record<string, unknown>> = {}): ToolResult {
  return { text: cut(JSON.stringify({ status: 'error', tool, error, ...extras })), isError: true }
}

function cut(text: string): string {
  if (text.length <= RESULT_LENGTH_MAX) return text
  return `${text.slice(0, RESULT_LENGTH_MAX)}… (cut: ${text.length - RESULT_LENGTH_MAX} more characters)`
}
