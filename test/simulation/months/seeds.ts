// Runs worlds of months, one seed after the other, and hunts planted faults in them, for the test and for the command.
import type { Mutant } from '../planting.ts'
import type { Caught } from '../seeds.ts'
import { type MonthsOptions, type MonthsOutcome, simulateMonths } from './months.ts'

export interface MonthsReport {
  readonly seeds: number
  readonly failed: readonly MonthsOutcome[]
  readonly counts: Readonly<Record<string, number>>
  /** Pairs of catch-up and overlap that jobs had. */
  readonly pairs: ReadonlySet<string>
  readonly days: number
  readonly wallMs: number
}

export async function runMonths({
  from,
  count,
  ...options
}: MonthsOptions & { from: number; count: number }): Promise<MonthsReport> {
  const startedMs = performance.now()
  const outcomes: MonthsOutcome[] = []
  for (let seed = from; seed < from + count; seed += 1) outcomes.push(await simulateMonths(seed, options))
  const counts: Record<string, number> = {}
  for (const outcome of outcomes)
    for (const [name, n] of Object.entries(outcome.counts)) counts[name] = (counts[name] ?? 0) + n
  return {
    seeds: count,
    failed: outcomes.filter(({ violations }) => violations.length > 0),
    counts,
    pairs: new Set(outcomes.flatMap(({ pairs }) => pairs)),
    days: outcomes.reduce((sum, { days }) => sum + days, 0),
    wallMs: performance.now() - startedMs,
  }
}

export function monthsLine({ seeds, counts, days, wallMs, failed }: MonthsReport): string {
  const told = Object.entries(counts).map(([name, count]) => `${count} ${name}`)
  const time = `${(wallMs / 1_000).toFixed(1)} s; ${failed.length} failed`
  return [`simulated ${seeds} worlds, ${days.toFixed(0)} virtual days`, ...told, time].join(', ')
}

export function monthsReplayLine({ seed, violations }: MonthsOutcome): string {
  const [first] = violations
  return `seed ${seed}: ${first?.checker}: ${first?.what}\n  replay: npm run simulate -- --world months --seed ${seed}`
}

const clean = new Map<string, boolean>()

async function isClean(seed: number, days: number): Promise<boolean> {
  const name = `${seed} ${days}`
  const known = clean.get(name) ?? (await simulateMonths(seed, { days })).violations.length === 0
  clean.set(name, known)
  return known
}

/** Looks for a world that finds a planted fault, from the one that is known to; one that finds something without it does not count. */
export async function huntInMonths(mutant: Mutant, { seeds, days }: { seeds: number; days: number }): Promise<Caught> {
  const { name, near = 1, plant, wrapStore } = mutant
  for (let count = 0; count < seeds; count += 1) {
    const seed = ((near - 1 + count) % seeds) + 1
    const planted = { ...(plant && { plant }), ...(wrapStore && { wrapStore }) }
    const { violations } = await simulateMonths(seed, { ...planted, days })
    const [first] = violations
    if (first && (await isClean(seed, days))) return { mutant: name, seed, checker: first.checker, what: first.what }
  }
  return { mutant: name, seed: undefined, checker: 'missed', what: '' }
}
