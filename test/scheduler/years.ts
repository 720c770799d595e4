// The scheduler held against the naive model over three years: what one random schedule must satisfy in each of twelve
// zones. The tests run some hundred schedules; `node scripts/schedules.ts` runs as many as wanted.
import fc from 'fast-check'
import { nextOccurrence } from '../../src/scheduler/next-occurrence.ts'
import { expressionOf, type ModelSchedule, minuteSchedules } from './naive-cron.ts'
import { type OffsetTable, offsetTable, yearsOfFirings } from './naive-model.ts'

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'Europe/London',
  'Europe/Dublin',
  'America/New_York',
  'America/St_Johns',
  'America/Sao_Paulo',
  'Africa/Casablanca',
  'Asia/Kolkata',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
] as const

const SPAN = [Date.UTC(2026, 0), Date.UTC(2029, 0)] as const
const LEAD_MS = 86_400_000
/** Firings of a zone that are compared one after the other from the beginning; a schedule of every minute has a million. */
const CHAIN_MAX = 120
const HOUR = 3_600_000

const tables = new Map<string, OffsetTable>()

function tableOf(zone: string): OffsetTable {
  const table = tables.get(zone) ?? offsetTable(zone, [SPAN[0] - LEAD_MS, SPAN[1]])
  tables.set(zone, table)
  return table
}

/** Asks at random instants, and before and after each change of clocks. */
const instants = fc.array(fc.integer({ min: SPAN[0], max: SPAN[1] - 1 }), { minLength: 10, maxLength: 10 })
const aroundMs = fc.integer({ min: -4 * HOUR, max: 4 * HOUR })

export const yearsProperty = fc.property(
  minuteSchedules,
  fc.record({ afters: instants, nearMs: aroundMs }),
  (model, asked) => {
    for (const zone of ZONES) agrees(model, zone, asked)
  },
)

function agrees(model: ModelSchedule, zone: string, { afters, nearMs }: { afters: number[]; nearMs: number }): void {
  const table = tableOf(zone)
  const firings = yearsOfFirings(model, table)
  const expr = expressionOf(model)
  const compare = (afterMs: number): number | undefined => {
    const found = nextOccurrence({ kind: 'cron', expr }, afterMs, { zone, createdAtMs: 0 })
    const known = found !== undefined && found < SPAN[1] ? found : undefined
    const expected = firstAfter(firings, afterMs)
    if (known === expected) return known
    throw new Error(`"${expr}" in ${zone} after ${iso(afterMs)}: ${iso(known)}, by the model ${iso(expected)}`)
  }
  for (const afterMs of afters) compare(afterMs)
  for (const { atMinute } of table.changes.slice(1)) compare(Math.max(SPAN[0], atMinute * 60_000 + nearMs))
  let last: number | undefined = SPAN[0]
  for (let n = 0; n < CHAIN_MAX && last !== undefined; n += 1) last = compare(last)
}

function firstAfter(sorted: readonly number[], afterMs: number): number | undefined {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle] as number) > afterMs) high = middle
    else low = middle + 1
  }
  return sorted[low]
}

function iso(instantMs: number | undefined): string {
  return instantMs === undefined ? 'never' : new Date(instantMs).toISOString()
}
