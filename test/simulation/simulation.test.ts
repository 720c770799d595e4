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
const SLICE_MS_MAX = 400_000

describe('W1-W7, L1-L4, T1-T4: simulated worlds', () => {
  for (let from = 1; from <= SEEDS; from += SLICE) {
    test(`seeds ${from} to ${from + SLICE - 1} find nothing`, { timeout: SLICE_MS_MAX }, async () => {
      const report = await runSeeds({ from, count: SLICE })
      console.log(summaryLine(report))
      expect(report.failed.map(replayLine)).toEqual([])
      expect(report.counts.refusals).toBeGreaterThan(0)
      expect(report.counts.crashes).toBeGreaterThan(0)
      expect(report.counts.tasks).toBeGreaterThan(0)
      expect(report.counts.commands).toBeGreaterThan(0)
      expect(report.counts.merged).toBeGreaterThan(0)
      expect(report.counts.sends).toBeGreaterThan(0)
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

/** Seeds that failed once, each with what it showed: by then there were no tasks and no questions in their worlds. */
describe('regressions of the plain world', () => {
  test.each([
    [113, 'W5: a runner that died while its turn waited left a wait behind, which took a slot for ever'],
    [335, 'W5: the same, seen as a slot that stayed taken'],
    [166, 'W5, W6: a call that was given up went on to park the slot and the deadline of its turn'],
    [14, 'W4: cron.run with wait refused the wait after it had started the run'],
    [109, 'W6: a repeated call that an earlier attempt had committed was said not to have begun'],
    [308, 'T1: a repeated cron.add was refused as past before its key was looked for'],
    [5727, 'W5, W6: a call was given up while it stood in a wait of its own, with its turn parked'],
    [5008, 'a checker that took a stopped turn’s end for a missing result'],
    [111, 'W4: a queued run that was stopped left its name in the graph'],
    [10897, 'a checker that did not know the end of a turn that was let go'],
    [11962, 'T1: the same; and a reply that was taken for a call that had been given up'],
  ])('seed %i: %s', async seed => {
    expect((await simulate(seed, { world: 'plain' })).violations).toEqual([])
  })
})

/** The same of worlds with tasks, commands and questions. */
describe('regressions of the world in which people are asked', () => {
  test.each([
    [4, 'W7: a turn that was stopped while it waited for a place at its provider ended as failed'],
    [30, 'T1: a call that was given up took the reply of its task, which nobody heard'],
    [278, 'W5: a process ended before the wait that it had asked for, and its turn went on without a slot'],
  ])('seed %i: %s', async seed => {
    expect((await simulate(seed, { world: 'asking' })).violations).toEqual([])
  })
})

/** The same of worlds in which people write while turns run. */
describe('regressions of talking', () => {
  test.each([
    [14, 'W6: who waited for a message before it was collected heard of no end'],
    [60730, 'a checker that did not know that an interrupting message stops tasks too'],
    [60087, 'a checker that did not know of stops that were written in a chat'],
  ])('seed %i: %s', async seed => {
    expect((await simulate(seed, { world: 'talking' })).violations).toEqual([])
  })
})
