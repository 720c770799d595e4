// What models used, counted in the commit that keeps their answer: by day and model, for each of the scopes that an answer
// counts in. Sums, never single answers: those are in the journals.
import { type EntryBody, type RunRow, type UsageRow, usageScopes } from '../rows.ts'
import type { Tx } from './tx.ts'

const COUNT = `INSERT INTO usage
  (scope, day, model, answers, unpriced, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
   cost_micro_usd, created_at_ms)
  VALUES (:scope, :day, :model, 1, :unpriced, :input, :output, :cacheRead, :cacheWrite, :cost, :nowMs)
  ON CONFLICT (scope, day, model) DO UPDATE SET answers = answers + 1, unpriced = unpriced + excluded.unpriced,
    input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
    cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
    cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
    cost_micro_usd = cost_micro_usd + excluded.cost_micro_usd`

type Answer = Extract<EntryBody, { kind: 'message' | 'compaction' }>

/** Does nothing for an answer of which no usage is known. */
export function countUsage(
  tx: Tx,
  run: RunRow,
  { answer, day, nowMs }: { answer: Answer; day: string; nowMs: number },
): void {
  const { usage, model } = answer
  if (!usage) return
  for (const scope of Object.values(usageScopes(run))) {
    if (scope === undefined) continue
    tx.run(COUNT, {
      ...{ scope, day, model, nowMs },
      unpriced: usage.costMicroUsd === undefined ? 1 : 0,
      input: usage.inputTokens ?? 0,
      output: usage.outputTokens ?? 0,
      cacheRead: usage.cacheReadTokens ?? 0,
      cacheWrite: usage.cacheWriteTokens ?? 0,
      cost: usage.costMicroUsd ?? 0,
    })
  }
}

/** Sums of a scope from a day on, by day or by model; at most so many as a read may answer. */
export function usageSelect(by: UsageRow['by'], limit: number): string {
  return `SELECT '${by}' AS "by", ${by} AS name, sum(answers) AS answers, sum(unpriced) AS unpriced,
    sum(input_tokens) AS inputTokens, sum(output_tokens) AS outputTokens,
    sum(cache_read_tokens) AS cacheReadTokens, sum(cache_write_tokens) AS cacheWriteTokens,
    sum(cost_micro_usd) AS costMicroUsd
    FROM usage WHERE scope = ? AND day >= ? GROUP BY ${by} ORDER BY ${by} DESC LIMIT ${limit}`
}
