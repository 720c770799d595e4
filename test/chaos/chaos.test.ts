// A hundred deaths of real gateways under mixed load; `npm run chaos -- --kills 1000` is the long form.
import { expect, test } from 'vitest'
import { reportLines, runChaos } from './run.ts'

const KILLS = 100
const NAMED = ['before-commit', 'mid-stream', 'effect-result', 'send-mark', 'migration'] as const

test('L1-L4, T1, T3, T4: whenever a gateway is killed, nothing is lost and nothing done twice', async () => {
  const seed = Date.now() % 1_000_000
  const report = await runChaos({ kills: KILLS, seed })
  console.log(reportLines(report).join('\n'))
  expect(report.failed).toEqual([])
  for (const kind of NAMED) expect(report.kills[kind], kind).toBeGreaterThanOrEqual(10)
  expect(Object.values(report.kills).reduce((sum, n) => sum + n, 0)).toBe(KILLS)
}, 600_000)
