// `sluice usage`: what is asked, and the figures as they are shown.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FakeGateway, fakeGateway } from './fake-gateway.ts'
import { run, testShell } from './test-shell.ts'

let gateway: FakeGateway
beforeEach(async () => {
  gateway = await fakeGateway()
})
afterEach(() => gateway.close())

async function sluice(...args: string[]) {
  const shell = testShell(gateway.url, { tty: false })
  const code = await run(shell, 'usage', ...args)
  return { code, out: shell.out, err: shell.err }
}

const TOTALS = { input: 1_000, output: 40, cacheRead: 200, cacheWrite: 34, totalTokens: 1_274, totalCost: 0.0123 }
const DAY = { ...TOTALS, missingCostEntries: 3 }

test('a day is a row, and all of them the last one', async () => {
  gateway.answers('usage.cost', {
    ...{ updatedAt: 1, days: 30, daily: [{ date: '2026-11-22', ...DAY }] },
    totals: { ...DAY, totalCost: 7 },
  })
  const { code, out } = await sluice()
  expect(code).toBe(0)
  const rows = out.split('\n').map(line => line.trim().split(/\s+/))
  expect(rows[1]).toEqual(['2026-11-22', '1,234', '200', '40', '0.0123', '3'])
  expect(rows[2]).toEqual(['total', '1,234', '200', '40', '7.0000', '3'])
})

test('of one session or one job, not of both', async () => {
  gateway.answers('usage.cost', { updatedAt: 1, days: 7, daily: [], totals: DAY })
  gateway.answers('cron.list', { jobs: [{ id: 'job-1', name: 'Report' }], total: 1 })
  expect((await sluice('--days', '7', '--session', 'main')).code).toBe(0)
  expect((await sluice('--job', 'report')).code).toBe(0)
  expect(gateway.paramsOf('usage.cost')).toEqual([{ days: 7, sessionKey: 'main' }, { jobId: 'job-1' }])
  const { code, err } = await sluice('--job', 'report', '--session', 'main')
  expect([code, err]).toEqual([2, expect.stringContaining('not both')])
})
