// An independent, deliberately naive model of schedules over years: it walks every minute of them, with the offsets of a
// zone read from Intl once, and decides each minute by the words of the guide alone. Of policies it keeps a list of what is
// under way and what waits. It shares no code with the scheduler and no parser: generated fields carry their own meaning.
import type { ModelSchedule } from './naive-cron.ts'

const MINUTE_MS = 60_000
const HOUR_MINUTES = 60
const DAY_MINUTES = 24 * HOUR_MINUTES

/** In whole minutes since 1970; each offset holds from its minute on. */
export interface OffsetTable {
  readonly fromMinute: number
  readonly toMinute: number
  readonly changes: readonly { readonly atMinute: number; readonly offsetMinutes: number }[]
}

export function offsetTable(zone: string, [fromMs, toMs]: readonly [number, number]): OffsetTable {
  const format = new Intl.DateTimeFormat('en-GB', { timeZone: zone, timeZoneName: 'longOffset' })
  const offsetAt = (minute: number) => {
    const [, sign, hours, minutes] = /GMT(?:([+-])(\d\d):(\d\d))?$/.exec(format.format(minute * MINUTE_MS)) ?? []
    return (Number(hours ?? 0) * 60 + Number(minutes ?? 0)) * (sign === '-' ? -1 : 1)
  }
  const [fromMinute, toMinute] = [fromMs / MINUTE_MS, toMs / MINUTE_MS]
  const changes = [{ atMinute: fromMinute, offsetMinutes: offsetAt(fromMinute) }]
  for (let hour = fromMinute; hour < toMinute; hour += HOUR_MINUTES) {
    if (offsetAt(hour + HOUR_MINUTES) === changes.at(-1)?.offsetMinutes) continue
    for (let minute = hour + 1; minute <= hour + HOUR_MINUTES; minute += 1) {
      const offsetMinutes = offsetAt(minute)
      if (offsetMinutes !== changes.at(-1)?.offsetMinutes) changes.push({ atMinute: minute, offsetMinutes })
    }
  }
  return { fromMinute, toMinute, changes }
}

const isBare = ({ text }: { readonly text: string }) => text === '*' || text === '?'

/** Says of a reading, in minutes as if it were UTC, whether the fields match it. */
function matcher(schedule: ModelSchedule): (wallMinute: number) => boolean {
  const minutes = Array.from({ length: 60 }, (_, minute) => schedule.minute.allows(minute))
  const hours = Array.from({ length: 24 }, (_, hour) => schedule.hour.allows(hour))
  const dates = new Map<number, boolean>()
  const dateMatches = (day: number) => {
    const midnightMs = day * DAY_MINUTES * MINUTE_MS
    if (!schedule.month.allows(new Date(midnightMs).getUTCMonth() + 1)) return false
    const [ofMonth, ofWeek] = [schedule.day.allows(midnightMs), schedule.weekday.allows(midnightMs)]
    return isBare(schedule.day) || isBare(schedule.weekday) ? ofMonth && ofWeek : ofMonth || ofWeek
  }
  return wallMinute => {
    const day = Math.floor(wallMinute / DAY_MINUTES)
    const ofDay = wallMinute - day * DAY_MINUTES
    if (!minutes[ofDay % 60] || !hours[Math.floor(ofDay / 60)]) return false
    let matches = dates.get(day)
    if (matches === undefined) {
      matches = dateMatches(day)
      dates.set(day, matches)
    }
    return matches
  }
}

/**
 * Every firing of the table's years, as instants in ms. A fixed hour fires once a day: a missing reading at the end of the
 * gap, a repeated one at its first time. What names no hour fires whenever the clock shows a matching reading.
 */
