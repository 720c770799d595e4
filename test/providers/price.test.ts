// What an answer costs: by the prices that are known, or not at all.
import { expect, test } from 'vitest'
import { costMicroUsd } from '../../src/providers/price.ts'

const price = { input: 3, output: 15, cacheRead: 0.3, cacheWrite: 3.75 }

test('each kind of token at its own price, and what was cached not twice', () => {
  const usage = { inputTokens: 1_000_000, outputTokens: 100_000, cacheReadTokens: 600_000, cacheWriteTokens: 200_000 }
  expect(costMicroUsd(price, usage)).toBe(200_000 * 3 + 100_000 * 15 + 600_000 * 0.3 + 200_000 * 3.75)
  expect(costMicroUsd({ input: 0, output: 0 }, { inputTokens: 5, outputTokens: 5 })).toBe(0)
})

test('where a price or a count that is needed is not known, neither is the cost', () => {
  const usage = { inputTokens: 10, outputTokens: 10 }
  expect(costMicroUsd(undefined, usage)).toBeUndefined()
  expect(costMicroUsd({ input: 1 }, usage)).toBeUndefined()
  expect(costMicroUsd(price, { inputTokens: 10 })).toBeUndefined()
  expect(costMicroUsd({ input: 1, output: 1 }, { ...usage, cacheReadTokens: 1 })).toBeUndefined()
  expect(costMicroUsd({ input: 1, output: 1 }, usage)).toBe(20)
})
