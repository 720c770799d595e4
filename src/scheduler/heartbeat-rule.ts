// When an agent's next heartbeat is due, as pure arithmetic. Beats stand at whole multiples of their interval, counted from
// the epoch and not from a start, so that a gateway that is restarted often beats all the same; with active hours there are
// none outside of them, and one at their beginning.
import { DAY, HOUR, MINUTE } from '../base/durations.ts'
import { wallTime } from '../base/zoned-time.ts'
import type { HeartbeatRule } from '../protocol/heartbeat.ts'
import { nextOccurrence } from './next-occurrence.ts'

/** The first beat later than `afterMs`. */
export function nextBeat({ everyMs, activeHours }: HeartbeatRule, afterMs: number): number {
  const multipleMs = (Math.floor(afterMs / everyMs) + 1) * everyMs
  if (!activeHours) return multipleMs
  const opensMs = nextOpening(activeHours, afterMs)
  return isActive(activeHours, multipleMs) ? Math.min(multipleMs, opensMs) : opensMs
}

type ActiveHours = NonNullable<HeartbeatRule['activeHours']>

function nextOpening({ from, zone }: ActiveHours, afterMs: number): number {
  const expr = `${from % 60} ${Math.floor(from / 60)} * * *`
  const next = nextOccurrence({ kind: 'cron', expr, tz: zone }, afterMs, { zone, createdAtMs: afterMs })
  // There is one on every day.
  return next ?? afterMs + DAY
}

function isActive({ from, until, zone }: ActiveHours, instantMs: number): boolean {
  const { hour, minute } = wallTime(instantMs, zone)
  const now = (hour * HOUR + minute * MINUTE) / MINUTE
  return from < until ? now >= from && now < until : now >= from || now < until
}
