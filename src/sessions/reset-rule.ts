// Whether a session begins anew with the next message, and the words by which a person says so. Pure: it is decided as a
// message is accepted, by no timer, and never while a turn of the session runs or waits.
import { instantOf, wallTime } from '../base/zoned-time.ts'

type ResetRule = Readonly<Record<'atHour' | 'idleMs', number | undefined>>

/** A session to which nobody has written since this instant begins anew; undefined: none does. */
export function resetBefore({ atHour, idleMs }: ResetRule, nowMs: number, zone: string): number | undefined {
  const instants = [
    ...(atHour === undefined ? [] : [dayBegan(atHour, nowMs, zone)]),
    ...(idleMs === undefined ? [] : [nowMs - idleMs]),
  ]
  return instants.length === 0 ? undefined : Math.max(...instants)
}

/** The last instant, not later than now, at which a clock in the zone showed this hour first. */
function dayBegan(hour: number, nowMs: number, zone: string): number {
  const today = { ...wallTime(nowMs, zone), hour, minute: 0, second: 0 }
  const { instantMs } = instantOf(today, zone)
  return instantMs <= nowMs ? instantMs : instantOf({ ...today, day: today.day - 1 }, zone).instantMs
}

const NEW_SESSION = /^\s*\/(?:new|reset)(?:\s+([\s\S]*\S))?\s*$/i
/** What a session that is begun by the word alone is told first. */
const GREETING = 'Hello.'

/** What `/new` or `/reset` begins the session with; undefined: the message is neither. */
export function newSessionText(message: string): string | undefined {
  const found = NEW_SESSION.exec(message)
  return found ? (found[1] ?? GREETING) : undefined
}
