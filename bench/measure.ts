// What every bench shares: percentiles, rounds that let both sides see the same minutes of the machine, and the table
// that shows a figure beside its goal and its baseline. It starts nothing and knows no bench.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'

export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  readonly better: 'lower' | 'higher'
  /** The value that is promised; a figure without one is shown for what it explains. */
  readonly goal?: number
  /** Half the distance of the quartiles over the median: how much the machine moved while it was taken. */
  readonly spread?: number
}

export interface Baseline {
  readonly savedAt: string
  readonly machine: string
  readonly figures: Readonly<Record<string, number>>
}

export const MACHINE = `${cpus().length} x ${cpus()[0]?.model.trim() ?? 'unknown'}, Node ${process.versions.node}`

/** `share` from 0 to 1; the samples need not be sorted. */
export function percentile(samples: readonly number[], share: number): number {
  if (samples.length === 0) return Number.NaN
  const sorted = Float64Array.from(samples).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5)
}

export function spreadOf(samples: readonly number[]): number {
  return (percentile(samples, 0.75) - percentile(samples, 0.25)) / 2 / median(samples)
}

type Sides<N extends string> = Readonly<Record<N, () => Promise<number> | number>>

/** Takes one sample of each side per round, in turns forwards and backwards, so that drift falls on all of them. */
export async function rounds<N extends string>(count: number, sides: Sides<N>): Promise<Record<N, number[]>> {
  const names = Object.keys(sides) as N[]
  const samples = Object.fromEntries(names.map(name => [name, [] as number[]])) as Record<N, number[]>
  for (let round = 0; round < count; round += 1) {
    const order = round % 2 === 0 ? names : names.toReversed()
    for (const name of order) samples[name].push(await sides[name]())
  }
  return samples
}

/** Milliseconds that `work` takes. */
export async function timed(work: () => Promise<unknown> | unknown): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

export function pause(delayMs: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, delayMs))
}

function baselinePath(bench: string): string {
  return fileURLToPath(new URL(`./baselines/${bench}.json`, import.meta.url))
}

export function readBaseline(bench: string): Baseline | undefined {
  const path = baselinePath(bench)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined
}

export function saveBaseline(bench: string, figures: readonly Figure[]): void {
  const rounded = figures.map(({ name, value }) => [name, Number(value.toPrecision(4))])
  const baseline = { savedAt: new Date().toISOString(), machine: MACHINE, figures: Object.fromEntries(rounded) }
  mkdirSync(fileURLToPath(new URL('./baselines', import.meta.url)), { recursive: true })
  writeFileSync(baselinePath(bench), `${JSON.stringify(baseline, undefined, 2)}\n`)
}

export function isMet({ value, goal, better }: Figure): boolean {
  if (goal === undefined) return true
  return better === 'lower' ? value <= goal : value >= goal
}

function shown(value: number, unit: string): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 1 ? 2 : 3
  return `${value.toFixed(digits)}${unit === 'x' ? 'x' : ` ${unit}`}`
}

/** `+12 %` is worse than the baseline, `-12 %` better, whichever way the figure counts. */
function against({ value, better }: Figure, before: number | undefined): string {
  if (before === undefined) return ''
  const change = before === 0 ? 0 : (better === 'lower' ? value / before : before / value) - 1
  const percent = Math.round(change * 100)
  return `${Math.abs(percent)} % ${percent > 0 ? 'worse' : 'better'}`
}

function row(figure: Figure, baseline: Baseline | undefined): string[] {
  const { name, value, unit, goal, better, spread } = figure
  const before = baseline?.figures[name]
  const ratio = goal === undefined ? '' : `${(value / goal).toFixed(2)} of goal`
  return [
    name,
    shown(value, unit),
    spread === undefined ? '' : `± ${Math.round(spread * 100)} %`,
    goal === undefined ? '' : `${better === 'lower' ? '<=' : '>='} ${shown(goal, unit)}`,
    goal === undefined ? '' : `${isMet(figure) ? 'met   ' : 'MISSED'} ${ratio}`,
    before === undefined ? '' : shown(before, unit),
    against(figure, before),
  ]
}

export function table(figures: readonly Figure[], baseline: Baseline | undefined): string {
  const rows = [
    ['figure', 'now', 'spread', 'goal', '', 'baseline', ''],
    ...figures.map(figure => row(figure, baseline)),
  ]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map(cells => cells[column]?.length ?? 0))) ?? []
  const line = (cells: string[]) =>
    cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
  return rows.map(cells => `  ${line(cells).join('  ').trimEnd()}`).join('\n')
}
