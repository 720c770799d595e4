// What an answer costs by the owner's own prices. Where a price that is needed is not known, neither is the cost: none is
// made up.
import type { ModelUsage } from './model.ts'

/** US dollars for a million tokens. */
export interface Price {
  readonly input?: number | undefined
  readonly output?: number | undefined
  readonly cacheRead?: number | undefined
  readonly cacheWrite?: number | undefined
}

/** Millionths of a US dollar, whole; undefined where something of it is not known. */
export function costMicroUsd(price: Price | undefined, usage: ModelUsage): number | undefined {
  const { inputTokens, outputTokens, cacheReadTokens = 0, cacheWriteTokens = 0 } = usage
  if (!price || inputTokens === undefined || outputTokens === undefined) return undefined
  const parts: readonly (readonly [tokens: number, price: number | undefined])[] = [
    [Math.max(0, inputTokens - cacheReadTokens - cacheWriteTokens), price.input],
    [outputTokens, price.output],
    [cacheReadTokens, price.cacheRead],
    [cacheWriteTokens, price.cacheWrite],
  ]
  let cost = 0
  for (const [tokens, each] of parts) {
    if (tokens > 0 && each === undefined) return undefined
    cost += tokens * (each ?? 0)
  }
  return Math.round(cost)
}
