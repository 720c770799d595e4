// Jobs as a seed draws them, each with all its nominal instants by the naive models of test/scheduler. Nothing here asks
// the scheduler when a job is due.
import { DAY, HOUR, MINUTE } from '../../../src/base/durations.ts'
import type { Budget } from '../../../src/protocol/job-policy.ts'
import { CATCH_UPS, OVERLAPS } from '../../../src/protocol/job-policy.ts'
import { expressionOf, type Field, type ModelSchedule } from '../../scheduler/naive-cron.ts'
import { type OffsetTable, offsetTable, yearsOfFirings } from '../../scheduler/naive-model.ts'
import type { Prng } from '../prng.ts'
import { drawBudget } from './drawn-work.ts'

export const HOME_ZONE = 'Europe/Berlin'
const ZONES = ['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'America/Santiago', 'Asia/Tokyo', 'UTC']
/** Starts before the clocks change, at the end of a year, and in a quiet time. */
export const STARTS_MS = [Date.UTC(2026, 8, 20, 7), Date.UTC(2027, 1, 20, 13), Date.UTC(2026, 11, 1, 9)]
/** As far as any wall clock comes. */
const HORIZON_MS = 200 * DAY
/** A wall clock that is put back may be so much before the start. */
export const EARLY_MS = 3 * DAY

/** All pairs of catch-up and overlap. */
export const PAIRS = CATCH_UPS.flatMap(catchUp => OVERLAPS.map(overlap => ({ catchUp, overlap })))

export interface DrawnTiming {
  readonly schedule: Readonly<Record<string, unknown>>
  /** All its instants from the start of the world on, for a job that was made then. */
  readonly instants: (createdAtMs: number) => number[]
}

export interface DrawnPolicy {
  catchUp: (typeof CATCH_UPS)[number]
  overlap: (typeof OVERLAPS)[number]
  catchUpWindowMs?: number
  startAtMs?: number
  endAtMs?: number
  maxRuns?: number
  jitterMs?: number
  readonly budget?: Budget
  readonly failureAlert: boolean
  readonly pauseAfterFailures: number
  readonly retry: { readonly max: number; readonly backoffMs: readonly number[] }
}

const any: Field = { text: '*', allows: () => true }
const every = { day: { text: '*', allows: () => true }, month: any, weekday: { text: '*', allows: () => true } }
const only = (...list: number[]): Field => ({ text: list.join(','), allows: value => list.includes(value) })
const weekdayOf = (midnightMs: number) => new Date(midnightMs).getUTCDay()
const workdays = { text: '1-5', allows: (midnightMs: number) => weekdayOf(midnightMs) % 6 !== 0 }

const tables = new Map<string, OffsetTable>()
function tableOf(zone: string, startMs: number): OffsetTable {
  const name = `${zone} ${startMs}`
  const known = tables.get(name) ?? offsetTable(zone, [startMs - EARLY_MS - DAY, startMs + HORIZON_MS])
  tables.set(name, known)
  return known
}

export function drawTiming(random: Prng, startMs: number, nowMs: number): DrawnTiming {
  const zone = random.pick(ZONES)
  const named = random.chance(0.7) ? { tz: zone } : {}
  const firings = (model: ModelSchedule) => yearsOfFirings(model, tableOf(named.tz ?? HOME_ZONE, startMs))
  const cron = (model: ModelSchedule): DrawnTiming => ({
    schedule: { kind: 'cron', expr: expressionOf(model), ...named },
    instants: () => firings(model),
  })
  const minute = only(random.int(0, 59))
  switch (random.weighted({ daily: 4, hours: 4, hourly: 1, interval: 4, between: 2, once: 1 })) {
    case 'daily':
      return cron({ ...every, minute, hour: only(random.int(0, 4)), ...(random.chance(0.3) && { weekday: workdays }) })
    case 'hours':
      return cron({ ...every, minute, hour: only(random.int(0, 3), random.int(4, 12), random.int(13, 23)) })
    case 'hourly':
      return cron({ ...every, minute, hour: any, ...(random.chance(0.7) && { weekday: workdays }) })
    case 'interval':
      return interval(random.span(HOUR, 30 * HOUR), startMs)
    case 'between': {
      const [from, to, stepHours] = [random.int(0, 4), random.int(8, 20), random.int(1, 3)]
      const hours = Array.from({ length: to - from + 1 }, (_, index) => from + index)
      const hour = only(...hours.filter(each => (each - from) % stepHours === 0))
      const between = { from: clockTime(from), to: clockTime(to) }
      return {
        schedule: { kind: 'every', everyMs: stepHours * HOUR, between, ...named },
        instants: () => firings({ ...every, minute: only(0), hour }),
      }
    }
    case 'once': {
      const atMs = nowMs + random.span(MINUTE, 20 * DAY)
      return { schedule: { kind: 'at', atMs }, instants: () => [atMs] }
    }
  }
}

function clockTime(hour: number): string {
  return `${String(hour).padStart(2, '0')}:00`
}

function interval(everyMs: number, startMs: number): DrawnTiming {
  return {
    schedule: { kind: 'every', everyMs },
    instants: createdAtMs => {
      const instants: number[] = []
      for (let atMs = createdAtMs; atMs < startMs + HORIZON_MS; atMs += everyMs) instants.push(atMs)
      return instants
    },
  }
}

export function drawPolicy(random: Prng, pair: (typeof PAIRS)[number], nowMs: number): DrawnPolicy {
  const backoffMs = random.chance(0.5) ? [MINUTE, 5 * MINUTE] : [random.span(MINUTE, HOUR)]
  return {
    ...pair,
    ...(random.chance(0.3) && { catchUpWindowMs: random.span(20 * MINUTE, 2 * DAY) }),
    ...(random.chance(0.15) && { startAtMs: nowMs + random.span(HOUR, 10 * DAY) }),
    ...(random.chance(0.15) && { endAtMs: nowMs + random.span(11 * DAY, 60 * DAY) }),
    ...(random.chance(0.15) && { maxRuns: random.int(3, 40) }),
    ...(random.chance(0.4) && { jitterMs: random.span(1_000, 20 * MINUTE) }),
    ...drawBudget(random),
    failureAlert: random.chance(0.8),
    pauseAfterFailures: random.chance(0.3) ? random.int(2, 4) : 0,
    retry: { max: random.int(0, 3), backoffMs },
  }
}
