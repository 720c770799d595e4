// Runs a range of seeds and adds up what happened in them, for the test and for the command.
import { HOUR } from '../../src/base/durations.ts'
import type { Mutant } from './planting.ts'
import type { Counts, Violation } from './sightings.ts'
import { type Outcome, type SimulationOptions, simulate } from './simulation.ts'

export interface SeedRange extends SimulationOptions {
  readonly from: number
  readonly count: number
}

export interface SeedReport {
  readonly seeds: number
  readonly failed: readonly Outcome[]
  readonly counts: Counts
  readonly virtualMs: number
  readonly wallMs: number
}

export async function runSeeds({ from, count, ...options }: SeedRange): Promise<SeedReport> {
  const startedMs = performance.now()
  const outcomes: Outcome[] = []
  for (let seed = from; seed < from + count; seed += 1) outcomes.push(await simulate(seed, options))
  const names = Object.keys(outcomes[0]?.counts ?? {}) as (keyof Counts)[]
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + of(outcome), 0)
  return {
    seeds: count,
    failed: outcomes.filter(outcome => outcome.violations.length > 0),
    counts: Object.fromEntries(names.map(name => [name, sum(outcome => outcome.counts[name])])) as unknown as Counts,
    virtualMs: sum(outcome => outcome.virtualMs),
    wallMs: performance.now() - startedMs,
  }
}

export function summaryLine({ seeds, counts, virtualMs, wallMs, failed }: SeedReport): string {
  const {
    calls,
    turns,
    refusals,
    timeouts,
    crashes,
    restarts,
    deaths,
    tasks,
    commands,
    questions,
    letters,
    sends,
    merged,
  } = counts
  return [
    `simulated ${seeds} seeds: ${calls} calls, ${turns} turns, ${refusals} refusals, ${timeouts} time-outs`,
    `${merged} merged, ${letters} written in chats, ${sends} sent`,
    `${tasks} tasks, ${questions} questions, ${commands} commands`,
    `${crashes} crashes, ${restarts} restarts, ${deaths} lost runners, ${(virtualMs / HOUR).toFixed(1)} virtual hours`,
    `${(wallMs / 1_000).toFixed(1)} s; ${failed.length} failed`,
  ].join(', ')
}

export function replayLine({ seed, violations }: Outcome): string {
  const [first] = violations
  return `seed ${seed}: ${first?.checker}: ${first?.what}\n  replay: npm run simulate -- --seed ${seed}`
}

export interface Caught {
  readonly mutant: string
  /** The first seed that finds it; undefined when none did. */
  readonly seed: number | undefined
  readonly checker: string
  readonly what: string
}

/**
 * Looks for a seed that finds a planted fault: from 1 on, or with `hinted` from the one known to find it. A seed counts
 * only when it finds nothing without the fault.
 */
export async function hunt(mutant: Mutant, { seeds, hinted }: { seeds: number; hinted: boolean }): Promise<Caught> {
  const from = hinted ? (mutant.near ?? 1) : 1
  for (let count = 0; count < seeds; count += 1) {
    const seed = ((from - 1 + count) % seeds) + 1
    const [first] = await violationsOf(seed, mutant)
    if (!first) continue
    const { violations } = await simulate(seed)
    if (violations.length === 0) return { mutant: mutant.name, seed, checker: first.checker, what: first.what }
  }
  return { mutant: mutant.name, seed: undefined, checker: 'missed', what: '' }
}

/** A gateway that falls over is a find too. */
async function violationsOf(seed: number, { plant, wrapStore }: Mutant): Promise<readonly Violation[]> {
  const options = { ...(plant && { plant }), ...(wrapStore && { wrapStore }) }
  try {
    return (await simulate(seed, options)).violations
  } catch (error) {
    return [{ checker: 'crash', atMs: 0, what: String(error) }]
  }
}

export function mutantTable(caught: readonly Caught[]): string {
  const widths = [Math.max(...caught.map(one => one.mutant.length)), 6, 14] as const
  const row = (cells: readonly string[]) => cells.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join('  ')
  const rows = caught.map(({ mutant, seed, checker, what }) =>
    row([mutant, seed === undefined ? '-' : String(seed), checker, what.slice(0, 100)]),
  )
  return [row(['planted fault', 'seed', 'checker', 'what it saw']), ...rows].join('\n')
}
