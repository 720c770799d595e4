// Seeds run by every test run: 300 that must find nothing, each planted fault found again, and what is known to go wrong.
// A seed that fails is replayed by the command that its message names; then it becomes a test below.
import { describe, expect, test } from 'vitest'
import { MUTANTS } from './mutants.ts'
import { hunt, mutantTable, replayLine, runSeeds, summaryLine } from './seeds.ts'
import { simulate } from './simulation.ts'

const SEEDS = 300
/** The seeds run in slices, each far below the bound on one test. */
const SLICE = 60
// bound: a slice takes about 10 s on an idle core.
const SLICE_MS_MAX = 180_000

describe('W1-W7, L1-L3, T1-T3: simulated worlds', () => {
  for (let from = 1; from <= SEEDS; from += SLICE) {
    test(`seeds ${from} to ${from + SLICE - 1} find nothing`, { timeout: SLICE_MS_MAX }, async () => {
      const report = await runSeeds({ from, count: SLICE })
      console.log(summaryLine(report))
      expect(report.failed.map(replayLine)).toEqual([])
      expect(report.counts.refusals).toBeGreaterThan(0)
      expect(report.counts.crashes).toBeGreaterThan(0)
    })
  }

  test('a seed tells the same story each time, and another seed another one', async () => {
    const hashes: string[] = []
    for (const seed of [4, 11, 4, 11]) hashes.push((await simulate(seed)).hash)
    expect(hashes.slice(2)).toEqual(hashes.slice(0, 2))
    expect(new Set(hashes).size).toBe(2)
  })
})

// Starts at the seed known to find a fault; the whole hunt, from seed 1, is `npm run simulate -- --mutants`.
test(`each of ${MUTANTS.length} planted faults is found`, { timeout: SLICE_MS_MAX }, async () => {
  const caught = []
  for (const mutant of MUTANTS) caught.push(await hunt(mutant, { seeds: SEEDS, hinted: true }))
  console.log(mutantTable(caught))
  expect(caught.filter(one => one.seed === undefined).map(one => one.mutant)).toEqual([])
})

/** Seeds that fail today. `wild` lets their faults happen; once one is mended, its guard in the simulator goes too. */
describe('known to go wrong', () => {
  const finds = async (seed: number) => {
    const { violations } = await simulate(seed, { wild: true })
    expect(violations).toEqual([])
  }

  // A runner that dies while its turn waits leaves the wait behind; it takes a slot that the turn gives back no more.
  test.skip('W5: seed 113: no more turns work than there are slots', () => finds(113))
  // The same, seen as a slot that stays taken.
  test.skip('W5: seed 335: a turn that could run does', () => finds(335))
  // A call that was given up (`unknown`) goes on to park the slot and the deadline of its turn, which works on.
  test.skip('W5, W6: seed 166: who was answered does not wait', () => finds(166))
  // `cron.run` with `wait` refuses the wait after it has started the run, and says that nothing was started.
  test.skip('W4: seed 14: a refusal leaves nothing behind', () => finds(14))
  // A call that an earlier attempt had committed is dropped when repeated, and said not to have begun.
  test.skip('W6: seed 109: what was done is not said not to have begun', () => finds(109))
  // A repeated `cron.add` of a one-shot whose instant has passed is refused before its key is looked for.
  test.skip('T1: seed 308: a repeated key gives the first answer', () => finds(308))
  // A queued run that is stopped leaves its name in the wait-for graph.
  test.skip('W4: seed 111: names return to zero', () => finds(111))
})
