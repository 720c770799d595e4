// Schedules that are asked for in words: read by the gateway's clock and zone when the call is carried out, so that a repeat
// of the same call has the same params. What is not understood whole is refused, and nothing is made.
import { SluiceError } from '../base/errors.ts'
import type { Params, Result } from '../protocol/catalogue.ts'
import type { JobPatch, Schedule, ScheduleWish } from '../protocol/job.ts'
import { nextOccurrences, validateSchedule } from '../scheduler/next-occurrence.ts'
import { scheduleInWords, zoneOfSchedule } from '../words/describe.ts'
import { readSchedule } from '../words/read.ts'
import type { MethodParts } from './parts.ts'

/** Throws INVALID_REQUEST for words that have no reading. */
export function plainSchedule(wish: ScheduleWish, nowMs: number, zone: string): Schedule {
  if (wish.kind !== 'words') return wish
  const reading = readSchedule(wish.words, { now: nowMs, zone })
  if (reading.ok) return reading.schedule
  throw new SluiceError(
    'INVALID_REQUEST',
    `schedule.words: ${reading.problem} Say it like “every weekday at 9”, “the first Monday of each month at noon in Tokyo” or “tomorrow at 7:30”.`,
  )
}

export function plainPatch(
  { schedule, ...patch }: Params<'cron.update'>['patch'],
  nowMs: number,
  zone: string,
): JobPatch {
  return schedule ? { ...patch, schedule: plainSchedule(schedule, nowMs, zone) } : patch
}

/** What a schedule means, and its next times; makes nothing. */
export function previewSchedule(
  { clock, facts }: MethodParts,
  { schedule: wish, count = 5 }: Params<'cron.preview'>,
): Result<'cron.preview'> {
  const nowMs = clock.now()
  const schedule = plainSchedule(wish, nowMs, facts.zone)
  validateSchedule(schedule, facts.zone, nowMs)
  const zone = zoneOfSchedule(schedule, facts.zone)
  const times = [...nextOccurrences(schedule, nowMs, { zone, createdAtMs: nowMs, count })]
  return { schedule, words: scheduleInWords(schedule, zone), times, zone }
}
