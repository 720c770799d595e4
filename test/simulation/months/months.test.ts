// Months of jobs in virtual time, in every test run: worlds that must find nothing, in which all pairs of catch-up and
// overlap were had, and each planted fault found again. More of them by hand: `npm run simulate -- --world months`.
import { expect, test } from 'vitest'
import { mutantTable } from '../seeds.ts'
import { PAIRS } from './drawn-jobs.ts'
import { MONTHS_MUTANTS } from './mutants.ts'
import { huntInMonths, monthsLine, monthsReplayLine, runMonths } from './seeds.ts'

const SEEDS = 3
/** Of these seeds one finds each planted fault; the first looked at is the one that is known to. */
const HUNTED = 12
// bound: all of it takes about 20 s on an idle core.
const MS_MAX = 400_000

test('L3: months of jobs: the ledger is whole, nothing fires twice, policies hold, and all comes to rest', {
  timeout: MS_MAX,
}, async () => {
  const report = await runMonths({ from: 1, count: SEEDS })
  console.log(monthsLine(report))
  expect(report.failed.map(monthsReplayLine)).toEqual([])
  expect([...report.pairs].sort()).toEqual(PAIRS.map(({ catchUp, overlap }) => `${catchUp} ${overlap}`).sort())
  for (const what of ['fired', 'skipped', 'missed', 'paused', 'alerts', 'kills', 'apart', 'followed', 'declined'])
    expect([what, report.counts[what]]).not.toEqual([what, 0])
})

test(`each of ${MONTHS_MUTANTS.length} faults planted into the scheduler is found`, { timeout: MS_MAX }, async () => {
  const caught = []
  for (const mutant of MONTHS_MUTANTS) caught.push(await huntInMonths(mutant, { seeds: HUNTED, days: 30 }))
  console.log(mutantTable(caught))
  expect(caught.filter(one => one.seed === undefined).map(one => one.mutant)).toEqual([])
})
