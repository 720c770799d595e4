// Cron expressions: what croner's parser accepts (5 or 6 fields, L, W, #, names, `?`, `@daily`), compiled once and
// searched on a wall clock that knows no zone. It refuses to deal in instants: a zone and its daylight saving are added
// by next-occurrence.ts, because croner keeps neither the gap nor the repeated hour as we promise.
import { CronDate, CronPattern } from 'croner'
import { DAY } from '../base/durations.ts'
import { type WallTime, wallAsUtc } from '../base/zoned-time.ts'
import { refusedAt } from '../protocol/error-codes.ts'

export interface CronExpression {
  /** False for a bare `*` (or `?`) as hour, true for numbers, lists, ranges and steps: which daylight saving rule holds. */
  readonly namesHours: boolean
  /**
   * The first reading that matches, in a whole second strictly later than `afterMs`; a wall clock is counted as if it
   * were UTC. Undefined when there is none within SEARCH_SPAN.
   */
  nextWall(afterMs: number): WallTime | undefined
}

/** Eight years with their leap days: 29 February 2096 is followed by 29 February 2104. */
export const SEARCH_SPAN = 8 * 366 * DAY

/** Compiled expressions that are kept; the one used longest ago goes first. */
export const COMPILED_MAX = 1_000

/** Croner searches no further, and a Date cannot hold much more. */
const WALL_MS_END = wallAsUtc({ year: 3000, month: 1, day: 1, hour: 0, minute: 0, second: 0 })

const compiled = new Map<string, CronExpression>()

/** What is shown as right where another one is refused. */
export const EXPRESSION_EXAMPLE = '0 9 * * 1-5'

/** Throws INVALID_REQUEST with croner's own words, in the form the wire has always had: `TypeError: CronPattern: …`. */
export function compileCron(expr: string): CronExpression {
  const known = compiled.get(expr)
  const expression = known ?? compile(expr)
  if (known) compiled.delete(expr)
  else if (compiled.size >= COMPILED_MAX) compiled.delete(compiled.keys().next().value ?? '')
  compiled.set(expr, expression)
  return expression
}

function compile(expr: string): CronExpression {
  const pattern = parse(expr)
  const nextWall = (afterMs: number): WallTime | undefined => {
    if (!(afterMs < WALL_MS_END)) return undefined
    // biome-ignore lint/style/noRestrictedGlobals: croner takes its reference as a Date; no clock is read
    const found = new CronDate(new Date(afterMs), UTC).increment(pattern, {}, false)
    if (!found) return undefined
    const { year, month, day, hour, minute, second } = found
    const wall = { year, month: month + 1, day, hour, minute, second }
    return wallAsUtc(wall) - afterMs <= SEARCH_SPAN ? wall : undefined
  }
  return { namesHours: namesHours(expr), nextWall }
}

/** Croner's fixed offset of no minutes, under which it does plain calendar arithmetic. */
const UTC = 0

function parse(expr: string): CronPattern {
  try {
    const pattern = new CronPattern(expr, undefined, { mode: '5-or-6-parts' })
    // Ten thousand flags (80 kB) that are not looked at, as there is no year field.
    pattern.year = []
    return pattern
  } catch (error) {
    if (!(error instanceof Error)) throw error
    throw refusedAt('/schedule/expr', `TypeError: ${error.message}`, EXPRESSION_EXAMPLE)
  }
}

function namesHours(expr: string): boolean {
  const fields = expr.trim().split(/\s+/)
  // The nicknames are one word; all but this one name midnight.
  if (fields.length === 1) return fields[0]?.toLowerCase() !== '@hourly'
  const hour = fields.at(-4)
  return hour !== '*' && hour !== '?'
}