export function yearsOfFirings(schedule: ModelSchedule, { fromMinute, toMinute, changes }: OffsetTable): number[] {
  const matches = matcher(schedule)
  const namesHours = !isBare(schedule.hour)
  const fired: number[] = []
  let newestWall = Number.POSITIVE_INFINITY
  const firesOnce = (wall: number): boolean => {
    let fires = wall > newestWall ? matches(wall) : newestWall === Number.POSITIVE_INFINITY && matches(wall)
    for (let gone = newestWall + 1; gone < wall; gone += 1) fires ||= matches(gone)
    newestWall = newestWall === Number.POSITIVE_INFINITY ? wall : Math.max(newestWall, wall)
    return fires
  }
  const fires = namesHours ? firesOnce : matches
  changes.forEach(({ atMinute, offsetMinutes }, index) => {
    const untilMinute = changes[index + 1]?.atMinute ?? toMinute
    for (let minute = Math.max(atMinute, fromMinute); minute < untilMinute; minute += 1) {
      if (fires(minute + offsetMinutes)) fired.push(minute * MINUTE_MS)
    }
  })
  return fired
}

export interface Story {
  readonly catchUp: 'skip' | 'latest' | 'all'
  /** In minutes. */
  readonly window: number | undefined
  readonly overlap: 'skip' | 'queue-one' | 'queue-all' | 'cancel-previous'
  /** Minutes at which the job is due. */
  readonly due: readonly number[]
  /** How long each of its runs takes, in minutes. */
  readonly takes: number
  /** The minutes in which the gateway does not run: from, and the first in which it runs again. */
  readonly down: readonly [number, number]
  readonly until: number
}

type Told = Map<number, 'ok' | 'skipped' | 'missed' | 'cancelled' | 'open'>

/** The one job of a story: the first of what is under way runs, the others wait for it. */
class Line {
  readonly told: Told = new Map()
  readonly #story: Story
  #underWay: number[] = []
  #endsAt = Number.POSITIVE_INFINITY

  constructor(story: Story) {
    this.#story = story
  }

  /** The first of the line begins, if there is one. */
  begin(minute: number): void {
    this.#endsAt = this.#underWay.length > 0 ? minute + this.#story.takes : Number.POSITIVE_INFINITY
  }

  end(minute: number): void {
    if (minute < this.#endsAt) return
    this.told.set(this.#underWay.shift() as number, 'ok')
    this.begin(minute)
  }

  fire(due: number, minute: number): void {
    const { overlap } = this.#story
    const room = { skip: 0, 'queue-one': 1, 'queue-all': 100, 'cancel-previous': 100 }[overlap]
    const isFull = this.#underWay.length > room
    this.told.set(due, isFull ? 'skipped' : 'open')
    if (isFull) return
    if (overlap === 'cancel-previous') {
      for (const each of this.#underWay) this.told.set(each, 'cancelled')
      this.#underWay = []
    }
    this.#underWay.push(due)
    if (this.#underWay.length === 1) this.begin(minute)
  }
}

/** What became of each due minute, in words of the ledger; `missed` stands for skipped because it was. */
export function tell(story: Story): Told {
  const line = new Line(story)
  const [from, up] = story.down
  let undecided: number[] = []
  for (let minute = 0; minute <= story.until; minute += 1) {
    if (story.due.includes(minute)) undecided.push(minute)
    // What ends in the minute of the stop has just ended; after it the run under way begins again.
    if (minute === up) line.begin(minute)
    if (minute <= from || minute >= up) line.end(minute)
    if (minute >= from && minute < up) continue
    const made = madeUp(story, undecided, minute)
    for (const due of undecided.filter(each => !made.includes(each))) line.told.set(due, 'missed')
    for (const due of made) line.fire(due, minute)
    undecided = []
  }
  return line.told
}

/** Which of the undecided instants fire at this minute. What is at most a minute late is on time. */
function madeUp({ catchUp, window = 1e9 }: Story, undecided: readonly number[], minute: number): number[] {
  const notTooLate = undecided.filter(due => minute - due <= (catchUp === 'skip' ? 1 : Math.max(1, window)))
  return catchUp === 'all' ? notTooLate.slice(-100) : notTooLate.slice(-1).filter(due => due === undecided.at(-1))
}
